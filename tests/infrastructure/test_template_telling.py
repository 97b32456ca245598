"""Whom an alarm tells, and of what: topics, the runbook's entry, the dashboard, the budget."""

import re

import pytest

from infrastructure.template import ROOT
from tests.infrastructure.cloudformation import TemplateStack
from tests.infrastructure.conftest import REQUIRED

PAGES = "arn:aws:sns:eu-central-1:123456789012:pages"
TICKETS = "arn:aws:sns:eu-central-1:123456789012:tickets"
EVERYTHING = {"CounterTable": "create", "AlarmSilenceMinutes": 60}
RUNBOOK = (ROOT / "docs" / "operations.md").read_text("utf-8")
WIKI = "https://wiki.example.com/tally/operations"
CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
MAX_DESCRIPTION_CHARS = 1_024
"""CloudWatch API, PutMetricAlarm."""

MAX_STACK_NAME_CHARS = 62
"""docs/deploy.md: a queue's name has 80."""

ROW = re.compile(
    r"^\| \[(?P<alarm>\w+Alarm)\]\(#(?P<anchor>\w+)\) \| (?P<how>page|ticket) \|", re.MULTILINE
)


def alarms(stack):
    return stack.of_type("AWS::CloudWatch::Alarm")


def anchors(text):
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings]


def said(alarm):
    """What an alarm's description ends with: how it is told, its runbook entry, the dashboard."""
    *_, how, board = alarm["AlarmDescription"].splitlines()
    found = re.fullmatch(r"(Page|Ticket)\. Runbook: (\S+)#(\w+)", how)
    assert found, how
    return found[1].lower(), found[2], found[3], board


@pytest.fixture
def told(deploy):
    """How each alarm is told, as its description has it."""
    return {name: said(alarm)[0] for name, alarm in alarms(deploy(**EVERYTHING)).items()}


def test_every_alarm_names_its_entry_in_the_runbook(deploy):
    known = anchors(RUNBOOK)
    for given, runbook in (({}, "docs/operations.md"), ({"RunbookUrl": WIKI}, WIKI)):
        for name, alarm in alarms(deploy(**EVERYTHING, **given)).items():
            _, address, anchor, _ = said(alarm)
            assert (address, anchor) == (runbook, name.lower())
            assert known.count(anchor) == 1


@pytest.mark.parametrize("partition", CONSOLES)
def test_every_alarm_has_the_address_of_the_dashboard(template, partition):
    stack = TemplateStack(template, {**REQUIRED, **EVERYTHING}, {"AWS::Partition": partition})
    address = stack.outputs["DashboardUrl"].removesuffix("Dashboard")
    assert address.startswith(f"https://eu-central-1.{CONSOLES[partition]}/cloudwatch/home?")
    for alarm in alarms(stack).values():
        *_, board = said(alarm)
        assert board == f"Dashboard: {address}{stack['Dashboard']['DashboardName']}"


def test_a_description_begins_with_a_sentence_and_fits(template):
    told = {**REQUIRED, **EVERYTHING, "RunbookUrl": f"https://{'x' * 292}"}
    where = {"AWS::StackName": "s" * MAX_STACK_NAME_CHARS, "AWS::Partition": "aws-us-gov"}
    stack = TemplateStack(template, told, where)
    for alarm in alarms(stack).values():
        text = alarm["AlarmDescription"]
        assert re.match(r"[A-Z][^\n]{40,}\.\n", text)
        assert len(text) <= MAX_DESCRIPTION_CHARS


def test_a_runbooks_address_has_no_anchor_of_its_own(deploy):
    for wrong in (f"{WIKI}#top", "http://wiki.example.com", "https://a b", f"https://{'x' * 293}"):
        with pytest.raises(ValueError, match="RunbookUrl"):
            deploy(RunbookUrl=wrong)


def test_without_a_topic_alarms_tell_nobody(deploy):
    for alarm in alarms(deploy(**EVERYTHING)).values():
        assert not {"AlarmActions", "OKActions"} & alarm.keys()


@pytest.mark.parametrize(("tickets", "topic"), [("", PAGES), (TICKETS, TICKETS)])
def test_alarms_page_or_make_a_ticket_as_they_say(deploy, told, tickets, topic):
    stack = deploy(**EVERYTHING, AlarmTopicArn=PAGES, TicketTopicArn=tickets)
    topics = {"page": [PAGES], "ticket": [topic]}
    for name, alarm in alarms(stack).items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == topics[told[name]]


def test_a_topic_for_tickets_alone_is_refused(deploy):
    with pytest.raises(ValueError, match="TicketTopicArn needs AlarmTopicArn"):
        deploy(TicketTopicArn=TICKETS)


def test_the_runbook_says_of_each_alarm_whether_it_pages(told):
    rows = list(ROW.finditer(RUNBOOK))
    assert {row["alarm"]: row["how"] for row in rows} == told
    assert [row["alarm"] for row in rows] == list(told)
    assert all(row["anchor"] == row["alarm"].lower() for row in rows)


def test_there_is_a_budget_only_if_one_is_given(deploy, stack):
    assert stack.of_type("AWS::Budgets::Budget") == {}
    made = deploy(BudgetUsd=50, AlarmTopicArn=PAGES)["Budget"]
    assert made["Budget"] == {
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": "50", "Unit": "USD"},
        "CostFilters": {
            "Region": ["eu-central-1"],
            "Service": [
                "Amazon Simple Queue Service",
                "AWS Lambda",
                "Amazon API Gateway",
                "Amazon DynamoDB",
                "AmazonCloudWatch",
                "AWS Secrets Manager",
            ],
        },
    }


def test_a_budget_by_tag_counts_the_stack_alone(deploy):
    made = deploy(BudgetUsd=50, BudgetBy="tag", AlarmTopicArn=PAGES)["Budget"]["Budget"]
    assert made["CostFilters"] == {"TagKeyValue": ["aws:cloudformation:stack-name$tally"]}


@pytest.mark.parametrize(("tickets", "topic"), [("", PAGES), (TICKETS, TICKETS)])
def test_a_budget_makes_a_ticket_before_it_is_spent_and_when_it_will_be(deploy, tickets, topic):
    stack = deploy(BudgetUsd=50, AlarmTopicArn=PAGES, TicketTopicArn=tickets)
    notices = stack["Budget"]["NotificationsWithSubscribers"]
    assert [each["Notification"] for each in notices] == [
        {
            "NotificationType": kind,
            "ComparisonOperator": "GREATER_THAN",
            "Threshold": percent,
            "ThresholdType": "PERCENTAGE",
        }
        for kind, percent in (("ACTUAL", 80), ("FORECASTED", 100))
    ]
    for each in notices:
        assert each["Subscribers"] == [{"SubscriptionType": "SNS", "Address": topic}]


def test_a_budget_that_nobody_hears_of_is_refused(deploy):
    with pytest.raises(ValueError, match="BudgetUsd needs a topic"):
        deploy(BudgetUsd=50)
