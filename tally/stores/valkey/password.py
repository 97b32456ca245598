"""The password of a store, and another one once it has been rotated."""

import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from tally.environment import PASSWORD, PASSWORD_SECRET, SettingsError, Valkey
from tally.stores.secret import secret_text

RENEW_EVERY_S = 60.0
"""Once in this time a refused password is fetched anew: one that stays wrong must not cost a call
of Secrets Manager for each batch."""

RENEWAL_S = 3.0
"""About what that may take. In a round it is not begun with less time left."""

RENEWAL: Mapping[str, Any] = MappingProxyType(
    {"connect_timeout_s": 1.0, "read_timeout_s": 2.0, "max_attempts": 1}
)


class Password:
    """The password in use, for any number of threads.

    Args:
        text: empty if the server asks for none.
        fetch: fetches it anew; None if nobody else knows it.
        wall_clock: the time of day, in seconds.
        patience_s: how long to wait for another thread that fetches it, in seconds.
    """

    def __init__(
        self,
        text: str,
        fetch: Callable[[], str] | None = None,
        wall_clock: Callable[[], float] = time.time,
        *,
        patience_s: float = RENEWAL_S,
    ) -> None:
        self.text = text
        self._fetch = fetch
        self._wall_clock = wall_clock
        self._asked_at = float("-inf")
        self._lock = threading.Lock()
        self._patience_s = patience_s

    def renewed(self, refused: str, *, may_ask: bool) -> bool:
        """Whether there is another password than the one that was refused.

        It goes by the time of day, since a frozen Lambda's password is rotated as any other.

        Args:
            refused: what the server did not take.
            may_ask: whether there is the time to fetch it here.
        """
        if self._fetch is None or not self._lock.acquire(timeout=self._patience_s):
            return False
        try:
            now = self._wall_clock()
            is_due = abs(now - self._asked_at) >= RENEW_EVERY_S
            if self.text == refused and may_ask and is_due:
                self._asked_at = now
                self.text = self._fetch()
        except SettingsError:
            return False  # the refusal itself is what is told
        finally:
            self._lock.release()
        return self.text != refused


def password_for(valkey: Valkey) -> Password:
    """The password as the settings mean it; a secret is fetched here.

    Raises:
        SettingsError: it has a line break or is empty, or its secret cannot be read.
    """
    secret = valkey.password_secret
    if not secret:
        return Password(_checked(valkey.password, PASSWORD) if valkey.password else "")

    def fetch() -> str:
        return _checked(secret_text(secret, PASSWORD_SECRET, RENEWAL), PASSWORD_SECRET)

    return Password(_checked(secret_text(secret, PASSWORD_SECRET), PASSWORD_SECRET), fetch)


def _checked(password: str, variable: str) -> str:
    if password and password.isprintable():
        return password
    raise SettingsError([f"{variable} holds a password that is empty or has a line break in it"])
