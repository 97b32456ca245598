"""Bugs in `tally.testing`, by which a user's own tests would learn something wrong."""

from tests.mutants.mutation import Mutation

_COUNTERS = "tally/testing/counters.py"
_COUNTING = "tests/testing/test_counters.py"

OF_TESTING = (
    Mutation(
        "each delivery taken for a message of its own",
        "In a user's test what has no identity counts again with each delivery, as in no queue.",
        _COUNTERS,
        '            message_id = f"message-{next(self._numbers)}"\n'
        "            for _ in range(self._deliveries):\n",
        "            for _ in range(self._deliveries):\n"
        '                message_id = f"message-{next(self._numbers)}"\n',
        tests=_COUNTING,
    ),
    Mutation(
        "a dead letter for each delivery",
        "A user's test finds one bad message more than once.",
        _COUNTERS,
        "                    self.dead_letters.append(body)\n                    return\n",
        "                    self.dead_letters.append(body)\n",
        tests=_COUNTING,
    ),
    Mutation(
        "a message settled by any of its counters",
        "A user's test does not see the message whose other counter was not written.",
        _COUNTERS,
        "return all(map(_is_settled,",
        "return any(map(_is_settled,",
        tests=_COUNTING,
    ),
    Mutation(
        "a refusal that may pass",
        "A user's test of a queue that refuses takes half a minute.",
        _COUNTERS,
        '{"SenderFault": True, ',
        '{"SenderFault": False, ',
        tests=_COUNTING,
    ),
    Mutation(
        "messages stamped by the machine's own clock",
        "A user's test on a clock of its own finds its increments refused.",
        _COUNTERS,
        "Envelope(message_id, self._now_ms())",
        "Envelope(message_id, now_ms())",
        tests=_COUNTING,
    ),
    Mutation(
        "a pacer that is not handed on",
        "A user's test on a clock of its own waits for real time.",
        _COUNTERS,
        "shards=shards, pacer=pacer)",
        "shards=shards, pacer=None)",
        tests=_COUNTING,
    ),
)
