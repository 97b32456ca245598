"""boto3's client, and the threads that wait in it, on virtual time.

Each call of the store blocks in a thread. Here no thread blocks: the code of a call is run up to
the request whose answer has not come, and once that has, from its start with all answers so far.
It may not depend on anything but these.
"""

from collections import deque
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, NamedTuple

import botocore.exceptions as boto
from botocore.parsers import ResponseParserError

from tests.simulation.faults import Fault
from tests.simulation.network import BUSY_S, IDLE_S, LATE_S, LATENCY_S, SLOW_S, Caller
from tests.simulation.table import Table, refusal
from tests.simulation.world import World

FREEZE_S = 20.0
"""How long a freeze may last, all but its calls in flight standing still …"""

SIGNED_S = 5.0
"""… and how old a signature may be: DynamoDB takes one for five minutes, but runs are short."""

URL = "https://dynamodb.eu-central-1.amazonaws.com"
LOST: tuple[Callable[[], Exception], ...] = (
    lambda: boto.EndpointConnectionError(endpoint_url=URL),
    lambda: boto.ConnectTimeoutError(endpoint_url=URL),
    lambda: boto.ReadTimeoutError(endpoint_url=URL),
    lambda: boto.ConnectionClosedError(endpoint_url=URL),
    lambda: refusal("InternalServerError"),
    lambda: refusal("ServiceUnavailable"),
    lambda: refusal("TransactionConflictException"),
)
"""What is told of a request that never took effect …"""

UNANSWERED: tuple[Callable[[], Any], ...] = (
    lambda: boto.ReadTimeoutError(endpoint_url=URL),
    lambda: boto.ConnectionClosedError(endpoint_url=URL),
    lambda: ResponseParserError("no JSON"),
    lambda: refusal("InternalServerError"),
    dict,
)
"""… and of one that may have: an error, or a body that is not there."""

THROTTLES = (
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
)
REFUSALS = ("ValidationException", "ItemCollectionSizeLimitExceededException")
BREAKS = ("AccessDeniedException", "ResourceNotFoundException", "ExpiredTokenException")
UNSIGNED = ("InvalidSignatureException", "RequestExpired")


class AskedError(BaseException):
    """The code of a call has come to a request that is to be sent now.

    Not an Exception, so that no code on its way takes it for an error of its own.
    """

    def __init__(self, name: str, request: Mapping[str, Any]) -> None:
        self.name = name
        self.request = request


class Client:
    """A peer of boto3's client: it gives the answers that have come, and asks for the next one.

    Attributes:
        troubles: how many requests did not have DynamoDB's answer at once.
    """

    def __init__(self, world: World, table: Table, caller: Caller, random: Random) -> None:
        self.world = world
        self.table = table
        self.caller = caller
        self.random = random
        self.troubles = 0
        self._used_at_s = 0.0
        self._answers: list[Any] = []

    def close(self) -> None:
        """Nothing is open."""

    def put_item(self, **request: Any) -> Any:
        return self._next("PutItem", request)

    def batch_get_item(self, **request: Any) -> Any:
        return self._next("BatchGetItem", request)

    def play(self, ask: Callable[["Client"], Any], answers: list[Any]) -> Any:
        """What comes of a call's code by the answers so far.

        Raises:
            AskedError: they do not suffice.
        """
        self._answers = answers[::-1]
        return ask(self)

    def woke_dead(self) -> bool:
        """Whether the connection is gone since its last request."""
        idle_s = self.world.timeline.now_s - self._used_at_s
        self._used_at_s = self.world.timeline.now_s
        return idle_s > IDLE_S and self.world.dice.strikes(Fault.DEAD_CHANNEL)

    def _next(self, name: str, request: Mapping[str, Any]) -> Any:
        if not self._answers:
            raise AskedError(name, request)
        answer = self._answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Threads:
    """A peer of the threads in which a store calls."""

    def __init__(self, most: int, _name: str) -> None:
        self._most = most
        self._running: list[Flight] = []
        self._line: deque[Flight] = deque()

    def submit(self, ask: Callable[[Client], Any], client: Client) -> "Flight":
        """Begin a call, unless the caller ends here; it may freeze before its request leaves."""
        world, caller, random = client.world, client.caller, client.random
        began_at_s = world.timeline.now_s
        if world.dice.strikes(Fault.BUSY):
            caller.sleep_until(world.timeline.now_s + random.uniform(0.0, BUSY_S))
        caller.lives()
        frozen_s = random.uniform(0.0, FREEZE_S) if world.dice.strikes(Fault.FROZEN) else 0.0
        flight = Flight(ask, client, began_at_s, self._end)
        self._line.append(flight)
        if len(self._running) == self._most:
            world.totals["calls that waited for a thread"] += 1
        self._begin(frozen_s)
        return flight

    def leave(self) -> None:
        """Each call that has begun ends in its own time."""
        for flight in self._line:
            flight.cancel()

    def _begin(self, frozen_s: float = 0.0) -> None:
        """Let the first in line begin, if a thread is free."""
        while self._line and len(self._running) < self._most:
            flight = self._line.popleft()
            if not flight.cancelled():
                self._running.append(flight)
                flight.begin(frozen_s)

    def _end(self, flight: "Flight") -> None:
        self._running.remove(flight)
        self._begin()


