"""What stops the whole consumer, as opposed to one message: the function fails, nothing is lost."""

from collections.abc import Sequence


class SettingsError(Exception):
    """The environment does not describe a consumer; the text names every variable that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(problems))


class BrokenSetupError(Exception):
    """Momento refuses what the set-up sends: the key, the cache, or the call itself.

    Raised out of the handler, so that Lambda's own error metric and alarm show it and SQS keeps
    the whole batch: no message could do better, whatever it says.
    """
