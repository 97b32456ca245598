"""The environment's words: each variable read once, and all that is wrong reported together."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from tally.counters.errors import TallyError, shown

MAX_PORT = 65_535

A_QUEUE_URL = "http(s)://host/…/name"

SECRET = "MOMENTO_API_KEY_SECRET"  # noqa: S105 (the name of a variable)

_HOST_PORT = re.compile(r"(?P<host>[^:\s]+):(?P<port>[0-9]{1,5})")
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_QUEUE_URL = re.compile(r"https?://[^\s/?#@]+/[^\s?#]*[^\s?#/]")
_INTEGER = re.compile("-?[0-9]{1,19}")


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
class Cache:
    """Which cache, and where."""

    name: str
    momento: Local | Service


class SettingsError(TallyError):
    """The environment does not say what it must; the text names every variable that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(problems))


class Environment:
    """Reads variables, and remembers every mistake for `finish`.

    Args:
        variables: the process's environment.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._problems: list[str] = []

    def cache(self) -> Cache:
        """The cache by the `MOMENTO_*` variables."""
        momento = self._momento()
        return Cache(self._cache_name(), momento)

    def required(self, name: str) -> str:
        """A text that must be there."""
        value = self._variables.get(name, "")
        if not value:
            self._problems.append(f"{name} must be set")
        return value

    def queue_url(self, name: str) -> str:
        """The URL of a queue that must be there."""
        value = self.required(name)
        if value and not is_queue_url(value):
            self._problems.append(f"{name} must be {A_QUEUE_URL}, found {shown(value)}")
        return value

    def integer(self, name: str, span: tuple[int, int, int]) -> int:
        """A number within its span, (default, least, greatest)."""
        default, least, greatest = span
        text = self._variables.get(name, "")
        if not text:
            return default
        if _INTEGER.fullmatch(text) and least <= int(text) <= greatest:
            return int(text)
        self._problems.append(
            f"{name} must be an integer from {least} to {greatest}, found {text!r}"
        )
        return default

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """One of the choices, the first by default."""
        text = self._variables.get(name) or choices[0]
        if text not in choices:
            self._problems.append(f"{name} must be {' or '.join(choices)}, found {text!r}")
            return choices[0]
        return text

    def finish(self) -> None:
        """All is read.

        Raises:
            SettingsError: naming each variable that is missing or wrong, and what it says. The
                value of a key is never shown.
        """
        if self._problems:
            raise SettingsError(self._problems)

    def _momento(self) -> Local | Service:
        if local := self._variables.get("MOMENTO_LOCAL"):
            address = _HOST_PORT.fullmatch(local)
            if address and 0 < int(address["port"]) <= MAX_PORT:
                return Local(address["host"], int(address["port"]))
            self._problems.append(f"MOMENTO_LOCAL must be host:port, found {local!r}")
            return Local("", 0)
        key = self._variables.get("MOMENTO_API_KEY", "")
        secret = self._variables.get(SECRET, "")
        if bool(key) is bool(secret):
            choice = f"MOMENTO_API_KEY or {SECRET}"
            self._problems.append(
                f"{choice}, not both, must be set" if key else f"{choice} must be set"
            )
        return Service(self._endpoint(), key, secret)

    def _endpoint(self) -> str:
        """The name of a host: where there is no such host, every call fails as in an outage."""
        endpoint = self.required("MOMENTO_ENDPOINT")
        if endpoint and not _HOST.fullmatch(endpoint):
            self._problems.append(
                f"MOMENTO_ENDPOINT must be the name of a host, found {endpoint!r}"
            )
        return endpoint

    def _cache_name(self) -> str:
        """As a header can carry it: any other would fail call by call, as if by accident."""
        name = self.required("MOMENTO_CACHE_NAME")
        if not (name.isascii() and name.isprintable()):
            self._problems.append(f"MOMENTO_CACHE_NAME must be printable ASCII, found {name!r}")
        return name


def is_queue_url(url: object) -> bool:
    """Whether it can be the URL of a queue; boto3 takes anything, and fails call by call."""
    return isinstance(url, str) and _QUEUE_URL.fullmatch(url) is not None


def cache_from(variables: Mapping[str, str]) -> Cache:
    """The cache that the `MOMENTO_*` variables mean.

    Raises:
        SettingsError: naming each variable that is missing or wrong.
    """
    environment = Environment(variables)
    cache = environment.cache()
    environment.finish()
    return cache
