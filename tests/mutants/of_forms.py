"""Bugs in resets, in CloudEvents, and in what is told of an event afterwards."""

from tests.mutants.mutation import Mutation

_BODY = "tally/counters/body.py"
_CLOUDEVENT = "tally/counters/cloudevent.py"
_COUNTER = "tally/counters/counter.py"
_ERRORS = "tally/counters/errors.py"
_EVENT = "tally/counters/event.py"
_IDENTITY = "tally/counters/identity.py"
_OUTCOME = "tally/counters/outcome.py"

_CONTRACT_TESTS = "tests/counters/test_event.py"
_EVENT_TESTS = "tests/counters/test_cloudevent.py"
_REASON_TESTS = "tests/counters/test_explain.py"
_TIME_TESTS = "tests/counters/test_cloudevent_time.py"
_OUTCOME_TESTS = "tests/counters/test_outcome.py"
_NAME_TESTS = "tests/counters/test_identity.py"

RESETS = (
    Mutation(
        "reset decided twice",
        "A reset that is delivered again throws away what was counted since.",
        _COUNTER,
        "if before is not None:",
        "if before is not None and event.reset is None:",
    ),
    Mutation(
        "reset not recorded",
        "The ledger does not know of a reset, which is decided at each delivery.",
        _COUNTER,
        "self.ledger.record(event.source, source, seq, event.at)",
        "event.reset is not None or self.ledger.record(event.source, source, seq, event.at)",
    ),
    Mutation(
        "reset below the floor let in",
        "A reset that is too old to be known is guessed to be new.",
        _COUNTER,
        "if event.at <= self.ledger.floor_ms:",
        "if event.at <= self.ledger.floor_ms and event.reset is None:",
    ),
    Mutation(
        "resets before increments",
        "A batch's increments count although they are older than its reset.",
        _COUNTER,
        "for event in events]",
        "for event in sorted(events, key=lambda event: event.reset is None)]",
    ),
    Mutation(
        "reset added",
        "A reset to 5 adds 5.",
        _COUNTER,
        "self.count = event.reset",
        "self.count += event.reset",
    ),
    Mutation(
        "reset to 0 taken for none",
        "A counter cannot be cleared: it counts one more instead.",
        _COUNTER,
        "if event.reset is not None:",
        "if event.reset:",
    ),
    Mutation(
        "reset kept below the bound",
        "A reset asks the default bound, which is for increments.",
        _COUNTER,
        "self.count = event.reset",
        "self.count = min(event.reset, event.high)",
    ),
    Mutation(
        "reset read as an increment",
        "A reset adds one.",
        _IDENTITY,
        "None if increment.reset is UNSET else increment.reset",
        "None",
    ),
    Mutation(
        "reset beside a bound let in",
        "A message that says two things is taken for one of them.",
        _EVENT,
        "if increment.reset is not UNSET:",
        "if increment.reset is None:",
    ),
)

CLOUDEVENTS = (
    Mutation(
        "the id alone as the identity",
        "Two sources' events with the same id are one.",
        _CLOUDEVENT,
        """{"id": f"{source} {_text(event, 'id')}", "at\"""",
        """{"id": _text(event, "id"), "at\"""",
    ),
    Mutation(
        "one event of a batch",
        "A batch is acknowledged for its first event.",
        _CLOUDEVENT,
        "enumerate(body if isinstance(body, list) else [body])",
        "enumerate(body[:1] if isinstance(body, list) else [body])",
    ),
    Mutation(
        "offset the wrong way",
        "An event's time is hours from what it says, and so is the floor.",
        _CLOUDEVENT,
        'if found[8] == "-"',
        'if found[8] == "+"',
    ),
    Mutation(
        "offset without its minutes",
        "In zones with half hours an event's time is half an hour off.",
        _CLOUDEVENT,
        "+ int(found[10] or 0) * _MINUTE_S",
        "+ 0 * _MINUTE_S",
    ),
    Mutation(
        "fraction rounded up",
        "The same event has two times, by who read it.",
        _CLOUDEVENT,
        """int(f"{found[7] or ''}000"[:3])""",
        """-(-int(f"{found[7] or ''}0000"[:4]) // 10)""",
        tests=_TIME_TESTS,
    ),
    Mutation(
        "fraction read as milliseconds",
        "Half a second is read as five milliseconds.",
        _CLOUDEVENT,
        """int(f"{found[7] or ''}000"[:3])""",
        """int(f"{found[7] or '0'}"[:3])""",
        tests=_TIME_TESTS,
    ),
    Mutation(
        "leap second at any minute's end",
        "A time that never was is taken for another.",
        _CLOUDEVENT,
        "if found[6] == _LEAP and utc_s % _DAY_S:",
        "if found[6] == _LEAP and utc_s % _MINUTE_S:",
        tests=_TIME_TESTS,
    ),
    Mutation(
        "days past the month's end",
        "The 30th of February is taken for a day in March.",
        _CLOUDEVENT,
        "range(1, _month_days(found) + 1)",
        "range(1, 32)",
        tests=_TIME_TESTS,
    ),
    Mutation(
        "blanks in a source",
        "Two pairs of source and id are one identity.",
        _CLOUDEVENT,
        r'if re.search(r"\s", source):',
        "if not source:",
        tests=_EVENT_TESTS,
    ),
    Mutation(
        "any version",
        "An event of another version is read as if it were of this one.",
        _CLOUDEVENT,
        "if version != VERSION:",
        "if not version:",
        tests=_EVENT_TESTS,
    ),
    Mutation(
        "unknown fields of the data ignored",
        "A misspelt bound is no bound.",
        _CLOUDEVENT,
        "if name not in _DATA:",
        "if not name:",
        tests=_EVENT_TESTS,
    ),
    Mutation(
        "data of any type",
        "What says that it is no JSON is read as JSON.",
        _CLOUDEVENT,
        "_JSON_TYPE.fullmatch(content))",
        "_JSON_TYPE)",
        tests=_EVENT_TESTS,
    ),
    Mutation(
        "an error in our words",
        "Who sent a CloudEvent is told of a field that it does not have.",
        _BODY,
        "error = cloudevent.in_its_words(error)",
        "pass",
        tests=_EVENT_TESTS,
    ),
)

