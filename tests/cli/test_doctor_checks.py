"""What a doctor finds, check by check: each rule kept and broken, and each call that fails."""

import ast
import dataclasses
import json
import re
from pathlib import Path

import grpc
import pytest
from botocore.exceptions import EndpointConnectionError, NoRegionError

from tally.aws import connect
from tally.cli.doctor import checks
from tally.cli.doctor.checks import Mark, Timing, check_cache, check_clock
from tally.cli.doctor.examination import Examination, check_round_trip
from tally.counters.body import parse
from tally.counters.counter import fold
from tally.counters.event import Envelope, Event
from tally.counters.ledger import Limits
from tally.reading.reader import MAX_TRIES
from tally.stores.durable import DurableStore
from tally.stores.memory import Items, MemoryStore
from tests.cli.deployment import DEAD, MAPPING, QUEUE, FakeAws, world
from tests.support.clock import Clock
from tests.support.consumers import NO_KEY, make_momento, make_reader
from tests.support.lambda_event import SENT_AT_MS
from tests.support.mirrors import FakeCache
from tests.support.momento_channel import CACHE, FakeRpcError, ReadChannel
from tests.support.sqs import QUOTED, FakeSqs, client_error, publisher, stored
from tests.support.sqs import failing as one_fails

STATUS = grpc.StatusCode
DENIED = client_error("AccessDenied", 403)
OWN = "tally:doctor:0707070707070707"
NOT_ASKED = [
    (
        "✗ environment: MOMENTO_API_KEY or MOMENTO_API_KEY_SECRET must be set; MOMENTO_ENDPOINT "
        "must be set; MOMENTO_CACHE_NAME must be set; or, for another store than Momento, "
        "VALKEY_URL or COUNTER_TABLE; `tally local up` prints an example"
    ),
    "– Momento: the environment does not tell where it is",
]
ALL_WELL = [
    "✓ SQS: the queue answers",
    "✓ clock: in step with SQS's",
    "✓ redrive policy: a message is dead after 5 receives",
    "✓ queue: encrypted by SQS",
    "✓ function: consumer reads the queue, and reports what failed",
    "✓ visibility timeout: 181 s, and 6 x 30 s + 1 s = 181 s are needed",
    "✓ concurrency: 1,000 in this account, 980 of them unreserved",
    "✓ type: standard, and standard for the dead letters",
    "✓ retention: 4 days, and 14 days for the dead letters",
    "✓ dead-letter queue: encrypted by SQS",
    "✓ dead letters: none",
]
SKIPPED = "– round trip: SQS or Momento cannot be asked"


def examined(aws, **wishes):
    """The lines about AWS; Momento is not told of."""
    found = [check.line for check in Examination(world(aws), **wishes).findings()]
    assert (found[:2], found[-1]) == (NOT_ASKED, SKIPPED)
    return found[2:-1]


def policy(**changes):
    return {**QUEUE, "RedrivePolicy": json.dumps(json.loads(QUEUE["RedrivePolicy"]) | changes)}


def test_a_deployment_by_the_template_is_well_and_what_is_opened_is_closed():
    aws = FakeAws()
    assert examined(aws) == ALL_WELL
    assert aws.closed == 2


