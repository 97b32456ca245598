"""The local site over a socket: the API through its function, the pages, and whom it refuses."""

import contextlib
import http.client
import io
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.test import Client

from tally.local.child import ChildError
from tally.local.http.server import listening
from tally.local.http.site import MAX_BODY_BYTES, PAGES, POLICY, SAFE, Site
from tally.local.lambda_.environment import Invocation
from tally.local.lambda_.runtime import FunctionError
from tests.support.in_process import InProcess

STATUS = {"rate": 1.5}
MEETING_S = 0.3
"""How long the first of two requests looks out for the other."""


def gateway(event, _context):
    """An API of which a path says what it answers."""
    body = json.dumps({"path": event["path"], "method": event["httpMethod"], "body": event["body"]})
    headers = {"Content-Type": ["application/json"], "Cache-Control": ["max-age=1"]}
    match event["path"]:
        case "/fails":
            raise ZeroDivisionError
        case "/openapi.json":
            described = {
                "openapi": "3.1.0",
                "security": [{}],
                "components": {"securitySchemes": {}},
            }
            body = json.dumps(described)
    return {"statusCode": 202, "body": body, "multiValueHeaders": headers}


class Asked:
    """A server of the site, and each invocation of its API."""

    def __init__(self):
        self.invocations: list[Invocation] = []
        function = InProcess(gateway)
        site = Site(function, status=lambda: STATUS, printed=self.invocations.append)
        self.function = function
        self.server = listening(site)
        self.url = ""

    def __call__(self, method, path, body=None, **headers):
        host, port = self.url.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def site():
    asked = Asked()
    with asked.server as asked.url:
        yield asked
    asked.function.close()


def told(answer):
    status, headers, body = answer
    assert headers["Content-Type"] == "application/json"
    return status, json.loads(body)


def test_the_api_is_asked_with_the_path_as_it_came_and_answers_whole(site):
    status, headers, body = site("POST", "/counters/a%2Fb/increments?x=1", '{"amount": 2}')
    path = "/counters/a%2Fb/increments"
    assert status == 202
    assert json.loads(body) == {"path": path, "method": "POST", "body": '{"amount": 2}'}
    assert headers["Cache-Control"] == "max-age=1"
    assert site.invocations[-1].error is None


def test_an_api_that_fails_answers_as_api_gateway_does(site):
    assert told(site("GET", "/fails")) == (502, {"message": "Internal server error"})
    assert site.invocations[-1].error == FunctionError("ZeroDivisionError", "")


def test_the_description_asks_for_no_key_here(site):
    assert told(site("GET", "/openapi.json")) == (202, {"openapi": "3.1.0", "components": {}})


def test_the_status_is_told(site):
    assert told(site("GET", "/status.json")) == (200, STATUS)


@pytest.mark.parametrize(("path", "media_type"), [(path, page[1]) for path, page in PAGES.items()])
def test_a_page_is_served_with_all_that_makes_it_safe(site, path, media_type):
    status, headers, body = site("GET", path)
    assert (status, headers["Content-Type"]) == (200, media_type)
    assert {name: headers[name] for name in SAFE} == SAFE
    assert len(body) > 100


def test_pages_load_nothing_from_elsewhere_and_run_nothing_inline(site):
    assert "unsafe" not in POLICY
    for path in PAGES:
        text = site("GET", path)[2].decode().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text
        assert " style=" not in text
        assert " on" + "click" not in text
        assert "<script>" not in text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
@pytest.mark.parametrize("path", ["/", "/status.json", "/counters/a"])
def test_a_foreign_name_is_refused(site, host, path):
    message = "this server is known as 127.0.0.1 or localhost"
    assert told(site("GET", path, Host=host)) == (421, {"message": message})


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1"])
def test_its_own_names_are_not_refused_whatever_port_leads_here(site, host):
    assert told(site("GET", "/status.json", Host=host)) == (200, STATUS)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1"])
def test_a_page_of_another_site_may_send_nothing(site, origin):
    before = len(site.invocations)
    answer = site("POST", "/counters/a/increments", Origin=origin)
    assert told(answer) == (403, {"message": "another site's page may not ask this"})
    assert len(site.invocations) == before


