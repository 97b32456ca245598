"""The embedded stack's table: it decides, one request at a time, and a cache stands before it."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from tally.local.stack import Stack, StackSettings, StoreKind
from tally.local.table import TABLE_NAME, table_store
from tally.publishing.publisher import Publisher
from tally.reading.reader import Reader, Reading
from tally.stores.port import ABSENT, LostRace, Source, Stored, Swap
from tests.support.processes import wait_until
from tests.support.terminal import QUIET, put_on, users_aws
from tests.support.valkey import needed

WAIT_S = 60.0
NAMES = [f"c{number}" for number in range(10)]
WRITERS = 8


@pytest.fixture(scope="module", params=StoreKind)
def durable(request, tmp_path_factory):
    """A stack with a table, in the shell of a user of AWS who has counters in a cache elsewhere."""
    if request.param is StoreKind.VALKEY:
        needed()
    user = {"COUNTER_TABLE": "mine", "MOMENTO_TTL_SECONDS": "60", "VALKEY_TTL_SECONDS": "60"}
    shell = QUIET | users_aws(tmp_path_factory.mktemp("aws")) | user
    with pytest.MonkeyPatch.context() as environment:
        put_on(environment, shell)
        with Stack(StackSettings(store=request.param, is_durable=True)) as stack:
            yield stack


def test_a_table_decides_and_the_cache_shows_what_it_has_stored(durable):
    with (
        Publisher(durable.queue.queue_url, client=durable.queue.client()) as publisher,
        Reader(durable.open_store()) as reader,
    ):
        publisher.publish("page:home", 41)
        publisher.flush()
        assert wait_until(lambda: reader.count("page:home", consistent=True) == 41)

        def is_shown():  # after another swap: on a busy machine a copy may come too late
            publisher.publish("page:home", 0)
            publisher.flush()
            return reader.readings(["page:home"]) == {"page:home": Reading(41, Source.CACHE)}

        assert wait_until(is_shown)


def test_its_variables_are_those_of_the_table_and_of_the_cache(durable):
    assert list(durable.variables.items())[11:] == [
        ("SQS_QUEUE_URL", durable.queue.queue_url),
        ("AWS_ENDPOINT_URL_DYNAMODB", durable.queue.endpoint_url),
        ("COUNTER_TABLE", TABLE_NAME),
        *durable.store.variables.items(),
    ]
    assert {"MOMENTO_TTL_SECONDS", "VALKEY_TTL_SECONDS"} <= set(durable.to_unset)
    assert not durable.variables.keys() & set(durable.to_unset)


def test_of_writers_that_meet_one_is_first_and_all_others_are_told_who(durable):
    def write(writer):
        value = b"%d" % writer
        store = table_store(durable.queue.endpoint_url, deadline_s=WAIT_S)
        with contextlib.closing(store):
            written = store.write(
                [Swap(name, ABSENT, value) for name in NAMES], monotonic() + WAIT_S
            )
            return value, [answer for _, answer in written]

    with ThreadPoolExecutor(WRITERS) as pool:
        told = list(pool.map(write, range(WRITERS)))
    for answers in zip(*([(value, each) for each in found] for value, found in told), strict=True):
        [winner] = [value for value, answer in answers if isinstance(answer, Stored)]
        seen = [answer.winner for _, answer in answers if isinstance(answer, LostRace)]
        assert [copy and copy.value for copy in seen] == [winner] * (WRITERS - 1)
