"""The doctor's checks of settings, queue and function: what it found, and what to do about it."""

import dataclasses
import email.utils
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tally.aws import AWS_ERRORS, described
from tally.cli.dlq.queue import redrive_policy
from tally.counters.event import MAX_FUTURE_MS
from tally.reading.errors import ReadError
from tally.stores.errors import BrokenSetupError

MOMENTO, CACHE, CLOCK = "Momento", "cache", "clock"
FUNCTION, VISIBILITY, CONCURRENCY = "function", "visibility timeout", "concurrency"

MAX_SKEW_S = 60.0
"""A clock that is off by more is wrong, long before increments are refused for it."""

HEADER_RESOLUTION_S = 1.0
"""A Date header has no fractions of a second: half of this is added to it."""

MIN_RECEIVES = 3
"""With fewer receives a short trouble kills good messages. AWS advises five for Lambda."""

VISIBILITY_FACTOR = 6
"""A message should stay hidden for six times the function's timeout plus the window: AWS advises
this, so that a throttled invocation can be tried again before the message comes back."""

REPORTS = "ReportBatchItemFailures"

MAX_MAPPINGS = 10
"""A queue has one mapping, or two during a move."""

REACH = "see that MOMENTO_ENDPOINT or MOMENTO_LOCAL can be reached, and the quotas"
BY_HAND = "give --function-timeout and --window to check the visibility timeout"

Attributes = Mapping[str, str]
"""The attributes of a queue, as GetQueueAttributes returns them."""


class Mark(enum.StrEnum):
    """How a check ended."""

    OK = "ok"
    BAD = "bad"
    SKIPPED = "skipped"


SIGNS = {Mark.OK: "✓", Mark.BAD: "✗", Mark.SKIPPED: "–"}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of the report: what was found, or why it was skipped, and what to do about it."""

    name: str
    verdict: Mark
    text: str
    advice: str = ""

    @property
    def line(self) -> str:
        """The finding as people read it."""
        advice = f"; {self.advice}" if self.advice else ""
        return f"{SIGNS[self.verdict]} {self.name}: {self.text}{advice}"


def good(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(name, Mark.OK, text)


def bad(name: str, text: str, advice: str) -> Finding:
    """Something is wrong; `advice` says what to do."""
    return Finding(name, Mark.BAD, text, advice)


def skipped(name: str, why: str, advice: str = "") -> Finding:
    """It was not checked; `why` says the reason."""
    return Finding(name, Mark.SKIPPED, why, advice)


def check_cache(name: str, read: Callable[[], object]) -> list[Finding]:
    """Whether Momento takes the key and has the cache: one read of any counter shows it."""
    finding = good(MOMENTO, "it takes the key")
    try:
        read()
    except BrokenSetupError as error:
        if error.is_missing:
            problem = f"there is no cache {name!r}"
            return [finding, bad(CACHE, problem, "create it, or mend MOMENTO_CACHE_NAME")]
        finding = bad(MOMENTO, str(error), "mend the key, its permissions or MOMENTO_ENDPOINT")
    except ReadError as error:
        finding = bad(MOMENTO, str(error), REACH)
    if finding.verdict is Mark.BAD:
        return [finding, skipped(CACHE, "Momento cannot be asked")]
    return [finding, good(CACHE, f"{name!r} is there")]


def check_clock(answer: Mapping[str, Any], asked_ms: int, answered_ms: int) -> Finding:
    """Whether this machine's clock agrees with SQS's, by which increments are judged.

    `answer` is botocore's, or that of an error; this machine's times before and after are in ms.
    """
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    date_parts = email.utils.parsedate_tz(date)
    if date_parts is None:
        return skipped(CLOCK, "SQS's answer has no time")
    theirs_s = email.utils.mktime_tz(date_parts) + HEADER_RESOLUTION_S / 2
    skew_s = (asked_ms + answered_ms) / 2_000 - theirs_s
    uncertain_s = HEADER_RESOLUTION_S + (answered_ms - asked_ms) / 2_000
    if abs(skew_s) <= uncertain_s:
        return good(CLOCK, "in step with SQS's")
    text = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} SQS's"
    if abs(skew_s) <= MAX_SKEW_S:
        return good(CLOCK, text)
    limit_s = MAX_FUTURE_MS // 1_000
    return bad(CLOCK, text, f"set it: increments over {limit_s} s ahead of SQS are invalid")


def check_redrive(queue: Attributes) -> Finding:
    """Whether messages that fail for good are kept, and not too soon."""
    name, policy = "redrive policy", redrive_policy(queue)
    if not policy:
        why = "there is no dead-letter queue"
        return bad(name, why, "add one, or a bad message comes back until it expires")
    receives = int(policy["maxReceiveCount"])
    text = f"a message is dead after {receives} receives"
    if receives < MIN_RECEIVES:
        return bad(name, text, f"set maxReceiveCount to 5, or at least to {MIN_RECEIVES}")
    return good(name, text)


def check_encryption(name: str, queue: Attributes) -> Finding:
    """Whether a queue's messages are encrypted at rest."""
    if queue.get("KmsMasterKeyId"):
        return good(name, "encrypted with a key of KMS")
    if queue.get("SqsManagedSseEnabled") == "true":
        return good(name, "encrypted by SQS")
    return bad(name, "not encrypted at rest", "set SqsManagedSseEnabled")


