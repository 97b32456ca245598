"""All that opens a store by its settings counts in Valkey, and reads there."""

import contextlib
import json
import os
import re
import subprocess
import sys

import pytest

from consumer import wiring
from consumer.settings import ConsumerSettings
from tally.cli.dlq.letters import judge_from
from tally.local.sqs.queue import LocalQueue
from tally.reading.reader import Reader
from tally.stores.errors import BrokenSetupError
from tally.stores.opening import open_store
from tests.support.lambda_event import event, failures, increment, name, record
from tests.support.silent_proxy import SilentProxy
from tests.support.terminal import QUIET, Said, Terminal
from tests.support.valkey import HOST, any_kind, store_at

TIME_S = 20.0
LONG_S = 1.0  # enough for an answer, also on a busy machine
AS_JSON = ("--output", "json")
NOWHERE = "http://127.0.0.1:9/queue"
KEY = "a-password-that-nobody-may-see"
GET = """
import sys
from producer.handler import lambda_handler
from tally.local.lambda_.runtime import FunctionSettings, LambdaContext
from tests.support.api import event
context = LambdaContext("r-1", FunctionSettings())
sys.stderr.write(lambda_handler(event("GET", "/counters/c"), context)["body"])
"""

COLD = """
import sys
from consumer import wiring
wiring.consumer()
sys.stderr.write(str(sorted({"grpc", "momento", "google.protobuf"} & set(sys.modules))))
"""


def variables(running, **others):
    return {"VALKEY_URL": f"redis://{HOST}:{running.port}", **others}


@contextlib.contextmanager
def consumer(told, store=None):
    told = ConsumerSettings.from_environment(told)
    opened = store or open_store(told.place, ttl_s=told.ttl_s)
    with contextlib.closing(opened):
        yield wiring.build(told, observer=wiring.observer({}), store=opened)


def test_a_consumer_counts_and_a_reader_reads(valkey):
    with consumer(variables(valkey, VALKEY_TTL_SECONDS="90")) as deployed:
        for seqs in ((0, 1), (1, 2)):
            records = [record(f"m{seq}", increment(seq)) for seq in seqs]
            assert deployed.handle(event(*records), None) == failures()
    assert 80_000 < valkey.command("PTTL", "page:home") <= 90_000
    with Reader.from_environment(variables(valkey)) as reader:
        assert reader.counts(["page:home", "none"]) == {"page:home": 3, "none": None}


def test_a_warm_consumer_counts_within_the_invocation_in_which_its_connection_is_silent(valkey):
    with SilentProxy(valkey.port) as proxy:
        told = {"VALKEY_URL": f"redis://{HOST}:{proxy.port}"}
        store = store_at(ConsumerSettings.from_environment(told).place, deadline_s=LONG_S)
        with consumer(told, store) as warm:
            assert warm.handle(event(record("m1", increment(0))), None) == failures()
            proxy.silence()
            assert warm.handle(event(record("m2", increment(1))), None) == failures()
        assert proxy.connections == 2
    assert valkey.command("GET", "page:home").startswith(b"2\n")


def test_no_password_is_in_what_a_consumer_logs_or_raises(valkey, capsys):
    told = variables(valkey, VALKEY_PASSWORD=KEY, VALKEY_USERNAME="nobody")
    with consumer(told) as deployed, pytest.raises(BrokenSetupError) as caught:
        deployed.handle(event(record("m1", increment(0))), None)
    assert str(caught.value).startswith("WRONGPASS ")
    assert KEY not in str(caught.value) + "".join(capsys.readouterr())


