"""Bugs in what an increment means: the contract, the ledger, the bounds, the stored value."""

from tests.mutants.mutation import Mutation

_COLUMNS = "tally/counters/columns.py"
_COUNTER = "tally/counters/counter.py"
_IDENTITY = "tally/counters/identity.py"
_LEDGER = "tally/counters/ledger.py"
_RUNS = "tally/counters/runs.py"

FORGETTING = (
    Mutation(
        "floor not raised",
        "An event of a dropped source is taken for new, and counts twice.",
        _COLUMNS,
        "max(self.floor, self.seen[dropped - 1]),",
        "self.floor,",
    ),
    Mutation(
        "floor raised to the oldest dropped",
        "Of several sources dropped at once, the later ones' events count twice.",
        _COLUMNS,
        "max(self.floor, self.seen[dropped - 1]),",
        "max(self.floor, self.seen[0]),",
    ),
    Mutation(
        "floor may fall",
        "The floor would fall to what is dropped, and let in what was below it.",
        _COLUMNS,
        "max(self.floor, self.seen[dropped - 1]),",
        "self.seen[dropped - 1],",
        equivalent="only events above the floor are recorded, and their second is rounded up, so"
        " every `seen` in a ledger lies above its floor: the greater of the two is always `seen`",
    ),
    Mutation(
        "rejections stay when sources go",
        "The rejections of a source become those of the source that takes its place.",
        _COLUMNS,
        "{place - dropped: runs for place",
        "{place: runs for place",
    ),
    Mutation(
        "`<` for `<=` at the floor",
        "An event of the very second that was forgotten is guessed to be new.",
        _COUNTER,
        "if event.at <= self.ledger.floor_ms:",
        "if event.at < self.ledger.floor_ms:",
    ),
    Mutation(
        "floor not asked",
        "What is too old to be known is guessed to be new.",
        _COUNTER,
        "if event.at <= self.ledger.floor_ms:",
        "if event.at <= 0:",
    ),
    Mutation(
        "newest sources forgotten first",
        "The sources that still send are dropped for those that are gone.",
        _LEDGER,
        "order = sorted(range(len(ids)), key=seen.__getitem__)",
        "order = sorted(range(len(ids)), key=seen.__getitem__, reverse=True)",
    ),
    Mutation(
        "sources not sorted",
        "A source that is heard of again keeps its place, and is dropped too early.",
        _LEDGER,
        "order = sorted(range(len(ids)), key=seen.__getitem__)",
        "order = list(range(len(ids)))",
    ),
    Mutation(
        "all that expired forgotten at once",
        "More is forgotten than has to be, and its late copies are refused.",
        _LEDGER,
        "dropped = bisect_left(range(expired), True, key=fits(limits.free_bytes))",
        "dropped = expired",
    ),
    Mutation(
        "recent sources forgotten as expired ones",
        "Sources within the horizon are dropped to save a billed chunk.",
        _LEDGER,
        "key=fits(limits.max_bytes))",
        "key=fits(limits.free_bytes))",
    ),
    Mutation(
        "recent sources never forgotten",
        "A value grows past its limit, until the store refuses it.",
        _LEDGER,
        "elif not fits(limits.max_bytes)(expired):",
        "elif not seen:",
    ),
    Mutation(
        "horizon ends a second early",
        "A source seen exactly a horizon ago is kept past free_bytes.",
        _LEDGER,
        "expired = dropped = bisect_right(seen, seen[-1] - limits.horizon_s)",
        "expired = dropped = bisect_left(seen, seen[-1] - limits.horizon_s)",
    ),
)

SEEN = (
    Mutation(
        "`seen` rounded down",
        "The floor comes to lie below events of a dropped source, and these count twice.",
        _LEDGER,
        "source.seen = -(-at // MS)",
        "source.seen = at // MS",
    ),
    Mutation(
        "last instead of greatest",
        "A late event makes its source look old, and the floor too low.",
        _LEDGER,
        "if at > source.seen * MS:",
        "if at:",
    ),
    Mutation(
        "consumer's clock",
        "What is remembered depends on when it was counted, not on when it happened.",
        _LEDGER,
        "source.seen = -(-at // MS)",
        'source.seen = max(source.seen, int(__import__("time").time()))',
    ),
)

