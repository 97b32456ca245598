"""A signal at every moment of a publisher's calls: its handler raises, or calls the publisher."""

import sys
from pathlib import Path
from typing import Any

import botocore.exceptions as boto
import pytest

import tally.publishing
from tally.counters.identity import identity_of
from tally.publishing.errors import PublisherClosedError, UnsentError, WaitsForItselfError
from tally.publishing.sending import Pacer
from tests.support.sqs import (
    QUEUE_URL,
    FakeSqs,
    client_error,
    failing,
    lost_after,
    lost_before,
    publisher,
)

CODE = str(Path(tally.publishing.__file__).parent)
DENIED = lost_before(client_error("AccessDenied", 403))
SCRIPTS = {
    "stored": [],
    "denied": [DENIED, DENIED],
    "half": [failing(0, "RequestThrottled")],
    "answer lost": [lost_after(boto.ReadTimeoutError(endpoint_url=QUEUE_URL))],
}
CALLS = {
    "flush and close": ["publish", "publish", "flush", "publish", "close"],
    "abandon": ["publish", "publish", "publish", "abandon", "close"],
}
PUBLIC = (PublisherClosedError, UnsentError, WaitsForItselfError)


class SignalError(Exception):
    """Comes out of a signal."""


class Moment:
    """A signal at one of the moments where Python hears them in this thread's publishing.

    That is as a function of Python begins, or when one of C has returned; jumps back are not seen.

    Args:
        chosen: the moment; the first is 0.
        handler: what is called there.
    """

    def __init__(self, chosen, handler):
        self.seen = 0
        self._chosen = chosen
        self._handler = handler

    def __enter__(self):
        sys.setprofile(self._pass)

    def __exit__(self, *_error):
        sys.setprofile(None)

    def _pass(self, frame, event, _argument):
        if event in {"call", "c_return"} and frame.f_code.co_filename.startswith(CODE):
            self.seen += 1
            if self.seen - 1 == self._chosen:
                self._handler()


class Books:
    """A publisher, what its calls returned, and what they raised."""

    def __init__(self, script, *, has_thread):
        self.sqs = FakeSqs(*script)
        self.publisher = publisher(self.sqs, pacer=Pacer(sleep=lambda _s: None))
        self.returned: list[Any] = []
        self.raised: list[BaseException] = []
        if not has_thread:
            self.publisher._outboxes.get()._launch = _no_thread

    def call(self, name):
        try:
            if name == "publish":
                self.returned.append(self.publisher.publish("a"))
            elif name == "raise":
                raise SignalError
            else:
                getattr(self.publisher, name)()
        except PUBLIC as error:
            self.raised.append(error)

    def run(self, calls, moment):
        for name in calls:
            try:
                with moment:
                    self.call(name)
            except SignalError as error:
                self.raised.append(error)

    def check(self, *, unknown):
        """All that was published is stored or was handed over, once."""
        self.call("close")
        stats = self.publisher.stats
        handed_over = [identity_of(each) for each in self.handed_over]
        found = {event.identity for event in self.sqs.events} | set(handed_over)
        returned = {identity_of(each) for each in self.returned}
        assert len(returned) == len(self.returned)
        assert len(handed_over) == len(set(handed_over))
        assert returned <= found
        assert len(found - returned) <= unknown
        assert stats.published == stats.confirmed + stats.unsent == len(found)

    @property
    def handed_over(self):
        """The increments of each UnsentError, also of those beneath another exception."""
        found = {}
        for raised in self.raised:
            error: BaseException | None = raised
            while error is not None:
                if isinstance(error, UnsentError):
                    found[id(error)] = error.increments
                error = error.__context__
        return [each for increments in found.values() for each in increments]


def _no_thread(_start, _arguments):
    message = "can't start new thread"
    raise RuntimeError(message)


def run_all(script, calls, handles, *, has_thread):
    chosen, seen = 0, 1
    while chosen < seen:
        books = Books(script, has_thread=has_thread)
        moment = Moment(chosen, lambda books=books: books.call(handles))
        books.run(calls, moment)
        books.check(unknown=1 if handles == "raise" else 0)
        chosen, seen = chosen + 1, moment.seen
    return seen


@pytest.mark.parametrize("has_thread", [True, False])
@pytest.mark.parametrize("calls", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_an_exception_at_any_moment_loses_nothing_and_tells_nothing_twice(
    script, calls, has_thread
):
    assert run_all(script, calls, "raise", has_thread=has_thread) > 100


@pytest.mark.parametrize("has_thread", [True, False])
@pytest.mark.parametrize("handles", ["publish", "flush", "close", "abandon"])
@pytest.mark.parametrize("calls", CALLS.values(), ids=CALLS)
def test_a_call_of_a_signal_handler_at_any_moment_neither_waits_nor_loses(
    calls, handles, has_thread
):
    assert run_all([DENIED], calls, handles, has_thread=has_thread) > 100
