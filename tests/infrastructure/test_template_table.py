"""A table that decides: what the template makes, tells, allows and refuses."""

import json

import pytest

from consumer.observability import OF_A_TABLE, metric_name
from consumer.settings import ConsumerSettings
from producer.settings import ApiSettings
from tally.environment import CACHE_TTL_S, MAX_CACHE_TTL_S, Cache, Service, Table, Valkey
from tally.stores.dynamodb.items import COUNTER, EXPIRES
from tests.infrastructure.conftest import REQUIRED, VALKEY

QUEUE_URL = "https://sqs.example.com/1/queue"
MADE = "CountersTable"
"""A resource stands for itself, so that this is its name as well."""

THERE_ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/counters"
KMS_KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d"
SECRET = REQUIRED["MomentoApiKeySecretArn"]
OTHER_SECRET = SECRET.replace("key", "read")
MOMENTO = Cache("tally", Service(REQUIRED["MomentoEndpoint"], api_key_secret=SECRET))
SERVER = Valkey(
    "valkey.example.com",
    6_380,
    username="tally",
    password_secret=VALKEY["ValkeyPasswordSecretArn"],
)
CACHES = [({}, None), (REQUIRED, MOMENTO), (VALKEY, SERVER)]
TELLS_OF_MOMENTO = " ".join(
    [
        " CACHE_TTL_SECONDS=60",
        "MOMENTO_CACHE_NAME='tally'",
        f"MOMENTO_ENDPOINT={REQUIRED['MomentoEndpoint']}",
        f"MOMENTO_API_KEY_SECRET={SECRET}",
    ]
)
TELLS_OF_VALKEY = " ".join(
    [
        " CACHE_TTL_SECONDS=60",
        f"VALKEY_URL='{VALKEY['ValkeyUrl']}'",
        "VALKEY_USERNAME='tally'",
        f"VALKEY_PASSWORD_SECRET={VALKEY['ValkeyPasswordSecretArn']}",
    ]
)
DAY_S, LONGEST_S = 86_400, 299_999_999
ALARMS = ("TableThrottlesAlarm", "TableErrorsAlarm", "CopiesAlarm")


def variables(stack, function):
    return stack[function]["Environment"]["Variables"]


def consumer_of(stack):
    return ConsumerSettings.from_environment(variables(stack, "ConsumerFunction"))


def api_of(stack):
    told = {**variables(stack, "ApiFunction"), "SQS_QUEUE_URL": QUEUE_URL}
    return ApiSettings.from_environment(told)


def of_the_table(stack, role):
    """What a role may do with tables, as its policies have it."""
    statements = [
        s for each in stack[role]["Policies"] for s in each["PolicyDocument"]["Statement"]
    ]
    return [s for s in statements if "dynamodb" in json.dumps(s)]


def test_a_table_is_kept_whatever_becomes_of_the_stack(deploy_table):
    made = deploy_table().resources[MADE]
    assert made == {
        "Type": "AWS::DynamoDB::Table",
        "Condition": "MakesTable",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "TableName": "tally-counters",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": COUNTER, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": COUNTER, "KeyType": "HASH"}],
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "SSESpecification": {"SSEEnabled": True},
            "DeletionProtectionEnabled": True,
        },
    }


def test_dynamodb_deletes_what_has_expired_only_if_counters_are_to_end(deploy_table):
    told = deploy_table(CounterTtlSeconds=DAY_S)
    ends = {"AttributeName": EXPIRES, "Enabled": True}
    assert told[MADE] == {**deploy_table()[MADE], "TimeToLiveSpecification": ends}


@pytest.mark.parametrize("name", ["none", "counters"])
def test_no_table_is_made_but_on_demand(deploy, name):
    assert not deploy(CounterTable=name).of_type("AWS::DynamoDB::Table")


@pytest.mark.parametrize(("cache", "place"), CACHES)
@pytest.mark.parametrize(("name", "table"), [("create", MADE), ("counters", "counters")])
def test_both_functions_are_told_of_table_and_cache(deploy_table, name, table, cache, place):
    stack = deploy_table(CounterTable=name, **cache)
    told = Table(table, cache=place)
    assert consumer_of(stack) == ConsumerSettings(told, ttl_s=None)
    assert api_of(stack) == ApiSettings(QUEUE_URL, told)


@pytest.mark.parametrize("ttl_s", [DAY_S, 87_000, 90_000, 100_000, 31_536_000, LONGEST_S])
@pytest.mark.parametrize("cache_ttl_s", [1, MAX_CACHE_TTL_S])
def test_what_the_template_allows_the_consumer_takes(deploy_table, ttl_s, cache_ttl_s):
    stack = deploy_table(CounterTtlSeconds=ttl_s, CacheTtlSeconds=cache_ttl_s, **REQUIRED)
    assert consumer_of(stack).place == Table(MADE, ttl_s, MOMENTO, cache_ttl_s)


