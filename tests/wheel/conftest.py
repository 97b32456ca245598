"""The wheel, built once, and a stranger's project that has folders of our former names."""

import pytest

from tests.wheel.wheel import WheelEnvironment, build

THEIRS = ("store", "local", "cli", "counters", "consumer", "producer")
"""What a program may call its own packages, and ours were once called."""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def environment(tmp_path_factory, wheel):
    """Makes an environment with the extras named, once for each of them."""
    made = {}

    def make(*extras):
        if extras not in made:
            folder = tmp_path_factory.mktemp("-".join(("base", *extras)))
            made[extras] = WheelEnvironment(folder, wheel, *extras)
        return made[extras]

    return make


@pytest.fixture
def project(tmp_path):
    """A folder with a stranger's packages and modules; each knows whose it is."""
    for name in THEIRS[:3]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('OWNER = "stranger"\n')
    for name in THEIRS[3:]:
        (tmp_path / f"{name}.py").write_text('OWNER = "stranger"\n')
    return tmp_path