OUTCOMES = (
    Mutation(
        "a forgotten event told as pending",
        "Somebody waits for what will never be decided.",
        _OUTCOME,
        "return Outcome.FORGOTTEN if at <= ledger.floor_ms else Outcome.PENDING",
        "return Outcome.PENDING",
        tests=_OUTCOME_TESTS,
    ),
    Mutation(
        "an event at the floor told as pending",
        "The oldest event that is forgotten is waited for.",
        _OUTCOME,
        "if at <= ledger.floor_ms",
        "if at < ledger.floor_ms",
        tests=_OUTCOME_TESTS,
    ),
    Mutation(
        "the floor asked first",
        "What is known of an old event is not told.",
        _OUTCOME,
        "if decided is not None:",
        "if decided is not None and at > ledger.floor_ms:",
        tests=_OUTCOME_TESTS,
    ),
    Mutation(
        "a forgotten way told as applied",
        "Who was refused a seat hears that he has one.",
        _OUTCOME,
        "Decision.DECIDED_BEFORE: Outcome.FORGOTTEN,",
        "Decision.DECIDED_BEFORE: Outcome.APPLIED,",
        tests=_OUTCOME_TESTS,
    ),
    Mutation(
        "two names for one event",
        "A name is read in forms that nobody writes.",
        _EVENT,
        ":(0|[1-9][0-9]{0,18}):",
        ":([0-9]{1,19}):",
        tests=_NAME_TESTS,
    ),
    Mutation(
        "a name without its range",
        "A name is read that no event can have.",
        _EVENT,
        "if name is None or name.seq > INT64_MAX or name.at > INT64_MAX:",
        "if name is None:",
        tests=_NAME_TESTS,
    ),
    Mutation(
        "a named increment by its bare id",
        "The name that a publisher hears is not the one that the ledger knows.",
        _IDENTITY,
        "EventName(derived_source(str(increment.id)), 0, increment.at)",
        "EventName(derived_source(str(increment.id)), 0, 1)",
        tests=_NAME_TESTS,
    ),
)

REFUSALS = (
    Mutation(
        "a long name let in with the usual identity",
        "A native increment has a name that no key may have.",
        _IDENTITY,
        " and increment.counter.isascii()",
        "",
        tests=_CONTRACT_TESTS,
    ),
    Mutation(
        "a place lost before an indented array",
        "Nobody is told which increment of a packed message is the bad one.",
        _BODY,
        'if body.lstrip().startswith("[") else ""',
        'if body.startswith("[") else ""',
        tests=_CONTRACT_TESTS,
    ),
    Mutation(
        "broken JSON told by its fields",
        "Who sent half a CloudEvent is told that specversion is no field.",
        _BODY,
        "        if not str(error).startswith(reason):\n            raise\n",
        "        str(error).startswith(reason)\n",
        tests=_CONTRACT_TESTS,
    ),
)

ARGUMENTS = (
    Mutation(
        "the ends of a span refused",
        "Who wants no linger, or a hundred shards, is told to choose another number.",
        _ERRORS,
        'low <= cast("float", value) <= high',
        'low < cast("float", value) < high',
        tests=_REASON_TESTS,
    ),
    Mutation(
        "a fraction taken for an integer",
        "A publisher with two and a half shards writes to counters that no reader reads.",
        _ERRORS,
        "if isinstance(low, int) else numbers.Real",
        "if low is None else numbers.Real",
        tests=_REASON_TESTS,
    ),
)

OF_FORMS = RESETS + CLOUDEVENTS + OUTCOMES + REFUSALS + ARGUMENTS
