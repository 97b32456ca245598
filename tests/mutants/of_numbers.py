"""Bugs at a limit, and in a number or a name that is told."""

from tests.mutants.mutation import Mutation

_ERRORS = "tally/counters/errors.py"
_EVENT = "tally/counters/event.py"
_IDENTITY = "tally/counters/identity.py"
_ROUNDS = "tally/settling/rounds.py"
_WRITER = "tally/settling/writer.py"

_EXPLAINING = "tests/counters/test_explain.py"
_NAMING = "tests/counters/test_identity.py"
_PACING = "tests/settling/test_rounds.py"

COUNTERS = (
    Mutation(
        "sources remembered without a bound",
        "A consumer's memory grows with each producer's session, until it is killed.",
        _EVENT,
        "@functools.lru_cache(maxsize=MAX_KNOWN_SOURCES)",
        "@functools.lru_cache(maxsize=None)",
        tests=_NAMING,
    ),
    Mutation(
        "the last event there can be has no name",
        "Nobody can ask what became of it.",
        _EVENT,
        "name.seq > INT64_MAX",
        "name.seq >= INT64_MAX",
        tests=_NAMING,
    ),
    Mutation(
        "a claim without a seq of 0",
        "The log names the first event of a source that breaks the contract by half a name.",
        _IDENTITY,
        "for part in native if part is not UNSET)",
        "for part in native if part)",
        tests=_NAMING,
    ),
    Mutation(
        "a value cut that could be shown whole",
        "The last character of what is wrong is replaced by a mark.",
        _ERRORS,
        "text if len(text) <= MAX_SHOWN_CHARS",
        "text if len(text) < MAX_SHOWN_CHARS",
        tests=_EXPLAINING,
    ),
)

SETTLING = (
    Mutation(
        "reads of all batches told by each",
        "The metric of a warm consumer grows with each invocation.",
        _ROUNDS,
        "self.store.usage.reads - reads",
        "self.store.usage.reads",
        tests=_PACING,
    ),
    Mutation(
        "winners of earlier rounds kept",
        "A counter that is settled is written again, and the batch fails.",
        _WRITER,
        "winners, progress.winners = progress.winners, {}",
        "winners = progress.winners",
        tests="tests/settling/test_winners.py",
    ),
)

LOGS = (
    Mutation(
        "a count of receives of any length read",
        "To tell of one record of another sender stops the whole batch.",
        "consumer/messages.py",
        "int(count) if _DECIMAL.fullmatch(count) else 0",
        "int(count) if count.isdecimal() else 0",
        tests="tests/consumer/test_messages.py",
    ),
    Mutation(
        "log lines in local time",
        "Lines of two machines stand in the wrong order.",
        "consumer/wiring.py",
        "Logger(service=service, utc=True)",
        "Logger(service=service)",
        tests="tests/consumer/test_wiring.py",
    ),
)

API = (
    Mutation(
        "lines of the API in local time",
        "Its lines and the consumer's stand in the wrong order.",
        "producer/wiring.py",
        "Logger(service=service, utc=True)",
        "Logger(service=service)",
        tests="tests/producer/test_api_wiring.py",
    ),
    Mutation(
        "what is not confirmed not named in the record",
        "Of a request that was answered 503 nobody finds the event.",
        "producer/routes.py",
        "    on_published(increment)\n    accepted = _accepted(stage, increment)\n",
        "    accepted = _accepted(stage, increment)\n",
        tests="tests/producer/test_api_publishing.py",
    ),
)

SETTINGS = (
    Mutation(
        "a user whose password is in a secret refused",
        "A deployment as the documents have it does not start.",
        "tally/environment.py",
        "if username and not (password or secret):",
        "if username and not password:",
        tests="tests/stores/valkey/test_settings.py",
    ),
)

OF_NUMBERS = SETTINGS + API + LOGS + COUNTERS + SETTLING
