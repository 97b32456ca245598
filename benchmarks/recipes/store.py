"""The embedded Momento's own store, and the truth of every write to a counter in it; and tables."""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.recipes.table import Tables
from benchmarks.recipes.truth import Key, Truth
from tally.local.momento.data_calls import DATA_CALLS
from tally.local.momento.store import LocalCache

NS = 1_000_000_000


class Store:
    """One cache; every call is atomic, at the time at which it takes effect.

    Args:
        truth: is told of every write.
        clock: in seconds.
    """

    def __init__(self, truth: Truth, clock: Callable[[], float]) -> None:
        self._truth = truth
        self._cache = LocalCache(lambda: int(clock() * NS))
        self._records: set[str] = set()

    @property
    def records(self) -> int:
        """How many keys were written that are no counter."""
        return len(self._records)

    def act(self, name: str, request: Any, subject: Key | None) -> Any:  # noqa: ANN401 (generated)
        """Do what a call asks for; its caller works on `subject`, if on one increment alone."""
        counter = request.cache_key.decode()
        before = self.value(counter)
        answer = DATA_CALLS[name](self._cache, request)
        after = self.value(counter)
        if after is not None and self._truth.counts(counter) and _wrote(name, answer):
            self._truth.writes(counter, before, after, _meant(name, request, subject))
        elif after is not None and not self._truth.counts(counter):
            self._records.add(counter)
        return answer

    def value(self, key: str) -> bytes | None:
        """What a key holds."""
        return self._cache.get(key.encode())


class Stores:
    """The cache, and the tables: a recipe uses one of the two."""

    def __init__(self, truth: Truth, clock: Callable[[], float]) -> None:
        self._cache = Store(truth, clock)
        self._tables = Tables(truth, clock)

    @property
    def units(self) -> int:
        """What DynamoDB would bill."""
        return self._tables.units

    @property
    def records(self) -> int:
        """What is kept that is no counter: of events, so that each is known again."""
        return self._cache.records + self._tables.records

    def act(self, name: str, request: Any, subject: Key | None) -> Any:  # noqa: ANN401 (generated, or boto3's)
        """Do what a call asks for; boto3's requests are dictionaries."""
        place = self._tables if isinstance(request, dict) else self._cache
        return place.act(name, request, subject)

    def value(self, counter: str) -> bytes | None:
        """What a counter holds."""
        value = self._cache.value(counter)
        return self._tables.value(counter) if value is None else value


def _wrote(name: str, answer: Any) -> bool:  # noqa: ANN401 (generated)
    if name in ("SetIf", "SetIfHash"):
        return bool(answer.HasField("stored"))
    return name in ("Increment", "Set")


def _meant(name: str, request: Any, subject: Key | None) -> Mapping[Key, int]:  # noqa: ANN401 (generated)
    """By how much a write is to count the increment that its caller works on."""
    if subject is None:
        return {}
    return {subject: request.amount if name == "Increment" else 1}
