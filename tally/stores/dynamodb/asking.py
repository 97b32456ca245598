"""The calls to DynamoDB, made in a thread; an error is part of their result, and not raised."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import botocore.exceptions as boto

from tally.stores.dynamodb.items import COUNTER, Item, Items, copy_of
from tally.stores.dynamodb.troubles import (
    ERRORS,
    LATE,
    LOST_RACE,
    NO_ANSWER,
    UNPROCESSED,
    code_of,
)
from tally.stores.port import Copy, Failed, Swap


class Put(NamedTuple):
    """What came of a PutItem.

    Attributes:
        winner: the item that is there, if it is not the one that was seen.
        error: why the outcome is unknown.
    """

    winner: Copy | Failed | None
    error: Exception | Failed | None


class Batch(NamedTuple):
    """What came of a BatchGetItem and its repeats.

    Attributes:
        items: those that exist, by counter.
        left: the counters without an answer …
        error: … and why.
    """

    items: dict[str, Item]
    left: Sequence[str]
    error: Exception | Failed | None


def put(client: Any, items: Items, swap: Swap) -> Put:  # noqa: ANN401 (boto3's)
    """Swap."""
    answer = _asked(client.put_item, items.put(swap))
    if isinstance(answer, boto.ClientError) and code_of(answer) == LOST_RACE:
        response: Mapping[str, Any] = answer.response  # its type knows of no Item
        return Put(copy_of(response.get("Item")), None)
    if not isinstance(answer, Mapping):
        return Put(None, answer)
    # A 200 without a body, or with some proxy's, says nothing about an item.
    return Put(None, None if "ConsumedCapacity" in answer else NO_ANSWER)


def get(
    client: Any,  # noqa: ANN401 (boto3's)
    items: Items,
    counters: Sequence[str],
    is_late: Callable[[], bool],
) -> Batch:
    """Read.

    An answer ends at 16 MB, or when the table has no more units; what it leaves out is asked for
    again at once. If it holds nothing at all, the table throttles.
    """
    found: dict[str, Item] = {}
    left: Sequence[str] = list(dict.fromkeys(counters))
    while left:  # each answer but the last has at least one of them
        answer = _asked(client.batch_get_item, items.get(left))
        if not isinstance(answer, Mapping):
            return Batch(found, left, answer)
        if "Responses" not in answer:
            return Batch(found, left, NO_ANSWER)
        found |= {item[COUNTER]["S"]: item for item in answer["Responses"].get(items.table, ())}
        keys = answer.get("UnprocessedKeys", {}).get(items.table, {}).get("Keys", ())
        asked, left = left, [key[COUNTER]["S"] for key in keys]
        if len(left) >= len(asked):
            return Batch(found, left, UNPROCESSED)
        if is_late():
            break
    return Batch(found, left, LATE if left else None)


def _asked(
    call: Callable[..., Mapping[str, Any]], request: Mapping[str, Any]
) -> Mapping[str, Any] | Exception | Failed:
    try:
        return call(**request)
    except (boto.ReadTimeoutError, boto.ConnectTimeoutError):
        return LATE
    except ERRORS as error:
        return error
