"""A mutation: one line of the source made wrong on purpose, and what must notice it."""

from pathlib import Path
from typing import NamedTuple


class Mutation(NamedTuple):
    """A small bug, as data.

    Attributes:
        name: what the table calls it.
        breaks: what goes wrong with it, in one sentence.
        file: which file it is in, from the top of the repository.
        old: what stands there; it must occur exactly once.
        new: what stands there instead.
        tests: the selection of pytest that judges it, where the simulation cannot see it.
        equivalent: why it breaks no promise after all, if so.
    """

    name: str
    breaks: str
    file: str
    old: str
    new: str
    tests: str = ""
    equivalent: str = ""


class StaleMutationError(Exception):
    """A mutation no longer applies to the source: it must be mended."""


def mutated(mutation: Mutation, source: str) -> str:
    """The source with the bug in it.

    Raises:
        StaleMutationError: what it replaces does not occur exactly once, or it changes nothing.
    """
    found = source.count(mutation.old)
    if found != 1 or mutation.old == mutation.new:
        msg = f"{mutation.name}: found {found} times in {mutation.file}: {mutation.old}"
        raise StaleMutationError(msg)
    return source.replace(mutation.old, mutation.new)


def plant(mutation: Mutation, root: Path) -> None:
    """Put the bug into the repository under `root`.

    Raises:
        StaleMutationError: it does not apply.
    """
    path = root / mutation.file
    path.write_text(mutated(mutation, path.read_text(encoding="utf-8")), encoding="utf-8")
