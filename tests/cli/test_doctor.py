"""`tally doctor` on the local stack: well, and with one thing wrong after the other."""

import json
import re
import signal

import pytest

from tally.cli.doctor.examination import ROUND_TRIP_S, Examination, World
from tally.cli.plan.load import WINDOWS_S, Load
from tally.local.stack import Stack, StackSettings
from tests.support.consumers import ENDPOINT, KEY
from tests.support.processes import WAIT_S, tally
from tests.support.terminal import QUIET, Said, Terminal

WELL = """\
✓ environment: complete
✓ Momento: it takes the key
✓ cache: 'tally' is there
✓ SQS: the queue answers
✓ clock: in step with SQS's
✓ redrive policy: a message is dead after 5 receives
✓ queue: encrypted by SQS
– function: the queue is local, and Lambda knows no function of it
✓ type: standard, and standard for the dead letters
– retention: a local queue need not keep this rule: 4 days, and 4 days for the dead letters
✓ dead-letter queue: encrypted by SQS
✓ dead letters: none
✓ send: confirmed after # ms
✓ round trip: tally:doctor:# counted after # ms
"""


@pytest.fixture(scope="module")
def stack():
    with Stack(StackSettings()) as stack:
        yield stack


@pytest.fixture
def doctor(stack):
    terminal = Terminal(stack.variables)
    return lambda *options, **variables: terminal("doctor", *options, **variables)


def hidden(text):
    return re.sub(r"doctor:[0-9a-f]{16}", "doctor:#", re.sub(r"[\d,]+ ms", "# ms", text))


def test_the_local_stack_is_well(doctor):
    said = doctor()
    assert (said.status, hidden(said.stdout), said.stderr) == (0, WELL, "")


def test_a_counter_of_the_users_own_takes_the_trip_unchanged(stack, doctor):
    terminal = Terminal(stack.variables)
    assert terminal("send", "mine", "--amount", "41").status == 0
    assert "round trip: mine counted after" in doctor("--counter", "mine").stdout
    assert terminal("get", "mine") == Said(0, "41\n", "")


def test_programs_get_json(doctor):
    said = doctor("--no-round-trip", "--function-timeout", "10", "--output", "json")
    told = json.loads(said.stdout)
    assert (said.status, told["is_well"]) == (0, True)
    assert told["checks"][7] == {
        "name": "visibility timeout",
        "verdict": "skipped",
        "text": "a local queue need not keep this rule: 15 s",
        "advice": "",
    }
    assert told["checks"][-1]["text"] == "not asked for"


def test_dead_letters_are_a_finding(stack, doctor):
    client, url = stack.queue.client(), stack.queue.dead_letter_url
    client.send_message(QueueUrl=url, MessageBody="x")
    said = doctor("--no-round-trip")
    [letter] = client.receive_message(QueueUrl=url)["Messages"]
    client.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
    assert said.status == 1
    assert "✗ dead letters: 1; see `tally dlq list`, and docs/operations.md\n" in said.stdout


@pytest.mark.parametrize("url", ["notaurl", "http://host/a queue"])
def test_what_is_no_url_of_a_queue_is_told_and_not_asked_for(doctor, url):
    said = doctor("--queue-url", url)
    problem = f"✗ SQS: the queue's URL must be http(s)://host/…/name, found '{url}';"
    assert said.status == 1
    assert [line for line in said.stdout.splitlines() if line.startswith(problem)]


def test_all_that_is_missing_is_told_at_once(doctor):
    lines = doctor(SQS_QUEUE_URL="", MOMENTO_LOCAL="x", MOMENTO_CACHE_NAME="").stdout.splitlines()
    assert lines == [
        (
            "✗ environment: SQS_QUEUE_URL must be set; MOMENTO_LOCAL must be host:port, found 'x'; "
            "MOMENTO_CACHE_NAME must be set; `tally local up` prints an example"
        ),
        "– Momento: the environment does not tell where it is",
        "– SQS: SQS_QUEUE_URL is not set",
        "– round trip: SQS or Momento cannot be asked",
    ]


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"MOMENTO_API_KEY": "no-key"}, "✗ Momento: the Momento API key is not one of version 2; "),
        (
            {"MOMENTO_API_KEY_SECRET": "a/secret", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
            "✗ Momento: MOMENTO_API_KEY_SECRET cannot be read: EndpointConnectionError: ",
        ),
    ],
)
def test_a_key_that_is_none_is_told_and_not_shown(doctor, variables, line):
    service = {"MOMENTO_LOCAL": "", "MOMENTO_ENDPOINT": ENDPOINT, "AWS_MAX_ATTEMPTS": "1"}
    said = doctor("--no-round-trip", **(service | variables))
    assert said.status == 1
    assert line in said.stdout
    assert "no-key" not in said.stdout
    assert KEY not in said.stdout


def test_a_wait_that_is_interrupted_ends_at_once(stack):
    unread = stack.queue.dead_letter_url
    with tally("doctor", "--queue-url", unread, env=QUIET | stack.variables) as process:
        line = next(line for line in process.stdout if "send" in line)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=WAIT_S)
    stack.queue.client().purge_queue(QueueUrl=unread)
    assert line.startswith("✓ send: confirmed after ")
    assert (process.returncode, stderr) == (130, "tally: interrupted\n")


def test_the_round_trip_outlasts_the_longest_window_that_a_deployment_may_have():
    assert max(WINDOWS_S) + Load().timeout_s == ROUND_TRIP_S
    assert Examination(World({})).timeout_s == ROUND_TRIP_S


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--counter", "x" * 513], "counter: must have at most 512 bytes, found"),
        (["--window", "5"], "--window belongs to --function-timeout"),
        (["--counter", "c", "--no-round-trip"], "--counter is for the round trip"),
        (["--timeout", "0"], "Invalid value for '--timeout'"),
    ],
)
def test_words_that_make_no_sense_are_a_usage_error_and_ask_nobody(options, problem):
    said = Terminal()("doctor", *options)
    assert (said.status, said.stdout) == (2, "")
    assert problem in said.stderr
