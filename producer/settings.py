"""What the API is told by its environment."""

import dataclasses
from collections.abc import Mapping
from typing import Self

from tally.environment import Environment, Place


@dataclasses.dataclass(frozen=True)
class ApiSettings:
    """What the API is told by its environment."""

    queue_url: str
    place: Place

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            SettingsError: naming each variable that is missing or wrong, and what it says.
        """
        environment = Environment(variables)
        settings = cls(environment.queue_url("SQS_QUEUE_URL"), environment.place())
        environment.finish()
        return settings
