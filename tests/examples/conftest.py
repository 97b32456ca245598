"""One stack for the examples of a file: the one that `tally local up` starts."""

import pytest

from tally.local.stack import Stack, StackSettings


@pytest.fixture(scope="module")
def stack():
    with Stack(StackSettings()) as stack:
        yield stack
