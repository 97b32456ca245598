"""Bugs in who an increment is and where it goes, and in what a reader makes of an answer."""

from tests.mutants.mutation import Mutation

_SEQUENCE = "tally/publishing/sequence.py"
_PROCESS = "tally/publishing/process.py"
_SHARDS = "tally/counters/shards.py"
_PUBLISHER = "tally/publishing/publisher.py"

OF_PRODUCER = (
    Mutation(
        "source reused after a restart",
        "A restored program repeats the identities of the one it was cloned from.",
        _SEQUENCE,
        "_Source(self._entropy(SOURCE_BYTES).hex())",
        "self.__dict__.get('source') or _Source(self._entropy(SOURCE_BYTES).hex())",
    ),
    Mutation(
        "source drawn from the counter",
        "Every session of a program has the same source.",
        _SEQUENCE,
        "_Source(self._entropy(SOURCE_BYTES).hex())",
        "_Source(bytes(SOURCE_BYTES).hex())",
    ),
    Mutation(
        "source shared with a forked child",
        "Parent and child give the same identities.",
        _PROCESS,
        "pid = self._getpid()",
        "pid = 1",
    ),
    Mutation(
        "seq given twice",
        "Two increments have one identity, and one of them is lost.",
        _SEQUENCE,
        "return next(numbers)",
        "return min(next(numbers), 1)",
    ),
    Mutation(
        "counters forgotten, source kept",
        "A program with very many counters begins them again at seq 0 of the same source.",
        _SEQUENCE,
        "source = self._sessions.get().draw()",
        "source._numbers.clear()",
        tests="tests/publishing/test_sequence.py",
    ),
    Mutation(
        "shard drawn for each increment",
        "A repeat of an increment goes to another shard, whose ledger has never heard of it.",
        _SHARDS,
        "return replace(increment, counter=shard_name(increment.counter, shards, source))",
        "return replace(increment, counter=shard_name(increment.counter, shards, id(increment)))",
        tests="tests/counters/test_shards.py",
    ),
    Mutation(
        "shard counted as its counter",
        "A shard and a counter of the shard's name are given the same seqs.",
        _SEQUENCE,
        "return shard_name(counter, shards, int(self.digits, 16)) if shards else counter",
        "return counter",
        tests="tests/counters/test_shards.py",
    ),
    Mutation(
        "repeat sharded again",
        "What SQS did not confirm goes to a shard of its shard, and counts twice.",
        _PUBLISHER,
        "return self._put(build(to_builtins(increment)), None)",
        "return self._put(build(to_builtins(increment)), self._shards)",
        tests="tests/counters/test_shards.py",
    ),
    Mutation(
        "one failed look unsays another",
        "A wait that saw the increment pending raises an error instead.",
        "tally/reading/waiting.py",
        "if isinstance(seen, Outcome) or isinstance(answer, ReadError):",
        "if seen:",
        tests="tests/reading/test_waiting.py",
    ),
    Mutation(
        "answers shifted by one",
        "A call that answers one key too few gives counters the counts of their neighbours.",
        "tally/stores/momento/calls.py",
        "if len(answers) > len(counters) or (failure is None and len(answers) < len(counters)):",
        "if len(answers) > len(counters):",
        tests="tests/reading/test_values.py",
    ),
)
