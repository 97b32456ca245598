"""One thing that was looked at: what was found, and what to do about it."""

import dataclasses
import enum


class Verdict(enum.StrEnum):
    """How a check ended."""

    OK = "ok"
    BAD = "bad"
    SKIPPED = "skipped"


SIGNS = {Verdict.OK: "✓", Verdict.BAD: "✗", Verdict.SKIPPED: "–"}


@dataclasses.dataclass(frozen=True)
class Check:
    """One line of a doctor's report.

    Attributes:
        text: what was found; of a check that was skipped, why.
        advice: what to do about it.
    """

    name: str
    verdict: Verdict
    text: str
    advice: str = ""

    @property
    def line(self) -> str:
        """For people."""
        advice = f"; {self.advice}" if self.advice else ""
        return f"{SIGNS[self.verdict]} {self.name}: {self.text}{advice}"


def good(name: str, text: str) -> Check:
    """All is well."""
    return Check(name, Verdict.OK, text)


def bad(name: str, text: str, advice: str = "") -> Check:
    """Something is wrong."""
    return Check(name, Verdict.BAD, text, advice)


def skipped(name: str, why: str, advice: str = "") -> Check:
    """Nobody knows."""
    return Check(name, Verdict.SKIPPED, why, advice)
