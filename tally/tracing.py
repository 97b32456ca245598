"""The traces of X-Ray and W3C, read from what carries them: a variable, a message's attributes.

Nothing here makes a segment or a span: Lambda and API Gateway do, and a message only carries on
which trace it belongs to.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

VARIABLE = "_X_AMZN_TRACE_ID"
"""Lambda sets it to the trace of the present invocation."""

ATTRIBUTE = "AWSTraceHeader"
"""The system attribute in which SQS carries the header; it does not count for a message's size."""

TRACEPARENT = "traceparent"
"""The attribute in which OpenTelemetry's propagators carry theirs (W3C Trace Context)."""

_ROOT = re.compile("1-[0-9a-f]{8}-[0-9a-f]{24}")
_PARENT = re.compile("[0-9a-f]{16}")
_SAMPLED = re.compile("[01]")
_FIELDS = (("Root", _ROOT), ("Parent", _PARENT), ("Sampled", _SAMPLED))
_TRACEPARENT = re.compile("[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def trace_header(environ: Mapping[str, str] = os.environ) -> str:
    """The trace header of the present invocation, as SQS takes it; empty if there is none."""
    return well_formed(environ.get(VARIABLE, ""))


def well_formed(header: str) -> str:
    """A header with only the three fields that X-Ray documents; empty if it names no trace.

    SQS refuses a message whose header is not well formed, and a trace is not worth an increment.
    """
    found = _fields(header)
    if not trace_id(header):
        return ""
    return ";".join(
        f"{name}={found[name]}" for name, form in _FIELDS if form.fullmatch(found.get(name, ""))
    )


def system_attributes(header: str) -> dict[str, Any]:
    """The header as SendMessage and SendMessageBatch take it."""
    return {ATTRIBUTE: {"DataType": "String", "StringValue": header}}


def trace_id(header: str) -> str:
    """The trace that a header of X-Ray's names; empty if it names none."""
    root = _fields(header).get("Root", "")
    return root if _ROOT.fullmatch(root) else ""


def trace_of(record: Mapping[str, Any]) -> str:
    """The trace of an SQS record's producer; empty if the record has none.

    Args:
        record: as Lambda hands it over.
    """
    if found := trace_id(str(record.get("attributes", {}).get(ATTRIBUTE, ""))):
        return found
    attribute = record.get("messageAttributes", {}).get(TRACEPARENT, {})
    parent = _TRACEPARENT.fullmatch(str(attribute.get("stringValue", "")))
    return parent["trace"] if parent else ""


def _fields(header: str) -> dict[str, str]:
    """The fields of a header, `name=value` with semicolons between them."""
    pairs = (field.partition("=") for field in header.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}
