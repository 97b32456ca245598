"""Bugs in how long a publisher waits, what it sends again, and what it makes of an outage."""

from tests.mutants.mutation import Mutation

_CONNECTION = "tally/publishing/connection.py"
_OUTBOX = "tally/publishing/outbox.py"
_PACKING = "tally/publishing/packing.py"
_PUBLISHER = "tally/publishing/publisher.py"
_SENDING = "tally/publishing/sending.py"
_LIVING = "tests/publishing/test_outbox.py"
_OUTAGES = "tests/publishing/test_outage.py"
_REPEATING = "tests/publishing/test_sending.py"
_PUBLISHING = "tests/publishing/test_publisher.py"
_FILLING = "tests/publishing/test_packing.py"
_CONNECTING = "tests/publishing/test_connection.py"

SENDING = (
    Mutation(
        "linger counted from the last increment",
        "A trickle of increments is never sent.",
        _OUTBOX,
        "elif self._due_at is None and holding.is_packed:",
        "elif holding.is_packed:",
        tests=_LIVING,
    ),
    Mutation(
        "linger that is over for good",
        "After the first request each increment is sent alone.",
        _OUTBOX,
        "        self._holding.hurry()\n        self._due_at = None",
        "        self._holding.hurry()",
        tests=_LIVING,
    ),
    Mutation(
        "a hurry that never ends",
        "After the first flush each increment is sent alone, and the sender never rests.",
        _PACKING,
        "self._due = max(0, self._due - 1)",
        "self._due = self._due",
        tests=_FILLING,
    ),
    Mutation(
        "a hurry of what is open alone",
        "On a FIFO queue the last increments of a busy counter wait for ever to be sent.",
        _PACKING,
        "        self._open.clear()\n        self._due = len(self._ready)",
        "        self._due = len(self._open)\n        self._open.clear()",
        tests=_FILLING,
    ),
    Mutation(
        "backoff without jitter",
        "All producers that SQS throttles come back at the same moment.",
        _SENDING,
        "self._pacer.random() * min(",
        "min(",
        tests=_REPEATING,
    ),
    Mutation(
        "backoff that does not grow",
        "An SQS that is overloaded is asked as often as ever.",
        _SENDING,
        "BACKOFF_BASE_S * 2**repeat",
        "BACKOFF_BASE_S * 2",
        tests=_REPEATING,
    ),
    Mutation(
        "patience counted from the last attempt",
        "Who waits for an SQS that is away waits for as long as each attempt takes.",
        _SENDING,
        "> started_at + self._pacer.patience_s",
        "> self._pacer.clock() + self._pacer.patience_s",
        tests=_REPEATING,
    ),
    Mutation(
        "a whole request repeated for one message",
        "What SQS confirmed is sent again with what it did not.",
        _SENDING,
        '[entry for entry in entries if entry["Id"] in waiting]',
        "entries",
        tests=_REPEATING,
    ),
    Mutation(
        "what was not refused taken for confirmed",
        "An increment is lost that an answer of SQS left out.",
        _SENDING,
        "for entry_id in answer.confirmed & waiting.keys():",
        "for entry_id in waiting.keys() - answer.refused:",
        tests=_REPEATING,
    ),
    Mutation(
        "a throttled message given up at once",
        "What a moment's wait would have sent is handed back.",
        _SENDING,
        'if entry["SenderFault"] and not _passes(entry["Code"]):',
        'if entry["SenderFault"]:',
        tests=_REPEATING,
    ),
    Mutation(
        "a fault of SQS taken for the sender's",
        "What SQS failed to store is handed back at its first try.",
        _SENDING,
        'if entry["SenderFault"] and not _passes(entry["Code"]):',
        'if not _passes(entry["Code"]):',
        tests=_REPEATING,
    ),
    Mutation(
        "a code with a prefix not known",
        "A throttle with SQS's older codes is an error that no repeat cures.",
        _SENDING,
        'code.rpartition(".")[2]',
        "code",
        tests=_REPEATING,
    ),
)

