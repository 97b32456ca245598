"""Ctrl-C and SIGTERM: what they end, and what they leave alone."""

import signal
import socket

import pytest

from tally.cli.signals import Interrupts

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def told():
    return []


@pytest.fixture
def interrupts(told):
    return Interrupts(told.append)


@pytest.mark.parametrize("number", BOTH)
def test_one_during_the_work_ends_the_reading_after_it(interrupts, told, number):
    done = []
    with interrupts.counted():
        for item in interrupts.until_first([1, 2, 3]):
            signal.raise_signal(number)
            done.append(item)
    assert (done, told) == ([1], [1])
    assert interrupts.came
    assert interrupts.cut


def test_one_while_the_source_is_awaited_ends_the_waiting(interrupts, told):
    def silent():
        yield 1
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it is waited for")

    with interrupts.counted():
        assert [*interrupts.until_first(silent())] == [1]
    assert told == [1]
    assert interrupts.cut


def test_those_that_follow_are_only_counted(interrupts, told):
    def dying():
        try:
            signal.raise_signal(signal.SIGINT)
            yield
        finally:
            for number in BOTH:
                signal.raise_signal(number)

    with interrupts.counted():
        assert not [*interrupts.until_first(dying())]
        signal.raise_signal(signal.SIGTERM)
    assert told == [1, 2, 3, 4]


def test_one_after_the_last_item_cuts_nothing(interrupts, told):
    with interrupts.counted():
        assert [*interrupts.until_first([1, 2])] == [1, 2]
        signal.raise_signal(signal.SIGINT)
    assert told == [1]
    assert interrupts.came
    assert not interrupts.cut


def test_others_are_not_told(interrupts, told):
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    with interrupts.counted():
        signal.raise_signal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)
    assert (told, interrupts.came) == ([], False)


def test_afterwards_all_is_as_it_was(interrupts):
    with socket.socket() as mine:
        mine.settimeout(0)
        signal.set_wakeup_fd(mine.fileno())
        before = [signal.getsignal(number) for number in BOTH]
        with pytest.raises(ZeroDivisionError), interrupts.counted():
            raise ZeroDivisionError
        assert [signal.getsignal(number) for number in BOTH] == before
        assert signal.set_wakeup_fd(-1) == mine.fileno()
