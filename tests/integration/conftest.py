"""Where the consumers of these tests count: each store on this machine, for real."""

import contextlib

import pytest

from tally.local.momento import MomentoServer
from tally.local.sqs.aws import REGION, TEST_KEY
from tally.local.sqs.queue import LocalQueue
from tests.support.dynamodb import Table
from tests.support.terminal import QUIET
from tests.support.valkey import HOST, any_kind, server


@pytest.fixture
def momento_variables():
    """The variables of an embedded Momento, which ends with the test."""
    with MomentoServer(["tally"]) as momento:
        yield {"MOMENTO_LOCAL": momento.endpoint, "MOMENTO_CACHE_NAME": "tally"}


@pytest.fixture
def valkey_variables():
    """The variables of a Valkey or Redis server, which ends with the test."""
    with server(any_kind()) as running:
        yield {"VALKEY_URL": f"redis://{HOST}:{running.port}"}


@pytest.fixture
def table_variables(monkeypatch, momento_variables):
    """The variables of a table of moto's and of a Momento before it, which end with the test.

    boto3 finds AWS in the variables of its process, so this one has them as well.
    """
    with LocalQueue() as moto, contextlib.closing(Table(moto.endpoint_url)) as table:
        aws = {
            "AWS_ENDPOINT_URL_DYNAMODB": moto.endpoint_url,
            "AWS_ACCESS_KEY_ID": TEST_KEY,
            "AWS_SECRET_ACCESS_KEY": TEST_KEY,
            "AWS_DEFAULT_REGION": REGION,
        }
        for name, value in (QUIET | aws).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        yield aws | momento_variables | {"COUNTER_TABLE": table.name}


@pytest.fixture(params=["momento", "valkey", "table"])
def variables(request):
    """The variables of a running store, of each kind."""
    return request.getfixturevalue(f"{request.param}_variables")
