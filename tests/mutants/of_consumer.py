"""Bugs in who is told what: the writer's rounds, its copies, the wire, and the messages."""

from tests.mutants.mutation import Mutation

_BARE = "tally/counters/bare.py"
_BARE_WRITER = "tally/settling/bare_writer.py"
_BATCH = "consumer/batch.py"
_COPIES = "tally/settling/copies.py"
_MESSAGES = "consumer/messages.py"
_CALLS = "tally/stores/momento/calls.py"
_MOMENTO = "tally/stores/momento/store.py"
_PROGRESS = "tally/settling/progress.py"
_WIRING = "consumer/wiring.py"
_WRITER = "tally/settling/writer.py"

_ADDING = "tests/settling/test_bare_writer.py"
_AGREEING = "tests/consumer/test_guarantees.py"
_SUMMING = "tests/counters/test_bare.py"

SWAPPING = (
    Mutation(
        "timeout taken for success",
        "An event is acknowledged whose write was lost on its way.",
        _WRITER,
        "progress.failed(counter, answer)",
        "progress.stored(swap)",
    ),
    Mutation(
        "lost race taken for success",
        "An event is acknowledged though another writer was first.",
        _WRITER,
        "progress.lost(counter, winner)",
        "progress.stored(swap)",
    ),
    Mutation(
        "same new value tried again after a lost race",
        "What the other writer counted is overwritten.",
        _WRITER,
        "folded = fold(copy.value, progress.groups[counter], self._store.limits(counter))",
        "folded = progress.__dict__.setdefault(\n"
        "                counter,\n"
        "                fold(copy.value, progress.groups[counter], self._store.limits(counter)),\n"
        "            )",
    ),
    Mutation(
        "set instead of swap",
        "A write overwrites whatever others wrote since the read.",
        _CALLS,
        "present_and_hash_equal=unchanged, **fields",
        "unconditional=conditions.Unconditional(), **fields",
    ),
    Mutation(
        "set instead of create",
        "A counter that others just created is overwritten.",
        _CALLS,
        "messages._SetIfRequest(absent=conditions.Absent(), **fields)",
        "messages._SetIfRequest(not_equal=conditions.NotEqual(), **fields)",
    ),
    Mutation(
        "unreadable value overwritten",
        "What a later version, or another program, stored is destroyed.",
        _WRITER,
        "            progress.close(counter, Unsettled(Reason.UNREADABLE, str(error)))\n"
        "            return None\n",
        "            str(error)\n"
        "            folded = fold(None, progress.groups[counter], self._store.limits(counter))\n",
    ),
)

COPIES = (
    Mutation(
        "copy kept after a timeout",
        "A copy says that events are decided whose write never happened.",
        _WRITER,
        "progress.failed(counter, answer)",
        "self._copies.put(counter, Copy(swap.value, swap.seen.token)); "
        "progress.failed(counter, answer)",
    ),
    Mutation(
        "copy set before the swap is confirmed",
        "A copy says that events are decided whose write may not have happened.",
        _WRITER,
        "return Swap(counter, copy, folded.value)",
        "return self._copies.put(counter, Copy(folded.value, copy.token)) or "
        "Swap(counter, copy, folded.value)",
    ),
    Mutation(
        "copy kept after a lost race",
        "A copy says that events are decided though another writer was first.",
        _WRITER,
        "progress.lost(counter, winner)",
        "self._copies.put(counter, Copy(swap.value, swap.seen.token)); "
        "progress.lost(counter, winner)",
    ),
    Mutation(
        "old value under the new hash",
        "The next batch writes over what this one wrote.",
        _WRITER,
        "self._copies.put(counter, Copy(swap.value, token))",
        "self._copies.put(counter, Copy(swap.seen.value, token))",
    ),
    Mutation(
        "copy not taken out when used",
        "A copy that lost a race is tried again.",
        _COPIES,
        "copy = self._remove(entry)\n        if entry.skips",
        "copy = entry.copy\n        if entry.skips",
        equivalent="a copy is what the counter once was: decisions are never undone, so what it"
        " calls decided is, and its hash lets no swap through once the value has moved on; it"
        " costs one lost race",
    ),
)

