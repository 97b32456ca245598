"""The one name of an event: the same for the increment and its event, and read back exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tally.counters.errors import InvalidIncrementError
from tally.counters.event import (
    INT64_MAX,
    MAX_KNOWN_SOURCES,
    Envelope,
    Event,
    EventName,
    Increment,
    build,
    source_number,
)
from tally.counters.identity import (
    claimed,
    derived_source,
    identify,
    identity_of,
)

AT = 1_790_000_000_000
SOURCE = "00000000000000ff"
ENVELOPE = Envelope("m-1", AT)
NATIVE = {"counter": "c", "source": SOURCE, "seq": 17, "at": AT}
NAMED = {"counter": "c", "id": "order-1", "at": AT}


def test_the_hash_of_an_identity_never_changes():
    assert derived_source("m-1") == 0xD27A_D701_A685_9B35
    assert derived_source("order-1") == 0x2599_000E_8C1B_023D
    assert derived_source("Zähler") != derived_source("Zahler")


def test_an_event_is_named_by_its_source_in_hexadecimal_its_seq_and_its_time():
    assert Event("c", 255, 17, AT).identity == f"{SOURCE}:17:{AT}"


@pytest.mark.parametrize(
    ("fields", "name"),
    [(NATIVE, f"{SOURCE}:17:{AT}"), (NAMED, f"2599000e8c1b023d:0:{AT}")],
    ids=["native", "named"],
)
def test_an_increment_is_named_as_its_event_is(fields, name):
    increment = build(fields)
    assert identity_of(increment) == name
    assert identify(increment, ENVELOPE, 3, INT64_MAX).identity == name


def test_an_increment_of_half_a_form_has_no_name():
    with pytest.raises(InvalidIncrementError, match="seq: is missing, but source is given"):
        identity_of(Increment("c", source=SOURCE, at=AT))


def test_an_anonymous_increment_has_no_name_of_its_own():
    with pytest.raises(InvalidIncrementError, match="at: is missing: an anonymous"):
        identity_of(Increment("c"))


@given(st.integers(0, 2**64 - 1), st.integers(0, INT64_MAX), st.integers(1, INT64_MAX))
def test_a_name_is_read_as_it_was_written_and_in_no_other_form(source, seq, at):
    event = Event("c", source, seq, at)
    name = EventName.parse(event.identity)
    assert name == EventName(source, seq, at)
    assert str(name) == event.identity


@pytest.mark.parametrize(("seq", "at"), [(0, 1), (INT64_MAX, AT), (17, INT64_MAX)])
def test_the_first_and_the_last_event_there_can_be_have_names(seq, at):
    assert EventName.parse(f"{SOURCE}:{seq}:{at}") == (255, seq, at)


@pytest.mark.parametrize(
    "text",
    [
        "",
        SOURCE,
        f"{SOURCE}:17",
        f"{SOURCE}:17:",
        f"{SOURCE}:17:{AT}:",
        f" {SOURCE}:17:{AT}",
        f"{SOURCE}:17:{AT}\n",
        f"00000000000000FF:17:{AT}",
        f"ff:17:{AT}",
        f"{SOURCE}:017:{AT}",
        f"{SOURCE}:-1:{AT}",
        f"{SOURCE}:+1:{AT}",
        f"{SOURCE}:1_0:{AT}",
        f"{SOURCE}:\u0661:{AT}",
        f"{SOURCE}:17:0",
        f"{SOURCE}:{INT64_MAX + 1}:{AT}",
        f"{SOURCE}:17:{INT64_MAX + 1}",
        f"{SOURCE}:17:{'9' * 5_000}",
    ],
)
def test_what_is_no_name_is_said_to_be_none(text):
    with pytest.raises(InvalidIncrementError) as caught:
        EventName.parse(text)
    assert (caught.value.field, caught.value.reason) == ("event", "must be source:seq:at")


@pytest.mark.parametrize(
    ("increment", "claim"),
    [
        (Increment("c"), ""),
        (Increment("c", id="order-1"), "order-1"),
        (Increment("c", source=SOURCE, seq=17, at=AT), f"{SOURCE}:17:{AT}"),
        (Increment("c", source=SOURCE, seq=0), f"{SOURCE}:0"),
        (Increment("c", source=SOURCE), SOURCE),
    ],
)
def test_an_increment_claims_what_it_has_of_an_identity(increment, claim):
    assert claimed(increment) == claim


def test_the_sources_that_are_remembered_have_a_bound():
    for number in range(MAX_KNOWN_SOURCES + 1):
        assert source_number(f"{number:016x}") == number
    assert source_number.cache_info().currsize == MAX_KNOWN_SOURCES
