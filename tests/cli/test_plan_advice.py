"""Advice is worth nothing unless it helps: each piece is put back into the model, and fits."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tally.cli.plan import limits
from tally.cli.plan.figures import Figures
from tally.cli.plan.limits import Change
from tally.cli.plan.load import WINDOWS_S, IdentityForm, Load

BUSY = Load(events_per_s=1_000, counters=100)
LOADS = st.builds(
    Load,
    events_per_s=st.floats(1, 1e5),
    counters=st.integers(1, 5_000),
    hot_share=st.sampled_from([0.0, 0.5]),
    sources=st.sampled_from([1, 60, 1_000, 200_000]),
    identity=st.sampled_from(IdentityForm),
    packed=st.sampled_from([1, 10, 100]),
    batch_size=st.sampled_from([10, 1_000, 10_000]),
    consumers=st.sampled_from([1, 2, 10, 100, 1_000]),
    timeout_s=st.sampled_from([1, 30]),
    quota_per_s=st.sampled_from([100.0, 1e4, 1e6]),
)


def advise(load):
    return limits.advise(Figures(load))


def misfits(load):
    return limits.misfits(Figures(load))


def changes(load):
    return [advice.changes for advice in advise(load)]


def broken(load):
    return [each.name for each in misfits(load)]


def test_a_load_that_fits_needs_no_advice():
    assert (broken(Load()), advise(Load())) == ([], [])


def test_a_busy_load_is_told_its_least_window_and_the_quota_it_needs():
    assert broken(BUSY) == ["operations"]
    assert changes(BUSY) == [
        [Change("window_s", 1, 30)],
        [Change("quota_per_s", 100.0, 1_500.0)],
    ]


def test_advice_says_what_becomes_of_the_limits_that_were_broken():
    longer, _ = advise(BUSY)
    [operations] = longer.mended
    assert operations == limits.limits(longer.figures)[0]
    assert (operations.name, operations.fits, round(operations.value)) == ("operations", True, 40)


@pytest.mark.parametrize(
    ("load", "limit", "advised"),
    [
        (Load(counters=10), "operations", Change("consumers", 4, 3)),
        (Load(sources=100_000, quota_per_s=1e7), "races", Change("sources", 100_000, 12_000)),
        (
            Load(events_per_s=10, counters=20_000, timeout_s=1, quota_per_s=1e7),
            "a full batch",
            Change("batch_size", 1_000, 150),
        ),
        (
            Load(events_per_s=500, counters=1, identity=IdentityForm.NAMED, quota_per_s=1e6),
            "value",
            Change("identity", IdentityForm.NAMED, IdentityForm.NATIVE),
        ),
        (
            Load(events_per_s=10, counters=20_000, timeout_s=1, quota_per_s=1e7),
            "a full batch",
            Change("timeout_s", 1, 20),
        ),
        (
            Load(events_per_s=2e4, counters=1, consumers=60, memory_mb=512, quota_per_s=1e4),
            "races",
            Change("memory_mb", 512, 1_024),
        ),
        (
            Load(
                events_per_s=20_000,
                packed=1,
                window_s=10,
                batch_size=10_000,
                consumers=30,
                quota_per_s=1e4,
            ),
            "in flight",
            Change("consumers", 30, 20),
        ),
        (
            Load(events_per_s=100, batch_size=1, packed=1, consumers=1, round_trip_ms=20),
            "events",
            Change("batch_size", 1, 9),
        ),
    ],
)
def test_each_limit_has_its_setting(load, limit, advised):
    assert limit in broken(load)
    assert [advised] in changes(load)


@pytest.mark.parametrize(("events_per_s", "noted"), [(662, []), (663, ["181 s"])])
def test_messages_that_all_fail_are_noted_if_they_fill_the_queue(events_per_s, noted):
    load = Load(events_per_s=events_per_s, packed=1, quota_per_s=1e6)
    told = [note for note in limits.notes(Figures(load)) if "If all messages fail" in note]
    assert [text for note in told for text in noted if text in note] == noted
    assert len(told) == len(noted)


def test_two_changes_are_advised_only_where_one_is_not_enough():
    load = dataclasses.replace(BUSY, identity=IdentityForm.NAMED)
    native = Change("identity", IdentityForm.NAMED, IdentityForm.NATIVE)
    assert changes(load) == [
        [native, Change("window_s", 1, 30)],
        [native, Change("quota_per_s", 100.0, 1_500.0)],
    ]


def test_where_no_two_changes_are_enough_one_way_with_more_is_told_and_no_change_is_too_large():
    load = Load(events_per_s=6_000, counters=5_000, hot_share=0.2, durable=True)
    assert changes(load) == [
        [
            Change("packed", 10, 50),
            Change("window_s", 1, 30),
            Change("memory_mb", 1_024, 1_769),
        ]
    ]
    for packed, window_s, memory_mb in ((40, 30, 1_769), (50, 10, 1_769), (50, 30, 1_024)):
        less = dataclasses.replace(load, packed=packed, window_s=window_s, memory_mb=memory_mb)
        assert broken(less) == ["races"]


def test_a_load_past_all_help_is_told_nothing():
    load = Load(events_per_s=1e7, counters=10_000)
    assert broken(load) == ["operations", "races", "events", "in flight"]
    assert advise(load) == []


@given(LOADS)
@examples(max_examples=25)
def test_the_advised_settings_fit_and_are_the_advised_changes_away(load):
    for advice in advise(load):
        told = {change.setting: change.after for change in advice.changes}
        assert 1 <= len(told) <= len(limits.KNOBS)
        assert advice.figures.load == dataclasses.replace(load, **told)
        assert limits.misfits(advice.figures) == []
        assert [each.name for each in advice.mended] == broken(load)
        if told.keys() == {"window_s"}:
            shorter = [s for s in WINDOWS_S if load.window_s < s < told["window_s"]]
            assert all(misfits(dataclasses.replace(load, window_s=s)) for s in shorter)


@pytest.mark.parametrize(("window_s", "sizes"), [(0, [3]), (1, [3])])
def test_a_slow_consumer_is_told_larger_batches(window_s, sizes):
    load = Load(
        events_per_s=100, batch_size=1, packed=1, consumers=1, round_trip_ms=20, quota_per_s=1_000
    )
    assert told_sizes(load, window_s) == sizes


def test_without_a_window_no_batch_is_told_to_be_larger_than_a_receive():
    load = Load(
        events_per_s=1_000, batch_size=1, packed=1, consumers=2, round_trip_ms=50, quota_per_s=1e4
    )
    assert (told_sizes(load, 1), told_sizes(load, 0)) == ([120], [])


def told_sizes(load, window_s):
    """The batch sizes that are advised alone."""
    advised = changes(dataclasses.replace(load, window_s=window_s))
    return [each.after for each, *more in advised if each.setting == "batch_size" and not more]
