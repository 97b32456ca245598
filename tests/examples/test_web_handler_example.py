"""The web handler: what visitors like counts, at the latest when the server ends."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from tests.examples.programs import counts, flask
from tests.support.http_servers import FlakySqs, denied
from tests.support.terminal import Terminal

EXAMPLE = "web_handler.py"
LIKES = 40


def post(address, path):
    """The status of the answer to a POST."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)
    connection.request("POST", path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_likes_of_visitors_at_the_same_time_all_count_when_the_server_has_ended(stack, tmp_path):
    with flask(EXAMPLE, tmp_path, stack.variables) as address, ThreadPoolExecutor(8) as visitors:
        paths = ["/articles/hello/likes"] * LIKES
        assert list(visitors.map(lambda path: post(address, path), paths)) == [202] * LIKES
        assert post(address, "/articles/unknown/likes") == 404
    assert counts(stack, "likes:hello", "likes:unknown") == {
        "likes:hello": LIKES,
        "likes:unknown": None,
    }
    assert list(tmp_path.iterdir()) == []


def test_likes_that_sqs_refused_are_kept_to_be_sent_again(stack, tmp_path):
    path = "/articles/second-thoughts/likes"
    with (
        FlakySqs(stack.variables, *[denied] * 3) as sqs,
        flask(EXAMPLE, tmp_path, sqs.variables) as address,
    ):
        assert [post(address, path) for _ in range(3)] == [202] * 3
    assert counts(stack, "likes:second-thoughts") == {"likes:second-thoughts": None}
    said = Terminal(stack.variables)("send", "--file", str(tmp_path / "unsent.jsonl"))
    assert (said.status, said.stderr.partition(" in ")[0]) == (0, "3 increments confirmed")
    assert counts(stack, "likes:second-thoughts") == {"likes:second-thoughts": 3}
