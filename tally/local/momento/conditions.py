"""When SetIf and SetIfHash store."""

import hashlib


def value_hash(value: bytes) -> bytes:
    """The hash that GetWithHash and SetIfHash tell of a value.

    Momento says only that it is computed on the value: equal values have equal hashes, under any
    key and at any time, so a value that returns brings its hash back.
    """
    return hashlib.sha256(value).digest()


def is_met(condition: str, current: bytes | None, operand: bytes) -> bool:
    """Whether to store.

    Args:
        condition: the name of its field in the request.
        current: the value that is there, for SetIfHash its hash; None where nothing is.
        operand: what the caller compares it with, if the condition compares.
    """
    present, equal = current is not None, current == operand
    return {
        "absent": not present,
        "present": present,
        "equal": equal,
        "not_equal": not equal,
        "present_and_not_equal": present and not equal,
        "absent_or_equal": not present or equal,
        "present_and_hash_equal": equal,
        "present_and_not_hash_equal": present and not equal,
        "absent_or_hash_equal": not present or equal,
        "absent_or_not_hash_equal": not equal,
        "unconditional": True,
    }[condition]