class Fate(NamedTuple):
    """What befalls a request.

    Attributes:
        acts: whether it takes effect …
        there_s: … so many seconds after it was sent.
        answer_s: when there is an answer …
        says: … which is that, and not DynamoDB's own; None if there is none.
    """

    acts: bool
    there_s: float
    answer_s: float
    says: Any = None


class Flight:
    """A peer of Future: a call, with all its requests."""

    def __init__(
        self,
        ask: Callable[[Client], Any],
        client: Client,
        began_at_s: float,
        ended: Callable[["Flight"], object],
    ) -> None:
        self._began_at_s = began_at_s
        self._ended = ended
        self._has_begun = self._is_cancelled = False
        self._ask = ask
        self._client = client
        self._delivery = client.caller.delivery
        self._answers: list[Any] = []
        self._result: Any = None
        self._is_done = False
        self._next_at_s = 0.0

    def begin(self, frozen_s: float) -> None:
        """A thread takes it, and may freeze before its request leaves."""
        self._has_begun = True
        self._go_on(frozen_s)

    def result(self, timeout_s: float = 0.0) -> Any:
        """Wait for what comes of it."""
        timeline, caller = self._client.world.timeline, self._client.caller
        ends_at_s = timeline.now_s + timeout_s
        while not self._is_done and timeline.now_s < ends_at_s:
            next_s = self._next_at_s if self._has_begun else timeline.now_s + LATENCY_S
            caller.sleep_until(min(next_s, ends_at_s))
        caller.lives()
        if not self._is_done:
            self._client.troubles += 1
            raise TimeoutError
        return self._result

    def done(self) -> bool:
        return self._is_done

    def cancel(self) -> bool:
        """Leave the line; what has begun ends in its own time."""
        self._is_cancelled = not self._has_begun
        return self._is_cancelled

    def cancelled(self) -> bool:
        return self._is_cancelled

    def _go_on(self, frozen_s: float) -> None:
        try:
            self._result = self._client.play(self._ask, self._answers)
        except AskedError as asked:
            timeline = self._client.world.timeline
            if frozen_s:  # between the signature and the first byte
                self._client.caller.sleep_until(timeline.now_s + frozen_s)
            self._send(asked.name, asked.request, frozen_s)
        else:
            self._is_done = True
            self._ended(self)

    def _send(self, name: str, request: Mapping[str, Any], frozen_s: float) -> None:
        world = self._client.world
        self._client.table.befall()
        fate = self._fate(frozen_s)
        self._client.troubles += fate.says is not None
        world.totals["calls"] += 1
        world.note("sent", name, _shown(request), fate.acts, repr(fate.says or ""))
        told = [fate.says]

        def act() -> None:
            effect = self._act(name, request)
            if fate.says is None:
                told[0] = effect
                self._client.troubles += bool(_unprocessed(effect))

        def hear() -> None:
            world.note("answered", name, type(told[0]).__name__)
            self._answers.append(told[0])
            self._go_on(0.0)

        if fate.acts:
            world.timeline.at(world.timeline.now_s + fate.there_s, act)
        self._next_at_s = world.timeline.now_s + fate.answer_s
        world.timeline.at(self._next_at_s, hear)

    def _act(self, name: str, request: Mapping[str, Any]) -> Any:
        table = self._client.table
        if name == "PutItem":
            return table.put(request, self._delivery, self._began_at_s)
        return table.batch(request)

    def _fate(self, frozen_s: float) -> Fate:
        """Draw what befalls a request."""
        client, random = self._client, self._client.random
        there_s = random.uniform(0.0, LATENCY_S)
        answer_s = there_s + random.uniform(0.0, LATENCY_S)
        whole = Fate(acts=True, there_s=there_s, answer_s=answer_s)
        if frozen_s > SIGNED_S:
            return _refused(whole, UNSIGNED, random)
        if client.woke_dead():
            return _lost(whole, random)
        for kind, befall in _FATES:
            if client.world.dice.strikes(kind):
                return befall(whole, random)
        return whole


