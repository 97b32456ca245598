"""Each command of the documents is run by a test, or there is a reason why not; and its words fit.

A command is a line after `$ ` in a fence of kind console, or a line in one of kind sh.
"""

import re
import shlex
from typing import Any

import botocore.session
import pytest
import typer
from botocore import xform_name

from tally.cli.commands import app
from tests.support.terminal import QUIET, put_on
from tests.test_docs import DOCUMENTS, FENCE, spans, written_tests

RUN = {
    "make setup": "test_setup_makes_the_environment_and_says_how_to_go_on",
    "node examples/node/publish.mjs": (
        "test_node_counts_each_id_once_though_messages_fail_and_answers_are_lost"
    ),
    "node examples/node/read.mjs": "test_node_reads_counts_from_values_with_a_ledger",
    "python bad.py": "test_each_command_prints_what_the_page_says",
    "python buy.py": "test_each_command_prints_what_the_page_says",
    "python examples/cloudevent.py": (
        "test_a_cloudevent_counts_once_and_is_asked_for_by_its_source_and_id"
    ),
    "python examples/publish_boto3.py": (
        "test_boto3_counts_each_id_once_though_messages_fail_and_answers_are_lost"
    ),
    "python flush.py": "test_each_command_prints_what_the_page_says",
    "sh examples/publish_awscli.sh": (
        "test_an_increment_from_a_shell_counts_once_however_often_it_is_sent"
    ),
    "tally demo": "test_the_demo_for_people_ends_in_its_verdict",
    "tally dlq list": "test_dead_letters_are_listed_and_are_there_as_before",
    "tally dlq purge": "test_a_purge_shows_asks_and_deletes_what_it_has_shown",
    "tally doctor": "test_the_local_stack_is_well",
    "tally get": "test_a_counter_that_is_absent_is_told_and_the_others_are_printed",
    "tally local up": "test_it_prints_its_variables_counts_and_ends_with_all_that_it_started",
    "tally migrate": "test_a_counter_is_copied_byte_for_byte_and_what_is_not_there_is_absent",
    "tally outcome": "test_a_single_increment_is_named_and_its_outcome_told",
    "tally plan": "test_an_example_of_the_page_says_what_is_said",
    "tally reset": "test_a_reset_is_an_event_with_a_name",
    "tally send": "test_a_thousand_increments_of_two_make_two_thousand",
    "tally watch": "test_a_watch_that_is_no_terminal_prints_lines_until_its_time_is_up",
}
"""The test that runs a command, by the first words of it; the words after them are parsed here."""

NOT_RUN = {
    "aws": "needs an account of AWS; here its words are compared with AWS's own description",
    "curl": "tests/local/test_http.py asks the same server for the same without it",
    "git pull": "changes the checkout",
    "make": "takes minutes; that make has the target is seen by tests/test_docs.py",
    "npm ci": "needs a package index; make examples does it",
    "npm run deploy": "needs an account of AWS; make examples synthesizes the same app",
    "pip install": "needs a package index; tests/wheel/ installs the wheel without one",
    "pipx install": "needs a package index",
    "sam": "needs the SAM CLI or an account; make template and make deploy-check run it",
    "terraform": "needs an account of AWS; make examples has Terraform parse the same file",
}
"""Why no test runs a command, by the first words of it."""

SHELL = {"cd", "cut", "echo", "export", "rm", "sed"}
"""What every shell has."""

PROGRAMS = {".venv/bin/tally": "tally", "python3": "python"}
"""Other ways to write a program."""

JOINTS = {"|", "&&", "||", ";", "&"}
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
FILE = re.compile(r"[\w-]+\.(jsonl|csv|txt)")
OF_EVERY_CALL = {"--region", "--profile", "--query", "--output", "--endpoint-url", "--no-paginate"}
"""What AWS's command line takes beside the parameters of a call."""

TRANSFERS = {("s3", "cp")}
"""What AWS's command line makes of many calls, and describes nowhere."""

USAGE_ERROR: Any = typer.BadParameter.__mro__[1]
"""What BadParameter is a kind of; typer does not export it."""


def typed(text):
    """Each command of a document, as words."""
    for fence in FENCE.finditer(text):
        if fence["kind"] not in {"console", "sh"}:
            continue
        lines = iter(fence["body"].splitlines())
        for line in lines:
            if fence["kind"] == "console" and not line.startswith("$ "):
                continue  # what the one before it prints
            command = line.removeprefix("$ ")
            while not is_whole(command):
                command = f"{command.removesuffix(chr(92))}\n{next(lines)}"
            yield from simple_commands(command)


def is_whole(command):
    """Whether a command ends with its line."""
    try:
        shlex.split(command, comments=True)
    except ValueError:  # a quotation goes on in the next line, or a backslash stands at the end
        return False
    return True


