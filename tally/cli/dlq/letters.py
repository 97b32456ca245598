"""A dead letter: what its message says, and what the ledgers know of it."""

import contextlib
import dataclasses
import enum
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from tally.counters.body import increments, parse
from tally.counters.counter import Counter
from tally.counters.errors import InvalidIncrementError, UnreadableValueError
from tally.counters.event import Envelope, Event, Increment
from tally.environment import place_from
from tally.reading.reader import MAX_COUNTERS_PER_CALL, Values
from tally.stores.opening import open_store
from tally.tracing import ATTRIBUTE, well_formed


class Standing(enum.StrEnum):
    """What became of a message's increments, as far as the contract and the ledgers tell."""

    INVALID = "invalid"
    VALID = "valid"
    DECIDED = "decided"
    PENDING = "pending"
    UNDECIDABLE = "undecidable"
    UNREADABLE = "unreadable"


REMARKS = {
    Standing.VALID: "the reason is in the consumer's log",
    Standing.DECIDED: "all of it is counted or rejected: safe to purge",
    Standing.PENDING: "not counted: mend what the log reports, then redrive",
    Standing.UNDECIDABLE: "older than the ledger's memory: it may have been counted or not",
    Standing.UNREADABLE: "the stored value is no counter",
}
"""What a standing means for whoever must act; an invalid message shows its problem instead."""

_WORST_FIRST = (Standing.UNREADABLE, Standing.UNDECIDABLE, Standing.PENDING, Standing.DECIDED)


@dataclasses.dataclass(frozen=True)
class Letter:
    """A dead letter.

    Attributes:
        sent_at: its SentTimestamp, in ms since the epoch; on a FIFO queue, when it died.
        receive_count: this receive included; looking at it raises the number, and harms nothing.
        group: its message group; empty if it has none.
        message_attributes: as SendMessage takes them.
        trace_header: of its producer's trace; empty if it has none.
        published: its increments, as they are written; empty if it breaks the contract.
        events: the same, as the consumer names them.
        problem: what breaks the contract.
        claimed: the counter of the increment that breaks it, if that can be read.
    """

    id: str
    body: str
    sent_at: int
    receive_count: int
    group: str = ""
    message_attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    trace_header: str = ""
    published: Sequence[Increment] = ()
    events: Sequence[Event] = ()
    problem: str = ""
    claimed: str = ""
    standing: Standing = Standing.VALID

    @property
    def counters(self) -> list[str]:
        """The counters that it names, each once."""
        names = [self.claimed] if self.claimed else [event.counter for event in self.events]
        return list(dict.fromkeys(names))

    @property
    def form(self) -> str:
        """Which of the three forms of identity its increments have; mixed, if they differ."""
        kinds = list(dict.fromkeys(map(_kind, self.published)))
        return kinds[0] if len(kinds) == 1 else "mixed" if kinds else ""

    @property
    def is_anonymous(self) -> bool:
        """Whether only this message's id identifies one of its increments."""
        return any(increment.at is UNSET for increment in self.published)

    @property
    def remark(self) -> str:
        """Why it is here, or what to do."""
        return self.problem or REMARKS[self.standing]

    def named(self) -> str:
        """The body with an identity in each increment: the one that the consumer derives.

        Without it, an anonymous increment would count again, by the new id of its message.
        """
        if not self.is_anonymous:
            return self.body
        known = [
            replace(increment, source=f"{event.source:016x}", seq=event.seq, at=event.at)
            if increment.at is UNSET
            else increment
            for increment, event in zip(self.published, self.events, strict=True)
        ]
        return msgspec.json.encode(known).decode()


