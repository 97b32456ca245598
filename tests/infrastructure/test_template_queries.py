"""The saved queries answer the questions of an incident, on lines that the functions wrote."""

import json
import re

import grpc
import pytest
from botocore.exceptions import ConnectionClosedError

from infrastructure.template import ROOT
from tally.reading.errors import ReadError
from tally.stores.port import Trouble
from tests.infrastructure.insights import Query, event
from tests.support.api import Called
from tests.support.clock import PATIENT_TRIES
from tests.support.consumers import Deployed
from tests.support.lambda_event import SENT_AT_MS, Context, increment, name, record
from tests.support.lambda_event import event as batch
from tests.support.log import Log
from tests.support.momento_channel import Fault
from tests.support.sqs import lost_before

CLOSED = ConnectionClosedError(endpoint_url="http://127.0.0.1")
STATUS = grpc.StatusCode
MINUTE_MS = 60_000
FIVE_MINUTES_MS = 5 * MINUTE_MS
START_MS = 1_790_000_100_000 // FIVE_MINUTES_MS * FIVE_MINUTES_MS
MAX_QUERY_CHARS = 10_000
"""CloudWatch Logs API, PutQueryDefinition."""

CONSUMER, API, ACCESS = "ConsumerLogGroup", "ApiLogGroup", "ApiAccessLogGroup"
GROUPS = {
    "1 What came back and why": [CONSUMER],
    "2 Which counter is hot": [CONSUMER],
    "3 Who was throttled": [CONSUMER, API, ACCESS],
    "4 Time-outs and memory": [CONSUMER, API],
    "5 One event by its name": [CONSUMER, API],
}
WHY, HOT, THROTTLED, TIMEOUTS, EVENT = GROUPS
TRACE = "1-67891233-abcdef012345678912345678"
REQUEST = "8f5d3c6a-1f37-5f5d-9f3b-65e6a4d7d0b1"


def report(ms, used_mb, more):
    """Lambda's last line of an invocation."""
    memory = f"Memory Size: 1024 MB\tMax Memory Used: {used_mb} MB\t{more}"
    return f"REPORT RequestId: {REQUEST}\tDuration: {ms} ms\tBilled Duration: {ms} ms\t{memory}"


LAMBDAS_OWN = (
    f"START RequestId: {REQUEST} Version: $LATEST",
    f"END RequestId: {REQUEST}",
    report("31.58", 121, "Init Duration: 812.40 ms\t"),
    f"2026-11-29T12:00:30.030Z {REQUEST} Task timed out after 30.03 seconds",
    report("30000.00", 640, "Status: timeout"),
    report("812.40", 1_024, "Status: error\tError Type: Runtime.OutOfMemory"),
)
"""As Lambda writes them, in its text format; no program of ours prints them."""


@pytest.fixture(scope="module")
def queries(deploy):
    """The saved queries of a stack with all log groups, by their names."""
    made = deploy(ApiLogsRole="exists").of_type("AWS::Logs::QueryDefinition").values()
    return {each["Name"].removeprefix("tally/"): each for each in made}


@pytest.fixture
def ask(queries):
    """Run a saved query on lines, each a second after the one before."""

    def run(question, lines, **words):
        text = queries[question]["QueryString"]
        for word, value in words.items():
            text = text.replace(word, value)
        return Query(text).run(dated(lines))

    return run


def dated(lines):
    """Lines as Insights has them; a line is (group, text)."""
    return [
        event(text, at_ms=START_MS + place * 1_000, group=group)
        for place, (group, text) in enumerate(lines)
    ]


class Heard(Deployed):
    """A consumer, whose lines are those of its log and the records of its metrics."""

    def __init__(self, capsys, level="INFO"):
        super().__init__(log=Log(level))
        self._capsys = capsys

    def lines(self):
        found = [json.dumps(line) for line in self.log]
        return [(CONSUMER, text) for text in found + self._capsys.readouterr().out.splitlines()]


@pytest.fixture
def consumer(capsys):
    """A consumer that nobody has called yet."""
    return Heard(capsys)


def handle(consumer, *records):
    """A batch, with five seconds for it."""
    consumer.handle(batch(*records), Context(consumer.clock, 5))


def traced(message_id, body):
    """A message whose sender was in a trace of X-Ray."""
    told = record(message_id, body)
    return {**told, "attributes": {**told["attributes"], "AWSTraceHeader": f"Root={TRACE}"}}


def accessed(deploy, **context):
    """A line of the access log, as the template has API Gateway write it."""
    stage = deploy(ApiLogsRole="exists")["Apiv1Stage"]

    def value(found):
        return context.get(found[1], "-")

    return ACCESS, re.sub(r"\$context\.([\w.]+)", value, stage["AccessLogSetting"]["Format"])


