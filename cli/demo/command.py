"""`tally demo`: 100,000 increments through SQS, three consumers and faults, to exact counts."""

import os
from typing import Annotated

import typer

from cli.demo.board import Board
from cli.demo.run import Demo, Options
from cli.demo.verdict import judge
from cli.demo.view import show, watch
from cli.output import FAILED, OK, Output, fail, say_json
from cli.signals import interruptible
from local.child import ChildError
from producer.sequence import now_ms


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
    options = Options(events, counters, consumers, seed)
    try:
        with interruptible(), Demo(options, Board(), now_ms=now_ms()) as running:
            watch(running, plain=output is Output.JSON or not os.isatty(1))
            verdict = judge(running)
    except ChildError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted; nothing is left running")
    if output is Output.JSON:
        say_json(verdict)
    else:
        show(verdict)
    raise typer.Exit(OK if verdict.is_right else FAILED)
