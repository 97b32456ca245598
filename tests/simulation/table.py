"""A table of DynamoDB: its items now and before, the conditions of a put, and the ends of lives."""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, NamedTuple

import botocore.exceptions as boto

from tally.stores.dynamodb.items import token_of
from tests.simulation.account import Account, Life
from tests.simulation.facts import Delivery
from tests.simulation.faults import Fault
from tests.simulation.timeline import violated
from tests.simulation.world import World

NAME = "counters"
MAX_KEYS = 100
LOST_RACE = "ConditionalCheckFailedException"

MEMORY_S = 400.0
"""For how long the table remembers what it was; no copy is as old as that."""

MAX_EARLIER = 30
"""To how many states, each before one of the last puts, the table may be restored."""

MAX_LAG = 2.0
"""An item is deleted up to so many times its time to live after that is over."""

Item = Mapping[str, Any]


class Row(NamedTuple):
    """An item, and when DynamoDB deletes it, by the timeline; None if it never does."""

    item: Item
    gone_at_s: float | None


class State(NamedTuple):
    """What a counter's value has been since a time; None if there was none."""

    since_s: float
    value: bytes | None


class Table:
    """One table. Every read and every write is atomic, at the time at which it takes effect.

    Attributes:
        begun_at_s: of each value of a counter that was put, when the last such put had begun.
        lives: of each counter those that have ended.
        flush: is called when the table was restored, for the cache before it.
    """

    def __init__(self, world: World, random: Random) -> None:
        self.begun_at_s: dict[tuple[str, bytes], float] = {}
        self.lives: dict[str, list[Life]] = {}
        self._world = world
        self._random = random
        self._rows: dict[str, Row] = {}
        self._states: dict[str, list[State]] = {}
        self._earlier: list[tuple[dict[str, Row], dict[str, Account]]] = []
        self.flush: Callable[[], object] = dict

    def begin(self, counter: str, value: bytes | None) -> None:
        """What stands there before anyone writes: nothing, or a bare integer."""
        self._world.oracle.begins(counter, value)
        self._states[counter] = [State(0.0, value)]
        if value is not None:
            self._rows[counter] = Row(_item(counter, value), None)

    def spoil(self, counter: str, value: bytes) -> None:
        """What stands there is no counter."""
        self._world.oracle.forbids(counter)
        self._rows[counter] = Row(_item(counter, value), None)

    def get(self, counter: str) -> bytes | None:
        """What a counter's value is now."""
        row = self._row(counter)
        return row.item["value"]["B"] if row else None

    def states(self, counter: str, since_s: float) -> Iterator[bytes | None]:
        """What a counter's value has been at any time since one."""
        self.get(counter)  # which may end a life
        until_s = self._world.timeline.now_s
        for state in reversed(self._states[counter]):
            if until_s < since_s:
                break
            yield state.value
            until_s = state.since_s

    def accounts(self, counter: str, since_s: float) -> Iterator[Account]:
        """What is true of a counter, and was of its lives that ended since a time."""
        self.get(counter)
        yield self._world.oracle.accounts[counter]
        for life in self.lives.get(counter, ()):
            if life.ended_at_s >= since_s:
                yield life.account

    def befall(self) -> None:
        """Perhaps somebody restores the table here to what it was, and flushes the cache."""
        if not (self._earlier and self._world.dice.strikes(Fault.TABLE_RESTORED)):
            return
        oracle, now_s = self._world.oracle, self._world.timeline.now_s
        for counter, account in oracle.accounts.items():
            self.lives.setdefault(counter, []).append(Life(now_s, account))
        place = self._random.randrange(len(self._earlier))
        self._rows, truth = self._earlier[place]
        del self._earlier[place:]
        oracle.restores(truth)
        self._world.note("restored")
        for counter in truth:
            row = self._rows.get(counter)
            self._remember(counter, row.item["value"]["B"] if row else None)
        self.flush()

    def batch(self, request: Mapping[str, Any]) -> Any:
        """A BatchGetItem's answer: items in any order, perhaps without some keys or all of them."""
        [(name, asked)] = request["RequestItems"].items()
        _check_table(name)
        keys = list(asked["Keys"])
        names = [key["counter"]["S"] for key in keys]
        if len(set(names)) < len(names) or not 0 < len(names) <= MAX_KEYS:
            violated(f"asked for {names}")
        left: list[Any] = []
        if self._world.dice.strikes(Fault.UNPROCESSED):
            left = [keys.pop() for _ in range(self._random.randint(1, len(keys)))]
        rows = [self._read(key["counter"]["S"], asked) for key in keys]
        self._random.shuffle(rows)
        return {
            "Responses": {NAME: [row for row in rows if row is not None]},
            "UnprocessedKeys": {NAME: {"Keys": left}} if left else {},
        }

    def put(self, request: Mapping[str, Any], delivery: Delivery, began_at_s: float) -> Any:
        """A PutItem's answer, or the error by which a race is lost.

        Args:
            request: what was sent …
            delivery: … by who was handed this …
            began_at_s: … and when that was begun.
        """
        _check_table(request["TableName"])
        item = request["Item"]
        counter = item["counter"]["S"]
        row = self._row(counter)
        found = row.item if row else None
        if not _is_met(request, found):
            told = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            return refusal(LOST_RACE, **({"Item": found} if told and found else {}))
        value = item["value"]["B"]
        self._check(counter, value, item)
        if Fault.TABLE_RESTORED in self._world.plan.rates:
            self._earlier.append((self._rows.copy(), self._world.oracle.snapshot()))
            del self._earlier[:-MAX_EARLIER]
            if counter not in self._world.oracle.untouchable:
                self._world.oracle.separates(counter)
        self._rows[counter] = Row(item, self._gone_at_s(item))
        self._world.note("stored", counter, value)
        self._remember(counter, value)
        begun = self.begun_at_s.get((counter, value), began_at_s)
        self.begun_at_s[counter, value] = max(begun, began_at_s)
        self._world.totals["decisions"] += self._world.oracle.writes(counter, value, delivery)
        self._world.totals["writes"] += 1
        if any(life.ended_at_s > began_at_s for life in self.lives.get(counter, ())[-1:]):
            self._world.totals["writes in a later life"] += 1
        is_told = request.get("ReturnConsumedCapacity") == "TOTAL"
        return {"ConsumedCapacity": {"TableName": NAME, "CapacityUnits": 1.0}} if is_told else {}

    def _read(self, counter: str, asked: Mapping[str, Any]) -> Item | None:
        row = self._row(counter)
        past = self._states.get(counter)
        if not asked.get("ConsistentRead") and past and self._world.dice.strikes(Fault.STALE):
            value = self._random.choice(past).value
            return None if value is None else _item(counter, value)
        return row.item if row else None

    def _row(self, counter: str) -> Row | None:
        """What stands there; DynamoDB deletes in its own time, and shows all until then."""
        row = self._rows.get(counter)
        if row is None or row.gone_at_s is None or row.gone_at_s > self._world.timeline.now_s:
            return row
        del self._rows[counter]
        self._world.note("deleted", counter)
        self._world.totals["lives ended"] += 1
        lives = self.lives.setdefault(counter, [])
        lives.append(Life(row.gone_at_s, self._world.oracle.accounts[counter]))
        self._states[counter].append(State(row.gone_at_s, None))
        self._world.oracle.begins(counter, None)
        return None

    def _gone_at_s(self, item: Item) -> float | None:
        if not self._world.plan.expires:
            return None
        ends_at_s = max(float(item["expires"]["N"]), self._world.timeline.now_s)
        return ends_at_s + self._random.uniform(0.0, MAX_LAG * self._world.plan.ttl_s)

    def _check(self, counter: str, value: bytes, item: Item) -> None:
        """The attributes say what the value does."""
        head = value.partition(b"\n")[0].decode()
        told = {name: attribute for name, attribute in item.items() if name in {"count", "expires"}}
        truth = {"count": {"N": head}}
        if self._world.plan.expires:
            # What a request says was true when it was written down.
            truth["expires"] = told.get("expires", {"N": "none"})
            if float(truth["expires"]["N"]) > self._world.timeline.now_s + self._world.plan.ttl_s:
                violated(f"is to live too long: {told}")
        if told != truth or item.keys() - told.keys() != {"counter", "value", "token"}:
            violated(f"wrote {item} of {counter}")

    def _remember(self, counter: str, value: bytes | None) -> None:
        now_s = self._world.timeline.now_s
        states = self._states.setdefault(counter, [])
        states.append(State(now_s, value))
        old = sum(state.since_s < now_s - MEMORY_S for state in states)
        del states[: max(0, old - 1)]  # the last of them was still true then


def refusal(code: str, **members: Any) -> boto.ClientError:
    """DynamoDB's error, as boto3 raises it."""
    response: Any = {"Error": {"Code": code, "Message": ""}, **members}
    return boto.ClientError(response, "PutItem")


def _item(counter: str, value: bytes) -> Item:
    """An item as it is by hand or by an earlier program: right, but for what `value` is."""
    return {"counter": {"S": counter}, "value": {"B": value}, "token": {"B": token_of(value)}}


def _is_met(request: Mapping[str, Any], found: Item | None) -> bool:
    """Whether the condition of a put is met; DynamoDB's language has more than is read here."""
    condition = request.get("ConditionExpression")
    if condition is None:
        return True
    names = request["ExpressionAttributeNames"]
    values = request.get("ExpressionAttributeValues", {})
    for part in condition.split(" OR "):
        if part == "attribute_not_exists(#counter)":
            is_met = found is None or names["#counter"] not in found
        elif part == "#token = :seen":
            is_met = found is not None and found.get(names["#token"]) == values[":seen"]
        else:
            violated(f"sent the condition {condition}")
        if is_met:
            return True
    return False


def _check_table(name: str) -> None:
    if name != NAME:
        violated(f"asked for the table {name}")