def api_lines(api):
    return [(API, json.dumps(line)) for line in api.log]


def test_there_are_five_questions_on_the_logs_that_there_are(queries, deploy):
    assert {question: each["LogGroupNames"] for question, each in queries.items()} == GROUPS
    for told, missing in (({}, {ACCESS}), ({"HttpApi": "no"}, {API, ACCESS})):
        made = deploy(**told).of_type("AWS::Logs::QueryDefinition").values()
        groups = [[each for each in found if each not in missing] for found in GROUPS.values()]
        assert [each["LogGroupNames"] for each in made] == groups


def test_every_query_is_bounded(queries):
    for each in queries.values():
        assert len(each["QueryString"]) <= MAX_QUERY_CHARS
        assert re.search(r"\n\| limit \d+$", each["QueryString"])


def test_every_field_that_a_query_reads_is_in_a_line_of_its_logs(queries, capsys, deploy):
    consumer = Heard(capsys, "DEBUG")
    channel = consumer.channel
    channel.faults = [
        Fault("SetIf", before=lambda: channel.store.put("page:home", b"1")),
        Fault("GetWithHash", STATUS.RESOURCE_EXHAUSTED, key="page:home"),
    ]
    channel.store.put("alien", b"not ours")
    named = {"counter": "alien", "id": "order-17", "at": SENT_AT_MS}
    handle(consumer, traced("m1", increment(0)), record("m2", named))
    api = Called(counts={"c": ReadError("c", Trouble.THROTTLED)})
    api("GET", "/counters/c")
    own = [(group, text) for group in (CONSUMER, API) for text in LAMBDAS_OWN]
    events = dated([*consumer.lines(), *api_lines(api), accessed(deploy), *own])
    for each in queries.values():
        there = {field for one in events if one["@log"] in each["LogGroupNames"] for field in one}
        assert Query(each["QueryString"]).reads - there == set()


@pytest.mark.parametrize(
    "text", ["dedup counter", "fields upper(counter) as name", "filter a != 'b'"]
)
def test_a_query_that_the_tests_cannot_run_is_refused(text):
    with pytest.raises(ValueError, match=r"dedup|upper|!"):
        Query(text)


def test_what_came_back_is_told_by_its_reason_and_counter(ask, consumer):
    consumer.channel.store.put("alien", b"not ours")
    handle(
        consumer,
        record("m1", {"counter": "page:home", "amount": "x"}, receive_count=2),
        record("m2", increment(0, "alien")),
        record("m3", increment(1, "alien"), receive_count=4),
        record("m4", increment(0, "fine")),
    )
    handle(consumer, record("m3", increment(1, "alien"), receive_count=5))
    returned = ask(WHY, consumer.lines())
    details = [row.pop("last_detail") for row in returned]
    assert returned == [
        {"reason": "unreadable", "counter": "alien", "times": 3, "messages": 2, "receives": 5},
        {"reason": "invalid", "counter": "page:home", "times": 1, "messages": 1, "receives": 2},
    ]
    assert details[1] == "amount: must be an integer, found 'x'"


def test_the_hot_counter_leads_batches_and_loses_races(ask, consumer):
    channel = consumer.channel
    channel.faults = [Fault("SetIf", key="hot", before=lambda: channel.store.put("hot", b"1"))]
    handle(consumer, record("m1", [increment(seq, "hot") for seq in range(3)] + [increment(0)]))
    handle(consumer, record("m2", [increment(3, "hot"), increment(4, "hot"), increment(1)]))
    handle(consumer, record("m3", increment(2)))
    assert ask(HOT, consumer.lines()) == [
        {"name": "hot", "events": 5, "batches_led": 2, "races_lost": 1},
        {"name": "page:home", "events": 1, "batches_led": 1},
    ]


def test_who_was_throttled_is_a_counter_of_the_store(ask, consumer):
    throttles = [
        Fault("GetWithHash", STATUS.RESOURCE_EXHAUSTED, key=key, times=times, details="Too fast")
        for key, times in (("settles", 2), ("hot", 5))
    ]
    consumer.channel.faults = throttles
    handle(consumer, record("m1", increment(0, "settles")))
    handle(consumer, record("m2", increment(0, "hot")), record("m3", increment(1, "hot")))
    rows = ask(THROTTLED, consumer.lines())
    assert rows == [
        {
            "name": "hot",
            "lines": 3,
            "calls": 5,
            "messages": 2,
            "last_detail": "RESOURCE_EXHAUSTED: Too fast",
        },
        {"name": "settles", "lines": 1, "calls": 2, "messages": 0},
    ]