def run(program, told):
    """What a program of its own says on standard error."""
    environment = os.environ | QUIET | told
    said = subprocess.run(  # noqa: S603 (our own words)
        [sys.executable, "-P", "-c", program],
        env={name: text for name, text in environment.items() if text is not None},
        check=False,
        timeout=TIME_S,
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    return said.stderr


def test_the_api_reads_there(valkey):
    valkey.command("SET", "c", "41")
    assert json.loads(run(GET, variables(valkey, SQS_QUEUE_URL=NOWHERE)))["count"] == 41


def test_a_cold_consumer_waits_for_no_sdk_of_momento():
    assert run(COLD, {"VALKEY_URL": "redis://localhost:9"}) == "[]"


def test_commands_read_there(valkey):
    with consumer(variables(valkey)) as deployed:
        deployed.handle(event(record("m1", increment(0))), None)
    terminal = Terminal(variables(valkey))
    assert terminal("get", "page:home") == Said(0, "1\n", "")
    assert terminal("outcome", "page:home", name()) == Said(0, "applied\n", "")
    with judge_from(variables(valkey)) as judge:
        assert judge([]) == []


def test_a_watch_looks_there_and_names_what_ails_the_server(valkey):
    valkey.command("SET", "page:home", "41")
    told = Terminal(variables(valkey))("watch", "page:home", "none", "--for", "0", *AS_JSON)
    assert json.loads(told.stdout)["counts"] == {"page:home": 41, "none": None}
    lost = "ConnectionRefusedError: Connection refused"
    told = Terminal({"VALKEY_URL": "redis://localhost:9"})("watch", "a", "--for", "0")
    last = f"tally: Valkey at localhost:9: every look failed, the last: {lost}\n"
    assert told == Said(1, "", f"tally: {lost}\n{last}")


@pytest.fixture
def queue():
    with LocalQueue() as queue:
        yield queue


def test_dead_letters_are_told_by_its_ledgers_and_redriven_once(valkey, queue):
    counted, waiting = increment(0), increment(1)
    with consumer(variables(valkey)) as deployed:
        deployed.handle(event(record("m1", counted)), None)
        client, live = queue.client(), queue.queue_url
        for fields in (counted, waiting):
            body = json.dumps(fields)
            client.send_message(QueueUrl=queue.dead_letter_url, MessageBody=body)
        terminal = Terminal(variables(valkey, SQS_QUEUE_URL=live, **queue.variables))
        listed = json.loads(terminal("dlq", "list", *AS_JSON).stdout)
        assert [letter["why"] for letter in listed] == ["decided", "pending"]
        redrive = ("dlq", "redrive", "--reason", "pending")
        assert terminal(*redrive) == Said(0, "", "1 sent\n1 redriven, 0 not\n")
        [message] = client.receive_message(QueueUrl=live)["Messages"]
        deployed.handle(event(record("m2", message["Body"])), None)
    assert terminal("get", "page:home") == Said(0, "2\n", "")


def test_dead_letters_are_listed_without_it_and_it_is_named(queue):
    body = json.dumps(increment())
    queue.client().send_message(QueueUrl=queue.dead_letter_url, MessageBody=body)
    there = {**queue.variables, "SQS_QUEUE_URL": queue.queue_url}
    away = Terminal({**there, "VALKEY_URL": "redis://localhost:9"})
    lost = "ConnectionRefusedError: Connection refused"
    told = away("dlq", "list", *AS_JSON)
    assert told.stderr == f"Valkey is not asked any more: {lost}\n"
    refused = Said(1, "", f"tally: Valkey: {lost}\n")
    assert away("dlq", "list", "--reason", "decided") == refused
    wrong = Terminal({**there, "VALKEY_URL": "nowhere"})("dlq", "list")
    assert wrong.stderr.startswith("Valkey is not asked: VALKEY_URL must be rediss://")


def test_a_doctor_asks_it(valkey):
    told = Terminal(variables(valkey, SQS_QUEUE_URL=NOWHERE))("doctor", "--no-round-trip")
    lines = re.sub(r"(version: \w+) .+", r"\1", told.stdout).splitlines()
    kind = "Valkey" if "valkey" in any_kind() else "Redis"
    excused = "a local server need not keep this rule"
    assert lines[1:5] == [
        "✓ Valkey: it answers",
        f"✓ version: {kind}",
        "✓ eviction: noeviction: a full server refuses swaps, and forgets nothing",
        f"– persistence: {excused}: none: a restart loses every counter",
    ]
    wrong = variables(valkey, SQS_QUEUE_URL=NOWHERE, VALKEY_PASSWORD=KEY, VALKEY_USERNAME="nobody")
    told = Terminal(wrong)("doctor", "--no-round-trip")
    assert "✗ Valkey: WRONGPASS " in told.stdout
    assert KEY not in told.stdout + told.stderr
