"""The exceptions of stores."""

from tally.counters.errors import TallyError


class BrokenSetupError(TallyError):
    """The store refuses what the set-up sends: the key, the cache or table, or the call itself.

    No repeat would help. The consumer's handler raises it, so that Lambda's own error metric and
    alarm show it and SQS keeps the whole batch.

    Attributes:
        is_missing: whether the store accepts the key, but the cache or table does not exist.
    """

    def __init__(self, text: str, *, is_missing: bool = False) -> None:
        self.is_missing = is_missing
        super().__init__(text)


class StoreClosedError(TallyError):
    """A closed store answers nothing; make a new one."""

    def __init__(self) -> None:
        super().__init__("the store is closed")
