"""The rules of style that ruff cannot state, each with files that break it.

A rule looks at one file and yields what is wrong in it, each complaint with its line. ruff and
mypy keep the rest: names, complexity, annotations, the form of docstrings.
"""

import ast
import re
import sys

from tests.support.tidy import everywhere, names, rule, shipped, tested

SOURCE_LINES_MAX = 400
TEST_LINES_MAX = 500  # a table of cases is long, and is not made easier by a second file
FUNCTION_LINES_MAX = 40
TEST_FUNCTION_LINES_MAX = 25

OUTSIDE = {"tests", "benchmarks", "examples", "infrastructure", "requirements", ""}
"""What nothing that is shipped imports; the empty name is a relative import's."""

PURE = {"tally.counters"}
PORT = {"tally.stores.port", "tally.stores.errors"}
STORES = {*PURE, *PORT, "tally.environment", "tally.stores"}
AWS = {"tally.aws", "tally.tracing"}
LIBRARY = {*STORES, *AWS, "tally.settling", "tally.publishing", "tally.reading"}
ARROWS = {
    "tally": LIBRARY,  # lazily, by name
    "tally.__main__": {"tally.cli"},
    "tally.counters": PURE,
    "tally.environment": PURE,
    "tally.aws": set(),
    "tally.tracing": set(),
    "tally.stores.port": PURE,
    "tally.stores.errors": PURE,
    "tally.stores": {*STORES, "tally.aws"},
    "tally.settling": {*PURE, *PORT, "tally.settling"},
    "tally.publishing": {*PURE, *AWS, "tally.environment", "tally.publishing"},
    "tally.reading": {*STORES, "tally.reading"},
    "tally.testing": {*LIBRARY, "tally.local", "tally.testing"},
    "tally.local": {*LIBRARY, "tally.local"},
    "tally.cli": {*LIBRARY, "tally", "tally.local", "tally.cli"},
    "consumer": {*LIBRARY, "consumer"},
    "producer": {*LIBRARY, "producer"},
    "producer.__main__": {"tally.cli"},  # the script for people, which no Lambda is given
}
"""Which rooms of ours each room may import. A module is of the room whose name it begins with, and
of the longest such name."""


def room(module):
    """The room that a module of ours is in; nothing for any other module."""
    return max(
        (name for name in ARROWS if f"{module}.".startswith(f"{name}.")), key=len, default=""
    )


# tally/counters/ is told the time, and draws and opens nothing: it has no use for any of these.
IMPURE = (
    {"datetime", "time", "zoneinfo"}
    | {"random", "secrets", "uuid"}
    | {"asyncio", "concurrent", "multiprocessing", "signal", "subprocess", "threading"}
    | {"io", "logging", "os", "pathlib", "shutil", "tempfile"}
    | {"http", "select", "socket", "ssl", "urllib"}
)
MOCKS = ("unittest.mock", "mock", "pytest_mock")
PATCHERS = ("setattr", "setitem", "delattr", "delitem")
BROAD = {"Exception", "BaseException"}

_IGNORE = re.compile(
    r"(?P<kind>noqa|type:\s*ignore)(?P<codes>:?\s*(\[[\w, -]+\]|[A-Z]+\d+[A-Z\d, ]*))?"
)
_FILE_WIDE = re.compile(r"#\s*(ruff|flake8|mypy):")
_REASON = re.compile(r"[^\W\d_]{3,}")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_INDEX = re.compile(
    r"^\s*(-i|-f|-e|--[a-z-]*(index|links|host|editable)\b)|://|file:| @ |^\s*[./~]"
)


@rule(
    everywhere,
    ("tally/cli/long.py", "\n" * (SOURCE_LINES_MAX + 1)),
    ("tests/test_long.py", "\n" * (TEST_LINES_MAX + 1)),
)
def a_file_is_short(source):
    length = source.text.count("\n")
    limit = TEST_LINES_MAX if source.package == "tests" else SOURCE_LINES_MAX
    if length > limit:
        yield limit, f"{length} lines, over {limit}"


@rule(
    everywhere,
    ("tally/cli/long.py", "async def f():\n" + "    f()\n" * FUNCTION_LINES_MAX),
    ("tests/test_long.py", "def test_f():\n" + "    f()\n" * TEST_FUNCTION_LINES_MAX),
)
def a_function_is_short(source):
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            is_test = source.package == "tests" and node.name.startswith("test_")
            limit = TEST_FUNCTION_LINES_MAX if is_test else FUNCTION_LINES_MAX
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > limit:
                yield node.lineno, f"{node.name}() has {length} lines, over {limit}"


