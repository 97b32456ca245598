"""The name and help of every command of `tally`; a command's file is imported when it runs."""

import importlib.util
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from tally import __version__
from tally.cli.output import INTERRUPTED, fail
from tally.counters.errors import shown

if TYPE_CHECKING:
    from typer._click import Command, Context

MARKUP: Final = "markdown"
"""With typer's default, a paragraph of a docstring would keep its line breaks."""


LOCAL = ("aws_lambda_powertools", "flask", "flask_cors", "moto", "pydantic")
"""The packages of tally-counters[local] that a local command imports in one of its processes."""

_KINDS = {
    "int_parsing": "must be an integer",
    "int_parsing_size": "must be an integer",
    "float_parsing": "must be a number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}
"""Our texts for pydantic's errors, by their type; any other error keeps its own text."""


class Later(TyperCommand):
    """A command's name and help; the command itself is imported when it runs.

    `where` is its module in tally/cli/ and, in that, its function or a group's Typer. If
    `is_local`, it needs tally-counters[local].
    """

    def __init__(self, name: str, where: str, summary: str, *, is_local: bool = False) -> None:
        super().__init__(name=name, help=summary, rich_markup_mode=MARKUP)
        self._where = where
        self._is_local = is_local

    def command(self) -> "Command":
        """The command itself; if its extra is missing, the program ends with one line."""
        module, _, attribute = self._where.partition(":")
        for name in LOCAL if self._is_local else ():
            if importlib.util.find_spec(name) is None:
                fail(f"{self.name} needs tally-counters[local]: no module named {name}")
        try:
            found = getattr(importlib.import_module(f"tally.cli.{module}"), attribute)
        except KeyboardInterrupt:
            typer.echo("tally: interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        alone = typer.Typer(add_completion=False, rich_markup_mode=MARKUP)
        alone.command(self.name)(found)
        return typer.main.get_command(alone)


ALL = (
    Later(
        "send",
        "send:send",
        "Publish increments: of COUNTER [--count N], or from a --file, one per line.",
    ),
    Later(
        "get",
        "reading:get",
        "Print the count of each COUNTER, one per line, with its name if there are several.",
    ),
    Later(
        "outcome",
        "reading:outcome",
        "Print what became of an increment: applied, rejected, pending or forgotten.",
    ),
    Later(
        "watch",
        "watch:watch",
        "Show the count of each COUNTER and its change per second, until Ctrl-C.",
    ),
    Later(
        "reset",
        "reset:reset",
        "Set COUNTER to 0, or to another number, whatever its count is.",
    ),
    Later(
        "demo",
        "demo.command:demo",
        "Publish, lose deletes, kill two consumers, send bad messages; then check every count.",
        is_local=True,
    ),
    Later(
        "doctor",
        "doctor.command:doctor",
        "Check settings, credentials, cache, queue and function, and one increment's round trip.",
    ),
    Later(
        "plan",
        "plan.command:plan",
        "Tell what a load costs a month, and what to change if it does not fit.",
    ),
    Later(
        "migrate",
        "migrate.command:migrate",
        "Copy counters from a cache into the table of COUNTER_TABLE, while no consumer runs.",
    ),
    Later("local", "up:local", "AWS and a store on this machine.", is_local=True),
    Later(
        "dlq",
        "dlq.command:dlq",
        "Dead letters: messages that SQS gave up after too many receives.",
    ),
)


class Commands(TyperGroup):
    """All commands; only the one that runs is imported."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 (typer's own)
        super().__init__(**{**attributes, "commands": {each.name: each for each in ALL}})

    def invoke(self, ctx: "Context") -> Any:  # noqa: ANN401 (typer's own)
        """Run the command; errors in its options get our texts."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            _in_our_words(error)
            raise

    def resolve_command(
        self, ctx: "Context", args: list[str]
    ) -> "tuple[str | None, Command | None, list[str]]":
        """The command that the arguments name, imported."""
        name, command, rest = super().resolve_command(ctx, args)
        if not isinstance(command, Later):
            return name, command, rest
        try:
            return name, command.command(), rest
        except typer.Exit:
            if ctx.resilient_parsing:  # a shell is completing words, and must see no error
                return name, command, rest
            raise


def _in_our_words(error: typer.BadParameter) -> None:
    """Give an error that comes from pydantic a text for people; leave any other as it is."""
    details = getattr(error.__cause__, "errors", None)
    if details is None:
        return
    first = details()[0]
    context = first.get("ctx", {})
    if words := _KINDS.get(first["type"]):
        bounds = {name: _plain(bound) for name, bound in context.items()}
        error.message = f"{words.format(**bounds)}, found {shown(first['input'])}"
    elif "error" in context:  # a ValueError of typer's own, which names the value
        error.message = str(context["error"]).removesuffix(".")


def _plain(bound: Any) -> str:  # noqa: ANN401 (whatever pydantic compares with)
    return str(int(bound)) if bound == int(bound) else str(bound)


def _print_version(asked: bool) -> None:  # noqa: FBT001 (typer calls it so)
    if asked:
        typer.echo(__version__)
        raise typer.Exit


app = typer.Typer(
    name="tally",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=MARKUP,
    context_settings={"help_option_names": ["-h", "--help"]},  # a command inherits them
    pretty_exceptions_enable=False,  # a traceback with local variables would show keys
)


@app.callback()
def tally(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Exactly-once counters for queues."""
