"""What to do about a failed call to Momento: a table of every gRPC status."""

from typing import Any

from grpc import StatusCode

from tally.stores.port import Failed, Trouble

TROUBLES = {
    StatusCode.UNAVAILABLE: Trouble.UNKNOWN_OUTCOME,
    StatusCode.DEADLINE_EXCEEDED: Trouble.UNKNOWN_OUTCOME,
    StatusCode.INTERNAL: Trouble.UNKNOWN_OUTCOME,
    StatusCode.ABORTED: Trouble.UNKNOWN_OUTCOME,
    StatusCode.CANCELLED: Trouble.UNKNOWN_OUTCOME,
    StatusCode.UNKNOWN: Trouble.UNKNOWN_OUTCOME,
    StatusCode.DATA_LOSS: Trouble.UNKNOWN_OUTCOME,
    StatusCode.RESOURCE_EXHAUSTED: Trouble.THROTTLED,
    StatusCode.INVALID_ARGUMENT: Trouble.REFUSED,
    StatusCode.FAILED_PRECONDITION: Trouble.REFUSED,
    StatusCode.OUT_OF_RANGE: Trouble.REFUSED,
    StatusCode.ALREADY_EXISTS: Trouble.REFUSED,
    StatusCode.UNAUTHENTICATED: Trouble.BROKEN_SETUP,
    StatusCode.PERMISSION_DENIED: Trouble.BROKEN_SETUP,
    StatusCode.NOT_FOUND: Trouble.BROKEN_SETUP,
    StatusCode.UNIMPLEMENTED: Trouble.BROKEN_SETUP,
}
"""Every status but OK is in one class, and none in NOT_SENT; a test walks the enum."""


KEY_REFUSED = frozenset({StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED})
"""What Momento says if a key is wrong, or no longer right."""


def failed(error: Any, key: str) -> Failed:  # noqa: ANN401 (RpcError's type hides code and details)
    """What a gRPC error means; Momento's text is kept, without the key if that is in it."""
    status = error.code()
    detail = f"{status.name}: {error.details()}" if error.details() else status.name
    detail = detail.replace(key, "…") if key else detail
    return Failed(TROUBLES[status], detail, is_missing=status is StatusCode.NOT_FOUND)


def is_silence(error: Any) -> bool:  # noqa: ANN401 (RpcError's again)
    """Whether nothing answered until the deadline, as on a connection that has gone silent."""
    return error.code() is StatusCode.DEADLINE_EXCEEDED