def _unprocessed(effect: Any) -> Any:
    return effect.get("UnprocessedKeys") if isinstance(effect, dict) else None


def _shown(request: Mapping[str, Any]) -> str:
    """What a request is about, for the history."""
    if "Item" in request:
        return f"{request['Item']['counter']['S']} if {request.get('ConditionExpression')}"
    [asked] = request["RequestItems"].values()
    return " ".join(key["counter"]["S"] for key in asked["Keys"])


def _lost(fate: Fate, random: Random) -> Fate:
    answer_s = random.choice((0.0, LATENCY_S, SLOW_S))
    return fate._replace(acts=False, says=random.choice(LOST)(), answer_s=answer_s)


def _unanswered(fate: Fate, random: Random) -> Fate:
    answer_s = fate.there_s + random.choice((0.0, LATENCY_S, SLOW_S))
    return fate._replace(says=random.choice(UNANSWERED)(), answer_s=answer_s)


def _late(fate: Fate, random: Random) -> Fate:
    """It acts after the client was told of an error, or gave up: in a later round, or life."""
    answer_s = random.choice((LATENCY_S, SLOW_S))
    there_s = random.uniform(0.0, LATE_S)
    return fate._replace(there_s=there_s, says=random.choice(UNANSWERED)(), answer_s=answer_s)


def _slow(fate: Fate, random: Random) -> Fate:
    there_s = random.uniform(0.0, SLOW_S)
    return fate._replace(there_s=there_s, answer_s=there_s + random.uniform(0.0, SLOW_S))


def _refused(fate: Fate, codes: tuple[str, ...], random: Random) -> Fate:
    return fate._replace(acts=False, says=refusal(random.choice(codes)))


_FATES: tuple[tuple[Fault, Callable[[Fate, Random], Fate]], ...] = (
    (Fault.REQUEST_LOST, _lost),
    (Fault.ANSWER_LOST, _unanswered),
    (Fault.LATE, _late),
    (Fault.SLOW, _slow),
    (Fault.THROTTLED, lambda fate, random: _refused(fate, THROTTLES, random)),
    (Fault.REFUSED, lambda fate, random: _refused(fate, REFUSALS, random)),
    (Fault.BROKEN_SETUP, lambda fate, random: _refused(fate, BREAKS, random)),
)
"""What may befall a request."""
