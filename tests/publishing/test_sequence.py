"""Identities: never one twice, whatever threads, forks and snapshots do."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tally.publishing.process import PerProcess
from tally.publishing.sequence import (
    MAX_COUNTERS_PER_SOURCE,
    RESTORE_HOOKS_MODULE,
    SOURCE_BYTES,
    Identity,
    Sequence,
    now_ms,
    process_sequence,
    renew_after_restore,
)
from tests.support.sqs import NOW_MS, sequence

FIRST, SECOND = "0000000000000001", "0000000000000002"
ROOT = Path(__file__).parents[2]


def test_each_counter_is_counted_from_nought_in_one_source():
    one = sequence()
    assert [one.next(counter) for counter in ("a", "a", "b", "a")] == [
        Identity(FIRST, 0, NOW_MS),
        Identity(FIRST, 1, NOW_MS),
        Identity(FIRST, 0, NOW_MS),
        Identity(FIRST, 2, NOW_MS),
    ]


def test_the_source_is_64_bits_of_the_operating_system_drawn_at_first_use():
    bits = iter([bytes(range(SOURCE_BYTES))])
    one = Sequence(entropy=lambda size: next(bits)[:size])
    assert one.next("a").source == "0001020304050607"
    assert list(bits) == []
    assert Sequence()._sessions._by_pid == {}


def test_two_sequences_are_two_sources():
    assert Sequence().next("a").source != Sequence().next("a").source


def test_the_time_is_in_ms_since_the_epoch():
    assert 1_700_000_000_000 < now_ms() < 5_000_000_000_000


def test_a_renewed_sequence_counts_anew_in_a_new_source():
    one = sequence()
    one.next("a")
    one.renew()
    assert one.next("a") == Identity(SECOND, 0, NOW_MS)


def test_a_full_source_is_left_for_a_new_one_and_no_counter_is_forgotten_in_it():
    one = sequence()
    for number in range(MAX_COUNTERS_PER_SOURCE):
        one.next(f"c{number}")
    assert one.next("c0") == Identity(FIRST, 1, NOW_MS)
    assert one.next("one more") == Identity(SECOND, 0, NOW_MS)
    assert one.next("c0") == Identity(SECOND, 0, NOW_MS)


def test_who_leaves_a_full_source_counts_in_the_shard_of_the_new_one():
    one = sequence()
    for number in range(MAX_COUNTERS_PER_SOURCE):
        one.next(f"c{number}")
    # hot#2 is that of the second source; the first one's would have been hot#1.
    assert [one.next("hot", 4), one.next("hot", 4), one.next("hot#2")] == [
        Identity(SECOND, 0, NOW_MS),
        Identity(SECOND, 1, NOW_MS),
        Identity(SECOND, 2, NOW_MS),
    ]


def test_a_process_with_another_id_draws_its_own_source():
    pids = iter((7,) * 4 + (8,) * 4)
    sources = iter((b"parent..", b"child..."))
    one = Sequence(
        clock_ms=lambda: NOW_MS, entropy=lambda _: next(sources), getpid=lambda: next(pids)
    )
    parent, child = b"parent..".hex(), b"child...".hex()
    assert [one.next("a")[:2] for _ in range(4)] == [
        (parent, 0),
        (parent, 1),
        (child, 0),
        (child, 1),
    ]


def test_a_fork_in_the_midst_gives_the_child_an_identity_of_its_own():
    pids = iter((7, 8, 8, 8))
    sources = iter((b"parent..", b"child..."))
    one = Sequence(entropy=lambda _: next(sources), getpid=lambda: next(pids))
    assert one.next("a")[:2] == (b"child...".hex(), 0)


def test_who_is_given_a_number_while_the_source_is_renewed_has_it_of_the_old_one():
    pids = []

    def getpid():
        pids.append(1)
        if len(pids) == 2:  # the number is taken
            one.renew()
        return 1

    sources = iter((b"before..", b"after..."))
    one = Sequence(entropy=lambda _: next(sources), getpid=getpid)
    before, after = b"before..".hex(), b"after...".hex()
    assert [one.next("a")[:2] for _ in range(2)] == [(before, 0), (after, 0)]


def test_a_process_keeps_nothing_of_its_ancestors():
    pids = iter((7, 8, 7))
    numbers = count()
    state = PerProcess(lambda: next(numbers), getpid=lambda: next(pids))
    assert [state.get(), state.get(), state.get()] == [0, 1, 2]


class Overtaken(str):
    """A counter's name; in the midst of one of its look-ups something else happens first."""

    __slots__ = ("happens", "looks")
    looks: Any
    happens: Any

    def __new__(cls, name, look, happens):
        made = super().__new__(cls, name)
        made.looks, made.happens = count(1), {look: happens}
        return made

    def __hash__(self):
        self.happens.pop(next(self.looks), int)()
        return super().__hash__()


@pytest.mark.parametrize(
    ("is_known", "look"), [(False, 1), (False, 2), (False, 3), (True, 1), (True, 2)]
)
def test_a_thread_that_is_overtaken_at_any_look_up_gets_an_identity_of_its_own(is_known, look):
    one = Sequence()
    drawn = [one.next("a")] if is_known else []
    with ThreadPoolExecutor(1) as pool:

        def overtake():
            drawn.extend(pool.submit(one.next, "a").result(10) for _ in range(2))

        name = Overtaken("a", look, overtake)
        drawn.append(one.next(name))
    assert not name.happens
    drawn.append(one.next("a"))
    assert sorted(identity.seq for identity in drawn) == list(range(len(drawn)))


def test_threads_never_get_the_same_identity():
    one = Sequence()
    drawn: list[list[Identity]] = [[] for _ in range(8)]
    threads = [
        threading.Thread(
            target=lambda mine: mine.extend(one.next("a") for _ in range(500)), args=(m,)
        )
        for m in drawn
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(identity.seq for mine in drawn for identity in mine) == list(range(4_000))
    assert len({identity.source for mine in drawn for identity in mine}) == 1


def test_forks_never_get_the_same_identity_nor_hang_on_a_lock_of_their_parent():
    script = ROOT / "tests" / "publishing" / "forking.py"
    done = subprocess.run(  # noqa: S603 # our own script
        [sys.executable, "-W", "ignore::DeprecationWarning", script],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    names = done.stdout.split()
    assert len(names) == len(set(names)) == 4 * 5
    assert len({name.partition(":")[0] for name in names}) == 4


def test_a_restored_snapshot_draws_a_new_source_by_the_hook_of_the_runtime():
    hooks: list[Any] = []
    runtime = {RESTORE_HOOKS_MODULE: SimpleNamespace(register_after_restore=hooks.append)}
    one = sequence()
    renew_after_restore(one, load=runtime.__getitem__)
    one.next("a")
    [restored] = hooks
    restored()
    assert one.next("a") == Identity(SECOND, 0, NOW_MS)


def test_all_publishers_of_a_process_share_one_sequence():
    assert process_sequence() is process_sequence()
