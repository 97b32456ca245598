"""The fixtures that a program's tests get by `pytest_plugins = ["tally.testing.fixtures"]`."""

import subprocess
import sys

import pytest
from momento.auth import CredentialProvider

from tally import Reader
from tally.stores.momento.store import MomentoStore
from tally.testing.fixtures import CACHE, tally_counters, tally_momento

__all__ = ["tally_counters", "tally_momento"]


@pytest.mark.parametrize("_test", ["one", "another"])
def test_counters_are_new_for_each_test(_test, tally_counters):
    assert tally_counters.reader().count("c") is None
    tally_counters.deliver('{"counter":"c"}')
    assert tally_counters.reader().count("c") == 1


@pytest.mark.parametrize("_test", ["one", "another"])
def test_momento_is_served_anew_for_each_test(_test, tally_momento):
    host, _, port = tally_momento.endpoint.partition(":")
    credentials = CredentialProvider.for_momento_local(host, int(port))
    with Reader(MomentoStore(CACHE, credentials)) as reader:
        assert reader.count("c") is None
    assert tally_momento.stats().calls == {"GetBatch": 1}


def test_who_takes_only_the_counters_imports_no_grpc():
    program = "import sys, tally.testing.fixtures; print('grpc' in sys.modules)"
    done = subprocess.run(  # noqa: S603 (our own)
        [sys.executable, "-c", program], capture_output=True, check=True, text=True, timeout=30
    )
    assert done.stdout == "False\n"
