"""Bugs in who an increment is to its publisher, and in what it holds, packs and hands over."""

from tests.mutants.mutation import Mutation

_HOLDING = "tally/publishing/holding.py"
_INBOX = "tally/publishing/inbox.py"
_OUTBOX = "tally/publishing/outbox.py"
_PACKING = "tally/publishing/packing.py"
_PROCESS = "tally/publishing/process.py"
_PUBLISHER = "tally/publishing/publisher.py"
_SEQUENCE = "tally/publishing/sequence.py"
_COUNTING = "tests/publishing/test_sequence.py"
_LIVING = "tests/publishing/test_outbox.py"
_OUTAGES = "tests/publishing/test_outage.py"
_STARTING = "tests/publishing/test_starting.py"
_PUBLISHING = "tests/publishing/test_publisher.py"
_FILLING = "tests/publishing/test_packing.py"
_INTERRUPTED = "tests/publishing/test_interrupted.py"
_ENDING = "tests/publishing/test_ending.py"

IDENTITY = (
    Mutation(
        "seq taken in two steps",
        "Two threads are given one identity, and one of their increments is lost in silence.",
        _SEQUENCE,
        "        numbers = self._numbers.get(name)\n"
        "        if numbers is None:\n"
        "            numbers = self._numbers.setdefault(name, itertools.count())\n"
        "        return next(numbers)",
        "        seq = self._numbers.get(name, 0)\n"
        "        self._numbers[name] = seq + 1\n"
        "        return seq",
        tests=_COUNTING,
    ),
    Mutation(
        "numbers of a counter made twice",
        "Two threads that publish to a new counter at once begin it twice.",
        _SEQUENCE,
        "numbers = self._numbers.setdefault(name, itertools.count())",
        "numbers = self._numbers[name] = itertools.count()",
        tests=_COUNTING,
    ),
    Mutation(
        "seq of one source under another",
        "What was numbered before a renewal is given again after it.",
        _SEQUENCE,
        "return Identity(source.digits, seq, at)",
        "return Identity(session.source.digits, seq, at)",
        tests=_COUNTING,
    ),
    Mutation(
        "a fork in the midst not seen",
        "A child that was forked in the midst of publish() repeats its parent's identity.",
        _SEQUENCE,
        "if self._sessions.get() is not session:",
        "if seq < 0:",
        tests=_COUNTING,
    ),
    Mutation(
        "a full source's shard under the new source",
        "The new source gives its first number of a hot counter twice, and an increment is lost.",
        _SEQUENCE,
        "            source = session.draw()\n            name = source.name_of(counter, shards)\n",
        "            source = session.draw()\n",
        tests=_COUNTING,
    ),
)