def read(message: Mapping[str, Any]) -> Letter:
    """A message as boto3 returns it, with all its attributes."""
    attributes = message["Attributes"]
    body, sent_at = message["Body"], int(attributes["SentTimestamp"])
    letter = Letter(
        id=message["MessageId"],
        body=body,
        sent_at=sent_at,
        receive_count=int(attributes["ApproximateReceiveCount"]),
        group=attributes.get("MessageGroupId", ""),
        message_attributes={
            name: {key: value[key] for key in _ATTRIBUTE_FIELDS if key in value}
            for name, value in message.get("MessageAttributes", {}).items()
        },
        trace_header=well_formed(attributes.get(ATTRIBUTE, "")),
    )
    try:
        events = parse(body, Envelope(letter.id, sent_at))
    except InvalidIncrementError as error:
        return dataclasses.replace(
            letter, problem=str(error), claimed=error.counter, standing=Standing.INVALID
        )
    return dataclasses.replace(letter, events=events, published=increments(body))


_ATTRIBUTE_FIELDS = ("DataType", "StringValue", "BinaryValue")


def _kind(increment: Increment) -> str:
    if increment.at is UNSET:
        return "anonymous"
    return "native" if increment.id is UNSET else "named"


@dataclasses.dataclass(frozen=True)
class Choice:
    """How many letters a command takes, and its filters; a filter not given lets all pass."""

    limit: int
    counter: str | None = None
    why: Standing | None = None
    """`valid` means all that are not `invalid`."""
    ids: Sequence[str] = ()
    """What the ids begin with."""
    sent_before: int | None = None
    """A later SentTimestamp does not pass; ms since the epoch."""

    @property
    def needs_ledgers(self) -> bool:
        """Whether only the ledgers can tell which letters pass."""
        return self.why not in {None, Standing.INVALID, Standing.VALID}

    def takes(self, letter: Letter) -> bool:
        """Whether a letter passes."""
        whys = {None, letter.standing}
        if letter.standing is not Standing.INVALID:
            whys.add(Standing.VALID)
        return (
            self.why in whys
            and (self.counter is None or self.counter in letter.counters)
            and (not self.ids or letter.id.startswith(tuple(self.ids)))
            and (self.sent_before is None or letter.sent_at <= self.sent_before)
        )


Judge = Callable[[Sequence[Letter]], list[Letter]]
"""Tells the standing of letters."""


@contextlib.contextmanager
def judge_from(variables: Mapping[str, str]) -> Iterator[Judge]:
    """A judge that asks the ledgers of the store that the variables name.

    Raises:
        SettingsError: a variable is missing or wrong, or the secret cannot be read.
    """
    with contextlib.closing(open_store(place_from(variables))) as store:
        values = Values(store, sleep=time.sleep, uniform=random.uniform)
        yield lambda letters: judged(letters, lambda keys: values.latest(keys, store.deadline_s))


def judged(
    letters: Sequence[Letter], read_values: Callable[[Sequence[str]], Sequence[bytes | None]]
) -> list[Letter]:
    """The letters with their standing, by the stored values of their counters."""
    names = list(dict.fromkeys(event.counter for letter in letters for event in letter.events))
    stored: dict[str, Counter | None] = {}
    for start in range(0, len(names), MAX_COUNTERS_PER_CALL):
        keys = names[start : start + MAX_COUNTERS_PER_CALL]
        stored |= zip(keys, map(_decoded, read_values(keys)), strict=True)
    return [dataclasses.replace(letter, standing=_standing(letter, stored)) for letter in letters]


def _standing(letter: Letter, stored: Mapping[str, Counter | None]) -> Standing:
    """The worst standing of its events, since SQS takes back no part of a message."""
    if letter.standing is Standing.INVALID:
        return Standing.INVALID
    found = {_standing_of(event, stored[event.counter]) for event in letter.events}
    return next(standing for standing in _WORST_FIRST if standing in found)


def _standing_of(event: Event, counter: Counter | None) -> Standing:
    """The standing of one event; not by its Outcome, where forgotten may also mean decided."""
    if counter is None:
        return Standing.UNREADABLE
    if counter.ledger.source(event.source).recall(event.seq) is not None:
        return Standing.DECIDED
    is_forgotten = event.at <= counter.ledger.floor_ms
    return Standing.UNDECIDABLE if is_forgotten else Standing.PENDING


def _decoded(value: bytes | None) -> Counter | None:
    try:
        return Counter(value)
    except UnreadableValueError:
        return None
