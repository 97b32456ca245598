"""A coupon that only so many can have: eight buyers at once, and what became of each.

    python examples/coupon.py coupon:spring 3

Run it twice at the same time: of sixteen buyers still exactly three have one. The bound is decided
on the count that is written over, so nobody needs a lock.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from tally import Outcome, Publisher, Reader, identity_of

BUYERS = 8


def main(coupon: str, available: int) -> None:
    """Let all buyers ask for one at once, and print what each is told."""
    with (
        # Each buyer waits for an answer, so an increment does not wait for company.
        Publisher(os.environ["SQS_QUEUE_URL"], linger_s=0) as publisher,
        Reader.from_environment(os.environ) as reader,
        ThreadPoolExecutor(max_workers=BUYERS) as buyers,
    ):
        answers = [buyers.submit(buy, publisher, reader, coupon, available) for _ in range(BUYERS)]
        for number, answer in enumerate(answers, start=1):
            print(f"buyer {number}: {answer.result()}")


def buy(publisher: Publisher, reader: Reader, coupon: str, available: int) -> str:
    """Ask for a coupon, and wait for the answer; it is the same whenever it is asked for again.

    There is no flush() here: it waits for all buyers, and its error would be about all of them. An
    increment that does not arrive is pending, like one that is late.
    """
    mine = publisher.publish(coupon, max=available)
    match reader.wait_for_outcome(mine):
        case Outcome.APPLIED:
            return "the coupon is yours"
        case Outcome.REJECTED:
            return "somebody was faster"
        case Outcome.PENDING | Outcome.FORGOTTEN:
            # Not a no: it may still be applied. To publish another one would be to buy twice.
            return f"not known yet; ask again with: tally outcome {coupon} {identity_of(mine)}"


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[2].isdecimal():  # noqa: PLR2004 (the program, two words)
        sys.exit("usage: coupon.py COUPON AVAILABLE")
    main(sys.argv[1], int(sys.argv[2]))
