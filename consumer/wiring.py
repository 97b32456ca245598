"""Settings become a channel, a writer and a consumer, on first use; nothing happens at import."""

import functools
import os
import random
import time
from collections.abc import Callable, Mapping

import grpc
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics
from momento.auth import CredentialProvider
from momento.errors import InvalidArgumentException

from consumer import momento, settings
from consumer.copies import Copies
from consumer.errors import SettingsError
from consumer.invocation import Consumer
from consumer.observability import NAMESPACE, SERVICE, Observer
from consumer.settings import Local, Settings
from consumer.writer import Writer
from counters.ledger import Limits


@functools.cache
def consumer() -> Consumer:
    """The consumer of this environment, made once and kept warm; a failed try is not kept.

    Raises:
        SettingsError: the environment does not describe a consumer.
    """
    return build(settings.read(os.environ), observer=observer(os.environ))


def build(  # noqa: PLR0913 (all that a test may want to be otherwise, by keyword)
    told: Settings,
    *,
    observer: Observer,
    channel: grpc.Channel | None = None,
    limits: Limits = Limits(),  # noqa: B008 (it is frozen)
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    uniform: Callable[[float, float], float] = random.uniform,
) -> Consumer:
    """Put a consumer together; it connects with its first call, not here.

    Args:
        told: what the environment says.
        observer: where logs and metrics go.
        channel: to Momento, if not the one that the settings mean.
        limits: how much a counter remembers.
        clock: monotonic, in seconds.
        sleep: waits the seconds given.
        uniform: draws between two numbers.

    Raises:
        SettingsError: the key is none.
    """
    credentials = credentials_for(told)
    store = momento.Momento(
        channel or momento.connect(credentials),
        cache_name=told.cache_name,
        credentials=credentials,
        ttl_s=told.ttl_s,
        deadline_s=momento.deadline_s(),
        clock=clock,
    )
    writer = Writer(store, Copies(), limits=limits, clock=clock, sleep=sleep, uniform=uniform)
    return Consumer(writer, observer, told.max_counter_value)


def observer(environment: Mapping[str, str]) -> Observer:
    """Powertools' logger and metrics, under Tally's names where the environment gives none."""
    service = environment.get("POWERTOOLS_SERVICE_NAME") or SERVICE
    namespace = environment.get("POWERTOOLS_METRICS_NAMESPACE") or NAMESPACE
    return Observer(
        Logger(service=service, utc=True), EphemeralMetrics(service=service, namespace=namespace)
    )


def credentials_for(told: Settings) -> CredentialProvider:
    """The SDK's credentials as the settings mean them; a secret is fetched here.

    Raises:
        SettingsError: the key is none.
    """
    if isinstance(told.momento, Local):
        return CredentialProvider.for_momento_local(told.momento.host, told.momento.port)
    key = told.momento.api_key or _secret(told.momento.api_key_secret)
    try:
        return CredentialProvider.from_api_key_v2(key, told.momento.endpoint)
    except InvalidArgumentException:
        # Without its cause: what a parser says of a key may quote it.
        raise SettingsError(["the Momento API key is not one of version 2"]) from None


def _secret(name: str) -> str:
    """The key from Secrets Manager, fetched once for each environment, with its first use."""
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415 (it imports boto3)

    # Asked for anew: it is kept with the consumer, and no longer than that.
    secret: str = parameters.get_secret(name, force_fetch=True)
    return secret
