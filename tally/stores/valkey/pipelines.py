"""Pipelines to a server: each on a connection of its own, with a result for every command."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import hiredis

from tally.environment import Valkey
from tally.stores.errors import StoreClosedError
from tally.stores.port import Failed, Trouble
from tally.stores.secret import OTHER_KEY, RENEWAL_S, Key
from tally.stores.valkey.commands import auth
from tally.stores.valkey.connection import Connection, MuddledError, RefusedError, connect
from tally.stores.valkey.pool import Pool
from tally.stores.valkey.troubles import (
    FAILED_OVER,
    KEY_REFUSED,
    broken_off,
    first_word,
    refused,
)

if TYPE_CHECKING:
    import ssl

MAX_COMMANDS = 256
"""The most commands of one pipeline …"""

MAX_PIPELINE_BYTES = 1_048_576
"""… which ends sooner if it has so many bytes: answers wait until all is sent."""

Answer = Any
"""A server's answer to a command, or why there is none: bytes, int, None, Failed; or nonsense."""


Item = TypeVar("Item")


class Pipeline(NamedTuple):
    """What came of some commands.

    Attributes:
        answers: one for each command.
        came: how many of them the server gave.
        is_silent: whether the others did not come in time.
    """

    answers: list[Answer]
    came: int
    is_silent: bool


def trusted() -> "ssl.SSLContext":
    """TLS that checks the server's certificate, and that it is of this name.

    The authorities are those that this machine trusts, or those of OpenSSL's `SSL_CERT_FILE`.
    """
    import ssl  # noqa: PLC0415 (it takes longer to import than all else here)

    return ssl.create_default_context()


class Pipelines:
    """Runs pipelines, for any number of threads.

    Args:
        valkey: where the server is.
        password: of it.
        clock: monotonic, in seconds.
        wall_clock: the time of day, in seconds.
        tls: gives the TLS to use.
        opened: opens a connection by the clock's time given, or a peer of one.
    """

    def __init__(
        self,
        valkey: Valkey,
        password: Key,
        *,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        tls: "Callable[[], ssl.SSLContext]" = trusted,
        opened: Callable[[float], Connection] | None = None,
    ) -> None:
        self._valkey = valkey
        self._password = password
        self._clock = clock
        self._tls = functools.cache(tls)
        self._opened = opened or self._connected
        self._pool = Pool(wall_clock)

    def run(self, commands: Sequence[bytes], ends_at: float, *, renewal_ends_at: float) -> Pipeline:
        """Send commands together, and take all their answers before returning any.

        Nothing is ever sent again.

        Args:
            commands: each has one answer.
            ends_at: the clock's time by which the last answer must have come.
            renewal_ends_at: the same, if a refused password is fetched again.

        Raises:
            StoreClosedError: close() was called.
        """
        used, answers, is_silent = self._password.text, list[Answer](), False
        ended: Failed | None = None
        came = None
        try:
            self._exchange(commands, answers, ends_at)
        except RefusedError as error:
            ended, came = self._refusal(str(error), used, renewal_ends_at), len(commands)
        except MuddledError as error:
            ended = Failed(Trouble.UNKNOWN_OUTCOME, str(error))
        except OSError as error:
            ended, is_silent = broken_off(error), isinstance(error, TimeoutError)
        for place, answer in enumerate(answers):
            if isinstance(answer, hiredis.ReplyError):
                answers[place] = self._refusal(str(answer), used, renewal_ends_at)
        unknown = [ended] * (len(commands) - len(answers))
        return Pipeline(
            answers + unknown, len(answers) if came is None else came, is_silent=is_silent
        )

    def renew(self) -> None:
        """Use new connections from now on."""
        self._pool.empty()

    def close(self) -> None:
        """Close all connections, and open no more."""
        self._pool.close()

    def _exchange(self, commands: Sequence[bytes], answers: list[Answer], ends_at: float) -> None:
        if self._pool.is_closed:
            raise StoreClosedError
        connection = self._pool.take() or self._opened(ends_at)
        with contextlib.ExitStack() as spent:
            spent.callback(connection.close)
            connection.run(commands, answers, ends_at)
            spent.pop_all()
        self._pool.give(connection)

    def _connected(self, ends_at: float) -> Connection:
        connected = connect(self._valkey, ends_at, clock=self._clock, tls=self._tls)
        password = self._password.text
        greeting = (auth(self._valkey.username, password),) if password else ()
        return Connection(connected, greeting, self._clock)

    def _refusal(self, text: str, used: str, renewal_ends_at: float) -> Failed:
        """What an error of the server means; some have an effect here, such as a new password."""
        is_key_refused = KEY_REFUSED.match(text)
        if is_key_refused or first_word(text) in FAILED_OVER:
            self._pool.empty()
        if is_key_refused:
            may_ask = renewal_ends_at - self._clock() >= RENEWAL_S
            if self._password.renewed(used, may_ask=may_ask):
                return OTHER_KEY
        return refused(text, used)


def in_pipelines(
    items: Iterable[Item], command: Callable[[Item], bytes]
) -> Iterator[tuple[list[Item], list[bytes]]]:
    """Items with their commands, in groups that fit into one pipeline."""
    chunk: list[Item] = []
    commands: list[bytes] = []
    size = 0
    for item in items:
        chunk.append(item)
        commands.append(command(item))
        size += len(commands[-1])
        if len(chunk) == MAX_COMMANDS or size >= MAX_PIPELINE_BYTES:
            yield chunk, commands
            chunk, commands, size = [], [], 0
    if chunk:
        yield chunk, commands
