"""What all tests share: the same examples and the same answer to Ctrl-C, on any machine."""

import signal

import pytest
from hypothesis import settings

settings.register_profile("tally", derandomize=True, deadline=None, database=None)
settings.load_profile("tally")


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c():
    """Python's own: a shell has what it starts in the background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
