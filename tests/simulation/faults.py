"""What can go wrong, how often in a run, and the dice that say when: a stream for each fault."""

import enum
from collections import Counter
from collections.abc import Mapping
from random import Random


class Fault(enum.StrEnum):
    """A kind of fault; its value is how reports name it."""

    REQUEST_LOST = "request lost before the effect"
    ANSWER_LOST = "answer lost after the effect"
    LATE = "applied after the client gave up"
    SLOW = "slow answer"
    THROTTLED = "throttled"
    REFUSED = "refused"
    BROKEN_SETUP = "broken set-up"
    STALE = "stale read"
    DEAD_CHANNEL = "channel dead after a freeze"
    FOREIGN = "unreadable value"
    FAILED_OVER = "failed over to an older state"
    EVICTED = "evicted"
    STORE_RESTARTED = "store restarted empty"
    UNPROCESSED = "keys left unprocessed"
    FROZEN = "frozen before a request left"
    AWAY = "cache away"
    TABLE_RESTORED = "table restored to an earlier time, cache flushed"

    TWIN = "twice in a batch"
    ECHO = "delivered again while in flight"
    DELETE_LOST = "delete lost"
    GHOST = "delivered again long after its delete"
    REDRIVE = "redriven under a new message id"
    QUEUE_RESTARTED = "queue restarted empty"

    KILLED = "killed at a call"
    KILLED_BEFORE_ACK = "killed before the acknowledgement"
    SHORT_OF_TIME = "time ran out"
    BUSY = "busy before a call"
    ZOMBIE = "stopped at a call, and continued after its time"
    OTHER_SETTINGS = "started with other limits and another MAX_COUNTER_VALUE"

    SKEWED = "skewed clock"
    STEPPED = "clock stepped"
    WILD = "wild clock"
    RESTARTED = "producer restarted"
    SENT_TWICE = "sent twice"
    HELD_BACK = "sent out of order"
    INVALID = "invalid message"
    RESTAMPED = "id published again with a new at"

    SEND_LOST = "send lost before SQS stored it"
    SEND_UNANSWERED = "send stored, and not answered"
    SEND_LATE = "send stored after the publisher gave up"
    SEND_SLOW = "send answered slowly"
    SEND_THROTTLED = "send throttled"
    SEND_REFUSED = "send refused"
    SEND_HALVED = "send stored in part"
    SEND_MISTOLD = "results of a send told wrongly"
    SQS_AWAY = "SQS away"
    NO_THREAD = "no thread to be had"
    PROGRAM_STOPPED = "program stopped, and continued"
    PROGRAM_KILLED = "program killed"
    ABANDONED = "publisher abandoned"
    FORGOTTEN = "publisher not closed"


_F = Fault
NETWORK = (
    *(_F.REQUEST_LOST, _F.ANSWER_LOST, _F.LATE, _F.SLOW, _F.THROTTLED, _F.REFUSED),
    *(_F.BROKEN_SETUP, _F.STALE, _F.DEAD_CHANNEL, _F.FOREIGN),
)
DISASTERS = (_F.FAILED_OVER, _F.EVICTED)
RESTARTS = (_F.STORE_RESTARTED, _F.QUEUE_RESTARTED)
"""As of the embedded Momento, of a Valkey that keeps nothing, and of moto."""

TABLE = (_F.UNPROCESSED, _F.FROZEN, _F.AWAY, *DISASTERS)
"""What only a table may meet, and the cache before it."""

QUEUE = (_F.TWIN, _F.ECHO, _F.DELETE_LOST, _F.GHOST, _F.REDRIVE)
CONSUMERS = (
    *(_F.KILLED, _F.KILLED_BEFORE_ACK, _F.SHORT_OF_TIME, _F.BUSY),
    *(_F.ZOMBIE, _F.OTHER_SETTINGS),
)
PRODUCERS = (
    *(_F.SKEWED, _F.STEPPED, _F.WILD, _F.RESTARTED, _F.SENT_TWICE, _F.HELD_BACK, _F.INVALID),
    _F.RESTAMPED,
)
SENDING = (
    *(_F.SEND_LOST, _F.SEND_UNANSWERED, _F.SEND_LATE, _F.SEND_SLOW, _F.SEND_THROTTLED),
    *(_F.SEND_REFUSED, _F.SEND_HALVED, _F.SEND_MISTOLD, _F.SQS_AWAY, _F.NO_THREAD),
    *(_F.PROGRAM_STOPPED, _F.PROGRAM_KILLED, _F.ABANDONED, _F.FORGOTTEN),
    *(_F.SKEWED, _F.STEPPED, _F.WILD, _F.RESTAMPED),
)
"""What programs meet that publish with a `Publisher`."""

HIGHEST = {
    _F.FOREIGN: 0.1,
    _F.REFUSED: 0.05,
    _F.FAILED_OVER: 0.1,
    _F.EVICTED: 0.1,
    _F.STORE_RESTARTED: 0.01,
    _F.TABLE_RESTORED: 0.01,
    _F.QUEUE_RESTARTED: 0.01,
    _F.ZOMBIE: 0.03,
    _F.FROZEN: 0.1,
    _F.AWAY: 0.1,
    _F.BROKEN_SETUP: 0.02,
    _F.KILLED: 0.1,
    _F.WILD: 0.1,
    _F.INVALID: 0.1,
    _F.STEPPED: 0.2,
    _F.GHOST: 0.3,
    _F.SEND_REFUSED: 0.1,
    _F.SQS_AWAY: 0.1,
    _F.PROGRAM_STOPPED: 0.03,
    _F.PROGRAM_KILLED: 0.03,
}
"""The greatest rate of what spoils a run when it is everywhere."""

RATES = (0.01, 0.03, 0.1, 0.3, 0.5)


def draw_rates(random: Random, kinds: tuple[Fault, ...]) -> dict[Fault, float]:
    """About half of the kinds, each at a rate of its own: a swarm finds what an average hides."""
    return {
        kind: min(random.choice(RATES), HIGHEST.get(kind, 1.0))
        for kind in kinds
        if random.random() < 0.5
    }


class Dice:
    """Says whether a fault strikes; each kind has its own stream, so that one less moves no other.

    `calm` stops all faults: at the end of a run everything must come to rest.
    """

    def __init__(self, seed: str, rates: Mapping[Fault, float]) -> None:
        self.struck: Counter[str] = Counter()
        self.calm = False
        self._rates = rates
        self._streams = {kind: Random(f"{seed}/{kind}") for kind in rates}

    def strikes(self, kind: Fault) -> bool:
        """Whether it strikes here."""
        if self.calm or kind not in self._rates:
            return False
        if self._streams[kind].random() >= self._rates[kind]:
            return False
        self.struck[kind] += 1
        return True
