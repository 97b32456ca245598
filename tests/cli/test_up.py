"""`tally local up`: what it prints, where it listens, and that nothing survives it."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import sysconfig
import urllib.request
from pathlib import Path

import boto3
import pytest

from tally.cli.up import MOMENTO_PORT, _print_logs
from tally.environment import MOMENTO, MOMENTO_TTL, TABLES, VALKEY
from tally.local.lambda_.environment import Invocation
from tally.local.lambda_.runtime import FunctionError
from tally.local.stack import CACHE
from tests.support.processes import (
    WAIT_S,
    children,
    is_running,
    listening,
    signalled_in,
    tally,
    wait_until,
)
from tests.support.terminal import QUIET, Said, Terminal, users_aws
from tests.support.valkey import needed

SCRIPTS = sysconfig.get_path("scripts")
UP = ("local", "up", "--momento-port", "0", "--sqs-port", "0", "--http-port", "0")
EXPORT = re.compile(r"export ([A-Za-z_]+)=(.+)\n")
PATH_LINE = f'export PATH={shlex.quote(SCRIPTS)}:"$PATH"\n'
READING = Path(__file__).parents[2] / "docs" / "reading.md"
UNSET = f"unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SECURITY_TOKEN {' '.join((*VALKEY, *TABLES))}\n"
NAMES = [
    "no_proxy",
    "NO_PROXY",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "SQS_QUEUE_URL",
    "MOMENTO_LOCAL",
    "MOMENTO_CACHE_NAME",
    "TALLY_URL",
]
DURABLE = ["AWS_ENDPOINT_URL_DYNAMODB", "COUNTER_TABLE"]


PROGRAM = """if True:
    import boto3, json, os
    sqs = boto3.client("sqs")
    sqs.get_queue_attributes(QueueUrl=os.environ["SQS_QUEUE_URL"])
    key = boto3.DEFAULT_SESSION.get_credentials()
    told = [key.access_key, key.secret_key, key.token, sqs.meta.region_name, sqs.meta.endpoint_url]
    print(json.dumps(told))
"""
"""What a program of the user's knows of AWS when it has asked for the queue."""


@pytest.fixture
def up():
    with tally(*UP, env=QUIET) as process:
        yield process


def exports(process):
    """The variables that it prints, as a shell reads them."""
    assert [process.stdout.readline(), process.stdout.readline()] == [PATH_LINE, UNSET]
    found = {}
    for _ in NAMES:
        [(name, value)] = EXPORT.findall(process.stdout.readline())
        [found[name]] = shlex.split(value)
    return found


def servers(process):
    """The pids of the command's servers and consumers, by what they are."""
    found = {}
    for pid, command in children(process.pid).items():
        for part in ("tally.local.momento", "tally.local.sqs.queue", "tally.local.lambda_.runtime"):
            if part in command:
                found[part] = pid
    return found


def addresses(variables):
    urls = variables["AWS_ENDPOINT_URL_SQS"], variables["TALLY_URL"]
    return sorted([*(url.removeprefix("http://") for url in urls), variables["MOMENTO_LOCAL"]])


def running(variables):
    """What it says when it runs."""
    return (
        "Running; paste the lines above in another terminal. Ctrl-C ends it.\n"
        f"A page of what goes on: {variables['TALLY_URL']}\n"
    )


def refuses(address):
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


def all_is_over(parts, variables):
    are_gone = wait_until(lambda: not any(is_running(pid) for pid in parts.values()))
    return are_gone and all(refuses(address) for address in addresses(variables))


def test_the_document_shows_lines_that_it_prints():
    block = READING.read_text("utf-8").partition("tally local up    #")[2].partition("```")[0]
    path, unset, *shown = block.splitlines(keepends=True)[1:]
    assert EXPORT.fullmatch(path)
    assert unset == UNSET
    found = dict(EXPORT.findall("".join(shown)))
    assert found == {"MOMENTO_LOCAL": f"127.0.0.1:{MOMENTO_PORT}", "MOMENTO_CACHE_NAME": CACHE}
    assert found.keys() <= set(NAMES)


