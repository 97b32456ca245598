"""The stack over HTTP: the API as deployed, its description, and a page of what goes on."""

import contextlib
from collections.abc import Callable, Iterator

import grpc
from momento.auth import CredentialProvider

from tally.local.functions import API, functions_folder
from tally.local.http.server import HttpServer
from tally.local.http.site import Site
from tally.local.http.status import Status
from tally.local.lambda_.environment import Invocation, LambdaEnvironment
from tally.local.lambda_.runtime import FunctionSettings
from tally.local.stack import CACHE, Stack, StackSettings
from tally.local.watch import Watch
from tally.reading.reader import Reader
from tally.stores.momento.store import MomentoStore

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
            API,
            code=functions_folder(),
            variables={**settings.variables, **stack.variables},
            settings=API_FUNCTION,
        )
        parts.callback(api.close)
        reader = parts.enter_context(Reader(_store(stack.momento.endpoint)))
        status = Status(
            watch,
            depth=stack.queue.depth,
            reader=reader,
            max_receives=settings.max_receive_count,
        )
        site = Site(api, status=status.look, printed=printed)
        yield parts.enter_context(HttpServer(site, port=port)).url


def _store(endpoint: str) -> MomentoStore:
    nobody = CredentialProvider.for_momento_local()
    return MomentoStore(
        CACHE, nobody, open_channel=lambda: grpc.insecure_channel(endpoint, NO_PROXY)
    )
