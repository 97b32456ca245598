"""What an invocation printed, as CloudWatch would read it: lines of JSON, some of them metrics."""

from typing import Any

import msgspec

EMF_MARK = "_aws"
"""The key by which CloudWatch, and this, knows a line as metrics."""


def lines_of(output: str) -> list[dict[str, Any]]:
    """The lines that are JSON objects; any other, such as those of a traceback, is left out."""
    return [line for line in map(_parsed, output.split("\n")) if line]


def metrics_of(line: dict[str, Any]) -> dict[str, int]:
    """The sum of each metric of an EMF record, by its name; none of any other line."""
    return {
        metric["Name"]: int(sum(line[metric["Name"]]))
        for directive in line.get(EMF_MARK, {}).get("CloudWatchMetrics", ())
        for metric in directive["Metrics"]
    }


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return None
