"""Calls to a table: in pieces, late, never answered, wrongly signed; and their connections."""

import base64
import contextlib
import json
import threading
import time
from pathlib import Path

import botocore.exceptions as boto
import pytest

from tally.stores.dynamodb.asking import Put, get
from tally.stores.dynamodb.calls import MAX_IDLE_S, Calls
from tally.stores.dynamodb.flights import Flights
from tally.stores.dynamodb.items import Items, token_of
from tally.stores.dynamodb.store import (
    MAX_CALLS_IN_FLIGHT,
    MAX_KEYS,
    MAX_READS_IN_FLIGHT,
    DynamoStore,
)
from tally.stores.dynamodb.troubles import LATE, UNPROCESSED, UNSENT
from tally.stores.errors import StoreClosedError
from tally.stores.port import ABSENT, NOT_SENT, Failed, Stored, Swap, Trouble, Usage
from tests.support.clock import Clock
from tests.support.dynamodb import (
    LONG_S,
    SILENCE,
    TRICKLE,
    Endpoint,
    absent,
    client,
    refusal,
    stored,
)

SOON_S = 0.3
STARTED_S = 2.0
"""In which a busy machine, too, has started as many threads as there may be calls in flight."""

UNSIGNED = "InvalidSignatureException (HTTP 400)"


class Client:
    """A client that is only told apart."""

    def close(self):
        """Close no connection."""


@contextlib.contextmanager
def on(answer, **options):
    with Endpoint(answer) as endpoint, contextlib.closing(endpoint.store(**options)) as store:
        yield endpoint, store


def read(store, *counters):
    return list(store.read(counters, time.monotonic() + 60))


def write(store, *counters):
    swaps = [Swap(counter, ABSENT, b"1") for counter in counters]
    return [answer for _, answer in store.write(swaps, time.monotonic() + 60)]


def keys(asked):
    return [key["counter"]["S"] for key in asked["RequestItems"]["counters"]["Keys"]]


def item(counter):
    told = {"value": b"1", "token": token_of(b"1")}
    return {"counter": {"S": counter}} | {
        name: {"B": base64.b64encode(each).decode()} for name, each in told.items()
    }


def in_pieces(count):
    """Answers so many counters of each request, and leaves the rest unprocessed."""

    def answer(_target, asked):
        names = keys(asked)
        left = [{"counter": {"S": name}} for name in names[count:]]
        told = {
            "Responses": {"counters": [item(name) for name in names[:count] if name != "none"]},
            "UnprocessedKeys": {"counters": {"Keys": left}} if left else {},
        }
        return 200, json.dumps(told).encode()

    return answer


def test_what_was_not_processed_is_asked_for_again_at_once():
    with on(in_pieces(2)) as (endpoint, store):
        found = dict(read(store, "a", "b", "none", "c", "d"))
        assert {name: copy.value for name, copy in found.items()} == {
            **dict.fromkeys("abcd", b"1"),
            "none": None,
        }
        names = [keys(asked) for _, asked in endpoint.asked]
        assert names == [["a", "b", "none", "c", "d"], ["none", "c", "d"], ["d"]]
        assert store.usage.operations == store.usage.reads == 5
        assert store.usage.answered == 1


def test_where_nothing_was_processed_the_table_throttles():
    def answer(_target, asked):
        return in_pieces(1 if len(keys(asked)) == 3 else 0)(_target, asked)

    with on(answer) as (_, store):
        [(_, first), *others] = read(store, "a", "b", "c")
        assert first.value == b"1"
        assert others == [("b", UNPROCESSED), ("c", UNPROCESSED)]
        assert store.usage.operations == 1


def test_one_call_asks_for_a_hundred_counters_consistently_and_for_none_twice():
    names = [f"c{number}" for number in range(MAX_KEYS + 1)]
    with on(absent) as (endpoint, store):
        assert read(store, *names) == [(name, ABSENT) for name in names]
        told = sorted((keys(asked) for _, asked in endpoint.asked), key=len)
        assert told == [names[MAX_KEYS:], names[:MAX_KEYS]]
        assert store.values(["a", "b", "a"], 60) == ([None, None, None], None)
        asked = endpoint.asked[-1][1]["RequestItems"]["counters"]
        assert asked == {"Keys": [{"counter": {"S": c}} for c in "ab"], "ConsistentRead": True}


