"""Which threads and connections a call of DynamoDB leaves behind, and which it leaves alone."""

from concurrent.futures import Future
from typing import Any

import pytest

from tally.stores.dynamodb.calls import Calls
from tally.stores.dynamodb.flights import Flights
from tally.stores.dynamodb.troubles import LATE
from tally.stores.errors import StoreClosedError
from tally.stores.port import Usage
from tests.support.clock import Clock


class Held:
    """Threads in which no call ever ends."""

    def __init__(self, _most, _name):
        self.has_left = False
        self.futures = []

    def submit(self, _call, *_arguments):
        self.futures.append(Future[Any]())
        return self.futures[-1]

    def leave(self):
        self.has_left = True


class Client:
    """A client that counts how often it was closed."""

    closed = 0

    def close(self):
        self.closed += 1


class Made:
    """Calls, and all that they made."""

    def __init__(self):
        self.clients: list[Client] = []
        self.threads: list[Held] = []
        make: Any = self._make
        self.calls = Calls(self._connect, 1, Clock(), Clock(), make_threads=make)

    def begin(self):
        assert self.calls.ready() is None
        return self.calls.begin(id)

    def _connect(self):
        self.clients.append(Client())
        return self.clients[-1]

    def _make(self, *arguments):
        self.threads.append(Held(*arguments))
        return self.threads[-1]


@pytest.fixture
def made():
    return Made()


def test_a_call_without_an_answer_in_time_leaves_its_threads(made):
    assert made.calls.answer(made.begin(), 0.0) is None
    made.begin()
    assert [each.has_left for each in made.threads] == [True, False]


def test_a_call_whose_threads_were_left_already_takes_no_others_with_it(made):
    late = made.begin()
    made.calls.renew()
    made.begin()
    assert made.calls.answer(late, 0.0) is None
    assert [each.has_left for each in made.threads] == [True, False]


def test_new_connections_are_of_the_same_client(made):
    made.begin()
    made.clients[0].closed = 0
    made.calls.renew()
    made.begin()
    assert [client.closed for client in made.clients] == [1]


def test_after_a_read_without_an_answer_no_connection_is_used_again(made):
    clock = Clock()
    made.begin()
    made.clients[0].closed = 0
    flights = Flights(made.calls, Usage(), clock, deadline_s=1.0)
    assert flights.one(["c"], lambda *_: id, 0.0) is LATE
    assert [client.closed for client in made.clients] == [1]


def test_who_leaves_a_round_early_has_nothing_done_that_has_not_begun(made):
    clock = Clock()
    flights = Flights(made.calls, Usage(), clock, deadline_s=0.0)
    answers: Any = flights.all(range(3), lambda *_: id, 2, clock() + 1)
    assert next(answers) == (0, LATE)
    answers.close()
    [threads] = made.threads
    assert [future.cancelled() for future in threads.futures] == [False, True]


def test_who_is_closed_makes_no_client(made):
    made.calls.close()
    with pytest.raises(StoreClosedError):
        made.calls.ready()
    with pytest.raises(StoreClosedError):
        made.calls.begin(id)
    assert (made.clients, made.threads) == ([], [])
