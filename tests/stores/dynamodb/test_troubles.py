"""What each error of DynamoDB and of botocore means, the whole table of them, over HTTP."""

import contextlib
import inspect
import os
import re
import string
import time

import botocore.exceptions as boto
import pytest
from botocore.parsers import ResponseParserError

from tally.stores.dynamodb.store import DynamoStore
from tally.stores.dynamodb.troubles import (
    NO_ANSWER,
    TROUBLES,
    UNANSWERED,
    UNSIGNED,
    failed,
)
from tally.stores.port import ABSENT, Failed, LostRace, Swap, Trouble
from tests.support.dynamodb import LONG_S, OTHER_SCHEMA, Endpoint, Table, refusal, stored

UNKNOWN = [
    *("TransactionConflictException", "ReplicatedWriteConflictException", "InternalServerError"),
    *("InternalFailure", "ServiceUnavailable", "ServiceUnavailableException"),
    *("InvalidSignatureException", "RequestExpired", "RequestExpiredException"),
    *("WhateverException", ""),
]
THROTTLED = [
    *("ProvisionedThroughputExceededException", "ThrottlingException", "Throttling"),
    *("RequestLimitExceeded", "LimitExceededException"),
]
REFUSED = ["ValidationException", "ItemCollectionSizeLimitExceededException"]
BROKEN = [
    *("ResourceNotFoundException", "AccessDeniedException", "UnrecognizedClientException"),
    *("ExpiredTokenException", "ExpiredToken", "InvalidClientTokenId"),
    *("MissingAuthenticationTokenException", "MissingAuthenticationToken"),
    *("IncompleteSignatureException", "IncompleteSignature", "OptInRequired"),
    "UnknownOperationException",
]
CLASSES = [
    *((code, Trouble.UNKNOWN_OUTCOME) for code in UNKNOWN),
    *((code, Trouble.THROTTLED) for code in THROTTLED),
    *((code, Trouble.REFUSED) for code in REFUSED),
    *((code, Trouble.BROKEN_SETUP) for code in BROKEN),
]
SECRET = "what-nobody-may-see"  # noqa: S105 (a text to look for)


@pytest.fixture(scope="module")
def endpoint():
    """An endpoint that gives the last of some answers to everything."""
    answers = [stored()]
    with Endpoint(lambda _target, _asked: answers[-1]) as endpoint:
        endpoint.answers = answers
        yield endpoint


@pytest.fixture
def answering(endpoint):
    """Gives a store whose table gives one answer to everything."""

    @contextlib.contextmanager
    def answering(*answer):
        endpoint.answers.append(answer)
        with contextlib.closing(endpoint.store()) as store:
            yield store

    return answering


def both(store):
    """What a read and a swap of one counter tell."""
    ends_at = time.monotonic() + 60
    [(_, read)] = store.read(["c"], ends_at)
    [(_, written)] = store.write([Swap("c", ABSENT, b"1")], ends_at)
    return [read, written]


@pytest.mark.parametrize(("code", "trouble"), CLASSES)
def test_what_dynamodb_says_is_in_exactly_one_class(answering, code, trouble):
    with answering(*refusal(code, SECRET)) as store:
        is_missing = code == "ResourceNotFoundException"
        # A signature that is wrong a second time is another test's.
        told = [both(store)[0]] if code in UNSIGNED else both(store)
        failure = Failed(trouble, f"{code} (HTTP 400)", is_missing)
        assert told == [failure] * len(told)


def test_every_code_of_the_table_is_walked_here():
    assert {code for code, _ in CLASSES} - {"WhateverException", ""} == set(TROUBLES)
    assert Trouble.NOT_SENT not in TROUBLES.values()


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_that_fails_may_have_done_it(answering, status):
    with answering(status, b"<html>no</html>") as store:
        [read, written] = both(store)
        assert (read.trouble, written.trouble) == (Trouble.UNKNOWN_OUTCOME,) * 2


def test_a_failed_condition_tells_the_winner_or_that_there_is_none(answering):
    with answering(*refusal("ConditionalCheckFailedException")) as store:
        assert both(store)[1] == LostRace(ABSENT)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<html>you are here</html>", b'{"Responses', b"\xff"]
)
def test_what_is_no_answer_stores_nothing_and_shows_no_counter_absent(answering, body):
    with answering(200, body) as store:
        read, written = both(store)
        assert (read.trouble, written.trouble) == (Trouble.UNKNOWN_OUTCOME,) * 2