@pytest.mark.parametrize(
    ("aws", "line"),
    [
        (
            FakeAws(policy(maxReceiveCount=2)),
            (
                "✗ redrive policy: a message is dead after 2 receives; "
                "set maxReceiveCount to 5, or at least to 3"
            ),
        ),
        (
            FakeAws({**QUEUE, "SqsManagedSseEnabled": "false"}),
            "✗ queue: not encrypted at rest; set SqsManagedSseEnabled",
        ),
        (
            FakeAws(mappings=[{**MAPPING, "FunctionResponseTypes": []}]),
            (
                "✗ function: consumer does not report failures; add ReportBatchItemFailures to its "
                "event source mapping: without it messages that were reported are lost"
            ),
        ),
        (
            FakeAws(mappings=[{**MAPPING, "State": "Disabled"}]),
            "✗ function: consumer is Disabled; enable its event source mapping",
        ),
        (
            FakeAws(timeout_s=31),
            "✗ visibility timeout: 181 s; set it to 6 x 31 s + 1 s = 187 s or more",
        ),
        (
            FakeAws(dead={**DEAD, "FifoQueue": "true"}),
            "✗ type: standard, and FIFO for the dead letters; make both alike, as SQS needs them",
        ),
        (
            FakeAws(dead={**DEAD, "MessageRetentionPeriod": "345600"}),
            (
                "✗ retention: 4 days, and 4 days for the dead letters; "
                "set 14 days for them: a late dead letter is lost at once"
            ),
        ),
        (
            FakeAws(
                dead={
                    **DEAD,
                    "ApproximateNumberOfMessages": "2",
                    "ApproximateNumberOfMessagesNotVisible": "1",
                }
            ),
            "✗ dead letters: 3; see `tally dlq list`, and docs/operations.md",
        ),
    ],
)
def test_a_broken_rule_is_one_line_with_what_to_do(aws, line):
    name = line.split(":")[0].replace("✗", "✓")
    found = examined(aws)
    assert found == [line if each.split(":")[0] == name else each for each in ALL_WELL]


def test_a_key_of_kms_is_encryption_too():
    found = examined(FakeAws({**QUEUE, "SqsManagedSseEnabled": "false", "KmsMasterKeyId": "k"}))
    assert found[3] == "✓ queue: encrypted with a key of KMS"


def test_without_a_dead_letter_queue_nothing_is_asked_of_it():
    found = examined(FakeAws({**QUEUE, "RedrivePolicy": ""}))
    assert [line.split(":")[0] for line in found] == [
        *("✓ SQS", "✓ clock", "✗ redrive policy", "✓ queue", "✓ function", "✓ visibility timeout"),
        "✓ concurrency",
    ]
    assert found[2] == (
        "✗ redrive policy: there is no dead-letter queue; "
        "add one, or a bad message comes back until it expires"
    )


def test_what_lambda_does_not_tell_can_be_given_by_hand():
    by_hand = "give --function-timeout and --window to check the visibility timeout"
    denied = f"– function: Lambda cannot be asked: AccessDenied (HTTP 403); {by_hand}"
    assert examined(FakeAws(mappings=DENIED)) == [*ALL_WELL[:4], denied, *ALL_WELL[7:]]
    assert examined(FakeAws(timeout_s=DENIED)) == [*ALL_WELL[:5], denied, *ALL_WELL[7:]]
    given = examined(FakeAws(mappings=DENIED), timing=Timing(30, 1))
    assert given == [*ALL_WELL[:4], ALL_WELL[5], *ALL_WELL[7:]]
    nobody = "✗ function: no Lambda function reads the queue; deploy: docs/deploy.md"
    assert examined(FakeAws(mappings=[])) == [*ALL_WELL[:4], nobody, *ALL_WELL[7:]]


def test_an_account_that_lets_too_few_run_at_once_is_told():
    aws = FakeAws(mappings=[{**MAPPING, "ScalingConfig": {"MaximumConcurrency": 11}}])
    aws.settings = {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}
    assert examined(aws)[6] == (
        "✗ concurrency: 10 in this account, 10 of them unreserved; "
        "make MaximumConcurrency less than its 11, or have Lambda's quota raised"
    )
    aws.settings = DENIED
    skipped = "– concurrency: Lambda cannot be asked: AccessDenied (HTTP 403)"
    assert examined(aws) == [*ALL_WELL[:6], skipped, *ALL_WELL[7:]]


def test_a_dead_letter_queue_that_cannot_be_read_is_told():
    line = (
        "✗ dead-letter queue: AccessDenied (HTTP 403); "
        "see that it is there, and that these credentials may read it"
    )
    assert examined(FakeAws(dead=DENIED)) == [*ALL_WELL[:7], line]


