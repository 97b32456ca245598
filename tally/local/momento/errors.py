"""Why the server refuses a call: every exception of this package, each with its gRPC status."""

from typing import ClassVar


class RefusedError(Exception):
    """A call that is answered with an error; its text becomes the details of the status.

    Attributes:
        status: the name of the gRPC status.
        text: what the details say, unless the constructor is told something else.
        cause: the `err` trailer, from which SDKs choose their message; empty for none.
    """

    status: str
    text: ClassVar[str] = ""
    cause: str = ""

    def __init__(self, text: str = "") -> None:
        super().__init__(text or self.text)


class NoCacheNameError(RefusedError):
    """A call that names no cache, or an empty name."""

    status = "INVALID_ARGUMENT"
    text = "the name of a cache is missing or empty"


class NoTtlError(RefusedError):
    """A time to live of 0, which SDKs refuse on their side."""

    status = "INVALID_ARGUMENT"
    text = "the time to live must be more than 0 ms"


class NoConditionError(RefusedError):
    """A conditional call without one of its conditions."""

    status = "INVALID_ARGUMENT"
    text = "a condition is required"


class UnauthenticatedError(RefusedError):
    """The server has a list of accepted keys, and the caller's is not on it."""

    status = "UNAUTHENTICATED"
    text = "the key is not accepted"


class UnknownCacheError(RefusedError):
    """There is no cache of this name.

    The text must not say "Store with name:": the JS SDK would take the cache for a Momento store.
    """

    status = "NOT_FOUND"

    def __init__(self, name: str) -> None:
        super().__init__(f"cache not found: {name}")


class CacheExistsError(RefusedError):
    """There is a cache of this name already; SDKs do not treat it as an error."""

    status = "ALREADY_EXISTS"

    def __init__(self, name: str) -> None:
        super().__init__(f"cache already exists: {name}")


class UnknownSigningKeyError(RefusedError):
    """There is no signing key of this id, or it has expired."""

    status = "NOT_FOUND"
    text = "signing key not found"


class NotAnIntegerError(RefusedError):
    """An increment of something that is no integer."""

    status = "FAILED_PRECONDITION"
    text = "the value of the item is not a base-10 integer of 64 bits"


class SumOverflowError(RefusedError):
    """An increment past the 64 bits of a counter; which status Momento gives is not published."""

    status = "FAILED_PRECONDITION"
    text = "the sum does not fit a signed 64-bit integer"


class ItemTooLargeError(RefusedError):
    """Key and value are longer than an item may be.

    The JS SDK looks for "item size" in the text, and the others for the trailer.
    """

    status = "RESOURCE_EXHAUSTED"
    cause = "item_size_limit_exceeded"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"item size limit exceeded: {size_bytes} bytes, over {limit_bytes}")


class BadFaultError(RefusedError):
    """A fault header that cannot be followed; a test must not pass for want of its fault."""

    status = "INVALID_ARGUMENT"

    def __init__(self, header: str) -> None:
        super().__init__(f"the fault header {header} has a value that it cannot have")


class InjectedError(RefusedError):
    """The error that a caller's own headers asked for, or the server's plan of faults."""

    text = "injected on demand"

    def __init__(self, status: str) -> None:
        super().__init__()
        self.status = status
        if status == "RESOURCE_EXHAUSTED":
            self.cause = "operations_rate_limit_exceeded"
