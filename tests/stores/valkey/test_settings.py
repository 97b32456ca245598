"""What `VALKEY_*` mean, and beside what; no text shows a URL or a password."""

import pytest

from consumer.settings import ConsumerSettings
from producer.settings import ApiSettings
from tally.environment import SettingsError, Valkey, place_from

KEY = "a-password-that-nobody-may-see"
URL = "rediss://counters.example.com:6380"
FORM = (
    "VALKEY_URL must be rediss://host:port, with no user, password, path or query (it is not shown)"
)


read = ConsumerSettings.from_environment


def problems(**variables):
    with pytest.raises(SettingsError) as caught:
        read(variables)
    return caught.value.problems


def test_a_url_is_enough():
    assert read({"VALKEY_URL": URL}) == ConsumerSettings(
        Valkey("counters.example.com", 6380), ttl_s=30 * 86_400
    )


def test_the_consumer_the_api_and_a_reader_read_the_same():
    variables = {
        "VALKEY_URL": URL,
        "VALKEY_USERNAME": "tally",
        "VALKEY_PASSWORD": KEY,
        "SQS_QUEUE_URL": "https://sqs/q",
    }
    valkey = Valkey("counters.example.com", 6380, username="tally", password=KEY)
    assert read(variables).place == valkey
    assert ApiSettings.from_environment(variables).place == valkey
    assert place_from(variables) == valkey


def test_the_password_may_come_from_secrets_manager_instead():
    told = read({"VALKEY_URL": URL, "VALKEY_PASSWORD_SECRET": "valkey/key"})
    assert told.place == Valkey("counters.example.com", 6380, password_secret="valkey/key")  # noqa: S106 (its name)


@pytest.mark.parametrize(
    ("url", "valkey"),
    [
        ("rediss://10-0-0-1.example:1", Valkey("10-0-0-1.example", 1)),
        ("rediss://cache", Valkey("cache", 6379)),
        ("rediss://my_cache.local:65535", Valkey("my_cache.local", 65_535)),
        ("rediss://[fd00:1:2]:6379", Valkey("fd00:1:2", 6379)),
        ("redis://localhost:7000", Valkey("localhost", 7000, is_tls=False)),
        ("redis://127.0.0.1", Valkey("127.0.0.1", 6379, is_tls=False)),
        ("redis://[::1]:6379", Valkey("::1", 6379, is_tls=False)),
    ],
)
def test_a_url_tells_host_port_and_tls(url, valkey):
    assert read({"VALKEY_URL": url}).place == valkey


@pytest.mark.parametrize(
    "url",
    [
        f"rediss://tally:{KEY}@cache:6379",
        f"rediss://:{KEY}/x@cache:6379",
        f"rediss://cache:6379/0?password={KEY}",
        "rediss://cache:6379/",
        "rediss://cache:6379/0",
        "rediss://cache:6379?ssl_cert_reqs=none",
        "rediss://cache:6379#x",
        "rediss://cache:0",
        "rediss://cache:65536",
        "rediss://cache:",
        "rediss://cache:6379\n",
        "rediss://a..b:1",
        f"rediss://{'a' * 64}:1",
        "rediss://",
        "valkeys://cache:6379",
        "cache:6379",
    ],
)
def test_a_url_with_anything_else_in_it_is_refused_unseen(url):
    assert problems(VALKEY_URL=url) == [FORM]


@pytest.mark.parametrize("host", ["cache", "127.0.0.1.example.com", "localhost.example.com"])
def test_without_tls_only_this_machine_is_spoken_to(host):
    told = problems(VALKEY_URL=f"redis://{host}:6379")
    assert told == ["VALKEY_URL must be rediss://: without TLS only a server on this machine is"]


def test_counters_live_in_one_place():
    told = problems(
        VALKEY_URL=URL, MOMENTO_CACHE_NAME="tally", MOMENTO_LOCAL="", MOMENTO_API_KEY=KEY
    )
    assert told == [
        "MOMENTO_API_KEY beside VALKEY_URL: counters live in Momento or in Valkey",
        "MOMENTO_CACHE_NAME beside VALKEY_URL: counters live in Momento or in Valkey",
    ]


def test_any_variable_of_valkey_means_valkey():
    assert problems(VALKEY_PASSWORD=KEY) == ["VALKEY_URL must be set"]


def test_every_mistake_is_told_at_once_and_no_password():
    told = problems(
        VALKEY_URL=f"rediss://:{KEY}@cache",
        VALKEY_PASSWORD=KEY,
        VALKEY_PASSWORD_SECRET="valkey/key",  # noqa: S106 (its name)
        VALKEY_TTL_SECONDS="0",
        COUNTER_GUARANTEE="at-least-once",
    )
    assert told == [
        "VALKEY_PASSWORD or VALKEY_PASSWORD_SECRET, not both, must be set",
        FORM,
        "VALKEY_TTL_SECONDS must be an integer from 1 to 315360000, found '0'",
        "COUNTER_GUARANTEE=at-least-once needs Momento, and not Valkey",
    ]


def test_a_user_has_a_password():
    told = problems(VALKEY_URL=URL, VALKEY_USERNAME="tally")
    assert told == ["VALKEY_PASSWORD or VALKEY_PASSWORD_SECRET must be set beside VALKEY_USERNAME"]


@pytest.mark.parametrize("held_by", ["VALKEY_PASSWORD", "VALKEY_PASSWORD_SECRET"])
def test_wherever_that_is_it_goes_with_a_user(held_by):
    told = place_from({"VALKEY_URL": URL, "VALKEY_USERNAME": "tally", held_by: "held"})
    assert isinstance(told, Valkey)
    assert (told.username, told.password or told.password_secret) == ("tally", "held")


def test_a_counter_may_live_for_years():
    assert read({"VALKEY_URL": URL, "VALKEY_TTL_SECONDS": "315360000"}).ttl_s == 315_360_000


def test_the_password_is_in_no_repr():
    assert KEY not in repr(read({"VALKEY_URL": URL, "VALKEY_PASSWORD": KEY}))
