"""Publishes named increments with plain boto3: the JSON contract, and nothing of Tally.

    python examples/publish_boto3.py page:home order-17 order-18

An increment with an id and its `at` counts once, however often it is sent: so whatever may have
failed is sent again as it was. This program may also be run again with the same ids, soon: it
stamps them anew, and the counter knows an id for a day, or for some 105,000 others.
"""

import json
import os
import sys
import time
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

ENTRIES_PER_REQUEST = 10  # SQS's limit
MAX_ATTEMPTS = 5
BACKOFF_S = 0.2


def main(counter: str, *ids: str) -> int:
    """Publish an increment for each id; returns the exit status."""
    # When it happened, the same in every copy: keep it with an id that you may repeat much later.
    at = time.time_ns() // 1_000_000
    bodies = [json.dumps({"counter": counter, "id": event_id, "at": at}) for event_id in ids]
    sqs, unsent = boto3.client("sqs"), []
    for start in range(0, len(bodies), ENTRIES_PER_REQUEST):
        unsent += send(sqs, bodies[start : start + ENTRIES_PER_REQUEST])
    print(f"{len(bodies) - len(unsent)} of {len(bodies)} increments confirmed")
    for body in unsent:
        print(f"not confirmed: {body}", file=sys.stderr)
    return 1 if unsent else 0


def send(sqs: "SQSClient", bodies: list[str]) -> list[str]:
    """Send up to ten messages, again those that failed; returns those that SQS has not confirmed.

    boto3 raises when a request fails as a whole. When single messages of it fail, it does not: they
    are in `Failed`, and lost for whoever does not look there.
    """
    waiting = {str(place): body for place, body in enumerate(bodies)}
    refused: list[str] = []
    for attempt in range(MAX_ATTEMPTS):
        time.sleep(attempt * BACKOFF_S)
        answer = sqs.send_message_batch(
            QueueUrl=os.environ["SQS_QUEUE_URL"],
            Entries=[{"Id": place, "MessageBody": body} for place, body in waiting.items()],
        )
        for entry in answer.get("Successful", []):
            del waiting[entry["Id"]]
        # A fault of the sender's is refused again each time; another one passes.
        failed = [entry["Id"] for entry in answer.get("Failed", []) if entry["SenderFault"]]
        refused += [waiting.pop(place) for place in failed]
        if not waiting:
            break
    return [*refused, *waiting.values()]


if __name__ == "__main__":
    if len(sys.argv) < 3:  # noqa: PLR2004 (the program, a counter, an id)
        sys.exit("usage: publish_boto3.py COUNTER ID...")
    sys.exit(main(*sys.argv[1:]))
