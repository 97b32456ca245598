"""Whether the Lambda function that reads the queue is set up as the template has it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tally.aws import AWS_ERRORS, described
from tally.cli.doctor.check import Check, bad, good, skipped

FUNCTION, VISIBILITY = "function", "visibility timeout"

VISIBILITY_FACTOR = 6
"""A message stays hidden for six times the function's timeout, and the window: AWS's own advice,
so that a throttled invocation can be tried again before the message comes back."""

REPORTS = "ReportBatchItemFailures"

MAX_MAPPINGS = 10
"""A queue has one, or a second one during a move."""

BY_HAND = "give --function-timeout and --window to check the visibility timeout"


class Timing(NamedTuple):
    """A function's timeout and its batching window, in seconds."""

    timeout_s: int
    window_s: int


def check_functions(client: Any, queue_arn: str, visibility_s: int) -> Iterator[Check]:  # noqa: ANN401 (boto3's)
    """Ask Lambda who reads the queue, and how; what may not be asked is skipped."""
    try:
        mappings = client.list_event_source_mappings(
            EventSourceArn=queue_arn, MaxItems=MAX_MAPPINGS
        )["EventSourceMappings"]
        if not mappings:
            yield bad(FUNCTION, "no Lambda function reads the queue", "deploy: docs/deploy.md")
        for mapping in mappings:
            yield check_mapping(mapping)
            function = client.get_function_configuration(FunctionName=mapping["FunctionArn"])
            window_s = mapping.get("MaximumBatchingWindowInSeconds", 0)
            yield check_visibility(visibility_s, Timing(function["Timeout"], window_s))
    except AWS_ERRORS as error:
        yield skipped(FUNCTION, f"Lambda cannot be asked: {described(error)}", BY_HAND)


def check_mapping(mapping: Mapping[str, Any]) -> Check:
    """Whether the event source mapping works, and deletes only what succeeded."""
    name = mapping["FunctionArn"].rpartition(":function:")[2]
    if REPORTS not in mapping.get("FunctionResponseTypes", ()):
        advice = f"without {REPORTS} messages that were reported are deleted, and lost"
        return bad(FUNCTION, f"{name} does not report failures", advice)
    if mapping["State"] != "Enabled":
        return bad(FUNCTION, f"{name} is {mapping['State']}", "enable its event source mapping")
    return good(FUNCTION, f"{name} reads the queue, and reports what failed")


def check_visibility(visibility_s: int, timing: Timing) -> Check:
    """Whether a message stays hidden long enough to be tried."""
    least_s = VISIBILITY_FACTOR * timing.timeout_s + timing.window_s
    rule = f"{VISIBILITY_FACTOR} x {timing.timeout_s} s + {timing.window_s} s = {least_s} s"
    if visibility_s >= least_s:
        return good(VISIBILITY, f"{visibility_s} s, and {rule} are needed")
    return bad(VISIBILITY, f"{visibility_s} s", f"{rule} are needed")
