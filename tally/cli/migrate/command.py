"""`tally migrate`: copies counters, by name, from a cache into the table that will decide."""

import contextlib
import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, BinaryIO

import typer

from tally.cli.migrate.moving import (
    AT_ONCE,
    MAX_AT_ONCE,
    NOTHING_TTL_S,
    Move,
    Moved,
    Result,
)
from tally.cli.output import FAILED, INTERRUPTED, OK, Output, fail, refuse, say_json
from tally.cli.signals import interruptible
from tally.counters.errors import InvalidIncrementError, shown
from tally.counters.event import MAX_COUNTER_BYTES, build
from tally.environment import (
    TABLE,
    Cache,
    Environment,
    Local,
    SettingsError,
    Table,
    Valkey,
    place_from,
)
from tally.stores.errors import BrokenSetupError
from tally.stores.opening import open_store

OLD = "OLD_"
"""Stands before each variable of the old cache; variables without it are those of the table."""

_VARIABLE = re.compile(r"\b(?=(?:COUNTER|CACHE|MOMENTO|VALKEY)_[A-Z])")

SAME = f"the cache before {TABLE} is the old cache: use another one, or none for now"

NamesFile = Annotated[
    typer.FileBinaryRead | None,
    typer.Option("--names", help="A file with a name on each line; - is stdin."),
]
Counters = Annotated[list[str] | None, typer.Argument(help="Names of counters.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Tell what would happen, and write nothing.")
]
AtOnce = Annotated[int, typer.Option(min=1, max=MAX_AT_ONCE, help="Counters copied together.")]
StdOut = Annotated[Output, typer.Option("--output", help="What stdout is for.")]


def migrate(
    counters: Counters = None,
    names: NamesFile = None,
    dry_run: DryRun = False,  # noqa: FBT002 (typer makes an option of it)
    at_once: AtOnce = AT_ONCE,
    output: StdOut = Output.TEXT,
) -> None:
    """Copy counters from a cache into the table of COUNTER_TABLE, while no consumer runs.

    The OLD_MOMENTO_… or OLD_VALKEY_… variables name the cache. A counter is written only if the
    table has none of its name, so it is safe to repeat. All steps are in docs/moving.md.

    Exit status 0: each counter is in the table, or in neither. 1: one failed.
    """
    if bool(counters) is bool(names):
        refuse("give names of counters, or a file of --names, and not both")
    told = dict.fromkeys(Result, 0)
    bad: list[str] = []
    listed = _read(names, bad) if names else _checked(counters or [])
    status = OK
    try:
        with interruptible(), _moving(rehearse=dry_run) as move:
            for moved in move.all(listed, at_once):
                told[moved.result] += 1
                _say(moved, output)
    except KeyboardInterrupt:
        typer.echo("tally: interrupted; to begin again is safe", err=True)
        status = INTERRUPTED
    except BrokenSetupError as error:
        typer.echo(f"tally: {error}", err=True)
        status = FAILED
    told[Result.FAILED] += len(bad)
    typer.echo(_summary(told, rehearsed=dry_run), err=output is Output.JSON)
    raise typer.Exit(status or (FAILED if told[Result.FAILED] else OK))


def old_cache(variables: Mapping[str, str]) -> tuple[Cache | Valkey, int | None]:
    """The cache that the OLD_ variables name, and how long a counter lives in it, in seconds.

    Raises:
        SettingsError: one is missing or wrong; the text names it with its OLD_.
    """
    named = {
        name.removeprefix(OLD): value for name, value in variables.items() if name.startswith(OLD)
    }
    environment = Environment(named)
    place = environment.place()
    ttl_s = environment.ttl_s(place)
    if isinstance(place, Table):
        raise SettingsError([f"{OLD}{TABLE} must be empty: only a cache can be left"])
    try:
        environment.finish()
    except SettingsError as error:
        raise SettingsError([_VARIABLE.sub(OLD, each) for each in error.problems]) from None
    return place, ttl_s


@contextlib.contextmanager
def _moving(*, rehearse: bool) -> Iterator[Move]:
    """A Move between the environment's stores; wrong variables end the command with one line."""
    try:
        table = place_from(os.environ) if os.environ.get(TABLE) else None
        if not isinstance(table, Table):
            fail(f"{TABLE} must be set: it is where the counters go")
        cache, ttl_s = old_cache(os.environ)
        if table.cache is not None and _where(table.cache) == _where(cache):
            fail(SAME)
        with contextlib.ExitStack() as opened:
            stores = [
                opened.enter_context(contextlib.closing(open_store(place, ttl_s=each_ttl_s)))
                for place, each_ttl_s in (
                    (cache, ttl_s),
                    (cache, NOTHING_TTL_S),
                    (dataclasses.replace(table, cache=None), None),
                )
            ]
            yield Move(*stores, rehearse=rehearse)
    except SettingsError as error:
        fail(str(error))


def _where(cache: Cache | Valkey) -> tuple[object, ...]:
    """What tells two caches apart, without their keys."""
    if isinstance(cache, Valkey):
        return cache.host, cache.port
    momento = cache.momento
    if isinstance(momento, Local):
        return cache.name, momento.host, momento.port
    return cache.name, momento.endpoint


def _checked(counters: list[str]) -> list[str]:
    for counter in counters:
        if why := _invalid(counter):
            refuse(why)
    return counters


def _read(stream: BinaryIO, bad: list[str]) -> Iterator[str]:
    """The names in a file, without empty lines; a bad one is reported, and the others go on."""
    number = 0
    while line := stream.readline(MAX_COUNTER_BYTES + 2):
        number += 1
        name = line.rstrip(b"\r\n")
        while line and not line.endswith(b"\n"):
            line = stream.readline(MAX_COUNTER_BYTES + 2)
        if not name:
            continue
        try:
            counter = name.decode()
            why = _invalid(counter)
        except UnicodeDecodeError:
            why = f"is no UTF-8: {shown(name)}"
        if why:
            typer.echo(f"tally: line {number}: {why}", err=True)
            bad.append(why)
        else:
            yield counter


def _invalid(counter: str) -> str:
    try:
        build({"counter": counter})
    except InvalidIncrementError as error:
        return str(error)
    return ""


def _say(moved: Moved, output: Output) -> None:
    if output is Output.JSON:
        say_json(moved)
    elif moved.result is Result.FAILED:
        typer.echo(f"tally: {moved.counter}: {moved.why}", err=True)
    elif moved.result is Result.ABSENT:
        typer.echo(f"tally: {moved.counter}: not in the cache", err=True)


def _summary(told: Mapping[Result, int], *, rehearsed: bool) -> str:
    copied = "to copy" if rehearsed else "copied"
    words = {
        Result.COPIED: copied,
        Result.THERE: "already there",
        Result.ABSENT: "absent",
        Result.FAILED: "failed",
    }
    return ", ".join(f"{told[result]:,} {word}" for result, word in words.items())
