"""The file of what was not sent: each thread's increments whole, in the order of their telling."""

import threading

from tally.cli.unsent import UnsentFile
from tally.counters.event import Increment
from tests.support.sending import WAIT_S

UNTIL_IT_WAITS_S = 0.1


class Slow(tuple[Increment, ...]):
    """Increments whose writing takes until it is told to go on."""

    __slots__ = ()
    is_begun, may_go_on = threading.Event(), threading.Event()

    def __iter__(self):
        self.is_begun.set()
        assert self.may_go_on.wait(WAIT_S)
        return super().__iter__()


def test_the_next_unsent_wait_for_those_that_are_being_written(tmp_path):
    path = tmp_path / "unsent.jsonl"
    file = UnsentFile(path)
    slow = threading.Thread(target=file.keep, args=(Slow([Increment(counter="first")]),))
    slow.start()
    assert Slow.is_begun.wait(WAIT_S)
    after = threading.Thread(target=file.keep, args=([Increment(counter="second")],))
    after.start()
    after.join(UNTIL_IT_WAITS_S)
    Slow.may_go_on.set()
    for thread in (slow, after):
        thread.join(WAIT_S)
    assert path.read_bytes() == b'{"counter":"first"}\n{"counter":"second"}\n'
    assert file.kept == 2
