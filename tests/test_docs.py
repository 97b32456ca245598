"""The documents say what is so, as far as that is cheap to check."""

import ast
import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

import grpc
import msgspec
import pytest

from consumer.observability import metric_name
from consumer.settings import ConsumerSettings
from producer.settings import ApiSettings
from tally.cli.migrate.command import OLD
from tally.counters import columns
from tally.counters.body import parse
from tally.counters.columns import Columns
from tally.counters.counter import fold, read_count
from tally.counters.event import INT64_MAX, MAX_COUNTER_BYTES, MAX_FUTURE_MS, Envelope, Event
from tally.counters.ledger import Limits
from tally.environment import SettingsError
from tally.publishing import connection, packing, sending, sequence
from tally.settling import copies, rounds
from tally.settling.progress import Activity
from tally.stores.momento import calls, store
from tally.stores.momento.connection import deadline_s
from tally.stores.momento.troubles import TROUBLES
from tests.support.terminal import Remembering
from tests.support.tidy import PACKAGES

ROOT = Path(__file__).parent.parent
ARCHITECTURE = ROOT / "docs" / "architecture.md"
FORMAT = ROOT / "docs" / "format.md"
SETTINGS = ROOT / "docs" / "settings.md"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
CODE = (*PACKAGES, "benchmarks", "examples", "infrastructure", "requirements", "tests")
MADE = (".venv", "build", "dist")  # what a path may begin with and not be in the repository
SUFFIXES = (".md", ".py", ".toml", ".txt", ".json", ".yaml")
ECOSYSTEM = re.compile(
    "(AWS|CAPABILITY|POWERTOOLS)_[A-Z_]+|SQS_(QUEUE|DLQ)_URL|SSL_CERT_FILE|TALLY_URL"
)

FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)*/?")
SAVED = re.compile(r"^```python\n# (\w+\.py)$", re.MULTILINE)  # a program that the reader saves
OURS = re.compile(rf"\b(?:{'|'.join(CODE)})/[\w/.-]*\w\.\w+")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PICTURE = re.compile(r'\bsrc(?:set)?="([^"]+)"')
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
TEST = re.compile(r"test_\w+")
TEST_MADE = re.compile(r"^\s*def (test_\w+)\(", re.MULTILINE)
STATED = ("What is promised", "Why", "What is not promised")
STATEMENT = re.compile(r"^(?:- |[0-9]+\. )(.*\n(?:^ +.*\n)*)", re.MULTILINE)
NAME = re.compile(r"(?:export )?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=.*)?")


def spans(text: str) -> list[str]:
    """What stands in backticks; a span may go on in the next line, not in the next paragraph."""
    paragraphs = re.split(r"\n\s*\n", FENCE.sub("", text))
    return [" ".join(span.split()) for each in paragraphs for span in SPAN.findall(each)]


def code(text: str) -> list[str]:
    """The lines of all code, in backticks and in fences."""
    fenced = [line for fence in FENCE.finditer(text) for line in fence["body"].splitlines()]
    return [*spans(text), *(line.strip() for line in fenced)]


def table(text: str, header: str) -> list[list[str]]:
    """The rows of the table whose header begins with these cells."""
    _, _, rest = text.partition(f"\n| {header} |")
    lines = rest.split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def missing_paths(text: str) -> Iterator[str]:
    made = (*MADE, *SAVED.findall(text))
    named = [span for span in spans(text) if PATH.fullmatch(span) and not span.startswith(made)]
    paths = [name for name in named if "/" in name or name.endswith(SUFFIXES)]
    for path in dict.fromkeys([*paths, *OURS.findall(text)]):
        if not any(map(holds, ROOT.glob(path.rstrip("/")))):
            yield f"there is no {path}"


def holds(path: Path) -> bool:
    """Whether a file is there, or a folder with more than the bytecode of what was there once."""
    return path.is_file() or any(each.name != "__pycache__" for each in path.iterdir())


