"""Whether this machine's clock agrees with SQS's, by which increments are judged."""

import email.utils
from collections.abc import Mapping
from typing import Any

from tally.cli.doctor.check import Check, bad, good, skipped
from tally.counters.event import MAX_FUTURE_MS

NAME = "clock"

MAX_SKEW_S = 60.0
"""From here on something is wrong with a clock, long before increments are refused for it."""

HEADER_RESOLUTION_S = 1.0
"""A Date header has no fractions: half of this is added to it."""


def check_clock(answer: Mapping[str, Any], asked_ms: int, answered_ms: int) -> Check:
    """Compare the time of this machine with that of an answer of SQS.

    Args:
        answer: what botocore returns, also with an error.
        asked_ms: this machine's time before the call, in ms since the epoch.
        answered_ms: the same, after it.
    """
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    told = email.utils.parsedate_tz(date)
    if told is None:
        return skipped(NAME, "SQS's answer has no time")
    theirs_s = email.utils.mktime_tz(told) + HEADER_RESOLUTION_S / 2
    skew_s = (asked_ms + answered_ms) / 2_000 - theirs_s
    uncertain_s = HEADER_RESOLUTION_S + (answered_ms - asked_ms) / 2_000
    if abs(skew_s) <= uncertain_s:
        return good(NAME, "in step with SQS's")
    text = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} SQS's"
    if abs(skew_s) <= MAX_SKEW_S:
        return good(NAME, text)
    limit_s = MAX_FUTURE_MS // 1_000
    return bad(NAME, text, f"set it; increments over {limit_s} s ahead of SQS are invalid")
