"""Commands that cannot do what they are told: one clear line, the right status, and no secrets."""

import logging
import os
import socket
import subprocess
import sys

import pytest

from tally import __version__
from tally.aws import UnknownRegionError
from tally.cli.commands import ALL
from tally.counters.event import INT64_MAX, EventName
from tests.support.terminal import Said, Terminal

QUEUE = {"SQS_QUEUE_URL": "http://127.0.0.1:1/123456789012/queue"}
SECRET = "not-for-anyone"  # noqa: S105 - a secret that opens nothing
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET}
EVENT = "9f86d081884c7d65:17:1790000000123"
UNCONFIRMED = "0 increments confirmed in 0 messages, 1 not confirmed, 0 invalid\n"


@pytest.fixture
def terminal():
    return Terminal(QUEUE)


def complaint(said):
    """What is in the frame of a usage error, in one line; and that nothing else happened."""
    assert (said.status, said.stdout) == (2, "")
    framed = [line.strip("│ ") for line in said.stderr.splitlines() if line.startswith("│")]
    return " ".join(framed)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "Invalid value: give a COUNTER or a --file, and not both"),
        (["a", "--file", "-"], "Invalid value: give a COUNTER or a --file, and not both"),
        (["a", "--format", "csv"], "Invalid value: --format is for a --file"),
        (["a", "b"], "Got unexpected extra argument(s) (b)"),
        (["a", "--amount", "x"], "Invalid value for '--amount': must be an integer, found 'x'"),
        (
            ["a", "--amount", "1.5"],
            "Invalid value for '--amount': must be an integer, found '1.5'",
        ),
        (["a", "--count", "0"], "Invalid value for '--count': must be at least 1, found '0'"),
        (
            ["--file", "-", "--format", "xml"],
            "Invalid value for '--format': 'xml' is not one of 'jsonl', 'csv'",
        ),
        (
            ["a", "--amount", f"{2**63}", "--count", "9"],
            f"Invalid value: amount: must be at most {INT64_MAX}, found {2**63}",
        ),
        ([""], "Invalid value: counter: must not be empty, found ''"),
        (["\udcff"], r"Invalid value: counter: is not UTF-8, found '\udcff'"),
        (
            ["--file", "README.md", "--unsent", "README.md"],
            "Invalid value: --unsent: is the --file, and would be written before that is read",
        ),
        (
            ["a", "--unsent", "/no/such/file"],
            "Invalid value: --unsent: there is no directory '/no/such'",
        ),
        (
            ["a", "--unsent", "/tmp"],  # noqa: S108 - any directory
            "Invalid value for '--unsent': file '/tmp' is a directory.",
        ),
        (
            ["--file", "/no/such/file"],
            "Invalid value for '--file': '/no/such/file': No such file or directory",
        ),
    ],
)
def test_a_send_that_makes_no_sense_sends_nothing(terminal, arguments, problem):
    assert complaint(terminal("send", *arguments)) == problem


def test_a_number_of_more_digits_than_python_reads_is_none(terminal):
    said = complaint(terminal("send", "a", "--max", "9" * 5_000))
    assert said.startswith("Invalid value for '--max': must be an integer, found '999")
    assert len(said) < 300


@pytest.mark.parametrize("option", ["--amount=2", "--count=2", "--max=1", "--min=1"])
def test_what_belongs_to_a_counter_is_not_dropped_beside_a_file(terminal, option):
    problem = "--amount, --count, --max and --min are for a COUNTER; a --file has its own"
    assert complaint(terminal("send", "--file", "-", option)) == f"Invalid value: {problem}"


def test_a_send_without_a_queue_names_the_variable():
    problem = (
        "Invalid value for '--queue-url' (env var: 'SQS_QUEUE_URL'): it is missing; "
        "`tally local up` prints an example"
    )
    assert complaint(Terminal()("send", "a")) == problem
    assert complaint(Terminal()("reset", "a")) == problem


