"""Pipelines against a server that a test makes say whatever it likes."""

import contextlib
import hashlib
import threading
import time

import pytest

from tally.counters.ledger import Limits
from tally.environment import Valkey
from tally.stores.errors import StoreClosedError
from tally.stores.port import ABSENT, NOT_SENT, Copy, Failed, LostRace, Stored, Swap, Trouble
from tally.stores.valkey import troubles
from tally.stores.valkey.commands import SWAP
from tally.stores.valkey.pipelines import MAX_COMMANDS, MAX_PIPELINE_BYTES
from tally.stores.valkey.store import MAX_SILENT, UNSENT, ValkeyStore
from tally.stores.valkey.troubles import NO_ANSWER
from tests.support.clock import Clock
from tests.support.processes import wait_until
from tests.support.resp_peer import HOST, Peer, trickle
from tests.support.valkey import store_at

TIME_S = 20.0
SILENCE_S = 0.5
SLACK_S = 5.0  # what a busy machine may take for anything
NIL, ONE, OK = b"$-1\r\n", b":1\r\n", b"+OK\r\n"
ONE_VALUE = b"$1\r\n1\r\n"
NOTHING = b""
NAMES = [f"c{number}" for number in range(10)]
LATE = Failed(Trouble.UNKNOWN_OUTCOME, troubles.LATE)
GONE = Failed(Trouble.UNKNOWN_OUTCOME, "ConnectionAbortedError: the server closed the connection")


def bulk(value):
    return b"$%d\r\n%b\r\n" % (len(value), value)


def read(store, *counters, time_s=TIME_S):
    return [answer for _, answer in store.read(counters, time.monotonic() + time_s)]


def write(store, *swaps):
    return [answer for _, answer in store.write(swaps, time.monotonic() + TIME_S)]


@contextlib.contextmanager
def talking(answer, **options):
    """A server that answers so, and a store of it."""
    options = {"deadline_s": TIME_S} | options
    with Peer(answer) as peer:
        address = Valkey(HOST, peer.port, is_tls=False, username=options.pop("username", ""))
        with contextlib.closing(store_at(address, **options)) as store:
            yield peer, store


@pytest.mark.parametrize(
    "word", ["LOADING", "READONLY", "MASTERDOWN", "NOAUTH", "BUSY", "OOM", "WRONGTYPE"]
)
def test_an_error_in_the_middle_is_one_counters_and_the_next_round_is_right(word):
    errors = {b"c4": b"-%b for a moment\r\n" % word.encode()}

    def answer(_number, words):
        return errors.pop(words[1], bulk(words[1]))

    with talking(answer) as (peer, store):
        found = dict(zip(NAMES, read(store, *NAMES), strict=True))
        failed = found.pop("c4")
        assert failed.detail == f"{word} for a moment"
        assert found == {name: Copy(name.encode(), name.encode()) for name in found}
        assert read(store, *NAMES) == [Copy(name.encode(), name.encode()) for name in NAMES]
        is_left = word in {"LOADING", "READONLY", "MASTERDOWN", "NOAUTH"}
        assert peer.connections == 1 + is_left
        assert (store.usage.answered, store.usage.unanswered) == (20, 0)


@pytest.mark.parametrize(
    ("last", "failed", "is_silence"),
    [
        (NOTHING, LATE, True),
        (b"$5\r\nab", LATE, True),
        (trickle, LATE, True),
        (None, GONE, False),
        (b"HTTP/1.1 400 Bad Request\r\n", None, False),
    ],
    ids=["silence", "half an answer", "a trickle", "the end", "another protocol"],
)
def test_what_ends_a_pipeline_leaves_what_came_and_closes_the_connection(last, failed, is_silence):
    def answer(number, words):
        return last if (number, words[1]) == (1, b"c3") else bulk(words[1])

    failed = failed or Failed(Trouble.UNKNOWN_OUTCOME, "the server does not speak RESP")
    with talking(answer, deadline_s=SILENCE_S if is_silence else TIME_S) as (peer, store):
        names = NAMES[:4]
        began_at = time.monotonic()
        assert read(store, *names) == [*[Copy(n.encode(), n.encode()) for n in names[:3]], failed]
        if is_silence:
            assert SILENCE_S <= time.monotonic() - began_at < SILENCE_S + SLACK_S
        assert (store.usage.answered, store.usage.unanswered) == (3, int(is_silence))
        assert store.values(names, TIME_S) == ([name.encode() for name in names], None)
        assert peer.connections == 2


def test_who_was_answered_in_part_leaves_other_threads_their_connections():
    def answer(_number, words):
        if words[1] == b"meanwhile":
            store.values(["another thread's"], TIME_S)
        return NOTHING if words[1] == b"late" else ONE_VALUE

    with talking(answer) as (peer, store):
        store.values(["meanwhile"], TIME_S)
        assert peer.connections == 2
        assert store.values(["c", "late"], SILENCE_S) == ([b"1"], LATE)
        assert store.values(["c"], TIME_S) == ([b"1"], None)
        assert peer.connections == 2


