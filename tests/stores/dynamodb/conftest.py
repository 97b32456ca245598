"""What tests of programs with a table share: the variables of a deployment that has one."""

import pytest

from tests.support.dynamodb import deployed


@pytest.fixture
def told(table, monkeypatch):
    """The variables of a deployment with a table, which this process has as well."""
    return deployed(table, monkeypatch)