@pytest.mark.parametrize("url", ["counters", "http://", "https:///1/counters", "arn:aws:sqs:a:1:b"])
def test_a_queue_that_is_no_url_is_refused_before_it_is_tried(url):
    problem = (
        "Invalid value for '--queue-url' (env var: 'SQS_QUEUE_URL'): must be "
        f"http(s)://host/…/name, as `tally local up` prints one, found '{url}'"
    )
    assert complaint(Terminal()("send", "a", "--queue-url", url)) == problem
    assert complaint(Terminal()("reset", "a", SQS_QUEUE_URL=url)) == problem


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({}, f"{UnknownRegionError()}"),
        ({"AWS_PROFILE": "nix"}, "The config profile (nix) could not be found"),
        (
            {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_SQS": "nowhere"},
            "Invalid endpoint: nowhere",
        ),
    ],
)
def test_aws_settings_that_are_wrong_are_one_line(terminal, variables, problem):
    said = terminal("send", "a", **KEYS, **variables)
    assert said == Said(1, "", f"tally: {problem}\n")


def test_missing_credentials_are_a_reason_and_the_increment_is_unconfirmed(terminal):
    said = terminal("send", "a", AWS_DEFAULT_REGION="us-east-1")
    reason = "not confirmed: NoCredentialsError: Unable to locate credentials\n"
    assert (said.status, said.stderr) == (1, reason + UNCONFIRMED)
    EventName.parse(said.stdout.rstrip("\n"))  # it may have arrived: `tally outcome` tells


def test_no_log_of_a_failed_send_shows_a_secret(terminal, caplog):
    caplog.set_level(logging.INFO)
    terminal("send", "a", **KEYS, AWS_DEFAULT_REGION="us-east-1", AWS_ENDPOINT_URL_SQS="nowhere")
    assert SECRET not in caplog.text


@pytest.mark.parametrize("command", ["get", "watch"])
def test_a_read_needs_a_counter(command):
    assert complaint(Terminal()(command)) == "Missing argument 'counters'."


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["get", "a", ""], "value: counter: must not be empty, found ''"),
        (["get", "\udcff"], r"value: counter: is not UTF-8, found '\udcff'"),
        (["get", "a", "--shards", "101"], "value for '--shards': must be at most 100, found '101'"),
        (["outcome", "a"], "value: give an EVENT or an --id, and not both"),
        (["outcome", "a", EVENT, "--id", "b"], "value: give an EVENT or an --id, and not both"),
        (["outcome", "a", EVENT, "--at", "1"], "value: --at belongs to an --id; an EVENT has one"),
        (["outcome", "a", "b"], "value: event: must be source:seq:at, found 'b'"),
        (
            ["outcome", "a", EVENT, "--wait", "901"],
            "value for '--wait': must be at most 900, found '901'",
        ),
        (
            ["watch", "a", "--interval", "0"],
            "value for '--interval': must be at least 0.1, found '0'",
        ),
        (["reset", ""], "value: counter: must not be empty, found ''"),
        (
            ["reset", "a", "--to", f"{2**63}"],
            f"value for '--to': must be at most {INT64_MAX}, found '{2**63}'",
        ),
        (["watch", "a", "--interval", "x"], "value for '--interval': must be a number, found 'x'"),
        (["watch", "a", "--for", "nan"], "value for '--for': must be at least 0, found 'nan'"),
        (["get", "a", "--output", "x"], "value for '--output': 'x' is not one of 'text', 'json'"),
    ],
)
def test_what_makes_no_sense_is_neither_read_nor_reset(arguments, problem):
    settings = {**QUEUE, **KEYS, "MOMENTO_LOCAL": "127.0.0.1:1", "MOMENTO_CACHE_NAME": "tally"}
    said = Terminal(settings)(*arguments, AWS_DEFAULT_REGION="us-east-1")
    assert complaint(said) == f"Invalid {problem}"


def test_a_reset_that_sqs_does_not_confirm_is_told_with_its_name():
    said = Terminal(QUEUE)("reset", "a", AWS_DEFAULT_REGION="us-east-1")
    reason = "increments not confirmed: 1 (NoCredentialsError: Unable to locate credentials)"
    assert (said.status, said.stderr) == (1, f"tally: {reason}\n")
    EventName.parse(said.stdout.rstrip("\n"))


