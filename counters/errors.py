"""What can be wrong with an increment or a stored value: every exception of this package."""

MAX_SHOWN_CHARS = 120
"""How much of an offending value an error shows: a message may be a mebibyte."""


class TallyError(Exception):
    """Something Tally cannot do as asked; the text says what and why."""


class InvalidIncrementError(TallyError, ValueError):
    """A message, or an increment in it, that breaks the message contract.

    Attributes:
        field: the field that is wrong, as a path (``amount``, ``[3].amount``), or ``body``.
        value: what stood there, as it would be shown (shortened); empty when it was missing.
        reason: what is wrong with it.
        counter: the counter that the increment names, where that can be read.
    """

    def __init__(self, field: str, reason: str, value: str = "", counter: str = "") -> None:
        self.field = field
        self.reason = reason
        self.value = value
        self.counter = counter
        super().__init__(f"{field}: {reason}, found {value}" if value else f"{field}: {reason}")

    def within(self, place: str, counter: str) -> "InvalidIncrementError":
        """The same error, told of the increment of this counter at this place (``[3].``)."""
        return InvalidIncrementError(place + self.field, self.reason, self.value, counter)


class UnreadableValueError(TallyError):
    """A stored value that is no counter of this version; it is reported and never overwritten."""


def shown(value: object) -> str:
    """The representation of a value, at most MAX_SHOWN_CHARS characters of it."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[: MAX_SHOWN_CHARS - 1]}…"
