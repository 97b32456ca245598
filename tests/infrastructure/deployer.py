"""What CloudFormation calls for each type of resource in the name of whoever deploys the stack.

From the permissions that the handlers of AWS's own resource schemas list, as far as our properties
reach, and the tags that a stack hands on. The names are those of a stack called tally-staging.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

STACK = "tally-staging"
ACCOUNT = "123456789012"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/BOUNDARY"
FUNCTION = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{STACK}-ConsumerFunction-AbCd"
QUEUE = f"arn:aws:sqs:eu-central-1:{ACCOUNT}:{STACK}-increments"
ANY = "*"
"""Of an action that knows no resource."""


class Needs(NamedTuple):
    """Actions on one resource.

    Attributes:
        actions: by their names in IAM, after the service and a colon.
        on: the resource's ARN, or ANY.
        context: the keys that a request has, for conditions.
    """

    actions: Sequence[str]
    on: str
    context: Mapping[str, str] = {}


def needs(
    service: str, names: str, on: str, context: Mapping[str, str] | None = None
) -> tuple[Needs, ...]:
    """What one entry says: a service's actions on a resource."""
    return (Needs([f"{service}:{name}" for name in names.split()], on, context or {}),)


def api(*paths: str) -> tuple[Needs, ...]:
    """Everything that can be done with API Gateway's resources at these paths."""
    verbs = "DELETE GET PATCH POST PUT"
    return tuple(
        need
        for path in paths
        for need in needs("apigateway", verbs, f"arn:aws:apigateway:eu-central-1::/{path}")
    )


ROLE = f"arn:aws:iam::{ACCOUNT}:role/{STACK}-ConsumerRole-AbCd"
APIS_OWN_ROLE = (
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ops.apigateway.amazonaws.com"
    "/AWSServiceRoleForAPIGateway"
)
"""API Gateway makes it in an account's name, with the rights of whoever makes the first domain."""

TABLE = f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/{STACK}-counters"
LOGS = f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:/aws/lambda/{STACK}/consumer"
ACCESS_LOGS = f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:/aws/apigateway/{STACK}/access"
ALARM = f"arn:aws:cloudwatch:eu-central-1:{ACCOUNT}:alarm:{STACK}-AgeAlarm-AbCd"
DASHBOARD = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{STACK}-eu-central-1"
BUDGETS = [
    f"arn:aws:budgets::{ACCOUNT}:budget/{name}" for name in ("Budget-AbCd", f"{STACK}-Budget-AbCd")
]
"""CloudFormation makes the name of a budget that has none, and has begun it in both ways."""

OF_BUDGETS = "ListTagsForResource ModifyBudget TagResource UntagResource ViewBudget"
MAPPING = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:event-source-mapping:0123"
TOPIC = "arn:aws:sns:eu-central-1:210987654321:orders"
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/KEY"
LOG_ACTIONS = """AssociateKmsKey CreateLogGroup DeleteLogGroup DeleteRetentionPolicy
    DisassociateKmsKey GetDataProtectionPolicy ListTagsForResource PutRetentionPolicy TagResource
    UntagResource"""

