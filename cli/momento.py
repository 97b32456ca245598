"""Every way in which Momento cannot be asked, for the commands that ask it."""

from producer.errors import ReadError
from store.errors import BrokenSetupError, SettingsError

MOMENTO_ERRORS = (ReadError, BrokenSetupError, SettingsError)
"""Why Momento cannot be asked; no key is in any of their texts."""
