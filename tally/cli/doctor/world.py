"""What a doctor needs of the world; tests bring their own."""

import dataclasses
import os
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from tally.aws import connect
from tally.publishing.sequence import now_ms


@dataclasses.dataclass(frozen=True)
class World:
    """The process's environment, AWS, time and chance.

    Attributes:
        variables: the environment.
        connect: makes boto3's client of a service.
        now_ms: the time that increments are stamped with, in ms since the epoch.
        clock: monotonic, in seconds.
        sleep: waits the seconds given.
        uniform: draws between two numbers.
        entropy: so many random bytes.
    """

    variables: Mapping[str, str]
    connect: Callable[[str], Any] = connect
    now_ms: Callable[[], int] = now_ms
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform
    entropy: Callable[[int], bytes] = os.urandom
