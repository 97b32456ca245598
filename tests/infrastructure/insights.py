"""CloudWatch Logs Insights as far as the saved queries go: their commands, on lines of a log.

A query that uses more than this is refused, so that no query is half tested. The language is that
of AWS's page "CloudWatch Logs Insights language query syntax".
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]
Step = Callable[[list[Row]], list[Row]]

_TOKEN = re.compile(
    r"""\s+ | (?P<text>"[^"]*"|'[^']*') | (?P<pattern>/(?:\\.|[^/])+/)
    | (?P<word>[@\w.*]+) | (?P<sign>[=,|()])""",
    re.VERBOSE,
)
_MINUTE_MS = 60_000


class Query:
    """A query, taken apart.

    Attributes:
        reads: the fields that it asks of log lines.

    Raises:
        ValueError: it uses what is not known here.
    """

    def __init__(self, text: str) -> None:
        self.reads: set[str] = set()
        self._made: set[str] = set()
        self._shown: list[str] = []
        self._steps = [self._step(command) for command in _commands(text)]

    def run(self, events: Iterable[Row]) -> list[Row]:
        """The rows that the console would show; a field without a value is left out."""
        rows: list[Row] = [dict(event) for event in events]
        for step in self._steps:
            rows = step(rows)
        return [
            {name: row[name] for name in self._shown or row if row.get(name) is not None}
            for row in rows
        ]

    def _step(self, command: list[str]) -> Step:
        steps: dict[str, Callable[[list[str]], Step]] = {
            "filter": self._filter,
            "fields": self._fields,
            "parse": self._parse,
            "stats": self._stats,
            "sort": self._sort,
            "limit": lambda told: lambda rows: rows[: int(told[0])],
        }
        name, *rest = command
        if name not in steps:
            raise ValueError(name)
        return steps[name](rest)

    def _field(self, name: str) -> Callable[[Row], Any]:
        if name not in self._made:
            self.reads.add(name)
        return lambda row: row.get(name)

    def _filter(self, told: list[str]) -> Step:
        ways = [self._term(term) for term in _split(told, "or")]
        return lambda rows: [row for row in rows if any(way(row) for way in ways)]

    def _term(self, told: list[str]) -> Callable[[Row], bool]:
        match told:
            case ["ispresent", "(", name, ")"]:
                field = self._field(name)
                return lambda row: field(row) is not None
            case [name, "=", literal]:
                field = self._field(name)
                return lambda row: str(field(row)) == literal[1:-1]
            case [name, "like", literal]:
                field, pattern = self._field(name), _pattern(literal)
                return lambda row: bool(re.search(pattern, str(field(row) or "")))
        raise ValueError(told)

    def _fields(self, told: list[str]) -> Step:
        made = [self._named(part) for part in _split(told, ",")]

        def step(rows: list[Row]) -> list[Row]:
            # What is not shown stays known to the commands behind this one.
            return [row | {name: value(row) for name, value in made} for row in rows]

        self._shown = [name for name, _ in made]
        return step

    def _named(self, told: list[str]) -> tuple[str, Callable[[Row], Any]]:
        match told:
            case [name]:
                return name, self._field(name)
            case [function, "(", *arguments, ")", "as", name]:
                value = self._called(function, arguments)
                self._made.add(name)
                return name, value
        raise ValueError(told)

    def _called(self, function: str, told: list[str]) -> Callable[[Row], Any]:
        arguments = _split(told, ",")
        match function, arguments:
            case "coalesce", _:
                fields = [self._field(name) for [name] in arguments]
                return lambda row: next((v for f in fields if (v := f(row)) is not None), None)
            case "strcontains", [[name], [literal]]:
                field = self._field(name)
                return lambda row: int(literal[1:-1] in str(field(row)))
        raise ValueError(function)

    def _parse(self, told: list[str]) -> Step:
        name, literal = told
        field, pattern = self._field(name), re.compile(_pattern(literal))
        self._made |= pattern.groupindex.keys()

        def step(rows: list[Row]) -> list[Row]:
            found = [pattern.search(str(field(row))) for row in rows]
            return [
                row | (match.groupdict() if match else {})
                for row, match in zip(rows, found, strict=True)
            ]

        return step

    def _stats(self, told: list[str]) -> Step:
        self._shown = []
        what, by = _split(told, "by")
        made = [self._aggregate(part) for part in _split(what, ",")]
        keys = [self._key(part) for part in _split(by, ",")]

        def step(rows: list[Row]) -> list[Row]:
            groups: dict[tuple[Any, ...], list[Row]] = {}
            for row in rows:
                groups.setdefault(tuple(value(row) for _, value in keys), []).append(row)
            names = [name for name, _ in keys]
            return [
                dict(zip(names, key, strict=True)) | {name: fold(group) for name, fold in made}
                for key, group in groups.items()
            ]

        return step

    def _key(self, told: list[str]) -> tuple[str, Callable[[Row], Any]]:
        match told:
            case [name]:
                return name, self._field(name)
            case ["bin", "(", span, ")"] if re.fullmatch(r"\d+m", span):
                width_ms = int(span[:-1]) * _MINUTE_MS
                return f"bin({span})", lambda row: row["@timestamp"] // width_ms * width_ms
        raise ValueError(told)

    def _aggregate(self, told: list[str]) -> tuple[str, Callable[[list[Row]], Any]]:
        match told:
            case ["count", "(", "*", ")", "as", name]:
                self._made.add(name)
                return name, len
            case [function, "(", field, ")", "as", name] if function in _FOLDS:
                value, fold = self._field(field), _FOLDS[function]
                self._made.add(name)
                return name, lambda rows: fold(_dated(rows, value))
        raise ValueError(told)

    def _sort(self, told: list[str]) -> Step:
        name, order = told
        field = self._field(name)

        def place(row: Row) -> tuple[bool, Any]:
            value = field(row)
            return value is not None, value if value is not None else 0

        return lambda rows: sorted(rows, key=place, reverse={"asc": False, "desc": True}[order])


def _dated(rows: Sequence[Row], value: Callable[[Row], Any]) -> list[Any]:
    """The values that there are, the oldest first."""
    found = [value(row) for row in sorted(rows, key=lambda row: row["@timestamp"])]
    return [each for each in found if each is not None]


_FOLDS: Mapping[str, Callable[[list[Any]], Any]] = {
    "count": len,
    "count_distinct": lambda values: len(set(values)),
    "latest": lambda values: values[-1] if values else None,
    "max": lambda values: max(map(float, values), default=None),
    "sum": lambda values: sum(map(float, values)) if values else None,
}


def event(message: str, *, at_ms: int, group: str) -> Row:
    """A line as Insights knows it: what JSON says is discovered, and of text nothing."""
    try:
        told = json.loads(message)
    except ValueError:
        told = None
    found = dict(_flat("", told)) if isinstance(told, dict) else {}
    return found | {"@timestamp": at_ms, "@message": message, "@log": group}


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a JSON value: `a.b` in an object, `a.0` in an array."""
    match value:
        case dict():
            parts = list(value.items())
        case list():
            parts = [(str(place), each) for place, each in enumerate(value)]
        case _:
            yield prefix, value
            return
    for name, each in parts:
        yield from _flat(f"{prefix}.{name}" if prefix else name, each)


def _commands(text: str) -> list[list[str]]:
    tokens, place = [], 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if not found:
            raise ValueError(text[place:])
        place = found.end()
        if found.lastgroup:
            tokens.append(found[0])
    return _split(tokens, "|")


def _split(tokens: Sequence[str], at: str) -> list[list[str]]:
    """The parts between these tokens, where they stand outside of parentheses."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == at and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _pattern(literal: str) -> str:
    """A literal of `like` or `parse` as Python has it."""
    inner = literal[1:-1]
    return inner.replace("(?<", "(?P<") if literal.startswith("/") else re.escape(inner)