ACKNOWLEDGING = (
    Mutation(
        "acknowledged before the write",
        "A message is deleted though its counter is still open when the time is up.",
        _PROGRESS,
        "return {**self._settled, **self.open}",
        "return dict(self._settled)",
    ),
    Mutation(
        "unsettled acknowledged",
        "A message is deleted whose counter was given up.",
        _BATCH,
        "return dict.fromkeys(map(id, events), settlement)",
        "return {}",
    ),
    Mutation(
        "undecidable acknowledged",
        "An event too old to be known is dropped without a word.",
        _BATCH,
        "    Decision.UNDECIDABLE: Unsettled(Reason.UNDECIDABLE),\n",
        "",
    ),
    Mutation(
        "full acknowledged",
        "An event that would open one gap too many is dropped without a word.",
        _BATCH,
        "    Decision.FULL: Unsettled(Reason.FULL),\n",
        "",
    ),
    Mutation(
        "invalid acknowledged",
        "A message that breaks the contract is deleted, not kept as a dead letter.",
        _MESSAGES,
        "            unsettled=Unsettled(Reason.INVALID, str(error)),\n",
        "",
    ),
    Mutation(
        "not sent taken for sent",
        "An event is acknowledged whose write had no time left to begin.",
        _PROGRESS,
        "self.is_late = True  # the last try's failure stays the reason",
        "self.close(counter, self._decisions.get(counter, ()))",
    ),
    Mutation(
        "throttled taken for settled",
        "An event is acknowledged because its write was refused often enough.",
        _PROGRESS,
        "        if self.throttled[counter] == MAX_THROTTLED_TRIES:\n"
        "            self.close(counter, unsettled)",
        "        if self.throttled[counter] == MAX_THROTTLED_TRIES:\n"
        "            self.close(counter, ())",
    ),
    Mutation(
        "refused taken for settled",
        "An event is acknowledged whose write Momento refused.",
        _PROGRESS,
        "self.close(counter, Unsettled(Reason.REFUSED, failure.detail))",
        "self.close(counter, ())",
    ),
    Mutation(
        "broken set-up taken for settled",
        "With a wrong key every message is deleted.",
        _PROGRESS,
        "raise BrokenSetupError(failure.detail, is_missing=failure.is_missing)",
        "self.close(counter, ())",
    ),
    Mutation(
        "a failed batch fails the function",
        "When all messages fail, the function raises instead of saying which.",
        _BATCH,
        "raise_on_entire_batch_failure=False",
        "raise_on_entire_batch_failure=True",
    ),
)

ORDER = (
    Mutation(
        "decided in the order of arrival",
        "Which of two increments is rejected depends on the network.",
        _BATCH,
        'events.sort(key=attrgetter("at"))',
        "pass",
    ),
    Mutation(
        "FIFO decided by age",
        "A FIFO queue's order is lost when a producer's clock steps back.",
        _BATCH,
        "if not _is_fifo(batch):\n        for",
        "if groups:\n        for",
    ),
    Mutation(
        "FIFO goes on behind a bad message",
        "What follows an invalid message in its group overtakes it.",
        _BATCH,
        "        if message.unsettled:\n            continue\n",
        "",
    ),
    Mutation(
        "FIFO acknowledged out of order",
        "What follows an unsettled message in its group is deleted.",
        _BATCH,
        "            _fail_groups(batch)\n",
        "            pass\n",
    ),
)

