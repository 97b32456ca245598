"""The environment: what each variable says, and every mistake told at once."""

import dataclasses

import pytest

from consumer.settings import ConsumerSettings, Guarantee
from tally.counters.event import INT64_MAX, INT64_MIN
from tally.environment import Cache, Local, Service, SettingsError

LOCAL = {"MOMENTO_CACHE_NAME": "tally", "MOMENTO_LOCAL": "127.0.0.1:8080"}
KEY = "a-key-that-nobody-may-see"
SERVICE = {
    "MOMENTO_CACHE_NAME": "tally",
    "MOMENTO_API_KEY": KEY,
    "MOMENTO_ENDPOINT": "cell-1.example.com",
}

read = ConsumerSettings.from_environment


def problems(environment):
    with pytest.raises(SettingsError) as caught:
        read(environment)
    assert str(caught.value) == "; ".join(caught.value.problems)
    return caught.value.problems


def without(environment, *names):
    return {name: value for name, value in environment.items() if name not in names}


def test_a_local_momento_needs_two_variables_and_the_rest_has_its_default():
    assert read(LOCAL) == ConsumerSettings(
        Cache("tally", Local("127.0.0.1", 8080)), 86_400, INT64_MAX
    )
    assert read(LOCAL).guarantee is Guarantee.EXACTLY_ONCE


def test_the_service_needs_an_endpoint_and_a_key():
    assert read(SERVICE) == ConsumerSettings(Cache("tally", Service("cell-1.example.com", KEY)))


def test_the_key_may_come_from_secrets_manager_instead():
    environment = without(SERVICE, "MOMENTO_API_KEY") | {"MOMENTO_API_KEY_SECRET": "momento/key"}
    service = Service("cell-1.example.com", api_key_secret="momento/key")  # noqa: S106 (its name)
    assert read(environment) == ConsumerSettings(Cache("tally", service))


def test_a_local_momento_goes_before_the_service_and_needs_no_key():
    assert read(SERVICE | LOCAL).place == Cache("tally", Local("127.0.0.1", 8080))


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("MOMENTO_TTL_SECONDS", "1", "ttl_s", 1),
        ("MOMENTO_TTL_SECONDS", "86400", "ttl_s", 86_400),
        ("MAX_COUNTER_VALUE", "1000", "max_counter_value", 1_000),
        ("MAX_COUNTER_VALUE", "-5", "max_counter_value", -5),
        ("MAX_COUNTER_VALUE", str(INT64_MIN), "max_counter_value", INT64_MIN),
        ("MAX_COUNTER_VALUE", str(INT64_MAX), "max_counter_value", INT64_MAX),
    ],
)
def test_a_number_is_read_up_to_its_limits(name, text, field, value):
    assert getattr(read(LOCAL | {name: text}), field) == value


@pytest.mark.parametrize("name", ["MOMENTO_TTL_SECONDS", "MAX_COUNTER_VALUE", "COUNTER_GUARANTEE"])
def test_an_empty_optional_variable_is_as_good_as_none(name):
    assert read(LOCAL | {name: ""}) == read(LOCAL)


@pytest.mark.parametrize("guarantee", Guarantee)
def test_either_guarantee_may_be_said(guarantee):
    told = read(LOCAL | {"COUNTER_GUARANTEE": str(guarantee)})
    assert told == dataclasses.replace(read(LOCAL), guarantee=guarantee)


def test_an_empty_environment_is_told_all_that_it_lacks():
    assert problems({}) == [
        "MOMENTO_API_KEY or MOMENTO_API_KEY_SECRET must be set",
        "MOMENTO_ENDPOINT must be set",
        "MOMENTO_CACHE_NAME must be set",
        "or, for another store than Momento, VALKEY_URL or COUNTER_TABLE",
    ]


def test_every_mistake_is_told_at_once_and_no_key():
    environment = {
        "MOMENTO_API_KEY": KEY,
        "MOMENTO_API_KEY_SECRET": "momento/key",
        "MOMENTO_CACHE_NAME": "Zähler",
        "MOMENTO_TTL_SECONDS": "0",
        "MAX_COUNTER_VALUE": "many",
        "COUNTER_GUARANTEE": "at-most-once",
    }
    told = problems(environment)
    assert told == [
        "MOMENTO_API_KEY or MOMENTO_API_KEY_SECRET, not both, must be set",
        "MOMENTO_ENDPOINT must be set",
        "MOMENTO_CACHE_NAME must be printable ASCII, found 'Zähler'",
        "MOMENTO_TTL_SECONDS must be an integer from 1 to 86400, found '0'",
        f"MAX_COUNTER_VALUE must be an integer from {INT64_MIN} to {INT64_MAX}, found 'many'",
        "COUNTER_GUARANTEE must be exactly-once or at-least-once, found 'at-most-once'",
    ]


@pytest.mark.parametrize(
    "endpoint",
    ["https://cell-1.example.com", "cell-1.example.com\n", " a.b", "a.b/", "a.b:443", "a", "a..b"],
)
def test_an_endpoint_that_is_no_host_is_refused_where_it_is_read(endpoint):
    service = {"MOMENTO_API_KEY": KEY, "MOMENTO_CACHE_NAME": "tally", "MOMENTO_ENDPOINT": endpoint}
    assert problems(service) == [f"MOMENTO_ENDPOINT must be the name of a host, found {endpoint!r}"]


@pytest.mark.parametrize(
    "endpoint", ["cache.cell-1.example.com", "api.cell-1.example.com", "API.cache.cell-1.example"]
)
def test_an_endpoint_in_the_form_of_another_protocol_is_refused_by_name(endpoint):
    service = {"MOMENTO_API_KEY": KEY, "MOMENTO_CACHE_NAME": "tally", "MOMENTO_ENDPOINT": endpoint}
    form = "without the api. or cache. of the forms for HTTP and RESP"
    assert problems(service) == [
        f"MOMENTO_ENDPOINT must be the bare name of the cell, {form}, found {endpoint!r}"
    ]


@pytest.mark.parametrize(
    "text", ["0", "86401", "-1", "1.0", "1e3", " 1", "1_0", "\uff11", "9" * 5_000]
)
def test_a_time_to_live_that_momento_would_not_keep_is_refused(text):
    [problem] = problems(LOCAL | {"MOMENTO_TTL_SECONDS": text})
    assert problem.startswith("MOMENTO_TTL_SECONDS must be an integer from 1 to 86400, found ")


@pytest.mark.parametrize("text", [str(INT64_MAX + 1), str(INT64_MIN - 1), "ten", "+1"])
def test_a_bound_past_64_bits_is_refused(text):
    [problem] = problems(LOCAL | {"MAX_COUNTER_VALUE": text})
    assert problem.startswith("MAX_COUNTER_VALUE must be an integer from ")


@pytest.mark.parametrize(
    "address",
    [
        "localhost",
        "8080",
        ":8080",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "a b:1",
        "a:b:1",
    ],
)
def test_a_local_address_that_is_no_host_and_port_is_refused(address):
    told = problems(LOCAL | {"MOMENTO_LOCAL": address})
    assert told == [f"MOMENTO_LOCAL must be host:port, found {address!r}"]


@pytest.mark.parametrize("name", ["Zähler", "a\nb", "a\x7f", "\t"])
def test_a_cache_name_that_no_header_can_carry_is_refused(name):
    told = problems(LOCAL | {"MOMENTO_CACHE_NAME": name})
    assert told == [f"MOMENTO_CACHE_NAME must be printable ASCII, found {name!r}"]


def test_the_key_is_in_no_repr():
    assert KEY not in repr(read(SERVICE))
