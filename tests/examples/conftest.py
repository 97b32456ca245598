"""One stack for all examples: the one that `tally local up` starts."""

import pytest

from local.stack import Stack, StackSettings


@pytest.fixture(scope="session")
def stack():
    with Stack(StackSettings()) as stack:
        yield stack
