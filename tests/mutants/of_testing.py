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
)