def test_what_trickles_has_no_answer_when_its_time_is_over():
    with on(lambda *_: TRICKLE, deadline_s=SOON_S) as (_, store):
        assert write(store, "c") == [LATE]
        assert (store.usage.answered, store.usage.unanswered) == (0, 1)
        assert store.values(["c"], SOON_S) == ([], LATE)


def test_what_botocore_gives_up_on_has_no_answer_in_time_either():
    with Endpoint(lambda *_: SILENCE) as endpoint:
        store = endpoint.store(connect=lambda: client(endpoint.url, SOON_S))
        with contextlib.closing(store):
            assert read(store, "a", "b") == [("a", LATE), ("b", LATE)]
            assert write(store, "c") == [LATE]
            assert (store.usage.answered, store.usage.unanswered) == (0, 2)


def test_a_round_that_is_left_early_leaves_nothing_behind():
    with on(absent) as (endpoint, store):
        swaps = [Swap(f"c{number}", ABSENT, b"1") for number in range(100)]
        answers = store.write(swaps, time.monotonic() - 1)
        assert next(answers) == (swaps[0], NOT_SENT)
        answers.close()
        assert endpoint.asked == []


def test_after_a_silence_the_rest_of_a_round_is_not_sent():
    with on(lambda *_: SILENCE, deadline_s=STARTED_S) as (endpoint, store):
        told = write(store, *(f"c{number}" for number in range(100)))
        assert told == [LATE] * MAX_CALLS_IN_FLIGHT + [UNSENT] * (100 - MAX_CALLS_IN_FLIGHT)
        assert len(endpoint.asked) <= MAX_CALLS_IN_FLIGHT
        assert store.usage.unanswered == store.usage.operations == MAX_CALLS_IN_FLIGHT


def test_calls_that_had_no_thread_yet_when_the_first_had_no_answer_show_no_life():
    may_end, usage = threading.Event(), Usage()
    calls = Calls(Client, 1, time.monotonic, time.monotonic)
    flights = Flights(calls, usage, time.monotonic, SOON_S)
    asked = flights.all(
        range(6), lambda *_: lambda _client: may_end.wait(LONG_S), 3, time.monotonic() + LONG_S
    )
    assert list(asked) == [*((n, LATE) for n in range(3)), *((n, UNSENT) for n in range(3, 6))]
    assert usage == Usage(unanswered=3)
    may_end.set()


def test_calls_that_botocore_gave_up_show_no_life_either():
    calls = Calls(Client, 4, time.monotonic, time.monotonic)
    flights = Flights(calls, Usage(), time.monotonic, LONG_S)
    asked = flights.all(
        range(6), lambda *_: lambda _client: Put(None, LATE), 3, time.monotonic() + LONG_S
    )
    late, unsent = Put(None, LATE), UNSENT
    assert [answer for _, answer in asked] == [late] * 3 + [unsent] * 3


def test_one_call_that_is_never_answered_stops_no_other():
    def answer(_target, asked):
        return SILENCE if asked["Item"]["counter"]["S"] == "c7" else stored()

    with on(answer, deadline_s=5 * SOON_S) as (_, store):
        told = write(store, *(f"c{number}" for number in range(40)))
        late = [number for number, each in enumerate(told) if not isinstance(each, Stored)]
        assert (late, told[7]) == ([7], LATE)


def test_what_comes_in_part_before_the_time_is_over_stays():
    items = Items("counters", None, Clock())
    with Endpoint(in_pieces(1)) as endpoint, contextlib.closing(client(endpoint.url)) as asking:
        batch = get(asking, items, ["a", "b", "c"], is_late=lambda: True)
        assert (list(batch.items), batch.left, batch.error) == (["a"], ["b", "c"], LATE)


