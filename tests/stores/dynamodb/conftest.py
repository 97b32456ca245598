"""What tests of programs with a table share: the variables of a deployment that has one."""

import pytest

from tally.local.sqs.aws import REGION, TEST_KEY
from tests.support.terminal import QUIET


@pytest.fixture
def told(table, monkeypatch):
    """The variables of a deployment with a table, which boto3 finds in this process's own."""
    aws = {
        "AWS_ENDPOINT_URL_DYNAMODB": table.endpoint_url,
        "AWS_ACCESS_KEY_ID": TEST_KEY,
        "AWS_SECRET_ACCESS_KEY": TEST_KEY,
        "AWS_DEFAULT_REGION": REGION,
    }
    for variable, value in (QUIET | aws).items():
        if value is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, value)
    return aws | {"COUNTER_TABLE": table.name}
