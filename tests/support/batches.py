"""Events that collide as often as they can, in batches, under limits that bite."""

from hypothesis import strategies as st

from tally.counters.event import INT64_MAX, INT64_MIN, Event
from tally.counters.ledger import Limits

HOSTILE = Limits(horizon_s=0, free_bytes=60, max_bytes=120, max_runs=4, max_rejected=2)
FORGETFUL = Limits(horizon_s=3, free_bytes=40, max_bytes=60, max_runs=6, max_rejected=4)
GAPPY = Limits(max_runs=4, max_rejected=2)
ANY_LIMITS = st.sampled_from([HOSTILE, FORGETFUL, GAPPY, GAPPY, Limits()])

AMOUNTS = st.integers(-3, 5) | st.sampled_from([INT64_MIN, INT64_MAX])
BOUNDS = st.integers(-4, 9)
SOURCES = st.sampled_from([0, 255, 2**64 - 1])
# Mostly small numbers, so that runs join and events meet again; sometimes the edges.
SEQS = st.integers(0, 12) | st.just(INT64_MAX)
TIMES_MS = st.integers(1, 12_000)

EVENTS = st.builds(
    Event,
    counter=st.just("c"),
    source=SOURCES,
    seq=SEQS,
    at=TIMES_MS,
    amount=AMOUNTS,
    low=BOUNDS | st.just(INT64_MIN),
    high=BOUNDS | st.just(INT64_MAX),
    reset=st.none() | st.none() | BOUNDS | st.sampled_from([INT64_MIN, INT64_MAX]),
)
BATCHES = st.lists(st.lists(EVENTS, max_size=12), min_size=1, max_size=8)
STARTS = st.sampled_from([None, b"0", b"42", b"-7", b"9223372036854775807"])


@st.composite
def deliveries(draw):
    """Batches over a small set of events, so that the same copies come again and again.

    An event that is delivered again is the same in every field: a producer stamps it once.
    """
    drawn = draw(st.lists(EVENTS, min_size=1, max_size=16))
    events = list({(event.source, event.seq): event for event in drawn}.values())
    batch = st.lists(st.sampled_from(events), max_size=10)
    return draw(st.lists(batch, min_size=1, max_size=8))