@pytest.mark.parametrize("command", [("get", "a"), ("watch", "a"), ("outcome", "a", EVENT)])
def test_settings_errors_are_told_all_at_once(command):
    assert Terminal()(*command, MOMENTO_LOCAL="nowhere") == Said(
        1,
        "",
        "tally: MOMENTO_LOCAL must be host:port, found 'nowhere'; MOMENTO_CACHE_NAME must be set; "
        "`tally local up` prints an example\n",
    )


def test_a_key_that_is_none_is_not_shown():
    service = {"MOMENTO_API_KEY": SECRET, "MOMENTO_ENDPOINT": "x.y", "MOMENTO_CACHE_NAME": "tally"}
    problem = "tally: the Momento API key is not one of version 2\n"
    assert Terminal()("get", "a", **service) == Said(1, "", problem)


def test_a_momento_that_is_not_there_is_one_line():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = "{}:{}".format(*closed.getsockname())
        said = Terminal()("get", "a", MOMENTO_LOCAL=address, MOMENTO_CACHE_NAME="tally")
    assert (said.status, said.stdout) == (1, "")
    [line] = said.stderr.splitlines()
    assert line.startswith(f"tally: Momento at {address}, cache 'tally': UNAVAILABLE: ")
    assert "Connection refused" in line


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["local", "up", "--consumers", "0"],
            "'--consumers': must be at least 1, found '0'",
        ),
        (
            ["local", "up", "--sqs-port", "65536"],
            "'--sqs-port': must be at most 65535, found '65536'",
        ),
        (["demo", "--consumers", "1"], "'--consumers': must be at least 2, found '1'"),
    ],
)
def test_a_stack_that_cannot_be_is_not_started(arguments, problem):
    assert complaint(Terminal()(*arguments)) == f"Invalid value for {problem}"


def test_a_demo_has_an_increment_for_each_counter():
    problem = "Invalid value: 100 counters need at least as many --events"
    assert complaint(Terminal()("demo", "--events", "99")) == problem


@pytest.mark.parametrize("arguments", [[], ["local"]])
def test_a_command_without_its_word_shows_what_there_is(arguments):
    said = Terminal()(*arguments)
    assert said.status == 2
    assert ("demo" if not arguments else "up") in said.stdout + said.stderr


def test_help_imports_no_sdk_and_no_server():
    script = (
        "import sys\nfrom tally.cli.commands import app\ntry: app(['--help'])\n"
        "finally: print({'boto3', 'botocore', 'grpc', 'moto', 'werkzeug'} & set(sys.modules))"
    )
    status, stdout, _ = printed("-c", script)
    assert (status, stdout.splitlines()[-1]) == (0, "set()")


@pytest.mark.parametrize("later", ALL, ids=lambda later: later.name)
def test_a_command_is_listed_with_the_beginning_of_its_own_help(later):
    whole = later.command().help.split("\n\n")[0]
    assert later.help == " ".join(whole.split())


def test_the_version_is_told():
    assert Terminal()("--version") == Said(0, f"{__version__}\n", "")


def test_a_shell_that_completes_words_sees_no_other():
    asked = {"_TALLY_COMPLETE": "complete_bash", "COMP_CWORD": "2"}
    status, stdout, stderr = printed("-m", "tally", **asked, COMP_WORDS="tally get --o")
    assert (status, stdout.split(), stderr) == (0, ["--output"], "")


@pytest.mark.parametrize("interrupted", ["typer", "botocore"])
def test_ctrl_c_while_a_command_is_imported_ends_it_in_one_line(tmp_path, interrupted):
    tmp_path.joinpath(f"{interrupted}.py").write_text("raise KeyboardInterrupt\n")
    answer = printed("-m", "tally", "send", "c", PYTHONPATH=str(tmp_path))
    assert answer == (130, "", "tally: interrupted\n")


def printed(*arguments, **variables):
    """What a Python printed that was started anew, with its status."""
    answer = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-P", *arguments],
        env=os.environ | {"COLUMNS": "80"} | variables,
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    return answer.returncode, answer.stdout, answer.stderr