def test_it_prints_its_variables_counts_and_ends_with_all_that_it_started(up):
    variables = exports(up)
    assert list(variables) == NAMES
    terminal = Terminal(variables)
    assert terminal("send", "page:home", "--count", "3").status == 0
    counted = Said(0, "3\n", "")
    assert wait_until(lambda: terminal("get", "page:home") == counted)
    parts = servers(up)
    assert sorted(parts) == [
        "tally.local.lambda_.runtime",
        "tally.local.momento",
        "tally.local.sqs.queue",
    ]
    assert listening([up.pid, *parts.values()]) == addresses(variables)
    os.killpg(up.pid, signal.SIGINT)  # Ctrl-C, as a terminal does it: to the whole group
    assert up.communicate(timeout=WAIT_S) == ("", running(variables) + "Ended.\n")
    assert up.returncode == 0
    assert all_is_over(parts, variables)


def test_it_serves_the_api_over_http_and_shows_what_goes_on(up):
    url = exports(up)["TALLY_URL"]
    sent = urllib.request.Request(f"{url}/counters/page%3Ahome/increments", method="POST")  # noqa: S310 (our own server)
    accepted = ask(sent)
    event = accepted["event"]
    outcome = f"/counters/page:home/increments/{event}"
    assert accepted == {"event": event, "counter": "page:home", "outcome": outcome}
    assert wait_until(lambda: ask(f"{url}{outcome}") == {"outcome": "applied"})
    assert ask(f"{url}/counters/page:home") == {"counter": "page:home", "count": 1}
    shown = {"name": "page:home", "count": "1"}
    assert wait_until(lambda: ask(f"{url}/status.json")["counters"] == [shown])


def test_with_a_short_visibility_timeout_a_bad_message_is_soon_dead():
    with tally(*UP, "--visibility-timeout", "1", env=QUIET) as process:
        variables = exports(process)
        with contextlib.closing(client_of(variables)) as client:
            client.send_message(QueueUrl=variables["SQS_QUEUE_URL"], MessageBody="bad")
        terminal = Terminal(variables)
        look = ("dlq", "list", "--output", "json")
        assert wait_until(lambda: json.loads(terminal(*look).stdout))
        [letter] = json.loads(terminal(*look).stdout)
    assert (letter["why"], letter["counters"]) == ("invalid", [])


def client_of(variables):
    """A client of the SQS that the printed variables mean."""
    return boto3.client(
        "sqs",
        endpoint_url=variables["AWS_ENDPOINT_URL_SQS"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


def ask(request):
    with urllib.request.urlopen(request, timeout=WAIT_S) as response:  # noqa: S310 (our own server)
        return json.load(response)


def test_with_its_lines_the_shell_of_a_user_of_aws_reaches_it_and_tells_it_no_token(tmp_path):
    user = users_aws(tmp_path)
    with tally(*UP, env=QUIET | user) as process:
        lines = "".join(process.stdout.readline() for _ in (PATH_LINE, UNSET, *NAMES))
        said = subprocess.run(  # noqa: S603 (our own program)
            ["/bin/sh", "-c", f'{lines}"$0" -c "$1"', sys.executable, PROGRAM],
            env=os.environ | user,
            capture_output=True,
            timeout=WAIT_S,
            check=True,
        )
    address = dict(EXPORT.findall(lines))["AWS_ENDPOINT_URL_SQS"]
    assert json.loads(said.stdout) == ["testing", "testing", None, "us-east-1", address]


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("tally.local.momento", "the embedded Momento server"),
        ("tally.local.sqs.queue", "the local SQS"),
    ],
)
def test_a_server_that_dies_ends_it_and_is_named(up, part, name):
    variables = exports(up)
    parts = servers(up)
    os.kill(parts[part], signal.SIGKILL)
    stdout, stderr = up.communicate(timeout=WAIT_S)
    assert (up.returncode, stdout) == (1, "")
    assert stderr.splitlines()[-1] == f"tally: {name} died"
    assert "Traceback" not in stderr
    assert all_is_over(parts, variables)


def test_nothing_survives_it_even_if_it_is_killed(up):
    variables = exports(up)
    assert Terminal(variables)("send", "page:home").status == 0
    assert wait_until(lambda: len(servers(up)) == 3)
    parts = servers(up)
    up.kill()
    up.wait(WAIT_S)
    assert all_is_over(parts, variables)


