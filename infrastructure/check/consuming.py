"""The consumer's package as Lambda runs it: cold, warm, with a slow Momento, set up wrongly."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infrastructure.check.checking import expect, expect_same, say
from infrastructure.check.emulator import Emulator, emulator
from infrastructure.check.events import Producer, batch, failures, record
from infrastructure.check.function import CONSUMER, TIMEOUT_S, function
from infrastructure.check.weather import Weather
from tally.local.momento.server import MomentoServer
from tally.reading.reader import Reader

CACHE = "tally"
COUNTERS = [f"c{number}" for number in range(10)]
EACH = 90
"""With the repeats and the bad ones just below a thousand, the template's BatchSize."""

REPEATED = 10
"""Every tenth message comes a second time in the same batch."""

BAD = ('{"counter":"bad","amount":"1"}', "no JSON", '{"amount":1}')
WARM = 2
"""Batches to a warm function. The first still reads: who has made a counter knows no hash of it."""

SLOW_CALLS = ("SetIf", "GetWithHash")
"""How the consumer makes a counter, and how it reads: what a slow Momento is slow with."""

SLOW_COUNTERS, QUICK_CALLS = 10, 5
KEY = "tally-check-no-key-of-anything"
NO_CACHE = "nobody-made-it"


def check(packages: Mapping[str, Path], folder: Path) -> None:
    """Run the consumer, and see what it answers and what was counted.

    Args:
        packages: the folder of each function.
        folder: for logs.

    Raises:
        CheckFailedError: something is not as it should be.
    """
    weather = Weather()
    with MomentoServer(caches=[CACHE], faults=weather) as server:
        told = {"MOMENTO_LOCAL": server.endpoint, "MOMENTO_CACHE_NAME": CACHE}
        consumer = function(CONSUMER, packages, told)
        with Reader.from_environment(told) as reader, emulator(consumer, folder) as started:
            producer = Producer()
            _check_cold(started, reader, producer)
            _check_warm(started, reader, producer, server)
            for call in SLOW_CALLS:
                weather.slow(call, QUICK_CALLS)
                _check_slow(started, reader, weather, call)
            peak_mib, most_mib = started.peak_mib(), consumer.least_memory_mib
            expect(peak_mib < most_mib, f"{peak_mib:.0f} MiB, and it may have {most_mib} at least")
            say(CONSUMER, f"at most {peak_mib:.0f} MiB of {most_mib}, the least that it may have")
    _check_set_up(packages, folder)


def _check_cold(started: Emulator, reader: Reader, producer: Producer) -> None:
    """The first batch: good messages, repeats, and bad ones, which alone are to come back."""
    good = producer.records(COUNTERS * EACH)
    repeats = [record(each["body"]) for each in good[::REPEATED]]
    bad = [record(body) for body in BAD]
    messages = [*bad[:1], *good, *bad[1:], *repeats]
    answer = started.invoke(batch(messages))
    expect_same(answer.body, failures(bad), "the answer of a cold function")
    expect_same(reader.counts(COUNTERS), dict.fromkeys(COUNTERS, EACH), "the counts")
    took = f"{answer.duration_s * 1_000:,.0f} ms"
    say(CONSUMER, f"cold, {len(messages)} messages in {took}: exact, {len(bad)} bad ones back")


def _check_warm(
    started: Emulator, reader: Reader, producer: Producer, server: MomentoServer
) -> None:
    """The next batches: the same process, and in the end one write a counter and no read."""
    before = started.processes()
    for number in range(WARM):
        calls = server.stats().calls
        answer = started.invoke(batch(producer.records(COUNTERS * EACH)))
        made = _difference(calls, server.stats().calls)
        expect_same(answer.body, failures([]), "the answer of a warm function")
        counts = dict.fromkeys(COUNTERS, EACH * (number + 2))
        expect_same(reader.counts(COUNTERS), counts, "the counts")
    expect_same(made, {"SetIfHash": len(COUNTERS)}, "the calls of a warm function")
    expect_same(started.processes(), before, "the processes, which are to stay warm")
    messages, took = EACH * len(COUNTERS), f"{answer.duration_s * 1_000:,.0f} ms"
    say(CONSUMER, f"warm, {messages} messages in {took}: exact, {len(COUNTERS)} writes, no read")


