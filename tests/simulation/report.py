"""What a person sees: progress, totals, and a failure with the shortest history found."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO

from tally.counters.ledger import Limits
from tests.simulation.campaign import Failure, Totals
from tests.simulation.faults import Fault
from tests.simulation.plan import MAX_THREADS, Plan, draw
from tests.simulation.run import run
from tests.simulation.shrink import shrink

MAX_HISTORY_LINES = 200
MAX_LINE_CHARS = 220
COMMAND = ".venv/bin/python -m tests.simulation"


class Progress:
    """One line on a terminal, rewritten."""

    def __init__(self, out: TextIO, *, silent: bool) -> None:
        self._out = out
        self._silent = silent or not out.isatty()
        self._began_at = time.monotonic()

    def __call__(self, totals: Totals) -> None:
        if self._silent:
            return
        elapsed_s = time.monotonic() - self._began_at
        events = totals.counts["events"]
        self._out.write(
            f"\r{elapsed_s:5.0f} s  {totals.counts['seeds']:,} seeds  {events:,} events"
            f"  {totals.counts['deliveries']:,} deliveries  {totals.faults.total():,} faults"
            f"  {len(totals.failures)} violations  {events / elapsed_s:,.0f} events/s \x1b[K"
        )
        self._out.flush()

    def end(self) -> None:
        if not self._silent:
            self._out.write("\n")


def summary(totals: Totals) -> str:
    """The totals, as lines."""
    lines = [f"{count:>15,}  {name}" for name, count in totals.counts.most_common()]
    lines.append(f"{totals.seconds:>15,.0f}  seconds")
    lines.append(f"{totals.faults.total():>15,}  faults, of these:")
    lines += [f"{totals.faults[kind]:>15,}    {kind}" for kind in Fault if totals.faults[kind]]
    lines.append(f"{len(totals.failures):>15,}  violations")
    return "\n".join(lines) + "\n"


def story(failure: Failure, profile: str, *, shrinks: bool = True) -> str:
    """A failure: its seed, the command that replays it, and the shortest history found."""
    only = f" --profile {profile}" if profile else ""
    head = (
        f"seed {failure.seed}: {failure.violation}\nreplay: {COMMAND} --seed {failure.seed}{only}\n"
    )
    if not shrinks:
        return head
    with ThreadPoolExecutor(MAX_THREADS) as executor:
        found = shrink(draw(failure.seed, profile), lambda cut: run(cut, executor))
        history: list[str] = []
        outcome = run(found.plan, executor, history)
    return (
        f"{head}\nthe shortest history found in {found.tries} runs\n{_told(found.plan)}\n"
        + "\n".join(line[:MAX_LINE_CHARS] for line in history[-MAX_HISTORY_LINES:])
        + f"\n{outcome.violation}\n"
    )


def _told(plan: Plan) -> str:
    faults = ", ".join(f"{kind} {rate:g}" for kind, rate in plan.rates.items()) or "none"
    limits = [
        f"{name} {getattr(plan.limits, name):,}"
        for name in Limits.__struct_fields__
        if getattr(plan.limits, name) != getattr(Limits(), name)
    ]
    letters = plan.letters - len(plan.dropped)
    return (
        f"  {letters} letters of up to {plan.letter_events} events, {plan.producers} producers,"
        f" {plan.consumers} consumers, {plan.counters} counters{', FIFO' if plan.fifo else ''}\n"
        f"  faults: {faults}\n  limits: {', '.join(limits) or 'as deployed'}"
    )