def test_with_valkey_it_prints_where_that_is_and_nothing_survives_it():
    needed()
    env = QUIET | {"MOMENTO_CACHE_NAME": "mine"}
    with tally(*UP, "--valkey-port", "0", "--store", "valkey", env=env) as process:
        lines = [process.stdout.readline() for _ in (PATH_LINE, UNSET, *NAMES[1:])]
        variables = {name: shlex.split(value)[0] for name, value in EXPORT.findall("".join(lines))}
        assert lines[1] == UNSET.replace(" ".join(VALKEY), " ".join(MOMENTO))
        assert list(variables)[-3:] == ["SQS_QUEUE_URL", "VALKEY_URL", "TALLY_URL"]
        terminal = Terminal(variables)
        assert terminal("send", "page:home").status == 0
        assert wait_until(lambda: terminal("get", "page:home") == Said(0, "1\n", ""))
        parts = children(process.pid)
        [server] = [pid for pid, command in parts.items() if "-server" in command]
        assert listening([server]) == [variables["VALKEY_URL"].removeprefix("redis://")]
        process.kill()
        process.wait(WAIT_S)
    assert wait_until(lambda: not any(is_running(pid) for pid in parts))


def test_with_a_table_what_reads_a_count_or_an_outcome_works_in_another_shell():
    with tally(*UP, "--durable", env=QUIET | {"MOMENTO_TTL_SECONDS": "60"}) as process:
        lines = [process.stdout.readline() for _ in (PATH_LINE, UNSET, *NAMES, *DURABLE)]
        variables = {
            name: shlex.split(value)[0] for name, value in EXPORT.findall("".join(lines[2:]))
        }
        assert lines[1] == UNSET.replace(" ".join(TABLES), MOMENTO_TTL)
        assert list(variables) == [*NAMES[:12], *DURABLE, *NAMES[12:]]
        terminal = Terminal(variables)
        sent = terminal("send", "page:home", "--amount", "2")
        event = sent.stdout.removesuffix("\n")
        told = terminal("outcome", "page:home", event, "--wait", str(WAIT_S))
        assert told == Said(0, "applied\n", "")
        said = terminal("get", "page:home", "--consistent", "--output", "json")
        assert json.loads(said.stdout) == {"page:home": {"count": 2, "from": "table"}}
        said = terminal("watch", "page:home", "--for", "0", "--output", "json")
        assert json.loads(said.stdout)["counts"] == {"page:home": 2}
        assert listening([process.pid, *servers(process).values()]) == addresses(variables)


def test_a_signal_in_the_middle_of_the_start_ends_what_has_started(up):
    assert wait_until(lambda: "tally.local.sqs.queue" in servers(up))
    parts = servers(up)
    up.terminate()
    _, stderr = up.communicate(timeout=WAIT_S)
    assert (up.returncode, stderr.splitlines()[-1]) == (0, "Ended.")
    assert wait_until(lambda: not any(is_running(pid) for pid in parts.values()))


def test_sigterm_ends_it_and_leaves_the_process_as_it_was(started):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with signalled_in("_stay", signal.SIGTERM):
        said = Terminal()(*UP)
    assert said.stdout.startswith(PATH_LINE + UNSET)
    exported = dict(EXPORT.findall(said.stdout.removeprefix(PATH_LINE)))
    assert list(exported) == NAMES
    assert (said.status, said.stderr) == (0, running(exported) + "Ended.\n")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert started() == {}


def test_the_lines_bring_tally_to_a_shell_that_does_not_find_it():
    with tally(*UP, env=QUIET | {"PATH": f"{SCRIPTS}:{os.environ['PATH']}"}) as process:
        lines = "".join(process.stdout.readline() for _ in (PATH_LINE, UNSET, *NAMES))
    said = subprocess.run(  # noqa: S603 (our own lines)
        ["/bin/sh", "-c", f"{lines}command -v tally"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        timeout=WAIT_S,
        check=True,
    )
    assert said.stdout.decode() == f"{SCRIPTS}/tally\n"


def test_logs_are_for_people_and_metrics_are_not(capsys):
    output = '{"level":"INFO"}\n{"_aws":{},"EventsApplied":[1]}\nhello\n'
    _print_logs("consumer", Invocation(b"", None, output, 0.1, is_cold=False))
    assert capsys.readouterr() == ("", '{"level":"INFO"}\nhello\n')
    error = FunctionError("SettingsError", "MOMENTO_CACHE_NAME must be set")
    _print_logs("API", Invocation(None, error, "", 0.1, is_cold=True))
    assert capsys.readouterr() == ("", "the API failed: MOMENTO_CACHE_NAME must be set\n")