def _check_slow(started: Emulator, reader: Reader, weather: Weather, call: str) -> None:
    """Momento is slow to the end: what is settled is settled, the rest comes back in time."""
    before = started.processes()
    counters = [f"{call}-{number}" for number in range(SLOW_COUNTERS)]
    messages = Producer().records(counters)
    answer = started.invoke(batch(messages))
    weather.fair()
    named = [each["itemIdentifier"] for each in answer.body.get("batchItemFailures", [])]
    rest = [each for each in messages if each["messageId"] in named]
    expect_same(answer.body, failures(rest), "the answer with a slow Momento")
    expect_same(len(rest), SLOW_COUNTERS - QUICK_CALLS, "the messages that came back")
    settled = [
        counter
        for counter, each in zip(counters, messages, strict=True)
        if each["messageId"] not in named
    ]
    expect_same(reader.counts(settled), dict.fromkeys(settled, 1), "the counts that were settled")
    expect(answer.duration_s < TIMEOUT_S, f"it took {answer.duration_s:.1f} s of {TIMEOUT_S}")
    expect_same(started.processes(), before, "the processes, none of which was to be killed")
    # What hung may happen meanwhile, or later: it must not count beside this.
    expect_same(started.invoke(batch(rest)).body, failures([]), "the answer to a redelivery")
    expect_same(reader.counts(counters), dict.fromkeys(counters, 1), "the counts thereafter")
    took = f"{answer.duration_s:.1f} s of {TIMEOUT_S}"
    say(CONSUMER, f"slow {call}: {len(rest)} of {len(messages)} messages back after {took}")


def _check_set_up(packages: Mapping[str, Path], folder: Path) -> None:
    """A wrong set-up is an error that names what is wrong: SQS deletes nothing, no key shows."""
    key = {"MOMENTO_API_KEY": KEY}
    whole = {**key, "MOMENTO_ENDPOINT": "cell-1.example.com", "MOMENTO_CACHE_NAME": CACHE}
    with MomentoServer() as server:
        no_cache = {"MOMENTO_LOCAL": server.endpoint, "MOMENTO_CACHE_NAME": NO_CACHE}
        missing = "MOMENTO_ENDPOINT must be set; MOMENTO_CACHE_NAME must be set"
        cases: Sequence[tuple[Mapping[str, str], str, str]] = (
            (key, "SettingsError", missing),
            (whole, "SettingsError", "the Momento API key is not one of version 2"),
            (no_cache, "BrokenSetupError", f"NOT_FOUND: cache not found: {NO_CACHE}"),
        )
        for variables, kind, message in cases:
            consumer = function(CONSUMER, packages, variables)
            with emulator(consumer, folder) as started:
                body = started.invoke(batch(Producer().records(COUNTERS))).body
            said = (body.get("errorType"), body.get("errorMessage"))
            expect_same(said, (kind, message), "the error of a wrong set-up")
            _check_shown(message, json.dumps(body), folder / f"{CONSUMER}.log")
            say(CONSUMER, f"wrong set-up, nothing deleted: {message}")


def _check_shown(message: str, answer: str, log: Path) -> None:
    logged = log.read_text("utf-8")
    expect(message in logged, f"the log does not say {message!r}")
    expect(KEY not in logged + answer, "the key is in the log or in the answer")


def _difference(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, Any]:
    """How often each call was made in between, of those that were."""
    more = {name: times - before.get(name, 0) for name, times in after.items()}
    return {name: times for name, times in more.items() if times}
