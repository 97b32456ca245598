"""The audit asks only where it is answered: a mirror that knows no advisories is no source."""

import socket

import pytest

from infrastructure.audit import PINS, has_advisories, source
from tests.support.http_servers import served


@pytest.fixture(scope="module")
def index():
    """A server that answers `/STATUS/BODY`."""

    def answer(request):
        _, status, body = request.path.split("/", 2)
        return int(status), body.replace("'", '"')

    with served(answer) as url:
        yield url


@pytest.mark.parametrize(
    ("answer", "has"),
    [
        ("200/{'vulnerabilities':[]}", True),
        ("200/{'info':1}", False),
        ("200/[]", False),
        ("200/no-json", False),
        ("404/{'vulnerabilities':[]}", False),
    ],
)
def test_a_source_is_what_answers_with_vulnerabilities(index, answer, has):
    assert has_advisories(f"{index}/{answer}") is has


def test_where_nobody_listens_there_is_no_source():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # so that nobody else listens there
        assert not has_advisories(f"http://127.0.0.1:{deaf.getsockname()[1]}/200/")


def test_the_source_is_asked_for_the_first_package_that_is_pinned():
    pins = "# a comment\nmomento==1.29.1 \\\n    --hash=sha256:00\nmsgspec==0.22.0\n"
    assert source(pins) == "https://pypi.org/pypi/momento/1.29.1/json"
    assert source(PINS.read_text("utf-8")).startswith("https://pypi.org/pypi/")


def test_no_pins_are_an_error():
    with pytest.raises(ValueError, match=r"^lambda\.txt pins nothing$"):
        source("# nothing\n")
