"""The time is looked at once the lock is held: who waited for it would judge by an old one."""

from typing import Any

import pytest

from tally.stores.dynamodb.calls import Calls
from tally.stores.mirroring import Mirroring
from tally.stores.momento.channel import Channel
from tally.stores.secret import Key
from tests.support.mirrors import FakeMirror
from tests.support.momento_channel import ReadChannel

WAIT_S = 60.0


class Guarded:
    """A clock that stands, and notes whether the lock was held as it was looked at."""

    def __init__(self):
        self.is_held: Any = None
        self.noted = []

    def __call__(self):
        self.noted.append(self.is_held())
        return 1_000.0


class Closing:
    """A client, as far as it is closed."""

    def close(self):
        """Do so."""


def of_a_channel(clock):
    open_channel: Any = ReadChannel
    channel: Any = Channel(open_channel, clock)
    clock.is_held = channel._lock._is_owned
    with channel.calling():
        pass
    channel.close()


def of_a_key(clock):
    key = Key("old", lambda: "new", clock)
    clock.is_held = key._lock.locked
    assert key.renewed("old", may_ask=True)


def of_calls(clock):
    calls = Calls(Closing, 1, lambda: 0.0, clock)
    opened: Any = calls._opened[-1]
    clock.is_held = opened.lock._is_owned
    assert calls.ready() is None
    assert calls.begin(lambda _client: 7).future.result(WAIT_S) == 7
    calls.close()


def of_copies(clock):
    mirroring: Any = Mirroring(FakeMirror(), wall_clock=clock, wait_s=WAIT_S)
    clock.is_held = mirroring._changed._is_owned
    mirroring.begin("c", b"1", 1_000.0)
    assert mirroring.finish(WAIT_S) == 0
    mirroring.close()


@pytest.mark.parametrize("use", [of_a_channel, of_a_key, of_calls, of_copies])
def test_no_time_is_older_than_the_lock_that_it_is_compared_under(use):
    clock = Guarded()
    use(clock)
    assert set(clock.noted) == {True}
