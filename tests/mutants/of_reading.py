"""Bugs in what a reader, a Momento store and the consumer's log make of what they meet."""

from tests.mutants.mutation import Mutation

_BATCH = "consumer/batch.py"
_CALLS = "tally/stores/momento/calls.py"
_CONNECTING = "tally/stores/momento/connection.py"
_EVENT_SOURCE = "tally/local/lambda_/event_source.py"
_MESSAGES = "consumer/messages.py"
_MOMENTO = "tally/stores/momento/store.py"
_OBSERVABILITY = "consumer/observability.py"
_READER = "tally/reading/reader.py"
_STATUSES = "tally/stores/momento/troubles.py"
_WAITING = "tally/reading/waiting.py"
_WIRING = "consumer/wiring.py"
_AGREEING = "tests/stores/test_contract.py"
_PACING = "tests/settling/test_rounds.py"
_CALLING = "tests/stores/test_momento.py"
_COUNTING = "tests/consumer/test_observability.py"
_NAMING = "tests/consumer/test_messages.py"
_ORDERING = "tests/consumer/test_fifo.py"
_POLLING = "tests/local/test_poller.py"
_REPEATING = "tests/reading/test_values.py"
_READING = "tests/reading/test_reader.py"
_SILENCE = "tests/stores/test_silent_connections.py"
_OF_TABLES = "tests/reading/test_tables.py"
_TOGETHER = "tests/reading/test_waiting.py"
_WIRING_TESTS = "tests/consumer/test_wiring.py"

READING = (
    Mutation(
        "a total of nought taken for none",
        "A sharded counter at 0 is not there.",
        _READER,
        "Reading(sum(counts) if counts else None, source)",
        "Reading(sum(counts) or None, source)",
        tests=_READING,
    ),
    Mutation(
        "a shard that is not there taken for nought",
        "A sharded counter that nobody has published to stands at 0.",
        _READER,
        "counts = [reading.count for reading in read if reading.count is not None]",
        "counts = [reading.count or 0 for reading in read]",
        tests=_READING,
    ),
    Mutation(
        "an empty value of a batch taken for none",
        "What somebody made empty reads as a counter that is not there.",
        _CALLS,
        "values.append(answer.cache_body if answer.result == messages.Hit else None)",
        "values.append(answer.cache_body or None)",
        tests=_AGREEING,
    ),
    Mutation(
        "an empty value taken for no counter",
        "What somebody made empty reads as a counter that is not there.",
        _READER,
        "return None if value is None else read_count(value)",
        "return None if not value else read_count(value)",
        tests=_READING,
    ),
    Mutation(
        "a name asked for twice",
        "Each repeat of a name costs an operation.",
        _READER,
        "names = list(dict.fromkeys(map(_checked, counters)))",
        "names = list(map(_checked, counters))",
        tests=_READING,
    ),
    Mutation(
        "what came asked for again",
        "Many large values never come whole.",
        _READER,
        "ask(counters[len(values) :], deadline_s)",
        "ask(counters, deadline_s)",
        tests=_REPEATING,
    ),
    Mutation(
        "repeats of a read not drawn",
        "Readers that were throttled together come back together.",
        _READER,
        "self._sleep(self._uniform(0, base_s * 2**repeat))",
        "self._sleep(base_s * 2**repeat)",
        tests=_REPEATING,
    ),
    Mutation(
        "a throttled read repeated as a lost one",
        "A store that is over its quota is asked at once again.",
        _READER,
        "THROTTLED_BACKOFF_S if trouble is Trouble.THROTTLED else BACKOFF_S",
        "BACKOFF_S",
        tests=_REPEATING,
    ),
    Mutation(
        "a refused read repeated",
        "What no repeat cures is asked for four times.",
        _READER,
        "if failure is None or failure.trouble not in PASSING:",
        "if failure is None:",
        tests=_REPEATING,
    ),
    Mutation(
        "a wait that polls as fast for ever",
        "A wait of minutes costs an operation each tenth of a second.",
        _WAITING,
        "poll_s = min(2 * poll_s, MAX_POLL_S)",
        "poll_s = min(poll_s, MAX_POLL_S)",
        tests=_TOGETHER,
    ),
    Mutation(
        "a wait that slows down for ever",
        "An outcome is told minutes after it is there.",
        _WAITING,
        "poll_s = min(2 * poll_s, MAX_POLL_S)",
        "poll_s = 2 * poll_s",
        tests=_TOGETHER,
    ),
    Mutation(
        "a wait that sleeps past its end",
        "A wait takes longer than it was told to.",
        _WAITING,
        "pace.sleep(min(left_s, pace.uniform(poll_s / 2, poll_s)))",
        "pace.sleep(pace.uniform(poll_s / 2, poll_s))",
        tests=_TOGETHER,
    ),
    Mutation(
        "a forgotten outcome waited for",
        "Who asks for what is forgotten waits until the time is up.",
        _WAITING,
        "answer is not Outcome.PENDING",
        "answer in (Outcome.APPLIED, Outcome.REJECTED)",
        tests=_TOGETHER,
    ),
)

TABLES = (
    Mutation(
        "all of the time once more for the table",
        "An outcome takes twice as long as it may where the cache is slow.",
        _READER,
        "left_s = max(ends_at - self._pace.clock(), MIN_CALL_S)",
        "left_s = deadline_s",
        tests=_OF_TABLES,
    ),
    Mutation(
        "no time for the table",
        "An outcome fails where the cache took all of the time.",
        _READER,
        "left_s = max(ends_at - self._pace.clock(), MIN_CALL_S)",
        "left_s = ends_at - self._pace.clock()",
        tests=_OF_TABLES,
    ),
)