class Meeting:
    """A function that answers each caller alone where they come one by one."""

    def __init__(self):
        self._both = threading.Barrier(2)

    def invoke(self, payload):
        path = json.loads(payload)["path"]
        with contextlib.suppress(threading.BrokenBarrierError):
            self._both.wait(MEETING_S)
            path = "beside another"
        answer = json.dumps({"statusCode": 200, "body": path}).encode()
        return Invocation(answer, None, "", 0.0, is_cold=False)

    def kill(self):
        """Nothing runs."""

    close = kill


@pytest.mark.parametrize("allowed", ["http://localhost:5173", "*"])
def test_a_page_that_is_let_in_may_ask_the_api_and_nothing_else(allowed):
    function = InProcess(gateway)
    client = Client(Site(function, status=lambda: STATUS, cors_origin=allowed))
    origin = {"Origin": "http://localhost:5173"}
    asked = [("OPTIONS", "/counters/a"), ("POST", "/counters/a/increments"), ("GET", "/counters/a")]
    with contextlib.closing(function):
        for method, path in asked:
            assert client.open(path, method=method, headers=origin).status_code == 202
        for path in ("/", "/docs", "/status.json"):
            assert client.get(path, headers=origin).status_code == 403
        other = {"Origin": "http://localhost:5174"}
        status = client.get("/counters/a", headers=other).status_code
        assert status == (202 if allowed == "*" else 403)
        foreign = {**origin, "Host": "rebound.example"}
        assert client.get("/counters/a", headers=foreign).status_code == 421


def test_the_api_is_asked_by_one_request_at_a_time():
    site = Site(Meeting(), status=dict)

    def ask(path):
        return Client(site).get(path, base_url="http://127.0.0.1").text

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(ask, ["/a", "/b"])) == ["/a", "/b"]


def test_its_own_page_may_send(site):
    headers = {"Origin": "http://localhost:8000", "Host": "localhost:8000"}
    assert site("POST", "/counters/a/increments", **headers)[0] == 202


def test_too_long_a_body_is_refused(site):
    answer = site("POST", "/counters/a/increments", b" " * (MAX_BODY_BYTES + 1))
    assert told(answer) == (413, {"message": "Request Entity Too Large"})


class Stalled(io.BytesIO):
    """A body whose sender stops in the middle."""

    def read(self, size=-1):
        if part := super().read(size):
            return part
        raise TimeoutError


@pytest.mark.parametrize(("sent", "kind"), [(MAX_BODY_BYTES + 1, io.BytesIO), (70_000, Stalled)])
def test_too_long_a_body_is_read_before_it_is_refused(sent, kind):
    body = kind(b" " * sent)
    environ = {"wsgi.input": body, "CONTENT_LENGTH": str(MAX_BODY_BYTES + 1)}
    client = Client(Site(Meeting(), status=dict))
    answer = client.post("/a", base_url="http://127.0.0.1", environ_overrides=environ)
    assert (answer.status_code, body.tell()) == (413, sent)


def test_too_many_parameters_are_refused(site):
    answer = site("GET", "/counters?" + "&".join(["n=1"] * 1_001))
    assert told(answer) == (400, {"message": "Bad request"})


def test_a_name_that_is_not_utf_8_is_refused_and_not_taken_for_another(site):
    before = len(site.invocations)
    assert told(site("GET", "/counters?name=%FF")) == (400, {"message": "Bad request"})
    assert len(site.invocations) == before


def test_other_methods_of_a_page_are_the_api_s_to_refuse(site):
    assert told(site("DELETE", "/"))[1]["method"] == "DELETE"
    assert told(site("POST", "/status.json"))[1]["method"] == "POST"


def test_it_listens_on_loopback_and_ends():
    with listening(lambda _environ, _start: []) as url:
        host, port = url.removeprefix("http://").split(":")
        assert host == "127.0.0.1"
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0


def test_a_port_that_is_taken_is_a_clear_error(site):
    port = int(site.url.rpartition(":")[2])
    text = rf"^the HTTP port {port} cannot be had: Address already in use$"
    with pytest.raises(ChildError, match=text):
        listening(lambda _environ, _start: [], port=port).__enter__()
