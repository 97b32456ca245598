"""The coupon: of buyers at the same time as many have it as there are, and each is told so."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.examples.programs import counts, python


def test_of_sixteen_buyers_in_two_programs_exactly_as_many_win_as_there_are_coupons(stack):
    def buy(_):
        return python("coupon.py", "coupon:spring", 5, variables=stack.variables)

    with ThreadPoolExecutor() as programs:
        said = list(programs.map(buy, range(2)))
    assert [(each.status, each.stderr) for each in said] == [(0, "")] * 2
    lines = [line.split(": ") for each in said for line in each.stdout.splitlines()]
    assert [buyer for buyer, _ in lines] == [f"buyer {number}" for number in range(1, 9)] * 2
    told = Counter(answer for _, answer in lines)
    assert told == {"the coupon is yours": 5, "somebody was faster": 11}
    assert counts(stack, "coupon:spring") == {"coupon:spring": 5}
