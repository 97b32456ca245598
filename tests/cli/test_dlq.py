"""`tally dlq` on real parts: moto's queues and the embedded Momento, standard and FIFO."""

import itertools
import json
import os
import signal

import pytest

from tally.cli.dlq.queue import DeadLetterQueue
from tally.counters.body import parse
from tally.counters.counter import fold
from tally.counters.event import Envelope
from tally.counters.ledger import Limits
from tally.local.momento import MomentoServer
from tally.local.sqs.aws import queue_arn
from tally.local.sqs.queue import LocalQueue
from tests.support.momento import Raw
from tests.support.processes import WAIT_S, tally, wait_until
from tests.support.terminal import QUIET, Said, Terminal

CACHE = "tally"
NATIVE = '{"counter":"n","source":"9f86d081884c7d65","seq":1,"at":1790000000000}'
NAMED = '[{"counter":"m","id":"o","at":1790000000000}]'
ANONYMOUS = '{"counter":"a","amount":3}'
INVALID = '{"counter":"x","amount":1.5}'
ALL = (NATIVE, NAMED, ANONYMOUS, INVALID)
WHY = ["invalid:", "amount:", "must", "be", "an", "integer,", "found", "1.5"]
PENDING = "pending: not counted: mend what the log reports, then redrive\n"


