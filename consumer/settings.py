"""What the consumer is told by its environment."""

import dataclasses
from collections.abc import Mapping

from counters.event import INT64_MAX, INT64_MIN
from store.settings import Environment, Local, Service

MAX_TTL_S = 86_400
"""The longest that Momento keeps an item on demand: a day."""

EXACTLY_ONCE = "exactly-once"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the consumer is told by its environment."""

    cache_name: str
    momento: Local | Service
    ttl_s: int = MAX_TTL_S
    max_counter_value: int = INT64_MAX


def read(variables: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: naming each variable that is missing or wrong, and what it says.
    """
    environment = Environment(variables)
    cache = environment.cache()
    settings = Settings(
        cache_name=cache.name,
        momento=cache.momento,
        ttl_s=environment.integer("MOMENTO_TTL_SECONDS", (MAX_TTL_S, 1, MAX_TTL_S)),
        max_counter_value=environment.integer(
            "MAX_COUNTER_VALUE", (INT64_MAX, INT64_MIN, INT64_MAX)
        ),
    )
    environment.choice("COUNTER_GUARANTEE", (EXACTLY_ONCE,))
    environment.finish()
    return settings
