"""`tally local up`: the stack on this machine, for other terminals to use, until Ctrl-C."""

import shlex
import sys
import sysconfig
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

import typer

from tally.cli.output import chatter, counted, fail
from tally.cli.signals import interruptible
from tally.environment import AN_ORIGIN, MAX_PORT, VALKEY_PORT, is_origin
from tally.local.child import ChildError
from tally.local.http.server import serving
from tally.local.lambda_.environment import Invocation
from tally.local.lambda_.event_source import Delivery
from tally.local.ports import LOOPBACK, refusals
from tally.local.sqs.aws import TO_UNSET
from tally.local.stack import Stack, StackSettings, StoreKind
from tally.local.watch import Watch

MOMENTO_PORT = 8080
SQS_PORT = 9324
HTTP_PORT = 8000
"""The ports that people expect: those of Momento Local, the usual local SQS, and HTTP."""

Port = typer.Option(min=0, max=MAX_PORT, help="0 for any free one.")


def _origin(value: str) -> str:
    if value and not is_origin(value):
        reason = f"must be {AN_ORIGIN}"
        raise typer.BadParameter(reason)
    return value


Durable = Annotated[
    bool,
    typer.Option(
        "--durable", help="Let a table of DynamoDB decide; the store is the cache before it."
    ),
]

MAX_VISIBILITY_S = 43_200
"""SQS's own bound on a visibility timeout: twelve hours."""

Visibility = Annotated[
    int,
    typer.Option(
        "--visibility-timeout",
        min=1,
        max=MAX_VISIBILITY_S,
        metavar="SECONDS",
        help="After how long a returned message is delivered again; after five receives it is "
        "a dead letter.",
    ),
]

CorsOrigin = Annotated[
    str,
    typer.Option(
        metavar="ORIGIN",
        callback=_origin,
        help="Let pages of this origin, such as http://localhost:5173, ask the HTTP API.",
    ),
]

CHECK_EVERY_S = 0.5
"""How often the parts are checked, in seconds."""


local = typer.Typer(
    help="AWS and a store on this machine.", no_args_is_help=True, rich_markup_mode="markdown"
)


@local.command()
def up(  # noqa: PLR0913, PLR0917 (the options of a command, which typer passes by name)
    consumers: Annotated[int, typer.Option(min=1, max=16, help="Consumer processes.")] = 1,
    store: Annotated[StoreKind, typer.Option(help="Where counters live.")] = StoreKind.MOMENTO,
    durable: Durable = False,  # noqa: FBT002 (typer makes an option of it)
    momento_port: Annotated[int, Port] = MOMENTO_PORT,
    valkey_port: Annotated[int, Port] = VALKEY_PORT,
    sqs_port: Annotated[int, Port] = SQS_PORT,
    http_port: Annotated[int, Port] = HTTP_PORT,
    visibility_timeout: Visibility = StackSettings.visibility_timeout_s,
    cors_origin: CorsOrigin = "",
) -> None:
    """Start SQS, a store, the consumer and the HTTP API; print `export` lines; stay until Ctrl-C.

    Valkey is a real server found on this machine; SQS and a table are moto's. All of
    them listen on 127.0.0.1 only. The logs of the Lambda functions go to stderr. A page at the HTTP
    port shows what goes on, and /docs there describes the API.
    """
    store_port = momento_port if store is StoreKind.MOMENTO else valkey_port
    _refuse_ports({f"--{store}-port": store_port, "--sqs-port": sqs_port, "--http-port": http_port})
    settings = StackSettings(
        consumers=consumers,
        store=store,
        store_port=store_port,
        is_durable=durable,
        sqs_port=sqs_port,
        visibility_timeout_s=visibility_timeout,
    )
    try:
        _run(settings, http_port, cors_origin)
    except KeyboardInterrupt:
        chatter().print("Ended.")
    except ChildError as error:
        fail(str(error))


def _run(settings: StackSettings, http_port: int, cors_origin: str) -> None:
    watch = Watch()
    observe, printed = partial(_observe, watch), partial(_print_logs, "API")
    with (
        interruptible(),
        Stack(settings, observe=observe, wrap_function=watch.wrap) as stack,
        serving(
            stack, settings, watch, port=http_port, printed=printed, cors_origin=cors_origin
        ) as url,
    ):
        _say_where(url, stack.variables, stack.to_unset)
        _stay(stack)


def _say_where(url: str, variables: Mapping[str, str], others: Sequence[str]) -> None:
    """Print the lines for another terminal, where the other store's variables must be unset."""
    typer.echo(path_line())
    typer.echo(f"unset {' '.join([*TO_UNSET, *others])}")
    for name, value in {**variables, "TALLY_URL": url}.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()
    chatter().print("Running; paste the lines above in another terminal. Ctrl-C ends it.")
    chatter().print(f"A page of what goes on: {url}", soft_wrap=True)


def path_line() -> str:
    """The line that tells a shell where `tally` and its Python are.

    It is printed even if this shell finds them: the terminal where it is pasted may not.
    """
    return f'export PATH={shlex.quote(sysconfig.get_path("scripts"))}:"$PATH"'


def _refuse_ports(ports: Mapping[str, int]) -> None:
    """End the command, naming every port that cannot be had, before anything starts.

    If a port is taken after this check, its server reports the error.
    """
    if refused := refusals(ports):
        head = f"{counted(len(refused), 'port')} of {LOOPBACK} cannot be had"
        fail("\n  ".join([f"{head}; choose another, or 0 for any free one:", *refused]))


def _stay(stack: Stack) -> None:
    """Check the parts until one dies, which raises ChildError, or a signal comes."""
    never = threading.Event()
    while not never.wait(CHECK_EVERY_S):
        stack.check()


def _observe(watch: Watch, delivery: Delivery) -> None:
    watch.observe(delivery)
    _print_logs("consumer", delivery.invocation)


def _print_logs(function: str, invocation: Invocation) -> None:
    """What a function printed for people; its metrics are for CloudWatch."""
    for line in filter(None, invocation.output.split("\n")):
        if not line.startswith('{"_aws"'):
            typer.echo(line, err=True)
    if invocation.error:
        typer.echo(f"the {function} failed: {invocation.error.message}", err=True)