DECIDING = (
    Mutation(
        "duplicates not asked for",
        "Every delivery counts.",
        _COUNTER,
        "if before is not None:",
        "if before is not None and event.seq < 0:",
    ),
    Mutation(
        "decided without a write",
        "A fold with something new says that there is nothing to write.",
        _LEDGER,
        "self.changed = True",
        "self.changed = False",
    ),
    Mutation(
        "rejection not entered as decided",
        "A rejected event is decided again when it comes back, and may then be applied.",
        _COUNTER,
        "self.ledger.record(event.source, source, seq, event.at)",
        "amount > 0 and self.count + amount > event.high or "
        "self.ledger.record(event.source, source, seq, event.at)",
    ),
    Mutation(
        "rejection unrecorded",
        "Who asks for the outcome of a rejected event hears that it was applied.",
        _COUNTER,
        "add(source.rejected, seq)",
        "pass",
    ),
    Mutation(
        "rejection recorded below what was forgotten",
        "The rejected runs lose their order.",
        _COUNTER,
        "if seq >= source.rejected[0]:",
        "if seq >= 0:",
    ),
    Mutation(
        "forgotten outcome guessed",
        "Who asks for an outcome that was forgotten hears that it was applied.",
        _LEDGER,
        "if seq < self.rejected[0]:",
        "if seq < 0:",
    ),
    Mutation(
        "outcome forgotten one too soon",
        "Who asks for the oldest outcome known hears that it was forgotten.",
        _LEDGER,
        "if seq < self.rejected[0]:",
        "if seq <= self.rejected[0]:",
    ),
    Mutation(
        "`>=` for `>` at the bound",
        "A counter never reaches its maximum.",
        _COUNTER,
        "if count > event.high if amount > 0",
        "if count >= event.high if amount > 0",
    ),
    Mutation(
        "bound checked on the count before the increment",
        "A counter is oversold by less than one amount.",
        _COUNTER,
        "if count > event.high if amount > 0",
        "if self.count > event.high if amount > 0",
    ),
    Mutation(
        "bound checked on the count before the batch",
        "A batch is let in as a whole, and the counter is oversold.",
        _COUNTER,
        "if count > event.high if amount > 0",
        'if self.__dict__.setdefault("start", self.count) + amount > event.high if amount > 0',
    ),
    Mutation(
        "both bounds asked",
        "A count outside its bounds cannot come back.",
        _COUNTER,
        "if count > event.high if amount > 0 else amount < 0 and count < event.low:",
        "if amount and not event.low <= count <= event.high:",
    ),
    Mutation(
        "rejected and counted",
        "A rejected event counts all the same.",
        _COUNTER,
        "count = self.count + amount\n",
        "count = self.count = self.count + amount\n",
    ),
    Mutation(
        "bare integer not adopted",
        "What a counter counted before it had a ledger is lost.",
        _COUNTER,
        "self.count = _count(head)\n",
        "self.count = _count(head) if newline else 0\n",
    ),
)

RUNS = (
    Mutation(
        "runs ask for both neighbours",
        "A full source refuses the event that continues its run.",
        _RUNS,
        "contains(runs, seq - 1) or contains(runs, seq + 1)",
        "contains(runs, seq - 1) and contains(runs, seq + 1)",
    ),
    Mutation(
        "full one bound too soon",
        "A source with exactly max_runs bounds refuses its next gap.",
        _COUNTER,
        "len(source.decided) > max_runs",
        "len(source.decided) >= max_runs",
    ),
    Mutation(
        "runs not joined",
        "Two runs that touch are stored as two, which no reader accepts.",
        _RUNS,
        "joins_next = after < len(runs) and runs[after] == seq + 1",
        "joins_next = False",
    ),
    Mutation(
        "half of a run forgotten",
        "What lay between runs is taken for rejected, and runs for gaps.",
        _RUNS,
        "runs[len(runs) // 4 * 2 :]",
        "runs[len(runs) // 4 * 2 + 1 :]",
    ),
    Mutation(
        "low not stored",
        "A single run that begins late is read as if it began at 0.",
        _RUNS,
        "if len(runs) == 2 and runs[0] == 0:",
        "if len(runs) == 2:",
    ),
)

IDENTITY = (
    Mutation(
        "messageId as the identity of native events",
        "A producer's repeated send and a redrive count again.",
        _IDENTITY,
        "number = source_number(source)  # the usual",
        "number, seq = derived_source(envelope.message_id), position  # the usual",
    ),
    Mutation(
        "messageId as the identity of named events",
        "A producer's repeated send and a redrive count again.",
        _IDENTITY,
        "    return name_of(increment)\n",
        "    by_message = EventName(derived_source(envelope.message_id), 0, increment.at)\n"
        "    return name_of(increment) if increment.id is UNSET else by_message\n",
    ),
    Mutation(
        "anonymous events without a position",
        "Of several anonymous increments in a message only the first counts.",
        _IDENTITY,
        "derived_source(envelope.message_id), position, envelope.sent_at",
        "derived_source(envelope.message_id), 0, envelope.sent_at",
    ),
    Mutation(
        "SentTimestamp as `at`",
        "A copy sent later has another `at`, above the floor that its first one is below.",
        _IDENTITY,
        "        seq,\n        at,\n",
        "        seq,\n        envelope.sent_at,\n",
    ),
    Mutation(
        "wild clocks let in",
        "One producer's clock raises the floor over everybody else's events.",
        _IDENTITY,
        "if at > envelope.sent_at + MAX_FUTURE_MS:",
        "if at < 0:",
    ),
    Mutation(
        "default bound not filled in",
        "An increment that brings no `max` has none, whatever the deployment says.",
        _IDENTITY,
        "default_max if increment.max is UNSET else increment.max",
        "2**63 - 1 if increment.max is UNSET else increment.max",
    ),
)

OF_COUNTERS = FORGETTING + SEEN + DECIDING + RUNS + IDENTITY
