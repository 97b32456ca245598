"""The tables of the recipes answer as moto's do; and what the ways to count on them make of it."""

import contextlib
import itertools
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from benchmarks.dynamodb import moto as local_dynamodb
from benchmarks.dynamodb import peers
from benchmarks.dynamodb.peers import Meaning, TooManyConflictsError, count_once, meaning_of, units
from benchmarks.recipes.dynamodb import MAX_TRIES, UNANSWERED, Client, Teller, Threads
from benchmarks.recipes.table import TRANSACTION_S, Tables, refusal
from benchmarks.recipes.truth import Truth
from tally.counters.event import Increment
from tally.stores.dynamodb.items import Items, copy_of
from tally.stores.port import ABSENT, Swap
from tests.recipes.here import Here
from tests.simulation.faults import Fault

REQUESTS = 120
ITEMS = Items(peers.COUNTERS, None, lambda: 0.0)
METHODS = {
    "PutItem": "put_item",
    "UpdateItem": "update_item",
    "BatchGetItem": "batch_get_item",
    "TransactWriteItems": "transact_write_items",
}


@pytest.fixture(scope="module")
def moto():
    """A client of moto's tables."""
    with (
        local_dynamodb.tables() as endpoint_url,
        contextlib.closing(local_dynamodb.client(endpoint_url)) as client,
    ):
        yield client


def increment(seq, counter="c", bound=3):
    return Increment(counter=counter, max=bound, source=f"{17:016x}", seq=seq, at=1_790_000_000_000)


def tables(clock=lambda: 0.0):
    return Tables(Truth([]), clock)


def acted(place, name, request):
    """What a request comes to; its token is drawn by botocore."""
    answer = place.act(name, request, None)
    return shown(answer) if isinstance(answer, ClientError) else answer


def shown(error):
    reasons = [each["Code"] for each in error.response.get("CancellationReasons", [])]
    return error.response["Error"]["Code"], reasons, error.response.get("Item")


def asked(client, name, request):
    try:
        return getattr(client, METHODS[name])(**request)
    except ClientError as error:
        return shown(error)


def drawn(random, place):
    """A request, as somebody would send it who has read lately, or never."""
    counter = random.choice("ab")
    mine = random.choice(("mine-1", "mine-2"))
    seen: Any = copy_of(place.item(peers.COUNTERS, mine))
    if random.random() < 0.3:
        seen = ABSENT
    value = b"%d\nledger %d" % (random.randrange(10), random.randrange(10))
    return random.choice(
        [
            ("UpdateItem", peers.add(increment(0, counter, random.randrange(1, 30)))),
            (
                "TransactWriteItems",
                peers.transaction(increment(random.randrange(20), counter, random.randrange(1, 9))),
            ),
            ("PutItem", ITEMS.put(Swap(mine, seen, value))),
            ("BatchGetItem", ITEMS.get(["a", "mine-1", "nobody"])),
        ]
    )


def plain(answer):
    """What both say of an answer: which items came, or why nothing happened."""
    if isinstance(answer, tuple) or "Responses" not in answer:
        return answer if isinstance(answer, tuple) else "done"
    items = answer["Responses"][peers.COUNTERS]
    return sorted(items, key=lambda item: item["counter"]["S"])


def test_the_tables_answer_as_moto_does(moto):
    random, place, told = Random(1), tables(itertools.count().__next__), []
    for number in range(REQUESTS):
        name, request = drawn(random, place)
        theirs = plain(asked(moto, name, request))
        if name == "TransactWriteItems":
            request["ClientRequestToken"] = str(number)
        assert plain(acted(place, name, request)) == theirs, (number, request)
        told.append((name, theirs if isinstance(theirs, str) else str(theirs)))
    outcomes = {name: {each for its, each in told if its == name} for name in METHODS}
    assert all(len(each) > 1 for each in outcomes.values())  # none is always done or refused


@pytest.mark.parametrize(
    ("record", "counter", "meaning"),
    [
        (peers.CONDITION, "None", Meaning.DUPLICATE),
        (peers.CONDITION, peers.CONDITION, Meaning.DUPLICATE),
        (peers.CONDITION, peers.CONFLICT, Meaning.DUPLICATE),
        ("None", peers.CONDITION, Meaning.REJECTED),
        (peers.CONFLICT, peers.CONDITION, Meaning.AGAIN),
        ("None", "ProvisionedThroughputExceeded", Meaning.AGAIN),
    ],
)
def test_a_cancelled_transaction_means_what_its_reasons_say(record, counter, meaning):
    assert meaning_of(cancelled(record, counter)) is meaning


def cancelled(*codes):
    reasons = [{"Code": code} for code in codes]
    return refusal(peers.CANCELLED, "TransactWriteItems", CancellationReasons=reasons)


