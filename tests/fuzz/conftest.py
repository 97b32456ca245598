"""A consumer for all examples; and `make fuzz`, a longer run with other examples each time."""

import os

import pytest
from hypothesis import settings

from tests.support.judged import Judged

EXAMPLES = int(os.environ.get("TALLY_FUZZ_EXAMPLES", "10000"))

settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES,
    derandomize=False,
    deadline=None,
    database=None,
)


@pytest.fixture(scope="session")
def judged():
    return Judged()
