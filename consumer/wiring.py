"""Settings become a store, a writer and a consumer, on first use; nothing happens at import."""

import functools
import os
import random
import time
from collections.abc import Callable, Mapping
from typing import cast

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from consumer.batch import Consumer
from consumer.observability import NAMESPACE, SERVICE, Observer
from consumer.settings import ConsumerSettings, Guarantee
from tally.settling.bare_writer import BareWriter
from tally.settling.copies import Copies
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tally.stores.opening import open_store
from tally.stores.port import AddingStore, Store


@functools.cache
def consumer() -> Consumer:
    """The consumer of this environment, made once and kept; a failure is not kept.

    Raises:
        SettingsError: the environment does not describe a consumer.
    """
    return build(ConsumerSettings.from_environment(os.environ), observer=observer(os.environ))


def build(
    settings: ConsumerSettings,
    *,
    observer: Observer,
    store: Store | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    uniform: Callable[[float, float], float] = random.uniform,
) -> Consumer:
    """Put a consumer together; it connects with its first call, not here.

    Args:
        settings: what the environment says.
        observer: where logs and metrics go.
        store: holds the counters; by default the one that the settings name.
        clock: monotonic, in seconds.
        sleep: waits the seconds given.
        uniform: draws between two numbers.

    Raises:
        SettingsError: the key is invalid, or its secret cannot be read.
    """
    store = store or open_store(settings.place, ttl_s=settings.ttl_s, clock=clock)
    rounds = Rounds(store, clock=clock, sleep=sleep, uniform=uniform)
    if settings.guarantee is Guarantee.AT_LEAST_ONCE:
        adding = cast("AddingStore", store)  # the settings refuse any other
        return Consumer(BareWriter(adding, rounds), observer, settings.max_counter_value)
    return Consumer(Writer(rounds, Copies()), observer, settings.max_counter_value)


def observer(environment: Mapping[str, str]) -> Observer:
    """Powertools' logger and metrics, under Tally's names where the environment gives none."""
    service = environment.get("POWERTOOLS_SERVICE_NAME") or SERVICE
    namespace = environment.get("POWERTOOLS_METRICS_NAMESPACE") or NAMESPACE
    return Observer(
        Logger(service=service, utc=True), EphemeralMetrics(service=service, namespace=namespace)
    )
