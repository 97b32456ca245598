"""The Lambda's entry in a real environment: on real gRPC, and in an interpreter of its own."""

import json
import subprocess
import sys

import pytest

from consumer import wiring
from consumer.handler import lambda_handler
from tally.environment import SettingsError
from tally.local.momento.server import MomentoServer
from tally.stores.errors import BrokenSetupError
from tests.support.lambda_event import event, failures, increment, record

WAIT_S = 60
OPTIONAL = ("MOMENTO_TTL_SECONDS", "MAX_COUNTER_VALUE", "COUNTER_GUARANTEE")
PROGRAM = """if True:
    import json, os, sys, threading

    def sockets():
        paths = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        links = [os.readlink(path) for path in paths if os.path.exists(path)]
        return [link for link in links if link.startswith("socket:")]

    before = sockets()
    import consumer.handler
    opened = [name for name in sockets() if name not in before]
    print(json.dumps([opened, threading.active_count(), "boto3" in sys.modules]))
"""
CALL = """if True:
    import json, sys
    from consumer.handler import lambda_handler
    for line in sys.stdin:
        print(json.dumps({"answer": lambda_handler(json.loads(line), None)}))
"""


@pytest.fixture(scope="module")
def server():
    with MomentoServer(["tally"]) as server:
        yield server


@pytest.fixture
def environment(server, request, monkeypatch):
    """The variables of a deployment on the embedded server, with nothing warm from another."""
    variables = {
        "MOMENTO_CACHE_NAME": "tally",
        "MOMENTO_LOCAL": server.endpoint,
        # Powertools keeps one handler, and so one standard output, for each service.
        "POWERTOOLS_SERVICE_NAME": request.node.name,
    }
    for name in OPTIONAL:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    wiring.consumer.cache_clear()
    yield variables
    wiring.consumer.cache_clear()


def run(program, text="", env=None):
    """The objects that a fresh interpreter prints, and nothing but this environment reaches it."""
    done = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-W", "error", "-c", program],
        input=text,
        env=env or {},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.usefixtures("environment")
def test_the_handler_answers_exactly_the_ids_that_must_come_back():
    counter = "handler:mixed"
    records = [
        record("m1", increment(0, counter)),
        record("m2", [increment(1, counter), increment(2, counter)]),
        record("m3", {"counter": counter, "id": "order-1", "at": 1}),
        record("m4", {"counter": counter}),
        record("m5", "{"),
        record("m6", increment(3, counter, at=2**62)),
        record("m7", [increment(4, counter), {"counter": counter, "amount": "1"}]),
    ]
    assert lambda_handler(event(*records), None) == failures("m5", "m6", "m7")
    assert lambda_handler(event(*records), None) == failures("m5", "m6", "m7")


@pytest.mark.usefixtures("environment")
def test_the_consumer_is_made_once_and_kept_warm(capsys):
    operations = []
    for seq in range(4):
        assert (
            lambda_handler(event(record("m1", increment(seq, "handler:warm"))), None) == failures()
        )
        operations += json.loads(capsys.readouterr().out)["StoreOperations"]
    assert wiring.consumer() is wiring.consumer()
    assert operations == [3, 3, 2, 2]


def test_an_environment_that_describes_no_consumer_fails_and_the_next_try_is_fresh(
    environment, monkeypatch
):
    monkeypatch.delenv("MOMENTO_CACHE_NAME")
    with pytest.raises(SettingsError, match=r"^MOMENTO_CACHE_NAME must be set$"):
        lambda_handler(event(), None)
    monkeypatch.setenv("MOMENTO_CACHE_NAME", environment["MOMENTO_CACHE_NAME"])
    assert lambda_handler(event(), None) == failures()


@pytest.mark.usefixtures("environment")
def test_a_cache_that_is_not_there_fails_the_function(monkeypatch):
    monkeypatch.setenv("MOMENTO_CACHE_NAME", "nowhere")
    with pytest.raises(BrokenSetupError, match=r"^NOT_FOUND: cache not found: nowhere$"):
        lambda_handler(event(record("m1", increment())), None)


@pytest.mark.usefixtures("environment")
def test_a_set_up_that_was_broken_is_read_again(monkeypatch):
    monkeypatch.setenv("MOMENTO_CACHE_NAME", "nowhere")
    with pytest.raises(BrokenSetupError):
        lambda_handler(event(record("m1", increment(0, "handler:mended"))), None)
    monkeypatch.setenv("MOMENTO_CACHE_NAME", "tally")
    answer = lambda_handler(event(record("m1", increment(0, "handler:mended"))), None)
    assert answer == failures()


def test_nothing_happens_at_import():
    assert run(PROGRAM) == [[[], 1, False]]


def test_in_an_interpreter_of_its_own_it_answers_and_writes_one_record_of_metrics(environment):
    good, bad = record("m1", increment(0, "handler:child")), record("m2", "{")
    lines = [json.dumps(event(*records)) for records in ([good, bad], [good])]
    printed = run(CALL, "\n".join(lines), environment)
    assert [line["answer"] for line in printed if "answer" in line] == [failures("m2"), failures()]
    assert [line["EventsApplied"] for line in printed if "_aws" in line] == [[1.0], [0.0]]
    returned = [line["message_id"] for line in printed if line.get("action") == "message_returned"]
    assert returned == ["m2"]
    assert len(printed) == 5