def test_an_empty_answer_has_words(answering):
    with answering(200, b"") as store:
        assert both(store) == [NO_ANSWER, NO_ANSWER]


@pytest.mark.parametrize(
    "message",
    [
        "The provided key element does not match the schema",
        "One or more parameter values were invalid: Missing the key pk in the item",
        "One or more parameter values were invalid: Type mismatch for key counter expected: N",
    ],
)
def test_a_table_with_another_key_is_a_broken_set_up(answering, message):
    detail = "the table's key is not `counter`, a string: ValidationException (HTTP 400)"
    with answering(*refusal("ValidationException", message)) as store:
        assert both(store) == [Failed(Trouble.BROKEN_SETUP, detail)] * 2


def test_a_table_of_moto_with_another_key_is_one(moto):
    table = Table(moto, OTHER_SCHEMA)
    with contextlib.closing(table), contextlib.closing(table.store()) as store:
        assert both(store)[1].trouble is Trouble.BROKEN_SETUP  # of a read moto says less


def made(kind):
    """An error of botocore's, with a word in each of its fields."""
    if issubclass(kind, boto.ClientError):
        return kind({"Error": {"Code": "InternalServerError", "Message": SECRET}}, "PutItem")
    text = getattr(kind, "fmt", "")
    fields = {name.partition(".")[0] for _, name, _, _ in string.Formatter().parse(text) if name}
    if kind is boto.WaiterError:
        return kind(SECRET, SECRET, {})
    return kind(**dict.fromkeys({*fields, "error"}, SECRET))


KINDS = [
    kind
    for _, kind in inspect.getmembers(boto, inspect.isclass)
    if issubclass(kind, boto.BotoCoreError | boto.ClientError) and kind.__module__ == boto.__name__
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_of_botocore_is_in_one_class(kind):
    is_unknown = issubclass(kind, UNANSWERED) or issubclass(kind, boto.ClientError)
    expected = Trouble.UNKNOWN_OUTCOME if is_unknown else Trouble.BROKEN_SETUP
    assert failed(made(kind)).trouble is expected


@pytest.mark.parametrize(
    "name",
    [
        *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
        *("NoRegionError", "ProfileNotFound", "TokenRetrievalError", "UnauthorizedSSOTokenError"),
    ],
)
def test_without_credentials_or_a_region_nothing_can_succeed(name):
    assert failed(made(getattr(boto, name))).trouble is Trouble.BROKEN_SETUP


@pytest.mark.parametrize(
    "name",
    [
        *("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "SSLError"),
        *("ConnectionClosedError", "ProxyConnectionError", "HTTPClientError"),
    ],
)
def test_what_breaks_on_the_way_may_have_come_through(name):
    assert failed(made(getattr(boto, name))).trouble is Trouble.UNKNOWN_OUTCOME


@pytest.mark.parametrize(
    "error", [ResponseParserError(SECRET), UnicodeDecodeError("u", b"", 0, 1, SECRET)]
)
def test_what_cannot_be_parsed_may_have_come_through_and_is_not_quoted(error):
    assert failed(error) == Failed(Trouble.UNKNOWN_OUTCOME, type(error).__name__)


def test_a_connection_that_is_refused_may_have_come_through():
    with Endpoint(stored) as endpoint:
        store = endpoint.store()
    with contextlib.closing(store):
        told = both(store)
    assert [failure.trouble for failure in told] == [Trouble.UNKNOWN_OUTCOME] * 2
    assert told[0].detail.startswith("EndpointConnectionError: ")


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token"),
        ("AWS_CONFIG_FILE", "[default]\ncredential_process = /nowhere/program --key it\n"),
    ],
)
def test_credentials_in_a_file_or_a_program_that_is_not_there_are_a_broken_set_up(
    variable, text, monkeypatch, tmp_path
):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    if variable == "AWS_CONFIG_FILE":
        (tmp_path / "config").write_text(text)
        text = str(tmp_path / "config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/counters")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv(variable, text)
    with contextlib.closing(DynamoStore("counters", deadline_s=LONG_S)) as store:
        [(_, failure)] = store.read(["c"], time.monotonic() + LONG_S)
    assert isinstance(failure, Failed)
    assert failure.trouble is Trouble.BROKEN_SETUP
    assert re.match(
        "FileNotFoundError: .* No such file .*'/nowhere/(token|program)'$", failure.detail
    )
