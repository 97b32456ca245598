"""Waits for an outcome: looks, pauses, and looks again, for as long as it was told to."""

from collections.abc import Callable
from typing import NamedTuple

from tally.counters.errors import check_number
from tally.counters.outcome import Outcome
from tally.reading.errors import PASSING, ReadError

POLL_S = 0.1
"""The longest first pause: by then a batch that was on its way is decided."""

MAX_POLL_S = 2.0
"""The pauses double up to this one."""

QUIET_WAIT_S = 20.0
"""With a batching window and very little traffic Lambda may wait so long before it invokes, however
short the window is (Lambda, "Configuring scaling behavior for SQS event source mappings")."""

WAIT_S = QUIET_WAIT_S + 10.0
"""The default wait: QUIET_WAIT_S, and time for some batches. A deployment with a batching window
longer than QUIET_WAIT_S needs a longer wait."""

MAX_WAIT_S = 900.0
"""The longest wait allowed: no Lambda function runs longer."""

MIN_POLL_S = 0.001
"""The shortest `poll_s`."""

MIN_CALL_S = 0.1
"""The last look may always take so long, in seconds."""

Look = Callable[[float], Outcome]
"""One look; it is told how many seconds it may take."""


class Pace(NamedTuple):
    """Time and chance: a monotonic clock and a sleep, in seconds, and a draw between two numbers.

    The draw keeps apart the looks of callers that wait for increments of the same batch.
    """

    clock: Callable[[], float]
    sleep: Callable[[float], object]
    uniform: Callable[[float, float], float]


def wait(look: Look, pace: Pace, timeout_s: float, poll_s: float) -> Outcome:
    """Look until the outcome is final or the time is up; return what the last good look saw.

    The last look may take MIN_CALL_S longer than `timeout_s`.

    Raises:
        ReadError: no look succeeded, or one failed in a way that repeating does not cure.
        ArgumentError: `timeout_s` or `poll_s` is out of its range.
    """
    check_number("timeout_s", timeout_s, 0.0, MAX_WAIT_S)
    check_number("poll_s", poll_s, MIN_POLL_S, MAX_POLL_S)
    ends_at = pace.clock() + timeout_s
    answer = _glimpse(look, timeout_s)
    while not _is_final(answer) and (left_s := ends_at - pace.clock()) > 0:
        pace.sleep(min(left_s, pace.uniform(poll_s / 2, poll_s)))
        poll_s = min(2 * poll_s, MAX_POLL_S)
        seen = _glimpse(look, ends_at - pace.clock())
        if isinstance(seen, Outcome) or isinstance(answer, ReadError):
            answer = seen
    if isinstance(answer, ReadError):
        raise answer
    return answer


def _glimpse(look: Look, left_s: float) -> Outcome | ReadError:
    """One look; if a later look may cure its failure, the error is returned."""
    try:
        return look(max(left_s, MIN_CALL_S))
    except ReadError as error:
        if error.trouble not in PASSING:
            raise
        return error


def _is_final(answer: Outcome | ReadError) -> bool:
    return isinstance(answer, Outcome) and answer is not Outcome.PENDING