def test_what_has_no_time_left_in_a_round_is_not_sent():
    clock = Clock()

    def answer(_target, _asked):
        clock.now_s += 60
        return stored()

    swaps = [Swap(f"c{number}", ABSENT, b"1") for number in range(MAX_CALLS_IN_FLIGHT + 1)]
    with on(answer, clock=clock) as (_, store):
        assert [each for _, each in store.write(swaps, clock() + 50)][-1] is NOT_SENT


def one_by_one(*answers):
    """Each request has its own answer."""
    left = list(answers)

    def answer(target, asked):
        return left.pop(0)(target, asked)

    return answer


class Signatures:
    """Refuses a signature as often as it is told, at first."""

    def __init__(self, times):
        self.left = times

    def __call__(self, target, asked):
        self.left -= 1
        if self.left >= 0:
            return refusal("InvalidSignatureException", "Signature expired")
        return absent(target, asked)


def test_requests_that_lay_in_a_freeze_between_signing_and_sending_are_sent_again():
    with on(Signatures(3)) as (_, store):
        unknown = Failed(Trouble.UNKNOWN_OUTCOME, UNSIGNED)
        assert write(store, "a", "b", "c") == [unknown] * 3
        assert [type(answer) for answer in write(store, "a", "b", "c")] == [Stored] * 3
        assert store.usage.operations == 6


def test_a_signature_that_is_refused_anew_is_wrong():
    with on(Signatures(3)) as (_, store):
        assert read(store, "c") == [("c", Failed(Trouble.UNKNOWN_OUTCOME, UNSIGNED))]
        assert write(store, "c") == [Failed(Trouble.BROKEN_SETUP, UNSIGNED)]
        assert store.values(["c"], 60) == ([], Failed(Trouble.BROKEN_SETUP, UNSIGNED))


def test_who_only_reads_learns_as_well_that_its_signature_is_wrong():
    with on(Signatures(2)) as (_, store):
        assert [store.values(["c"], 60) for _ in range(2)] == [
            ([], Failed(Trouble.UNKNOWN_OUTCOME, UNSIGNED)),
            ([], Failed(Trouble.BROKEN_SETUP, UNSIGNED)),
        ]


def test_an_answer_that_was_lost_in_between_shows_nothing_about_signatures():
    with on(one_by_one(Signatures(1), lambda *_: (200, b"\xff"), Signatures(1))) as (_, store):
        assert [store.values(["c"], 60) for _ in range(3)] == [
            ([], Failed(Trouble.UNKNOWN_OUTCOME, UNSIGNED)),
            ([], Failed(Trouble.UNKNOWN_OUTCOME, "UnicodeDecodeError")),
            ([], Failed(Trouble.BROKEN_SETUP, UNSIGNED)),
        ]


@pytest.mark.parametrize("between", [absent, lambda *_: refusal("ThrottlingException")])
def test_an_answer_in_between_shows_that_signatures_are_right(between):
    with on(one_by_one(Signatures(1), between, Signatures(1))) as (_, store):
        first = write(store, "c")
        write(store, "c")
        assert write(store, "c") == first == [Failed(Trouble.UNKNOWN_OUTCOME, UNSIGNED)]