def broken_links(text: str, document: Path) -> Iterator[str]:
    told = FENCE.sub("", text)
    for link in [*LINK.findall(told), *PICTURE.findall(told)]:
        path, _, anchor = unquote(link).partition("#")
        target = document.parent / path
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists():
            yield f"{link} leads nowhere"
        elif anchor and anchor not in anchors(target.read_text("utf-8") if path else text):
            yield f"{link} leads to no heading"


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings."""
    headings = HEADING.findall(FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def unknown_targets(text: str) -> Iterator[str]:
    targets = re.findall("^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for target in MAKE.findall("\n".join(code(text))):
        if target not in targets:
            yield f"make has no target {target}"


def unknown_names(text: str) -> Iterator[str]:
    """Names in capitals that are no variable of the environment, constant or gRPC status."""
    known = (
        variables_read()
        | variables_read(ApiSettings)
        | constants()
        | {status.name for status in grpc.StatusCode}
    )
    for match in filter(None, map(NAME.fullmatch, code(text))):
        if match[1].removeprefix(OLD) not in known and not ECOSYSTEM.fullmatch(match[1]):
            yield f"nothing is called {match[1]}"


def unknown_tests(text: str) -> Iterator[str]:
    for name in filter(TEST.fullmatch, dict.fromkeys(spans(text))):
        if name not in written_tests():
            yield f"there is no {name}"


@functools.cache
def written_tests() -> set[str]:
    """The names of all tests."""
    files = (ROOT / "tests").rglob("test_*.py")
    return {name for path in files for name in TEST_MADE.findall(path.read_text("utf-8"))}


def unchecked(text: str) -> list[str]:
    """How each statement begins that names no test, in a page of guarantees."""
    _, *sections = re.split("^## ", text, flags=re.MULTILINE)
    stated = [each for each in sections if each.partition("\n")[0] in STATED]
    found = [statement for each in stated for statement in STATEMENT.findall(each)]
    return [
        statement.splitlines()[0]
        for statement in found
        if not any(map(TEST.fullmatch, spans(statement)))
    ]


def constants() -> set[str]:
    """The names in capitals that our code assigns, members of enumerations included."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assignment = re.compile(r"^\s*([A-Z][A-Z0-9_]+)(?:: \w+)? = ", re.MULTILINE)
    return {name for path in files for name in assignment.findall(path.read_text("utf-8"))}


def variables_read(settings=ConsumerSettings) -> set[str]:
    environment = Remembering({})
    with pytest.raises(SettingsError):
        settings.from_environment(environment)
    return environment.asked


