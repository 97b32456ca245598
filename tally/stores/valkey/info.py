"""What a server says of itself, on a connection of its own."""

import contextlib
import math
import time
from collections.abc import Callable

from tally.environment import Valkey
from tally.stores.port import Failed
from tally.stores.valkey.commands import command
from tally.stores.valkey.password import password_for
from tally.stores.valkey.pipelines import Pipelines
from tally.stores.valkey.store import DEADLINE_S
from tally.stores.valkey.troubles import NO_ANSWER

QUESTIONS = (command(b"INFO", b"all"), command(b"CONFIG", b"GET", b"save", b"appendfsync"))
"""INFO does not tell whether snapshots are taken, nor how often writes are synced to disk."""


def server_info(
    valkey: Valkey,
    *,
    deadline_s: float = DEADLINE_S,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
) -> dict[str, str] | Failed:
    """The fields of `INFO`, and the settings `save` and `appendfsync` if the user may see them.

    Args:
        valkey: where the server is.
        deadline_s: how long it may take, in seconds.
        clock: monotonic, in seconds.
        wall_clock: the time of day, in seconds.

    Raises:
        SettingsError: the password's secret cannot be read.
    """
    pipelines = Pipelines(valkey, password_for(valkey), clock=clock, wall_clock=wall_clock)
    with contextlib.closing(pipelines):
        ran = pipelines.run(QUESTIONS, clock() + deadline_s, renewal_ends_at=math.inf)
    info, settings = ran.answers
    if isinstance(info, Failed):
        return info
    if not isinstance(info, bytes):
        return NO_ANSWER
    fields = dict(line.split(":", 1) for line in _text(info).splitlines() if ":" in line)
    if isinstance(settings, list):
        texts = [_text(setting) for setting in settings]
        fields |= zip(texts[::2], texts[1::2], strict=True)
    return fields


def _text(said: bytes) -> str:
    return said.decode("utf-8", "replace")