HOLDING = (
    Mutation(
        "an abandoned request that goes on",
        "What abandon() handed over is handed over once more.",
        _OUTBOX,
        "            if self._shift is not shift:\n                raise RelievedError",
        "            pass",
        tests=_LIVING,
    ),
    Mutation(
        "handed over to everybody who asks",
        "What was not sent is published again twice.",
        _HOLDING,
        "            if self._given_up is given_up:  # else it was raised, or there is more\n"
        "                self._given_up = NOTHING\n"
        "                raise error",
        "            raise error",
        tests=_PUBLISHING,
    ),
    Mutation(
        "told in the midst of another's hand-over",
        "A signal handler and what it interrupted are both handed the same.",
        _HOLDING,
        "            if self._given_up is given_up:  # else it was raised, or there is more\n",
        "            if given_up is not None:\n",
        tests=_LIVING,
    ),
    Mutation(
        "what is given up overwrites what was told",
        "What one thread was told is handed over again by another.",
        _HOLDING,
        "        given_up = (below := self._given_up).topped(failures)\n"
        "        while self._given_up is not below:\n"
        "            given_up = (below := self._given_up).topped(failures)\n"
        "        self._given_up, self.unsent = given_up, unsent\n",
        "        given_up = (below := self._given_up).topped(failures)\n"
        "        self._given_up, self.unsent = given_up, unsent\n",
        tests=_LIVING,
    ),
    Mutation(
        "a later hand-over before an earlier",
        "Increments of a counter are published again in another order.",
        _HOLDING,
        "for failures in reversed(layers)",
        "for failures in layers",
        tests=_LIVING,
    ),
    Mutation(
        "a packer that forgets its queue",
        "After an outage the messages of a FIFO queue have no group, and SQS refuses them.",
        _HOLDING,
        "Packer(fifo=self._fifo)",
        "Packer(fifo=False)",
        tests=_OUTAGES,
    ),
    Mutation(
        "an increment dropped before it is packed",
        "A Ctrl-C between the two loses it.",
        _HOLDING,
        "            if item is not None:\n"
        "                self._packer.add(item.counter, item.part)\n"
        "            self._inbox.drop()\n",
        "            self._inbox.drop()\n"
        "            if item is not None:\n"
        "                self._packer.add(item.counter, item.part)\n",
        tests=_INTERRUPTED,
    ),
    Mutation(
        "what is in flight given up beside itself",
        "A Ctrl-C has increments handed over twice.",
        _HOLDING,
        "list(dict.fromkeys([*self.in_flight, *self._packer.messages()]))",
        "[*self.in_flight, *self._packer.messages()]",
        tests=_INTERRUPTED,
    ),
    Mutation(
        "what is packed given up beside itself",
        "A Ctrl-C has increments handed over twice.",
        _HOLDING,
        "if id(item.part) not in packed]",
        "]",
        tests=_INTERRUPTED,
    ),
    Mutation(
        "a request in flight forgotten",
        "What was on its way when a Ctrl-C came is never sent.",
        _HOLDING,
        "self.in_flight = self.in_flight or self._packer.request()",
        "self.in_flight = self._packer.request()",
        tests=_LIVING,
    ),
    Mutation(
        "what is given up kept without a bound",
        "A program that never flushes fills its memory.",
        _OUTBOX,
        "        if self._holding.untold_bytes >= MAX_UNSENT_BYTES:\n"
        "            self.raise_unsent()\n",
        "",
        tests=_PUBLISHING,
    ),
    Mutation(
        "a thread that does not begin waited for",
        "Where a thread is lost, nothing is ever sent.",
        _OUTBOX,
        "now >= self._launched_at + RELAUNCH_S",
        "self._launched_at < 0",
        tests=_LIVING,
    ),
    Mutation(
        "a thread for each increment",
        "Where no thread begins at once, one is started for each increment.",
        _OUTBOX,
        "if self._is_vacant() and now >= self._launched_at + RELAUNCH_S:",
        "if self._is_vacant():",
        tests=_LIVING,
    ),
    Mutation(
        "what is left behind by who stops sending",
        "What was published meanwhile waits for the next call.",
        _OUTBOX,
        "        if self._inbox and not self._ended:\n            self._wake()\n",
        "",
        tests=_LIVING,
    ),
    Mutation(
        "a full buffer not waited for",
        "A program that is faster than SQS fills its memory.",
        _OUTBOX,
        "        if not self._has_room():\n            self._wait_until(self._has_room)\n",
        "",
        tests=_PUBLISHING,
    ),
    Mutation(
        "the sender's own thread made to wait",
        "A log line that is published waits for its own sender.",
        _OUTBOX,
        "        if self._is_own_thread():\n            return\n",
        "",
        tests=_LIVING,
    ),
    Mutation(
        "a bell that keeps each ring",
        "A program that publishes while SQS is away fills its memory with rings.",
        _INBOX,
        "        if self._rings.empty():\n            self._rings.put(None)",
        "        self._rings.put(None)",
        tests=_LIVING,
    ),
    Mutation(
        "a bell deaf to what was before",
        "A ring just before the wait is not heard, and a flush waits on.",
        _INBOX,
        "            self._rings.get(timeout=timeout_s)",
        "            self._rings = SimpleQueue()\n            self._rings.get(timeout=timeout_s)",
        tests=_LIVING,
    ),
    Mutation(
        "a second end of the program",
        "At its end a program waits twice as long.",
        _PROCESS,
        "self._getpid() != self._pid or self._ends_at is not None",
        "self._getpid() != self._pid",
        tests=_ENDING,
    ),
    Mutation(
        "two outboxes of one process",
        "Of two threads that publish first, one's increments are never flushed.",
        _PROCESS,
        "mine = self._by_pid.setdefault(pid, self._make())",
        "mine = self._by_pid[pid] = self._make()",
        tests=_ENDING,
    ),
    Mutation(
        "a forked child that ends for its parent",
        "A child sends what its parent sends as well.",
        _PROCESS,
        "self._getpid() != self._pid or self._ends_at is not None",
        "self._ends_at is not None",
        tests=_ENDING,
    ),
    Mutation(
        "an increment taken after the end",
        "What comes after close() is neither sent nor refused.",
        _OUTBOX,
        "        if self._is_over and self._inbox.withdraw(item):\n"
        "            raise PublisherClosedError\n",
        "",
        tests=_LIVING,
    ),
    Mutation(
        "what is just being given up not waited for",
        "An increment published while another thread abandons the publisher is told to nobody.",
        _OUTBOX,
        "        return self._inbox.increments > 0 or self._holding.left > 0\n",
        "        return self._inbox.increments > 0\n",
        tests=_LIVING,
    ),
)

