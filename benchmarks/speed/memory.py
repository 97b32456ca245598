"""The memory of our consumer over a thousand batches, in a process that does nothing else."""

import gc
import resource
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing import get_context

import msgspec

from benchmarks.speed.consumers import Handle, unread
from benchmarks.speed.workload import Workload

BATCHES = 1_000
SETTLED_AFTER = 0.2
"""The share of the batches after which caches and allocators have what they need."""

BATCH_INCREMENTS = 100
COUNTERS = 10
KIB = 1_024


Opens = Callable[[], AbstractContextManager[Handle]]
"""Opens a consumer of ours; processes hand it on."""


class Memory(msgspec.Struct, frozen=True):
    """What is held once settled, and what at the end, in bytes.

    Attributes:
        batches: in all.
        objects: by Python's objects.
        peak: by the whole process, at the most.
    """

    batches: int
    objects: tuple[int, int]
    peak: tuple[int, int]


def measure(opens: Opens, batches: int, seed: int) -> Memory:
    """Watch two consumers, each in a fresh process: tracing objects takes memory of its own."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as fresh:
        objects = fresh.submit(traced, opens, batches, seed)
        peak = fresh.submit(untraced, opens, batches, seed)
        return Memory(batches, objects.result(), peak.result())


def traced(opens: Opens, batches: int, seed: int) -> tuple[int, int]:
    """The bytes of Python's objects."""
    tracemalloc.start()
    try:
        return _run(opens, batches, Workload(seed, COUNTERS, name="traced"), _objects_bytes)
    finally:
        tracemalloc.stop()


def untraced(opens: Opens, batches: int, seed: int) -> tuple[int, int]:
    """The peak of the process."""
    return _run(opens, batches, Workload(seed, COUNTERS, name="untraced"), _peak_bytes)


def _run(
    opens: Opens, batches: int, workload: Workload, measured: Callable[[], int]
) -> tuple[int, int]:
    settled = int(batches * SETTLED_AFTER)
    with opens() as handle, unread():
        for _ in range(settled):
            handle(workload.batch(BATCH_INCREMENTS).event)
        begin = measured()
        for _ in range(batches - settled):
            handle(workload.batch(BATCH_INCREMENTS).event)
        return begin, measured()


def _objects_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * KIB
