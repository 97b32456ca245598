"""Bugs in how a batch is settled, and in which values are taken for a counter's."""

from tests.mutants.mutation import Mutation

_BARE_WRITER = "tally/settling/bare_writer.py"
_COLUMNS = "tally/counters/columns.py"
_COPIES = "tally/settling/copies.py"
_COUNTER = "tally/counters/counter.py"
_PROGRESS = "tally/settling/progress.py"
_ROUNDS = "tally/settling/rounds.py"
_WRITER = "tally/settling/writer.py"
_BATCHING = "tests/consumer/test_batch.py"
_COPYING = "tests/settling/test_copies.py"
_COUNTING = "tests/consumer/test_observability.py"
_CORRUPTING = "tests/counters/test_corrupt_values.py"
_PACING = "tests/settling/test_rounds.py"
_WRITING = "tests/settling/test_writer.py"
_ADDING = "tests/settling/test_bare_writer.py"

SETTLING = (
    Mutation(
        "races of a counter not added up",
        "The log tells of one lost race where there were many.",
        _PROGRESS,
        "self.losses.get(counter, 0) + 1",
        "1",
        tests=_WRITING,
    ),
    Mutation(
        "why a counter is throttled not kept",
        "Messages that the store throttled come back as ones without time.",
        _PROGRESS,
        "        self.open[counter] = unsettled\n        self.throttled[counter]",
        "        self.throttled[counter]",
        tests=_WRITING,
    ),
    Mutation(
        "a counter throttled by what others were",
        "One counter's throttles use up the tries of another.",
        _PROGRESS,
        "self.throttled.get(counter, 0) + 1",
        "len(self.throttled) + 1",
        tests=_WRITING,
    ),
    Mutation(
        "why a race was lost not kept",
        "Messages that lost their races come back as ones without time.",
        _PROGRESS,
        "        self.open[counter] = Unsettled(Reason.LOST_RACE)\n",
        "",
        tests=_COUNTING,
    ),
    Mutation(
        "a race on a read taken for a miss",
        "A counter's warm copies are left out though none of them missed.",
        _WRITER,
        "                    if counter in used:\n"
        "                        self._copies.missed(counter)\n",
        "                    self._copies.missed(counter)\n",
        tests=_WRITING,
    ),
    Mutation(
        "a miss of a copy not told",
        "A counter that others write is swapped in vain in each batch.",
        _WRITER,
        "                    if counter in used:\n"
        "                        self._copies.missed(counter)\n",
        "",
        tests=_COPYING,
    ),
    Mutation(
        "a hit of a copy not told",
        "A counter that was missed once is hardly ever warm again.",
        _WRITER,
        "                    if counter in used:\n"
        "                        self._copies.hit(counter)\n",
        "",
        tests=_COPYING,
    ),
    Mutation(
        "a warm copy that would report believed",
        "A message comes back that a read would have settled.",
        _WRITER,
        "        if known and folded.value is None and not _all_settled(folded):\n"
        "            return None\n",
        "",
        tests=_WRITING,
    ),
    Mutation(
        "a warm copy that settles a part believed",
        "A message comes back that a read would have settled.",
        _WRITER,
        "return all(decision.is_settled",
        "return any(decision.is_settled",
        tests=_WRITING,
    ),
    Mutation(
        "what is missing not told",
        "The doctor and the log blame the key where there is no such cache.",
        _PROGRESS,
        "is_missing=failure.is_missing",
        "is_missing=False",
        tests=_WRITING,
    ),
    Mutation(
        "copies without a number",
        "Values of any number of counters fill the function's memory.",
        _COPIES,
        "while len(self._entries) > MAX_COPIES or self._bytes > MAX_COPIES_BYTES:",
        "while self._bytes > MAX_COPIES_BYTES:",
        tests=_COPYING,
    ),
    Mutation(
        "copies without a size",
        "Large values fill the function's memory.",
        _COPIES,
        "        self._bytes += _size(copy)\n        while",
        "        while",
        tests=_COPYING,
    ),
    Mutation(
        "one copy forgotten at a time",
        "Values that grow fill the function's memory past its limit.",
        _COPIES,
        "while len(self._entries) > MAX_COPIES or self._bytes",
        "if len(self._entries) > MAX_COPIES or self._bytes",
        tests=_COPYING,
    ),
    Mutation(
        "the newest copy forgotten",
        "Of too many copies those that are of use are dropped.",
        _COPIES,
        "popitem(last=False)",
        "popitem(last=True)",
        tests=_COPYING,
    ),
    Mutation(
        "the pause not drawn",
        "Consumers that lost to each other meet again at the next round.",
        _ROUNDS,
        "return self._uniform(0.0, min(MAX_BACKOFF_ROUNDS, 2**number) * unit_s)",
        "return min(MAX_BACKOFF_ROUNDS, 2**number) * unit_s",
        tests=_PACING,
    ),
    Mutation(
        "a pause without an end",
        "A batch waits longer and longer, and is not settled.",
        _ROUNDS,
        "min(MAX_BACKOFF_ROUNDS, 2**number)",
        "2**number",
        tests=_PACING,
    ),
    Mutation(
        "a pause past the end",
        "The function times out in its sleep.",
        _ROUNDS,
        "pause_s = min(room_s, self._pause_s(number, round_s, progress))",
        "pause_s = self._pause_s(number, round_s, progress)",
        tests=_PACING,
    ),
    Mutation(
        "no pause while the store throttles",
        "A store that is over its quota is asked at once again.",
        _ROUNDS,
        "if number == 0 or (number == 1 and not progress.throttled):",
        "if number <= 1:",
        tests=_WRITING,
    ),
    Mutation(
        "the short pauses while the store throttles",
        "A store that is over its quota is asked ten times a second.",
        _ROUNDS,
        "max(THROTTLED_ROUND_S, round_s) if progress.throttled else round_s",
        "round_s",
        tests=_PACING,
    ),
    Mutation(
        "time for the answer not kept for each message",
        "A function with a large batch times out while it tells of it.",
        _ROUNDS,
        "reserve_s = RESERVE_S + messages * RESERVE_PER_MESSAGE_S",
        "reserve_s = RESERVE_S",
        tests=_BATCHING,
    ),
    Mutation(
        "all of a short function's time kept",
        "A function with a short time-out settles nothing.",
        _ROUNDS,
        "min(reserve_s, remaining_s * MAX_RESERVED_SHARE)",
        "reserve_s",
        tests=_BATCHING,
    ),
    Mutation(
        "waves rounded down",
        "A round for one counter too many begins where it cannot end in time.",
        _ROUNDS,
        "return -(-len(progress.open) // self.store.max_calls_in_flight)",
        "return max(1, len(progress.open) // self.store.max_calls_in_flight)",
        tests=_PACING,
    ),
    Mutation(
        "an increment read and added",
        "What is added natively is read for nothing.",
        _BARE_WRITER,
        "unread = [counter for counter in progress.open if counter not in sums]",
        "unread = list(progress.open)",
        tests=_ADDING,
    ),
)

