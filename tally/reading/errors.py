"""What can go wrong when reading counters: every exception of this package."""

from tally.counters.errors import TallyError
from tally.stores.port import Trouble

PASSING = frozenset({Trouble.UNKNOWN_OUTCOME, Trouble.THROTTLED})
"""What another try may cure; a read has no effect, so any number of tries is safe."""


class ReadError(TallyError):
    """The store did not answer, or its value is no counter.

    Attributes:
        trouble: the kind of failure; None if the value is no counter.
        counter: the name whose value is no counter; empty if the store did not answer.
    """

    def __init__(self, text: str, trouble: Trouble | None = None, *, counter: str = "") -> None:
        self.trouble = trouble
        self.counter = counter
        super().__init__(text)


class NoTableError(TallyError):
    """A consistent read was asked for, but no table decides: set `COUNTER_TABLE`."""

    def __init__(self) -> None:
        super().__init__("consistent reads need counters in a table, and COUNTER_TABLE is not set")


class ReaderClosedError(TallyError):
    """A closed reader reads nothing; make a new one."""

    def __init__(self) -> None:
        super().__init__("the reader is closed")
