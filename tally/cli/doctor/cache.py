"""Whether Momento takes the key, and has the cache."""

from collections.abc import Callable

from tally.cli.doctor.check import Check, bad, good, skipped
from tally.reading.errors import ReadError
from tally.stores.errors import BrokenSetupError

MOMENTO, CACHE = "Momento", "cache"


def check_cache(name: str, read: Callable[[], object]) -> list[Check]:
    """Make one call to Momento: a read of a counter that may not exist."""
    try:
        read()
    except BrokenSetupError as error:
        if error.is_missing:
            there_is_none = bad(
                CACHE, f"there is no cache {name!r}", "create it, or mend MOMENTO_CACHE_NAME"
            )
            return [good(MOMENTO, "it takes the key"), there_is_none]
        advice = "mend the key, its permissions or MOMENTO_ENDPOINT"
        return [bad(MOMENTO, str(error), advice), skipped(CACHE, "Momento cannot be asked")]
    except ReadError as error:
        advice = "see that MOMENTO_ENDPOINT or MOMENTO_LOCAL can be reached, and the quotas"
        return [bad(MOMENTO, str(error), advice), skipped(CACHE, "Momento cannot be asked")]
    return [good(MOMENTO, "it takes the key"), good(CACHE, f"{name!r} is there")]