class Timing(NamedTuple):
    """A function's timeout and its batching window, in seconds."""

    timeout_s: int
    window_s: int


def check_functions(client: Any, queue_arn: str, visibility_s: int) -> Iterator[Finding]:  # noqa: ANN401 (boto3's)
    """Ask Lambda who reads the queue, and how; without the right to ask, it is skipped."""
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
        return
    if mappings:
        yield check_concurrency(client, mappings)


def check_concurrency(client: Any, mappings: Iterable[Mapping[str, Any]]) -> Finding:  # noqa: ANN401 (boto3's)
    """Whether the account lets as many consumers run at once as the queue may have."""
    try:
        limit = client.get_account_settings()["AccountLimit"]
    except AWS_ERRORS as error:
        return skipped(CONCURRENCY, f"Lambda cannot be asked: {described(error)}")
    free = limit["UnreservedConcurrentExecutions"]
    wanted = sum(each.get("ScalingConfig", {}).get("MaximumConcurrency", 0) for each in mappings)
    text = f"{limit['ConcurrentExecutions']:,} in this account, {free:,} of them unreserved"
    if wanted <= free:
        return good(CONCURRENCY, text)
    return bad(
        CONCURRENCY,
        text,
        f"make MaximumConcurrency less than its {wanted:,}, or have Lambda's quota raised",
    )


def check_mapping(mapping: Mapping[str, Any]) -> Finding:
    """Whether the event source mapping works, and deletes only what succeeded."""
    name = mapping["FunctionArn"].rpartition(":function:")[2]
    if REPORTS not in mapping.get("FunctionResponseTypes", ()):
        text, or_else = f"{name} does not report failures", "messages that were reported are lost"
        return bad(
            FUNCTION, text, f"add {REPORTS} to its event source mapping: without it {or_else}"
        )
    if mapping["State"] != "Enabled":
        return bad(FUNCTION, f"{name} is {mapping['State']}", "enable its event source mapping")
    return good(FUNCTION, f"{name} reads the queue, and reports what failed")


def check_visibility(visibility_s: int, timing: Timing) -> Finding:
    """Whether a message stays hidden long enough to be tried."""
    least_s = VISIBILITY_FACTOR * timing.timeout_s + timing.window_s
    rule = f"{VISIBILITY_FACTOR} x {timing.timeout_s} s + {timing.window_s} s = {least_s} s"
    if visibility_s >= least_s:
        return good(VISIBILITY, f"{visibility_s} s, and {rule} are needed")
    return bad(VISIBILITY, f"{visibility_s} s", f"set it to {rule} or more")


def check_type(queue: Attributes, dead: Attributes) -> Finding:
    """Whether both queues are standard, or both FIFO."""
    kinds = ["FIFO" if each.get("FifoQueue") == "true" else "standard" for each in (queue, dead)]
    text = f"{kinds[0]}, and {kinds[1]} for the dead letters"
    if kinds[0] == kinds[1]:
        return good("type", text)
    return bad("type", text, "make both alike, as SQS needs them")


def check_retention(queue: Attributes, dead: Attributes) -> Finding:
    """Whether dead letters are kept longer: their age still counts from their first send."""
    name = "retention"
    kept_s, dead_s = (int(each["MessageRetentionPeriod"]) for each in (queue, dead))
    text = f"{_days(kept_s)}, and {_days(dead_s)} for the dead letters"
    if dead_s > kept_s:
        return good(name, text)
    return bad(name, text, "set 14 days for them: a late dead letter is lost at once")


def check_dead_letters(dead: Attributes) -> Finding:
    """Whether there are dead letters."""
    name = "dead letters"
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    count = sum(int(dead[each]) for each in names)
    if not count:
        return good(name, "none")
    return bad(name, f"{count}", "see `tally dlq list`, and docs/operations.md")


def _days(duration_s: int) -> str:
    return f"{duration_s / 86_400:g} days"
