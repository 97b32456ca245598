"""Uses the public surface; mypy --strict reads it against the built wheel, and nothing runs it."""

import os
from typing import assert_type

import tally
from tally import (
    BrokenSetupError,
    Increment,
    InvalidIncrementError,
    Outcome,
    Pacer,
    Publisher,
    Reader,
    ReadError,
    SettingsError,
    Stats,
    TallyError,
    Trouble,
    UnreadableValueError,
    UnsentError,
    encode,
    identity_of,
)

assert_type(tally.__version__, str)


def publish(url: str) -> tuple[Increment, ...]:
    """Publish, and say what was not confirmed."""
    with Publisher(url, pacer=Pacer(patience_s=5.0)) as publisher:
        increment = publisher.publish("page:home", 2, max=10)
        assert_type(increment, Increment)
        assert_type(encode(increment), bytes)
        assert_type(identity_of(increment), str)
        assert_type(publisher.stats, Stats)
        try:
            publisher.flush()
        except UnsentError as error:
            assert_type(error.reasons, tuple[str, ...])
            return error.increments
        except InvalidIncrementError as error:
            assert_type(error.field, str)
    return ()


def read(event: str) -> Outcome | None:
    """Read a count and an outcome."""
    try:
        with Reader.from_environment(os.environ) as reader:
            assert_type(reader.count("page:home"), int | None)
            assert_type(reader.counts(["a"], consistent=True), dict[str, int | None])
            return reader.outcome("page:home", event)
    except ReadError as error:
        assert_type(error.trouble, Trouble | None)
    except (BrokenSetupError, SettingsError, UnreadableValueError, TallyError):
        pass
    return None


Publisher("url").publish(1)  # type: ignore[arg-type] # the name of a counter is text
tally.Publishr  # type: ignore[attr-defined] # noqa: B018 # there is no such name
