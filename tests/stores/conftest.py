"""One server of each kind for all tests of stores, emptied before each that asks for it."""

import contextlib

import pytest

from tally.local.sqs.queue import LocalQueue
from tally.local.valkey import PROGRAMS
from tests.support.dynamodb import Table
from tests.support.valkey import any_kind, server


@pytest.fixture(scope="session")
def servers():
    """Gives the running server of a kind, started at its first use."""
    running, opened = {}, []

    def of(kind):
        if kind not in running:
            opened.append(server(kind))
            running[kind] = opened[-1].__enter__()
        running[kind].command("FLUSHALL")
        return running[kind]

    yield of
    for each in opened:
        each.__exit__(None, None, None)


@pytest.fixture(scope="session")
def moto():
    """The URL of moto, in a process of its own and behind its lock, which serves DynamoDB too."""
    with LocalQueue() as queue:
        yield queue.endpoint_url


@pytest.fixture
def table(moto):
    """An empty table of DynamoDB's."""
    with contextlib.closing(Table(moto)) as table:
        yield table


@pytest.fixture
def valkey(servers):
    """An empty server, the first kind of them that is on this machine."""
    return servers(any_kind())


@pytest.fixture(params=PROGRAMS)
def each_server(servers, request):
    """An empty server of each kind."""
    return servers(request.param)
