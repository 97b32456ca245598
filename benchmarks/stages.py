"""Where the CPU of a warm batch goes, stage by stage, and what the consumer's memory does.

`.venv/bin/python -m benchmarks.stages` runs the real consumer against the embedded Momento in a
process of its own. What is measured is the handler, from records to response: making the batch, and
the `json.loads` that Lambda does, are not in it. CPU and not the clock, since a machine is shared.
"""
# ruff: noqa: INP001 -- a command of its own, beside the packages of benchmarks

import argparse
import functools
import io
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from multiprocessing.connection import Connection
from operator import itemgetter
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from consumer import batch, messages, wiring
from consumer.observability import Observer
from consumer.settings import ConsumerSettings
from tally.local.momento import HOST, MomentoServer
from tally.settling import writer
from tally.stores.momento.calls import Calls
from tally.stores.momento.store import MomentoStore

CACHE = "stages"
AT_MS = 1_790_000_000_000
WARM_UP = 3
MEMORY_STEPS = 10
MICRO = 1_000_000
STAGES: tuple[tuple[Any, str, str], ...] = (
    (batch.Consumer, "handle", "metrics, and what Powertools prepares"),
    (batch.Consumer, "_settle", "response"),
    (messages, "read", "parse: records to events"),
    (batch, "_by_counter", "group and sort by counter"),
    (writer.Writer, "settle", "rounds"),
    (writer, "fold", "fold: values decoded, events decided, values encoded"),
    (Calls, "write", "gRPC: calls sent"),
    (MomentoStore, "_finish", "gRPC: answers taken"),
)
THREADS = "gRPC: its own threads"


class Stages:
    """The CPU seconds of each stage, less those of the stages within it."""

    def __init__(self) -> None:
        self.cpu_s: defaultdict[str, float] = defaultdict(float)
        self._under_way: list[str] = []
        self._since_s = 0.0

    def watch(self, owner: Any, name: str, stage: str) -> None:  # noqa: ANN401 (a module or a class)
        """Have a function charge its stage from now on."""
        function: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (whatever it takes and gives)
            self._charge()
            self._under_way.append(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._charge()
                self._under_way.pop()

        setattr(owner, name, watched)

    def _charge(self) -> None:
        now_s = time.thread_time()
        if self._under_way:
            self.cpu_s[self._under_way[-1]] += now_s - self._since_s
        self._since_s = now_s


def batch_text(number: int, events: int, counters: int, packed: int) -> str:
    """The JSON of an SQS event: one producer's next increments, `packed` in a message."""
    increments = [
        {
            "counter": f"page:{place % counters}",
            "source": f"{0x9F86D081884C7D65:016x}",
            "seq": number * (events // counters) + place // counters,
            "at": AT_MS + number * 1_000 + place // 10,
        }
        for place in range(events)
    ]
    bodies = [increments[start : start + packed] for start in range(0, events, packed)]
    records = [
        {
            "messageId": f"{number:08x}-0000-4000-8000-{place:012x}",
            "receiptHandle": "x" * 180,
            "body": json.dumps(body if packed > 1 else body[0]),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": str(AT_MS + number * 1_000 + 5_000),
                "SenderId": "AIDAIT2UOQQY3AUEKVGXU",
                "ApproximateFirstReceiveTimestamp": str(AT_MS),
            },
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:counters",
            "awsRegion": "us-east-1",
        }
        for place, body in enumerate(bodies)
    ]
    return json.dumps({"Records": records})


def serve(parent: Connection) -> None:
    """Serve the embedded Momento until the parent says otherwise."""
    with MomentoServer([CACHE]) as server:
        parent.send(server.port)
        parent.recv()


@contextmanager
def deployed() -> Iterator[batch.Consumer]:
    """A consumer on a Momento in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        told = ConsumerSettings.from_environment(
            {"MOMENTO_CACHE_NAME": CACHE, "MOMENTO_LOCAL": f"{HOST}:{ours.recv()}"}
        )
        logger = Logger(service=CACHE, stream=io.StringIO())
        metrics = EphemeralMetrics(service=CACHE, namespace="Tally")
        yield wiring.build(told, observer=Observer(logger, metrics))
    finally:
        ours.send("stop")
        process.join()


def handled(consumer: batch.Consumer, text: str) -> tuple[float, float]:
    """The CPU seconds of a batch: of the whole process, and of the handler's thread."""
    event = json.loads(text)
    process_s, thread_s = time.process_time(), time.thread_time()
    with redirect_stdout(io.StringIO()):
        answer = consumer.handle(event, None)
    spent = time.process_time() - process_s, time.thread_time() - thread_s
    if answer != {"batchItemFailures": []}:
        sys.exit(f"a batch was not settled: {answer}")
    return spent


def tell_cpu(consumer: batch.Consumer, options: argparse.Namespace) -> None:
    """Print the median of the batches' CPU, and each stage's share of the sum."""
    stages, whole_s = Stages(), []
    for owner, name, stage in STAGES:
        stages.watch(owner, name, stage)
    for number in range(WARM_UP + options.batches):
        if number == WARM_UP:
            stages.cpu_s.clear()
        text = batch_text(number, options.events, options.counters, options.packed)
        process_s, thread_s = handled(consumer, text)
        if number >= WARM_UP:
            whole_s.append(process_s)
            stages.cpu_s[THREADS] += process_s - thread_s
    per_event = MICRO / options.events
    for stage, cpu_s in sorted(stages.cpu_s.items(), key=itemgetter(1), reverse=True):
        print(f"{cpu_s / options.batches * per_event:6.2f}  {stage}")  # noqa: T201 (the result)
    print(  # noqa: T201 (the result)
        f"{statistics.median(whole_s) * per_event:6.2f}  µs an event, median of {options.batches}"
        f" batches ({min(whole_s) * per_event:.2f} to {max(whole_s) * per_event:.2f})"
    )


def tell_memory(consumer: batch.Consumer, options: argparse.Namespace) -> None:
    """Print the resident memory while the batches go by."""
    for number in range(options.batches):
        handled(consumer, batch_text(number, options.events, options.counters, options.packed))
        if (number + 1) % max(1, options.batches // MEMORY_STEPS) == 0:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            resident_mib = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
            print(f"{number + 1:6} batches {resident_mib:7.1f} MiB")  # noqa: T201 (the result)


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="increments in a batch")
    parser.add_argument("--counters", type=int, default=100, help="counters that they are for")
    parser.add_argument("--packed", type=int, default=1, help="increments in a message")
    parser.add_argument("--batches", type=int, default=25)
    parser.add_argument("--memory", action="store_true", help="resident memory instead of CPU")
    options = parser.parse_args()
    with deployed() as consumer:
        (tell_memory if options.memory else tell_cpu)(consumer, options)


if __name__ == "__main__":
    main()
