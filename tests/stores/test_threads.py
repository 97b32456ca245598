"""Threads for calls: how many, what they answer, and that nothing waits for them in vain."""

import gc
import subprocess
import sys
import threading

import pytest

from tally.stores.threads import Threads
from tests.support.processes import wait_until

LONG_S = 60.0


@pytest.fixture
def threads():
    threads = Threads(2, "of-a-test")
    yield threads
    threads.leave()


def test_a_call_answers_or_raises_where_its_answer_is_taken(threads):
    assert threads.submit(divmod, 7, 2).result(LONG_S) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 7, 0).result(LONG_S)
    assert threads.submit(divmod, 7, 2).result(LONG_S) == (3, 1)


def test_no_more_threads_are_begun_than_are_allowed_and_none_for_which_there_is_no_call(threads):
    may_end = threading.Event()
    first = threads.submit(threading.get_ident).result(LONG_S)
    assert wait_until(lambda: threads._line._idle == 1)
    assert threads.submit(threading.get_ident).result(LONG_S) == first
    held = [threads.submit(may_end.wait, LONG_S) for _ in range(2)]
    assert wait_until(lambda: all(future.running() for future in held))
    waiting = [threads.submit(threading.get_ident) for _ in range(3)]
    assert not any(future.running() for future in waiting)
    may_end.set()
    assert len({first, *(future.result(LONG_S) for future in waiting)}) <= 2


def test_what_has_not_begun_is_cancelled_and_what_has_ends_in_its_own_time(threads):
    may_end = threading.Event()
    held = [threads.submit(may_end.wait, LONG_S) for _ in range(2)]
    assert wait_until(lambda: all(future.running() for future in held))
    waiting, given_up = threads.submit(id, 1), threads.submit(id, 1)
    assert given_up.cancel()
    threads.leave()
    assert waiting.cancelled()
    assert threads.submit(id, 1).cancelled()
    may_end.set()
    assert [future.result(LONG_S) for future in held] == [True, True]


def test_a_call_that_is_given_up_before_its_turn_is_not_made(threads):
    may_end = threading.Event()
    made: list[str] = []
    held = [threads.submit(may_end.wait, LONG_S) for _ in range(2)]
    assert wait_until(lambda: all(future.running() for future in held))
    assert threads.submit(made.append, "given up").cancel()
    may_end.set()
    threads.submit(made.append, "made").result(LONG_S)
    assert made == ["made"]


def test_who_forgets_to_leave_leaves_no_thread_behind():
    threads = Threads(1, "of-a-test-that-forgets")
    [thread] = [threads.submit(threading.current_thread).result(LONG_S)]
    del threads
    gc.collect()
    thread.join(LONG_S)
    assert not thread.is_alive()


def test_a_program_ends_though_a_call_never_does():
    hangs = "import threading; from tally.stores.threads import Threads; "
    hangs += "Threads(1, 'hangs').submit(threading.Event().wait); print('over')"
    command = [sys.executable, "-P", "-c", hangs]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S, check=True)  # noqa: S603 (our own words)
    assert (ended.stdout, ended.stderr) == ("over\n", "")
