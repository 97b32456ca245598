"""The environment's variables: each is read once, and all mistakes are reported together."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from tally.counters.errors import TallyError, shown

MAX_PORT = 65_535

A_QUEUE_URL = "http(s)://host/…/name"

AN_ORIGIN = "http(s)://host or http(s)://host:port in lower case and without a path, or *"

MAX_MOMENTO_TTL_S = 86_400
"""The longest that Momento keeps an item on demand: a day."""

VALKEY_TTL_S, MAX_VALKEY_TTL_S = 2_592_000, 315_360_000
"""The default, 30 days, and the most, 10 years; Valkey's own limit is far beyond."""

VALKEY_PORT = 6_379

MIN_COUNTER_TTL_S, MAX_COUNTER_TTL_S = 3_600, 315_360_000
"""The least, an hour, since DynamoDB deletes expired items only after a while; the most, 10 years.
"""

CACHE_TTL_S, MAX_CACHE_TTL_S = 60, 300
"""How old a copy in a cache beside a table may become: by default a minute, at most five."""

SECRET = "MOMENTO_API_KEY_SECRET"  # noqa: S105 (the name of a variable)
URL = "VALKEY_URL"
USERNAME = "VALKEY_USERNAME"
PASSWORD = "VALKEY_PASSWORD"  # noqa: S105 (the name of a variable)
PASSWORD_SECRET = "VALKEY_PASSWORD_SECRET"  # noqa: S105 (the name of a variable)
VALKEY_TTL = "VALKEY_TTL_SECONDS"
MOMENTO_TTL = "MOMENTO_TTL_SECONDS"
MOMENTO_NAME, VALKEY_NAME, DYNAMODB_NAME = "Momento", "Valkey", "DynamoDB"
"""The stores, as people call them."""

MOMENTO = (
    *("MOMENTO_LOCAL", "MOMENTO_CACHE_NAME", "MOMENTO_API_KEY", SECRET),
    *("MOMENTO_ENDPOINT", MOMENTO_TTL),
)
"""All variables of a cache of Momento's."""

VALKEY = (URL, USERNAME, PASSWORD, PASSWORD_SECRET, VALKEY_TTL)
"""If any of these is set, counters live in Valkey."""

TABLE, COUNTER_TTL, CACHE_TTL = "COUNTER_TABLE", "COUNTER_TTL_SECONDS", "CACHE_TTL_SECONDS"
TABLES = (TABLE, COUNTER_TTL, CACHE_TTL)
"""All variables of a table of DynamoDB's, and of copies in a cache beside it."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""The hosts to which connections may be made without TLS."""

