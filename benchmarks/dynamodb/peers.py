"""What people would write on a table of DynamoDB instead: requests, what answers mean, and units.

Both ways are an event each. `add` is one UpdateItem, which counts again what is delivered again.
`transaction` also keeps a record of the event, and both happen or neither: it is right.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from tally.counters.event import Increment
from tally.stores.dynamodb.items import COUNT, COUNTER, EXPIRES, WRITE_UNIT_BYTES

COUNTERS, RECORDS = "counters", "records"
"""Tables. Records have one of their own, so that whoever reads or exports counters meets none."""

ID = "id"
KEYS = {COUNTERS: COUNTER, RECORDS: ID}
"""The partition key of each table, a string."""

KEPT_S = 86_400
"""How long a record is kept after the event, in seconds: the day that a ledger keeps a source."""

ROOM = "attribute_not_exists(#count) OR #count <= :most"
NEW = "attribute_not_exists(#id)"
ADD = "ADD #count :amount"

AMOUNT = 1
"""Of every increment of a comparison."""

CONDITION, CONFLICT = "ConditionalCheckFailed", "TransactionConflict"
"""Reasons of a transaction that was cancelled."""

PASSING = (CONFLICT, "ProvisionedThroughputExceeded", "ThrottlingError")
"""Reasons that pass."""

FULL, CANCELLED = "ConditionalCheckFailedException", "TransactionCanceledException"

WRITES_OF_TRANSACTION = 2
"""What a write in a transaction costs, in writes: DynamoDB prepares it, and then commits it."""

MAX_TRIES = 10
"""Of a transaction that met another one, before its message goes back to the queue."""

BACKOFF_S = 0.02
"""The longest wait after the first conflict, about a round trip; it doubles with each."""


class TooManyConflictsError(Exception):
    """Others were always there."""


class Meaning(enum.Enum):
    """What came of a request for an event."""

    COUNTED = "it is counted"
    REJECTED = "its bound is reached"
    DUPLICATE = "there is a record of it"
    AGAIN = "nothing happened, for a reason that passes"


def create(client: Any) -> None:  # noqa: ANN401 (boto3's)
    """Create both tables.

    Raises:
        BotoCoreError, ClientError: they cannot be created.
    """
    for table, key in KEYS.items():
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        )


def add(increment: Increment) -> dict[str, Any]:
    """An UpdateItem that adds if there is room."""
    return {
        "TableName": COUNTERS,
        "Key": {COUNTER: {"S": increment.counter}},
        "UpdateExpression": ADD,
        "ConditionExpression": ROOM,
        "ExpressionAttributeNames": {"#count": COUNT},
        "ExpressionAttributeValues": {
            ":amount": {"N": str(AMOUNT)},
            ":most": {"N": str(int(str(increment.max)) - AMOUNT)},
        },
    }


def transaction(increment: Increment) -> dict[str, Any]:
    """A TransactWriteItems: a record of the event, and its amount in the counter."""
    record = {
        ID: {"S": f"{increment.source}:{increment.seq}:{increment.counter}"},
        EXPIRES: {"N": str(int(str(increment.at)) // 1_000 + KEPT_S)},
    }
    put = {
        "TableName": RECORDS,
        "Item": record,
        "ConditionExpression": NEW,
        "ExpressionAttributeNames": {"#id": ID},
    }
    return {"TransactItems": [{"Put": put}, {"Update": add(increment)}]}


def add_once(client: Any, increment: Increment) -> Meaning:  # noqa: ANN401 (boto3's)
    """Add to a counter in one UpdateItem.

    Raises:
        BotoCoreError, ClientError: nobody knows whether it happened, or it cannot.
    """
    try:
        client.update_item(**add(increment))
    except ClientError as error:
        if _code(error) != FULL:
            raise
        return Meaning.REJECTED
    return Meaning.COUNTED


def count_once(
    client: Any,  # noqa: ANN401 (boto3's)
    increment: Increment,
    *,
    sleep: Callable[[float], object],
    uniform: Callable[[float, float], float],
) -> Meaning:
    """Count an event in a transaction with its record; conflicts are repeated, with jitter.

    Raises:
        TooManyConflictsError: there was one at each of MAX_TRIES.
        BotoCoreError, ClientError: nobody knows whether it happened, or it cannot.
    """
    request = transaction(increment)
    for number in range(MAX_TRIES):
        try:
            client.transact_write_items(**request)
        except ClientError as error:
            meaning = meaning_of(error)
        else:
            return Meaning.COUNTED
        if meaning is not Meaning.AGAIN:
            return meaning
        sleep(uniform(0.0, BACKOFF_S * 2**number))
    raise TooManyConflictsError


def meaning_of(error: ClientError) -> Meaning:
    """What the end of a transaction means, by its reasons: the record's is asked first.

    Raises:
        ClientError: the same, if it is another error.
    """
    if _code(error) != CANCELLED:
        raise error
    response: Mapping[str, Any] = error.response  # its type knows of no reasons
    record, counter = (reason.get("Code", "") for reason in response["CancellationReasons"])
    if record == CONDITION:
        return Meaning.DUPLICATE
    if record in PASSING or counter in PASSING:
        return Meaning.AGAIN
    if counter == CONDITION:
        return Meaning.REJECTED
    raise error


def size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """The bytes of an item as DynamoDB bills them, at most."""
    return sum(len(name.encode()) + _length(*value.values()) for name, value in item.items())


def units(items: Sequence[Mapping[str, Mapping[str, Any]]], *, in_transaction: bool = False) -> int:
    """The units of writing items, each by itself or all in a transaction.

    A transaction that is cancelled is counted whole: DynamoDB has prepared it.
    """
    each = WRITES_OF_TRANSACTION if in_transaction else 1
    return sum(each * max(1, -(-size(item) // WRITE_UNIT_BYTES)) for item in items)


def _length(value: str | bytes) -> int:
    """A number is no longer than its digits."""
    return len(value if isinstance(value, bytes) else value.encode())


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
