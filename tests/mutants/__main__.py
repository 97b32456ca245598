"""`python -m tests.mutants`: plant each bug of the list; exit status 1 if one is not noticed."""

import argparse
import os
import signal
import sys
from pathlib import Path

from tests.mutants.catalogue import MUTATIONS
from tests.mutants.hunt import Judged, hunt
from tests.mutants.judge import Judge, JudgeFailedError
from tests.mutants.mutation import Mutation, StaleMutationError

ROOT = Path(__file__).parent.parent.parent
DEFAULT_SEEDS = 300
"""A survivor costs a minute of a core; nearly all others are killed within the first 50 seeds."""

MAX_FINDING_CHARS = 70
NO_VERDICT = 2
"""The exit status when the simulation fails by itself, or a mutation does not apply."""

NAME_CHARS = max(len(mutation.name) for mutation in MUTATIONS)


def main() -> int:
    """Hunt, print a line for each mutation, and judge the judges."""
    told = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    chosen = [mutation for mutation in MUTATIONS if told.only in mutation.name]
    _say(f"{len(chosen)} mutations, {told.seeds} seeds each\n")
    all_judged = []
    try:
        for judged in hunt(chosen, ROOT, Judge(told.seeds), told.processes):
            all_judged.append(judged)
            _say(_line(judged))
    except (JudgeFailedError, StaleMutationError) as error:
        _say(f"no verdict: {error}\n")
        return NO_VERDICT
    _say(_verdict(all_judged))
    return 0 if all(judged.is_as_told for judged in all_judged) else 1


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _line(judged: Judged) -> str:
    mutation, verdict = judged
    fate = f"killed by {verdict.by}" if verdict.by else "survived"
    found = verdict.what or ("equivalent" if mutation.equivalent else "")
    return (
        f"{mutation.name:<{NAME_CHARS}}  {mutation.file:<23} {fate:<18} {verdict.seconds:5.1f} s"
        f"  {found[:MAX_FINDING_CHARS]}\n"
    )


def _verdict(all_judged: list[Judged]) -> str:
    killed = sum(bool(judged.verdict.by) for judged in all_judged)
    lines = [f"\n{killed} of {len(all_judged)} killed"]
    for mutation, verdict in all_judged:
        if not verdict.by:
            lines += _survivor(mutation)
        elif mutation.equivalent:
            lines.append(f"killed, but listed as equivalent: {mutation.name}")
    return "\n".join(lines) + "\n"


def _survivor(mutation: Mutation) -> list[str]:
    why = f"equivalent: {mutation.equivalent}" if mutation.equivalent else "SURVIVED"
    return [f"{mutation.name} ({mutation.file})", f"  {mutation.breaks}", f"  {why}"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    add = parser.add_argument
    add("--seeds", type=int, default=DEFAULT_SEEDS, help="for each mutation (default: %(default)d)")
    add("--only", default="", help="those with this in their name")
    add("--processes", type=int, default=os.cpu_count(), help="default: one for each core")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
