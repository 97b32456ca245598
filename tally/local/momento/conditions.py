"""When SetIf and SetIfHash store: one predicate for each condition of the two calls."""

import hashlib
from collections.abc import Callable, Mapping

Condition = Callable[[bytes | None, bytes], bool]
"""Tells from what is there (None: nothing) and the caller's operand whether to store."""


def value_hash(value: bytes) -> bytes:
    """The hash that GetWithHash and SetIfHash tell of a value.

    Momento says only that it is computed on the value: equal values have equal hashes, under any
    key and at any time, so a value that returns brings its hash back.
    """
    return hashlib.sha256(value).digest()


def _always(_current: bytes | None, _operand: bytes) -> bool:
    return True


def _absent(current: bytes | None, _operand: bytes) -> bool:
    return current is None


def _present(current: bytes | None, _operand: bytes) -> bool:
    return current is not None


def _equal(current: bytes | None, operand: bytes) -> bool:
    return current == operand


def _not_equal(current: bytes | None, operand: bytes) -> bool:
    return current != operand


def _present_and_not_equal(current: bytes | None, operand: bytes) -> bool:
    return current is not None and current != operand


def _absent_or_equal(current: bytes | None, operand: bytes) -> bool:
    return current is None or current == operand


ON_VALUE: Mapping[str, Condition] = {
    "absent": _absent,
    "present": _present,
    "equal": _equal,
    "not_equal": _not_equal,
    "present_and_not_equal": _present_and_not_equal,
    "absent_or_equal": _absent_or_equal,
}
"""The conditions of SetIf; the operand is `value_to_check`."""

ON_HASH: Mapping[str, Condition] = {
    "present_and_hash_equal": _equal,
    "present_and_not_hash_equal": _present_and_not_equal,
    "absent_or_hash_equal": _absent_or_equal,
    "absent_or_not_hash_equal": _not_equal,
    "unconditional": _always,
}
"""The conditions of SetIfHash; both sides are hashes, and the operand is `hash_to_check`."""
