"""`tally`: every command, and nothing but its words; what a command does is in its own file."""

import typer

from cli.demo.command import demo
from cli.dlq.command import dlq
from cli.doctor.command import doctor
from cli.get import get
from cli.outcome import outcome
from cli.plan.command import plan
from cli.reset import reset
from cli.send import send
from cli.up import up
from cli.watch import watch

app = typer.Typer(
    name="tally",
    help="Exactly-once counters for queues.",
    no_args_is_help=True,
    # Of a paragraph in a docstring, the default would keep the line breaks.
    rich_markup_mode="markdown",
    # A traceback with local variables would show keys.
    pretty_exceptions_enable=False,
)
local = typer.Typer(help="AWS and Momento on this machine.", no_args_is_help=True)
app.add_typer(local, name="local")
app.add_typer(dlq, name="dlq")

app.command()(send)
app.command()(get)
app.command()(outcome)
app.command()(watch)
app.command()(reset)
app.command()(demo)
app.command()(doctor)
app.command()(plan)
local.command()(up)