def test_no_deadline_reaches_past_the_end_of_the_round():
    with talking(lambda _number, _words: NOTHING) as (_, store):
        began_at = time.monotonic()
        assert read(store, "c", time_s=SILENCE_S) == [LATE]
        assert time.monotonic() - began_at < SILENCE_S + SLACK_S
        assert read(store, "c", time_s=0.0) == [NOT_SENT]


def test_after_two_silent_pipelines_the_rest_of_a_round_is_not_sent():
    names = [f"c{number}" for number in range(MAX_COMMANDS * (MAX_SILENT + 1) + 1)]
    with talking(lambda _number, _words: NOTHING, deadline_s=SILENCE_S) as (peer, store):
        asked = MAX_COMMANDS * MAX_SILENT
        assert read(store, *names) == [LATE] * asked + [UNSENT] * (MAX_COMMANDS + 1)
        assert (store.usage.operations, store.usage.unanswered) == (asked, asked)
        assert peer.connections == MAX_SILENT


def test_an_answer_between_two_silent_pipelines_does_not_send_the_rest_of_a_round():
    clock = Clock()
    names = [f"c{number}" for number in range(4 * MAX_COMMANDS)]
    late = [name.encode() for name in names[::MAX_COMMANDS][::2]]  # each begins a pipeline
    silent = {*names[:MAX_COMMANDS], *names[2 * MAX_COMMANDS : 3 * MAX_COMMANDS]}

    def answer(_number, words):
        if words[1] in late:
            clock.now_s += TIME_S
            return b"$1\r\n"  # and the rest of it never comes
        return NOTHING if words[1].decode() in silent else ONE_VALUE

    with talking(answer, clock=clock) as (_, store):
        told = [told for _, told in store.read(names, clock() + 9 * TIME_S)]
    assert told == [
        *[LATE] * MAX_COMMANDS,
        *[Copy(b"1", b"1")] * MAX_COMMANDS,
        *[LATE] * MAX_COMMANDS,
        *[UNSENT] * MAX_COMMANDS,
    ]


def test_an_answer_too_many_makes_all_of_them_doubtful():
    def answer(number, words):
        return bulk(words[1]) + (NIL if (number, words[1]) == (1, b"c9") else NOTHING)

    with talking(answer) as (_, store):
        text = "the server gave more answers than it was asked for"
        assert read(store, *NAMES) == [Failed(Trouble.UNKNOWN_OUTCOME, text)] * 10
        assert read(store, "c9") == [Copy(b"c9", b"c9")]


def test_what_comes_after_the_last_answer_is_not_the_next_ones():
    with talking(lambda _number, words: bulk(words[1])) as (peer, store):
        assert read(store, "a") == [Copy(b"a", b"a")]
        peer.push(NIL)
        [kept] = store._pipelines._pool._kept
        assert wait_until(lambda: not kept.connection.is_quiet())
        assert read(store, "b") == [Copy(b"b", b"b")]
        assert peer.connections == 2


@pytest.mark.parametrize("nonsense", [b"*1\r\n:1\r\n", b":2\r\n", b"*-1\r\n*0\r\n"[5:]])
def test_what_answers_another_command_is_no_answer(nonsense):
    with talking(lambda number, _words: nonsense if number == 1 else ONE) as (peer, store):
        assert read(store, "c") == [NO_ANSWER]
        assert write(store, Swap("c", ABSENT, b"1")) == [Stored(b"1")]
        assert peer.connections == 2


def test_the_string_1_is_what_the_winner_stored():
    with talking(lambda _number, _words: bulk(b"1")) as (_, store):
        assert write(store, Swap("c", ABSENT, b"2")) == [LostRace(Copy(b"1", b"1"))]


def test_a_script_that_stays_unknown_leaves_the_outcome_unknown():
    unknown = b"-NOSCRIPT No matching script.\r\n"
    with talking(lambda _number, _words: unknown) as (peer, store):
        failed = Failed(Trouble.UNKNOWN_OUTCOME, "NOSCRIPT No matching script.")
        assert write(store, Swap("c", ABSENT, b"1")) == [failed]
        assert [words[0] for words in peer.commands] == [b"EVALSHA", b"EVAL"]


def test_the_repeat_of_a_script_has_what_its_pipeline_left_of_the_time():
    def answer(_number, words):
        return b"-NOSCRIPT\r\n" if words[0] == b"EVALSHA" else NOTHING

    with talking(answer, deadline_s=SILENCE_S) as (_, store):
        began_at = time.monotonic()
        assert write(store, Swap("c", ABSENT, b"1")) == [LATE]
        assert time.monotonic() - began_at < SILENCE_S + SLACK_S


def test_only_swaps_whose_script_was_unknown_are_sent_again():
    def answer(_number, words):
        return b"-NOSCRIPT\r\n" if words[0] == b"EVALSHA" and words[3] in {b"b", b"d"} else ONE

    with talking(answer) as (peer, store):
        swaps = [Swap(name, ABSENT, name.encode()) for name in "abcd"]
        assert write(store, *swaps) == [Stored(name.encode()) for name in "abcd"]
        sent = [(words[0], words[3]) for words in peer.commands]
        assert sent == [
            *[(b"EVALSHA", name.encode()) for name in "abcd"],
            *[(b"EVAL", b"b"), (b"EVAL", b"d")],
        ]


