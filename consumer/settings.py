"""What the consumer is told by its environment."""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Self

from tally.counters.event import INT64_MAX, INT64_MIN
from tally.environment import MAX_MOMENTO_TTL_S, TABLE, Environment, Place, Table, Valkey


class Guarantee(enum.StrEnum):
    """How often an event is counted; set for a deployment, never for one event."""

    EXACTLY_ONCE = "exactly-once"
    AT_LEAST_ONCE = "at-least-once"


@dataclasses.dataclass(frozen=True)
class ConsumerSettings:
    """What the consumer is told by its environment."""

    place: Place
    ttl_s: int | None = MAX_MOMENTO_TTL_S
    max_counter_value: int = INT64_MAX
    guarantee: Guarantee = Guarantee.EXACTLY_ONCE

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            SettingsError: naming each variable that is missing or wrong, and what it says.
        """
        environment = Environment(variables)
        place = environment.place()
        ttl_s = environment.ttl_s(place)
        bound = environment.integer("MAX_COUNTER_VALUE", (INT64_MAX, INT64_MIN, INT64_MAX))
        guarantee = environment.choice("COUNTER_GUARANTEE", tuple(Guarantee))
        if guarantee == Guarantee.AT_LEAST_ONCE:
            if isinstance(place, Valkey):
                environment.refuse(f"COUNTER_GUARANTEE={guarantee} needs Momento, and not Valkey")
            elif isinstance(place, Table):
                environment.refuse(f"COUNTER_GUARANTEE={guarantee} needs Momento without {TABLE}")
        environment.finish()
        return cls(place, ttl_s, bound, Guarantee(guarantee))
