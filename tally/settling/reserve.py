"""What of an invocation's time is for settling, and what is kept for its end."""

RESERVE_S = 1.0
"""Time kept for the response and the log: a function that times out returns its whole batch."""

RESERVE_PER_MESSAGE_S = 0.000_2
"""And for each message of the batch, since each may have to be logged and named in the answer."""

MAX_RESERVED_SHARE = 0.5
"""What may be kept of a short function's time."""


def usable_s(remaining_s: float, messages: int) -> float:
    """The seconds in which a batch of so many messages may be settled, of those that remain."""
    reserve_s = RESERVE_S + messages * RESERVE_PER_MESSAGE_S
    return remaining_s - min(reserve_s, remaining_s * MAX_RESERVED_SHARE)
