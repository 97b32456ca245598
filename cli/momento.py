"""Reads counters through Momento's own SDK."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from momento import CacheClient
from momento.config import Configurations
from momento.responses import CacheGet

from consumer import settings
from counters.counter import read_count
from counters.errors import TallyError, UnreadableValueError
from store.connection import credentials_for


class ReadError(TallyError):
    """Momento did not answer, or not with a counter."""


def read_counts(
    names: Iterable[str], environment: Mapping[str, str]
) -> Iterator[tuple[str, int | None]]:
    """The count of each counter, in the order asked for; None where there is none.

    Args:
        names: the counters.
        environment: says where Momento is, in the consumer's words.

    Raises:
        ReadError: Momento's answer is an error, or the value no counter.
        SettingsError: the environment does not say where Momento is.
    """
    told = settings.read(environment)
    # Not create(), which connects eagerly: that costs 0.2 s at the end of a client.
    client = CacheClient(
        Configurations.Laptop.latest(), credentials_for(told.momento), timedelta(seconds=told.ttl_s)
    )
    with client:
        for name in names:
            yield name, _count(name, client.get(told.cache_name, name))


def _count(name: str, answer: object) -> int | None:
    match answer:
        case CacheGet.Hit():
            try:
                return read_count(answer.value_bytes)
            except UnreadableValueError as error:
                message = f"{name}: {error}"
                raise ReadError(message) from error
        case CacheGet.Error():
            message = f"{name}: {answer.error_code.name}: {answer.message}"
            raise ReadError(message)
        case _:
            return None
