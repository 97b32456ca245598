"""A consumer for all examples; and `make fuzz`, a longer run with other examples each time."""

import os

import pytest
from hypothesis import settings

from tests.support.consumers import Deployed
from tests.support.log import Log

EXAMPLES = int(os.environ.get("TALLY_FUZZ_EXAMPLES", "10000"))

settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES,
    derandomize=False,
    deadline=None,
    database=None,
)


class Fuzzed:
    """A fresh consumer for each example; one log for all, since Powertools forgets no logger."""

    def __init__(self):
        self._log = Log()

    def deployed(self, values=None):
        """A consumer and its store, in which these values are."""
        deployed = Deployed(log=self._log)
        for counter, value in (values or {}).items():
            deployed.channel.store.put(counter, value)
        return deployed.consumer, deployed.channel

    def returned(self):
        """The id and the reason of each message that was returned since the last call."""
        returned = self._log.returned
        self._log.clear()
        return returned


@pytest.fixture(scope="session")
def judged():
    return Fuzzed()
