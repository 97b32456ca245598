"""Bugs in the pace of the consumer's rounds, and in what it tells of them."""

from tests.mutants.mutation import Mutation

_BATCH = "consumer/batch.py"
_BODY = "tally/counters/body.py"
_LINEAGE = "tally/counters/lineage.py"
_OBSERVABILITY = "consumer/observability.py"
_PROGRESS = "tally/settling/progress.py"
_ROUNDS = "tally/settling/rounds.py"
_WRITER = "tally/settling/writer.py"

_ADDING = "tests/settling/test_bare_writer.py"
_COUNTING = "tests/consumer/test_observability.py"
_NAMING = "tests/consumer/test_messages.py"
_PACING = "tests/settling/test_rounds.py"
_SILENCE = "tests/stores/test_silent_connections.py"
_WRITING = "tests/settling/test_writer.py"

PACE = (
    Mutation(
        "a repeat taken to last one wave",
        "A round for thousands of counters begins in the time of a few, and is cut off.",
        _ROUNDS,
        "wave_s * self._waves(progress)",
        "wave_s",
        tests=_PACING,
    ),
    Mutation(
        "the first round taken to last one wave",
        "The first round of a large batch begins where it cannot end in time.",
        _ROUNDS,
        "round_s = MIN_ROUND_S * self._waves(progress)",
        "round_s = MIN_ROUND_S",
        tests=_PACING,
    ),
    Mutation(
        "a round after there was no time for a call",
        "What was too late for a call is tried again, with less time.",
        _ROUNDS,
        "progress.is_late or ",
        "",
        tests=_ADDING,
    ),
    Mutation(
        "throttled for good",
        "One counter that was throttled once slows down all others until the end.",
        _PROGRESS,
        "        self.throttled.pop(counter, None)\n",
        "",
        tests=_PACING,
    ),
)

TELLING = (
    Mutation(
        "every swap a creation",
        "Nobody can tell new counters from old ones.",
        _PROGRESS,
        "        if swap.seen.value is None:\n            self._created(swap.counter)",
        "        self._created(swap.counter)",
        tests=_WRITING,
    ),
    Mutation(
        "every absent counter vanished",
        "A counter that is new rings the bell for one that was lost.",
        _PROGRESS,
        "if counter in self._there:",
        "if self._there is not None:",
        tests=_WRITING,
    ),
    Mutation(
        "a stale absence told as a loss",
        "A read that missed a write rings the bell for a counter that is there.",
        _PROGRESS,
        "            self._there.add(counter)\n",
        "            self._there.add(counter)\n"
        "        elif counter in self._there:\n"
        "            self._there.remove(counter)\n"
        "            self._activity.counters_vanished += 1\n"
        "            self.vanished.append(counter)\n",
        tests=_WRITING,
    ),
    Mutation(
        "every race that a warm copy lost a rollback",
        "What another consumer wrote rings the bell for a store that lost swaps.",
        _PROGRESS,
        "        if lacks(seen.value, known.value):\n",
        "        if seen.value != known.value:\n",
    ),
    Mutation(
        "no rollback told",
        "A store that loses swaps is never found out.",
        _WRITER,
        "        progress.warm = used or progress.warm\n",
        "",
        tests=_WRITING,
    ),
    Mutation(
        "what was forgotten missed",
        "A ledger that dropped a source rings the bell for a store that lost swaps.",
        _LINEAGE,
        "known != before and seen > now.floor",
        "known != before",
    ),
    Mutation(
        "only whole sources missed",
        "A rollback by some events of a source is not found out.",
        _LINEAGE,
        "unpack(known) if known else [0, 0]",
        "unpack(before) if known else [0, 0]",
        tests="tests/counters/test_lineage.py",
    ),
    Mutation(
        "a duplicate whose outcome is forgotten not counted",
        "The decisions in the metrics are fewer than the events.",
        _BATCH,
        "Decision.REJECTED_BEFORE, Decision.DECIDED_BEFORE)",
        "Decision.REJECTED_BEFORE)",
        tests=_COUNTING,
    ),
    Mutation(
        "a body looked into twice",
        "Telling of a failed batch takes the time that was kept for the answer.",
        _OBSERVABILITY,
        'named = {"id": published_id}',
        'named = {"id": message.id}',
        tests=_COUNTING,
    ),
    Mutation(
        "a whole body read for one id",
        "Telling of a failed batch takes the time that was kept for the answer.",
        _BODY,
        "body = bytes(_ELEMENTS.decode(body)[position]).decode()\n    return increments(body)[0]",
        "return increments(body)[position]\n    return increments(body)[0]",
        tests=_NAMING,
    ),
)

STORE = (
    Mutation(
        "a silent connection kept",
        "Every call runs into its deadline, and good messages become dead letters.",
        _ROUNDS,
        "self.store.renew()",
        "self.store.usage.answered += 0",
        tests=_SILENCE,
    ),
    Mutation(
        "connections made anew though one call was answered",
        "A server that is slow gets a new connection for each round.",
        _ROUNDS,
        "if usage.unanswered > unanswered and usage.answered == answered:",
        "if usage.unanswered > unanswered:",
        tests=_PACING,
    ),
    Mutation(
        "a winner's copy used after a pause",
        "What has grown old loses the next race as well.",
        _ROUNDS,
        "return Start.READ if pause_s else Start.WINNERS",
        "return Start.WINNERS",
        tests="tests/settling/test_winners.py",
    ),
)

OF_ROUNDS = PACE + TELLING + STORE
