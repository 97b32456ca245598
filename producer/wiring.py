"""Settings become a publisher, a reader and an API, on first use; nothing happens at import."""

import functools
import os
from collections.abc import Mapping

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from producer import routes
from producer.observability import NAMESPACE, SERVICE, Api, tell_published
from producer.settings import ApiSettings
from tally.publishing.publisher import Publisher
from tally.publishing.sending import Pacer
from tally.reading.reader import Reader
from tally.stores.opening import open_store

SENDING_S = 5.0
"""No attempt to publish begins later than this; API Gateway gives up on an answer after 29 s."""

ATTEMPT_S = 2.0
"""How long SQS may be silent in one attempt: after a dead connection, time is left for another."""


@functools.cache
def api() -> Api:
    """The API of this environment, made once and kept; a failure is not kept.

    Raises:
        SettingsError: the environment does not describe an API.
    """
    return build(ApiSettings.from_environment(os.environ), os.environ)


@functools.cache
def publisher(queue_url: str) -> Publisher:
    """The publisher to a queue, made once and kept."""
    return Publisher(queue_url, linger_s=0, pacer=Pacer(patience_s=SENDING_S, attempt_s=ATTEMPT_S))


def build(settings: ApiSettings, environment: Mapping[str, str]) -> Api:
    """Put an API together; it connects with its first request, not here.

    Raises:
        SettingsError: the key is invalid, or its secret cannot be read.
    """
    service = environment.get("POWERTOOLS_SERVICE_NAME") or SERVICE
    namespace = environment.get("POWERTOOLS_METRICS_NAMESPACE") or NAMESPACE
    logger = Logger(service=service, utc=True)
    metrics = EphemeralMetrics(service=service, namespace=namespace)
    reader = Reader(open_store(settings.place))

    def renew() -> None:
        # The key may have been rotated: the next request reads settings and secret again. The
        # publisher does not use the key, and keeps its thread and its connections.
        reader.close()
        api.cache_clear()

    resolver = routes.build(
        publisher(settings.queue_url),
        reader,
        logger=logger,
        on_broken_setup=renew,
        on_published=functools.partial(tell_published, metrics),
        access=settings.access,
    )
    return Api(resolver, logger, metrics)
