"""All of it together: SQS, a store or two, and consumers under an event source mapping."""

import contextlib
import dataclasses
import enum
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tally.environment import CACHE_TTL_S, MOMENTO, MOMENTO_TTL, TABLES, VALKEY, VALKEY_TTL
from tally.local.cache import open_cache
from tally.local.child import ChildError
from tally.local.lambda_.environment import Function, LambdaEnvironment
from tally.local.lambda_.event_source import Batching, Delivery, EventSourceMapping
from tally.local.lambda_.runtime import FunctionSettings
from tally.local.momento.server import MomentoProcess
from tally.local.sqs.aws import proxy_variables
from tally.local.sqs.queue import LocalQueue
from tally.local.table import create_table, table_store, table_variables
from tally.local.valkey import ValkeyProcess
from tally.stores.durable import DurableStore
from tally.stores.port import Store

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

CACHE = "tally"

CONSUMER = "consumer.handler.lambda_handler"

STOP_TIMEOUT_S = 10.0
"""How long batches under way may take to finish when the stack ends; then they are killed."""

LOCAL_BATCHING = Batching(batch_size=1_000, window_s=0.2)
LOCAL_FUNCTION = FunctionSettings(timeout_s=10.0)


class StoreKind(enum.StrEnum):
    """Where a stack's counters live; if a table decides, the cache before it."""

    MOMENTO = "momento"
    VALKEY = "valkey"


OTHERS = {
    StoreKind.MOMENTO: (*VALKEY, *TABLES),
    StoreKind.VALKEY: (*MOMENTO, *TABLES),
}
"""The variables of other stores: one of these in a user's shell would contradict ours."""

BESIDE_A_TABLE = {
    StoreKind.MOMENTO: (*VALKEY, MOMENTO_TTL),
    StoreKind.VALKEY: (*MOMENTO, VALKEY_TTL),
}
"""The same if a table decides: beside it, a cache's own time to live is refused."""


@dataclasses.dataclass(frozen=True)
class StackSettings:
    """What a stack is made of; times in seconds, port 0 is any free one.

    The visibility timeout is shorter than the rule for production (six times the function's
    timeout, and the window): in a first try nobody should wait minutes until a message comes back.
    """

    consumers: int = 1
    batching: Batching = LOCAL_BATCHING
    function: FunctionSettings = LOCAL_FUNCTION
    visibility_timeout_s: int = 15
    max_receive_count: int = 5
    store: StoreKind = StoreKind.MOMENTO
    store_port: int = 0
    is_durable: bool = False
    """Whether a table of DynamoDB decides, and the store is the cache before it."""
    sqs_port: int = 0
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Added to the consumers' environment, which is that of this process without AWS's."""


class Stack:
    """A context manager: everything runs inside, and everything has ended after it.

    The store, SQS and each consumer are processes of their own, and end with this one in any case.
    A poller's thread calls `observe` with each delivery. Faults wrap SQS, or a consumer's function.
    """

    def __init__(
        self,
        settings: StackSettings,
        *,
        observe: Callable[[Delivery], object] = lambda _: None,
        wrap_sqs: "Callable[[SQSClient], SQSClient]" = lambda sqs: sqs,
        wrap_function: Callable[[Function], Function] = lambda function: function,
    ) -> None:
        self._settings = settings
        self._observe = observe
        self._wrap_sqs = wrap_sqs
        self._wrap_function = wrap_function
        self.store = _store(settings)
        self.queue = LocalQueue(
            port=settings.sqs_port,
            visibility_timeout_s=settings.visibility_timeout_s,
            max_receive_count=settings.max_receive_count,
        )
        self.functions: list[Function] = []
        self._parts = contextlib.ExitStack()
        self._event_source: EventSourceMapping | None = None

    def __enter__(self) -> Self:
        """Start all of it; ChildError if a part does not start, and those that did have ended."""
        with contextlib.ExitStack() as parts:
            parts.callback(self.store.stop)
            self.store.start()
            parts.enter_context(self.queue)
            if self._settings.is_durable:
                create_table(self.queue.endpoint_url)
            self.functions = [self._function() for _ in range(self._settings.consumers)]
            for function in self.functions:
                parts.callback(function.close)
            self._event_source = EventSourceMapping(
                self._wrap_sqs(self.queue.client()),
                self.queue.queue_url,
                self.functions,
                batching=self._settings.batching,
                observe=self._observe,
            )
            # Before it starts: else a signal in between would leave pollers that nobody ends.
            parts.callback(self._event_source.stop, STOP_TIMEOUT_S)
            self._event_source.start()
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End all of it: batches under way finish first, within STOP_TIMEOUT_S."""
        self._parts.close()

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a producer or a consumer of this stack."""
        return {
            **proxy_variables(os.environ),
            **self.queue.variables,
            "SQS_QUEUE_URL": self.queue.queue_url,
            **self._table_variables,
            **self.store.variables,
        }

    @property
    def to_unset(self) -> tuple[str, ...]:
        """What must not be in the environment of a producer or a consumer of this stack."""
        others = BESIDE_A_TABLE if self._settings.is_durable else OTHERS
        return others[self._settings.store]

    @property
    def function_variables(self) -> dict[str, str]:
        """Variables added to the environment of a function; an empty value means none."""
        return {**dict.fromkeys(self.to_unset, ""), **self._settings.variables, **self.variables}

    def open_store(self) -> Store:
        """A store of this stack's counters for this process, whose environment names others.

        The caller closes it.
        """
        if not self._settings.is_durable:
            return open_cache(self.store)
        table = table_store(self.queue.endpoint_url)
        return DurableStore(table, open_cache(self.store), CACHE_TTL_S)

    def check(self) -> None:
        """Check that all parts run; ChildError, with their names, if some have died."""
        parts = {
            self.store.name: not self.store.has_died,  # a stopped cache is away on purpose
            "the local SQS": self.queue.is_alive,
            "the event source mapping": self._event_source is None or self._event_source.is_alive,
        }
        dead = [name for name, is_alive in parts.items() if not is_alive]
        if dead:
            message = f"{' and '.join(dead)} died"
            raise ChildError(message)

    @property
    def _table_variables(self) -> dict[str, str]:
        return table_variables(self.queue.endpoint_url) if self._settings.is_durable else {}

    def _function(self) -> Function:
        environment = LambdaEnvironment(
            CONSUMER,
            code=functions_folder(),
            variables=self.function_variables,
            settings=self._settings.function,
        )
        return self._wrap_function(environment)


def _store(settings: StackSettings) -> MomentoProcess | ValkeyProcess:
    match settings.store:
        case StoreKind.MOMENTO:
            return MomentoProcess([CACHE], port=settings.store_port)
        case StoreKind.VALKEY:
            return ValkeyProcess(port=settings.store_port)


def functions_folder() -> str:
    """The folder that holds `consumer` and `producer`, where a function's process looks first.

    In a checkout that is its top; in a wheel it is a folder of its own, since programs may have
    packages of those names.
    """
    tally = Path(__file__).resolve().parent.parent
    installed = tally / "functions"
    return str(installed if installed.is_dir() else tally.parent)
