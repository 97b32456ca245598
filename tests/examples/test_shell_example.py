"""The example that publishes with the AWS command line, where that is installed."""

import json
import os
import shutil
import time

import pytest

from tests.examples.programs import EXAMPLES, counts, run
from tests.support.http_servers import FlakySqs
from tests.support.terminal import Said

EXAMPLE = EXAMPLES / "publish_awscli.sh"
OTHER_DATES = {
    "of BSD": 'case $1 in *%3N) echo "$({date} +%s)3N" ;; *) exec {date} "$@" ;; esac',
    "of busybox": 'exec {date} "${{1%%%3N}}"',
}
"""What `date` does where %3N is unknown: print it in part, or leave it out."""


@pytest.fixture(scope="session")
def aws():
    """See that there is a command line that works: a shim may be there without one behind it."""
    if not shutil.which("aws") or run("aws", "--version", variables={}).status:
        pytest.skip("the AWS command line is not installed")


def publish(*arguments, variables):
    return run("sh", EXAMPLE, *arguments, variables=variables)


@pytest.mark.usefixtures("aws")
def test_an_increment_from_a_shell_counts_once_however_often_it_is_sent(stack):
    name = "shell#a-b_c@d+e/f:g.h"
    before_ms = time.time_ns() // 1_000_000
    with FlakySqs(stack.variables) as sqs:
        for _ in range(2):
            said = publish(name, "order-17", "-3", variables=sqs.variables)
            assert (said.status, said.stderr) == (0, "")
    first, second = map(json.loads, sqs.bodies)
    assert first | {"at": 0} == {"counter": name, "id": "order-17", "amount": -3, "at": 0}
    assert before_ms <= first["at"] < second["at"] <= time.time_ns() // 1_000_000
    assert counts(stack, name) == {name: -3}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("kind", OTHER_DATES)
def test_where_date_has_no_milliseconds_whole_seconds_have_to_do(kind, stack, tmp_path):
    date = tmp_path / "date"
    date.write_text("#!/bin/sh\n" + OTHER_DATES[kind].format(date=shutil.which("date")) + "\n")
    date.chmod(0o700)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    before_s = int(time.time())
    with FlakySqs(stack.variables) as sqs:
        publish(kind.replace(" ", "-"), "a", variables=sqs.variables | {"PATH": path})
    [at] = [json.loads(body)["at"] for body in sqs.bodies]
    assert at % 1_000 == 0
    assert before_s <= at // 1_000 <= time.time()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "needs a counter and an id"),
        (["a"], "needs a counter and an id"),
        (["a", "b", "1", "2"], "needs a counter and an id"),
        (['a"', "b"], "counter and id are of A-Z a-z 0-9 : . _ / # @ + -"),
        (["a", "b\n"], "counter and id are of A-Z a-z 0-9 : . _ / # @ + -"),
        (["ä", "b"], "counter and id are of A-Z a-z 0-9 : . _ / # @ + -"),
        (["a", "b", "1.5"], "an amount is a whole number, and not 0"),
        (["a", "b", "0"], "an amount is a whole number, and not 0"),
        (["a", "b", "01"], "an amount is a whole number, and not 0"),
        (["a", "b", "1\n2"], "an amount is a whole number, and not 0"),
    ],
)
def test_what_would_not_be_right_json_is_not_sent(arguments, problem):
    usage = "usage: publish_awscli.sh COUNTER ID [AMOUNT]\n"
    said = publish(*arguments, variables={"SQS_QUEUE_URL": "http://127.0.0.1:1/none"})
    assert said == Said(2, "", f"publish_awscli.sh: {problem}\n{usage}")
