"""What the page is told: sums of what consumers print, throughput, and what came back and why."""

import json
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from tally.local.http.status import FRESH_S, MAX_COUNTERS_SHOWN, MAX_RETURNED_SHOWN, Status
from tally.local.lambda_.environment import Invocation
from tally.local.lambda_.event_source import Delivery
from tally.local.lambda_.runtime import FunctionError
from tally.local.sqs.queue import Depth
from tally.local.watch import MAX_COUNTERS, MAX_RETURNED, WINDOW_S, Returned, Watch
from tally.reading.errors import ReadError
from tally.stores.port import Trouble
from tests.support.handlers import echo
from tests.support.in_process import InProcess


class Clock:
    """Seconds that only the test moves."""

    def __init__(self):
        self.now_s = 500.25

    def __call__(self):
        return self.now_s


def delivered(*lines, message_ids=(), failed=(), error=None):
    output = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    invocation = Invocation(b"{}", error, output, 0.1, is_cold=False)
    return Delivery(0, tuple(message_ids), frozenset(failed), invocation)


def metrics(**values):
    names = [{"Name": name, "Unit": "Count"} for name in values]
    directive = {"Namespace": "Tally", "Dimensions": [["service"]], "Metrics": names}
    return {"_aws": {"CloudWatchMetrics": [directive]}} | {n: [float(v)] for n, v in values.items()}


def returned(message_id, counter="seats", receives=1):
    return {
        "action": "message_returned",
        "message_id": message_id,
        "counter": counter,
        "reason": "invalid",
        "detail": "amount: is missing",
        "receive_count": receives,
    }


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watch(clock):
    return Watch(clock)


def test_metrics_are_added_up_and_other_lines_are_not(watch):
    watch.observe(delivered(metrics(EventsApplied=3, SwapsLost=1), "hello", {"level": "INFO"}))
    watch.observe(delivered(metrics(EventsApplied=2), error=FunctionError("Error", "no")))
    seen = watch.look()
    assert seen.metrics == {"EventsApplied": 5, "SwapsLost": 1}
    assert (seen.batches, seen.failed_batches) == (2, 1)


def test_throughput_is_told_by_the_full_second_and_forgotten_after_a_window(watch, clock):
    watch.observe(delivered(metrics(EventsApplied=6, EventsRejected=1, EventsDuplicate=9)))
    assert watch.look().per_second == [0] * WINDOW_S
    clock.now_s += 1
    watch.observe(delivered(metrics(EventsApplied=2)))
    clock.now_s += 1
    seen = watch.look()
    assert (seen.seconds, seen.per_second) == (2.0, [0] * (WINDOW_S - 2) + [7, 2])
    assert seen.rate == 3.0
    clock.now_s += WINDOW_S
    watch.observe(delivered(metrics(EventsApplied=1)))
    assert watch.look().per_second == [0] * WINDOW_S
    assert sum(watch._decided.values()) == 1  # what is out of the window is forgotten


def test_what_came_back_is_kept_by_message_until_it_succeeds(watch):
    watch.observe(delivered(returned("m1"), returned("m2", "cart"), failed=["m1", "m2"]))
    watch.observe(delivered(returned("m1", receives=2), message_ids=["m1"], failed=["m1"]))
    first = Returned("seats", "invalid", "amount: is missing", 2)
    second = Returned("cart", "invalid", "amount: is missing", 1)
    assert list(watch.look().returned.items()) == [("m1", first), ("m2", second)]
    watch.observe(delivered(message_ids=["m1", "m3"]))
    assert watch.look().returned == {"m2": second}


def test_what_came_back_is_kept_when_it_comes_back_without_a_word(watch):
    watch.observe(delivered(returned("m1"), message_ids=["m1"], failed=["m1"]))
    crash = FunctionError("Error", "no")
    watch.observe(delivered(message_ids=["m1"], failed=["m1"], error=crash))
    assert watch.look().returned == {"m1": Returned("seats", "invalid", "amount: is missing", 1)}


def test_why_a_message_came_back_is_its_detail_or_else_its_reason():
    told = [Returned("seats", "invalid", detail, 1) for detail in ("amount: is missing", "")]
    assert [one.why for one in told] == ["amount: is missing", "invalid"]


def test_the_number_of_messages_kept_is_bounded(watch):
    watch.observe(delivered(*(returned(str(one), str(one)) for one in range(MAX_RETURNED + 1))))
    kept = [one.counter for one in watch.look().returned.values()]
    assert (len(kept), kept[0], kept[-1]) == (MAX_RETURNED, str(MAX_RETURNED), "1")


def batch(*bodies):
    return json.dumps({"Records": [{"body": body, "messageId": "m"} for body in bodies]}).encode()