@pytest.mark.parametrize(
    "error", [cancelled("None", "ValidationError"), refusal("AccessDenied", "TransactWriteItems")]
)
def test_any_other_error_is_its_callers(error):
    with pytest.raises(ClientError) as raised:
        meaning_of(error)
    assert raised.value is error


class Conflicting:
    """A client whose transactions meet others, some times."""

    def __init__(self, times):
        self.left = times

    def transact_write_items(self, **_):
        self.left -= 1
        if self.left >= 0:
            raise cancelled("None", peers.CONFLICT)


def test_a_conflict_is_tried_again_after_longer_and_longer_pauses():
    pauses: list[float] = []
    meaning = count_once(
        Conflicting(3), increment(0), sleep=pauses.append, uniform=lambda _, most: most
    )
    assert meaning is Meaning.COUNTED
    assert pauses == [0.02, 0.04, 0.08]


def test_conflicts_without_an_end_are_given_up():
    pauses: list[float] = []
    with pytest.raises(TooManyConflictsError):
        count_once(Conflicting(99), increment(0), sleep=pauses.append, uniform=max)
    assert len(pauses) == peers.MAX_TRIES


def test_an_add_that_is_refused_for_another_reason_raises():
    class Denied:
        def update_item(self, **_):
            raise refusal("AccessDeniedException", "UpdateItem")

    with pytest.raises(ClientError, match="AccessDenied"):
        peers.add_once(Denied(), increment(0))


def test_a_transaction_holds_its_items_for_a_time():
    now = [0.0]
    place = tables(lambda: now[0])

    def transact(seq):
        now[0] += TRANSACTION_S / 2
        request = peers.transaction(increment(seq))
        return acted(place, "TransactWriteItems", {**request, "ClientRequestToken": str(seq)})

    conflict = (peers.CANCELLED, ["None", peers.CONFLICT], None)
    assert [transact(seq) for seq in range(4)] == [{}, conflict, {}, conflict]
    assert place.units == 4 * 4
    assert (place.value("c"), place.records) == (b"2", 2)


def test_a_transaction_that_is_sent_again_with_its_token_happens_once():
    place = tables()
    request = {**peers.transaction(increment(0)), "ClientRequestToken": "token"}
    assert [acted(place, "TransactWriteItems", request) for _ in range(2)] == [{}, {}]
    assert place.value("c") == b"1"


def test_units_follow_the_size_of_items():
    item = {"counter": {"S": "c" * 1_000}, "count": {"N": "1"}}
    assert peers.size(item) == 1_013
    assert units([item]) == 1
    assert units([item, {**item, "value": {"B": b"x" * 20}}]) == 1 + 2
    assert units([item, item], in_transaction=True) == 4


class Lossy(Here):
    """A caller some of whose calls are lost, and who counts them."""

    def __init__(self, rates):
        super().__init__([increment(0)], rates)
        self.tables = Tables(self.truth, self.world.timeline)
        self.client = Client(self.world, self.tables.act, self)


def test_a_call_without_an_answer_is_repeated_and_adds_again():
    here = Lossy({Fault.ANSWER_LOST: 1.0})
    with pytest.raises(UNANSWERED):
        here.do(lambda: here.client.update_item(**peers.add(increment(0, bound=9))))
    assert here.world.totals["calls"] == MAX_TRIES
    assert here.tables.value("c") == b"%d" % MAX_TRIES


def test_a_transaction_without_an_answer_is_repeated_with_its_token_and_counts_once():
    here = Lossy({Fault.ANSWER_LOST: 1.0})
    with pytest.raises(UNANSWERED):
        here.do(lambda: here.client.transact_write_items(**peers.transaction(increment(0))))
    assert here.world.totals["calls"] == MAX_TRIES
    assert here.tables.value("c") == b"1"


def test_a_call_in_a_thread_is_given_up_when_its_time_is_over():
    here = Lossy({})
    flights = []

    def work():
        swap = ITEMS.put(Swap("nobody's", ABSENT, b"1\n"))
        flights.append(
            Threads(1, "").submit(lambda client: client.put_item(**swap), Teller(here.client))
        )
        assert not flights[0].done()
        flights[0].result(0.0)

    with pytest.raises(TimeoutError):
        here.do(work)
    assert flights[0].cancel() is False
    assert here.do(lambda: flights[0].result(1.0)) == {"ConsumedCapacity": {"CapacityUnits": 1.0}}
    assert flights[0].done()


def test_code_that_asks_for_nothing_is_no_call():
    here = Lossy({})
    with pytest.raises(TypeError):
        Threads(1, "").submit(lambda _: None, Teller(here.client))
