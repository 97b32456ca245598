"""The runbook and the page on security name what there is: alarms, reasons, actions, commands."""

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

import tally
from tally.cli.commands import Later, app
from tally.cli.dlq.letters import Standing
from tally.counters.columns import VERSION
from tally.settling.reason import Reason

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
SECURITY = (ROOT / "docs" / "security.md").read_text("utf-8")
TEMPLATE = (ROOT / "template.yaml").read_text("utf-8")


def section(text, heading):
    """What stands under a heading, up to the next of its level."""
    level = heading.split(" ")[0]
    _, _, rest = text.partition(f"\n{heading}\n")
    return re.split(rf"^{level} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(text):
    """The first cells of a table's rows that are code."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def test_the_runbook_has_one_section_for_each_alarm():
    alarms = re.findall(r"^  (\w+):\n    Type: AWS::CloudWatch::Alarm$", TEMPLATE, re.MULTILINE)
    found = re.findall(r"^### (\w+)$", section(OPERATIONS, "## The alarms"), re.MULTILINE)
    assert found == alarms


def test_the_runbook_names_no_output_and_no_alarm_that_is_not_there():
    there = set(re.findall(r"^  (\w+):$", TEMPLATE, re.MULTILINE))  # parameters are there as well
    named = set(re.findall(r"`([A-Z]\w+(?:Command|Url))`", OPERATIONS))
    assert {"PauseCommand", "ResumeCommand", "DashboardUrl", "ExportCommand"} <= named <= there
    alarms = set(re.findall(r"^  (\w+Alarm):$", TEMPLATE, re.MULTILINE))
    assert set(re.findall(r"\b([A-Z]\w+Alarm)\b", OPERATIONS)) == alarms


def test_the_runbook_begins_with_what_somebody_woken_up_does():
    first = re.findall(r"^## (.+)$", OPERATIONS, re.MULTILINE)[0]
    steps = re.findall(r"^\d\. \*\*(.+?)\*\*", section(OPERATIONS, f"## {first}"), re.MULTILINE)
    assert (first, len(steps)) == ("You were woken up", 5)


def test_the_runbook_knows_each_reason_of_the_log():
    told = section(OPERATIONS, "## The alarms").partition("### ")[0]
    assert first_cells(told) == [reason.value for reason in Reason]


def test_the_runbook_has_what_this_release_reads_and_writes():
    rows = re.findall(
        r"^\| (\d+\.\d+) \| ([\d, ]+) \| (\d+) \|$",
        section(OPERATIONS, "## Rolling back"),
        re.MULTILINE,
    )
    release, read, written = rows[-1]
    assert tally.__version__.startswith(f"{release}.")
    assert (int(written), int(written) in map(int, read.split(", "))) == (VERSION, True)
    for (_, earlier_read, _), (_, _, later_written) in itertools.pairwise(rows):
        assert later_written in earlier_read.split(", ")


def test_the_runbook_knows_each_standing_of_a_dead_letter():
    told = first_cells(section(OPERATIONS, "## Dead letters"))
    assert sorted(told) == sorted(Standing)


def test_the_roles_have_the_actions_that_the_template_gives_them():
    allowed = " ".join(re.findall(r"Effect: Allow\n +Action: (.+)$", TEMPLATE, re.MULTILINE))
    given = set(re.findall(r"[a-z]+:[A-Z]\w+", allowed))
    told = section(SECURITY, "## Who may do what").partition("Everybody else")[0]
    assert set(re.findall(r"`(\w+:\w+)`", told)) == given


def test_a_test_that_is_called_a_proof_is_there():
    proofs = first_cells(section(SECURITY, "## What is never logged"))
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in proofs if f"def {name}(" not in tests] == []
    assert len(proofs) == 8


def options(words: list[str]) -> set[str]:
    """The options of the command that a line begins with; that command must be there."""
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        found = command.commands[words.pop(0)]
        command = found.command() if isinstance(found, Later) else found
    return {name for each in command.params for name in (*each.opts, *each.secondary_opts)}


@pytest.mark.parametrize("text", [OPERATIONS, SECURITY], ids=["operations", "security"])
def test_a_command_has_the_options_it_is_shown_with(text):
    lines = re.findall(r"`tally ([^`]+)`|^\$ tally (.+)$", text, re.MULTILINE)
    for line in (one or other for one, other in lines):
        words = line.split()
        given = {word for word in words if word.startswith("--")}
        assert given <= options(words), line
