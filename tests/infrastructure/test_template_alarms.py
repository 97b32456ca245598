"""Alarms and dashboard look at metrics that exist, and ask at the right mark."""

import itertools
import json
import re

import pytest

from consumer.wiring import observer
from infrastructure.template import ROOT
from producer.wiring import SENDING_S
from tally.counters.ledger import Limits
from tally.environment import MAX_MOMENTO_TTL_S
from tally.settling.progress import Activity
from tally.settling.rounds import RESERVE_PER_MESSAGE_S, RESERVE_S
from tally.stores.dynamodb.items import MAX_VALUE_BYTES

QUEUES = ("Queue.QueueName", "DeadLetterQueue.QueueName")
AWS_METRICS = {
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesVisible",
        "NumberOfEmptyReceives",
        "NumberOfMessagesDeleted",
        "NumberOfMessagesReceived",
        "NumberOfMessagesSent",
    },
    "AWS/Lambda": {"ConcurrentExecutions", "Duration", "Errors", "Invocations", "Throttles"},
    "AWS/ApiGateway": {"4XXError", "5XXError", "Count", "Latency"},
    "AWS/DynamoDB": {
        "ConsumedReadCapacityUnits",
        "ConsumedWriteCapacityUnits",
        "ReadThrottleEvents",
        "SystemErrors",
        "WriteThrottleEvents",
    },
    "AWS/Logs": {"IncomingBytes"},
}
"""AWS's own, as its documents name them."""

