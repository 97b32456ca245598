"""JSON lines and CSV read as the fields of increments, each line with its number."""

import codecs
import csv
import enum
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import msgspec

from tally.cli.output import counted
from tally.counters.event import Increment

OTHER_COMMAS = (";", "\t")
"""Some spreadsheets write these between cells instead of commas."""

MAX_LINE_BYTES = 1_048_576
"""No increment is longer than SQS's longest message."""

_FIELDS = frozenset(Increment.__struct_fields__)
_NUMBERS = frozenset({"amount", "max", "min", "reset", "seq", "at"})
_INTEGER = re.compile("-?[0-9]{1,19}")  # int() itself reads "1_0" and " 1"


class Format(enum.StrEnum):
    """The format of a file of increments."""

    JSONL = "jsonl"
    CSV = "csv"


class Line(NamedTuple):
    """The fields of one line, or the problem that it has; lines are counted from 1."""

    number: int
    fields: Mapping[str, Any]
    problem: str = ""


def read(stream: BinaryIO, form: Format) -> Iterator[Line]:
    """The lines of a stream without empty ones; a bad line has a `problem`, and raises nothing."""
    return _read_csv(stream) if form is Format.CSV else _read_json(stream)


def _read_json(stream: BinaryIO) -> Iterator[Line]:
    is_first = True
    for number, line in _lines(stream):
        if len(line) > MAX_LINE_BYTES:
            yield Line(number, {}, f"is longer than {MAX_LINE_BYTES} bytes")
        elif is_first and _is_header(line):  # no other line can be JSON either
            yield Line(number, {}, "is not JSON, but the first line of CSV: add --format csv")
            return
        elif line.strip():
            yield _json_line(number, line)
        else:
            continue
        is_first = False


def _json_line(number: int, line: bytes) -> Line:
    try:
        fields = msgspec.json.decode(line)
    except RecursionError:
        return Line(number, {}, "is nested too deep to be read")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Line(number, {}, f"is not JSON: {error}")
    if isinstance(fields, dict):
        return Line(number, fields)
    return Line(number, {}, "is no JSON object")


def _read_csv(stream: BinaryIO) -> Iterator[Line]:
    """The first line names the fields; an empty cell is an absent field."""
    names: list[str] = []
    for number, line in _lines(stream):
        cells, problem = _cells(line)
        if not cells and not problem:
            continue
        if not names:
            names, problem = cells, problem or _header_problem(cells)
            if problem:  # nobody knows what the other lines mean
                yield Line(number, {}, problem)
                return
        elif problem:
            yield Line(number, {}, problem)
        elif len(cells) != len(names):
            has = counted(len(cells), "cell")
            yield Line(number, {}, f"has {has}, the first line has {len(names)}")
        else:
            given = {name: cell for name, cell in zip(names, cells, strict=True) if cell}
            yield Line(number, {name: _typed(name, cell) for name, cell in given.items()})


def _is_header(line: bytes) -> bool:
    cells, problem = _cells(line)
    return bool(cells) and not problem and not _header_problem(cells)


def _header_problem(names: list[str]) -> str:
    for comma in OTHER_COMMAS:
        if comma in names[0] and _FIELDS.issuperset(names[0].split(comma)):
            return f"must name the fields with commas between them, found {names[0]!r}"
    for position, name in enumerate(names):
        if name not in _FIELDS:
            return f"must name the fields: {name!r} is no field of an increment"
        if name in names[:position]:
            return f"names {name!r} twice"
    return ""


def _cells(line: bytes) -> tuple[list[str], str]:
    if len(line) > MAX_LINE_BYTES:
        return [], f"is longer than {MAX_LINE_BYTES} bytes"
    if line.count(b'"') % 2:
        # This also finds the end of a cell that began lines above: it would look like other cells.
        return [], "is not CSV: a quote is not closed in its line"
    try:
        rows = list(csv.reader([line.decode()], strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        return [], f"is not CSV: {error}"
    return (rows[0] if rows else []), ""


def _typed(name: str, cell: str) -> int | str:
    """A cell in its field's type; if it is no number it stays text, which the contract refuses."""
    return int(cell) if name in _NUMBERS and _INTEGER.fullmatch(cell) else cell


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Numbered lines without a byte order mark; too long a line is cut just past the limit."""
    number, mark = 0, codecs.BOM_UTF8
    while rest := stream.readline(len(mark) + MAX_LINE_BYTES + 1):
        number += 1
        yield number, rest.removeprefix(mark)
        mark = b""
        while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES + 1)
