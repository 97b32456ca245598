"""What the consumer is told by its environment."""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Self

from tally.counters.event import INT64_MAX, INT64_MIN
from tally.environment import Cache, Environment
from tally.stores.momento.store import MAX_TTL_S


class Guarantee(enum.StrEnum):
    """How often an event is counted; of a deployment, never of an event."""

    EXACTLY_ONCE = "exactly-once"
    AT_LEAST_ONCE = "at-least-once"


@dataclasses.dataclass(frozen=True)
class ConsumerSettings:
    """What the consumer is told by its environment."""

    cache: Cache
    ttl_s: int = MAX_TTL_S
    max_counter_value: int = INT64_MAX
    guarantee: Guarantee = Guarantee.EXACTLY_ONCE

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            SettingsError: naming each variable that is missing or wrong, and what it says.
        """
        environment = Environment(variables)
        settings = cls(
            environment.cache(),
            environment.integer("MOMENTO_TTL_SECONDS", (MAX_TTL_S, 1, MAX_TTL_S)),
            environment.integer("MAX_COUNTER_VALUE", (INT64_MAX, INT64_MIN, INT64_MAX)),
            Guarantee(environment.choice("COUNTER_GUARANTEE", tuple(Guarantee))),
        )
        environment.finish()
        return settings
