"""The HTTP API reads: counts, outcomes, paths that there are not, and what went wrong."""

import pytest

from tally.counters.errors import InvalidIncrementError
from tally.counters.outcome import Outcome
from tally.reading.errors import ReadError
from tally.reading.reader import MAX_COUNTERS_PER_CALL
from tally.stores.errors import BrokenSetupError
from tally.stores.port import Trouble
from tests.support.api import EVENT, Called, found, invalid, problem
from tests.support.consumers import make_reader
from tests.support.momento_channel import ReadChannel

OUTCOME = f"/counters/seats/increments/{EVENT}"
RETRY = ("Retry-After", "2")
INTERNAL = problem(
    500, "internal", "Something is broken here", "the log has it; the request is not at fault"
)


@pytest.mark.parametrize("count", [0, 5, -(2**63), 2**63 - 1])
def test_a_counter_tells_its_count(count):
    api = Called(counts={"a/b": count})
    assert api("GET", "/counters/a%2Fb") == found({"counter": "a/b", "count": count})


def test_there_may_be_no_counter():
    answer = Called()("GET", "/counters/none")
    title, detail = "There is no counter of this name", "it never was, or it has expired"
    assert answer == problem(404, "no-counter", title, detail)


def test_many_counters_are_read_in_one_call():
    api = Called(counts={"a,b": 1, "c": 2})
    query = [("name", name) for name in ("a,b", "c", "none")]
    assert api("GET", "/counters", query=query) == found(
        {"counts": {"a,b": 1, "c": 2, "none": None}}
    )
    assert api.reader.asked == [["a,b", "c", "none"]]


@pytest.mark.parametrize(("said", "consistent"), [("true", True), ("false", False)])
def test_the_table_itself_may_be_asked(said, consistent):
    api = Called(counts={"c": 2})
    query = [("consistent", said)]
    assert api("GET", "/counters/c", query=query) == found({"counter": "c", "count": 2})
    many = api("GET", "/counters", query=[("name", "c"), *query])
    assert many == found({"counts": {"c": 2}})
    assert api.reader.asked == [("consistent", "c") if consistent else ["c"]] * 2


@pytest.mark.parametrize("said", ["1", "yes", "True", ""])
def test_a_flag_is_true_or_false(said):
    answer = Called()("GET", "/counters/c", query=[("consistent", said)])
    assert answer == invalid(("consistent", "must be true or false", repr(said)))


def test_where_no_table_decides_it_cannot_be_asked():
    api = Called(reader=make_reader(ReadChannel(values={"c": b"1"})))
    reason = "consistent reads need counters in a table, and COUNTER_TABLE is not set"
    answer = api("GET", "/counters/c", query=[("consistent", "true")])
    assert answer == invalid(("consistent", reason, ""))
    assert api.log == []


def test_one_name_may_be_all_and_a_comma_parts_none():
    api = Called(counts={"a,b": 1})
    assert api("GET", "/counters", query=[("name", "a,b")]) == found({"counts": {"a,b": 1}})


@pytest.mark.parametrize(
    ("names", "error"),
    [
        ([], ("name", "is missing", "")),
        ([""], ("name[0]", "must have at least 1 character", "''")),
        (
            ["a"] * (MAX_COUNTERS_PER_CALL + 1),
            (
                "name",
                "must have at most 100 items after validation, not 101",
                "['a', 'a', 'a', 'a', ...]",
            ),
        ),
    ],
)
def test_the_number_of_names_is_bounded(names, error):
    query = [("name", name) for name in names]
    assert Called()("GET", "/counters", query=query) == invalid(error)


@pytest.mark.parametrize("outcome", Outcome)
def test_an_event_tells_what_became_of_it(outcome):
    api = Called(outcome=outcome)
    assert api("GET", OUTCOME) == found({"outcome": outcome.value})
    assert api("GET", OUTCOME.replace(":", "%3A")) == found({"outcome": outcome.value})
    assert api.reader.asked == [("seats", EVENT)] * 2


def test_a_name_that_no_event_has_is_refused():
    pattern = "^[0-9a-f]{16}:(0|[1-9][0-9]{0,18}):[1-9][0-9]{0,18}$"
    error = ("event", f"must match pattern '{pattern}'", "'17'")
    assert Called()("GET", "/counters/seats/increments/17") == invalid(error)


