"""What the API is told by its environment."""

import dataclasses
from collections.abc import Mapping
from typing import Self

from producer.access import BY_KEY, Access, Auth
from tally.environment import Environment, Place


@dataclasses.dataclass(frozen=True)
class ApiSettings:
    """What the API is told by its environment."""

    queue_url: str
    place: Place
    access: Access = BY_KEY

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            SettingsError: naming each variable that is missing or wrong, and what it says.
        """
        environment = Environment(variables)
        settings = cls(
            environment.queue_url("SQS_QUEUE_URL"),
            environment.place(),
            Access(
                Auth(environment.choice("API_AUTH", tuple(Auth))),
                environment.origin("API_CORS_ORIGIN"),
            ),
        )
        environment.finish()
        return settings