@pytest.mark.parametrize(("idle_s", "connections"), [(MAX_IDLE_S, 1), (MAX_IDLE_S + 1, 2)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_connection_that_lay_idle_is_not_trusted(idle_s, connections, sign):
    wall_clock = Clock()
    with on(absent, wall_clock=wall_clock) as (endpoint, store):
        read(store, "c")
        wall_clock.now_s += sign * idle_s
        assert read(store, "c") == [("c", ABSENT)]
        assert endpoint.connections == connections


def test_a_connection_that_is_used_is_never_too_old():
    wall_clock = Clock()
    with on(absent, wall_clock=wall_clock) as (endpoint, store):
        for _ in range(3):
            assert read(store, "c") == [("c", ABSENT)]
            wall_clock.now_s += MAX_IDLE_S
        assert endpoint.connections == 1


def test_after_a_silent_round_connections_are_new():
    with on(one_by_one(absent, lambda *_: SILENCE, absent)) as (endpoint, store):
        read(store, "c")
        assert list(store.read(["c"], time.monotonic() + SOON_S)) == [("c", LATE)]
        store.renew()
        assert read(store, "c") == [("c", ABSENT)]
        assert endpoint.connections == 2
        assert store.usage.reads == 3  # also the one of which nobody knows


def test_values_renew_by_themselves():
    with on(one_by_one(absent, lambda *_: SILENCE, absent)) as (endpoint, store):
        told = [store.values(["c"], deadline_s)[1] for deadline_s in (60, SOON_S, 60)]
        assert told == [None, LATE, None]
        assert endpoint.connections == 2


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (boto.NoRegionError(), "NoRegionError: You must specify a region."),
        (ValueError("Invalid endpoint: what-nobody-may-see"), "ValueError"),
    ],
)
def test_without_a_client_nothing_can_succeed_and_nothing_is_kept(error, detail):
    failures = [error, error]

    def connect():
        if failures:
            raise failures.pop()
        return client(endpoint.url)

    with Endpoint(absent) as endpoint:
        store = DynamoStore("counters", connect=connect)
        assert read(store, "c") == [("c", Failed(Trouble.BROKEN_SETUP, detail))]
        assert store.values(["c"], LONG_S) == ([], Failed(Trouble.BROKEN_SETUP, detail))
        assert read(store, "c") == [("c", ABSENT)]
        store.close()


def test_what_it_takes_to_make_the_client_is_no_time_of_the_first_call():
    clock = Clock()

    def connect():
        clock.now_s += LONG_S  # as in a Lambda that starts with little memory
        return client(endpoint.url)

    def made():
        return endpoint.store(connect=connect, deadline_s=LONG_S / 2, clock=clock)

    with Endpoint(absent) as endpoint:
        with contextlib.closing(made()) as store:
            assert list(store.read(["c"], clock() + 3 * LONG_S)) == [("c", ABSENT)]
        with contextlib.closing(made()) as store:
            assert store.values(["c"], LONG_S / 2) == ([None], None)


def test_a_fork_has_threads_and_connections_of_its_own():
    clock, pids, told = Clock(), [1], []
    calls = Calls(Client, 1, clock, clock, getpid=lambda: pids[-1])

    def ask():
        assert calls.ready() is None
        told.append(calls.begin(lambda client: client).future.result(LONG_S))

    ask()
    ask()
    with calls._opened[-1].lock:  # which another thread of the parent held meanwhile
        pids.append(2)
        forked = threading.Thread(target=ask)
        forked.start()
        forked.join(LONG_S)
    ask()
    assert told[0] is told[1] is not told[2] is told[3]
    calls.close()
    with pytest.raises(StoreClosedError):
        calls.begin(lambda client: client)


def test_a_store_of_the_environment_reads_the_standard_variables(monkeypatch):
    with Endpoint(absent) as endpoint:
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(Path("/nowhere")))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint.url)
        with contextlib.closing(DynamoStore("counters")) as store:
            assert read(store, "c") == [("c", ABSENT)]
            kept = store._calls._opened[-1].client.meta.config.max_pool_connections
            # A thread without a connection that is kept would open one for each of its calls.
            assert kept == store._calls._most_threads == MAX_CALLS_IN_FLIGHT + MAX_READS_IN_FLIGHT


def test_nothing_is_sent_twice_by_itself():
    with on(lambda *_: (500, b"{}")) as (endpoint, store):
        assert write(store, "c")[0].trouble is Trouble.UNKNOWN_OUTCOME
        assert len(endpoint.asked) == 1


def test_a_closed_store_begins_nothing():
    with on(absent) as (_, store):
        read(store, "c")
        store.close()
        with pytest.raises(StoreClosedError):
            read(store, "c")
