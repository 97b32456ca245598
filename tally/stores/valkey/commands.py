"""The commands that counters need, as bytes of the protocol RESP 2."""

import hashlib

from tally.stores.port import Swap

SWAP = b"""\
local found = redis.call('GET', KEYS[1])
if found ~= (ARGV[3] or false) then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
"""Sets a value if the key holds the bytes of ARGV[3], or if there is no key and no ARGV[3]. Else it
returns the present value: nil if there is none, never the integer 1, since a value is a string."""


class Commands:
    """Encodes commands.

    Args:
        ttl_ms: how long a counter lives after a swap, in ms.
    """

    def __init__(self, ttl_ms: int) -> None:
        # The server names a script by its SHA-1; nothing depends on that being secure.
        digest = hashlib.sha1(SWAP, usedforsecurity=False).hexdigest().encode()
        self._ttl = packed(b"%d" % ttl_ms)
        self._by_digest = packed(b"EVALSHA", digest, b"1")
        self._in_full = packed(b"EVAL", SWAP, b"1")

    def read(self, counter: str) -> bytes:
        """GET; MGET would hide a wrong type, and fail as a whole for one forbidden key."""
        return b"*2\r\n$3\r\nGET\r\n%b" % packed(counter.encode())

    def swap(self, swap: Swap) -> bytes:
        """The script by its digest; a server that does not know it answers NOSCRIPT."""
        return self._run(self._by_digest, swap)

    def swap_in_full(self, swap: Swap) -> bytes:
        """The swap with the script's text, which the server then knows."""
        return self._run(self._in_full, swap)

    def _run(self, script: bytes, swap: Swap) -> bytes:
        key, value = swap.counter.encode(), swap.value
        written = b"%b$%d\r\n%b\r\n$%d\r\n%b\r\n%b" % (
            *(script, len(key), key, len(value), value, self._ttl),
        )
        seen = swap.seen.value
        if seen is None:
            return b"*6\r\n%b" % written
        return b"*7\r\n%b$%d\r\n%b\r\n" % (written, len(seen), seen)


def auth(username: str, password: str) -> bytes:
    """AUTH; without a username, as the server's default user."""
    words = [word.encode() for word in ("AUTH", username, password) if word]
    return command(*words)


def command(*words: bytes) -> bytes:
    """Any command."""
    return b"*%d\r\n%b" % (len(words), packed(*words))


def packed(*words: bytes) -> bytes:
    """Words of a command, each with its length before it."""
    return b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])