def test_what_the_contract_finds_wrong_is_told_as_well():
    api = Called(outcome=InvalidIncrementError("event", "must be source:seq:at", "'x'"))
    assert api("GET", OUTCOME) == invalid(("event", "must be source:seq:at", "'x'"))


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (
            None,
            (
                409,
                "not-a-counter",
                "What is stored under this name is no counter",
                "seats: another program has written there",
            ),
        ),
        (
            Trouble.THROTTLED,
            (503, "throttled", "The store has too many requests", "ask again later", RETRY),
        ),
        (
            Trouble.UNKNOWN_OUTCOME,
            (503, "unreadable", "The store did not answer", "ask again", RETRY),
        ),
    ],
)
def test_what_momento_does_not_tell_is_a_problem(trouble, told):
    error = ReadError("UNAVAILABLE: of no use to a client", trouble, counter="seats")
    api = Called(counts={"seats": error}, outcome=error)
    answers = [api("GET", "/counters/seats"), api("GET", OUTCOME)]
    assert answers == [problem(*told)] * 2
    assert [(line["level"], line["message"]) for line in api.log] == [
        ("WARNING", f"{told[2]}: UNAVAILABLE: of no use to a client")
    ] * 2


def test_a_read_that_momento_refuses_is_our_own_problem():
    error = ReadError("INVALID_ARGUMENT: of no use to a client", Trouble.REFUSED)
    api = Called(counts={"seats": error}, outcome=error)
    assert [api("GET", "/counters/seats"), api("GET", OUTCOME)] == [INTERNAL] * 2
    assert [line["level"] for line in api.log] == ["ERROR"] * 2


def test_a_value_that_is_no_counter_is_told_and_logged_by_its_name():
    names = [*"ab", "foreign"]
    reader = make_reader(ReadChannel(values={"a": b"1", "foreign": b"no count"}))
    api = Called(reader=reader)
    answer = api("GET", "/counters", query=[("name", name) for name in names])
    title = "What is stored under this name is no counter"
    detail = "foreign: another program has written there"
    assert answer == problem(409, "not-a-counter", title, detail)
    [line] = api.log
    assert line["message"].startswith(f"{title}: foreign: ")


def test_a_refused_key_is_our_own_problem_and_is_read_again():
    renewed = []
    error = BrokenSetupError("UNAUTHENTICATED: no such key")
    api = Called(counts={"seats": error}, on_broken_setup=lambda: renewed.append(True))
    assert api("GET", "/counters/seats") == INTERNAL
    assert renewed == [True]
    assert [line["message"] for line in api.log] == [
        "Something is broken here: UNAUTHENTICATED: no such key"
    ]


def test_a_refused_key_needs_nobody_to_be_told():
    assert Called(counts={"seats": BrokenSetupError("no")})("GET", "/counters/seats") == INTERNAL


def test_an_error_that_nobody_knows_is_logged_and_not_told():
    api = Called(counts={"seats": ZeroDivisionError("a bug")})
    assert api("GET", "/counters/seats") == INTERNAL
    [line] = api.log
    assert (line["level"], line["problem"]) == ("ERROR", "internal")
    assert line["exception_name"] == "ZeroDivisionError"


def test_not_even_a_developer_is_shown_an_event_or_a_trace(monkeypatch, capsys):
    monkeypatch.setenv("POWERTOOLS_DEV", "true")
    with pytest.warns(UserWarning, match="POWERTOOLS_DEV"):  # from the logger
        api = Called(counts={"seats": ZeroDivisionError("a bug")})
    assert api("GET", "/counters/seats", headers={"x-api-key": "secret"}) == INTERNAL
    assert "secret" not in capsys.readouterr().out + api._log.text


@pytest.mark.parametrize("path", ["/", "/nothing", "/counters/a/nothing", "/counters/a/b/c/d"])
def test_a_path_that_there_is_not(path):
    answer = Called()("GET", path)
    title, detail = "There is nothing at this path", "the API begins at /counters"
    assert answer == problem(404, "no-route", title, detail)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", '/counters/a"b'),
        ("GET", "/counters/a`b"),
        ("GET", "/counters/a\\b"),
        ("GET", "//counters"),
        ("POST", '/counters/a"b/increments'),
        ("POST", "/counters//reset"),
    ],
)
def test_a_name_that_no_url_has_makes_no_path(method, path):
    title, detail = "There is nothing at this path", "a name is not empty, and is percent-encoded"
    assert Called()(method, path) == problem(404, "no-route", title, detail)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/counters", "GET"),
        ("DELETE", "/counters/a", "GET"),
        ("OPTIONS", OUTCOME, "GET"),
        ("GET", "/counters/a/increments", "POST"),
        ("PUT", "/counters/a/reset", "POST"),
    ],
)
def test_a_method_that_a_path_has_not(method, path, allowed):
    detail = f"it has {allowed}"
    expected = problem(405, "no-method", "This path has another method", detail, ("Allow", allowed))
    assert Called()(method, path) == expected
