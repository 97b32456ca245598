"""docs/tutorial.md, typed as it stands: each command prints what the page says that it prints."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

from tests.examples.programs import TIMEOUT_S, environment
from tests.support.processes import WAIT_S, tally

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text("utf-8")
MAX_WORDS = 1_200
MAX_PYTHON_LINES = 25

BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
SAVED = re.compile(r"\A# (\w+\.py)\n")
LATER = re.compile(r"# .* later$")

SET_UP = "make setup"
"""What is not typed here: it wants a minute and a package index. tests/test_makefile.py runs it."""

FIRST_TERMINAL = [".venv/bin/tally", "local", "up"]
FREE_PORTS = ("--momento-port", "0", "--sqs-port", "0", "--http-port", "0")
LAST_LINE = "A page of what goes on: "
MAX_LINES = 50
LEFT_OUT = "…\n"

DIFFERS = {
    "the folder of the programs": (r'^export PATH=.+:"\$PATH"$', "(the folder)"),
    "the port of a server": (r"127\.0\.0\.1:\d+", "127.0.0.1:(port)"),
    "the name of an event": (r"\b[0-9a-f]{16}:\d+:\d{13}\b", "(event)"),
    "the id of a dead letter": (r"^ [0-9a-f]{8}(?= )", " (id)"),
    "the age of a dead letter": (r" +\d+s(?= )", " (age)"),
    "blanks that fill a line": (r" +$", ""),
}
"""What differs in each run, as a pattern, and what stands for it when two outputs are compared."""


class SecondTerminal:
    """A shell in a folder: what one command exports or assigns, the next one has."""

    def __init__(self, folder):
        self._folder = folder
        self._kept = folder / "exports.sh"
        self._kept.touch()

    def paste(self, lines):
        self._kept.write_text(self._kept.read_text("utf-8") + lines, "utf-8")

    def type(self, command):
        """What a command prints, on stdout and stderr, as a terminal shows it."""
        script = f". {self._kept}\nset -a\n{command}\nexport -p > {self._kept}\n"
        done = subprocess.run(  # noqa: S603 (our own page)
            ["/bin/sh", "-c", script],
            env=environment({}),
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return done.stdout


class Newcomer:
    """Somebody who does what the page says, with two terminals, in an empty folder."""

    def __init__(self, folder, closing):
        self._folder = folder
        self._closing = closing
        self._second = SecondTerminal(folder)
        self._stack = None

    def save(self, program):
        """Save a program under the name in its first line."""
        [name] = SAVED.findall(program)
        (self._folder / name).write_text(program, "utf-8")

    def type(self, command, told):
        """What a command prints; where the page says "later", it is repeated until that is so."""
        words = shlex.split(command, comments=True)
        if words[:3] == FIRST_TERMINAL:
            return self._start(words[1:])
        printed = self._second.type(command)
        if LATER.search(command):
            ends_at_s = time.monotonic() + WAIT_S
            while shown(printed, told) != same(told) and time.monotonic() < ends_at_s:
                printed = self._second.type(command)
        return printed

    def _start(self, words):
        """Type `tally local up` in the first terminal, after Ctrl-C if something runs there."""
        if self._stack is not None:
            os.killpg(self._stack.pid, signal.SIGINT)
            assert self._stack.wait(WAIT_S) == 0
        self._stack = self._closing.enter_context(
            tally(
                *words, *FREE_PORTS, env=environment({}), cwd=self._folder, stderr=subprocess.STDOUT
            )
        )
        lines = []
        for line in self._stack.stdout:
            lines.append(line)
            if line.startswith(LAST_LINE) or len(lines) == MAX_LINES:
                break
        self._second.paste("".join(each for each in lines if each.startswith(("export", "unset"))))
        return "".join(lines)


def same(output):
    """An output without what differs in each run."""
    for pattern, instead in DIFFERS.values():
        output = re.sub(pattern, instead, output, flags=re.MULTILINE)
    return output


def shown(printed, told):
    """An output as the page shows it if that is all that it leaves out, or else the whole of it."""
    parts = [re.escape(part) for part in same(told).split(LEFT_OUT)]
    is_told = re.fullmatch("(?:.*\n)*".join(parts), same(printed))
    return same(told) if is_told else same(printed)


def test_each_command_prints_what_the_page_says(tmp_path):
    with contextlib.ExitStack() as closing:
        newcomer = Newcomer(tmp_path, closing)
        for kind, body in BLOCK.findall(PAGE):
            if kind == "python":
                newcomer.save(body)
                continue
            for command, told in TYPED.findall(body):
                if not command.startswith(SET_UP):
                    assert shown(newcomer.type(command, told), told) == same(told), command


def test_another_output_than_the_page_has_is_found():
    told = "a 1\n…\nb 127.0.0.1:8000\n"
    assert shown("a 1\nx\ny\nb 127.0.0.1:9\n", told) == same(told)
    for printed in ("a 2\nb 127.0.0.1:9\n", "a 1\nb 127.0.0.1:9\nc\n", "a 1\nx\n", ""):
        assert shown(printed, told) != same(told)


def test_the_page_takes_ten_minutes():
    programs = [body for kind, body in BLOCK.findall(PAGE) if kind == "python"]
    assert len(PAGE.split()) <= MAX_WORDS
    assert max(len(body.splitlines()) for body in programs) <= MAX_PYTHON_LINES