VALUES = (
    Mutation(
        "a time past every clock read",
        "A ledger that no program wrote is taken for one, and written back.",
        _COLUMNS,
        "if latest > MAX_SEEN_S:",
        "if latest > 2 * MAX_SEEN_S:",
        tests=_CORRUPTING,
    ),
    Mutation(
        "a floor past every clock read",
        "Every event of a counter is undecidable for good.",
        _COLUMNS,
        "latest = columns.seen[-1] if columns.seen else columns.floor",
        "latest = columns.seen[-1] if columns.seen else 0",
        tests=_CORRUPTING,
    ),
    Mutation(
        "a source twice in a value",
        "Which of two ledgers of a source holds is a guess.",
        _COLUMNS,
        " or len(set(columns.ids)) != count",
        "",
        tests=_CORRUPTING,
    ),
    Mutation(
        "columns of different lengths read",
        "The ledger of one source becomes that of another.",
        _COLUMNS,
        "if not same_length or ",
        "if ",
        tests=_CORRUPTING,
    ),
    Mutation(
        "rejections of no source read",
        "A rejection has no source, and the value cannot be written again.",
        _COLUMNS,
        "if place >= count or not within",
        "if not within",
        tests=_CORRUPTING,
    ),
    Mutation(
        "rejections of what is not decided read",
        "An outcome is told of an event that never came.",
        _COLUMNS,
        "if place >= count or not within(unpack(packed), unpack(columns.decided[place])):",
        "if place >= count:",
        tests=_CORRUPTING,
    ),
    Mutation(
        "runs past 64 bits read",
        "A source has decided more than there is.",
        _COLUMNS,
        "if not 0 < packed <= MAX_END if",
        "if not 0 < packed if",
        tests=_CORRUPTING,
    ),
    Mutation(
        "runs that do not begin at nought read",
        "Events below them are decided a second time.",
        _COLUMNS,
        "else unpack(packed)[0]:",
        "else unpack(packed) is None:",
        tests=_CORRUPTING,
    ),
    Mutation(
        "a minus before nought adopted",
        "What is no counter of ours is taken for one, and overwritten.",
        _COUNTER,
        'rb"0|-?[1-9][0-9]{0,18}"',
        'rb"-?0|-?[1-9][0-9]{0,18}"',
        tests=_CORRUPTING,
    ),
    Mutation(
        "a number with noughts before it adopted",
        "What is no counter of ours is taken for one, and overwritten.",
        _COUNTER,
        'rb"0|-?[1-9][0-9]{0,18}"',
        'rb"-?[0-9]{1,19}"',
        tests=_CORRUPTING,
    ),
)

OF_SETTLING = SETTLING + VALUES