AWS_DIMENSIONS = {
    "AWS/SQS": [{"QueueName": queue} for queue in QUEUES],
    "AWS/Lambda": [{"FunctionName": "ConsumerFunction"}],
    "AWS/ApiGateway": [{"ApiName": "tally", "Stage": "v1"}],
    "AWS/Logs": [{"LogGroupName": "ConsumerLogGroup"}],
    "AWS/DynamoDB": [
        {"TableName": "CountersTable"},
        {"TableName": "CountersTable", "Operation": "PutItem"},
        {"TableName": "CountersTable", "Operation": "BatchGetItem"},
    ],
}
ALARMS = {
    "DeadLettersAlarm": ("waiting + held", None, (1, 1), 0),
    "MoreDeadLettersAlarm": ("DIFF(waiting + held)", None, (1, 1), 0),
    "AgeAlarm": ("ApproximateAgeOfOldestMessage", "Maximum", (1, 1), 900),
    "ReturnedAgeAlarm": ("OldestReturnedSeconds", "Maximum", (1, 1), 900),
    "InFlightAlarm": ("ApproximateNumberOfMessagesNotVisible", "Maximum", (1, 1), 60_000),
    "ErrorsAlarm": ("Errors", "Sum", (3, 11), 0),
    "ThrottlesAlarm": ("Throttles", "Sum", (3, 11), 0),
    "DurationAlarm": ("Duration", "Maximum", (3, 11), 24_000),
    "UndecidableAlarm": ("EventsUndecidable", "Sum", (1, 1), 0),
    "GivingUpAlarm": ("returned - invalid", None, (3, 11), 0),
    "ValueBytesAlarm": ("ValueBytes", "Maximum", (1, 1), MAX_VALUE_BYTES // 2),
    "VanishedAlarm": ("CountersVanished", "Sum", (1, 1), 0),
    "NothingArrivesAlarm": ("NumberOfMessagesSent", "Sum", (30, 30), 1),
    "TableThrottlesAlarm": ("WriteThrottleEvents", "Sum", (3, 11), 0),
    "TableErrorsAlarm": ("SystemErrors", "Sum", (3, 11), 0),
    "CopiesAlarm": ("failed / stored", None, (3, 30), 0.5),
    "ApiErrorsAlarm": ("5XXError", "Sum", (3, 30), 0),
    "ApiRefusalsAlarm": ("4XXError", "Average", (3, 30), 0.5),
    "ApiLatencyAlarm": ("Latency", "p99", (3, 30), 5_000),
}
BY_REQUEST = ("NothingArrivesAlarm",)
OF_A_TABLE = ("TableThrottlesAlarm", "TableErrorsAlarm", "CopiesAlarm")
RETRIED = (
    *("ErrorsAlarm", "ThrottlesAlarm", "DurationAlarm", "GivingUpAlarm"),
    *("TableThrottlesAlarm", "TableErrorsAlarm"),
)
"""Of what a message meets again when it comes back: three tries of one ring."""

DAY_S = 86_400
MINUTE_S = 60
"""A period of every alarm; and what a datapoint may take to appear."""

QUESTIONS = {
    "# Is it keeping up?": [
        "Age of the oldest increment",
        "Backlog",
        "Increments decided",
        "Duration of an invocation",
        "Consumers at once",
        "Contention",
    ],
    "# Is it correct?": [
        "Alarms",
        "Dead letters",
        "Not counted",
        "Failed invocations",
        "Counters made and gone",
        "Why messages came back",
    ],
    "# What does it cost?": [
        "Operations of the store",
        "Operations for an increment",
        "Longest counter",
        "Lambda",
        "SQS",
        "Logs and writes",
    ],
}

ALONE = {"CounterTable": "create", "MomentoEndpoint": "", "MomentoApiKeySecretArn": ""}
"""A table without a cache."""

API = {"# The HTTP API": ["Requests", "Time to answer"]}
A_TABLE = {"# The table": ["Units", "Refused and failed", "Copies for the cache"]}


@pytest.fixture
def with_table(deploy):
    """A stack with all that there is: a table, Momento for its cache, and alarms by request."""
    return deploy(CounterTable="create", AlarmSilenceMinutes=30)


@pytest.fixture(params=["none", "create"])
def either(request, deploy):
    """A stack without a table, and one with."""
    return deploy(CounterTable=request.param)


@pytest.fixture
def emitted(either, capsys):
    """What the consumer emits in such a stack: its namespace, metrics and dimensions."""
    told = either["ConsumerFunction"]["Environment"]["Variables"]
    of_a_table = {"store_reads": 1, "cache_sets_failed": 1} if "COUNTER_TABLE" in told else {}
    observer(told).publish(Activity(**of_a_table))
    record = json.loads(capsys.readouterr().out)
    [directive] = record["_aws"]["CloudWatchMetrics"]
    [names] = directive["Dimensions"]
    metrics = {metric["Name"] for metric in directive["Metrics"]}
    return directive["Namespace"], metrics, {name: record[name] for name in names}


def alarms(stack):
    return stack.of_type("AWS::CloudWatch::Alarm")


def watched(stack):
    """What every alarm and every widget looks at: (namespace, metric, dimensions)."""
    for alarm in alarms(stack).values():
        parts = [
            each["MetricStat"]["Metric"]
            for each in alarm.get("Metrics", [])
            if "MetricStat" in each
        ]
        for part in parts or [alarm]:
            dimensions = {each["Name"]: each["Value"] for each in part["Dimensions"]}
            yield part["Namespace"], part["MetricName"], dimensions
    for widget in widgets(stack):
        for namespace, name, *rest in plain(widget):
            pairs = [each for each in rest if isinstance(each, str)]
            yield namespace, name, dict(zip(pairs[::2], pairs[1::2], strict=True))


def widgets(stack):
    return json.loads(stack["Dashboard"]["DashboardBody"])["widgets"]


def plain(widget):
    """The metrics of a widget that are no expression."""
    metrics = widget["properties"].get("metrics", [])
    return [metric for metric in metrics if isinstance(metric[0], str)]


def test_every_metric_that_is_watched_is_emitted(either, emitted):
    namespace, metrics, dimensions = emitted
    known = {**AWS_METRICS, namespace: metrics}
    dimensioned = {**AWS_DIMENSIONS, namespace: [dimensions]}
    found = list(watched(either))
    assert [each for each in found if each[1] not in known.get(each[0], ())] == []
    assert [each for each in found if each[2] not in dimensioned[each[0]]] == []


def test_every_metric_of_the_consumer_is_on_the_dashboard(either, emitted):
    namespace, metrics, _ = emitted
    shown = {
        metric[1]
        for widget in widgets(either)
        for metric in plain(widget)
        if metric[0] == namespace
    }
    assert shown == metrics


def test_each_alarm_asks_at_its_mark(stack, with_table):
    asked = {
        name: (
            alarm.get("MetricName") or alarm["Metrics"][0]["Expression"],
            alarm.get("Statistic", alarm.get("ExtendedStatistic")),
            tuple(
                int(alarm.get(periods, alarm["EvaluationPeriods"]))
                for periods in ("DatapointsToAlarm", "EvaluationPeriods")
            ),
            float(alarm["Threshold"]),
        )
        for name, alarm in alarms(with_table).items()
    }
    assert asked == ALARMS
    assert alarms(stack).keys() == ALARMS.keys() - OF_A_TABLE - set(BY_REQUEST)


def test_where_no_table_bounds_values_the_alarm_rings_at_half_of_what_a_ledger_may_have(stack):
    assert stack["ValueBytesAlarm"]["Threshold"] == Limits().max_bytes // 2


def test_every_alarm_asks_for_more_than_its_mark_and_rests_without_data(with_table):
    asked = {(a["ComparisonOperator"], a["TreatMissingData"]) for a in alarms(with_table).values()}
    silence = with_table["NothingArrivesAlarm"]
    assert asked == {
        ("GreaterThanThreshold", "notBreaching"),
        ("LessThanThreshold", "breaching"),
    }
    assert (silence["ComparisonOperator"], silence["TreatMissingData"]) == (
        "LessThanThreshold",
        "breaching",
    )


@pytest.mark.parametrize("minutes", [5, 1_440])
def test_silence_rings_when_no_minute_of_those_given_had_a_message(deploy, minutes):
    alarm = deploy(AlarmSilenceMinutes=minutes)["NothingArrivesAlarm"]
    assert (alarm["Period"], int(alarm["EvaluationPeriods"])) == (MINUTE_S, minutes)
    assert "DatapointsToAlarm" not in alarm  # so it is all of them
    assert minutes * MINUTE_S <= DAY_S  # CloudWatch's most


def test_the_api_is_slow_when_it_takes_longer_than_the_publisher_tries(template):
    declared = template["Parameters"]["AlarmLatencyMilliseconds"]
    assert declared["Default"] == SENDING_S * 1_000
    function = template["Resources"]["ApiFunction"]["Properties"]
    assert declared["MaxValue"] == function["Timeout"] * 1_000


@pytest.mark.parametrize(
    ("ttl", "rings"), [(MAX_MOMENTO_TTL_S, True), (MAX_MOMENTO_TTL_S - 1, False)]
)
def test_what_expires_by_a_shorter_ttl_rings_no_alarm(deploy, ttl, rings):
    assert ("VanishedAlarm" in alarms(deploy(MomentoTtlSeconds=ttl))) is rings


def test_dead_letters_are_counted_where_they_lie(stack):
    for name in ("DeadLettersAlarm", "MoreDeadLettersAlarm"):
        parts = [each["MetricStat"]["Metric"] for each in stack[name]["Metrics"][1:]]
        assert parts == [
            {
                "Namespace": "AWS/SQS",
                "MetricName": f"ApproximateNumberOfMessages{which}",
                "Dimensions": [{"Name": "QueueName", "Value": "DeadLetterQueue.QueueName"}],
            }
            for which in ("Visible", "NotVisible")
        ]


def test_an_invocation_that_runs_out_of_time_is_past_the_mark(template, deploy):
    most_messages = template["Parameters"]["BatchSize"]["MaxValue"]
    reserve_s = RESERVE_S + most_messages * RESERVE_PER_MESSAGE_S
    for timeout in template["Parameters"]["FunctionTimeoutSeconds"]["AllowedValues"]:
        alarm_ms = deploy(FunctionTimeoutSeconds=timeout)["DurationAlarm"]["Threshold"]
        assert alarm_ms == timeout * 800 <= (timeout - reserve_s) * 1_000
        assert template["Mappings"]["Duration"][str(timeout)]["Timeout"] == timeout * 1_000


@pytest.fixture
def paces(template, deploy):
    """The stack for each timeout, window and type of queue: how fast a message comes back."""
    parameters = template["Parameters"]
    names = ("FunctionTimeoutSeconds", "BatchingWindowSeconds", "QueueType")
    offered = itertools.product(*(parameters[name]["AllowedValues"] for name in names))
    return [
        deploy(**dict(zip(names, told, strict=True)), CounterTable="create") for told in offered
    ]


def timeout_s(stack):
    return int(stack["ConsumerFunction"]["Timeout"])


def three_tries_s(stack):
    """From the start of the first to when the last is told of, at the end of its invocation."""
    return 2 * stack["Queue"]["VisibilityTimeout"] + timeout_s(stack)


def periods_s(alarm):
    parts = [each["MetricStat"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
    return {part["Period"] for part in parts or [alarm]}


@pytest.mark.parametrize("name", RETRIED)
def test_three_tries_of_one_message_ring(paces, name):
    for stack in paces:
        alarm = stack[name]
        assert (periods_s(alarm), alarm["DatapointsToAlarm"]) == ({MINUTE_S}, 3)
        assert stack["Queue"]["VisibilityTimeout"] > MINUTE_S  # each try in a minute of its own
        waited_s = alarm["EvaluationPeriods"] * MINUTE_S
        assert three_tries_s(stack) + 2 * MINUTE_S <= waited_s <= DAY_S


@pytest.mark.parametrize("name", RETRIED)
def test_no_alarm_looks_back_further_than_three_tries_take(paces, name):
    for _, alike in itertools.groupby(paces, timeout_s):
        stacks = list(alike)
        most_s = max(map(three_tries_s, stacks)) + 2 * MINUTE_S
        assert {stack[name]["EvaluationPeriods"] for stack in stacks} == {-(-most_s // MINUTE_S)}


def test_each_alarm_has_its_entry_in_the_runbook():
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    headings = re.findall(r"^### (\w+Alarm)$", text, re.MULTILINE)
    assert headings == list(ALARMS)


def test_the_runbook_says_how_long_alarms_wait(stack, deploy):
    text = " ".join((ROOT / "docs" / "operations.md").read_text("utf-8").split())
    slow = deploy(FunctionTimeoutSeconds=300)
    waits = [one["ErrorsAlarm"]["EvaluationPeriods"] for one in (stack, slow)]
    asking = " and ".join(", ".join(RETRIED).rsplit(", ", 1))
    told = "{} minutes by default, {} with `FunctionTimeoutSeconds=300`".format(*waits)
    assert f"So {asking} ask for three bad minutes" in text
    assert told in text


def test_slow_minutes_are_still_looked_at_when_their_invocations_end(paces):
    for stack in paces:
        alarm = stack["DurationAlarm"]
        untold_s = timeout_s(stack) + MINUTE_S
        looked_at = alarm["EvaluationPeriods"] - -(-untold_s // MINUTE_S)
        assert looked_at >= alarm["DatapointsToAlarm"]


def test_the_age_is_that_of_five_receives_and_follows_the_timeout(paces):
    for stack in paces:
        age_s, hidden_s = stack["AgeAlarm"]["Threshold"], stack["Queue"]["VisibilityTimeout"]
        receives = int(stack["Queue"]["RedrivePolicy"]["maxReceiveCount"])
        assert stack["ReturnedAgeAlarm"]["Threshold"] == age_s
        window_s = stack["ConsumerFunctionIncrements"].get("MaximumBatchingWindowInSeconds", 0)
        assert age_s == receives * (hidden_s - int(window_s))
        assert age_s >= 3 * hidden_s  # so many tries ring nothing


def test_by_default_what_fails_from_the_first_is_dead_before_its_age_rings(stack):
    """As the runbook says; GivingUpAlarm tells of it."""
    receives = int(stack["Queue"]["RedrivePolicy"]["maxReceiveCount"])
    told_s = (receives - 1) * stack["Queue"]["VisibilityTimeout"] + timeout_s(stack)
    assert told_s < stack["ReturnedAgeAlarm"]["Threshold"]
    assert stack["GivingUpAlarm"]["DatapointsToAlarm"] < receives


def test_an_age_that_is_given_is_the_threshold(deploy):
    for timeout in (20, 300):
        stack = deploy(FunctionTimeoutSeconds=timeout, AlarmAgeSeconds=61)
        assert stack["AgeAlarm"]["Threshold"] == "61"
        assert stack["ReturnedAgeAlarm"]["Threshold"] == "61"


def questions(stack):
    """The widgets under each heading, in their order."""
    found: dict[str, list[str]] = {}
    for widget in sorted(widgets(stack), key=lambda each: (each["y"], each["x"])):
        if widget["type"] == "text":
            heading = widget["properties"]["markdown"].splitlines()[0]
            found[heading] = []
        else:
            found[heading].append(widget["properties"]["title"])
    return found


def test_the_dashboard_answers_three_questions(deploy):
    assert questions(deploy(HttpApi="no")) == QUESTIONS


def test_the_dashboard_shows_the_api_if_there_is_one(stack):
    assert questions(stack) == {**QUESTIONS, **API}


def test_the_dashboard_shows_the_table_if_there_is_one(with_table, deploy):
    assert questions(with_table) == {**QUESTIONS, **API, **A_TABLE}
    assert questions(deploy(HttpApi="no", CounterTable="counters")) == {**QUESTIONS, **A_TABLE}


@pytest.mark.parametrize("api", ["yes", "no"])
@pytest.mark.parametrize("ttl", [60, 86_400])
@pytest.mark.parametrize(
    "told", [{}, {"CounterTable": "create"}, ALONE, {"AlarmSilenceMinutes": 60}]
)
def test_the_dashboard_shows_every_alarm(deploy, api, ttl, told):
    stack = deploy(HttpApi=api, MomentoTtlSeconds=ttl, **told)
    [shown] = [each for each in widgets(stack) if each["type"] == "alarm"]
    assert shown["properties"]["alarms"] == [f"{name}.Arn" for name in alarms(stack)]


def test_no_widget_lies_on_another(with_table):
    cells = [
        (x, y)
        for widget in widgets(with_table)
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(cells) == len(set(cells))
    assert {x for x, _ in cells} == set(range(24))


@pytest.mark.parametrize(("given_s", "age_s"), [(0, 1_800), (120, 120)])
def test_the_marks_on_the_dashboard_are_those_of_the_alarms(deploy, given_s, age_s):
    stack = deploy(FunctionTimeoutSeconds=60, AlarmAgeSeconds=given_s, MaximumConcurrency=9)
    marks = {
        widget["properties"]["title"]: [
            mark["value"] for mark in widget["properties"]["annotations"]["horizontal"]
        ]
        for widget in widgets(stack)
        if "annotations" in widget["properties"]
    }
    assert int(stack["AgeAlarm"]["Threshold"]) == age_s
    assert marks == {
        "Age of the oldest increment": [age_s],
        "Duration of an invocation": [48_000, 60_000],
        "Consumers at once": [9],
        "Longest counter": [Limits().free_bytes],
    }
