"""Producers: the real sequence, contract and packing, on clocks that are wrong."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from random import Random

from tally.counters.event import INT64_MAX, INT64_MIN, build, encode
from tally.publishing.packing import Packer, to_json
from tally.publishing.sequence import Sequence, _Source
from tests.simulation.facts import EPOCH_MS, NO_MAX, Fact, Letter, digest
from tests.simulation.faults import Fault
from tests.simulation.timeline import violated
from tests.simulation.world import World

DAY_MS = 86_400_000
SECOND_MS = 1_000
MAX_PARENTS = 2
"""Forked processes that go on beside their latest child."""

STYLES = ("native", "native", "native", "named", "anonymous")
"""What a program that mixes them publishes; an array of CloudEvents has nothing else in it."""

FOREIGN_EVENTS = 8
"""At most so many named or anonymous increments at a time: each is a source of its own."""

RESETS = (0, 0, 0, 5, -5, 100)
SHARE_OF_RESETS = 0.1
AMOUNTS = (1, 1, 1, 1, 2, 5, -1, -3, 0)
EDGES = (INT64_MAX, INT64_MIN, INT64_MAX - 1, -INT64_MAX)
BROKEN = (
    *("{", "[]", "null", '{"counter": 7}', '{"counter": "c", "amount": 1.5}', '{"counter": ""}'),
    *('{"counter": "c", "amount": true}', '{"counter": "c", "colour": "red"}'),
    *('{"counter": "c", "id": "x"}', '{"counter": "c", "source": "00", "seq": 0, "at": 1}'),
    *('{"counter": "c", "reset": 0, "max": 1}', '{"counter": "c", "reset": null}'),
    *('{"specversion": "1.0", "id": "x", "source": "/", "type": "t", "subject": "c"}',),
    *('{"counter": "c", "amount": 9223372036854775808}', '{"counter": "c", "id": "x", "at": 0}'),
)


class Changes:
    """What a program does to counters: whether it resets them, sets bounds, goes to their ends."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._bounded = random.random() < 0.4
        self._resets = random.random() < 0.3
        self._edgy = random.random() < 0.1

    def draw(self) -> tuple[dict[str, int], tuple[int, int, int, int | None]]:
        """What an increment does: its fields, and amount, low, high and reset."""
        random = self._random
        low, high = INT64_MIN, NO_MAX
        if self._resets and random.random() < SHARE_OF_RESETS:
            reset = random.choice(EDGES if self._edgy else RESETS)
            return {"reset": reset}, (1, low, high, reset)
        amount = random.choice(EDGES if self._edgy and random.random() < 0.3 else AMOUNTS)
        fields = {"amount": amount}
        if self._bounded and random.random() < 0.7:
            high = fields["max"] = random.choice((0, 3, 10, 50))
        if self._bounded and random.random() < 0.7:
            low = fields["min"] = random.choice((0, -3, 2))
        return fields, (amount, low, high, None)


class Clock:
    """A program's clock, in ms since the epoch: ahead or behind, stepped, and at times wild."""

    def __init__(self, world: World, random: Random, now_s: Callable[[], float]) -> None:
        self._world = world
        self._random = random
        self._now_s = now_s
        self._offset_ms = 0
        self.is_coarse = random.random() < 0.3
        if world.dice.strikes(Fault.SKEWED):
            self._offset_ms = random.randint(-600_000, 290_000)

    def step(self) -> None:
        """Perhaps somebody sets it."""
        if self._world.dice.strikes(Fault.STEPPED):
            self._offset_ms += self._random.randint(-20_000, 20_000)

    def __call__(self) -> int:
        now_ms = EPOCH_MS + int(self._now_s() * 1_000) + self._offset_ms
        if self._world.dice.strikes(Fault.WILD):
            now_ms += self._random.choice(
                (-30 * DAY_MS, -3_600_000, 299_000, 300_000, 300_001, DAY_MS)
            )
        return now_ms - now_ms % SECOND_MS if self.is_coarse else now_ms