AT_LEAST_ONCE = (
    Mutation(
        "guarantee not asked",
        "Whatever the deployment says, counters have ledgers.",
        _WIRING,
        "if settings.guarantee is Guarantee.AT_LEAST_ONCE:",
        "if not settings.guarantee:",
        tests=_AGREEING,
    ),
    Mutation(
        "maximum overlooked in a sum",
        "A native increment carries the count past its maximum.",
        _BARE,
        "return event.high < INT64_MAX",
        "return False",
        tests=_SUMMING,
    ),
    Mutation(
        "minimum overlooked in a sum",
        "A native increment carries the count below its minimum.",
        _BARE,
        "return event.amount < 0 and event.low > INT64_MIN",
        "return False",
        tests=_SUMMING,
    ),
    Mutation(
        "reset summed",
        "A reset changes nothing.",
        _BARE,
        "event.reset is not None or _is_bounded(event)",
        "_is_bounded(event)",
        tests=_SUMMING,
    ),
    Mutation(
        "sum of twins",
        "The same event twice in a batch counts twice.",
        _BARE,
        "        if known_by in seen:\n            continue\n",
        "",
        tests=_SUMMING,
    ),
    Mutation(
        "sum past 64 bits",
        "A sum that no call can carry fails the function.",
        _BARE,
        "if up > INT64_MAX or down < INT64_MIN:",
        "if up + down > INT64_MAX:",
        tests=_SUMMING,
    ),
    Mutation(
        "ledger taken for an integer",
        "A bare integer overwrites a count with its ledger.",
        _BARE,
        'if value is not None and b"\\n" in value:',
        'if value == b"\\n":',
        tests=_AGREEING,
    ),
    Mutation(
        "lost increment repeated",
        "An increment whose answer was lost is made again at once, and counts twice.",
        _BARE_WRITER,
        "progress.close(counter, Unsettled(Reason.UNKNOWN_OUTCOME, answer.detail))",
        "progress.failed(counter, answer)",
        tests=_ADDING,
    ),
    Mutation(
        "lost increment acknowledged",
        "A message is deleted though its increment may never have arrived.",
        _BARE_WRITER,
        "progress.close(counter, Unsettled(Reason.UNKNOWN_OUTCOME, answer.detail))",
        "progress.added(counter, sums[counter].decisions)",
        tests=_ADDING,
    ),
    Mutation(
        "refused increment given up",
        "An overflow keeps its message from ever succeeding.",
        _BARE_WRITER,
        "        del sums[counter]\n"
        "        progress.open[counter] = Unsettled(Reason.REFUSED, answer.detail)",
        "        progress.failed(counter, answer)",
        tests=_ADDING,
    ),
    Mutation(
        "refused increment tried again",
        "A value that no increment can change is tried until the time is up.",
        _BARE_WRITER,
        "        del sums[counter]\n",
        "",
        tests=_ADDING,
    ),
    Mutation(
        "bare swap lost and taken for stored",
        "A message is deleted though another writer was first.",
        _BARE_WRITER,
        "progress.lost(write.counter, None)",
        "progress.stored(write)",
        tests=_ADDING,
    ),
    Mutation(
        "bare swap that failed taken for stored",
        "A message is deleted whose write was lost on its way.",
        _BARE_WRITER,
        "                    progress.failed(write.counter, answer)",
        "                    progress.stored(write)",
        tests=_ADDING,
    ),
    Mutation(
        "bare value overwritten",
        "What other programs added since the read is lost.",
        _CALLS,
        "equal = conditions.Equal(value_to_check=swap.seen.value)",
        "equal = conditions.Equal(value_to_check=swap.value)",
        tests=_AGREEING,
    ),
    Mutation(
        "increment sent too late to be answered",
        "The end of the time cuts an increment off that happened, and it counts twice.",
        _MOMENTO,
        "needed_s = ADDITION_MARGIN * call_s if isinstance(item, Addition) else 0.0",
        "needed_s = 0.0",
        tests=_ADDING,
    ),
    Mutation(
        "increment sent by the time of the last answer",
        "After a fast answer the end cuts an increment off that happened, and it counts twice.",
        _MOMENTO,
        "call_s = max(call_s, self._clock() - sent_at)",
        "call_s = self._clock() - sent_at",
        tests="tests/stores/test_momento.py",
    ),
    Mutation(
        "increment that does not renew",
        "A counter that is incremented all day is gone at its end.",
        _CALLS,
        "amount=write.amount, ttl_milliseconds=self._ttl_ms",
        "amount=write.amount, ttl_milliseconds=1",
        tests="tests/stores/test_momento_contract.py",
    ),
)

OF_CONSUMER = SWAPPING + COPIES + ACKNOWLEDGING + ORDER + AT_LEAST_ONCE
