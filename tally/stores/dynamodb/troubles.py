"""What to do about a failed call: every code of DynamoDB's, every error of botocore's.

The table is docs/stores.md's.
"""

import re

import botocore.exceptions as boto
from botocore.parsers import ResponseParserError

from tally.aws import AWS_ERRORS, described
from tally.stores.port import Failed, Trouble

UNKNOWN, THROTTLED = Trouble.UNKNOWN_OUTCOME, Trouble.THROTTLED
REFUSED, BROKEN = Trouble.REFUSED, Trouble.BROKEN_SETUP

LOST_RACE = "ConditionalCheckFailedException"
MISSING = "ResourceNotFoundException"

UNSIGNED = frozenset({"InvalidSignatureException", "RequestExpired", "RequestExpiredException"})
"""The answer to a signature that is too old, as after a freeze between signing and sending, or that
is not of this key. Only the next request can tell these apart."""

TROUBLES = {
    "TransactionConflictException": UNKNOWN,
    "ReplicatedWriteConflictException": UNKNOWN,
    "InternalServerError": UNKNOWN,
    "InternalFailure": UNKNOWN,
    "ServiceUnavailable": UNKNOWN,
    "ServiceUnavailableException": UNKNOWN,
    **dict.fromkeys(UNSIGNED, UNKNOWN),
    "ProvisionedThroughputExceededException": THROTTLED,
    "ThrottlingException": THROTTLED,
    "Throttling": THROTTLED,
    "RequestLimitExceeded": THROTTLED,
    "LimitExceededException": THROTTLED,
    "ValidationException": REFUSED,
    "ItemCollectionSizeLimitExceededException": REFUSED,
    MISSING: BROKEN,
    "AccessDeniedException": BROKEN,
    "UnrecognizedClientException": BROKEN,
    "ExpiredTokenException": BROKEN,
    "ExpiredToken": BROKEN,
    "InvalidClientTokenId": BROKEN,
    "MissingAuthenticationTokenException": BROKEN,
    "MissingAuthenticationToken": BROKEN,
    "IncompleteSignatureException": BROKEN,
    "IncompleteSignature": BROKEN,
    "OptInRequired": BROKEN,
    "UnknownOperationException": BROKEN,
}
"""By the code of an answer; any other code, of whatever status, is an unknown outcome."""

OTHER_KEY = re.compile(
    "The provided key element does not match the schema"
    "|One or more parameter values were invalid: (Missing the key|Type mismatch for key)"
)
"""What a ValidationException says if no counter can be written: the table has another key."""

UNANSWERED = (
    boto.HTTPClientError,
    boto.ConnectionError,
    boto.IncompleteReadError,
    boto.ChecksumError,
    boto.FlexibleChecksumError,
    boto.EventStreamError,
    ResponseParserError,
    ValueError,
)
"""The request may have arrived, but its answer did not, or only in part; a body that is no text
raises ValueError. All other errors of botocore are about its set-up: credentials, a region, a
profile."""

ERRORS = (*AWS_ERRORS, *UNANSWERED, OSError)
"""What a call may raise. An OSError is about a file or a program that should give credentials:
botocore has its own errors for connections."""

LATE = Failed(UNKNOWN, "no answer in time")
UNSENT = Failed(UNKNOWN, "not sent: the calls before it had no answer in time")
NO_ANSWER = Failed(UNKNOWN, "what came is no answer of DynamoDB's")
UNPROCESSED = Failed(THROTTLED, "UnprocessedKeys")


def code_of(error: Exception) -> str:
    """The code by which DynamoDB refuses; empty if it did not answer."""
    if not isinstance(error, boto.ClientError):
        return ""
    code: str = error.response.get("Error", {}).get("Code", "")
    return code


def failed(error: Exception) -> Failed:
    """What an error means; its text has neither a key nor a value in it."""
    detail = described(error)
    if isinstance(error, boto.ClientError) and not isinstance(error, UNANSWERED):
        code = code_of(error)
        trouble = TROUBLES.get(code, UNKNOWN)
        if OTHER_KEY.match(error.response.get("Error", {}).get("Message", "")):
            return Failed(BROKEN, f"the table's key is not `counter`, a string: {detail}")
        return Failed(trouble, detail, is_missing=code == MISSING)
    return Failed(UNKNOWN if isinstance(error, UNANSWERED) else BROKEN, detail)
