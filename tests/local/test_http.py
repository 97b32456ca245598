"""The API over the whole stack, from a socket to the ledger and back."""

import contextlib
import http.client
import json
import urllib.error
import urllib.request

import pytest

from tally.local.http.server import serving
from tally.local.lambda_.event_source import Batching
from tally.local.stack import Stack, StackSettings
from tally.local.watch import Watch
from tests.support.processes import WAIT_S, wait_until

SETTINGS = StackSettings(batching=Batching(batch_size=10, window_s=0, poll_s=1))


class Api:
    """What a program sees of the API."""

    def __init__(self, url):
        self.url = url

    def __call__(self, method, path, fields=None, **headers):
        body = None if fields is None else json.dumps(fields).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if body:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(  # noqa: S310 (our own server)
            f"{self.url}{path}", body, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as response:  # noqa: S310 (as above)
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def decided(self, *request, **headers):
        """Send an event, wait until it is decided, and tell how."""
        status, accepted = self("POST", *request, **headers)
        assert status == 202
        wait_until(lambda: self.outcome(accepted) != "pending")
        return self.outcome(accepted)

    def outcome(self, accepted):
        status, told = self("GET", accepted["outcome"])
        assert status == 200
        return told["outcome"]

    def count(self, counter):
        return self("GET", f"/counters/{counter}")[1].get("count")


@pytest.fixture(scope="module")
def api():
    watch = Watch()
    stack = Stack(SETTINGS, observe=watch.observe, wrap_function=watch.wrap)
    with stack, serving(stack, SETTINGS, watch) as url:
        yield Api(url)


def test_a_bound_is_kept_and_a_reset_sets_the_count(api):
    path = "/counters/seats%2F17/increments"
    outcomes = [api.decided(path, {"amount": 2, "max": 3}) for _ in range(2)]
    assert (outcomes, api.count("seats%2F17")) == (["applied", "rejected"], 2)
    assert api.decided("/counters/seats%2F17/reset", {"to": 40}) == "applied"
    assert api.count("seats%2F17") == 40
    assert api("GET", "/counters?name=seats/17&name=none")[1] == {
        "counts": {"seats/17": 40, "none": None}
    }


def test_a_repeat_with_the_same_key_counts_once_whatever_it_says(api):
    path = "/counters/orders/increments"
    assert api.decided(path, {"amount": 5}, Idempotency_Key="order-17") == "applied"
    assert api.decided(path, {"amount": 9}, Idempotency_Key="order-17") == "applied"
    assert api.decided(path, {"amount": 1}, Idempotency_Key="order-18") == "applied"
    assert api.count("orders") == 6


def test_two_keys_in_one_request_are_an_error_and_count_nothing(api):
    host, port = api.url.removeprefix("http://").split(":")
    with contextlib.closing(http.client.HTTPConnection(host, int(port), WAIT_S)) as connection:
        connection.putrequest("POST", "/counters/twice/increments")
        for key in ("a", "b"):
            connection.putheader("Idempotency-Key", key)
        connection.endheaders()
        answer = connection.getresponse()
        error = {"field": "Idempotency-Key", "reason": "must be given once", "value": "['a', 'b']"}
        assert (answer.status, json.load(answer)["errors"]) == (422, [error])
    assert api("GET", "/counters/twice")[0] == 404


def test_a_key_belongs_to_one_counter(api):
    outcomes = [api.decided(f"/counters/{one}/increments", Idempotency_Key="k") for one in "ab"]
    assert (outcomes, api.count("a"), api.count("b")) == (["applied"] * 2, 1, 1)


def test_an_event_that_never_was_is_pending(api):
    event = "0000000000000001:0:1790000000000"
    assert api("GET", f"/counters/none/increments/{event}") == (200, {"outcome": "pending"})
    assert api("GET", "/counters/none")[0] == 404