@pytest.mark.parametrize(
    ("aws", "lines"),
    [
        (
            FakeAws(DENIED),
            [
                (
                    "✗ SQS: AccessDenied (HTTP 403); mend the credentials, the region or the "
                    "queue's URL"
                ),
                "– clock: SQS's answer has no time",
            ],
        ),
        (
            FakeAws(EndpointConnectionError(endpoint_url="https://x")),
            [
                (
                    '✗ SQS: EndpointConnectionError: Could not connect to the endpoint URL: "https://x"'
                    "; mend the credentials, the region or the queue's URL"
                ),
                "– clock: SQS's answer has no time",
            ],
        ),
        (
            NoRegionError(),
            ["✗ SQS: You must specify a region.; set AWS_DEFAULT_REGION, or mend the profile"],
        ),
    ],
)
def test_an_sqs_that_does_not_answer_ends_its_part(aws, lines):
    found = examined(aws)
    assert found == lines
    assert QUOTED not in "".join(found)


def test_the_variable_that_is_advised_is_the_one_that_is_read(monkeypatch):
    [line] = examined(NoRegionError())
    [name] = re.findall("AWS_[A-Z_]+", line)
    for other in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "eu-west-3")
    assert connect("sqs").meta.region_name == "eu-west-3"


def test_a_region_that_lambda_lacks_is_skipped():
    class Half(FakeAws):
        made = 0

    aws = Half()

    def connect(service, **_):
        if service == "lambda":
            raise NoRegionError
        return aws

    half = dataclasses.replace(world(aws), connect=connect)
    lines = [check.line for check in Examination(half).findings()][2:-1]
    assert lines[4].startswith("– function: Lambda cannot be asked: NoRegionError: ")
    assert lines[5:] == ALL_WELL[7:]


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        (0, "✓ clock: in step with SQS's"),
        (1.5, "✓ clock: in step with SQS's"),
        (30, "✓ clock: 30 s ahead of SQS's"),
        (-30, "✓ clock: 30 s behind SQS's"),
        (
            400,
            "✗ clock: 400 s ahead of SQS's; set it: increments over 300 s ahead of SQS are invalid",
        ),
    ],
)
def test_clocks_are_compared_in_the_middle_of_the_call(seconds, line):
    answer = FakeAws().headers
    now_ms = SENT_AT_MS + 500 + seconds * 1_000
    assert check_clock(answer, now_ms - 800, now_ms + 800).line == line


@pytest.mark.parametrize(
    ("step", "cache", "lines"),
    [
        (None, CACHE, ["✓ Momento: it takes the key", f"✓ cache: '{CACHE}' is there"]),
        (
            None,
            "nix",
            [
                "✓ Momento: it takes the key",
                "✗ cache: there is no cache 'nix'; create it, or mend MOMENTO_CACHE_NAME",
            ],
        ),
        (
            FakeRpcError(STATUS.UNAUTHENTICATED, "who?"),
            CACHE,
            [
                (
                    "✗ Momento: UNAUTHENTICATED: who?; mend the key, its permissions or "
                    "MOMENTO_ENDPOINT"
                ),
                "– cache: Momento cannot be asked",
            ],
        ),
        (
            FakeRpcError(STATUS.INVALID_ARGUMENT, "no"),
            CACHE,
            [
                (
                    "✗ Momento: INVALID_ARGUMENT: no; see that MOMENTO_ENDPOINT or MOMENTO_LOCAL "
                    "can be reached, and the quotas"
                ),
                "– cache: Momento cannot be asked",
            ],
        ),
    ],
)
def test_momento_is_asked_once_for_key_and_cache(step, cache, lines):
    with make_reader(ReadChannel(step), cache_name=cache) as reader:
        assert [check.line for check in check_cache(cache, lambda: reader.count("c"))] == lines


def counting(channel):
    """A step of SQS that stores what it is sent, and has it counted at once."""

    def step(sqs, entries):
        answer = stored(sqs, entries)
        for body in (entry["MessageBody"] for entry in entries):
            for event in parse(body, Envelope("m", SENT_AT_MS)):
                value = channel.values.get(event.counter)
                channel.values[event.counter] = fold(value, [event], Limits()).value
        return answer

    return step


def round_trip(channel, sqs, counter="", timeout_s=5.0):
    store = make_momento(channel, channel.clock, credentials=NO_KEY, cache_name=CACHE)
    found = check_round_trip(world(None, channel.clock), publisher(sqs), store, counter, timeout_s)
    return [check.line for check in found]


