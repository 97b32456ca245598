"""Execution environments of a recipe: each polls, handles a batch, deletes what did not fail."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import grpc

from benchmarks.recipes.channel import Act, Channel
from benchmarks.recipes.dynamodb import Client
from tally.local.lambda_.sqs_event import failed_messages
from tests.simulation.consumers import POLL_S
from tests.simulation.facts import Letter
from tests.simulation.faults import Fault
from tests.simulation.network import KilledError
from tests.simulation.queue import Queue
from tests.simulation.timeline import Actor
from tests.simulation.world import World

if TYPE_CHECKING:
    from benchmarks.recipes.truth import Key

Handle = Callable[[dict[str, Any], "Environment"], Mapping[str, object]]
"""A function as Lambda calls it: an SQS event and a context, for a partial batch response."""

Recipe = Callable[["Environment"], Handle]
"""Makes the function of a new environment."""


class Environment:
    """One of Lambda's concurrent environments, and its successors; also its function's context.

    Attributes:
        subject: the increment that the function works on, where it works on one at a time.
        ends_at_s: when the function now running is cut off, on the timeline.
    """

    def __init__(
        self, world: World, queue: Queue, act: Act, recipe: Recipe, actor: Actor, number: int
    ) -> None:
        self.world = world
        self.random = world.plan.random(f"environment {number}")
        self.subject: Key | None = None
        self.ends_at_s = 0.0
        self._queue = queue
        self._act = act
        self._recipe = recipe
        self._actor = actor
        self._calls_left: int | None = None
        self._handle = recipe(self)

    def work(self) -> None:
        """Poll until the queue is empty for good."""
        timeline = self.world.timeline
        while (next_s := self._queue.next_at_s()) is not None:
            poll_s = self.random.uniform(0.0, POLL_S)
            self._actor.sleep_until(max(next_s, timeline.now_s) + poll_s)
            letters = self._queue.receive(self.world.plan.batch_letters)
            if letters:
                self._invoke(letters)

    def connect(self) -> grpc.Channel:
        """A channel to the cache."""
        return Channel(self.world, self._act, self)  # type: ignore[return-value] # a peer of it

    def tables(self) -> Client:
        """A client of DynamoDB."""
        return Client(self.world, self._act, self)

    def sleep(self, seconds: float) -> None:
        """What a function may call to wait."""
        self.sleep_until(self.world.timeline.now_s + seconds)

    def sleep_until(self, when_s: float) -> None:
        """Wait; who waits past the function's time-out is killed."""
        self._actor.sleep_until(min(when_s, self.ends_at_s))
        if when_s > self.ends_at_s:
            raise KilledError

    def lives(self) -> None:
        """Count a call; perhaps the process ends before it.

        Raises:
            KilledError: it does.
        """
        if self._calls_left is not None:
            if not self._calls_left:
                raise KilledError
            self._calls_left -= 1

    def get_remaining_time_in_millis(self) -> int:
        """What Lambda's context tells."""
        return int((self.ends_at_s - self.world.timeline.now_s) * 1_000)

    def _invoke(self, letters: list[Letter]) -> None:
        """One invocation: what it does not report as failed is deleted."""
        world = self.world
        world.totals["deliveries"] += len(letters)
        self.ends_at_s = world.timeline.now_s + world.plan.timeout_s
        is_doomed = world.dice.strikes(Fault.KILLED)
        # Before any of its calls, or after the last and before the messages are deleted.
        self._calls_left = self.random.randint(0, len(letters)) if is_doomed else None
        records = [letter.record(self._queue.arn) for letter in letters]
        try:
            response = self._handle({"Records": records}, self)
            is_killed = is_doomed
        except KilledError:
            is_killed = True
        self.subject = None
        if is_killed:
            self._handle = self._recipe(self)
        else:
            self._delete(letters, json.dumps(response).encode())

    def _delete(self, letters: list[Letter], response: bytes) -> None:
        """Delete what did not fail, by Lambda's own reading."""
        failed = failed_messages(response, [letter.message_id for letter in letters])
        for letter in letters:
            if letter.message_id not in failed:
                self._queue.delete(letter)
