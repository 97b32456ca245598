"""The time of a CloudEvent: RFC 3339 in every form it allows, and nothing beside it."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tally.counters.cloudevent import increments
from tally.counters.errors import InvalidIncrementError

EVENT = {"specversion": "1.0", "id": "1", "source": "/", "type": "t", "subject": "c"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEAP_MS = 1_483_228_800_000  # 2017-01-01T00:00:00Z, before which there was one


def at_ms(time):
    [increment] = increments(EVENT | {"time": time})
    return increment.at


@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("1970-01-01T00:00:00.001Z", 1),
        ("2026-09-21T14:13:20Z", 1_790_000_000_000),
        ("2026-09-21t14:13:20z", 1_790_000_000_000),
        ("2026-09-21T14:13:20+00:00", 1_790_000_000_000),
        ("2026-09-21T14:13:20-00:00", 1_790_000_000_000),
        ("2026-09-21T16:13:20+02:00", 1_790_000_000_000),
        ("2026-09-21T19:43:20+05:30", 1_790_000_000_000),
        ("2026-09-20T14:14:20-23:59", 1_790_000_000_000),
        ("1969-12-31T23:00:00-01:01", 60_000),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("2000-02-29T00:00:00Z", 951_782_400_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
)
def test_every_form_of_a_time_is_its_milliseconds(time, at):
    assert at_ms(time) == at


@pytest.mark.parametrize(
    ("fraction", "ms"),
    [("0", 0), ("5", 500), ("05", 50), ("123", 123), ("1239", 123), ("9999999999", 999)],
)
def test_a_fraction_is_cut_off_after_its_milliseconds(fraction, ms):
    assert at_ms(f"2026-09-21T14:13:20.{fraction}Z") == 1_790_000_000_000 + ms


def test_a_fraction_may_be_as_long_as_a_message():
    assert at_ms(f"2026-09-21T14:13:20.{'7' * 100_000}Z") == 1_790_000_000_777


@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("2016-12-31T23:59:60Z", LEAP_MS),
        ("2016-12-31T23:59:60.25Z", LEAP_MS + 250),
        ("2017-01-01T00:59:60+01:00", LEAP_MS),
        ("2016-12-31T15:59:60-08:00", LEAP_MS),
    ],
)
def test_a_leap_second_is_the_second_after_it(time, at):
    assert at_ms(time) == at


@pytest.mark.parametrize("time", ["2016-12-31T23:58:60Z", "2016-12-31T23:59:60+01:00"])
def test_a_leap_second_is_the_last_of_a_day(time):
    with pytest.raises(InvalidIncrementError, match="time: has a leap second before the day's end"):
        at_ms(time)


@pytest.mark.parametrize("time", ["1970-01-01T00:00:00.0009Z", "1970-01-01T00:59:00+01:00"])
@pytest.mark.parametrize("year", ["1970", "1969", "0001"])
def test_a_time_is_after_the_epoch(time, year):
    with pytest.raises(InvalidIncrementError, match="time: must be later than 1970 began"):
        at_ms(time.replace("1970", year, 1))


@pytest.mark.parametrize(
    "time",
    [
        "now",
        "1790000000",
        "2026-09-21",
        "14:13:20Z",
        "2026-09-21T14:13:20",
        "2026-09-21 14:13:20Z",
        "2026-09-21T14:13Z",
        "2026-09-21T14:13:20.Z",
        "2026-09-21T14:13:20,5Z",
        "2026-09-21T14:13:20 Z",
        "2026-09-21T14:13:20Z\n",
        "2026-09-21T14:13:20Z[UTC]",
        "2026-09-21T14:13:20+0200",
        "2026-09-21T14:13:20+24:00",
        "2026-09-21T14:13:20+02:60",
        "2026-09-21T24:00:00Z",
        "2026-09-21T14:60:20Z",
        "2026-09-21T14:13:61Z",
        "2026-00-21T14:13:20Z",
        "2026-13-21T14:13:20Z",
        "2026-09-00T14:13:20Z",
        "2026-09-31T14:13:20Z",
        "2026-09-39T14:13:20Z",
        "2026-02-29T14:13:20Z",
        "1900-02-29T14:13:20Z",
        "0000-09-21T14:13:20Z",
        "-2026-09-21T14:13:20Z",
        "12026-09-21T14:13:20Z",
        "2026-09-21T14:13:20\u0660Z",
        "\u0662026-09-21T14:13:20Z",
    ],
)
def test_what_is_no_time_is_said_to_be_none(time):
    with pytest.raises(InvalidIncrementError) as caught:
        at_ms(time)
    assert (caught.value.field, caught.value.reason) == ("time", "is no time of RFC 3339")


ZONES = st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@example(datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
@given(st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1), timezones=ZONES))  # noqa: DTZ001 (hypothesis wants them naive)
def test_a_time_is_read_as_datetime_reads_it(time):
    assert at_ms(time.isoformat()) == (time - EPOCH) // timedelta(milliseconds=1)


@given(st.text(alphabet="0123456789-:.TZtz+ ", max_size=30) | st.text(max_size=30))
def test_no_text_makes_the_reading_of_a_time_fail_otherwise(time):
    with contextlib.suppress(InvalidIncrementError):
        assert at_ms(time) > 0
