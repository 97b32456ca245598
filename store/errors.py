"""What stops a process that needs Momento, whatever it was asked for: every exception here."""

from collections.abc import Sequence


class SettingsError(Exception):
    """The environment does not say what it must; the text names every variable that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(problems))


class BrokenSetupError(Exception):
    """Momento refuses what the set-up sends: the key, the cache, or the call itself.

    Raised out of the consumer's handler, so that Lambda's own error metric and alarm show it and
    SQS keeps the whole batch: no message could do better, whatever it says.
    """
