"""What the API is told by its environment."""

import dataclasses
import re
from collections.abc import Mapping

from store.settings import Cache, Environment

_URL = re.compile(r"https?://[^\s/]\S*")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the API is told by its environment."""

    queue_url: str
    cache: Cache


class _Environment(Environment):
    def url(self, name: str) -> str:
        """A URL that must be there; boto3 would find any other wrong call by call."""
        value = self.required(name)
        if value and not _URL.fullmatch(value):
            self._problems.append(f"{name} must be an http(s) URL, found {value!r}")
        return value


def read(variables: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: naming each variable that is missing or wrong, and what it says.
    """
    environment = _Environment(variables)
    settings = Settings(environment.url("SQS_QUEUE_URL"), environment.cache())
    environment.finish()
    return settings
