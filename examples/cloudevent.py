"""Publishes a CloudEvent with the cloudevents library: another form of the named increment.

    python examples/cloudevent.py seats:concert-17 A-17

Its source and id together are the increment's id: the same event sent again counts once. Ask what
became of it with `tally outcome seats:concert-17 --id "/web/shop A-17"`.
"""

import os
import sys
from datetime import UTC, datetime

import boto3
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

SEATS = 500


def main(counter: str, seat: str) -> None:
    """Publish that a seat was sold."""
    event = CloudEvent(
        {
            "type": "com.example.seat.sold",
            "source": "/web/shop",
            "id": seat,
            "time": datetime.now(UTC),  # CloudEvents may do without; an increment needs it
            "subject": counter,
        },
        {"amount": 1, "max": SEATS},
    )
    body = JSONFormat().write(event).decode()
    boto3.client("sqs").send_message(QueueUrl=os.environ["SQS_QUEUE_URL"], MessageBody=body)
    print(body)


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 (the program, a counter, a seat)
        sys.exit("usage: cloudevent.py COUNTER SEAT")
    main(*sys.argv[1:])
