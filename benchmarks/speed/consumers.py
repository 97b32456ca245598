"""Our own consumer, as it is deployed, on each of the stores."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.speed.workload import Workload
from consumer import wiring
from consumer.messages import ReceivedMessage
from consumer.observability import Observer
from consumer.settings import ConsumerSettings
from tally.counters.counter import read_count
from tally.settling.progress import Activity
from tally.settling.reason import Unsettled
from tally.stores.opening import open_store
from tally.stores.port import Store

Handle = Callable[[dict[str, Any]], Any]
"""Counts a batch, given as Lambda's event; raises if it has not counted all of it."""

WARM_BATCHES = 3
"""Until our consumer knows every counter: it creates, it reads, and then it need not read."""


NOWHERE = "127.0.0.1:1"
"""The Momento that a consumer is told whose store is another, and never calls."""

READ_S = 10.0
"""How long the counts may take to be read, in seconds."""


class MiscountedError(Exception):
    """Not every increment was counted: there is nothing to compare."""


def settings_for(endpoint: str, cache: str) -> ConsumerSettings:
    """What the environment tells a consumer that counts on a local Momento."""
    return ConsumerSettings.from_environment(
        {"MOMENTO_LOCAL": endpoint, "MOMENTO_CACHE_NAME": cache}
    )


@contextlib.contextmanager
def tally(endpoint: str, cache: str) -> Iterator[Handle]:
    """The handler of an environment that stays warm, with its logs and its metrics.

    Args:
        endpoint: of the embedded Momento, as `host:port`.
        cache: in which no other consumer writes the same counters.
    """
    told = settings_for(endpoint, cache)
    with contextlib.closing(open_store(told.place)) as store:
        yield _handle(told, store)


@contextlib.contextmanager
def on_valkey(variables: Mapping[str, str]) -> Iterator[Handle]:
    """The same on Valkey, wherever the environment says that it is."""
    told = ConsumerSettings.from_environment(variables)
    with contextlib.closing(open_store(told.place)) as store:
        yield _handle(told, store)


def in_store(store: Store) -> Handle:
    """The same on a store that is open. In memory that is all that ours does, but for speaking."""
    return _handle(settings_for(NOWHERE, "none"), store)


def counts(store: Store, counters: list[str]) -> Mapping[str, int]:
    """The counts as they stand in a store."""
    values, _ = store.values(counters, READ_S)
    pairs = zip(counters, values, strict=True)
    return {counter: read_count(value) for counter, value in pairs if value is not None}


def _handle(told: ConsumerSettings, store: Store) -> Handle:
    consumer = wiring.build(told, observer=wiring.observer({}), store=store)

    def handle(event: Mapping[str, Any]) -> None:
        answer = consumer.handle(event, None)
        if answer != {"batchItemFailures": []}:
            raise MiscountedError

    return handle


def warm_up(handle: Handle, workload: Workload) -> None:
    """Hand over every counter, as often as it takes."""
    for _ in range(WARM_BATCHES):
        handle(workload.of_each_counter().event)


@contextlib.contextmanager
def unread() -> Iterator[None]:
    """Let what is printed be written, as in a Lambda, where nobody looks: metrics and logs."""
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        yield


class Silent(Observer):
    """Hears what our consumer tells, and logs nothing: for virtual time, where calls count."""

    def __init__(self) -> None:
        """It has no logger."""

    def begin(self, request_id: str) -> None:
        """An invocation begins."""

    @property
    def tells_decisions(self) -> bool:
        """Whether each event is to have a line."""
        return False

    def busiest(self, groups: object) -> None:
        """Counters have events."""

    def throttled(self, times: object) -> None:
        """Calls were throttled."""

    def message_returned(self, message: ReceivedMessage, unsettled: Unsettled) -> None:
        """A message is reported."""

    def swaps_lost(self, losses: object) -> None:
        """Races were lost."""

    def publish(self, activity: Activity) -> None:
        """An invocation is over."""
