"""`tally plan`: whether a load fits, what it costs, and which setting to change if it does not."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Annotated

import typer

from tally.cli.output import FAILED, OK, Output, refuse, say_json
from tally.cli.plan.figures import Figures
from tally.cli.plan.limits import misfits
from tally.cli.plan.load import (
    MAX_BATCH_SIZE,
    MAX_CONSUMERS,
    MAX_MEMORY_MB,
    MAX_RECEIVED,
    MAX_TIMEOUT_S,
    MAX_UNGATHERED,
    MAX_WINDOW_S,
    MIN_MEMORY_MB,
    ROUND_TRIP_MS,
    TABLE_ROUND_TRIP_MS,
    IdentityForm,
    Load,
    Prices,
)
from tally.cli.plan.report import as_json, show
from tally.publishing.packing import MAX_MESSAGE_BYTES

MAX_LOAD = 1_000_000_000
"""The most of anything; more would be a typing mistake, past any queue."""

DEFAULT = Load()
FIELDS = {each.name for each in dataclasses.fields(Load)}
"""An option has the name of the field that it sets."""
PRICE_NAMES = tuple(each.name.replace("_", "-") for each in dataclasses.fields(Prices))

Events = Annotated[
    float, typer.Option("--events", min=0.001, max=MAX_LOAD, help="Increments a second.")
]
Counters = Annotated[int, typer.Option(min=1, max=MAX_LOAD, help="Different counters.")]
HotShare = Annotated[
    float, typer.Option(min=0, max=1, help="Share of the increments that one counter gets on top.")
]
Sources = Annotated[
    int, typer.Option(min=1, max=MAX_LOAD, help="Producer sessions a day that write to a counter.")
]
Gaps = Annotated[int, typer.Option(min=0, max=10_000, help="Seqs missing for good in a source.")]
Who = Annotated[IdentityForm, typer.Option(help="How increments are identified.")]
Packed = Annotated[int, typer.Option(min=1, max=MAX_MESSAGE_BYTES, help="Increments a message.")]
Json = Annotated[int, typer.Option(min=1, max=MAX_MESSAGE_BYTES, help="Of an increment's JSON.")]
BatchSize = Annotated[
    int, typer.Option(min=1, max=MAX_BATCH_SIZE, help="BatchSize of the event source.")
]
Window = Annotated[
    int, typer.Option("--window", min=0, max=MAX_WINDOW_S, help="Batching window, in s.")
]
Consumers = Annotated[
    int, typer.Option(min=1, max=MAX_CONSUMERS, help="MaximumConcurrency (Lambda's least is 2).")
]
Received = Annotated[
    int, typer.Option(min=1, max=MAX_RECEIVED, help="Messages that one receive of Lambda's brings.")
]
Timeout = Annotated[
    int, typer.Option("--timeout", min=1, max=MAX_TIMEOUT_S, help="The function's, in s.")
]
Memory = Annotated[
    int,
    typer.Option("--memory", min=MIN_MEMORY_MB, max=MAX_MEMORY_MB, help="The function's, in MB."),
]
RoundTrip = Annotated[
    float | None,
    typer.Option(
        "--round-trip",
        min=0,
        max=10_000,
        help=f"Time of a call to the store, in ms: {ROUND_TRIP_MS:g} if not given, "
        f"{TABLE_ROUND_TRIP_MS:g} with --durable.",
    ),
]
Durable = Annotated[
    bool, typer.Option("--durable", help="Counters in a table of DynamoDB (COUNTER_TABLE).")
]
Quota = Annotated[
    float | None,
    typer.Option(
        "--quota",
        min=1,
        max=MAX_LOAD,
        help=f"Momento operations a second: {DEFAULT.quota_per_s:g} if not given; "
        "a table has no quota.",
    ),
]
GivenPrices = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=USD", help=f"A price, for each of: {', '.join(PRICE_NAMES)}."),
]
StdOut = Annotated[Output, typer.Option(help="How to print.")]


def plan(  # noqa: PLR0913, PLR0917 (the options of a command, which typer passes by name)
    events_per_s: Events = DEFAULT.events_per_s,
    counters: Counters = DEFAULT.counters,
    hot_share: HotShare = DEFAULT.hot_share,
    sources: Sources = DEFAULT.sources,
    gaps: Gaps = DEFAULT.gaps,
    identity: Who = DEFAULT.identity,
    packed: Packed = DEFAULT.packed,
    increment_bytes: Json = DEFAULT.increment_bytes,
    batch_size: BatchSize = DEFAULT.batch_size,
    window_s: Window = DEFAULT.window_s,
    consumers: Consumers = DEFAULT.consumers,
    received: Received = DEFAULT.received,
    timeout_s: Timeout = DEFAULT.timeout_s,
    memory_mb: Memory = DEFAULT.memory_mb,
    round_trip_ms: RoundTrip = None,
    quota_per_s: Quota = None,
    durable: Durable = DEFAULT.durable,
    price: GivenPrices = None,
    output: StdOut = Output.TEXT,
) -> None:
    """Tell what a load costs a month, and what to change if it does not fit.

    Exit status 0: it fits. 1: it does not. It calls no service: docs/planning.md has the formulas,
    and what they leave out. With --durable, counters are in DynamoDB instead of Momento.
    """
    if durable and quota_per_s is not None:
        refuse("--quota is Momento's, and with --durable nothing goes there: leave one of them out")
    quota_per_s = quota_per_s or DEFAULT.quota_per_s
    if round_trip_ms is None:
        round_trip_ms = TABLE_ROUND_TRIP_MS if durable else ROUND_TRIP_MS
    given = {name: value for name, value in locals().items() if name in FIELDS}
    load = Load(**given, prices=_prices(price or ()))
    _check(load)
    figures = Figures(load)
    if output is Output.JSON:
        say_json(as_json(figures))
    else:
        show(figures)
    raise typer.Exit(FAILED if misfits(figures) else OK)


def _prices(given: Iterable[str]) -> Prices:
    """The default prices, replaced by those given, each as NAME=USD."""
    prices = {}
    for each in given:
        name, _, usd = each.partition("=")
        if name not in PRICE_NAMES:
            refuse(f"--price: {name!r} is none of {', '.join(PRICE_NAMES)}")
        prices[name.replace("-", "_")] = _usd(each, usd)
    return Prices(**prices)


def _usd(given: str, text: str) -> float:
    try:
        usd = float(text)
    except ValueError:
        usd = math.nan
    if not 0 <= usd < math.inf:
        refuse(f"--price: {given!r} must be NAME=USD, such as {PRICE_NAMES[0]}=0.4")
    return usd


def _check(load: Load) -> None:
    """End with a usage error if queue and function cannot have these settings."""
    if load.batch_size > MAX_UNGATHERED and not load.window_s:
        refuse(f"a --batch-size over {MAX_UNGATHERED} needs a --window of at least 1")
    if load.body_bytes > MAX_MESSAGE_BYTES:
        refuse(f"a message of {load.body_bytes:,} bytes is over SQS's {MAX_MESSAGE_BYTES:,}")
