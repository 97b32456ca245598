"""Tracing: nothing of it unless it is asked for, and then just what X-Ray needs."""

import json

import pytest

TRACE = {
    "PolicyName": "Trace",
    "PolicyDocument": {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
                "Resource": "*",
            }
        ],
    },
}
FUNCTIONS = ("ConsumerFunction", "ApiFunction")
ROLES = ("ConsumerRole", "ApiRole")


@pytest.fixture
def traced(deploy):
    return deploy(Tracing="yes", ApiLogsRole="exists")


def test_untold_no_function_and_no_request_is_traced(stack):
    assert [stack[name]["TracingConfig"] for name in FUNCTIONS] == [{"Mode": "PassThrough"}] * 2
    assert "TracingEnabled" not in stack["Apiv1Stage"]
    assert "xray" not in json.dumps(stack.resources)


def test_the_api_and_both_functions_are_traced_if_it_is_asked_for(traced):
    assert [traced[name]["TracingConfig"] for name in FUNCTIONS] == [{"Mode": "Active"}] * 2
    assert traced["Apiv1Stage"]["TracingEnabled"] is True


def test_each_role_may_write_segments_and_gains_nothing_else(deploy, traced):
    without = deploy(ApiLogsRole="exists")
    for role in ROLES:
        policies = traced[role]["Policies"]
        assert [each for each in policies if each not in without[role]["Policies"]] == [TRACE]
        assert [each for each in policies if each != TRACE] == without[role]["Policies"]


def test_the_access_log_names_the_trace_of_a_request(deploy, traced):
    without = json.loads(deploy(ApiLogsRole="exists")["Apiv1Stage"]["AccessLogSetting"]["Format"])
    told = json.loads(traced["Apiv1Stage"]["AccessLogSetting"]["Format"])
    assert told == {**without, "traceId": "$context.xrayTraceId"}


def test_without_the_api_the_consumer_is_traced_alone(deploy):
    alone = deploy(Tracing="yes", HttpApi="no")
    assert alone["ConsumerFunction"]["TracingConfig"] == {"Mode": "Active"}
    assert TRACE in alone["ConsumerRole"]["Policies"]
