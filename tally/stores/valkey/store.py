"""Counters in Valkey: a round is two pipelines, one of GETs and one of a script that swaps."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from tally.counters.ledger import Limits
from tally.environment import VALKEY_TTL_S, Valkey
from tally.stores.port import (
    ABSENT,
    NOT_SENT,
    Copy,
    Failed,
    LostRace,
    Stored,
    Swap,
    Trouble,
    Usage,
)
from tally.stores.secret import Key
from tally.stores.valkey.commands import Commands
from tally.stores.valkey.mirror import ValkeyMirror
from tally.stores.valkey.pipelines import MAX_COMMANDS, Answer, Pipelines, in_pipelines
from tally.stores.valkey.troubles import NO_ANSWER, first_word

DEADLINE_S = 1.0
"""How long a pipeline may take, with connecting, and with repeating an unknown script."""

MAX_SILENT = 2
"""After so many pipelines without an answer in time, the rest of a round is not sent."""

UNSENT = Failed(Trouble.UNKNOWN_OUTCOME, "not sent: the pipelines before it had no answer in time")

Item = TypeVar("Item")


class ValkeyStore:
    """The calls that counters need, in pipelines.

    Args:
        valkey: where the server is.
        password: of it; it is in no error and no repr.
        ttl_s: how long a counter lives after each of its swaps, in seconds; VALKEY_TTL_S by
            default.
        deadline_s: how long a pipeline may take, in seconds.
        limits: how much a counter may remember.
        clock: monotonic, in seconds.
        wall_clock: the time of day, in seconds.
        options: of Pipelines.
    """

    max_calls_in_flight = MAX_COMMANDS

    def __init__(  # noqa: PLR0913 (all that a test may want to be otherwise, by keyword)
        self,
        valkey: Valkey,
        password: Key,
        *,
        ttl_s: int | None = None,
        deadline_s: float = DEADLINE_S,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        **options: Any,  # noqa: ANN401 (those of Pipelines, handed through)
    ) -> None:
        self.usage = Usage()
        self.deadline_s = deadline_s
        self._commands = Commands((ttl_s or VALKEY_TTL_S) * 1_000)
        self._limits = limits or Limits()
        self._clock = clock
        self._pipelines = Pipelines(valkey, password, clock=clock, wall_clock=wall_clock, **options)

    def limits(self, _counter: str) -> Limits:
        """How much a counter may remember, whatever its name: no operation is billed."""
        return self._limits

    def renew(self) -> None:
        """Use a new connection from now on."""
        self._pipelines.renew()

    def mirror(self, ttl_s: int) -> ValkeyMirror:
        """A mirror that sets copies here, for `ttl_s` seconds."""
        return ValkeyMirror(self._pipelines, ttl_s, self._clock)

    def finish(self, _ends_at: float) -> int:
        """No work runs beside the rounds."""
        return 0

    def close(self) -> None:
        """Close the connections, and open no more."""
        self._pipelines.close()

    def read(self, counters: Iterable[str], ends_at: float) -> Iterator[tuple[str, Copy | Failed]]:
        """Read counters, in the order given; the token of a counter is its value."""
        for counter, answer in self._answered(counters, self._commands.read, None, ends_at):
            yield counter, self._found(answer)

    def write(
        self, writes: Iterable[Swap], ends_at: float
    ) -> Iterator[tuple[Swap, Stored | LostRace | Failed]]:
        """Swap, in the order given; a lost race tells what the winner stored."""
        for swap, answer in self._answered(
            writes, self._commands.swap, self._commands.swap_in_full, ends_at
        ):
            if answer == 1:
                yield swap, Stored(swap.value)
            else:
                found = self._found(answer)
                yield swap, found if isinstance(found, Failed) else LostRace(found)

    def values(
        self, counters: Sequence[str], deadline_s: float
    ) -> tuple[list[bytes | None], Failed | None]:
        """The values of counters in one pipeline.

        Raises:
            StoreClosedError: close() was called.
        """
        commands = [self._commands.read(counter) for counter in counters]
        ends_at = self._clock() + deadline_s
        values: list[bytes | None] = []
        # A reader has no deadline that fetching a password again could make it miss.
        ran = self._pipelines.run(commands, ends_at, renewal_ends_at=math.inf)
        if ran.is_silent and not ran.came:
            self.renew()  # else the next tries might take silent connections of other threads
        for answer in ran.answers:
            found = self._found(answer)
            if isinstance(found, Failed):
                return values, found
            values.append(found.value)
        return values, None

    def _found(self, answer: Answer) -> Copy | Failed:
        """What a counter holds, if the server's answer is valid."""
        match answer:
            case bytes():
                return Copy(answer, answer)
            case None:
                return ABSENT
            case Failed():
                return answer
        self.renew()
        return NO_ANSWER

    def _answered(
        self,
        items: Iterable[Item],
        command: Callable[[Item], bytes],
        in_full: Callable[[Item], bytes] | None,
        ends_at: float,
    ) -> Iterator[tuple[Item, Answer]]:
        """Answers to commands, in pipelines, in the order of the items.

        Args:
            items: each is taken when there is room to send it.
            command: encodes the command of one.
            in_full: the same, for a server that does not know the script.
            ends_at: the clock's time by which the last answer must have come.
        """
        silent = 0
        for chunk, commands in in_pipelines(items, command):
            if silent == MAX_SILENT:
                answers: list[Answer] = [UNSENT] * len(chunk)
            elif (now := self._clock()) >= ends_at:
                answers = [NOT_SENT] * len(chunk)
            else:
                pipeline_ends_at = min(ends_at, now + self.deadline_s)
                answers, is_silent = self._run(commands, pipeline_ends_at, ends_at)
                silent += is_silent
                if in_full is not None:
                    self._run_unknown(chunk, answers, in_full, pipeline_ends_at, ends_at)
            yield from zip(chunk, answers, strict=True)

    def _run_unknown(
        self,
        chunk: Sequence[Item],
        answers: list[Answer],
        in_full: Callable[[Item], bytes],
        pipeline_ends_at: float,
        ends_at: float,
    ) -> None:
        """Send the swaps whose script the server did not know again, with the script's text.

        Each has the text; a single SCRIPT LOAD might go to another shard of a gateway.
        """
        places = [place for place, answer in enumerate(answers) if _is_unknown_script(answer)]
        if places:
            commands = [in_full(chunk[place]) for place in places]
            again, _ = self._run(commands, pipeline_ends_at, ends_at)
            for place, answer in zip(places, again, strict=True):
                answers[place] = answer

    def _run(
        self, commands: Sequence[bytes], pipeline_ends_at: float, ends_at: float
    ) -> tuple[list[Answer], bool]:
        """The answers of a pipeline, and whether it was silent; both are counted."""
        ran = self._pipelines.run(commands, pipeline_ends_at, renewal_ends_at=ends_at)
        self.usage.operations += len(commands)
        self.usage.answered += ran.came
        if ran.is_silent:
            self.usage.unanswered += len(commands) - ran.came
        return ran.answers, ran.is_silent


def _is_unknown_script(answer: Answer) -> bool:
    return isinstance(answer, Failed) and first_word(answer.detail) == "NOSCRIPT"
