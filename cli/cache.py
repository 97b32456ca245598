"""Where Momento is, for the commands that look after a deployment; every way in which it fails."""

from collections.abc import Mapping

from producer.errors import ReadError
from store.errors import BrokenSetupError, SettingsError
from store.settings import Cache, Environment

MOMENTO_ERRORS = (ReadError, BrokenSetupError, SettingsError)
"""Why Momento cannot be asked; no key is in any of their texts."""


def cache_from(variables: Mapping[str, str]) -> Cache:
    """The cache that the `MOMENTO_*` variables mean.

    Raises:
        SettingsError: naming each variable that is missing or wrong.
    """
    environment = Environment(variables)
    cache = environment.cache()
    environment.finish()
    return cache
