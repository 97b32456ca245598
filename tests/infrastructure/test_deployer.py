"""The policy of whoever deploys (examples/ci/deployer.json): all that it takes, and little more."""

import fnmatch
import json
from pathlib import Path

import botocore.session
import pytest

from tests.infrastructure.cloudformation import TemplateStack
from tests.infrastructure.deployer import ACCOUNT, DEPLOYING, OWN_KEY, ROLE, STACK, TYPES, Needs

CI = Path(__file__).parents[2] / "examples" / "ci"
MANAGED_POLICY_CHARACTERS = 6_144
"""AWS's most, without white space."""

LONGEST = {"ACCOUNT": 12, "BUCKET": 63, "BOUNDARY": 64, "KEY": 36}
"""What stands for each word, in characters, at most."""

LONG_ROLE_PATH = "/service/a-company-unit/"
"""What may stand before the names of roles as well (docs/deploy.md)."""

OF_IAM_ALONE = {
    "apigateway": {
        *("AddCertificateToDomain", "RemoveCertificateFromDomain", "UpdateRestApiPolicy"),
        *("DELETE", "GET", "PATCH", "POST", "PUT"),
    },
    "budgets": {"ModifyBudget", "ViewBudget"},
    "cloudformation": {"TagResource", "UntagResource"},
    "iam": {"PassRole"},
    "kms": {"ReEncryptFrom", "ReEncryptTo"},
}
"""Actions that are no operation of their service: IAM's own names."""

UNNAMED = ("AWS::ApiGateway", "AWS::Logs::QueryDefinition", "AWS::SNS::Subscription")
"""Whose ARNs hold no name that a stack gives."""


@pytest.fixture(scope="module")
def statements():
    text = (CI / "deployer.json").read_text("utf-8").replace("ACCOUNT", ACCOUNT)
    return json.loads(text)["Statement"]


def as_list(value):
    return value if isinstance(value, list) else [value]


def holds(condition, context):
    """Whether a statement's condition holds; each of ours is one that needs its key."""
    return all(
        any(fnmatch.fnmatchcase(context.get(key, ""), each) for each in as_list(patterns))
        for keys in condition.values()
        for key, patterns in keys.items()
    )


def refused(statements, need):
    """The actions of a need that no statement allows."""
    return [
        action
        for action in need.actions
        if not any(
            action in each["Action"]
            and any(fnmatch.fnmatchcase(need.on, on) for on in as_list(each["Resource"]))
            and holds(each.get("Condition", {}), need.context)
            for each in statements
        )
    ]


def test_what_each_type_of_the_template_takes_is_known(template):
    kinds = {each["Type"] for each in template["Resources"].values()}
    unknown = sorted(kinds - TYPES.keys())
    assert unknown == [], "say in tests/infrastructure/deployer.py what CloudFormation calls for it"


@pytest.mark.parametrize("kind", TYPES)
def test_the_deployer_may_make_change_tag_and_delete(kind, statements):
    assert [refused(statements, need) for need in TYPES[kind]] == [[] for _ in TYPES[kind]]


def test_the_deployer_may_upload_a_release_and_execute_a_change_set(statements):
    for need in (*DEPLOYING, *OWN_KEY):
        assert refused(statements, need) == []


def test_the_deployer_may_do_nothing_that_nothing_takes(statements):
    every = [*DEPLOYING, *OWN_KEY, *(need for needs in TYPES.values() for need in needs)]
    allowed = [action for each in statements for action in each["Action"]]
    assert {*allowed} == {action for need in every for action in need.actions}
    assert not [action for action in allowed if "*" in action]


@pytest.mark.parametrize("kind", [kind for kind in TYPES if not kind.startswith(UNNAMED)])
def test_the_deployer_may_not_touch_what_is_not_called_after_a_stack_of_ours(kind, statements):
    for need in TYPES[kind]:
        context = {key: value.replace(STACK, "orders") for key, value in need.context.items()}
        other = Needs(need.actions, need.on.replace(STACK, "orders"), context)
        if (other.on, other.context) != (need.on, need.context):
            assert refused(statements, other) == [*need.actions]


@pytest.mark.parametrize(
    ("action", "context"),
    [
        ("iam:CreateRole", {}),
        ("iam:PutRolePolicy", {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/other"}),
        ("iam:PassRole", {"iam:PassedToService": "ec2.amazonaws.com"}),
        ("iam:DeleteRolePermissionsBoundary", {}),
    ],
)
def test_the_deployer_makes_no_role_that_may_more_than_the_boundary(action, context, statements):
    assert refused(statements, Needs([action], ROLE, context)) == [action]


def test_the_deployer_does_not_remove_the_stack(statements):
    assert not [each for each in statements if "cloudformation:DeleteStack" in each["Action"]]


def test_each_action_is_one_that_aws_knows(statements):
    session = botocore.session.get_session()
    for action in {action for each in statements for action in each["Action"]}:
        service, name = action.split(":")
        operations = session.get_service_model(service).operation_names
        assert name in {*operations, *OF_IAM_ALONE.get(service, ())}, action


def test_the_policy_fits_into_one_managed_policy():
    text = "".join((CI / "deployer.json").read_text("utf-8").split())
    for word, length in LONGEST.items():
        text = text.replace(word, "x" * length)
    text = text.replace(":role/tally", f":role{LONG_ROLE_PATH}tally")
    assert len(text) <= MANAGED_POLICY_CHARACTERS


def test_only_the_workflows_environment_may_take_the_role():
    [statement] = json.loads((CI / "trust.json").read_text("utf-8"))["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": (
                "repo:OWNER/REPOSITORY:environment:production"
            ),
        }
    }


@pytest.mark.parametrize("name", ["staging", "production"])
def test_the_template_takes_the_parameters_of_the_example(template, name):
    told = json.loads((CI / f"{name}.json").read_text("utf-8"))
    assert told.keys() <= template["Parameters"].keys()
    TemplateStack(template, told)  # which refuses what CloudFormation would
