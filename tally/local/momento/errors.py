"""Why the server refuses a call: every reason, and the one error that carries it."""

from typing import NamedTuple


class Refusal(NamedTuple):
    """What the caller gets: the name of a gRPC status, and its details.

    `about` fills the blanks of the text. SDKs choose their message by the `err` trailer.
    """

    status: str
    text: str
    trailer: str = ""

    def about(self, *facts: object) -> "Refusal":
        """The same refusal, with the facts of this call in its text."""
        return self._replace(text=self.text.format(*facts))


class RefusedError(Exception):
    """A call that is answered with an error, and the refusal that its caller gets."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal

    def __str__(self) -> str:
        return self.refusal.text


NO_CACHE_NAME = Refusal("INVALID_ARGUMENT", "the name of a cache is missing or empty")
NO_TTL = Refusal("INVALID_ARGUMENT", "the time to live must be more than 0 ms")
NO_CONDITION = Refusal("INVALID_ARGUMENT", "a condition is required")
BAD_FAULT = Refusal("INVALID_ARGUMENT", "the fault header {} has a value that it cannot have")
"""A test must not pass because its fault was ignored."""

UNAUTHENTICATED = Refusal("UNAUTHENTICATED", "the key is not accepted")
UNKNOWN_CACHE = Refusal("NOT_FOUND", "cache not found: {}")
"""Must not say "Store with name:": the JS SDK would take the cache for a Momento store."""

CACHE_EXISTS = Refusal("ALREADY_EXISTS", "cache already exists: {}")
UNKNOWN_SIGNING_KEY = Refusal("NOT_FOUND", "signing key not found")
NOT_AN_INTEGER = Refusal(
    "FAILED_PRECONDITION", "failed to parse value: it is not a base-10 integer of 64 bits"
)
"""An SDK's test looks for the first words."""

SUM_OVERFLOW = Refusal("FAILED_PRECONDITION", "the sum does not fit a signed 64-bit integer")
"""Which status Momento gives is not published."""

REQUEST_TOO_LARGE = Refusal(
    "RESOURCE_EXHAUSTED",
    "request limit exceeded: {} bytes, over {}",
    "request_size_limit_exceeded",
)
"""The JS SDK looks for "request limit" in the text, and the others for the trailer."""

ITEM_TOO_LARGE = Refusal(
    "RESOURCE_EXHAUSTED",
    "item size limit exceeded: {} bytes, over {}",
    "item_size_limit_exceeded",
)
"""The same, with "item size"."""


def injected(status: str) -> Refusal:
    """The refusal that a caller's own headers ask for, or the server's plan of faults."""
    throttled = status == "RESOURCE_EXHAUSTED"
    trailer = "operations_rate_limit_exceeded" if throttled else ""
    return Refusal(status, "injected on demand", trailer)
