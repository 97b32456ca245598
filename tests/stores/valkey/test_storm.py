"""Writers of many threads whose connections are cut at any byte count each event once."""

import contextlib
import itertools
import random
import time
from concurrent.futures import ThreadPoolExecutor

from tally.counters.counter import read_count
from tally.counters.event import Event
from tally.environment import Valkey
from tally.settling.copies import Copies
from tally.settling.progress import Activity
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tests.support.cutting_proxy import CuttingProxy
from tests.support.valkey import HOST, store_at

THREADS, SOURCES, EVENTS, MOST = 3, 4, 60, 9
COUNTERS = [f"c{number}" for number in range(5)]
SETTLE_S = 30.0
SILENCE_S = 0.05
MOST_BYTES = 20_000
SILENT_SHARE = 0.2
AT_MS = 1_790_000_000_000


def batches(seed):
    """Every event in some batch of some thread, and most of them in several."""
    draw = random.Random(seed)
    events = list(itertools.product(range(1, SOURCES + 1), range(EVENTS)))
    draw.shuffle(events)
    while events:
        batch = events[:MOST]
        events = events[draw.randint(1, MOST) :]
        yield {
            counter: [Event(counter, source, seq, AT_MS) for source, seq in batch]
            for counter in COUNTERS
        }


def settle(port, seed, forget):
    """Settle each batch, and let the server forget its scripts now and then."""
    address = Valkey(HOST, port, is_tls=False)
    with contextlib.closing(store_at(address, deadline_s=SILENCE_S)) as store:
        draw = random.Random(seed)
        rounds = Rounds(store, clock=time.monotonic, sleep=lambda _s: None, uniform=draw.uniform)
        writer = Writer(rounds, Copies())
        for groups in batches(seed):
            forget()
            ends_at = time.monotonic() + SETTLE_S
            assert writer.settle(groups, ends_at, Activity()).open == {}


def test_each_event_is_counted_once(valkey):
    forgetting = random.Random(0)

    def forget():
        if forgetting.random() < 0.1:
            valkey.command("SCRIPT", "FLUSH")

    with (
        CuttingProxy(valkey.port, 1, MOST_BYTES, SILENT_SHARE) as proxy,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        work = [pool.submit(settle, proxy.port, seed, forget) for seed in range(THREADS)]
        for each in work:
            each.result()
        assert min(proxy.cuts, proxy.silences) > 0
    counts = {name: read_count(valkey.command("GET", name)) for name in COUNTERS}
    assert counts == dict.fromkeys(COUNTERS, SOURCES * EVENTS)
