"""The recipes by the names that the tables of the page have: on a cache, and on DynamoDB."""

from benchmarks.recipes import on_tables, recipes
from benchmarks.recipes.environment import Recipe

OURS = "Tally"
ADD = "on DynamoDB: `UpdateItem` with `ADD` per event"
TRANSACTION = "on DynamoDB: `TransactWriteItems` per event, with its record"
DURABLE = "Tally on DynamoDB"

ON_CACHE: dict[str, Recipe] = {
    "`increment` per event": recipes.plain,
    "get, then `setIfPresentAndNotEqual(next, max)`": recipes.article,
    "compare-and-swap on the bare number": recipes.swap,
    "Powertools Idempotency around `increment`": recipes.idempotent,
    OURS: recipes.tally,
}
ON_TABLES: dict[str, Recipe] = {
    ADD: on_tables.add,
    TRANSACTION: on_tables.transact,
    DURABLE: on_tables.tally,
}
RECIPES = ON_CACHE | ON_TABLES
