"""All that a plan has to say, in one piece, for people and for programs."""

from dataclasses import asdict, dataclass
from typing import Any

from tally.cli.plan.advice import Advice, advise
from tally.cli.plan.bill import Item, bill, total_usd
from tally.cli.plan.checks import Check, check, notes
from tally.cli.plan.model import Figures, estimate
from tally.cli.plan.settings import PRICES_AS_OF, Settings


@dataclass(frozen=True)
class Report:
    """The answer to some settings."""

    settings: Settings
    figures: Figures
    checks: list[Check]
    notes: list[str]
    advice: list[Advice]
    bill: list[Item]

    @property
    def fits(self) -> bool:
        """Whether the load keeps every limit."""
        return all(each.fits for each in self.checks)


def make_report(settings: Settings) -> Report:
    """Plan a load."""
    figures = estimate(settings)
    return Report(
        settings=settings,
        figures=figures,
        checks=check(settings, figures),
        notes=notes(settings, figures),
        advice=advise(settings),
        bill=bill(settings, figures),
    )


def monthly_usd(settings: Settings) -> float:
    """What settings come to in a month."""
    return total_usd(bill(settings, estimate(settings)))


def as_json(report: Report) -> dict[str, Any]:
    """The report for programs: figures as they were computed, with their units in their names."""
    return {
        "fits": report.fits,
        "settings": asdict(report.settings),
        "default_prices_as_of": PRICES_AS_OF,
        "figures": asdict(report.figures),
        "checks": [_check(each) for each in report.checks],
        "notes": report.notes,
        "advice": [_advice(each) for each in report.advice],
        "bill": [asdict(item) | {"usd": item.usd} for item in report.bill],
        "usd_a_month": total_usd(report.bill),
    }


def _check(told: Check) -> dict[str, Any]:
    return asdict(told) | {"fits": told.fits}


def _advice(advice: Advice) -> dict[str, Any]:
    return {
        "changes": [asdict(change) for change in advice.changes],
        "checks": [_check(each) for each in advice.checks],
        "usd_a_month": monthly_usd(advice.settings),
    }
