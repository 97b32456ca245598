"""Two tables of DynamoDB, one request at a time, and the truth of every write to a counter.

A peer of DynamoDB for the requests that are made here, and no others. moto does the same, and is
too slow by far: it copies a table for each transaction. One test holds both to the same answers.
"""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.dynamodb import peers
from benchmarks.recipes.truth import Key, Truth
from tally.stores.dynamodb.items import COUNT, COUNTER, READ_UNIT_BYTES, TOKEN, VALUE

TRANSACTION_S = 0.005
"""How long a transaction takes. Meanwhile it holds its items, and another one on them is cancelled.
It is a guess: DynamoDB promises nothing."""

TOKEN_KEPT_S = 600.0
"""How long DynamoDB knows a transaction by its ClientRequestToken."""

Item = dict[str, Any]

CONDITIONS: dict[str, Callable[[Item | None, Mapping[str, Any]], bool]] = {
    peers.NEW: lambda item, _: item is None,
    "attribute_not_exists(#counter)": lambda item, _: item is None,
    "#token = :seen": lambda item, values: item is not None and item[TOKEN] == values[":seen"],
    peers.ROOM: lambda item, values: item is None or _count(item) <= int(values[":most"]["N"]),
}
"""What each condition asks of the item that stands there."""


class Tables:
    """Counters and records; each request is atomic, at the time at which it takes effect.

    Attributes:
        units: what DynamoDB would bill, by the size of items.

    Args:
        truth: is told of every write to a counter.
        clock: in seconds.
    """

    def __init__(self, truth: Truth, clock: Callable[[], float]) -> None:
        self.units = 0
        self._truth = truth
        self._clock = clock
        self._items: dict[str, dict[str, Item]] = {name: {} for name in peers.KEYS}
        self._held_until_s: dict[tuple[str, str], float] = {}
        self._done: dict[str, float] = {}
        self._acts = {
            "PutItem": self._put_item,
            "UpdateItem": self._update_item,
            "BatchGetItem": self._batch_get_item,
            "TransactWriteItems": self._transact,
        }

    @property
    def records(self) -> int:
        """How many records of events are kept."""
        return len(self._items[peers.RECORDS])

    def act(self, name: str, request: Mapping[str, Any], subject: Key | None) -> Any:  # noqa: ANN401 (boto3's)
        """Do what a request asks for, and give the answer, or the error that answers it."""
        return self._acts[name](request, subject)

    def value(self, counter: str) -> bytes | None:
        """What a counter holds: count and ledger, or the count alone."""
        return _value(self._items[peers.COUNTERS].get(counter))

    def item(self, table: str, key: str) -> Item | None:
        """An item as it stands there."""
        return self._items[table].get(key)

    def _put_item(self, request: Mapping[str, Any], subject: Key | None) -> Any:  # noqa: ANN401 (boto3's)
        new, (place, seen) = request["Item"], self._found(request, request["Item"])
        if not _may(request, seen):
            self.units += peers.units([seen or {}])
            held = {} if seen is None else {"Item": seen}
            return refusal(peers.FULL, "PutItem", **held)
        self.units += peers.units([max(new, seen or {}, key=peers.size)])
        self._write(place, seen, new, subject)
        return {"ConsumedCapacity": {"CapacityUnits": 1.0}}

    def _update_item(self, request: Mapping[str, Any], subject: Key | None) -> Any:  # noqa: ANN401 (boto3's)
        place, seen = self._found(request, request["Key"])
        if not _may(request, seen):
            self.units += peers.units([seen or {}])
            return refusal(peers.FULL, "UpdateItem")
        new = _added(request, seen)
        self.units += peers.units([new])
        self._write(place, seen, new, subject)
        return {}

    def _batch_get_item(self, request: Mapping[str, Any], _subject: Key | None) -> Any:  # noqa: ANN401 (boto3's)
        [(table, asked)] = request["RequestItems"].items()
        found = [self._items[table].get(key[COUNTER]["S"]) for key in asked["Keys"]]
        self.units += sum(max(1, -(-peers.size(item or {}) // READ_UNIT_BYTES)) for item in found)
        items = [item for item in found if item is not None]
        return {"Responses": {table: items}, "UnprocessedKeys": {}}

    def _transact(self, request: Mapping[str, Any], subject: Key | None) -> Any:  # noqa: ANN401 (boto3's)
        """A record and a counter; nothing happens if one of the two may not."""
        now, token = self._clock(), request["ClientRequestToken"]
        put, update = request["TransactItems"][0]["Put"], request["TransactItems"][1]["Update"]
        found = [self._found(put, put["Item"]), self._found(update, update["Key"])]
        if now - self._done.get(token, -TOKEN_KEPT_S) < TOKEN_KEPT_S:
            self.units += peers.WRITES_OF_TRANSACTION * len(found)  # to read them
            return {}
        writes = [(put, put["Item"]), (update, _added(update, found[1][1]))]
        self.units += peers.units([item for _, item in writes], in_transaction=True)
        reasons = [
            self._reason(asked, place, seen, now)
            for (asked, _), (place, seen) in zip(writes, found, strict=True)
        ]
        if any(code != "None" for code in reasons):
            told = [{"Code": code} for code in reasons]
            return refusal(peers.CANCELLED, "TransactWriteItems", CancellationReasons=told)
        for (_, item), (place, seen) in zip(writes, found, strict=True):
            self._held_until_s[place] = now + TRANSACTION_S
            self._write(place, seen, item, subject)
        self._done[token] = now
        return {}

    def _reason(
        self, asked: Mapping[str, Any], place: tuple[str, str], seen: Item | None, now: float
    ) -> str:
        """Why a part of a transaction may not happen."""
        if now < self._held_until_s.get(place, now):
            return peers.CONFLICT
        return "None" if _may(asked, seen) else peers.CONDITION

    def _found(
        self, asked: Mapping[str, Any], key: Mapping[str, Any]
    ) -> tuple[tuple[str, str], Item | None]:
        table = asked["TableName"]
        name = key[peers.KEYS[table]]["S"]
        return (table, name), self._items[table].get(name)

    def _write(
        self, place: tuple[str, str], before: Item | None, after: Item, subject: Key | None
    ) -> None:
        table, name = place
        self._items[table][name] = after
        if table == peers.COUNTERS and self._truth.counts(name):
            told = {} if subject is None else {subject: 1}
            self._truth.writes(name, _value(before), _value(after) or b"", told)


def refusal(code: str, operation: str, **members: Any) -> ClientError:  # noqa: ANN401 (of the answer)
    """The error that boto3 raises for an answer."""
    response: Any = {
        "Error": {"Code": code, "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": 400},
        **members,
    }
    return ClientError(response, operation)


def _may(asked: Mapping[str, Any], seen: Item | None) -> bool:
    condition = CONDITIONS[asked["ConditionExpression"]]
    return condition(seen, asked.get("ExpressionAttributeValues", {}))


def _added(update: Mapping[str, Any], seen: Item | None) -> Item:
    amount = int(update["ExpressionAttributeValues"][":amount"]["N"])
    count = amount + (0 if seen is None else _count(seen))
    return {**(seen or update["Key"]), COUNT: {"N": str(count)}}


def _count(item: Item) -> int:
    return int(item[COUNT]["N"])


def _value(item: Item | None) -> bytes | None:
    if item is None:
        return None
    value: bytes = item[VALUE]["B"] if VALUE in item else item[COUNT]["N"].encode()
    return value
