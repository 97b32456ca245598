"""Producers: the real sequence, contract and packing, on clocks that are wrong."""

import json
from collections.abc import Iterator
from random import Random

from counters.event import INT64_MAX, INT64_MIN, build, encode
from producer.packing import Packer, to_json
from producer.sequence import Sequence
from tests.simulation.facts import EPOCH_MS, Fact, Letter, digest
from tests.simulation.faults import Fault
from tests.simulation.world import World

DAY_MS = 86_400_000
STYLES = ("native", "native", "native", "named", "anonymous")
FOREIGN_EVENTS = 8
"""At most so many named or anonymous increments at a time: each is a source of its own."""

AMOUNTS = (1, 1, 1, 1, 2, 5, -1, -3, 0)
EDGES = (INT64_MAX, INT64_MIN, INT64_MAX - 1, -INT64_MAX)
BROKEN = (
    *("{", "[]", "null", '{"counter": 7}', '{"counter": "c", "amount": 1.5}', '{"counter": ""}'),
    *('{"counter": "c", "amount": true}', '{"counter": "c", "colour": "red"}'),
    *('{"counter": "c", "id": "x"}', '{"counter": "c", "source": "00", "seq": 0, "at": 1}'),
    *('{"counter": "c", "amount": 9223372036854775808}', '{"counter": "c", "id": "x", "at": 0}'),
)


class Producer:
    """A program that publishes: its clock, its sequence, and the letters that it posts."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._random = world.plan.random(f"producer {number}")
        self._now_s = self._random.uniform(0.0, world.plan.span_s / 2)
        self._offset_ms = 0
        self._pid = 1
        self._style = self._random.choice(STYLES)
        self._most = world.plan.letter_events if self._style == "native" else FOREIGN_EVENTS
        self._bounded = self._random.random() < 0.4
        self._edgy = self._random.random() < 0.1
        self._names = counters(world.plan.counters)
        self._packer = Packer(fifo=world.plan.fifo)
        self._sequence = self._new_sequence()
        if world.dice.strikes(Fault.SKEWED):
            self._offset_ms = self._random.randint(-600_000, 290_000)

    def letters(self, letters: int, origins: Iterator[int]) -> Iterator[tuple[float, Letter]]:
        """About so many letters, each with the time at which it is sent."""
        plan, dice = self._world.plan, self._world.dice
        pause_s = (plan.span_s - self._now_s) / max(1, letters)
        for _ in range(max(1, letters)):
            self._now_s += self._random.uniform(0.0, 2 * pause_s)
            self._misbehave()
            size = self._random.randint(1, self._most)
            for letter in self._write(size, origins):
                late_s = self._random.choice((1.0, 90.0, plan.span_s))
                held_s = self._random.uniform(0.0, late_s) if dice.strikes(Fault.HELD_BACK) else 0.0
                yield self._now_s + held_s, letter

    def _misbehave(self) -> None:
        dice, random = self._world.dice, self._random
        if dice.strikes(Fault.STEPPED):
            self._offset_ms += random.randint(-20_000, 20_000)
        if dice.strikes(Fault.RESTARTED):
            self._restart()

    def _restart(self) -> None:
        """A new program, a fork, or a restored snapshot: a new source in any case."""
        way = self._random.randrange(3)
        if way == 0:
            self._sequence = self._new_sequence()
        elif way == 1:
            self._pid += 1
        else:
            self._sequence.renew()

    def _new_sequence(self) -> Sequence:
        return Sequence(
            clock_ms=self._clock_ms, entropy=self._random.randbytes, getpid=lambda: self._pid
        )

    def _clock_ms(self) -> int:
        now_ms = EPOCH_MS + int(self._now_s * 1_000) + self._offset_ms
        if self._world.dice.strikes(Fault.WILD):
            now_ms += self._random.choice((-30 * DAY_MS, -3_600_000, 299_000, 900_000, DAY_MS))
        return now_ms

    def _write(self, size: int, origins: Iterator[int]) -> Iterator[Letter]:
        facts: dict[bytes, Fact] = {}
        parts: list[bytes] = []
        for _ in range(size):
            origin = next(origins)
            part, fact = self._increment(origin)
            facts[part] = fact
            parts.append(part)
            if fact.source is None:
                body = part.decode()
                yield Letter(body, (fact,), self._group(fact))
            else:
                self._world.oracle.publishes(fact)
                self._packer.add(fact.counter, part)
        self._packer.hurry()
        while taken := self._packer.take():
            for message in taken:
                entry = message.entry(0)
                meant = tuple(facts[part] for part in message.parts)
                group = entry.get("MessageGroupId", "")
                letter = Letter(entry["MessageBody"], meant, group)
                yield self._spoilt(letter) if self._world.dice.strikes(Fault.INVALID) else letter

    def _group(self, fact: Fact) -> str:
        return fact.counter if self._world.plan.fifo else ""

    def _spoilt(self, letter: Letter) -> Letter:
        """A message that breaks the contract, alone or with good increments packed beside it."""
        bad = self._random.choice(BROKEN)
        if self._random.random() < 0.5 and bad.endswith("}"):
            return Letter(
                f"{letter.body[:-1]},{bad}]",
                letter.meant,
                letter.group,
                broken=True,
            )
        return Letter(bad, (), letter.group, broken=True)

    def _increment(self, origin: int) -> tuple[bytes, Fact]:
        """The JSON of an increment, and what is meant by it."""
        random = self._random
        counter = random.choice(self._names)
        amount = random.choice(EDGES if self._edgy and random.random() < 0.3 else AMOUNTS)
        low, high = INT64_MIN, self._world.plan.default_max
        fields: dict[str, object] = {"counter": counter, "amount": amount}
        if self._bounded and random.random() < 0.7:
            high = fields["max"] = random.choice((0, 3, 10, 50))
        if self._bounded and random.random() < 0.7:
            low = fields["min"] = random.choice((0, -3, 2))
        if self._style == "anonymous":
            return encode(build(fields)), Fact(origin, counter, None, 0, 0, amount, low, high)
        if self._style == "named":
            source, seq, at = digest(f"order {origin}"), 0, max(1, self._clock_ms())
            fields |= {"id": f"order {origin}", "at": at}
        else:
            name, seq, at = self._sequence.next(counter)
            source = int(name, 16)
            fields |= {"source": name, "seq": seq, "at": at}
        part = to_json(build(fields))
        return part, Fact(origin, counter, source, seq, at, amount, low, high)


def counters(number: int) -> list[str]:
    """So many names, one of them not ASCII."""
    return [("c", "d", "é", "f" * 100, "g")[place] for place in range(number)]


def start_value(random: Random) -> bytes | None:
    """What stands under a key before: mostly nothing, sometimes a bare integer."""
    return random.choice((None, None, None, None, b"0", b"42", b"-7", b"%d" % INT64_MAX))


def foreign_value(random: Random) -> bytes:
    """What no ledger of ours is, and nobody may overwrite."""
    later = b"7\n" + bytes.fromhex("9502c40091009080")
    return random.choice((b"", b"words", b"3\n", b"007", later, json.dumps({"n": 1}).encode()))
