"""Increments that arrive inside an envelope of AWS, since whoever set up the way left it on.

Then every message of that way is refused, and a person is called. So the error says what to set
instead of the first field that an increment does not have.
"""

from collections.abc import Mapping

from tally.counters.errors import InvalidIncrementError, shown

_ENVELOPES = (
    (
        {"Type", "TopicArn", "Message"},
        "TopicArn",
        "belongs to an envelope of SNS; set raw message delivery on the subscription",
    ),
    (
        {"detail-type", "source", "detail"},
        "detail-type",
        "belongs to an event of EventBridge; give the rule's target the input path $.detail",
    ),
)
"""By which fields an envelope is known, the one that tells where it is from, and what to do."""


def wrapped(body: object) -> InvalidIncrementError | None:
    """What is wrong with a body, as plain objects, that is an envelope; None if it is not one."""
    if isinstance(body, Mapping):
        for fields, told, reason in _ENVELOPES:
            if fields <= body.keys():
                return InvalidIncrementError(told, reason, shown(body[told]))
    return None
