"""Which dead letters a command is about."""

import dataclasses
import re
from collections.abc import Sequence

from tally.cli.dlq.letter import Letter, Standing

MIN_ID_CHARS = 8
"""How much of an id is enough to name a message, as `tally dlq list` shows it."""

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile("([0-9]{1,9})([smhd]?)")


def needs_momento(why: Standing | None) -> bool:
    """Whether only the ledgers can tell which letters these are."""
    return why not in {None, Standing.INVALID, Standing.VALID}


@dataclasses.dataclass(frozen=True)
class Choice:
    """The filters of a command: a letter must pass them all; one that is not given lets all pass.

    Attributes:
        why: the standing; `valid` are all that are not `invalid`.
        sent_before: SentTimestamps later than this do not pass; ms since the epoch.
        limit: how many letters are taken, at most.
    """

    limit: int
    counter: str | None = None
    why: Standing | None = None
    ids: Sequence[str] = ()
    sent_before: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether a letter passes."""
        return (
            (self.counter is None or self.counter in letter.counters)
            and (not self.ids or letter.id.startswith(tuple(self.ids)))
            and (self.sent_before is None or letter.sent_at <= self.sent_before)
            and (self.why is None or self._is_why(letter.standing))
        )

    def _is_why(self, standing: Standing) -> bool:
        if self.why is Standing.VALID:
            return standing is not Standing.INVALID
        return standing is self.why


def duration_s(text: str) -> int:
    """Seconds from `90`, `90s`, `15m`, `2h` or `3d`.

    Raises:
        ValueError: it is none of these.
    """
    found = _DURATION.fullmatch(text)
    if not found:
        message = f"a time is written as 90s, 15m, 2h or 3d, found {text!r}"
        raise ValueError(message)
    return int(found[1]) * _SECONDS[found[2] or "s"]
