"""What can be wrong with an increment or a stored value: every exception of this package."""

import numbers
import reprlib
from typing import cast

MAX_SHOWN_CHARS = 120
"""How much of an offending value an error shows: a message may be a mebibyte."""


MAX_SHOWN_BITS = 8_192
"""An error shows no digits of a longer integer; Python converts up to 4,300 of them."""

MAX_NAME_CHARS = 512
"""How much of a counter's name an error carries: the whole name, if it is valid."""


class TallyError(Exception):
    """Something Tally cannot do as asked; the text says what and why.

    An error keeps its attributes when it is pickled, as a pool of processes does.
    """

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild it without __init__, whose arguments are not those that Exception keeps."""
        return _remade, (type(self), self.args), self.__dict__


class InvalidIncrementError(TallyError, ValueError):
    """A message, or an increment in it, that breaks the message contract.

    Attributes:
        field: the field that is wrong, as a path (``amount``, ``[3].amount``), or ``body``.
        value: the wrong value, shortened for display; empty if it is missing.
        reason: what is wrong with it.
        counter: the counter that the increment names, if that can be read.
        identity: the id, or source and seq, that the increment has, if that can be read.
    """

    def __init__(self, field: str, reason: str, value: str = "", counter: str = "") -> None:
        self.field = _cut(field)
        self.reason = reason
        self.value = value
        self.counter = counter[:MAX_NAME_CHARS]
        self.identity = ""
        super().__init__(f"{self.field}: {reason}" + (f", found {value}" if value else ""))

    def within(self, place: str, counter: str, identity: str) -> "InvalidIncrementError":
        """The same error, for this counter's increment at this place in the body (``[3].``)."""
        error = InvalidIncrementError(place + self.field, self.reason, self.value, counter)
        error.identity = identity
        return error


class ArgumentError(TallyError, ValueError):
    """An argument that a call cannot take; the text names it, what it must be, and its value."""

    def __init__(self, name: str, expected: str, value: object) -> None:
        super().__init__(f"{name} must be {expected}, found {shown(value)}")


class UnreadableValueError(TallyError):
    """A stored value that this version cannot read; it is reported and never overwritten."""


def _remade(kind: type[TallyError], args: tuple[object, ...]) -> TallyError:
    return kind.__new__(kind, *args)


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Check an argument: a number from `low` to `high`, and an integer if `low` is one.

    Raises:
        ArgumentError: it is not.
    """
    kind = numbers.Integral if isinstance(low, int) else numbers.Real
    if not (isinstance(value, kind) and low <= cast("float", value) <= high):
        what = "an integer from " if kind is numbers.Integral else ""
        raise ArgumentError(name, f"{what}{low:g} to {high:g}", value)


def shown(value: object) -> str:
    """The representation of a value, at most MAX_SHOWN_CHARS characters of it."""
    if isinstance(value, str | bytes):
        return _cut(repr(value[: MAX_SHOWN_CHARS + 1]))
    return _cut(_SHORT.repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[: MAX_SHOWN_CHARS - 1]}…"


class _Short(reprlib.Repr):
    """It stops at a fixed depth; repr() would fail on deep nesting."""

    def repr_int(self, x: int, level: int) -> str:
        """Without digits if Python would refuse to convert it, which versions do in two ways."""
        return "<int>" if x.bit_length() > MAX_SHOWN_BITS else super().repr_int(x, level)


_SHORT = _Short()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict = 2, 4, 4
