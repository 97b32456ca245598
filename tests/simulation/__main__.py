"""`python -m tests.simulation`: try to break exactly-once; exit status 1 if it breaks."""

import argparse
import math
import os
import sys

from tests.simulation.campaign import Totals, campaign, play
from tests.simulation.profiles import GROUPS, PROFILES
from tests.simulation.report import Progress, story, summary

DEFAULT_MINUTES = 10.0
MAX_SEEDS = 10**9
"""More than any time is enough for."""

MINUTE_S = 60.0


def main() -> int:
    """Run what the arguments ask for."""
    told = _arguments()
    if told.seed is not None:
        totals = play(range(told.seed, told.seed + 1), told.profile)
    else:
        progress = Progress(sys.stderr, silent=told.quiet)
        totals = _campaign(told, progress)
        progress.end()
    if not told.quiet:
        sys.stdout.write(summary(totals))
    for failure in totals.failures[:1]:
        sys.stdout.write(story(failure, told.profile, shrinks=not told.quiet))
    return 1 if totals.failures else 0


def _campaign(told: argparse.Namespace, progress: Progress) -> Totals:
    is_timed = not (told.seeds or told.events)
    return campaign(
        range(told.first, told.first + (told.seeds or MAX_SEEDS)),
        told.profile,
        processes=told.processes,
        seconds=told.minutes * MINUTE_S if is_timed else math.inf,
        events=told.events or math.inf,
        tick=progress,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    add = parser.add_argument
    add("--minutes", type=float, default=DEFAULT_MINUTES, help="how long (default: %(default)g)")
    add("--seeds", type=int, help="how many seeds, instead of how long")
    add("--events", type=int, help="how many events, instead of how long")
    add("--first", type=int, default=0, help="the first seed (default: %(default)d)")
    add("--seed", type=int, help="replay one seed")
    add("--processes", type=int, default=os.cpu_count(), help="default: one for each core")
    add("--profile", choices=(*PROFILES, *GROUPS), default="", help="only this kind of faults")
    add("--quiet", action="store_true", help="no progress, no totals, no shrinking")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