PACKING = (
    Mutation(
        "an Id by position alone",
        "An answer to another request confirms what was never sent.",
        _PACKING,
        '"Id": f"{position}-{digest}"',
        '"Id": f"{position}"',
        tests=_OUTAGES,
    ),
    Mutation(
        "another deduplication id at each place",
        "A repeat on a FIFO queue is stored beside its first.",
        _PACKING,
        'entry["MessageDeduplicationId"] = digest',
        'entry["MessageDeduplicationId"] = f"{position}{digest}"[:128]',
        tests=_FILLING,
    ),
    Mutation(
        "two messages of a group in a request",
        "The second of a FIFO group arrives before the first.",
        _PACKING,
        "size_bytes > MAX_REQUEST_BYTES or message.group in groups",
        "size_bytes > MAX_REQUEST_BYTES",
        tests=_FILLING,
    ),
    Mutation(
        "a request over one mebibyte",
        "SQS refuses the whole request.",
        _PACKING,
        "if size_bytes > MAX_REQUEST_BYTES or message.group in groups:",
        "if message.group in groups:",
        tests=_FILLING,
    ),
    Mutation(
        "commas not measured",
        "A message is longer than it is taken to be.",
        _PACKING,
        "(1 if self.parts else 0)",
        "0",
        tests=_FILLING,
    ),
    Mutation(
        "a byte over what is billed as one",
        "Each full message costs two.",
        _PACKING,
        "self.size_bytes + 1 + len(part) <= BILLED_BYTES",
        "self.size_bytes + len(part) <= BILLED_BYTES",
        tests=_FILLING,
    ),
    Mutation(
        "a name that SQS does not take as a group",
        "A counter whose name goes on in other characters is never sent.",
        _PACKING,
        "if GROUP_ID.fullmatch(counter):",
        "if GROUP_ID.match(counter):",
        tests=_FILLING,
    ),
    Mutation(
        "a character that SQS does not take",
        "An increment that holds it keeps its whole message from being sent.",
        _PACKING,
        '.replace(b"\\xef\\xbf\\xbf", b"\\\\uffff")',
        "",
        tests=_FILLING,
    ),
)

TOLD = (
    Mutation(
        "what was given up left out of the sum at the end",
        "A program that ends is told of fewer increments than it has lost.",
        _OUTBOX,
        "- stats.unsent + self._holding.untold",
        "- stats.unsent",
        tests=_ENDING,
    ),
    Mutation(
        "what is between two places not counted as open",
        "A program that ends after a Ctrl-C sends nothing of it, and does not say so.",
        _OUTBOX,
        "self._inbox.increments + holding.left,",
        "self._inbox.increments,",
        tests=_ENDING,
    ),
    Mutation(
        "much that is packed left to wait for company",
        "On a FIFO queue of many counters the memory grows for as long as an increment may linger.",
        _HOLDING,
        "            if self._packer.size_bytes >= MAX_PACKED_BYTES:\n"
        "                self._packer.hurry()\n",
        "",
        tests=_FILLING,
    ),
)

STARTING = (
    Mutation(
        "a thread that cannot start waited for",
        "Where the limit of threads is reached, a flush never returns.",
        _OUTBOX,
        "            self._start_failed = True\n",
        "",
        tests=_STARTING,
    ),
    Mutation(
        "who waits not woken for a thread that cannot start",
        "Each flush takes half a second longer where the limit of threads is reached.",
        _OUTBOX,
        "            self._start_failed = True\n            self._tell_progress()\n",
        "            self._start_failed = True\n",
        tests=_STARTING,
    ),
    Mutation(
        "a publisher closed before the exit hooks",
        "What a program publishes in its exit hooks is refused.",
        _PUBLISHER,
        "self._forgotten.atexit = False",
        "self._forgotten.atexit = True",
        tests="tests/publishing/test_anybodys_program.py",
    ),
)

OF_PUBLISHING = IDENTITY + HOLDING + PACKING + TOLD + STARTING