def simple_commands(line):
    """The words of each command that a shell runs for a line, without what it assigns before it."""
    inner = [words for part in SUBSTITUTION.findall(line) for words in simple_commands(part)]
    lexer = shlex.shlex(SUBSTITUTION.sub("substituted", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in lexer:
        if word in JOINTS:
            commands.append([])
        elif commands[-1] or not ASSIGNMENT.fullmatch(word):
            commands[-1].append(PROGRAMS.get(word, word))
    return [*inner, *filter(None, commands)]


def entry(words):
    """The longest entry of the tables that a command begins with, or None."""
    beginnings = [" ".join(words[:length]) for length in range(len(words), 0, -1)]
    return next((each for each in beginnings if each in RUN or each in NOT_RUN), None)


def problems(words):
    """What is wrong with a command."""
    if words[0] in SHELL:
        return []
    checks = {"tally": tally_problem, "aws": aws_problem}
    problem = checks[words[0]](words[1:]) if words[0] in checks else None
    if problem is None and entry(words) is None:
        problem = "add the test that runs it, or why none does, to tests/test_commands.py"
    return [f"{words}: {problem}"] if problem else []


def of_tally(words):
    """A command of `tally`, its context above, and the words that are left for it."""
    command: Any = typer.main.get_command(app)
    name, left, context = "tally", words, None
    while left and hasattr(command, "resolve_command"):
        # Resilient, or a group without words would print its help.
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
        context.resilient_parsing = False
        name, command, left = command.resolve_command(context, left)
    return command, context, left


def tally_problem(words):
    """What the parser of `tally` itself says against some words; files are to be there."""
    try:
        command, context, left = of_tally(words)
        with command.make_context(command.name, list(left), parent=context) as parsed:
            for value in parsed.params.values():
                if FILE.fullmatch(str(getattr(value, "name", ""))):  # and not stdin
                    value.close()
            return None
    except USAGE_ERROR as error:
        return error.format_message()


def aws_problem(words):
    """What AWS's own description of a call has against some words."""
    session = botocore.session.get_session()
    service, operation, *options = words
    if (service, operation) in TRANSFERS:
        return None
    if service not in session.get_available_services():
        return f"AWS has no service {service}"
    model = session.get_service_model(service)
    shapes = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in shapes:
        return f"{service} has no operation {operation}"
    shape: Any = model.operation_model(shapes[operation]).input_shape
    known = {f"--{xform_name(name, '-')}": name for name in shape.members}
    switches = {
        f"--no-{option.removeprefix('--')}": name
        for option, name in known.items()
        if shape.members[name].type_name == "boolean"
    }
    given = [word for word in options if word.startswith("--")]
    if unknown := [each for each in given if each not in {*known, *switches, *OF_EVERY_CALL}]:
        return f"{operation} has no {' '.join(unknown)}"
    told = {(known | switches).get(option) for option in given}
    missing = sorted(set(shape.required_members) - told)
    return f"{operation} needs {' '.join(missing)}" if missing else None


@pytest.fixture
def _there(tmp_path, monkeypatch):
    """What the commands of the documents find: a queue's URL, and the files that they name."""
    put_on(monkeypatch, QUIET | {"SQS_QUEUE_URL": "http://127.0.0.1:9324/1/queue"})
    monkeypatch.chdir(tmp_path)
    for document in DOCUMENTS:
        for words in typed(document.read_text("utf-8")):
            for name in filter(FILE.fullmatch, words):
                (tmp_path / name).touch()


@pytest.mark.usefixtures("_there")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_command_of_a_document_fits_and_is_run_or_has_a_reason(document):
    commands = typed(document.read_text("utf-8"))
    assert [problem for words in commands for problem in problems(words)] == []


@pytest.mark.usefixtures("_there")
def test_a_command_that_does_not_fit_is_found():
    text = """```console
$ tally local up --zzz              # stays
export GONE=1
$ EVENT=$(tally send --amount 1 a b) && echo {} | tally gone
$ tally send --file events.jsonl --max 1 | gone --now
$ aws sqs delete-queue --queue-url x --gone y; aws sqs gone \\
    --region …
$ aws sqs delete-queue --region …
$ aws gone list
```
"""
    found = [problem for words in typed(text) for problem in problems(words)]
    assert [each.partition("]: ")[2] for each in found] == [
        "No such option: --zzz",
        "Got unexpected extra argument(s) (b)",
        "No such command 'gone'.",
        "add the test that runs it, or why none does, to tests/test_commands.py",
        "delete-queue has no --gone",
        "sqs has no operation gone",
        "delete-queue needs QueueUrl",
        "AWS has no service gone",
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_command_in_a_sentence_has_the_options_that_it_is_written_with(document):
    texts = filter(re.compile("tally [^ ]").match, spans(document.read_text("utf-8")))
    assert [problem for text in texts for problem in unknown_options(text.split()[1:])] == []


def unknown_options(words):
    """What is wrong with a command of `tally` of which a sentence shows no more than a part."""
    try:
        command, _, left = of_tally(words)
    except USAGE_ERROR as error:
        return [error.format_message()]
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    given = {word.partition("=")[0] for word in left if word.startswith("--")}
    return [f"{command.name} has no {option}" for option in sorted(given - known)]


def test_an_option_that_a_command_has_not_is_found():
    assert unknown_options(["dlq", "list", "--gone", "--output"]) == ["list has no --gone"]
    assert unknown_options(["gone"]) == ["No such command 'gone'."]


def test_the_tables_have_what_the_documents_have_and_tests_that_there_are():
    commands = [words for each in DOCUMENTS for words in typed(each.read_text("utf-8"))]
    assert {entry(words) for words in commands} - {None} == RUN.keys() | NOT_RUN.keys()
    assert set(RUN.values()) <= written_tests()
    assert {words[0] for words in commands} >= SHELL
