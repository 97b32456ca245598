"""Bugs in AWS and Momento on this machine, which every demo, trial and test goes by."""

from tests.mutants.mutation import Mutation

_DATA = "tally/local/momento/data_calls.py"
_EVENT_SOURCE = "tally/local/lambda_/event_source.py"
_METERING = "tally/local/momento/metering.py"
_STORE = "tally/local/momento/store.py"

_BILLING = "tests/local/test_momento_metering.py"
_COMPARING = "tests/local/test_momento_conditions.py"
_POLLING = "tests/local/test_poller.py"
_SERVING = "tests/local/test_momento_server.py"

_GATHER = """        arrived = self._carried or self._receive(size, self._batching.poll_s)
        self._carried = batch.take(arrived)
"""
_WINDOW = "        deadline = self._clock() + self._batching.window_s\n"

MOMENTO = (
    Mutation(
        "a hash of two bytes",
        "Values share a hash, and a swap goes through over what its writer has not seen.",
        _DATA,
        "hashlib.sha256(value).digest()",
        "hashlib.sha256(value).digest()[:2]",
        tests=_COMPARING,
    ),
    Mutation(
        "a hash of the count alone",
        "Two ledgers of one count are taken for each other, and events are lost.",
        _DATA,
        "hashlib.sha256(value).digest()",
        'hashlib.sha256(value.partition(b"\\n")[0]).digest()',
        tests=_COMPARING,
    ),
    Mutation(
        "a meter without a lock",
        "Of two calls at once one is not billed, and a benchmark tells too low a price.",
        _METERING,
        "        with self._lock:\n            self._calls[call] += 1",
        "        with threading.Lock():\n            self._calls[call] += 1",
        tests=_BILLING,
    ),
    Mutation(
        "all items looked through at each write",
        "From a thousand counters on each write takes as long as all of them.",
        _STORE,
        "max(MIN_SWEEP_ITEMS, 2 * len(live))",
        "MIN_SWEEP_ITEMS",
        tests=_SERVING,
    ),
)

EVENT_SOURCE = (
    Mutation(
        "a window that begins before its first message",
        "After a long poll a batch has one message where Lambda would have waited for more.",
        _EVENT_SOURCE,
        _GATHER + _WINDOW,
        _WINDOW + _GATHER,
        tests=_POLLING,
    ),
    Mutation(
        "more asked for than fits into a batch",
        "A batch is larger than was asked for.",
        _EVENT_SOURCE,
        "self._receive(size - len(batch.messages), 0)",
        "self._receive(size, 0)",
        tests=_POLLING,
    ),
)

ENVIRONMENT = (
    Mutation(
        "what a function prints at its start lost",
        "Why a function does not start as it should is in no log.",
        "tally/local/lambda_/environment.py",
        "output=init.output + end.output",
        "output=end.output",
        tests="tests/local/test_environment.py",
    ),
)

OF_LOCAL = MOMENTO + EVENT_SOURCE + ENVIRONMENT
