"""The planned length of a value is that of the value that the real fold writes, to the byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tally.cli.plan.value import EvenLedger, value_bytes
from tally.counters.counter import fold, read_count
from tally.counters.decision import Decision
from tally.counters.event import Event
from tally.counters.ledger import Limits

START_MS = 1_790_000_000_000
HORIZON_S = Limits().horizon_s


def written(ledger, before=None, start_ms=START_MS, first=2**63):
    """The value after all events of a ledger such as this, of sources numbered from the first."""
    run = ledger.seqs // (ledger.gaps + 1)
    seqs = [n + n // run for n in range(ledger.seqs)]  # one is left out after each run
    events = [
        Event("c", first + source, seq, start_ms + source * ledger.spacing_s * 1_000)
        for source in range(ledger.sources)
        for seq in seqs
    ]
    return fold(before, events, Limits()).value


def planned(ledger, value):
    return value_bytes(ledger, count_digits=len(str(read_count(value))))


@pytest.mark.parametrize("seqs", [1, 127, 128, 255, 256, 65_535, 65_536])
@pytest.mark.parametrize("gaps", [0, 1])
def test_a_source_costs_what_its_seqs_take(seqs, gaps):
    ledger = EvenLedger(sources=1, seqs=seqs * (gaps + 1), gaps=gaps)
    value = written(ledger)
    assert planned(ledger, value) == len(value)


@pytest.mark.parametrize("sources", [1, 2, 14, 15, 16, 31, 32, 78, 79, 8_191, 8_192, 70_000])
def test_sources_cost_what_their_ids_times_and_runs_take(sources):
    ledger = EvenLedger(sources, seqs=1, spacing_s=HORIZON_S // sources)
    value = written(ledger)
    assert planned(ledger, value) == len(value)


@given(
    sources=st.integers(1, 60),
    run=st.integers(1, 40),
    gaps=st.integers(0, 12),
    spacing_s=st.sampled_from([0, 1, 127, 128, 255, 256, 1_400]),
)
def test_any_even_ledger_is_as_long_as_planned(sources, run, gaps, spacing_s):
    ledger = EvenLedger(sources, run * (gaps + 1), gaps, spacing_s)
    value = written(ledger)
    assert planned(ledger, value) == len(value)


@pytest.mark.parametrize("spacing_s", [0, 100, 200, 288])
def test_a_ledger_that_has_forgotten_is_at_most_four_bytes_longer(spacing_s):
    ledger = EvenLedger(sources=300, seqs=2, spacing_s=spacing_s)
    later_ms = START_MS + 3 * HORIZON_S * 1_000
    value = written(ledger, before=written(ledger), start_ms=later_ms, first=0)
    assert fold(value, [Event("c", 2**63, 0, START_MS)], Limits()).decisions == [
        Decision.UNDECIDABLE
    ]
    assert 0 <= len(value) - planned(ledger, value) <= 4


def test_sixty_live_sources_of_a_busy_day_fit_into_one_chunk():
    assert value_bytes(EvenLedger(60, seqs=60_000, spacing_s=HORIZON_S // 60)) == 875
