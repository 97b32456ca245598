"""Bugs in what the commands send, keep and delete."""

from tests.mutants.mutation import Mutation

_DEAD_LETTERS = "tally/cli/dlq/queue.py"
_SEND = "tally/cli/send.py"

OF_CLI = (
    Mutation(
        "what was once confirmed counts for ever",
        "After an outage began, `tally send` reads its file to the end and gives up all of it.",
        _SEND,
        "before, self._confirmed = self._confirmed, self._publisher.stats.confirmed\n"
        "            return before < self._confirmed and",
        "now = self._publisher.stats.confirmed\n            return self._confirmed < now and",
        tests="tests/cli/test_sending_lines.py",
    ),
    Mutation(
        "a hold that begins with its answer",
        "A letter is called deleted that somebody else holds by then, and stays.",
        _DEAD_LETTERS,
        "            ends_at_s = self._clock() + USE_S\n"
        "            answer = self._receive(POLL_S if len(self._seen) < expected else 0)\n",
        "            answer = self._receive(POLL_S if len(self._seen) < expected else 0)\n"
        "            ends_at_s = self._clock() + USE_S\n",
        tests="tests/cli/test_dlq_failures.py",
    ),
)