def test_the_counters_of_each_event_are_noted_on_the_way_to_a_function(watch):
    function = watch.wrap(InProcess(echo))
    payload = batch('[{"counter": "a"}, {"counter": "b"}]', '{"counter": "a"}', '{"no": 1}', "{")
    assert function.invoke(payload).response == payload
    function.kill()
    function.close()
    assert watch.look().counters == {"a": 2, "b": 1}


def test_the_number_of_counters_is_bounded_and_the_most_silent_goes(watch):
    watch._note(["first", "second"])
    watch._note(str(number) for number in range(MAX_COUNTERS - 2))
    watch._note(["first", "new"])
    counters = watch.look().counters
    assert (len(counters), counters["first"], "second" in counters) == (MAX_COUNTERS, 2, False)


class Stack:
    """A stack's queues and counts: an exception among them is raised."""

    def __init__(self):
        self.depth: Any = Depth(visible=1, in_flight=2, dead=3, dead_in_flight=1)
        self.values: Any = {}
        self.asked = 0

    def ask_depth(self):
        self.asked += 1
        if isinstance(self.depth, Exception):
            raise self.depth
        return self.depth

    def counts(self, names):
        found = {name: self.values.get(name) for name in names}
        for value in found.values():
            if isinstance(value, Exception):
                raise value
        return found


@pytest.fixture
def stack():
    return Stack()


@pytest.fixture
def status(watch, stack, clock):
    return Status(watch, depth=stack.ask_depth, counts=stack.counts, max_receives=5, clock=clock)


def test_the_status_of_a_stack_that_has_done_nothing(status):
    assert status.look() == {
        "seconds": 0.0,
        "rate": 0.0,
        "per_second": [0] * WINDOW_S,
        "totals": {"applied": 0, "rejected": 0, "duplicates": 0, "lost_races": 0, "operations": 0},
        "batches": 0,
        "failed_batches": 0,
        "queue": {"waiting": 1, "in_flight": 2, "dead": 4},
        "counters": [],
        "returned": [],
    }


def test_the_status_tells_totals_counts_and_what_came_back(status, watch, stack):
    watch.observe(delivered(metrics(EventsApplied=1, EventsRejected=2, EventsDuplicate=3)))
    watch.observe(delivered(metrics(SwapsLost=4, StoreOperations=5), returned("m", receives=5)))
    watch._note(["a", "b", "b", "c"])
    stack.values = {"a": 2**63 - 1, "b": 7}
    told = status.look()
    assert list(told["totals"].values()) == [1, 2, 3, 4, 5]
    assert told["counters"] == [
        {"name": "b", "count": "7"},
        {"name": "a", "count": "9223372036854775807"},
        {"name": "c", "count": None},
    ]
    message = {"counter": "seats", "reason": "invalid", "detail": "amount: is missing"}
    assert told["returned"] == [message | {"receives": 5, "max_receives": 5}]


def test_an_answer_is_used_again_while_it_is_fresh(status, stack, clock):
    status.look()
    clock.now_s += FRESH_S - 0.125
    status.look()
    assert stack.asked == 1
    clock.now_s += 0.125
    status.look()
    assert stack.asked == 2


def test_what_does_not_answer_is_null_and_the_rest_is_told(status, watch, stack):
    stack.depth = EndpointConnectionError(endpoint_url="http://127.0.0.1")
    stack.values = {"a": ReadError("UNAVAILABLE", Trouble.UNKNOWN_OUTCOME)}
    watch._note(["a", "b"])
    told = status.look()
    assert (told["queue"], told["counters"], told["returned"]) == (None, None, [])


FOREIGN = ReadError("foreign: the count cannot be read", counter="foreign")


def test_a_value_that_is_no_counter_hides_no_other(status, watch, stack):
    watch._note(["a", "foreign", "z"])
    stack.values = {"a": 1, "foreign": FOREIGN, "z": 2}
    assert status.look()["counters"] == [
        {"name": "a", "count": "1"},
        {"name": "foreign", "count": None},
        {"name": "z", "count": "2"},
    ]


def test_an_answer_that_fails_to_come_after_it_is_null(status, watch, stack):
    watch._note(["foreign", "lost"])
    lost = ReadError("UNAVAILABLE", Trouble.UNKNOWN_OUTCOME)
    stack.values = {"foreign": FOREIGN, "lost": lost}
    assert status.look()["counters"] is None


def test_lists_are_bounded(status, watch):
    watch._note(f"counter-{number:03}" for number in range(100))
    watch.observe(delivered(*(returned(str(one)) for one in range(100))))
    told = status.look()
    assert [one["name"] for one in told["counters"]][-1] == f"counter-{MAX_COUNTERS_SHOWN - 1:03}"
    assert len(told["returned"]) == MAX_RETURNED_SHOWN
