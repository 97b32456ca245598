"""Whether the queue and its dead letters are as the template has them."""

from collections.abc import Mapping

from tally.cli.doctor.check import Check, bad, good
from tally.cli.redrive import redrive_policy

MIN_RECEIVES = 3
"""Fewer, and good messages die of a moment's trouble. AWS advises five for Lambda."""

Attributes = Mapping[str, str]
"""Of a queue, as GetQueueAttributes tells them."""


def check_redrive(queue: Attributes) -> Check:
    """Whether messages that fail for good are kept, and not too soon."""
    name, policy = "redrive policy", redrive_policy(queue)
    if not policy:
        advice = "without one a bad message comes back until it expires"
        return bad(name, "there is no dead-letter queue", advice)
    receives = int(policy["maxReceiveCount"])
    text = f"a message is dead after {receives} receives"
    if receives < MIN_RECEIVES:
        return bad(name, text, f"at least {MIN_RECEIVES} are needed, and 5 are better")
    return good(name, text)


def check_type(queue: Attributes, dead: Attributes) -> Check:
    """Whether both queues are standard, or both FIFO."""
    kinds = ["FIFO" if each.get("FifoQueue") == "true" else "standard" for each in (queue, dead)]
    text = f"{kinds[0]}, and {kinds[1]} for the dead letters"
    return good("type", text) if kinds[0] == kinds[1] else bad("type", text, "SQS needs them alike")


def check_retention(queue: Attributes, dead: Attributes) -> Check:
    """Whether a dead letter outlives its queue: its age goes on counting from its first send."""
    name = "retention"
    kept_s, dead_s = (int(each["MessageRetentionPeriod"]) for each in (queue, dead))
    text = f"{_days(kept_s)}, and {_days(dead_s)} for the dead letters"
    if dead_s > kept_s:
        return good(name, text)
    return bad(name, text, "a late dead letter is lost at once; set 14 days for them")


def check_encryption(name: str, queue: Attributes) -> Check:
    """Whether a queue's messages are encrypted at rest."""
    if queue.get("KmsMasterKeyId"):
        return good(name, "encrypted with a key of KMS")
    if queue.get("SqsManagedSseEnabled") == "true":
        return good(name, "encrypted by SQS")
    return bad(name, "not encrypted at rest", "set SqsManagedSseEnabled")


def check_dead_letters(dead: Attributes) -> Check:
    """Whether there are dead letters."""
    name = "dead letters"
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    count = sum(int(dead[each]) for each in names)
    if not count:
        return good(name, "none")
    return bad(name, f"{count}", "see `tally dlq list`, and docs/operations.md")


def _days(duration_s: int) -> str:
    return f"{duration_s / 86_400:g} days"
