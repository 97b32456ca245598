"""All that opens a store by its settings counts in a table, and reads there or in its cache."""

import contextlib
import functools
import importlib
import json
import re
from types import SimpleNamespace

import pytest

from consumer import wiring
from consumer.settings import ConsumerSettings
from tally.cli.dlq.letters import judge_from
from tally.local.momento.server import HOST, MomentoServer
from tally.reading.reader import Reader, Reading
from tally.stores.opening import open_store
from tally.stores.port import Source
from tests.support.lambda_event import event, failures, increment, name, record
from tests.support.momento import Raw
from tests.support.momento_channel import CACHE
from tests.support.terminal import Said, Terminal

NOWHERE = "http://127.0.0.1:9/queue"
COPIES_WAIT_S = 20.0  # what a busy machine may take to set a copy


@pytest.fixture
def cached():
    """The variables of a cache, and what it holds."""
    with MomentoServer([CACHE]) as server:
        yield {"MOMENTO_LOCAL": f"{HOST}:{server.port}", "MOMENTO_CACHE_NAME": CACHE}, Raw(server)


def patient(name):
    """Import a module; a store with a cache waits at the end of a batch until it has the copies."""
    module = importlib.import_module(name)
    if name != "tally.stores.durable":
        return module
    store = functools.partial(module.DurableStore, wait_s=COPIES_WAIT_S)
    return SimpleNamespace(DurableStore=store)


@contextlib.contextmanager
def consumer(variables):
    settings = ConsumerSettings.from_environment(variables)
    opened = open_store(settings.place, ttl_s=settings.ttl_s, load=patient)
    with contextlib.closing(opened):
        yield wiring.build(settings, observer=wiring.observer({}), store=opened)


def count(variables, *seqs):
    """Have a consumer of these variables count some increments of page:home."""
    with consumer(variables) as deployed:
        for seq in seqs:
            assert deployed.handle(event(record(f"m{seq}", increment(seq))), None) == failures()


def test_a_table_alone_counts_and_is_read(told, table):
    count(told, 0, 1, 1)
    assert table.item("page:home")["count"] == {"N": "2"}
    with Reader.from_environment(told) as reader:
        assert reader.readings(["page:home", "none"]) == {
            "page:home": Reading(2, Source.TABLE),
            "none": Reading(None, Source.TABLE),
        }
        assert reader.count("page:home", consistent=True) == 2


def test_a_counter_outlives_its_cache(told, table, cached):
    variables, momento = told | cached[0], cached[1]
    count(variables, 0, 1)
    assert momento.get(b"page:home") == table.item("page:home")["value"]["B"]
    momento.flush(CACHE)
    count(variables, 1, 2)
    assert table.item("page:home")["count"] == {"N": "3"}


def test_a_consumer_counts_while_its_cache_is_away(told, table):
    count(told | {"MOMENTO_LOCAL": "127.0.0.1:9", "MOMENTO_CACHE_NAME": CACHE}, 0)
    assert table.item("page:home")["count"] == {"N": "1"}


def test_commands_tell_where_a_count_comes_from(told, cached):
    variables = told | cached[0]
    count(variables, 0)
    cached[1].set(b"seats", b"7")
    terminal = Terminal(variables)
    assert terminal("get", "page:home") == Said(0, "1\n", "")
    said = terminal("get", "page:home", "seats", "none", "--output", "json")
    assert json.loads(said.stdout) == {
        "page:home": {"count": 1, "from": "cache"},
        "seats": {"count": 7, "from": "cache"},
        "none": {"count": None, "from": "table"},
    }
    assert said.status == 1
    said = terminal("get", "page:home", "seats", "--consistent", "--output", "json")
    assert json.loads(said.stdout) == {
        "page:home": {"count": 1, "from": "table"},
        "seats": {"count": None, "from": "table"},
    }
    assert terminal("outcome", "page:home", name()) == Said(0, "applied\n", "")


def test_shards_are_added_up_in_the_table_as_well(told, cached):
    variables = told | cached[0]
    for number, amount in ((0, 2), (1, 3)):
        with consumer(variables) as deployed:
            deployed.handle(event(record("m", increment(0, f"hot#{number}", amount=amount))), None)
    cached[1].set(b"hot#1", b"1")
    terminal = Terminal(variables)
    assert terminal("get", "--shards", "2", "hot") == Said(0, "3\n", "")
    assert terminal("get", "--shards", "2", "hot", "--consistent") == Said(0, "5\n", "")


def test_where_no_table_decides_a_consistent_read_is_a_command_that_makes_no_sense(cached):
    said = Terminal(cached[0])("get", "page:home", "--consistent")
    assert (said.status, said.stdout) == (2, "")
    assert "COUNTER_TABLE │\n│ is not set" in re.sub(" +", " ", said.stderr)


def test_dead_letters_are_judged_by_the_table(told):
    with judge_from(told) as judge:
        assert judge([]) == []


def findings(variables):
    """What a doctor says of a table, without the environment before it and SQS after it."""
    said = Terminal(variables | {"SQS_QUEUE_URL": NOWHERE})("doctor", "--no-round-trip")
    return said.stdout.partition("✗ SQS")[0].splitlines()[1:]


def test_a_doctor_asks_the_table_and_writes_nothing(told, table):
    assert findings(told) == [
        f"✓ DynamoDB: the table '{table.name}' answers",
        "✓ table writes: a swap that had to fail was refused, so nothing was written",
        "✓ table key: counter (S, HASH)",
        "✓ time to live: counters stay for ever",
        "– point-in-time recovery: the table is local",
    ]
    assert table.client.scan(TableName=table.name)["Count"] == 0


def test_a_doctor_finds_that_no_counter_would_end(told, table):
    assert "✗ time to live: off, so no counter ends; enable it, by the attribute expires" in (
        findings(told | {"COUNTER_TTL_SECONDS": "3600"})
    )
    table.client.update_time_to_live(
        TableName=table.name,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
    )
    assert "✓ time to live: by expires, 3600 s after the last swap" in (
        findings(told | {"COUNTER_TTL_SECONDS": "3600"})
    )


def test_a_doctor_asks_the_cache_before_the_table_as_well(told, cached):
    assert findings(told | cached[0])[-1] == "✓ Momento: it takes the key"
    away = {"MOMENTO_LOCAL": "127.0.0.1:9", "MOMENTO_CACHE_NAME": CACHE}
    assert findings(told | away)[-1].startswith("✗ Momento: ")


def test_a_doctor_stops_at_a_table_that_is_not_there(told):
    assert findings(told | {"COUNTER_TABLE": "none"}) == [
        "✗ DynamoDB: there is no table 'none'; create it, or mend COUNTER_TABLE or the region"
    ]
