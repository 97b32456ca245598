"""The stack of template.yaml, with any parameters."""

import json
from pathlib import Path

import pytest

from tests.infrastructure.cloudformation import TemplateStack

REQUIRED = {
    "MomentoEndpoint": "cell-1.example.momentohq.com",
    "MomentoApiKeySecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-AbCdEf",
}

VALKEY = {
    "ValkeyUrl": "rediss://valkey.example.com:6380",
    "ValkeyUsername": "tally",
    "ValkeyPasswordSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:pw-AbCdEf",
}

TABLE = {"CounterTable": "create"}


@pytest.fixture(scope="session")
def template():
    """template.yaml after SAM's transform."""
    return json.loads(Path(__file__).with_name("transformed.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def deploy(template):
    """The stack that parameters make."""
    return lambda **parameters: TemplateStack(template, {**REQUIRED, **parameters})


@pytest.fixture(scope="session")
def deploy_valkey(template):
    """The stack that parameters make, with counters in Valkey."""
    return lambda **parameters: TemplateStack(template, {**VALKEY, **parameters})


@pytest.fixture(scope="session")
def deploy_table(template):
    """The stack that parameters make, with counters in a table that it makes, and no cache."""
    return lambda **parameters: TemplateStack(template, {**TABLE, **parameters})


@pytest.fixture(scope="session")
def stack(deploy):
    """The stack that the defaults make."""
    return deploy()
