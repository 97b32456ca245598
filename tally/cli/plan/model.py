"""From settings to figures: formulas and nothing else; their reasons are in docs/planning.md."""

from dataclasses import dataclass

from tally.cli.plan.batches import Batches, gather
from tally.cli.plan.kinds import kinds
from tally.cli.plan.operations import Momento, operate
from tally.cli.plan.settings import Settings
from tally.cli.plan.timing import Function, take_time


@dataclass(frozen=True)
class Figures:
    """All that follows from the settings, as expected values."""

    batches: Batches
    momento: Momento
    function: Function


def estimate(settings: Settings) -> Figures:
    """Compute the figures of a load."""
    alike = kinds(settings)
    batches = gather(settings, alike)
    function = take_time(settings, alike, batches)
    return Figures(batches, operate(settings, alike, batches, function), function)
