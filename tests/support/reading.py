"""Counts as a program reads them, from the variables of a stack."""

from tally.reading.reader import Reader


def read_counts(counters, variables):
    """The count of each counter, None where there is none."""
    with Reader.from_environment(variables) as reader:
        return reader.counts(counters)
