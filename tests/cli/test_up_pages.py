"""`tally local up --cors-origin`: pages of one other origin may ask the API, as in AWS."""

import re
import urllib.error
import urllib.request

import pytest

from tally.environment import AN_ORIGIN
from tests.support.processes import tally
from tests.support.terminal import QUIET, Terminal

ORIGIN = "http://localhost:5173"
UP = ("local", "up", "--momento-port", "0", "--sqs-port", "0", "--http-port", "0")
WAIT_S = 60


@pytest.fixture(scope="module")
def url():
    """The address of its API."""
    with tally(*UP, "--cors-origin", ORIGIN, env=QUIET) as process:
        lines = iter(process.stdout.readline, "")
        found = (re.fullmatch("export TALLY_URL=(.*)\n", line) for line in lines)
        yield next(each[1] for each in found if each)


def asked(url, method, path, origin=ORIGIN):
    """The status, and the headers that are about origins."""
    request = urllib.request.Request(f"{url}{path}", headers={"Origin": origin}, method=method)  # noqa: S310 (our own server)
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as response:  # noqa: S310 (as above)
            status, headers = response.status, response.headers
    except urllib.error.HTTPError as error:
        with error:
            status, headers = error.code, error.headers
    return status, {name: headers[name] for name in headers if name.startswith(("Access", "Vary"))}


def test_its_pages_are_answered_as_api_gateway_would(url):
    allowed = {"Access-Control-Allow-Origin": ORIGIN, "Vary": "Origin"}
    shown = {"Access-Control-Expose-Headers": "Location,Retry-After,x-amzn-RequestId"}
    status, preflight = asked(url, "OPTIONS", "/counters/a/increments")
    assert (status, preflight.keys()) == (
        204,
        allowed.keys()
        | {f"Access-Control-{name}" for name in ("Allow-Methods", "Allow-Headers", "Max-Age")},
    )
    assert asked(url, "POST", "/counters/a/increments") == (202, allowed | shown)
    assert asked(url, "GET", "/counters/none") == (404, allowed | shown)


def test_pages_of_others_are_refused_and_so_is_what_is_not_the_api(url):
    assert asked(url, "GET", "/counters/a", "http://localhost:5174") == (403, {})
    assert asked(url, "GET", "/status.json") == (403, {})


@pytest.mark.parametrize("origin", ["localhost:5173", f"{ORIGIN}/"])
def test_what_is_no_origin_is_refused_before_anything_starts(origin, started):
    said = Terminal()(*UP, "--cors-origin", origin)
    assert (said.status, said.stdout) == (2, "")
    assert AN_ORIGIN in " ".join(said.stderr.replace("│", "").split())
    assert started() == {}
