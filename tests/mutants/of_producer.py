"""Bugs in who an increment is: a source or a seq given twice loses increments silently."""

from tests.mutants.mutation import Mutation

_SEQUENCE = "producer/sequence.py"
_PROCESS = "producer/process.py"

OF_PRODUCER = (
    Mutation(
        "source reused after a restart",
        "A restored program repeats the identities of the one it was cloned from.",
        _SEQUENCE,
        "self.source = self._entropy(SOURCE_BYTES).hex()",
        'self.source = self.__dict__.get("source") or self._entropy(SOURCE_BYTES).hex()',
    ),
    Mutation(
        "source drawn from the counter",
        "Every session of a program has the same source.",
        _SEQUENCE,
        "self.source = self._entropy(SOURCE_BYTES).hex()",
        "self.source = bytes(SOURCE_BYTES).hex()",
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
        "session.seqs[counter] = seq + 1",
        "session.seqs[counter] = max(seq, 1)",
    ),
    Mutation(
        "counters forgotten, source kept",
        "A program with very many counters begins them again at seq 0 of the same source.",
        _SEQUENCE,
        "len(session.seqs) >= MAX_COUNTERS_PER_SOURCE:\n                session.draw()",
        "len(session.seqs) >= MAX_COUNTERS_PER_SOURCE:\n                session.seqs.clear()",
        tests="tests/producer/test_sequence.py",
    ),
)