TYPES: dict[str, tuple[Needs, ...]] = {
    "AWS::ApiGateway::Account": api("account"),
    "AWS::ApiGateway::ApiKey": api("apikeys", "apikeys/k", "tags/arn"),
    "AWS::ApiGateway::Authorizer": api("restapis/i/authorizers", "restapis/i/authorizers/a"),
    "AWS::ApiGateway::BasePathMapping": api("domainnames/d/basepathmappings"),
    "AWS::ApiGateway::Deployment": api("restapis/i/deployments", "restapis/i/deployments/d"),
    "AWS::ApiGateway::DomainName": (
        *api("domainnames", "domainnames/d", "tags/arn"),
        *needs(
            "apigateway",
            "AddCertificateToDomain RemoveCertificateFromDomain",
            "arn:aws:apigateway:eu-central-1::/domainnames/d",
        ),
        *needs("iam", "CreateServiceLinkedRole", APIS_OWN_ROLE),
    ),
    "AWS::ApiGateway::RestApi": (
        *api("restapis", "restapis/i", "restapis/i/resources/r/methods/ANY", "tags/arn"),
        *needs("apigateway", "UpdateRestApiPolicy", "arn:aws:apigateway:eu-central-1::/restapis/i"),
    ),
    "AWS::ApiGateway::Stage": api("restapis/i/stages", "restapis/i/stages/v1", "tags/arn"),
    "AWS::ApiGateway::UsagePlan": api("usageplans", "usageplans/p", "tags/arn"),
    "AWS::ApiGateway::UsagePlanKey": api("usageplans/p/keys", "usageplans/p/keys/k"),
    "AWS::Budgets::Budget": tuple(
        need for budget in BUDGETS for need in needs("budgets", OF_BUDGETS, budget)
    ),
    "AWS::CloudWatch::Alarm": (
        *needs(
            "cloudwatch",
            "DeleteAlarms ListTagsForResource PutMetricAlarm TagResource UntagResource",
            ALARM,
        ),
        *needs("cloudwatch", "DescribeAlarms", ANY),
    ),
    "AWS::CloudWatch::CompositeAlarm": needs(
        "cloudwatch", "DeleteAlarms PutCompositeAlarm TagResource UntagResource", ALARM
    ),
    "AWS::CloudWatch::Dashboard": needs(
        "cloudwatch", "DeleteDashboards GetDashboard PutDashboard", DASHBOARD
    ),
    "AWS::DynamoDB::Table": needs(
        "dynamodb",
        """CreateTable DeleteTable DescribeContinuousBackups DescribeContributorInsights
        DescribeKinesisStreamingDestination DescribeTable DescribeTimeToLive GetResourcePolicy
        ListTagsOfResource TagResource UntagResource UpdateContinuousBackups UpdateTable
        UpdateTimeToLive""",
        TABLE,
    ),
    "AWS::IAM::Role": (
        *needs(
            "iam",
            """DeleteRole DeleteRolePolicy DetachRolePolicy GetRole GetRolePolicy
            ListAttachedRolePolicies ListRolePolicies TagRole UntagRole UpdateAssumeRolePolicy
            UpdateRole UpdateRoleDescription""",
            ROLE,
        ),
        *needs(
            "iam",
            "AttachRolePolicy CreateRole PutRolePermissionsBoundary PutRolePolicy",
            ROLE,
            {"iam:PermissionsBoundary": BOUNDARY},
        ),
        *needs("iam", "PassRole", ROLE, {"iam:PassedToService": "apigateway.amazonaws.com"}),
    ),
    "AWS::Lambda::EventSourceMapping": (
        *needs(
            "lambda",
            """CreateEventSourceMapping DeleteEventSourceMapping GetEventSourceMapping
            UpdateEventSourceMapping""",
            MAPPING,
            {"lambda:FunctionArn": FUNCTION},
        ),
        *needs("lambda", "ListTags TagResource UntagResource", MAPPING),
    ),
    "AWS::Lambda::Function": (
        *needs(
            "lambda",
            """CreateFunction DeleteFunction DeleteFunctionConcurrency GetFunction
            GetFunctionCodeSigningConfig GetFunctionConfiguration GetFunctionRecursionConfig
            GetRuntimeManagementConfig ListTags PutFunctionConcurrency TagResource UntagResource
            UpdateFunctionCode UpdateFunctionConfiguration""",
            FUNCTION,
        ),
        *needs("ec2", "DescribeSecurityGroups DescribeSubnets DescribeVpcs", ANY),
        *needs("iam", "PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
        *needs("s3", "GetObject", "arn:aws:s3:::BUCKET/tally/consumer-0123.zip"),
    ),
    "AWS::Lambda::Permission": needs(
        "lambda", "AddPermission GetPolicy RemovePermission", FUNCTION
    ),
    "AWS::Logs::LogGroup": (
        *needs("logs", LOG_ACTIONS, LOGS),
        *needs("logs", LOG_ACTIONS, ACCESS_LOGS),
        *needs("logs", "DescribeLogGroups", ANY),
    ),
    "AWS::Logs::QueryDefinition": needs(
        "logs", "DeleteQueryDefinition DescribeQueryDefinitions PutQueryDefinition", ANY
    ),
    "AWS::SNS::Subscription": (
        *needs("sns", "Subscribe", TOPIC, {"sns:Endpoint": QUEUE}),
        *needs("sns", "GetSubscriptionAttributes SetSubscriptionAttributes Unsubscribe", ANY),
    ),
    "AWS::SQS::Queue": needs(
        "sqs",
        """CreateQueue DeleteQueue GetQueueAttributes GetQueueUrl ListQueueTags SetQueueAttributes
        TagQueue UntagQueue""",
        QUEUE,
    ),
    "AWS::SQS::QueuePolicy": needs("sqs", "GetQueueAttributes SetQueueAttributes", QUEUE),
}
"""By type: what making, changing, tagging and deleting one takes."""

DEPLOYING: tuple[Needs, ...] = (
    *needs("s3", "GetObject PutObject", "arn:aws:s3:::BUCKET/tally/template-0123.json"),
    *needs(
        "cloudformation",
        """CancelUpdateStack ContinueUpdateRollback CreateChangeSet CreateStack DeleteChangeSet
        DescribeChangeSet DescribeStackEvents DescribeStackResources DescribeStacks ExecuteChangeSet
        GetTemplate ListStackResources RollbackStack TagResource UntagResource UpdateStack
        UpdateTerminationProtection""",
        f"arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/{STACK}/0123",
    ),
    *needs("cloudformation", "GetTemplateSummary ValidateTemplate", ANY),
    *needs("cloudwatch", "DescribeAlarms", ANY),
)
"""What the deployer itself calls, by examples/ci/deploy.py or by hand."""

OWN_KEY: tuple[Needs, ...] = needs(
    "kms",
    """CreateGrant Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext
    ReEncryptFrom ReEncryptTo""",
    KEY,
)
"""What DynamoDB does, in the name of whoever makes a table, with a KMS key of one's own."""
