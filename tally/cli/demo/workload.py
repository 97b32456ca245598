"""What the demo publishes, and what each counter must be in the end."""

import dataclasses
import random
from collections.abc import Iterator

ZIPF_EXPONENT = 0.8
"""The k-th counter has a share of 1/k to this power: a few are hot, none is idle."""

BOUND_SHARE = 0.6
"""How much of its increments a bounded counter takes; it must reject all the others."""

AMOUNTS = (1, 2, 5, -3)
"""What is added to a counter without bounds, in turn."""


@dataclasses.dataclass
class DemoCounter:
    """A counter of the demo: what is published for it, the amounts in turn, within its bound."""

    name: str
    amounts: tuple[int, ...]
    events: int
    maximum: int | None = None
    minimum: int | None = None

    @property
    def expected(self) -> int:
        """The count in the end, if each increment is decided once."""
        total = sum(self.amounts[i % len(self.amounts)] for i in range(self.events))
        if self.maximum is not None:
            return min(total, self.maximum)
        return total if self.minimum is None else max(total, self.minimum)

    @property
    def increments(self) -> Iterator[dict[str, object]]:
        """The fields of each increment."""
        bounds = {"max": self.maximum, "min": self.minimum}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        for i in range(self.events):
            amount = self.amounts[i % len(self.amounts)]
            yield {"counter": self.name, "amount": amount, **given}


def draw(counters: int, events: int) -> list[DemoCounter]:
    """The counters, the hottest first: every fifth is bounded above, every seventh below.

    Each gets an increment, if there are enough, and its share of the others. A bounded counter
    gets only ones, or only minus ones, so that the final count does not depend on the order, which
    a queue does not promise.
    """
    weights = [1 / (rank + 1) ** ZIPF_EXPONENT for rank in range(counters)]
    shares = [1 + int((events - counters) * weight / sum(weights)) for weight in weights]
    shares[0] += events - sum(shares)
    return [_counter(rank, share) for rank, share in enumerate(shares)]


def shuffled(plan: list[DemoCounter], seed: int) -> list[dict[str, object]]:
    """All increments of a plan, in an order that the seed draws."""
    increments = [fields for counter in plan for fields in counter.increments]
    random.Random(seed).shuffle(increments)  # noqa: S311 (a workload, not a secret)
    return increments


def _counter(rank: int, events: int) -> DemoCounter:
    bound = max(1, int(events * BOUND_SHARE))
    if rank % 5 == 2:  # noqa: PLR2004 (every fifth)
        return DemoCounter(f"seats:{rank}", (1,), events, maximum=bound)
    if rank % 7 == 3:  # noqa: PLR2004 (every seventh)
        return DemoCounter(f"stock:{rank}", (-1,), events, minimum=-bound)
    return DemoCounter(f"page:{rank}", AMOUNTS, events)


def bad_bodies(now_ms: int) -> dict[str, str]:
    """Messages that must end in the dead letters, by what is wrong with them."""
    return {
        "not JSON": '{"counter": "page:0", "amount": ',
        "a fraction": '{"counter": "page:0", "amount": 1.5}',
        "an unknown field": '{"counter": "page:0", "amout": 2}',
        "an id without at": '{"counter": "page:0", "id": "order-17"}',
        "an hour ahead": f'{{"counter": "page:0", "id": "order-18", "at": {now_ms + 3_600_000}}}',
    }