OUTAGE = (
    Mutation(
        "no group taken for a group",
        "One throttled message of a standard queue keeps all others from being sent.",
        _SENDING,
        ' - {""}',
        "",
        tests=_OUTAGES,
    ),
    Mutation(
        "requests in vain not forgotten by progress",
        "A slow SQS that confirms is taken for one that is away.",
        _SENDING,
        "        if len(outcome.unsettled) < len(tried):\n            self._vain_requests = 0",
        "        if len(outcome.unsettled) < len(tried):\n            pass",
        tests=_OUTAGES,
    ),
    Mutation(
        "requests in vain remembered into the next wait",
        "The next flush gives up what it has not tried.",
        _SENDING,
        "        self._groups.clear()\n        self._vain_requests = 0",
        "        self._groups.clear()",
        tests=_LIVING,
    ),
    Mutation(
        "an outage forgotten while another waits",
        "Each group that waits behind a throttled message has a patience of its own.",
        _OUTBOX,
        "        if not self._is_waited_for(by_others=True):\n            self._outage.forget()",
        "        self._outage.forget()",
        tests=_LIVING,
    ),
    Mutation(
        "an outage forgotten once its waiters know",
        "What who waits again at once has published is given up untried.",
        _OUTBOX,
        "        if not self._is_waited_for(by_others=True):\n"
        "            self._outage.forget()\n"
        "        self._holding.settle()",
        "        self._holding.settle()\n"
        "        if not self._is_waited_for(by_others=True):\n"
        "            self._outage.forget()",
        tests=_LIVING,
    ),
    Mutation(
        "an outage remembered once it is told",
        "What is published again after an outage is given up untried.",
        _SENDING,
        "        self.forget()\n        return True",
        "        return True",
        tests=_LIVING,
    ),
    Mutation(
        "an outage never forgotten",
        "A FIFO group that was throttled once is never sent again.",
        _OUTBOX,
        "        if not self._is_waited_for(by_others=True):\n            self._outage.forget()\n",
        "",
        tests=_OUTAGES,
    ),
    Mutation(
        "an outage though nobody waits",
        "A request in vain takes with it what might have been sent.",
        _OUTBOX,
        "if is_waited_for and self._outage.is_away(tried, outcome):",
        "if self._outage.is_away(tried, outcome):",
        tests=_OUTAGES,
    ),
    Mutation(
        "what was refused taken for confirmed",
        "Increments with which SQS found fault are lost in silence.",
        _OUTBOX,
        "self._holding.arrived([*outcome.refused, *outcome.unsettled, *behind])",
        "self._holding.arrived([*outcome.unsettled, *behind])",
        tests=_PUBLISHING,
    ),
    Mutation(
        "what was not tried taken for confirmed",
        "Increments behind a throttled one are lost in silence.",
        _OUTBOX,
        "self._holding.arrived([*outcome.refused, *outcome.unsettled, *behind])",
        "self._holding.arrived([*outcome.refused, *outcome.unsettled])",
        tests=_OUTAGES,
    ),
    Mutation(
        "what was not settled taken for confirmed",
        "Increments of an SQS that is away are lost in silence.",
        _OUTBOX,
        "self._holding.arrived([*outcome.refused, *outcome.unsettled, *behind])",
        "self._holding.arrived([*outcome.refused, *behind])",
        tests=_PUBLISHING,
    ),
)

CLIENT = (
    Mutation(
        "a client kept that idled",
        "The first request after a pause waits for a peer that has gone.",
        _CONNECTION,
        "not 0 <= now - self._used_at <= MAX_IDLE_S",
        "now - self._used_at < 0",
        tests=_CONNECTING,
    ),
    Mutation(
        "idle by the sign of the clock of a client",
        "After the time of day was set back a client is never too old.",
        _CONNECTION,
        "not 0 <= now - self._used_at <= MAX_IDLE_S",
        "now - self._used_at > MAX_IDLE_S",
        tests=_CONNECTING,
    ),
    Mutation(
        "credentials renewed for ever",
        "Keys that stay expired are tried until the patience ends.",
        _CONNECTION,
        "return not self._is_new",
        "return True",
        tests=_CONNECTING,
    ),
    Mutation(
        "a connection that may take longer than an attempt",
        "An SQS that is away is waited for longer than was asked for.",
        _CONNECTION,
        "connect_timeout_s=min(CONNECT_TIMEOUT_S, attempt_s)",
        "connect_timeout_s=CONNECT_TIMEOUT_S",
        tests=_REPEATING,
    ),
    Mutation(
        "repeats by botocore too",
        "Two layers of repeats multiply.",
        _CONNECTION,
        "max_attempts=1",
        "max_attempts=3",
        tests=_REPEATING,
    ),
    Mutation(
        "a seq spent on what is refused",
        "A gap is left in the ledger for each increment that was refused.",
        _PUBLISHER,
        "        outbox.admit()  # before a seq is spent\n"
        "        if increment.at is UNSET:\n"
        "            source, seq, at = self._sequence.next(increment.counter, shards)\n"
        "            increment = replace(increment, source=source, seq=seq, at=at)\n",
        "        if increment.at is UNSET:\n"
        "            source, seq, at = self._sequence.next(increment.counter, shards)\n"
        "            increment = replace(increment, source=source, seq=seq, at=at)\n"
        "        outbox.admit()  # before a seq is spent\n",
        tests=_PUBLISHING,
    ),
    Mutation(
        "a flush that tells nothing",
        "What SQS refused is lost in silence.",
        _PUBLISHER,
        "        outbox.settle()\n        outbox.raise_unsent()",
        "        outbox.settle()",
        tests=_PUBLISHING,
    ),
)

CLOSING = (
    Mutation(
        "patience that ends in number",
        "Who waits for an SQS that refuses at once waits for a third of the time told.",
        _SENDING,
        "MAX_ATTEMPTS = 500",
        "MAX_ATTEMPTS = 10",
        tests=_REPEATING,
    ),
    Mutation(
        "an increment without an identity published again",
        "It gets a new identity, and counts twice.",
        _PUBLISHER,
        "        if increment.at is UNSET:\n            raise",
        "        if increment is None:\n            raise",
        tests="tests/publishing/test_what_is_refused.py",
    ),
    Mutation(
        "an attempt more than told",
        "An SQS that is overloaded is asked more often than the limit says.",
        _SENDING,
        "for attempt in range(MAX_ATTEMPTS):",
        "for attempt in range(MAX_ATTEMPTS + 1):",
        tests="tests/publishing/test_attempts.py",
    ),
    Mutation(
        "a client of old keys left open",
        "With each rotation of its keys a program has a connection more.",
        _CONNECTION,
        "        self.close()\n        self._client = None",
        "        self._client = None",
        tests=_CONNECTING,
    ),
)

OF_SENDING = CLOSING + SENDING + OUTAGE + CLIENT