def test_a_swap_is_a_script_with_what_was_seen_and_what_is_to_be():
    with talking(lambda _number, _words: ONE, ttl_s=90) as (peer, store):
        swaps = [Swap("c", ABSENT, b"1"), Swap("c", Copy(b"", b""), b"1")]
        assert write(store, *swaps) == [Stored(b"1")] * 2
        script = [b"EVALSHA", hashlib.sha1(SWAP).hexdigest().encode(), b"1"]  # noqa: S324 (its name)
        assert peer.commands == [
            [*script, b"c", b"1", b"90000"],
            [*script, b"c", b"1", b"90000", b""],
        ]
        assert store.limits("c") == Limits()


@pytest.mark.parametrize(("ttl_s", "ttl_ms"), [(None, b"2592000000"), (7, b"7000")])
def test_a_counter_lives_thirty_days_or_what_is_said(ttl_s, ttl_ms):
    with talking(lambda *_: ONE, ttl_s=ttl_s) as (peer, store):
        write(store, Swap("c", ABSENT, b"1"))
        assert peer.commands[0][-1] == ttl_ms


def test_a_pipeline_ends_at_its_bytes():
    told = []

    def swaps():
        for number in range(4):
            told.append(len(peer.commands))
            yield Swap(f"c{number}", ABSENT, b"x" * (MAX_PIPELINE_BYTES // 2))

    with talking(lambda _number, _words: ONE) as (peer, store):
        assert len(write(store, *[])) == 0
        assert [type(answer) for _, answer in store.write(swaps(), time.monotonic() + TIME_S)] == [
            Stored
        ] * 4
    assert told == [0, 0, 2, 2]


def test_the_password_goes_first_in_the_same_packet_and_once_a_connection():
    with talking(lambda _number, words: OK if words[0] == b"AUTH" else NIL, password="pass") as (  # noqa: S106 (good for nothing)
        peer,
        store,
    ):
        assert read(store, "a", "b") == [ABSENT, ABSENT]
        assert read(store, "a") == [ABSENT]
        assert peer.commands == [
            *[[b"AUTH", b"pass"], [b"GET", b"a"], [b"GET", b"b"]],
            [b"GET", b"a"],
        ]


def test_no_command_waits_for_the_answer_to_the_password():
    def answer(_number, words):
        return NOTHING if words[0] == b"AUTH" else OK + NIL

    with talking(answer, password="pass", deadline_s=SLACK_S) as (_, store):  # noqa: S106 (good for nothing)
        assert read(store, "a") == [ABSENT]


def test_who_is_not_taken_hears_it_for_each_command_and_is_believed_in_none():
    def answer(_number, words):
        return b"-WRONGPASS no pass here\r\n" if words[0] == b"AUTH" else ONE

    with talking(answer, password="pass", username="tally") as (peer, store):  # noqa: S106 (good for nothing)
        failed = Failed(Trouble.BROKEN_SETUP, "WRONGPASS no … here")
        swaps = [Swap(name, ABSENT, b"1") for name in "ab"]
        assert write(store, *swaps) == [failed, failed]
        assert store.values(["a"], TIME_S) == ([], failed)
        assert store.usage.answered == 2
        assert peer.commands[0] == [b"AUTH", b"tally", b"pass"]
        assert peer.connections == 2


def test_who_leaves_a_round_early_leaves_no_answer_behind():
    with talking(lambda _number, words: bulk(words[1])) as (peer, store):
        reading = store.read(NAMES, time.monotonic() + TIME_S)
        assert next(reading) == ("c0", Copy(b"c0", b"c0"))
        reading.close()
        assert read(store, "d") == [Copy(b"d", b"d")]
        assert peer.connections == 1


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, at a place that a test can tell."""


def test_an_interrupt_in_a_pipeline_closes_its_connection():
    is_due = threading.Event()

    def answer(number, words):
        if number == 1:
            is_due.set()
            return b"$1\r\n"  # and the rest of it never comes
        return bulk(words[1])

    def clock():
        if is_due.is_set():
            is_due.clear()
            raise Interrupted
        return time.monotonic()

    with talking(answer, clock=clock) as (peer, store):
        with pytest.raises(Interrupted):
            read(store, "a")
        assert read(store, "b") == [Copy(b"b", b"b")]
        assert peer.connections == 2


def test_a_closed_store_answers_nothing_and_closes_what_is_given_back():
    stores: list[ValkeyStore] = []

    def answer(_number, _words):
        stores[0].close()
        return NIL

    with talking(answer) as (peer, store):
        stores.append(store)
        assert read(store, "c") == [ABSENT]
        assert store._pipelines._pool._kept == []
        for ask in (lambda: store.values(["c"], TIME_S), lambda: read(store, "c")):
            with pytest.raises(StoreClosedError):
                ask()
        assert peer.connections == 1
