"""The environment of the consumer, parsed once, all its errors reported together."""

import dataclasses
import re
from collections.abc import Mapping

from consumer.errors import SettingsError
from counters.event import INT64_MAX, INT64_MIN

MAX_TTL_S = 86_400
"""The longest that Momento keeps an item on demand: a day."""

EXACTLY_ONCE = "exactly-once"

_HOST_PORT = re.compile(r"(?P<host>[^:\s]+):(?P<port>[0-9]{1,5})")
_INTEGER = re.compile("-?[0-9]{1,19}")
MAX_PORT = 65_535


@dataclasses.dataclass(frozen=True)
class Local:
    """An embedded or official Momento Local, which takes no key."""

    host: str
    port: int


@dataclasses.dataclass(frozen=True)
class Service:
    """Momento itself: its endpoint, and the key or the Secrets Manager id that holds it."""

    endpoint: str
    api_key: str = dataclasses.field(default="", repr=False)
    api_key_secret: str = ""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the consumer is told by its environment."""

    cache_name: str
    momento: Local | Service
    ttl_s: int = MAX_TTL_S
    max_counter_value: int = INT64_MAX


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: naming each variable that is missing or wrong, and what it says. The value
            of a key is never shown.
    """
    problems: list[str] = []
    momento = _momento(environment, problems)
    settings = Settings(
        cache_name=_cache_name(environment, problems),
        momento=momento,
        ttl_s=_integer(environment, "MOMENTO_TTL_SECONDS", (MAX_TTL_S, 1, MAX_TTL_S), problems),
        max_counter_value=_integer(
            environment, "MAX_COUNTER_VALUE", (INT64_MAX, INT64_MIN, INT64_MAX), problems
        ),
    )
    guarantee = environment.get("COUNTER_GUARANTEE") or EXACTLY_ONCE
    if guarantee != EXACTLY_ONCE:
        problems.append(f"COUNTER_GUARANTEE must be {EXACTLY_ONCE}, found {guarantee!r}")
    if problems:
        raise SettingsError(problems)
    return settings


def _momento(environment: Mapping[str, str], problems: list[str]) -> Local | Service:
    if local := environment.get("MOMENTO_LOCAL"):
        address = _HOST_PORT.fullmatch(local)
        if address and 0 < int(address["port"]) <= MAX_PORT:
            return Local(address["host"], int(address["port"]))
        problems.append(f"MOMENTO_LOCAL must be host:port, found {local!r}")
        return Local("", 0)
    key = environment.get("MOMENTO_API_KEY", "")
    secret = environment.get("MOMENTO_API_KEY_SECRET", "")
    if bool(key) is bool(secret):
        choice = "MOMENTO_API_KEY or MOMENTO_API_KEY_SECRET"
        problems.append(f"{choice}, not both, must be set" if key else f"{choice} must be set")
    return Service(_required(environment, "MOMENTO_ENDPOINT", problems), key, secret)


def _cache_name(environment: Mapping[str, str], problems: list[str]) -> str:
    """The name as a header can carry it: any other would fail call by call, as if by accident."""
    name = _required(environment, "MOMENTO_CACHE_NAME", problems)
    if not (name.isascii() and name.isprintable()):
        problems.append(f"MOMENTO_CACHE_NAME must be printable ASCII, found {name!r}")
    return name


def _required(environment: Mapping[str, str], name: str, problems: list[str]) -> str:
    value = environment.get(name, "")
    if not value:
        problems.append(f"{name} must be set")
    return value


def _integer(
    environment: Mapping[str, str], name: str, span: tuple[int, int, int], problems: list[str]
) -> int:
    """A number within its span, (default, least, greatest)."""
    default, least, greatest = span
    text = environment.get(name, "")
    if not text:
        return default
    if _INTEGER.fullmatch(text) and least <= int(text) <= greatest:
        return int(text)
    problems.append(f"{name} must be an integer from {least} to {greatest}, found {text!r}")
    return default
