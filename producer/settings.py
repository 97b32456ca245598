"""What the API is told by its environment."""

import dataclasses
from collections.abc import Mapping

from tally.environment import Cache, Environment, Valkey


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the API is told by its environment."""

    queue_url: str
    cache: Cache | Valkey


def read(variables: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: naming each variable that is missing or wrong, and what it says.
    """
    environment = Environment(variables)
    settings = Settings(environment.url("SQS_QUEUE_URL"), environment.cache())
    environment.finish()
    return settings
