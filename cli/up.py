"""`tally local up`: the stack on this machine, for other terminals to use, until Ctrl-C."""

import shlex
import sys
import threading
from typing import Annotated

import typer

from cli.output import chatter, fail
from cli.signals import interruptible
from local.child import ChildError
from local.poller import Delivery
from local.stack import Stack, StackSettings
from store.settings import MAX_PORT

MOMENTO_PORT = 8080
SQS_PORT = 9324
"""Where people expect them: Momento Local's own port, and that of the usual local SQS."""

Port = typer.Option(min=0, max=MAX_PORT, help="0 for any free one.")

CHECK_EVERY_S = 0.5
"""How often the parts are looked after, in seconds."""


def up(
    consumers: Annotated[int, typer.Option(min=1, max=16, help="Consumer processes.")] = 1,
    momento_port: Annotated[int, Port] = MOMENTO_PORT,
    sqs_port: Annotated[int, Port] = SQS_PORT,
) -> None:
    """Start SQS, Momento and the consumer, print the `export` lines, and stay until Ctrl-C.

    Everything listens on 127.0.0.1 only. The consumers' logs go to stderr.
    """
    settings = StackSettings(consumers=consumers, momento_port=momento_port, sqs_port=sqs_port)
    try:
        with interruptible(), Stack(settings, observe=_print_logs) as stack:
            for name, value in stack.variables.items():
                typer.echo(f"export {name}={shlex.quote(value)}")
            sys.stdout.flush()
            chatter().print("Running; paste the lines above in another terminal. Ctrl-C ends it.")
            _stay(stack)
    except KeyboardInterrupt:
        chatter().print("Ended.")
    except ChildError as error:
        fail(str(error))


def _stay(stack: Stack) -> None:
    """Look after the parts until one dies, or a signal ends this.

    Raises:
        ChildError: a part has died.
    """
    never = threading.Event()
    while not never.wait(CHECK_EVERY_S):
        stack.check()


def _print_logs(delivery: Delivery) -> None:
    """What the consumer printed for people; its metrics are for CloudWatch."""
    for line in filter(None, delivery.invocation.output.split("\n")):
        if not line.startswith('{"_aws"'):
            typer.echo(line, err=True)
    if delivery.invocation.error:
        typer.echo(f"the consumer failed: {delivery.invocation.error.message}", err=True)
