"""What `COUNTER_TABLE` means, and beside what."""

import pytest

from consumer.settings import ConsumerSettings
from producer.settings import ApiSettings
from tally.environment import Cache, Local, SettingsError, Table, Valkey, place_from, store_name

MOMENTO = {"MOMENTO_LOCAL": "127.0.0.1:8080", "MOMENTO_CACHE_NAME": "tally"}
VALKEY = {"VALKEY_URL": "redis://127.0.0.1:7000"}
QUEUE = {"SQS_QUEUE_URL": "https://sqs/q"}
CACHE = Cache("tally", Local("127.0.0.1", 8080))
NAME = {"COUNTER_TABLE": "counters"}

read = ConsumerSettings.from_environment


def problems(**variables):
    with pytest.raises(SettingsError) as caught:
        read(variables)
    return caught.value.problems


@pytest.mark.parametrize(
    ("variables", "table"),
    [
        ({}, Table("counters")),
        (MOMENTO, Table("counters", cache=CACHE)),
        (VALKEY, Table("counters", cache=Valkey("127.0.0.1", 7000, is_tls=False))),
        (
            MOMENTO | {"CACHE_TTL_SECONDS": "300", "COUNTER_TTL_SECONDS": "3600"},
            Table("counters", 3_600, CACHE, 300),
        ),
    ],
)
def test_the_consumer_the_api_and_a_reader_read_the_same(variables, table):
    told = NAME | QUEUE | variables
    assert read(told) == ConsumerSettings(table, ttl_s=table.ttl_s)
    assert ApiSettings.from_environment(told).place == table
    assert place_from(told) == table


@pytest.mark.parametrize("name", ["a-table.of_mine", "abc", "x" * 255])
def test_a_table_has_a_name_as_dynamodb_takes_it(name):
    assert read({"COUNTER_TABLE": name}).place == Table(name)


@pytest.mark.parametrize("name", ["ab", "x" * 256, "a table", "arn:aws:dynamodb", "abc\n"])
def test_any_other_name_is_refused(name):
    told = problems(COUNTER_TABLE=name)
    form = "the name of a table of DynamoDB, 3 to 255 of A-Z a-z 0-9 _ . -"
    assert told == [f"COUNTER_TABLE must be {form}, found {name!r}"]


def test_counters_in_a_table_are_exactly_once():
    told = problems(COUNTER_TABLE="counters", COUNTER_GUARANTEE="at-least-once", **MOMENTO)
    assert told == ["COUNTER_GUARANTEE=at-least-once needs Momento without COUNTER_TABLE"]


@pytest.mark.parametrize("name", ["MOMENTO_TTL_SECONDS", "VALKEY_TTL_SECONDS"])
def test_a_copy_has_a_time_to_live_of_its_own(name):
    told = problems(COUNTER_TABLE="counters", **{name: "60"})
    assert told == [f"{name} beside COUNTER_TABLE: what a cache holds then has CACHE_TTL_SECONDS"]


@pytest.mark.parametrize("name", ["COUNTER_TTL_SECONDS", "CACHE_TTL_SECONDS"])
def test_without_a_table_nothing_of_it_is_set(name):
    assert problems(**{name: "3600"}, **MOMENTO) == [f"{name} needs COUNTER_TABLE"]


def test_copies_are_for_a_cache():
    told = problems(COUNTER_TABLE="counters", CACHE_TTL_SECONDS="60")
    assert told == ["CACHE_TTL_SECONDS needs a cache beside COUNTER_TABLE: MOMENTO_* or VALKEY_*"]


def test_every_mistake_is_told_at_once():
    told = problems(
        COUNTER_TABLE="counters",
        COUNTER_TTL_SECONDS="3599",
        CACHE_TTL_SECONDS="301",
        MOMENTO_CACHE_NAME="tally",
    )
    assert told == [
        "MOMENTO_API_KEY or MOMENTO_API_KEY_SECRET must be set",
        "MOMENTO_ENDPOINT must be set",
        "COUNTER_TTL_SECONDS must be an integer from 3600 to 315360000, found '3599'",
        "CACHE_TTL_SECONDS must be an integer from 1 to 300, found '301'",
    ]


def test_without_a_table_everything_is_as_it_was():
    assert read(MOMENTO) == ConsumerSettings(CACHE, ttl_s=86_400)
    assert read(MOMENTO | {"COUNTER_TABLE": ""}) == read(MOMENTO)


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "Momento"),
        (MOMENTO | dict.fromkeys(VALKEY, ""), "Momento"),
        (VALKEY, "Valkey"),
        (NAME | VALKEY, "DynamoDB"),
    ],
)
def test_people_are_told_of_the_store_that_decides(variables, name):
    assert store_name(variables) == name


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        (MOMENTO, "Momento at 127.0.0.1:8080, cache 'tally'"),
        (
            {
                "MOMENTO_ENDPOINT": "cell-1.momentohq.com",
                "MOMENTO_API_KEY": "k-e-y",
                "MOMENTO_CACHE_NAME": "c",
            },
            "Momento at cell-1.momentohq.com, cache 'c'",
        ),
        (VALKEY | {"VALKEY_PASSWORD": "p-w"}, "Valkey at 127.0.0.1:7000"),
        (NAME | VALKEY, "DynamoDB, table 'counters'"),
    ],
)
def test_an_error_names_where_counters_live_and_no_key(variables, text):
    assert str(place_from(variables)) == text