class Parts:
    """A queue, its dead letters, and a cache; and what a person types and sees."""

    names = itertools.count()

    def __init__(self, server, momento, *, is_fifo=False):
        self.sqs, self.is_fifo = server.client(), is_fifo
        self.dead = self.create({})
        policy = {"deadLetterTargetArn": queue_arn(self.sqs, self.dead), "maxReceiveCount": 5}
        self.policy = {"RedrivePolicy": json.dumps(policy)}
        self.live = self.create(self.policy)
        self.variables = {
            **server.variables,
            "SQS_QUEUE_URL": self.live,
            "MOMENTO_LOCAL": f"127.0.0.1:{momento.port}",
            "MOMENTO_CACHE_NAME": CACHE,
        }
        self.type = Terminal(self.variables)

    def create(self, attributes):
        kind, suffix = ({"FifoQueue": "true"}, ".fifo") if self.is_fifo else ({}, "")
        name = f"q{next(self.names)}{suffix}"
        return self.sqs.create_queue(QueueName=name, Attributes=kind | attributes)["QueueUrl"]

    @property
    def held(self):
        return DeadLetterQueue(self.sqs, self.dead).depth()[1]

    def bury(self, *bodies):
        """Send dead letters; each is a group of its own, if groups there are."""
        for body in bodies:
            fifo = {"MessageGroupId": str(hash(body)), "MessageDeduplicationId": str(hash(body))}
            self.sqs.send_message(
                QueueUrl=self.dead,
                MessageBody=body,
                MessageAttributes={"k": {"DataType": "String", "StringValue": "v"}},
                **(fifo if self.is_fifo else {}),
            )

    def listed(self, *options, **variables):
        said = self.type("dlq", "list", *options, "--output", "json", **variables)
        assert said.status == 0
        return json.loads(said.stdout)

    def whys(self, *options, **variables):
        return [letter["why"] for letter in self.listed(*options, **variables)]

    def received(self):
        answer = self.sqs.receive_message(
            QueueUrl=self.live, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return sorted(
            (one["Body"], one["MessageAttributes"]["k"]["StringValue"])
            for one in answer.get("Messages", [])
        )


@pytest.fixture(scope="module")
def momento():
    with MomentoServer(caches=[CACHE]) as server:
        yield server


@pytest.fixture(scope="module")
def server():
    with LocalQueue() as queue:
        yield queue


@pytest.fixture
def parts(server, momento):
    return Parts(server, momento)


@pytest.fixture(params=[False, True], ids=["standard", "fifo"])
def each(request, server, momento):
    """The parts, with queues of either type."""
    return Parts(server, momento, is_fifo=request.param)


def test_dead_letters_are_listed_and_are_there_as_before(each):
    each.bury(*ALL)
    said = each.type("dlq", "list", COLUMNS="120")
    rows = [line.split() for line in said.stdout.splitlines()]
    assert rows[0] == ["id", "age", "received", "counter", "events", "identity", "why"]
    assert [row[2:] for row in rows[1:]] == [
        ["1", "n", "1", "native", "pending"],
        ["1", "m", "1", "named", "pending"],
        ["1", "a", "1", "anonymous", "pending"],
        ["1", "x", *WHY],
    ]
    assert (said.status, said.stderr) == (0, PENDING)
    assert each.whys() == ["pending", "pending", "pending", "invalid"]


def test_filters_choose_what_is_listed(parts):
    parts.bury(*ALL)
    assert parts.whys("--reason", "invalid") == ["invalid"]
    assert parts.whys("--reason", "decided") == []
    assert [one["counters"] for one in parts.listed("--counter", "m")] == [["m"]]
    assert parts.whys("--older-than", "1h") == []
    assert len(parts.listed("--limit", "2")) == 2


def test_one_is_shown_whole_by_the_beginning_of_its_id(parts):
    parts.bury(*ALL)
    letter = parts.listed("--counter", "m")[0]
    said = parts.type("dlq", "show", letter["id"][:8])
    lines = said.stdout.splitlines()
    assert (said.status, lines[0]) == (0, f"id        {letter['id']}")
    assert "attribute k = v" in lines
    assert lines[-2:] == [
        "increment m +1 a03051b7b7ab66a8:0:1790000000000 at 2026-09-21T14:13:20.000Z",
        f"body      {NAMED}",
    ]
    told = json.loads(parts.type("dlq", "show", letter["id"], "--output", "json").stdout)
    assert (told["body"], told["attributes"]) == (NAMED, {"k": "v"})
    absent = "tally: there is no dead letter 'no-such-id' among those that SQS shows now\n"
    assert parts.type("dlq", "show", "no-such-id").stderr.endswith(absent)


def test_a_redrive_takes_what_keeps_the_contract_and_has_an_identity(each):
    each.bury(*ALL)
    assert each.type("dlq", "redrive", "--dry-run").stderr == PENDING
    assert each.type("dlq", "redrive") == Said(
        1, "", "2 sent\n1 left: anonymous; see --include-anonymous\n2 redriven, 1 not\n"
    )
    assert each.received() == sorted([(NATIVE, "v"), (NAMED, "v")])
    assert each.whys() == ["pending", "invalid"]


def test_an_anonymous_one_is_redriven_as_the_event_that_it_was(each):
    each.bury(ANONYMOUS)
    event = json.loads(each.type("dlq", "show", each.listed()[0]["id"], "--output", "json").stdout)[
        "events"
    ][0]["event"]
    options = ("--include-anonymous", "--output", "json")
    assert each.type("dlq", "redrive", *options) == Said(
        0,
        '{"redriven":1,"anonymous":0,"unsent":{},"undeleted":{}}\n',
        "1 sent\n1 redriven, 0 not\n",
    )
    [(body, _)] = each.received()
    [sent] = json.loads(body)
    assert "{source}:{seq}:{at}".format(**sent) == event


def test_an_invalid_one_is_redriven_if_it_is_named(parts):
    parts.bury(INVALID, NATIVE)
    letter = parts.listed("--reason", "invalid")[0]["id"]
    assert parts.type("dlq", "redrive", "--id", letter).status == 0
    assert parts.received() == [(INVALID, "v")]


def test_a_purge_shows_asks_and_deletes_what_it_has_shown(each):
    each.bury(*ALL)
    refused = each.type("dlq", "purge", "--reason", "invalid", stdin=b"n\n")
    assert refused.status == 1
    assert refused.stderr.splitlines()[-2:] == [
        "1 of them may hold increments that were never counted: deleting loses those",
        "Delete 1 dead letter for good? [y/N]:nothing is deleted",
    ]
    agreed = each.type("dlq", "purge", "--reason", "invalid", stdin=b"y\n")
    assert agreed.stderr.endswith("1 deleted, 0 not\n")
    assert len(json.loads(each.type("dlq", "purge", "--dry-run", "--output=json").stdout)) == 3
    assert each.type("dlq", "purge", "--yes", "--output", "json") == Said(
        0, '{"deleted":3,"undeleted":{}}\n', "3 deleted, 0 not\n"
    )
    assert each.type("dlq", "list") == Said(0, "", "no dead letters\n")


def test_what_is_decided_is_purged_without_a_warning_but_not_without_an_answer(parts, momento):
    body = NATIVE.replace('"n"', '"decided"')
    raw = Raw(momento)
    raw.set(b"decided", fold(None, parse(body, Envelope("m", 1_790_000_000_000)), Limits()).value)
    raw.close()
    parts.bury(body)
    said = parts.type("dlq", "purge")  # at the end of its input
    assert said.status == 1
    assert said.stderr.splitlines()[2:] == [
        "decided: all of it is counted or rejected: safe to purge",
        "Delete 1 dead letter for good? [y/N]:",
        "nothing is deleted",
    ]


def test_a_stored_value_that_is_no_counter_is_a_reason(parts, momento):
    raw = Raw(momento)
    raw.set(b"strange", b"hello")
    raw.close()
    parts.bury(NATIVE.replace('"n"', '"strange"'), NATIVE)
    assert parts.whys() == ["unreadable", "pending"]
    assert parts.whys("--reason", "unreadable") == ["unreadable"]


def test_without_momento_a_letter_is_valid_and_only_some_filters_work(parts):
    parts.bury(NATIVE, INVALID)
    wrong = {"MOMENTO_CACHE_NAME": "nix"}
    said = parts.type("dlq", "list", "--output", "json", **wrong)
    assert [one["why"] for one in json.loads(said.stdout)] == ["valid", "invalid"]
    assert said.stderr.startswith("Momento is not asked any more: NOT_FOUND: ")
    nowhere = {"MOMENTO_LOCAL": "nowhere"}
    problem = "MOMENTO_LOCAL must be host:port, found 'nowhere'\n"
    said = parts.type("dlq", "list", "--output", "json", **nowhere)
    assert said.stderr == f"Momento is not asked: {problem}"
    refused = Said(1, "", f"tally: Momento: {problem}")
    assert parts.type("dlq", "list", "--reason", "decided", **nowhere) == refused
    assert parts.type("dlq", "list", "--reason", "decided", **wrong).status == 1
    assert parts.whys(**parts.variables) == ["pending", "invalid"]


def test_the_queues_are_found_by_each_other_or_not_at_all(parts):
    parts.bury(NATIVE)
    dead, live, other = parts.dead, parts.live, parts.create({})
    assert parts.whys(SQS_DLQ_URL=dead, SQS_QUEUE_URL="") == ["pending"]
    assert parts.type("dlq", "redrive", SQS_DLQ_URL=dead, SQS_QUEUE_URL="").status == 0
    for variables, problem in [
        ({"SQS_QUEUE_URL": dead}, f"{dead} has no dead-letter queue"),
        (
            {"SQS_QUEUE_URL": f"{live}x"},
            "SQS: AWS.SimpleQueueService.NonExistentQueue (HTTP 400)",
        ),
        (
            {"SQS_DLQ_URL": dead, "SQS_QUEUE_URL": other},
            f"{dead} is not the dead-letter queue of {other}",
        ),
        ({"AWS_ENDPOINT_URL_SQS": "nowhere"}, "Invalid endpoint: nowhere"),
    ]:
        said = parts.type("dlq", "redrive", **variables)
        assert said == Said(1, "", f"tally: {problem}\n")


each_command = pytest.mark.parametrize(
    "command", [["list"], ["show", "12345678"], ["redrive"], ["purge", "--yes"]], ids=" ".join
)


@each_command
def test_a_queue_cannot_be_its_own_dead_letters_and_is_not_asked(command):
    for options, variables in [
        (["--queue-url", "x"], {"SQS_QUEUE_URL": "x"}),
        ([], {"SQS_QUEUE_URL": "x", "SQS_DLQ_URL": "x"}),
    ]:
        said = Terminal()("dlq", *command, *options, **variables)
        assert (said.status, said.stdout) == (2, "")
        assert "x is given for the queue and for its dead letters" in said.stderr


@each_command
def test_what_waits_to_be_counted_is_no_dead_letter_however_the_queues_are_given(parts, command):
    live, bare = parts.live, parts.create({})
    policy = f"{live} has a dead-letter queue, and is none; give it as --source-url"
    for variables, options, problem in [
        ({"SQS_DLQ_URL": live}, ["--source-url", parts.dead], policy),
        ({"SQS_QUEUE_URL": ""}, ["--queue-url", live], policy),
        ({}, ["--queue-url", bare], f"{bare} is the dead-letter queue of no queue"),
    ]:
        for url in (live, bare):
            parts.sqs.send_message(QueueUrl=url, MessageBody=NATIVE)
        said = parts.type("dlq", *command, *options, **variables)
        assert said == Said(1, "", f"tally: {problem}\n")
    for url in (live, bare):
        answer = parts.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["ApproximateReceiveCount"]
        )
        assert [one["Attributes"]["ApproximateReceiveCount"] for one in answer["Messages"]] == (
            ["1"] * 3
        )


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ["purge", "--older-than", "soon"],
            "a time is written as 90s, 15m, 2h or 3d, found 'soon'",
        ),
        (["purge", "--id", "1234567"], "an id has at least 8 characters, found '1234567'"),
        (["show", "1234567"], "an id has at least 8 characters, found '1234567'"),
        (["list", "--limit", "0"], "must be at least 1, found '0'"),
        (["list", "--reason", "age"], "'age'"),
        (["list"], "give --queue-url or set SQS_DLQ_URL; or --source-url or SQS_QUEUE_URL"),
        (["nix"], "No such command 'nix'"),
    ],
)
def test_words_that_make_no_sense_are_a_usage_error_and_ask_nobody(words, problem):
    said = Terminal()("dlq", *words, COLUMNS="120")
    assert (said.status, said.stdout) == (2, "")
    assert problem in said.stderr


def test_an_interrupted_purge_gives_back_what_it_held(parts):
    parts.bury(NATIVE, INVALID)
    pipe = os.pipe()
    with tally("dlq", "purge", env=QUIET | parts.variables, stdin=pipe[0]) as process:
        assert wait_until(lambda: parts.held == 2)
        assert parts.type("dlq", "list").stderr.startswith("2 more messages are held by somebody")
        assert wait_until(lambda: "good?" in os.read(process.stderr.fileno(), 65_536).decode())
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S)
    for end in pipe:
        os.close(end)
    assert process.returncode == 1
    assert parts.whys() == ["pending", "invalid"]


def test_another_queue_of_the_same_dead_letters_must_be_named(parts):
    parts.create(parts.policy)
    said = parts.type("dlq", "redrive", SQS_DLQ_URL=parts.dead, SQS_QUEUE_URL="")
    problem = f"{parts.dead} is the dead-letter queue of 2; give --source-url"
    assert said == Said(1, "", f"tally: {problem}\n")