def complaints(text: str, document: Path) -> list[str]:
    return [
        *missing_paths(text),
        *broken_links(text, document),
        *unknown_targets(text),
        *unknown_tests(text),
        *unknown_names(text),
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_names_only_what_there_is(document):
    assert complaints(document.read_text("utf-8"), document) == []


def test_what_there_is_not_is_found():
    text = """# A heading: its `code`

`tally/counters/event.py` `tally/counters/*.py` `docs/` `gone/` `gone.md` `page:home`
[here](docs/format.md#the-value) [above](#a-heading-its-code) [web](https://example.com/x)
[gone](docs/gone.md) [no heading](docs/architecture.md#gone) `make test` `make gone`
`MOMENTO_LOCAL=127.0.0.1:8080` `AWS_REGION` `MAX_ROUNDS` `NOT_FOUND` `GONE_AWAY` `test_gone`

```sh
make nothing && .venv/bin/python benchmarks/gone.py
export GONE_TOO=1
```
"""
    assert complaints(text, ROOT / "README.md") == [
        "there is no gone/",
        "there is no gone.md",
        "there is no benchmarks/gone.py",
        "docs/gone.md leads nowhere",
        "docs/architecture.md#gone leads to no heading",
        "make has no target gone",
        "make has no target nothing",
        "there is no test_gone",
        "nothing is called GONE_AWAY",
        "nothing is called GONE_TOO",
    ]


def test_a_picture_that_is_not_there_is_found():
    text = '<img src="docs/img/page.png"> <source srcset="docs/img/gone.png">'
    assert complaints(text, ROOT / "README.md") == ["docs/img/gone.png leads nowhere"]


def test_each_statement_of_the_guarantees_names_a_test():
    assert unchecked((ROOT / "docs" / "guarantees.md").read_text("utf-8")) == []


def test_a_statement_that_names_no_test_is_found():
    text = """# Guarantees

## Why

- **One.** It is
  so: `test_it`.
- **Two.** It is
  so as well.

## What is promised

1. It is `make test`.
2. *Check:*
   `test_it_too`.

## How it is checked

- All of it.
"""
    assert unchecked(text) == ["**Two.** It is", "It is `make test`."]


@pytest.fixture(scope="module")
def architecture() -> str:
    return ARCHITECTURE.read_text("utf-8")


@pytest.fixture(scope="module")
def settings() -> str:
    return SETTINGS.read_text("utf-8")


@pytest.fixture(scope="module")
def example() -> Mapping[str, tuple[bytes, str]]:
    """The fields of the example of a value: their bytes, and what MessagePack they are."""
    rows = table(FORMAT.read_text("utf-8"), "Field | Bytes")
    return {field: (bytes.fromhex(hexed.strip("`")), text) for field, hexed, text, _ in rows}


def test_each_field_of_the_example_is_the_messagepack_beside_it(example):
    said = {field: text.strip("`") for field, (_, text) in example.items()}
    decoded = {
        field: msgspec.msgpack.decode(example[field][0])
        for field in ("version", "times", "decided", "rejected")
    }
    assert decoded == {field: ast.literal_eval(said[field]) for field in decoded}
    assert example["count"] == (b"39\n", "")
    assert said["ids"] == "16 bytes"


def test_the_example_is_read_and_written_as_the_table_says(example):
    value = b"".join(encoded for encoded, _ in example.values())
    ledger = Columns(
        0,
        [0x1122334455667788, 0xAABBCCDDEEFF0011],
        [1_760_000_001, 1_760_000_003],
        [9, [0, 0, 3, 1]],
        {0: [0, 0, 7, 2]},
    )
    assert len(value) == 45
    assert read_count(value) == 39
    assert columns.decode(value.partition(b"\n")[2]) == ledger
    assert value == b"39\n" + columns.encode(ledger)


def test_the_example_is_reached_by_the_events_that_it_tells_of(example):
    at = 1_760_000_001_000
    source, other = 0x1122334455667788, 0xAABBCCDDEEFF0011
    events = [Event("c", source, seq, at, 4, high=35 if seq > 6 else INT64_MAX) for seq in range(9)]
    events.append(Event("c", other, 3, at + 2_000, 4))
    assert fold(b"7", events, Limits()).value == b"".join(field for field, _ in example.values())


def test_every_message_in_a_document_keeps_the_contract():
    texts = [document.read_text("utf-8") for document in DOCUMENTS]
    bodies = [f["body"] for text in texts for f in FENCE.finditer(text) if f["kind"] == "json"]
    messages = [parse(body, Envelope("m", 1_790_000_000_000)) for body in bodies]
    assert Event("page:home", 0x9F86D081884C7D65, 17, 1_790_000_000_123, 1, high=1_000) in [
        event for message in messages for event in message
    ]


def test_the_limits_are_those_of_the_ledger(architecture):
    rows = table(architecture, "Limit")
    assert {row[0].strip("`"): int(row[1]) for row in rows} == msgspec.structs.asdict(Limits())


def test_each_status_is_in_the_class_that_the_code_has_it_in(architecture):
    rows = table(architecture, "Class")
    classes = {name: row[0] for row in rows for name in SPAN.findall(row[1])}
    assert classes == {
        status.name: trouble.name.lower().replace("_", " ").replace("setup", "set-up")
        for status, trouble in TROUBLES.items()
    }


def test_the_settings_are_all_that_the_consumer_reads_and_no_more(settings):
    rows = table(settings, "Variable")
    assert {row[0].strip("`") for row in rows} == variables_read()


def test_the_metrics_are_all_that_the_consumer_writes_and_no_more(settings):
    named = [name for row in table(settings, "Metric") for name in spans(row[0])]
    fields = dataclasses.fields(Activity)
    assert sorted(named) == sorted(metric_name(field.name) for field in fields)


@pytest.mark.parametrize(
    "said",
    [
        f"up to {store.MAX_CALLS_IN_FLIGHT} of each",
        f"each {calls.BILLED_BYTES:,} bytes begun",
        f"the deadline of a call ({deadline_s():g} s)",
        f"U(0, min({rounds.MAX_BACKOFF_ROUNDS}, 2^k)) rounds",
        f"at least {rounds.MIN_ROUND_S * 1_000:g} ms",
        f"at least {rounds.THROTTLED_ROUND_S * 1_000:g} ms while the store throttles",
        f"1, 3, 7 … {copies.MAX_SKIPPED_BATCHES} batches",
        f"after {sequence.MAX_COUNTERS_PER_SOURCE:,} counters",
        f"{packing.BILLED_BYTES // 1_024} KiB in a message",
        f"byte for byte the same, for {sending.MAX_SENDING_S:g} s;",
        f"after {sending.MAX_VAIN_REQUESTS} in a row",
        f"one attempt: {connection.CONNECT_TIMEOUT_S + connection.READ_TIMEOUT_S} s,",
    ],
)
def test_a_figure_is_that_of_the_code(architecture, said):
    assert said in " ".join(architecture.split())


@dataclasses.dataclass(frozen=True)
class Fact:
    """What stands in one document, so that it is mended in one place; others link to it.

    Attributes:
        name: for the report of the test.
        said: a pattern that finds it in a document's text without fences, on one line.
        homes: where it stands; README repeats a handful of facts that a newcomer must be told.
        repeated: further documents that still say it in their own words, to be shortened.
    """

    name: str
    said: str
    homes: tuple[str, ...]
    repeated: tuple[str, ...] = ()


README = "README.md"
_DESIGN = ("docs/architecture.md",)
_AHEAD = f"{MAX_FUTURE_MS // 60_000} minutes after (the|SQS)"
_NAME_BYTES = f"{MAX_COUNTER_BYTES} bytes"
FACTS = (
    Fact("a counter's life in Momento", "24 hours", ("docs/stores.md", README)),
    Fact("a counter's life in Valkey", "30 days", ("docs/stores.md", README)),
    Fact("a copy's life", r"`CACHE_TTL_SECONDS` \| 60", ("docs/settings.md",)),
    Fact("what a cache may lose", "A cache is not a database", ("docs/guarantees.md",)),
    Fact("the ledger's memory", "a day of the events' own time", ("docs/guarantees.md",)),
    Fact("what a mebibyte remembers", "some 105,000", ("docs/guarantees.md",)),
    Fact("what a table's ledger remembers", "6,500 named", ("docs/stores.md",)),
    Fact("the longest value in a table", "65,536 bytes", ("docs/stores.md",)),
    Fact("what harm a clock ahead can do", "some 350", ("docs/guarantees.md",)),
    Fact("two ids of the same 64 bits", r"3 in 10\^14", ("docs/guarantees.md",)),
    Fact("the fields of a message", r"\| `?amount`? \| default 1", ("docs/format.md",)),
    Fact("how far ahead at may be", _AHEAD, ("docs/format.md",), ("docs/interoperability.md",)),
    Fact("a counter's name", _NAME_BYTES, ("docs/format.md",)),
    Fact("the form of a value", "decimal count, a newline, and", ("docs/format.md",)),
    Fact("the largest batch", "a batch 6 MB|6 MB a batch", (README,)),
    Fact("the default quota of Momento", "quota of 100 operations", ("docs/planning.md",)),
    Fact("how long a message waits", "4 days", ("docs/operations.md",)),
    Fact("receives of a message", r"`MaxReceiveCount` \| `\d", ("docs/deploy.md",)),
    Fact(
        "a publisher's patience",
        "gives up after 30 s|30 s and one (last )?attempt",
        ("docs/library.md", "docs/architecture.md"),
    ),
    Fact("a program's end", "has 2 s for what", ("docs/library.md",)),
    Fact("a packed message", "64 KiB (in|to) a message", _DESIGN),
    Fact("calls in flight", f"{store.MAX_CALLS_IN_FLIGHT} of each", _DESIGN),
    Fact("a call's deadline", rf"\({deadline_s():g} s\)", _DESIGN),
    Fact("how long copies are waited for", r"0\.25 s", _DESIGN),
    Fact("how long a connection may idle", "240 s", ("docs/stores.md",)),
    Fact("a rotated key", "at most once a minute", ("docs/settings.md",)),
    Fact("the units of an item", "1,000 write units", ("docs/stores.md",)),
    Fact("little traffic", "Lambda may wait 20 s", ("docs/reading.md",)),
)


@functools.cache
def on_one_line() -> Mapping[str, str]:
    """The text of each document without its fences; the changelog may say everything again."""
    said = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in DOCUMENTS}
    del said["CHANGELOG.md"]
    return {name: " ".join(FENCE.sub("", text).split()) for name, text in said.items()}


def misplaced(fact: Fact, texts: Mapping[str, str]) -> list[str]:
    """Where a fact stands and should not, or does not and should."""
    found = {name for name, text in texts.items() if re.search(fact.said, text)}
    wanted = {*fact.homes, *fact.repeated}
    return [
        *(f"link to {' or '.join(fact.homes)} in {name}" for name in sorted(found - wanted)),
        *(f"it is not in {name}" for name in sorted(wanted - found)),
    ]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_a_fact_stands_in_its_home_and_nowhere_else(fact):
    assert misplaced(fact, on_one_line()) == []


def test_a_fact_that_stands_twice_or_not_at_home_is_found():
    fact = Fact("patience", "gives up after [0-9]+ s", ("home.md",), ("api.md",))
    texts = {
        "home.md": "It waits.",
        "api.md": "it gives up after 5 s",
        "b.md": "gives up after 6 s",
    }
    assert misplaced(fact, texts) == ["link to home.md in b.md", "it is not in home.md"]
