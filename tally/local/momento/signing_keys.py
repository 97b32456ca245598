"""Signing keys: ids that expire, which is all that an SDK sees of them. Nothing here signs."""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from tally.local.momento.errors import UNKNOWN_SIGNING_KEY, RefusedError

KEY_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A signing key; `expires_at` is in seconds since the epoch."""

    key_id: str
    expires_at: int

    @property
    def key(self) -> str:
        """The JSON Web Key that SDKs read `kid` from; it holds no secret."""
        return json.dumps({"kid": self.key_id})


class SigningKeys:
    """The signing keys of one server.

    Args:
        now_s: the time since the epoch, in seconds.
        new_id: a new id, drawn at random.
    """

    def __init__(
        self,
        now_s: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: secrets.token_hex(KEY_ID_BYTES),
    ) -> None:
        self._now_s = now_s
        self._new_id = new_id
        self._keys: dict[str, SigningKey] = {}

    def create(self, ttl_minutes: int) -> SigningKey:
        """A new key, which expires after so many minutes."""
        key = SigningKey(self._new_id(), int(self._now_s()) + ttl_minutes * 60)
        self._keys[key.key_id] = key
        return key

    def revoke(self, key_id: str) -> None:
        """Forget a key.

        Raises:
            RefusedError: there is none.
        """
        if key_id not in {key.key_id for key in self.listed()}:
            raise RefusedError(UNKNOWN_SIGNING_KEY)
        del self._keys[key_id]

    def listed(self) -> list[SigningKey]:
        """The keys that have not expired, in the order of their creation."""
        now_s = self._now_s()
        self._keys = {key.key_id: key for key in self._keys.values() if key.expires_at > now_s}
        return list(self._keys.values())
