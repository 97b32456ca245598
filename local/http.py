"""The stack over HTTP: the API as deployed, its description, and a page of what goes on."""

import contextlib
from collections.abc import Callable, Iterator

import grpc
from momento.auth import CredentialProvider

from local.environment import Invocation, LambdaEnvironment
from local.http_server import HttpServer
from local.http_site import Site
from local.http_status import Status
from local.http_watch import Watch
from local.runtime import FunctionSettings
from local.stack import CACHE, Stack, StackSettings
from producer.reader import Reader

HANDLER = "producer.api.lambda_handler"

API_FUNCTION = FunctionSettings(name="tally-api", timeout_s=29.0)
"""API Gateway waits 29 s for a function."""

NO_PROXY = (("grpc.enable_http_proxy", 0),)
"""A proxy that this process's environment names has no business with loopback."""


@contextlib.contextmanager
def serving(
    stack: Stack,
    settings: StackSettings,
    watch: Watch,
    *,
    port: int = 0,
    printed: Callable[[Invocation], object] = lambda _: None,
) -> Iterator[str]:
    """Serve a running stack over HTTP; inside, its address.

    Args:
        stack: to which `watch` was handed.
        settings: its settings.
        watch: what the page shows.
        port: of 127.0.0.1; 0 is any free one.
        printed: told of each invocation of the API.

    Raises:
        ChildError: the port is taken.
    """
    with contextlib.ExitStack() as parts:
        api = LambdaEnvironment(
            HANDLER, variables={**settings.variables, **stack.variables}, settings=API_FUNCTION
        )
        parts.callback(api.close)
        channel = parts.enter_context(grpc.insecure_channel(stack.momento.endpoint, NO_PROXY))
        nobody = CredentialProvider.for_momento_local()
        status = Status(
            watch,
            depth=stack.queue.depth,
            reader=Reader(CACHE, nobody, channel=channel),
            max_receives=settings.max_receive_count,
        )
        site = Site(api, status=status.look, printed=printed)
        yield parts.enter_context(HttpServer(site, port=port)).url
