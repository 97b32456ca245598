"""What all tests share: order and coverage, examples, Ctrl-C, who was started, an AWS account."""

import functools
import os
import signal
from pathlib import Path

import boto3
import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import settings
from moto import mock_aws

from tests.support.processes import children

settings.register_profile("tally", derandomize=True, deadline=None, database=None)
settings.load_profile("tally")

TESTS = Path(__file__).parent
SLOW_FIRST = (
    "cli/test_demo.py",
    "examples/test_tutorial.py",
    "wheel/test_wheel_demo.py",
    "integration/test_storm.py",
    "simulation/test_simulation.py",
)
"""What waits longest begins first: else the last core would run one of them while others rest."""

HUNTS = (
    "cli/test_plan_advice.py",
    "cli/test_plan_metered.py",
    "cli/test_plan_value.py",
    "counters/test_bare.py",
    "counters/test_counter_model.py",
    "counters/test_interleavings.py",
    "fuzz/",
    "integration/",
    "recipes/",
    "simulation/",
)
"""What repeats a few lines by the million. Other tests cover those lines, and to count each pass
would take more time than the tests."""


@pytest.hookimpl(tryfirst=True)  # before pytest-cov, which then starts another
def pytest_sessionstart(session):
    """Stop the measurement that pytest-cov starts in a worker before it knows that it is one.

    It would lie beneath the right one, and go on whenever `no_cover` stops that.
    """
    plugin = session.config.pluginmanager.getplugin("_cov")
    if plugin and plugin.cov_controller and hasattr(session.config, "workerinput"):
        plugin.cov_controller.pause()


@pytest.hookimpl(trylast=True)  # after the order was drawn
def pytest_collection_modifyitems(items):
    """Begin with the slow files, and measure no coverage of the hunts."""
    places = {item: item.path.relative_to(TESTS).as_posix() for item in items}
    for item, place in places.items():
        if place.startswith(HUNTS):
            item.add_marker(pytest.mark.no_cover)
    items.sort(key=lambda item: places[item] not in SLOW_FIRST)


@pytest.fixture(scope="session", autouse=True)
def _one_copy_of_what_describes_aws():
    """Each client reads botocore's description of AWS anew, 0.1 s; here all share one copy."""
    with pytest.MonkeyPatch.context() as patch:
        read_once = functools.cache(JSONFileLoader().load_file)
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: read_once(path))
        yield


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c():
    """Python's own: a shell has what it starts in the background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def started():
    """The children that this process has and had not before the test: some outlive other tests."""
    before = children(os.getpid())
    return lambda: {
        pid: command for pid, command in children(os.getpid()).items() if pid not in before
    }


@pytest.fixture
def account(monkeypatch):
    """The credentials and the region of an account that is nobody's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return monkeypatch


@pytest.fixture
def secrets(account):  # noqa: ARG001 (its environment)
    """A client of a Secrets Manager in this process, which is empty."""
    with mock_aws():
        client = boto3.client("secretsmanager")
        yield client
        client.close()
