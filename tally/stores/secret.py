"""A store's key or password from Secrets Manager, fetched again once it has been rotated."""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from tally.environment import SettingsError
from tally.stores.port import Failed, Trouble

SECRET_PATIENCE: Mapping[str, Any] = MappingProxyType(
    {"connect_timeout_s": 5.0, "read_timeout_s": 5.0, "max_attempts": 2}
)
"""How long Secrets Manager may take to connect, and then be silent; and how often it is asked.
boto3's own, a minute each and five times, outlive the Lambda that waits."""

_ARN = re.compile("arn:[a-z-]+:secretsmanager:([a-z0-9-]+):")

RENEW_EVERY_S = 60.0
"""A refused key is fetched again at most once in this time: if it stays wrong, it must not cost a
call of Secrets Manager for each batch."""

RENEWAL_S = 3.0
"""About how long fetching may take. In a round it does not begin with less time left."""

RENEWAL: Mapping[str, Any] = MappingProxyType(
    {"connect_timeout_s": 1.0, "read_timeout_s": 2.0, "max_attempts": 1}
)

OTHER_KEY = Failed(
    Trouble.UNKNOWN_OUTCOME, "the key was refused, and another one was fetched from its secret"
)
"""The result of a call that was refused the old key: the next call has the new one."""


class Key:
    """The key or password in use, for any number of threads.

    Args:
        text: empty if the store asks for none.
        fetch: fetches it again; None if it is in no secret.
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
        """Whether there is now another key than the refused one.

        It goes by the time of day, since a frozen Lambda's key is rotated as any other.

        Args:
            refused: what the store did not take.
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
            return False  # the caller reports the refusal
        finally:
            self._lock.release()
        return self.text != refused


def secret_text(name: str, variable: str, patience: Mapping[str, Any] = SECRET_PATIENCE) -> str:
    """The text of a secret, asked for now.

    Args:
        name: its id.
        variable: the one that names it, for errors.
        patience: how long that may take, in `tally.aws.connect`'s words.

    Raises:
        SettingsError: it cannot be read, is no text, or is in another region than the one asked.
    """
    from tally import aws  # noqa: PLC0415 (boto3: nobody need wait for it whose key is in sight)

    try:
        with contextlib.closing(aws.connect("secretsmanager", **patience)) as client:
            _check_region(name, variable, client.meta.region_name)
            answer = client.get_secret_value(SecretId=name)
    except aws.CONNECT_ERRORS as error:
        # Without its text and its cause, which may quote the request that was signed.
        raise SettingsError([f"{variable} cannot be read: {aws.described(error)}"]) from None
    secret = answer.get("SecretString")
    if isinstance(secret, str):
        return secret
    raise SettingsError([f"{variable} holds no text"])


def _check_region(name: str, variable: str, asked: str) -> None:
    """Refuse an ARN of another region by name: Secrets Manager would say that there is no secret.

    Raises:
        SettingsError: it is of another region than the one asked.
    """
    found = _ARN.match(name)
    if found and found[1] != asked:
        problem = f"{variable} is the ARN of a secret in {found[1]}, and {asked} is asked"
        raise SettingsError([f"{problem}: give that of a secret, or of its replica, there"])