@rule(
    everywhere,
    ("tally/cli/a.py", ""),
    ("tally/cli/b.py", "# A comment.\n"),
    ("tests/test_c.py", "\n'''Too late.'''\n"),
    ("tally/cli/d.py", "'''\nOn the second line.\n'''\n"),
)
def the_first_line_says_what_the_file_is_for(source):
    docstring = ast.get_docstring(source.tree, clean=False) or ""
    if not docstring.split("\n")[0].strip() or source.tree.body[0].lineno != 1:
        yield 1, "no docstring on the first line"


@rule(
    shipped,
    ("tally/cli/a.py", "'''Doc.'''\nclass A: ...\n"),
    ("tally/cli/b.py", "'''Doc.'''\nclass A:\n    '''Doc.'''\n    def b(self): ...\n"),
    ("tally/cli/c.py", "'''Doc.'''\nasync def c(): ...\n"),
)
def what_is_public_is_documented(source, inside=None):
    for node in (inside or source.tree).body:
        match node:
            case (
                ast.ClassDef(name=name)
                | ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
            ) if not name.startswith("_"):
                if not ast.get_docstring(node):
                    yield node.lineno, f"{name} has no docstring"
                if isinstance(node, ast.ClassDef):
                    yield from what_is_public_is_documented(source, node)


@rule(
    shipped,
    ("tally/counters/a.py", "import consumer.batch\n"),
    ("tally/counters/b.py", "from tally import aws\n"),
    ("tally/settling/c.py", "from tally.stores.momento.store import Momento\n"),
    ("tally/publishing/d.py", "from tally.stores.port import Trouble\n"),
    ("tally/stores/port.py", "from tally import environment\n"),
    ("tally/reading/e.py", "from tally.publishing import shards\n"),
    ("tally/local/f.py", "import tally.cli\n"),
    ("tally/local/g.py", "from consumer import handler\n"),
    ("tally/cli/h.py", "from producer import settings\n"),
    ("tally/cli/i.py", "from . import main\n"),
    ("tally/cli/j.py", "from tests.support import reference\n"),
    ("consumer/k.py", "def f():\n    from producer import settings\n"),
    ("consumer/l.py", "from tally.local import stack\n"),
    ("producer/m.py", "from tally.cli.main import main\n"),
)
def imports_point_downwards(source):
    allowed = ARROWS[room(source.module)]
    for line, module in source.imports:
        top = module.split(".")[0]
        if (room(module) or top in OUTSIDE) and room(module) not in allowed:
            yield line, f"{source.module} must not import {module}"


@rule(
    lambda source: room(source.module) == "tally.counters",
    ("tally/counters/a.py", "import grpc\n"),
    ("tally/counters/b.py", "from momento.errors import SdkException\n"),
    ("tally/counters/c.py", "def f():\n    from datetime import datetime\n"),
    ("tally/counters/d.py", "import os.path\n"),
    ("tally/counters/e.py", "text = open('f').read()\n"),
    ("tally/counters/f.py", "line = input()\n"),
)
def counters_knows_no_clock_no_network_and_no_third_party_but_msgspec(source):
    allowed = {*(sys.stdlib_module_names - IMPURE), "msgspec", "tally"}
    for line, module in source.imports:
        if module.split(".")[0] not in allowed:
            yield line, f"imports {module}"
    for node in source.nodes:
        match node:
            case ast.Call(func=ast.Name(id="open" | "input" | "__import__" as name)):
                yield node.lineno, f"calls {name}()"


@rule(
    everywhere,
    ("tally/cli/a.py", "while True:\n    break\n"),
    ("tests/test_b.py", "while 1:\n    break\n"),
)
def a_loop_says_when_it_ends(source):
    for node in source.nodes:
        match node:
            case ast.While(test=ast.Constant(value=value)) if value:
                yield node.lineno, "loops without a bound"


@rule(
    everywhere,
    ("tally/cli/a.py", "try: f()\nexcept: g()\n"),
    ("tally/cli/b.py", "try: f()\nexcept Exception as error: g()\n"),
    ("tally/cli/c.py", "try: f()\nexcept (OSError, BaseException): g()\n"),
    ("tests/test_d.py", "with contextlib.suppress(Exception): f()\n"),
)
def only_known_errors_are_caught(source):
    for node in source.nodes:
        match node:
            case ast.ExceptHandler(type=None):
                yield node.lineno, "catches everything"
            case ast.ExceptHandler(type=caught) if caught and names(caught) & BROAD:
                yield node.lineno, f"catches {' and '.join(names(caught) & BROAD)}"
            case ast.Call(func=called, args=args) if "suppress" in names(called):
                if BROAD & {name for arg in args for name in names(arg)}:
                    yield node.lineno, "suppresses everything"


