"""`tally demo`: 100,000 increments through SQS, three consumers and faults, to exact counts."""

import os
import sys
from typing import Annotated

import msgspec
import typer
from botocore.exceptions import BotoCoreError, ClientError

from tally.cli.demo.run import Demo, Options
from tally.cli.demo.verdict import judge
from tally.cli.demo.view import show, watch
from tally.cli.output import FAILED, INTERRUPTED, OK, Output, fail, say_json
from tally.cli.signals import interruptible
from tally.counters.errors import TallyError
from tally.local.child import ChildError
from tally.local.sqs.aws import proxy_variables
from tally.local.watch import Watch
from tally.publishing.sequence import now_ms


def demo(
    events: Annotated[int, typer.Option(min=1, help="Increments to publish.")] = 100_000,
    counters: Annotated[int, typer.Option(min=1, help="Counters they are for.")] = 100,
    consumers: Annotated[int, typer.Option(min=2, max=16, help="Consumer processes.")] = 3,
    seed: Annotated[int, typer.Option(help="Draws the order and the lost deletes.")] = 1,
    output: Annotated[Output, typer.Option(help="What stdout is for.")] = Output.TEXT,
) -> None:
    """Publish, lose deletes, kill two consumers, send bad messages; then see that counts are exact.

    Everything runs on this machine. Exit status 1 if a count is off, or a message is lost.
    """
    if events < counters:
        message = f"{counters} counters need at least as many --events"
        raise typer.BadParameter(message)
    options = Options(events, counters, consumers, seed)
    os.environ.update(proxy_variables(os.environ))  # for Momento's SDK, which asks only these
    try:
        with interruptible(), Demo(options, Watch(), now_ms=now_ms()) as running:
            watch(running, plain=output is Output.JSON or not sys.stderr.isatty())
            verdict = judge(running)
    except (ChildError, TallyError, BotoCoreError, ClientError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        typer.echo("tally: interrupted; nothing is left running", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if output is Output.JSON:
        told = {"is_right": verdict.is_right, "exact": verdict.exact}
        say_json(told | msgspec.to_builtins(verdict))
    else:
        show(verdict)
    raise typer.Exit(OK if verdict.is_right else FAILED)