_HOST_PORT = re.compile(r"(?P<host>[^:\s]+):(?P<port>[0-9]{1,5})")
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_OTHER_PROTOCOL = ("api.", "cache.")
"""What Momento's console puts before the cell's name for HTTP and for RESP. The SDK adds a prefix
of its own, and with both there is no such host."""
_VALKEY_URL = re.compile(
    r"(?P<scheme>rediss?)://"
    r"(?P<host>[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
"""Only a host and a port. If a password holds a slash, Python's own parser quotes a piece of it in
an error; and a query could make clients switch off the check of certificates."""
_TABLE = re.compile("[A-Za-z0-9_.-]{3,255}")
_QUEUE_URL = re.compile(r"https?://[^\s/?#@]+/[^\s?#]*[^\s?#/]")
_ORIGIN = re.compile(r"\*|https?://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-9]{1,5})?")
_INTEGER = re.compile("-?[0-9]{1,19}")


@dataclasses.dataclass(frozen=True)
class Local:
    """An embedded or official Momento Local, which takes no key."""

    host: str
    port: int

    def __str__(self) -> str:
        """Its address, for errors."""
        return f"{self.host}:{self.port}"


@dataclasses.dataclass(frozen=True)
class Service:
    """Momento itself: its endpoint, and the key or the Secrets Manager id that holds it."""

    endpoint: str
    api_key: str = dataclasses.field(default="", repr=False)
    api_key_secret: str = ""

    def __str__(self) -> str:
        """Its endpoint, for errors."""
        return self.endpoint


@dataclasses.dataclass(frozen=True)
class Cache:
    """A cache of Momento's: its name, and where it is."""

    name: str
    momento: Local | Service

    def __str__(self) -> str:
        """Which cache it is and where, for errors; without its key."""
        return f"{MOMENTO_NAME} at {self.momento}, cache {self.name!r}"


@dataclasses.dataclass(frozen=True)
class Valkey:
    """A Valkey or Redis server; the password, or the Secrets Manager id that holds it.

    Attributes:
        host: its name or address.
        port: of TCP.
        is_tls: whether the connection has TLS; it may be without only on this machine.
        username: empty for the server's default user.
        password: empty if it asks for none, or if a secret holds it.
        password_secret: the id in Secrets Manager.
    """

    host: str
    port: int
    is_tls: bool = True
    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    password_secret: str = ""

    def __str__(self) -> str:
        """Which server it is, for errors; without its user and password."""
        return f"{VALKEY_NAME} at {self.host}:{self.port}"


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of DynamoDB's that decides, and the cache that serves what it has stored.

    Attributes:
        name: of the table, in this account and region.
        ttl_s: how long a counter lives after its last swap, in seconds; for ever if None.
        cache: serves readers; None if they ask the table alone.
        cache_ttl_s: how long a copy stays in the cache, in seconds.
    """

    name: str
    ttl_s: int | None = None
    cache: Cache | Valkey | None = None
    cache_ttl_s: int = CACHE_TTL_S

    def __str__(self) -> str:
        """Which table it is, for errors."""
        return f"{DYNAMODB_NAME}, table {self.name!r}"


Place = Cache | Valkey | Table
"""Where counters live."""


class SettingsError(TallyError):
    """Variables are missing or wrong; the text names every one."""

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

    def place(self) -> Place:
        """Where counters live: a table by `COUNTER_TABLE`, or else a cache by its variables."""
        if self._variables.get(TABLE):
            return self._table()
        for name in (COUNTER_TTL, CACHE_TTL):
            if self._variables.get(name):
                self.refuse(f"{name} needs {TABLE}")
        return self._cache()

    def ttl_s(self, place: Place) -> int | None:
        """How long a counter lives after each of its swaps, in seconds; None if for ever."""
        if isinstance(place, Table):
            return place.ttl_s
        if isinstance(place, Valkey):
            return self.integer(VALKEY_TTL, (VALKEY_TTL_S, 1, MAX_VALKEY_TTL_S))
        return self.integer(MOMENTO_TTL, (MAX_MOMENTO_TTL_S, 1, MAX_MOMENTO_TTL_S))

    def refuse(self, problem: str) -> None:
        """Remember what is wrong with several variables together."""
        self._problems.append(problem)

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
        """A number; `span` is its default, least and greatest value."""
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

    def origin(self, name: str) -> str:
        """The origin of pages, * for all of them, or empty for none."""
        value = self._variables.get(name, "")
        if value and not is_origin(value):
            self._problems.append(f"{name} must be {AN_ORIGIN}, found {shown(value)}")
        return value

    def finish(self) -> None:
        """All variables have been read.

        Raises:
            SettingsError: naming each variable that is missing or wrong, and what it says. The
                value of a key is never shown.
        """
        if self._problems:
            raise SettingsError(self._problems)

    def _cache(self) -> Cache | Valkey:
        """Momento by `MOMENTO_*`, or else a server by `VALKEY_*`."""
        if any(self._variables.get(name) for name in VALKEY):
            return self._valkey()
        momento = self._momento()
        cache = Cache(self._cache_name(), momento)
        if not any(self._variables.get(name) for name in MOMENTO):
            self.refuse(f"or, for another store than {MOMENTO_NAME}, {URL} or {TABLE}")
        return cache

    def _table(self) -> Table:
        name = self._variables[TABLE]
        if not _TABLE.fullmatch(name):
            form = "the name of a table of DynamoDB, 3 to 255 of A-Z a-z 0-9 _ . -"
            self.refuse(f"{TABLE} must be {form}, found {name!r}")
        for ttl in (MOMENTO_TTL, VALKEY_TTL):
            if self._variables.get(ttl):
                self.refuse(f"{ttl} beside {TABLE}: what a cache holds then has {CACHE_TTL}")
        caches = {*MOMENTO, *VALKEY} - {MOMENTO_TTL, VALKEY_TTL}
        cache = self._cache() if any(map(self._variables.get, caches)) else None
        if cache is None and self._variables.get(CACHE_TTL):
            self.refuse(f"{CACHE_TTL} needs a cache beside {TABLE}: MOMENTO_* or VALKEY_*")
        ttl_s = self.integer(COUNTER_TTL, (0, MIN_COUNTER_TTL_S, MAX_COUNTER_TTL_S))
        cache_ttl_s = self.integer(CACHE_TTL, (CACHE_TTL_S, 1, MAX_CACHE_TTL_S))
        return Table(name, ttl_s or None, cache, cache_ttl_s)

    def _valkey(self) -> Valkey:
        for name in sorted(MOMENTO):
            if self._variables.get(name):
                self.refuse(f"{name} beside {URL}: counters live in Momento or in Valkey")
        username = self._variables.get(USERNAME, "")
        password = self._variables.get(PASSWORD, "")
        secret = self._variables.get(PASSWORD_SECRET, "")
        if password and secret:
            self.refuse(f"{PASSWORD} or {PASSWORD_SECRET}, not both, must be set")
        if username and not (password or secret):
            self.refuse(f"{PASSWORD} or {PASSWORD_SECRET} must be set beside {USERNAME}")
        return Valkey(*self._server(), username, password, secret)

    def _server(self) -> tuple[str, int, bool]:
        """Host, port, and whether it has TLS; no error shows the URL, which may hold a password."""
        url = self.required(URL)
        found = _VALKEY_URL.fullmatch(url)
        port = int(found["port"] or VALKEY_PORT) if found else 0
        if not (found and 0 < port <= MAX_PORT):
            if url:
                form = "rediss://host:port, with no user, password, path or query"
                self.refuse(f"{URL} must be {form} (it is not shown)")
            return "", 0, True
        host, is_tls = found["host"].strip("[]"), found["scheme"] == "rediss"
        if not is_tls and host not in LOOPBACK:
            self.refuse(f"{URL} must be rediss://: without TLS only a server on this machine is")
        return host, port, is_tls

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
        """The name of a host; a wrong one is refused, since calls to it fail as in an outage."""
        endpoint = self.required("MOMENTO_ENDPOINT")
        if endpoint and not _HOST.fullmatch(endpoint):
            self.refuse(f"MOMENTO_ENDPOINT must be the name of a host, found {endpoint!r}")
        elif endpoint.lower().startswith(_OTHER_PROTOCOL):
            form = "the bare name of the cell, without the api. or cache. of the forms for HTTP"
            self.refuse(f"MOMENTO_ENDPOINT must be {form} and RESP, found {endpoint!r}")
        return endpoint

    def _cache_name(self) -> str:
        """A name that a header can carry; any other would fail each call, as if by accident."""
        name = self.required("MOMENTO_CACHE_NAME")
        if not (name.isascii() and name.isprintable()):
            self._problems.append(f"MOMENTO_CACHE_NAME must be printable ASCII, found {name!r}")
        return name


def store_name(variables: Mapping[str, str]) -> str:
    """What people call the store that the variables name, even if they are wrong."""
    if variables.get(TABLE):
        return DYNAMODB_NAME
    return VALKEY_NAME if any(variables.get(name) for name in VALKEY) else MOMENTO_NAME


def is_queue_url(url: object) -> bool:
    """Whether it can be the URL of a queue; boto3 accepts anything, and then fails each call."""
    return isinstance(url, str) and _QUEUE_URL.fullmatch(url) is not None


def is_origin(text: str) -> bool:
    """Whether it is the origin of a page as browsers write one, or * for all of them."""
    return _ORIGIN.fullmatch(text) is not None


def place_from(variables: Mapping[str, str]) -> Place:
    """The place that the `COUNTER_*`, `MOMENTO_*` or `VALKEY_*` variables name.

    Raises:
        SettingsError: naming each variable that is missing or wrong.
    """
    environment = Environment(variables)
    place = environment.place()
    environment.finish()
    return place