def test_a_counter_of_its_own_counts_to_one():
    channel = ReadChannel()
    assert round_trip(channel, FakeSqs(counting(channel))) == [
        "✓ send: confirmed after 0 ms",
        f"✓ round trip: {OWN} counted after 10 ms",
    ]
    assert channel.values[OWN].startswith(b"1\n")


def test_a_counter_that_is_given_is_not_changed():
    channel = ReadChannel(values={"c": b"41"})
    assert round_trip(channel, FakeSqs(counting(channel)), "c")[1].startswith("✓ round trip: c ")
    assert channel.values["c"].startswith(b"41\n")


def test_a_read_that_fails_is_made_again_while_there_is_time():
    channel = ReadChannel(*[FakeRpcError(STATUS.UNAVAILABLE)] * MAX_TRIES)
    lines = round_trip(channel, FakeSqs(counting(channel)))
    assert lines[1] == f"✓ round trip: {OWN} counted after 850 ms"


def test_what_is_not_counted_in_time_is_told_after_ever_longer_pauses():
    channel = ReadChannel()
    assert round_trip(channel, FakeSqs(), timeout_s=3)[1] == (
        f"✗ round trip: {OWN}: pending after 3,010 ms; "
        "see the consumer's log, its event source mapping (a window that is longer than "
        "--timeout?), and `tally dlq list`"
    )
    assert channel.clock.slept_s == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.45])
    assert channel.clock.now_s == pytest.approx(world(None).clock() + 3, abs=0.02)


@pytest.mark.parametrize("value", [None, b"41"])
def test_a_counter_without_a_ledger_cannot_tell_whether_it_was_counted(value):
    channel = ReadChannel(values={"c": value} if value else {})
    assert round_trip(channel, FakeSqs(), "c")[1] == (
        "– round trip: c has no ledger: under at-least-once nobody can tell whether it counted; "
        "leave out --counter"
    )


def test_a_counter_with_a_ledger_tells_what_was_not_counted():
    event = Event("c", 99, 0, SENT_AT_MS, 41)
    channel = ReadChannel(values={"c": fold(None, [event], Limits()).value})
    assert round_trip(channel, FakeSqs(), "c")[1].startswith("✗ round trip: c: pending after ")


def test_the_ledger_that_can_tell_is_the_tables_whatever_its_cache_shows():
    clock, table, cache = Clock(), MemoryStore(Items()), FakeCache()
    value = fold(None, [Event("c", 99, 0, SENT_AT_MS, 41)], Limits()).value
    table.items.put("c", value or b"")
    cache.contents["c"] = b"41"
    store = DurableStore(table, cache, 60, clock=clock)
    found = list(check_round_trip(world(None, clock), publisher(FakeSqs()), store, "c", 1.0))
    assert found[1].line.startswith("✗ round trip: c: pending after ")


def test_a_momento_that_refuses_to_be_read_is_told():
    channel = ReadChannel(FakeRpcError(STATUS.INVALID_ARGUMENT, "no"))
    line = (
        "✗ round trip: the count cannot be read: INVALID_ARGUMENT: no; "
        "see that MOMENTO_ENDPOINT or MOMENTO_LOCAL can be reached, and the quotas"
    )
    assert round_trip(channel, FakeSqs(), timeout_s=1)[1] == line


def test_what_sqs_refuses_is_told_and_not_waited_for():
    channel = ReadChannel()
    refused = one_fails(0, "AccessDenied", sender_fault=True)
    advice = "see that the queue is there, and that these credentials may send to it"
    assert round_trip(channel, FakeSqs(refused)) == [f"✗ send: AccessDenied; {advice}"]
    assert channel.calls == []


def test_what_is_wrong_is_told_with_a_remedy():
    """The third argument of each `bad` begins with what to do, or names who prints an example."""
    remedies = [
        ast.unparse(call.args[2])
        for path in Path(checks.__file__).parent.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "bad"
    ]
    remedy = re.compile(
        "f?['\"](add|create|deploy|enable|make|mend|see|set)[ :]|(EXAMPLE|REACH|reach|mended)$"
    )
    assert [told for told in remedies if not remedy.match(told)] == []
    assert remedies


def test_a_verdict_is_a_word_for_programs():
    assert [mark.value for mark in Mark] == ["ok", "bad", "skipped"]