class Producer:
    """A program that publishes: its clock, its sequence, and the letters that it posts."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._random = world.plan.random(f"producer {number}")
        self._now_s = self._random.uniform(0.0, world.plan.span_s / 2)
        self._style = self._random.choice((*STYLES, "mixed", "cloudevent"))
        self._most = world.plan.letter_events if self._style == "native" else FOREIGN_EVENTS
        self._changes = Changes(self._random)
        self._clock_ms = Clock(world, self._random, lambda: self._now_s)
        self._names = counters(world.plan.counters)
        self._named: list[tuple[str, str]] = []
        self._packer = Packer(fifo=world.plan.fifo)
        self._sequences = [self._new_sequence(1)]

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
        self._clock_ms.step()
        if self._world.dice.strikes(Fault.RESTARTED):
            self._restart()

    def _restart(self) -> None:
        """A new program, a forked child beside its parent, or a restored snapshot."""
        way = self._random.randrange(3)
        if way == 0:
            self._sequences = [self._new_sequence(1)]
        elif way == 1:
            self._sequences = [*self._sequences[-MAX_PARENTS:], self._forked(self._sequences[-1])]
        else:
            self._sequences[-1].renew()

    def _forked(self, parent: Sequence) -> Sequence:
        """A child's sequence: a copy of the parent's memory, under another process id."""
        pids = [1]
        child = Sequence(
            clock_ms=self._clock_ms, entropy=self._random.randbytes, getpid=lambda: pids[-1]
        )
        copied, remembered = child._sessions.get(), parent._sessions.get()
        copied.source = _Source(remembered.source.digits)
        for name in list(remembered.source._numbers):
            numbers = [next(remembered.source._numbers[name])] * 2  # copies count on from the same
            remembered.source._numbers[name], copied.source._numbers[name] = map(count, numbers)
        pids.append(2)
        return child

    def _new_sequence(self, pid: int) -> Sequence:
        return Sequence(clock_ms=self._clock_ms, entropy=self._random.randbytes, getpid=lambda: pid)

    def _write(self, size: int, origins: Iterator[int]) -> Iterator[Letter]:
        written = [self._increment(next(origins)) for _ in range(size)]
        for _, fact in written:
            if fact.source is not None:
                self._world.oracle.publishes(fact)
        if self._named and self._world.dice.strikes(Fault.RESTAMPED):
            written.append(self._restamped(next(origins)))
        letters = self._packed(written) if self._style == "native" else [self._by_hand(written)]
        for letter in letters:
            yield self._spoilt(letter) if self._world.dice.strikes(Fault.INVALID) else letter

    def _packed(self, written: list[tuple[bytes, Fact]]) -> Iterator[Letter]:
        """As the publisher packs them."""
        for part, fact in written:
            self._packer.add(fact.counter, part)
        self._packer.hurry()
        facts = dict(written)
        while taken := self._packer.take():
            for message in taken:
                entry = message.entry(0)
                meant = tuple(facts.pop(part) for part in message.parts)
                yield Letter(entry["MessageBody"], meant, entry.get("MessageGroupId", ""))
        if facts:
            violated(f"packed {len(facts)} increments into no message")

    def _by_hand(self, written: list[tuple[bytes, Fact]]) -> Letter:
        """As another program sends them."""
        body = b"[" + b",".join(part for part, _ in written) + b"]"
        group = written[0][1].counter if self._world.plan.fifo else ""
        return Letter(body.decode(), tuple(fact for _, fact in written), group)

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
        counter = self._random.choice(self._names)
        fields, meant = self._changes.draw()
        style = self._random.choice(STYLES) if self._style == "mixed" else self._style
        if style == "anonymous":
            return encode(build({"counter": counter, **fields})), Fact(
                origin, counter, None, 0, 0, *meant
            )
        if style == "native":
            name, seq, at = self._random.choice(self._sequences).next(counter)
            native = {"source": name, "seq": seq, "at": at}
            part = to_json(build({"counter": counter, **fields, **native}))
            return part, Fact(origin, counter, int(name, 16), seq, at, *meant)
        at = max(1, self._clock_ms())
        if style == "named":
            self._named.append((counter, f"order {origin}"))
            return self._naming(origin, *self._named[-1])
        part = json.dumps(self._cloudevent(counter, fields, origin, at)).encode()
        return part, Fact(origin, counter, digest(f"/shop order {origin}"), 0, at, *meant)

    def _restamped(self, origin: int) -> tuple[bytes, Fact]:
        """An id once more, as of a program that stamps it anew, and may mean something else."""
        return self._naming(origin, *self._random.choice(self._named))

    def _naming(self, origin: int, counter: str, name: str) -> tuple[bytes, Fact]:
        fields, meant = self._changes.draw()
        at = max(1, self._clock_ms())
        part = to_json(build({"counter": counter, **fields, "id": name, "at": at}))
        return part, Fact(origin, counter, digest(name), 0, at, *meant)

    def _cloudevent(
        self, counter: str, fields: dict[str, int], origin: int, at: int
    ) -> dict[str, object]:
        zone = self._random.choice((UTC, timezone(timedelta(hours=-9, minutes=-30))))
        time = datetime.fromtimestamp(at // SECOND_MS, zone) + timedelta(
            milliseconds=at % SECOND_MS
        )
        event = {"specversion": "1.0", "id": f"order {origin}", "source": "/shop", "type": "sold"}
        if self._clock_ms.is_coarse:
            return event | {"time": time.isoformat(), "data": {"counter": counter, **fields}}
        return event | {"time": time.isoformat(), "subject": counter, "data": fields}


def counters(number: int) -> list[str]:
    """So many names: short, not ASCII, and as long as they may be; then many of one kind."""
    return [*("c", "d", "é", "f" * 512, "é" * 256), *map("c{}".format, range(number))][:number]


def start_value(random: Random) -> bytes | None:
    """What stands under a key before: mostly nothing, sometimes a bare integer."""
    return random.choice((None, None, None, None, b"0", b"42", b"-7", b"%d" % INT64_MAX))


def foreign_value(random: Random) -> bytes:
    """What no ledger of ours is, and nobody may overwrite."""
    later = b"7\n" + bytes.fromhex("9502c40091009080")
    return random.choice(
        (b"", b"words", b"3\n", b"007", later, later, json.dumps({"n": 1}).encode())
    )
