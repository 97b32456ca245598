"""From a company's constraints to parameters: docs/deploy.md has all that it takes."""

import json
import re

import pytest

from infrastructure.template import ROOT
from tests.infrastructure.cloudformation import TemplateStack

TEXT = (ROOT / "docs" / "deploy.md").read_text("utf-8")
SECTION = TEXT.partition("## From your company's constraints to parameters\n")[2].partition(
    "\n## "
)[0]
OF_A_COMPANY = re.compile("Network|Roles|Senders|Alarms|Traces")
"""How the groups begin whose parameters a company asks for."""

OF_THE_API = {
    *("HttpApi", "ApiAuth", "ApiUserPoolArn", "ApiSourceCidrs", "ApiCorsOrigin"),
    *("ApiDomainName", "ApiCertificateArn", "ApiLogsRole", "ApiLogsAddresses"),
}
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
ROLE = "arn:aws:iam::210987654321:role/likes-to-tally"
TOPICS = "arn:aws:sns:eu-central-1:123456789012:"


@pytest.fixture(scope="module")
def company(template):
    """The stack that the document's file of parameters makes."""
    [told] = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    return TemplateStack(template, json.loads(told))


def test_every_parameter_that_a_company_asks_for_is_in_the_table(template):
    named = set(re.findall(r"`([A-Z]\w+)[`=]", SECTION.partition("\n\nMuch of it")[0]))
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    asked = {
        name
        for group in groups
        if OF_A_COMPANY.match(group["Label"]["default"])
        for name in group["Parameters"]
    }
    assert (asked | OF_THE_API) - named == set()


def test_the_companys_roles_are_bound_and_under_its_path(company):
    roles = company.of_type("AWS::IAM::Role")
    assert list(roles) == ["ConsumerRole", "ApiRole"]
    assert {(each["Path"], each["PermissionsBoundary"]) for each in roles.values()} == {
        ("/svc/", BOUNDARY)
    }


def test_the_companys_key_encrypts_queues_logs_and_the_table(company):
    queues, logs = company.of_type("AWS::SQS::Queue"), company.of_type("AWS::Logs::LogGroup")
    assert {each["KmsMasterKeyId"] for each in queues.values()} == {KEY}
    assert {each["KmsKeyId"] for each in logs.values()} == {KEY}
    assert company["CountersTable"]["SSESpecification"]["KMSMasterKeyId"] == KEY
    assert company.outputs["QueueKmsKeyArn"] == KEY


def test_the_companys_functions_are_in_its_vpc_and_traced(company):
    for function in ("ConsumerFunction", "ApiFunction"):
        assert company[function]["VpcConfig"]["SecurityGroupIds"] == ["sg-0c1d2e3f"]
        assert company[function]["TracingConfig"] == {"Mode": "Active"}
        told = company[function]["Environment"]["Variables"]
        assert not [name for name in told if name.startswith(("MOMENTO", "VALKEY"))]


def test_the_companys_api_is_asked_by_iam_and_has_no_key(company):
    [method] = company["Api"]["Body"]["paths"]["/{proxy+}"].values()
    assert method["security"] == [{"sigv4": []}]
    assert not company.of_type("AWS::ApiGateway::ApiKey")
    assert not {"ApiKeyCommand", "ApiUsagePlanId"} & company.outputs.keys()


def test_only_the_role_of_the_companys_rule_may_send_from_elsewhere(company):
    statements = company["QueuePolicy"]["PolicyDocument"]["Statement"]
    allowed = [each["Principal"] for each in statements if each["Effect"] == "Allow"]
    assert allowed == [{"AWS": [ROLE]}]


def test_the_companys_alarms_tell_its_two_topics(company):
    alarms = company.of_type("AWS::CloudWatch::Alarm").values()
    told = {topic for alarm in alarms for topic in alarm["AlarmActions"]}
    assert told == {f"{TOPICS}pages", f"{TOPICS}tickets"}
