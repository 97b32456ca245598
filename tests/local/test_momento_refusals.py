"""What each refusal looks like on the wire: its status, its details and its `err` trailer."""

import re

import pytest

from tally.local.momento import errors
from tests.support.momento import TTL_MS, Raw, RefusalError, raw_server

LARGE = b"x" * (4_883 * 1_024)
TOO_LARGE = b"x" * 5_300_000
ITEM = {"cache_key": b"key", "cache_body": b"value", "ttl_milliseconds": TTL_MS}
NO_NAME = ("INVALID_ARGUMENT", "the name of a cache is missing or empty", None)
NO_CONDITION = ("INVALID_ARGUMENT", "a condition is required", None)
NOT_A_NUMBER = "failed to parse value: it is not a base-10 integer of 64 bits"


def injected(raw, status):
    raw.with_headers(return_error=status, error_rpcs="get").get(b"key")


REFUSALS = [
    (lambda raw: raw.get(b"key", cache=""), *NO_NAME),
    (lambda raw: raw.control("CreateCache", cache_name=""), *NO_NAME),
    (lambda raw: raw.get(b"key", "{0} %s"), "NOT_FOUND", "cache not found: {0} %s", None),
    (lambda raw: raw.delete_cache("no"), "NOT_FOUND", "cache not found: no", None),
    (
        lambda raw: raw.control("CreateCache", cache_name="tally"),
        *("ALREADY_EXISTS", "cache already exists: tally", None),
    ),
    (
        lambda raw: raw.revoke_signing_key("no"),
        *("NOT_FOUND", "signing key not found", None),
    ),
    (
        lambda raw: raw.set(b"key", b"value", ttl_ms=0),
        *("INVALID_ARGUMENT", "the time to live must be more than 0 ms", None),
    ),
    (lambda raw: raw.scs("SetIf", **ITEM), *NO_CONDITION),
    (lambda raw: raw.scs("SetIfHash", **ITEM), *NO_CONDITION),
    (lambda raw: raw.scs("UpdateTtl", cache_key=b"key"), *NO_CONDITION),
    (lambda raw: raw.increment(b"word"), "FAILED_PRECONDITION", NOT_A_NUMBER, None),
    (
        lambda raw: raw.increment(b"most"),
        *("FAILED_PRECONDITION", "the sum does not fit a signed 64-bit integer", None),
    ),
    (
        lambda raw: raw.set(b"key", LARGE),
        *("RESOURCE_EXHAUSTED", "item size limit exceeded: 5000195 bytes, over 5000192"),
        "item_size_limit_exceeded",
    ),
    (
        lambda raw: raw.set(b"key", TOO_LARGE),
        *("RESOURCE_EXHAUSTED", "request limit exceeded: 5300014 bytes, over 5243000"),
        "request_size_limit_exceeded",
    ),
    (
        lambda raw: injected(raw, "no"),
        *("INVALID_ARGUMENT", "the fault header return-error has a value that it cannot have"),
        None,
    ),
    (lambda raw: injected(raw, "unknown"), "UNKNOWN", "injected on demand", None),
    (
        lambda raw: injected(raw, "resource-exhausted"),
        *("RESOURCE_EXHAUSTED", "injected on demand", "operations_rate_limit_exceeded"),
    ),
    (
        lambda raw: Raw(raw.server, authorization="wrong").get(b"key"),
        *("UNAUTHENTICATED", "the key is not accepted", None),
    ),
]


@pytest.fixture(scope="module")
def raw():
    with raw_server(api_keys=["right"]) as raw:
        accepted = raw.with_headers(authorization="right")
        accepted.set(b"word", b"word")
        accepted.set(b"most", b"%d" % (2**63 - 1))
        yield accepted


@pytest.mark.parametrize(("call", "status", "details", "err"), REFUSALS)
def test_a_refusal_has_its_status_its_details_and_its_trailer(raw, call, status, details, err):
    with pytest.raises(RefusalError) as caught:
        call(raw)
    assert (caught.value.status, caught.value.details, caught.value.err) == (status, details, err)


def test_every_refusal_is_among_them():
    asked = {(status, details) for _, status, details, _ in REFUSALS}
    there = [each for each in vars(errors).values() if isinstance(each, errors.Refusal)]
    seen = [
        each
        for each in there
        for status, details in asked
        if each.status == status and re.match(each.text.replace("{}", ".+") + "$", details)
    ]
    assert len(there) == 12
    assert set(seen) == set(there)
