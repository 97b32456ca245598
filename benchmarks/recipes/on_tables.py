"""The recipes on a table of DynamoDB: two of other people's, in their best form, and ours."""

from typing import Any

from benchmarks.dynamodb import peers
from benchmarks.recipes.cache import DEADLINE_S
from benchmarks.recipes.dynamodb import Teller, Threads
from benchmarks.recipes.environment import Environment, Handle
from benchmarks.recipes.recipes import each_record, ours_on
from tally.stores.dynamodb.store import DynamoStore


def add(environment: Environment) -> Handle:
    """`UpdateItem` with `ADD`, if there is room."""
    client = environment.tables()
    return each_record(environment, lambda increment: peers.add_once(client, increment))


def transact(environment: Environment) -> Handle:
    """`TransactWriteItems` of the counter, if there is room, and a record of the event."""
    client = environment.tables()
    return each_record(
        environment,
        lambda increment: peers.count_once(
            client, increment, sleep=environment.sleep, uniform=environment.random.uniform
        ),
    )


def tally(environment: Environment) -> Handle:
    """Ours, with a table that decides."""
    client: Any = Teller(environment.tables())
    table = DynamoStore(
        peers.COUNTERS,
        deadline_s=DEADLINE_S,
        connect=lambda: client,
        clock=environment.world.timeline,
        wall_clock=environment.world.timeline,
        make_threads=Threads,  # type: ignore[arg-type] # a peer of it
    )
    return ours_on(table, environment)
