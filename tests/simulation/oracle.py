"""Knows what is true: every event published, every one decided, and what may be said of them."""

from collections import Counter
from collections.abc import Iterable

from tally.counters.counter import Counter as Stored
from tally.counters.decision import Decision
from tally.settling.reason import Reason
from tally.stores.errors import BrokenSetupError
from tests.simulation.account import Account
from tests.simulation.facts import Delivery, Fact, Letter
from tests.simulation.faults import Fault
from tests.simulation.plan import Plan
from tests.simulation.timeline import violated

Key = tuple[str, int | None, int]
"""An event anywhere: counter, source, seq."""

_CAUSES = {
    Reason.REFUSED: {Fault.REFUSED},
    Reason.THROTTLED: {Fault.THROTTLED, Fault.UNPROCESSED},
    Reason.UNREADABLE: {Fault.FOREIGN},
}
BREAKING = (Fault.BROKEN_SETUP, Fault.FROZEN)
"""A signature that is refused twice may be one of another key."""

_APPLIED = {Decision.APPLIED_BEFORE: True, Decision.REJECTED_BEFORE: False}


class Oracle:
    """The truth of one run; it is told of each step, and raises at the first broken promise."""

    def __init__(self, plan: Plan) -> None:
        self.accounts: dict[str, Account] = {}
        self.decided: set[Key] = set()
        self.decisions: Counter[int] = Counter()
        self.published: dict[Key, Fact] = {}
        self.untouchable: set[str] = set()
        self._plan = plan

    def begins(self, counter: str, value: bytes | None) -> None:
        """A life of a counter begins, with nothing or a bare integer."""
        self.accounts[counter] = Account(int(value or b"0"), self._plan.limits_of(counter))

    def forbids(self, counter: str) -> None:
        """What stands under this key is no counter, and nobody may write there."""
        self.untouchable.add(counter)

    def publishes(self, fact: Fact) -> None:
        """A producer gives an increment its identity: no other has it, and no seq is left out."""
        if self.published.setdefault((fact.counter, fact.source, fact.seq), fact) is not fact:
            violated(f"gave an identity twice: {fact}")
        if fact.seq and (fact.counter, fact.source, fact.seq - 1) not in self.published:
            violated(f"left out a seq before {fact}")

    def writes(self, counter: str, value: bytes, delivery: Delivery) -> int:
        """A write takes effect, sent by who was handed the delivery; how many it decided."""
        if counter in self.untouchable:
            violated(f"overwrote an unreadable value: {value!r}")
        news = self.accounts[counter].write(value, delivery.facts(counter))
        for fact in news:
            self.decided.add((counter, fact.source, fact.seq))
            self.decisions[fact.origin] += 1
        return len(news)

    def acknowledges(self, letter: Letter) -> None:
        """A message is about to be deleted: each of its events is decided."""
        if not letter.valid:
            violated(f"acknowledged an invalid message: {letter.body[:200]}")
        for fact in letter.facts:
            if (fact.counter, fact.source, fact.seq) not in self.decided:
                violated(f"acknowledged what is not decided: {fact}")

    def reports(self, letter: Letter, reason: Reason, fact: Key | None, at: int) -> None:
        """A message is reported for a reason, which must be true."""
        causes = _CAUSES.get(reason)
        if causes and self._plan.rates.keys().isdisjoint(causes):
            violated(f"reported as {reason}, though nothing was {' or '.join(sorted(causes))}")
        if (reason is Reason.INVALID) is letter.valid:
            violated(f"reported {letter.body[:200]} as {reason}, valid: {letter.valid}")
        if fact is None or fact[0] in self.untouchable or self._plan.forgets:
            return
        account = self.accounts[fact[0]]
        known = account.sources.get(fact[1])
        if reason is Reason.UNDECIDABLE and at > account.floor * 1_000:
            violated(f"undecidable is {fact} at {at}, with the floor {account.floor}")
        if reason is Reason.UNDECIDABLE and known and fact[2] in known.seqs:
            violated(f"undecidable is {fact}, which the ledger knows")
        if reason is Reason.FULL and fact[1] not in account.gappy:
            violated(f"full is {fact}, whose source had no gaps")

    def breaks(self, error: BrokenSetupError) -> None:
        """The consumer raises: the store must have refused the set-up, or two signatures."""
        if self._plan.rates.keys().isdisjoint(BREAKING):
            violated(f"took another fault for a broken set-up: {error}")

    def sees_rollback(self, counters: Iterable[str]) -> None:
        """Counters are said to be set back, which nothing but a store that forgets can do."""
        if list(counters) and not self._plan.forgets:
            violated(f"took for rolled back: {counters}")

    def snapshot(self) -> dict[str, Account]:
        """The truth as it is now, for `restores`."""
        return {counter: account.copy() for counter, account in self.accounts.items()}

    def restores(self, truth: dict[str, Account]) -> None:
        """The store is at an earlier state, and what was written since has not happened."""
        self.accounts = truth

    def rests(self, letters: Iterable[Letter], dead: Iterable[Letter]) -> None:
        """All is done: each event sent is decided, or its message is among the dead."""
        buried = {(f.counter, f.source, f.seq) for letter in dead for f in letter.facts}
        again = {origin for origin, times in self.decisions.items() if times > 1}
        for letter in letters:
            for fact, meant in zip(letter.facts, letter.meant, strict=True):
                if fact.origin in again and meant.source is not None and not self._plan.forgets:
                    violated(f"decided under two identities: {fact}")
                key = (fact.counter, fact.source, fact.seq)
                if key not in self.decided and key not in buried:
                    violated(f"lost: {fact}")

    def counted_again(self) -> int:
        """Decisions too many: of anonymous events that came under several message ids."""
        return sum(times - 1 for times in self.decisions.values())

    def answers(self, counter: str, value: bytes | None) -> int:
        """The ledger, asked by its own code, tells the truth or has forgotten; how often it did."""
        account = self.accounts[counter]
        stored = Stored(value)
        if stored.count != account.count:
            violated(f"says {stored.count}, the truth is {account.count}")
        forgotten = 0
        for (source, seq), applied in account.decided.items():
            said = stored.ledger.source(source or 0).recall(seq)
            if said is None or said is Decision.DECIDED_BEFORE:
                forgotten += 1
                if not account.may_forget(source, seq, said):
                    violated(f"says {said} of {source}:{seq}, which the ledger knows")
            elif _APPLIED[said] is not applied:
                violated(f"says {said} of {source}:{seq}, truly applied: {applied}")
        return forgotten
