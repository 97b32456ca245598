"""Where the consumers of these tests count: each store on this machine, for real."""

import contextlib

import pytest

from tally.local.momento import MomentoServer
from tally.local.sqs.queue import LocalQueue
from tests.support.dynamodb import Table, deployed
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
    """The variables of a table of moto's and of a Momento before it, which end with the test."""
    with LocalQueue() as moto, contextlib.closing(Table(moto.endpoint_url)) as table:
        yield deployed(table, monkeypatch) | momento_variables


@pytest.fixture(params=["momento", "valkey", "table"])
def variables(request):
    """The variables of a running store, of each kind."""
    return request.getfixturevalue(f"{request.param}_variables")
