"""Why events are not settled, and how loudly the log says so."""

import enum
import logging
from typing import NamedTuple, Self


class Reason(enum.Enum):
    """Why a message is reported to SQS instead of deleted; its value is the log's stable key.

    Attributes:
        level: of the log line: INFO if SQS's redelivery will settle it, ERROR if it ends in the
            dead letters.
        text: for people.
    """

    INVALID = ("invalid", logging.ERROR, "the message breaks the contract")
    UNDECIDABLE = ("undecidable", logging.ERROR, "an event is older than the ledger's memory")
    FULL = ("full", logging.WARNING, "a source has left too many gaps")
    LOST_RACE = ("lost_race", logging.INFO, "other writers were first until the time was up")
    UNKNOWN_OUTCOME = ("unknown_outcome", logging.WARNING, "the store's answers were lost")
    OUT_OF_TIME = ("out_of_time", logging.INFO, "no time was left to begin")
    THROTTLED = ("throttled", logging.WARNING, "the store throttles")
    REFUSED = ("refused", logging.ERROR, "the store refuses this counter")
    UNREADABLE = ("unreadable", logging.ERROR, "the stored value is no counter of this version")
    GROUP = ("group", logging.INFO, "an earlier message of its group is reported")

    def __new__(cls, key: str, level: int, text: str) -> Self:
        """Make a member whose value is its key."""
        member = object.__new__(cls)
        member._value_ = key
        member.level = level
        member.text = text
        return member

    level: int
    text: str


class Unsettled(NamedTuple):
    """Why events are not decided, or are not known to be; `detail` is for people."""

    reason: Reason
    detail: str = ""
