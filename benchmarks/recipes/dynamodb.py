"""A peer of boto3's client of DynamoDB on virtual time: it waits, or is waited for in a thread."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import botocore.exceptions as boto

from benchmarks.recipes.cache import DEADLINE_S
from benchmarks.recipes.channel import Act, Call, Caller, Errors
from benchmarks.recipes.table import TRANSACTION_S
from tests.simulation.dynamodb import URL, AskedError
from tests.simulation.world import World

MAX_TRIES = 3
"""Of a call: AWS's SDK repeats any that had no answer, twice, in its standard mode …"""

BACKOFF_S = 1.0
"""… after a wait of up to this, and then up to twice this."""

UUID_BITS = 128
ERRORS: Errors = (
    lambda: boto.ConnectionClosedError(endpoint_url=URL),
    lambda: boto.ReadTimeoutError(endpoint_url=URL),
)
UNANSWERED = (boto.ConnectionClosedError, boto.ReadTimeoutError)


class Client:
    """One environment's way to the tables; any call may raise BotoCoreError or ClientError."""

    def __init__(self, world: World, act: Act, caller: Caller) -> None:
        self.world = world
        self.act = act
        self.caller = caller

    def update_item(self, **request: Any) -> Any:  # noqa: ANN401 (boto3's)
        """Wait for an UpdateItem."""
        return self._repeat("UpdateItem", request)

    def transact_write_items(self, **request: Any) -> Any:  # noqa: ANN401 (boto3's)
        """Wait for a TransactWriteItems, of which every try has the token that botocore draws."""
        token = str(UUID(int=self.caller.random.getrandbits(UUID_BITS), version=4))
        return self._repeat("TransactWriteItems", {**request, "ClientRequestToken": token})

    def begin(self, name: str, request: Mapping[str, Any]) -> Call:
        """Send a request once; the process may end before it."""
        self.caller.lives()
        takes_s = TRANSACTION_S if name == "TransactWriteItems" else 0.0
        return Call(self, name, request, DEADLINE_S, ERRORS, takes_s)

    def close(self) -> None:
        """Nothing is open."""

    def _repeat(self, name: str, request: Mapping[str, Any]) -> Any:  # noqa: ANN401 (boto3's)
        for number in range(MAX_TRIES - 1):
            try:
                return self.begin(name, request).result()
            except UNANSWERED:
                wait_s = self.caller.random.uniform(0.0, BACKOFF_S * 2**number)
                self.caller.sleep_until(self.world.timeline.now_s + wait_s)
        return self.begin(name, request).result()


class Teller:
    """A client as our store's threads have it: it gives the answer, or tells what is asked."""

    def __init__(self, client: Client, tell: Callable[[], Any] | None = None) -> None:
        self.client = client
        self._tell = tell

    def put_item(self, **request: Any) -> Any:  # noqa: ANN401 (boto3's)
        """Swap."""
        return self._told("PutItem", request)

    def batch_get_item(self, **request: Any) -> Any:  # noqa: ANN401 (boto3's)
        """Read."""
        return self._told("BatchGetItem", request)

    def close(self) -> None:
        """Nothing is open."""

    def _told(self, name: str, request: Mapping[str, Any]) -> Any:  # noqa: ANN401 (boto3's)
        if self._tell is None:
            raise AskedError(name, request)
        return self._tell()


class Threads:
    """A peer of a store's threads for calls of one request: no thread waits.

    The code of a call is run up to its request, and once more when the answer has come.
    """

    def __init__(self, _most: int, _name: str) -> None:
        """Nothing is kept: the store sends no more than there were threads."""

    def submit(self, ask: Callable[[Teller], Any], client: Teller) -> "Flight":
        """Begin a call."""
        try:
            ask(client)
        except AskedError as asked:
            return Flight(ask, client.client, client.client.begin(asked.name, asked.request))
        raise TypeError(ask)

    def leave(self) -> None:
        """Nothing is left."""


class Flight:
    """A peer of Future: a call on its way."""

    def __init__(self, ask: Callable[[Teller], Any], client: Client, call: Call) -> None:
        self._ask = ask
        self._client = client
        self._call = call

    def result(self, timeout_s: float) -> Any:  # noqa: ANN401 (whatever the code gives)
        """Wait for what comes of it.

        Raises:
            TimeoutError: it has not come in time.
        """
        ends_at_s = self._client.world.timeline.now_s + timeout_s
        if self._call.answered_at_s > ends_at_s:
            self._client.caller.sleep_until(ends_at_s)
            raise TimeoutError
        return self._ask(Teller(self._client, self._call.result))

    def done(self) -> bool:
        """Whether there is an answer."""
        return self._call.answered_at_s <= self._client.world.timeline.now_s

    def cancel(self) -> bool:
        """It has begun, and ends in its own time."""
        return False
