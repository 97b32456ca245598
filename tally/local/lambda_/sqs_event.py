"""What Lambda hands to a function for an SQS batch, and how it reads what the function returns."""

import base64
import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueOutputTypeDef, MessageTypeDef


def failed_messages(response: bytes, message_ids: Collection[str]) -> frozenset[str]:
    """Tell which messages of a batch failed, by what the function returned with success.

    AWS documents this reading: null, an empty object, and a null or empty `batchItemFailures` are
    a complete success; invalid JSON, an item without a proper `itemIdentifier` (a bad key name,
    null, empty) and one that names no message of the batch are a complete failure. An object
    without the list is read as one whose list is null.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    everything = frozenset(message_ids)
    try:
        answer = json.loads(response)
    except ValueError:
        return everything
    match answer:
        case {"batchItemFailures": list(items)}:
            named = [item.get("itemIdentifier") for item in items if isinstance(item, dict)]
            known = [name for name in named if isinstance(name, str) and name in everything]
            return frozenset(known) if len(known) == len(items) else everything
        case None | {"batchItemFailures": None}:
            return frozenset()
        case dict() if "batchItemFailures" not in answer:
            return frozenset()
        case _:
            return everything


def sqs_record(message: "MessageTypeDef", queue_arn: str) -> dict[str, Any]:
    """The record of a received message, in the form that Lambda gives it."""
    attributes: Mapping[str, MessageAttributeValueOutputTypeDef] = message.get(
        "MessageAttributes", {}
    )
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {name: _attribute(value) for name, value in attributes.items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }


def _attribute(value: "MessageAttributeValueOutputTypeDef") -> dict[str, Any]:
    content = (
        {"binaryValue": base64.b64encode(value["BinaryValue"]).decode()}
        if "BinaryValue" in value
        else {"stringValue": value.get("StringValue", "")}
    )
    empty: dict[str, list[str]] = {"stringListValues": [], "binaryListValues": []}
    return content | empty | {"dataType": value["DataType"]}
