"""Bugs in AWS and Momento on this machine, which every demo, trial and test goes by."""

from tests.mutants.mutation import Mutation

_DATA = "tally/local/momento/data_calls.py"
_METERING = "tally/local/momento/metering.py"
_STORE = "tally/local/momento/store.py"

_BILLING = "tests/local/test_momento_metering.py"
_COMPARING = "tests/local/test_momento_conditions.py"
_SERVING = "tests/local/test_momento_server.py"

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

OF_LOCAL = MOMENTO
