"""How Lambda reads the answer to an SQS batch, and the records it makes: every case."""

import json
from typing import Any

import pytest

from tally.local.lambda_.sqs_event import failed_messages, sqs_record

IDS = ("a", "b", "c")
NONE: frozenset[str] = frozenset()
ALL = frozenset(IDS)


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        ("null", NONE),
        ("{}", NONE),
        ('{"batchItemFailures": null}', NONE),
        ('{"batchItemFailures": []}', NONE),
        ('{"statusCode": 200}', NONE),
        ('{"batchItemFailures": [{"itemIdentifier": "b"}]}', {"b"}),
        ('{"batchItemFailures": [{"itemIdentifier": "b", "more": 1}], "more": 2}', {"b"}),
        ('{"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "b"}]}', {"b"}),
        ('{"batchItemFailures": [{"itemIdentifier": "c"}, {"itemIdentifier": "a"}]}', {"a", "c"}),
        ('{"batchItemFailures": [{"itemIdentifier": ""}]}', ALL),
        ('{"batchItemFailures": [{"itemIdentifier": null}]}', ALL),
        ('{"batchItemFailures": [{"itemIdentifier": 1}]}', ALL),
        ('{"batchItemFailures": [{"itemIdentifier": ["a"]}]}', ALL),
        ('{"batchItemFailures": [{"itemIdentifier": "unknown"}]}', ALL),
        ('{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "unknown"}]}', ALL),
        ('{"batchItemFailures": [{"itemidentifier": "a"}]}', ALL),
        ('{"batchItemFailures": [{}]}', ALL),
        ('{"batchItemFailures": ["a"]}', ALL),
        ('{"batchItemFailures": [null]}', ALL),
        ('{"batchItemFailures": {"itemIdentifier": "a"}}', ALL),
        ('{"batchItemFailures": "a"}', ALL),
        ('{"batchItemFailures": 0}', ALL),
        ("[]", ALL),
        ('"ok"', ALL),
        ("true", ALL),
        ("1", ALL),
        ("", ALL),
        ("{", ALL),
    ],
)
def test_a_response_is_read_as_aws_documents_it(response, failed):
    assert failed_messages(response.encode(), IDS) == failed


MESSAGE: Any = {
    "MessageId": "id",
    "ReceiptHandle": "handle",
    "Body": "{}",
    "MD5OfBody": "99914b932bd37a50b983c5e7c90ae93b",
    "Attributes": {"ApproximateReceiveCount": "2", "SentTimestamp": "1790000000123"},
    "MessageAttributes": {
        "text": {"DataType": "String", "StringValue": "x"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    },
}


def test_a_record_has_lambdas_names():
    lists: dict[str, list[str]] = {"stringListValues": [], "binaryListValues": []}
    record = sqs_record(MESSAGE, "arn:aws:sqs:us-east-1:123456789012:queue")
    assert json.loads(json.dumps(record)) == {
        "messageId": "id",
        "receiptHandle": "handle",
        "body": "{}",
        "attributes": {"ApproximateReceiveCount": "2", "SentTimestamp": "1790000000123"},
        "messageAttributes": {
            "text": {"stringValue": "x", **lists, "dataType": "String"},
            "bytes": {"binaryValue": "AP8=", **lists, "dataType": "Binary"},
        },
        "md5OfBody": "99914b932bd37a50b983c5e7c90ae93b",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue",
        "awsRegion": "us-east-1",
    }
