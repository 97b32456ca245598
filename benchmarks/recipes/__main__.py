"""`python -m benchmarks.recipes`: compare the recipes; exit status 1 if ours is not exact."""

import argparse
import os
import sys
from pathlib import Path

from benchmarks.recipes.campaign import campaign
from benchmarks.recipes.report import is_exact, page, percent

DEFAULT_RUNS = 100


def main() -> int:
    """Run what the arguments ask for."""
    told = _arguments()
    seeds = range(told.seed, told.seed + told.runs)
    results = campaign(seeds, processes=told.processes, tick=_show)
    text = page(results, seeds)
    sys.stdout.write(text)
    if told.write:
        told.write.write_text(text, encoding="utf-8")
    return 0 if is_exact(results) else 1


def _show(share: float) -> None:
    """Progress, where somebody looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{percent(round(share, 2)):>6}" + "\n" * (share == 1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipes", description=__doc__)
    add = parser.add_argument
    add("--seed", type=int, default=0, help="the first seed (default: %(default)d)")
    add("--runs", type=int, default=DEFAULT_RUNS, help="seeds (default: %(default)d)")
    add("--processes", type=int, default=os.cpu_count(), help="default: one for each core")
    add("--write", type=Path, help="the file to write, beside standard output")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
