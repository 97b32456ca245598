"""Where the consumers of these tests count: each store on this machine, for real."""

import pytest

from tally.local.momento import MomentoServer
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


@pytest.fixture(params=["momento", "valkey"])
def variables(request):
    """The variables of a running store, of each kind."""
    return request.getfixturevalue(f"{request.param}_variables")
