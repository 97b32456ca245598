"""What a store does not let pass: every exception here."""


class BrokenSetupError(Exception):
    """Momento refuses what the set-up sends: the key, the cache, or the call itself.

    Raised out of the consumer's handler, so that Lambda's own error metric and alarm show it and
    SQS keeps the whole batch: no message could do better, whatever it says.
    """
