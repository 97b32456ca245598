"""The stack in the shell of a user of AWS: it uses nothing of what is set there."""

import json
import urllib.request
from pathlib import Path

import pytest

from tally.local.child import without_aws
from tally.local.http.server import serving
from tally.local.lambda_.event_source import Batching
from tally.local.stack import Stack, StackSettings
from tally.local.watch import Watch
from tests.support.processes import WAIT_S, wait_until
from tests.support.terminal import users_aws

SETTINGS = StackSettings(batching=Batching(batch_size=10, window_s=0, poll_s=1))
NO_FILES = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


@pytest.fixture
def stack(monkeypatch, tmp_path):
    """A stack that has counted an increment of its API, and so has started all its processes."""
    for name, value in users_aws(tmp_path).items():
        monkeypatch.setenv(name, value)
    watch = Watch()
    with (
        Stack(SETTINGS, observe=watch.observe, wrap_function=watch.wrap) as stack,
        serving(stack, SETTINGS, watch) as url,
    ):
        accepted = ask(url, "POST", "/counters/a/increments")
        assert wait_until(lambda: ask(url, "GET", accepted["outcome"]) == {"outcome": "applied"})
        yield stack


def ask(url, method, path):
    request = urllib.request.Request(f"{url}{path}", method=method)  # noqa: S310 (our own server)
    with urllib.request.urlopen(request, timeout=WAIT_S) as response:  # noqa: S310 (as above)
        return json.load(response)


def aws_of(pid):
    """What AWS's variables of a process are."""
    entries = Path(f"/proc/{pid}/environ").read_text().rstrip("\0").split("\0")
    variables = dict(entry.split("=", 1) for entry in entries)
    return {name: value for name, value in variables.items() if name.startswith("AWS_")}


def function_of(stack, name):
    """The variables of AWS that a Lambda function of the stack has."""
    return NO_FILES | {
        "AWS_ENDPOINT_URL_SQS": stack.queue.endpoint_url,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    }


def test_no_process_of_the_stack_has_anything_of_the_users_aws(started, stack):
    found = [aws_of(pid) for pid in started()]
    found.sort(key=lambda variables: variables.get("AWS_LAMBDA_FUNCTION_NAME", ""))
    functions = [function_of(stack, name) for name in ("tally-api", "tally-consumer")]
    assert found == [NO_FILES, NO_FILES, *functions]


def test_an_environment_keeps_all_but_aws():
    environment = {"AWS_PROFILE": "p", "AWS_NEW_IN_2030": "x", "HOME": "/h", "MY_AWS_": "m"}
    assert without_aws(environment) == {"HOME": "/h", "MY_AWS_": "m"} | NO_FILES