STORING = (
    Mutation(
        "a hash that is none kept",
        "A counter just created is swapped by a hash that fits nothing.",
        _MOMENTO,
        "Stored(answer.stored.new_hash if by_hash else None)",
        "Stored(answer.stored.new_hash or None)",
        tests=_CALLING,
    ),
    Mutation(
        "a call that may take until past the end",
        "The function times out in its last call.",
        _MOMENTO,
        "timeout_s = min(self.deadline_s, left_s)",
        "timeout_s = self.deadline_s",
        tests=_CALLING,
    ),
    Mutation(
        "calls without a number in flight",
        "Calls wait in line at the cost of their own deadlines.",
        _MOMENTO,
        "if len(waiting) == MAX_CALLS_IN_FLIGHT:",
        "if len(waiting) == 10 * MAX_CALLS_IN_FLIGHT:",
        tests=_CALLING,
    ),
    Mutation(
        "the time to live of the deployment ignored",
        "A counter lives a day whatever was asked for.",
        _WIRING,
        "open_store(settings.place, ttl_s=settings.ttl_s, clock=clock)",
        "open_store(settings.place, clock=clock)",
        tests=_WIRING_TESTS,
    ),
    Mutation(
        "a key in the text of an error",
        "A service that repeats the key has it in the log.",
        _STATUSES,
        'detail = detail.replace(key, "…") if key else detail',
        "detail = str(detail)",
        tests=_CALLING,
    ),
    Mutation(
        "the key sent in the clear",
        "Whoever is in the way reads the key.",
        _CONNECTING,
        "if credentials.port == TLS_PORT:",
        "if credentials.port == 0:",
        tests=_WIRING_TESTS,
    ),
    Mutation(
        "silent calls told as answered",
        "A connection that leads nowhere is never replaced.",
        _MOMENTO,
        "                self.usage.unanswered += 1\n                return item, answer",
        "                self.usage.unanswered += 1",
        tests=_PACING,
    ),
    Mutation(
        "a channel shared with a silent one",
        "A new channel uses the connection that has gone silent.",
        _CONNECTING,
        '("grpc.use_local_subchannel_pool", 1)',
        '("grpc.use_local_subchannel_pool", 0)',
        tests=_SILENCE,
    ),
)

TELLING = (
    Mutation(
        "a time of other digits read",
        "One record stops the whole batch.",
        _MESSAGES,
        "sent_at.isdecimal()",
        "sent_at.isdigit()",
        tests=_NAMING,
    ),
    Mutation(
        "a time of any length read",
        "A sum with it leaves 64 bits, and stops the whole batch.",
        _MESSAGES,
        " and len(sent_at) <= MAX_SENT_AT_DIGITS",
        "",
        tests=_NAMING,
    ),
    Mutation(
        "an invalid id not cut",
        "A log line is as long as a message.",
        _MESSAGES,
        "error.identity[:MAX_ID_CHARS]",
        "error.identity",
        tests=_NAMING,
    ),
    Mutation(
        "the last reason reported",
        "A message is reported for what followed from its first trouble.",
        _MESSAGES,
        "        if self.unsettled is None:\n            self.unsettled",
        "        if True:\n            self.unsettled",
        tests=_NAMING,
    ),
    Mutation(
        "the identity of another event told",
        "The log names an event that is settled.",
        _BATCH,
        "                message.fail(unsettled[id(event)], event)\n                break",
        "                message.fail(unsettled[id(event)], message.events[0])\n"
        "                break",
        tests=_COUNTING,
    ),
    Mutation(
        "another message's group failed",
        "A failed message holds back those of all groups.",
        _BATCH,
        "        elif group in failed_groups:",
        "        elif failed_groups:",
        tests=_ORDERING,
    ),
    Mutation(
        "events that are rejected not counted",
        "An alarm for rejections never rings.",
        _BATCH,
        "activity.events_rejected += count(Decision.REJECTED)",
        "activity.events_rejected += count(Decision.REJECTED_BEFORE)",
        tests=_COUNTING,
    ),
    Mutation(
        "events that are undecidable not counted",
        "An alarm for lost memory never rings.",
        _BATCH,
        "activity.events_undecidable += count(Decision.UNDECIDABLE)",
        "activity.events_undecidable += 0",
        tests=_COUNTING,
    ),
    Mutation(
        "every returned message counted as invalid",
        "An alarm for broken producers rings at each race.",
        _BATCH,
        "if message.unsettled.reason is Reason.INVALID:",
        "if message.unsettled.reason is not None:",
        tests=_COUNTING,
    ),
    Mutation(
        "a counter that vanished not told",
        "A cache that evicts is not found out.",
        _BATCH,
        "        self._observer.counters_vanished(progress.vanished)\n",
        "",
        tests=_COUNTING,
    ),
    Mutation(
        "each trouble told as information",
        "What ends in the dead letters is not seen among the rest.",
        _OBSERVABILITY,
        "self._write[unsettled.reason.level](",
        "self._write[logging.INFO](",
        tests=_COUNTING,
    ),
    Mutation(
        "an edge of an event overlooked",
        "A batch of exactly 6 MiB is split in two.",
        _EVENT_SOURCE,
        "if self._bytes > PAYLOAD_BYTES_MAX and self.messages:",
        "if self._bytes >= PAYLOAD_BYTES_MAX and self.messages:",
        tests=_POLLING,
    ),
    Mutation(
        "commas of an event not measured",
        "The embedded Lambda hands over more than Lambda would.",
        _EVENT_SOURCE,
        "self._bytes += len(COMMA) + len(message.record)",
        "self._bytes += len(message.record)",
        tests=_POLLING,
    ),
)

OF_READING = READING + TABLES + STORING + TELLING