@rule(
    everywhere,
    ("tally/cli/a.py", "f()  # pragma: no cover\n"),
    ("tally/cli/b.py", "f()  # pragma:nocover\n"),
)
def no_line_is_left_out_of_coverage(source):
    for line, comment in source.comments:
        if re.search(r"pragma:?\s*no\s*(cover|branch)", comment):
            yield line, comment


@rule(
    everywhere,
    ("tally/cli/a.py", "f()  # noqa\n"),
    ("tally/cli/b.py", "f()  # noqa: T201\n"),
    ("tally/cli/c.py", "f()  # type: ignore  # the stubs are wrong\n"),
    ("tally/cli/d.py", "f()  # type: ignore[arg-type]  # noqa: S603\n"),
    ("tally/cli/e.py", "# ruff: noqa\n"),
    ("tests/test_f.py", "# mypy: ignore-errors\n"),
)
def an_exemption_has_a_code_and_a_reason(source):
    for line, comment in source.comments:
        exemptions = list(_IGNORE.finditer(comment))
        has_codes = all(found["codes"] for found in exemptions)
        has_reason = _REASON.search(_FILE_WIDE.sub("", _IGNORE.sub("", comment)))
        if exemptions and not (has_codes and has_reason):
            yield line, f"an exemption needs a code and a reason behind it: {comment}"
        elif _FILE_WIDE.match(comment) and not exemptions:
            yield line, f"exempts the whole file: {comment}"


@rule(
    tested,
    ("tests/test_a.py", "import time\ntime.sleep(1)\n"),
    ("tests/test_b.py", "from time import sleep\n"),
    ("tests/test_c.py", "async def f():\n    await asyncio.sleep(1)\n"),
)
def a_test_does_not_sleep(source):
    for node in source.nodes:
        match node:
            case ast.Attribute(value=ast.Name(id="time" | "asyncio"), attr="sleep"):
                yield node.lineno, "sleeps"
    for line, module in source.imports:
        if module in {"time.sleep", "asyncio.sleep"}:
            yield line, f"imports {module}"


@rule(
    tested,
    ("tests/test_a.py", "from unittest.mock import Mock\n"),
    ("tests/test_b.py", "from unittest import mock\n"),
    ("tests/test_c.py", "def test_it(mocker): ...\n"),
    ("tests/test_d.py", "def test_it(monkeypatch):\n    monkeypatch.setattr(time, 'time', f)\n"),
)
def a_test_replaces_no_behaviour(source):
    for line, module in source.imports:
        if module.startswith(MOCKS):
            yield line, f"imports {module}"
    for node in source.nodes:
        match node:
            case ast.arg(arg="mocker"):
                yield node.lineno, "takes mocker"
            case ast.Attribute(value=ast.Name(id="monkeypatch"), attr=attr) if attr in PATCHERS:
                yield node.lineno, f"monkeypatch.{attr}: pass a fake in instead"


ANYONE, ANYONE_V6 = ".".join("0000"), ":" * 2  # in parts, since this file keeps the rule too


@rule(
    everywhere,
    ("tally/local/a.py", f"HOST = '{ANYONE}'\n"),
    ("tests/test_b.py", f"url = f'http://{ANYONE}:{{port}}'\n"),
    ("tally/local/c.py", f"server.add_insecure_port('[{ANYONE_V6}]:0')\n"),
    ("tally/local/d.py", f"ADDRESS = '10{ANYONE[1:]}'\n"),
)
def only_the_loopback_is_spoken_to(source):
    prose = {id(node.value) for node in source.nodes if isinstance(node, ast.Expr)}
    for node in source.nodes:
        match node:
            case ast.Constant(value=str(text)) if id(node) not in prose:
                hosts = set(_IPV4.findall(text)) - {"127.0.0.1"}
                if hosts or text == ANYONE_V6 or f"[{ANYONE_V6}]" in text:
                    yield node.lineno, f"a host beyond this machine: {text}"


def addresses(requirements: str) -> list[str]:
    """The lines of a requirements file that tell pip where to look, which one machine knows."""
    lines = requirements.splitlines()
    return [line for line in lines if not line.lstrip().startswith("#") and _INDEX.search(line)]
