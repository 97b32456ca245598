"""Every way in which Momento cannot be asked, for the commands that ask it."""

from tally.environment import SettingsError
from tally.reading.errors import ReadError
from tally.stores.errors import BrokenSetupError

MOMENTO_ERRORS = (ReadError, BrokenSetupError, SettingsError)
"""Why Momento cannot be asked; no key is in any of their texts."""
