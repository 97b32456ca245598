"""Calls that are sent ahead of the awaited answer: their number, their end, their failures."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

from tally.stores.dynamodb.calls import Call, Calls
from tally.stores.dynamodb.troubles import LATE, UNSENT, UNSIGNED, code_of, failed
from tally.stores.port import NOT_SENT, Failed, Trouble, Usage

Item = TypeVar("Item")

Ask = Callable[[Any], Any]
"""A call with the client, made in a thread; its result is a Put or a Batch."""


class Sent(NamedTuple, Generic[Item]):
    """The call for an item.

    Attributes:
        item: the item.
        call: on its way; or why there is none.
        ends_at: the clock's time by which the answer must have come.
        number: of the call, by the order in which they began.
    """

    item: Item
    call: Call | Failed
    ends_at: float
    number: int = 0


class Flights:
    """Sends calls, and takes their answers.

    Args:
        calls: begins them.
        usage: counts what was answered.
        clock: monotonic, in seconds.
        deadline_s: how long one call may take, in seconds.
    """

    def __init__(
        self, calls: Calls, usage: Usage, clock: Callable[[], float], deadline_s: float
    ) -> None:
        self._calls = calls
        self._usage = usage
        self._clock = clock
        self._deadline_s = deadline_s
        self._begun = 0
        self._unsigned_at: int | None = None

    def all(
        self,
        items: Iterable[Item],
        asking: Callable[[Item, float], Ask],
        most: int,
        ends_at: float,
    ) -> Iterator[tuple[Item, Any]]:
        """Ask for items, and yield the answers in their order.

        If a call has no answer in time, and no later call has one yet, the rest is not sent: it
        would only wait as well.

        Args:
            items: each is taken when there is room to send it.
            asking: makes the call for an item, to be done by the clock's time given.
            most: calls on their way at once.
            ends_at: the clock's time by which no call may be on its way any more.
        """
        waiting: deque[Sent[Item]] = deque()
        is_silent = False
        try:
            for item in items:
                if len(waiting) == most:
                    item_before, answer = self._heard(waiting.popleft())
                    is_silent = _is_silence(answer) and not any(map(_has_come, waiting))
                    yield item_before, answer
                waiting.append(self._sent(item, asking, ends_at, is_silent=is_silent))
            while waiting:
                yield self._heard(waiting.popleft())
        finally:
            for sent in waiting:
                if isinstance(sent.call, Call):
                    sent.call.future.cancel()

    def one(self, item: Item, asking: Callable[[Item, float], Ask], deadline_s: float) -> Any:  # noqa: ANN401 (what the call gives)
        """Ask for one item; without an answer in time, its connection is not used again."""
        if failure := self._calls.ready():
            return failure
        ends_at = self._clock() + deadline_s
        self._begun += 1
        call = self._calls.begin(asking(item, ends_at))
        _, answer = self._heard(Sent(item, call, ends_at, self._begun))
        if _is_silence(answer):
            self._calls.renew()
        return answer

    def _sent(
        self, item: Item, asking: Callable[[Item, float], Ask], ends_at: float, *, is_silent: bool
    ) -> Sent[Item]:
        failure = self._calls.ready()  # in a cold Lambda it takes longer than a call may
        now = self._clock()
        if now >= ends_at:
            return Sent(item, NOT_SENT, ends_at)
        if failure or is_silent:
            return Sent(item, failure or UNSENT, ends_at)
        self._begun += 1
        call_ends_at = min(ends_at, now + self._deadline_s)
        call = self._calls.begin(asking(item, call_ends_at))
        return Sent(item, call, call_ends_at, self._begun)

    def _heard(self, sent: Sent[Item]) -> tuple[Item, Any]:
        """What came of a call; its error as a Failed."""
        if isinstance(sent.call, Failed):
            return sent.item, sent.call
        answer = self._calls.answer(sent.call, sent.ends_at)
        if answer is None:
            self._usage.unanswered += 1
            return sent.item, LATE
        if _is_silence(answer):
            self._usage.unanswered += 1
            return sent.item, answer
        self._usage.answered += 1
        if answer.error is None:
            self._unsigned_at = None
            return sent.item, answer
        return sent.item, answer._replace(error=self._failed(answer.error, sent.number))

    def _failed(self, error: Exception | Failed, number: int) -> Failed:
        """What an error means.

        A refused signature may be old because of a freeze, like those of all calls on their way
        then. If a call that began afterwards is refused as well, its signature is wrong.
        """
        if isinstance(error, Failed):
            return error
        code, failure = code_of(error), failed(error)
        if code in UNSIGNED:
            if self._unsigned_at is not None and number > self._unsigned_at:
                return failure._replace(trouble=Trouble.BROKEN_SETUP)
            self._unsigned_at = self._unsigned_at or self._begun
        elif code:  # whatever it was refused for, its signature was taken
            self._unsigned_at = None
        return failure


def _is_silence(answer: Any) -> bool:  # noqa: ANN401 (what a call gives)
    """Whether an answer, or a part of it, did not come in time, or nobody waited for it."""
    if isinstance(answer, Failed):
        return answer is LATE or answer is UNSENT
    return answer.error is LATE


def _has_come(sent: Sent[Item]) -> bool:
    """Whether the call has an answer.

    A cancelled future is done too, and so is a call that botocore gave up; neither has one.
    """
    if not isinstance(sent.call, Call):
        return False
    future = sent.call.future
    return future.done() and not future.cancelled() and not _is_silence(future.result())