def test_a_copy_lives_as_long_as_the_consumer_would_have_it(template):
    assert template["Parameters"]["CacheTtlSeconds"]["Default"] == CACHE_TTL_S


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("CounterTable", ""),
        ("CounterTable", "no"),
        ("CounterTable", THERE_ARN),
        ("CounterTtlSeconds", DAY_S - 1),
        ("CounterTtlSeconds", LONGEST_S + 1),
        ("CounterTtlSeconds", 0),
        ("CacheTtlSeconds", 0),
        ("CacheTtlSeconds", MAX_CACHE_TTL_S + 1),
    ],
)
def test_what_would_fail_later_is_refused_at_once(deploy_table, parameter, value):
    with pytest.raises(ValueError, match=f"{parameter} is {str(value)!r}, against"):
        deploy_table(**{parameter: value})


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"CounterGuarantee": "at-least-once"}, "at-least-once needs Momento without CounterTable"),
        ({"MomentoEndpoint": REQUIRED["MomentoEndpoint"]}, "leave all of Momento empty for none"),
        ({"MomentoApiKeySecretArn": SECRET}, "leave all of Momento empty for none"),
        ({"MomentoApiKeyKmsKeyArn": KMS_KEY}, "leave all of Momento empty for none"),
        ({"ApiMomentoKeySecretArn": OTHER_SECRET}, "leave all of Momento empty for none"),
        ({"ValkeyUsername": "tally"}, "a user or a secret of Valkey's needs ValkeyUrl"),
        ({**REQUIRED, **VALKEY}, "take Momento or Valkey, not both"),
        ({"CounterTable": "none"}, "MomentoEndpoint is missing .or ValkeyUrl or CounterTable,"),
        ({"CounterTable": "none", **VALKEY, "CounterTtlSeconds": DAY_S}, "needs CounterTable$"),
        ({"CounterTable": "none", **REQUIRED, "CounterTtlSeconds": DAY_S}, "needs CounterTable$"),
    ],
)
def test_what_makes_no_sense_together_is_refused_before_anything_is_made(
    deploy_table, parameters, problem
):
    with pytest.raises(ValueError, match=problem):
        deploy_table(**parameters)


@pytest.mark.parametrize(("name", "arn"), [("create", f"{MADE}.Arn"), ("counters", THERE_ARN)])
def test_the_consumer_counts_in_this_table_and_the_api_reads_it(deploy_table, name, arn):
    stack = deploy_table(CounterTable=name)
    counts = ["dynamodb:BatchGetItem", "dynamodb:PutItem"]
    assert of_the_table(stack, "ConsumerRole") == [
        {"Effect": "Allow", "Action": counts, "Resource": arn}
    ]
    assert of_the_table(stack, "ApiRole") == [
        {"Effect": "Allow", "Action": "dynamodb:BatchGetItem", "Resource": arn}
    ]


@pytest.mark.parametrize("role", ["ConsumerRole", "ApiRole"])
def test_without_a_table_no_role_may_do_anything_with_one(stack, deploy_table, role):
    assert of_the_table(stack, role) == []
    others = [each["PolicyName"] for each in deploy_table()[role]["Policies"]]
    assert "ReadTheKey" not in others


@pytest.mark.parametrize(
    ("cache", "told"),
    [({}, ""), (REQUIRED, TELLS_OF_MOMENTO), (VALKEY, TELLS_OF_VALKEY)],
)
@pytest.mark.parametrize(("name", "table"), [("create", MADE), ("counters", "counters")])
@pytest.mark.parametrize("ttl_s", ["", DAY_S])
def test_the_export_command_names_table_and_cache(deploy_table, name, table, ttl_s, cache, told):
    stack = deploy_table(CounterTable=name, CounterTtlSeconds=ttl_s, **cache)
    assert stack.outputs["ExportCommand"] == (
        "export AWS_DEFAULT_REGION=eu-central-1 SQS_QUEUE_URL=Queue"
        f" COUNTER_TABLE={table} COUNTER_TTL_SECONDS={ttl_s}{told}"
    )


def test_alarms_of_a_table_are_there_with_it_and_that_of_copies_with_a_cache(stack, deploy_table):
    for cache, there in (({}, ALARMS[:2]), (REQUIRED, ALARMS), (VALKEY, ALARMS)):
        resources = deploy_table(**cache).resources
        assert tuple(name for name in ALARMS if name in resources) == there
    assert not set(ALARMS) & stack.resources.keys()


def test_a_counter_that_vanishes_from_a_table_rings(deploy_table):
    assert "VanishedAlarm" in deploy_table(MomentoTtlSeconds=60).resources


def test_the_share_of_copies_is_of_a_metric_that_rests_while_none_fails(deploy_table):
    _, *parts = deploy_table(**REQUIRED)["CopiesAlarm"]["Metrics"]
    asked = [(part["MetricStat"]["Metric"]["MetricName"], part["Id"]) for part in parts]
    assert asked == [("CacheSetsFailed", "failed"), ("SwapsStored", "stored")]
    assert "CacheSetsFailed" in map(metric_name, OF_A_TABLE)  # a 0 of these is not written
