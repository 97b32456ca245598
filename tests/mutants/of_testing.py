"""Bugs in `tally.testing`, by which a user's own tests would learn something wrong."""

from tests.mutants.mutation import Mutation

_COUNTERS = "tally/testing/counters.py"
_FIXTURES = "tally/testing/fixtures.py"
_COUNTING = "tests/testing/test_counters.py"
_HANDING = "tests/testing/test_fixtures.py"

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
    Mutation(
        "deliveries without a lock",
        "The threads of a user's test settle at once what one writer must settle in turn.",
        _COUNTERS,
        "        with self._lock:\n",
        "        if True:\n",
        tests=_COUNTING,
    ),
    Mutation(
        "a counter forgotten that must have been",
        "A user's test that forgets what was never counted ends with a KeyError.",
        _COUNTERS,
        "self._items.copies.pop(counter, None)",
        "self._items.copies.pop(counter)",
        tests=_COUNTING,
    ),
    Mutation(
        "counters kept for the next test",
        "A user's tests count on from each other, and depend on their order.",
        _FIXTURES,
        "@pytest.fixture\ndef tally_counters",
        '@pytest.fixture(scope="session")\ndef tally_counters',
        tests=_HANDING,
    ),
    Mutation(
        "a Momento kept for the next test",
        "A user's tests find in the cache what others left there.",
        _FIXTURES,
        "@pytest.fixture\ndef tally_momento",
        '@pytest.fixture(scope="session")\ndef tally_momento',
        tests=_HANDING,
    ),
)