def test_who_was_throttled_is_a_caller_of_the_api_or_the_api_itself(ask, deploy):
    api = Called(counts={"c": ReadError("c", Trouble.THROTTLED)})
    assert api("GET", "/counters/c")[0] == 503
    refused = {"identity.apiKeyId": "k1", "identity.sourceIp": "127.0.0.1"}
    lines = [
        accessed(deploy, status="429", **{**refused, "error.responseType": "THROTTLED"}),
        accessed(deploy, status="429", **{**refused, "error.responseType": "THROTTLED"}),
        accessed(deploy, status="200", **refused),
        *api_lines(api),
    ]
    assert ask(THROTTLED, lines) == [
        {"keyId": "k1", "ip": "127.0.0.1", "error": "THROTTLED", "lines": 2, "messages": 0},
        {"problem": "throttled", "lines": 1, "messages": 0},
    ]


def test_time_outs_and_memory_are_told_of_each_function(ask, consumer):
    handle(consumer, record("m1", "{"))
    lines = [*((CONSUMER, text) for text in LAMBDAS_OWN), (API, LAMBDAS_OWN[2]), *consumer.lines()]
    told = {"of_mb": 1_024, "bin(5m)": START_MS}
    assert ask(TIMEOUTS, lines) == [
        {
            "@log": CONSUMER,
            "invocations": 3,
            "time_outs": 1,
            "memory_outs": 1,
            "longest_ms": 30_000,
            "most_mb": 1_024,
            **told,
        },
        {
            "@log": API,
            "invocations": 1,
            "time_outs": 0,
            "memory_outs": 0,
            "longest_ms": 31.58,
            "most_mb": 121,
            **told,
        },
    ]


def test_one_event_is_followed_by_its_name_from_the_api_to_the_consumer(ask, consumer):
    api = Called(*[lost_before(CLOSED)] * PATIENT_TRIES)
    _, _, told = api("POST", "/counters/page:home/increments")
    source, seq, at = told["event"].split(":")
    sent = {"counter": "page:home", "source": source, "seq": int(seq), "at": int(at)}
    consumer.channel.store.put("page:home", b"not ours")
    handle(consumer, record("m1", [sent, increment(1)]), record("m2", increment(2)))
    rows = ask(EVENT, [*api_lines(api), *consumer.lines()], EVENT=told["event"])
    shown = [[row.get(key) for key in ("action", "why", "events", "message_id")] for row in rows]
    assert shown == [
        ["request_failed", "unconfirmed", None, None],
        ["message_returned", "unreadable", 2, "m1"],
    ]
    assert {row["identity"] for row in rows} == {told["event"]}
    assert [row["@timestamp"] for row in rows] == [START_MS, START_MS + 1_000]


def test_at_debug_the_decision_on_an_event_and_its_trace_are_told_by_its_name(ask, capsys):
    consumer = Heard(capsys, "DEBUG")
    for message_id in ("m1", "m2"):
        handle(consumer, traced(message_id, increment(0)))
    rows = ask(EVENT, consumer.lines(), EVENT=name(0))
    shown = [[row[key] for key in ("action", "why", "message_id", "trace_id")] for row in rows]
    assert shown == [
        ["event_decided", "applied", "m1", TRACE],
        ["event_decided", "applied_before", "m2", TRACE],
    ]


def test_an_event_is_found_by_its_source_and_by_its_id(ask, consumer):
    consumer.channel.store.put("alien", b"not ours")
    named = {"counter": "alien", "id": "order-17", "at": SENT_AT_MS}
    handle(consumer, record("m1", increment(0, "alien")), record("m2", named))
    lines = consumer.lines()
    source = name(0).partition(":")[0]
    found = [
        [row["message_id"] for row in ask(EVENT, lines, EVENT=word)]
        for word in (source, "order-17")
    ]
    assert found == [["m1"], ["m2"]]


def test_the_table_of_the_dashboard_is_filled(stack, consumer):
    [text] = [
        widget["properties"]["query"]
        for widget in json.loads(stack["Dashboard"]["DashboardBody"])["widgets"]
        if widget["type"] == "log"
    ]
    source, _, query = text.partition(" | ")
    handle(consumer, record("m1", "{"), record("m2", increment()))
    [row] = Query(query).run(dated(consumer.lines()))
    assert source == "SOURCE 'ConsumerLogGroup'"
    assert (row["reason"], row["times"], row["messages"]) == ("invalid", 1, 1)


def test_the_runbook_says_how_each_query_is_used():
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert re.findall(r"^\| \*(\d [^*]+)\* \|", text, re.MULTILINE) == list(GROUPS)
