"""How much was published, sent and confirmed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stats:
    """What a publisher has done so far in this process.

    Attributes:
        published: increments taken by publish().
        confirmed: increments that SQS confirmed.
        unsent: increments given up.
        messages: messages that SQS confirmed.
        requests: requests sent, repeats included.
        retries: the repeats among them.
        trying_s: for how long the request on its way has been tried, in seconds; 0 if none is.
        trouble: why that request was not confirmed at its last attempt; empty if it had none.
    """

    published: int = 0
    confirmed: int = 0
    unsent: int = 0
    messages: int = 0
    requests: int = 0
    retries: int = 0
    trying_s: float = 0.0
    trouble: str = ""
