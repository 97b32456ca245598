"""`python -m benchmarks.speed`: measure ours beside the others; print a table, or write a page."""

import argparse
import sys
from pathlib import Path

import msgspec

from benchmarks.speed.goals import goals
from benchmarks.speed.report import goals_table, page
from benchmarks.speed.run import FULL, QUICK, Results, measure

IMAGES = "img"


def main() -> int:
    """Measure what the arguments ask for."""
    told = _arguments()
    if told.read:
        results = msgspec.json.decode(told.read.read_bytes(), type=Results)
    else:
        results = measure(QUICK if told.quick else FULL, told.seed, _tell)
    sys.stdout.write(goals_table(goals(results)))
    if told.keep:
        told.keep.write_bytes(msgspec.json.encode(results))
    if told.write:
        _write(results, told.write)
    return 0


def _write(results: Results, folder: Path) -> None:
    """Write the page and its pictures."""
    from benchmarks.speed import drawing  # noqa: PLC0415 (needs matplotlib, which a table does not)

    (folder / IMAGES).mkdir(exist_ok=True)
    drawing.draw(results, folder / IMAGES)
    (folder / "benchmarks.md").write_text(page(results), encoding="utf-8")


def _tell(what: str) -> None:
    """Progress, where somebody looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{what} …\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    add = parser.add_argument
    add("--seed", type=int, default=0, help="of all that is drawn (default: %(default)d)")
    add("--quick", action="store_true", help="fewer repeats: a third of the time, rougher numbers")
    add("--write", type=Path, metavar="DIR", help="write DIR/benchmarks.md and its pictures")
    add("--keep", type=Path, metavar="FILE", help="write what was measured, as JSON")
    add("--read", type=Path, metavar="FILE", help="measure nothing: take what --keep wrote")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
