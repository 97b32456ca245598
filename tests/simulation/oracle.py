"""Knows what is true: every event published, every one decided, and what may be said of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from tally.counters.counter import Counter as Stored
from tally.counters.decision import Decision
from tally.settling.reason import Reason
from tally.stores.errors import BrokenSetupError
from tests.simulation.account import Account
from tests.simulation.bare import check_sum, check_swap, once_each
from tests.simulation.facts import Delivery, Fact, Letter, Terms
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
    """The truth of one run; it is told of each step, and raises at the first broken promise.

    Attributes:
        accounts: of each counter in its present life.
        decided: every event ever decided …
        bare: … and how often it was counted on a bare integer.
        published: by their names the increments that were given an identity …
        published_on: … and those of each counter.
        untouchable: what no counter is under, and stays as it is.
    """

    def __init__(self, plan: Plan) -> None:
        self.accounts: dict[str, Account] = {}
        self.decided: set[Key] = set()
        self.decisions: Counter[int] = Counter()
        self.bare: Counter[Key] = Counter()
        self.published: dict[Key, Fact] = {}
        self.published_on: defaultdict[str, list[Fact]] = defaultdict(list)
        self.untouchable: set[str] = set()
        self._plan = plan

    def begins(self, counter: str, value: bytes | None) -> None:
        """A life of a counter begins, with nothing or a bare integer."""
        limits = self._plan.limits_of(counter, self._plan.limits)
        self.accounts[counter] = Account(int(value or b"0"), limits, self._plan.default_max)

    def forbids(self, counter: str) -> None:
        """What stands under this key is no counter, and nobody may write there."""
        self.untouchable.add(counter)

    def publishes(self, fact: Fact) -> None:
        """A producer gives an increment its identity: no other has it, and no seq is left out."""
        if not self.names(fact):
            violated(f"gave an identity twice: {fact}")
        if fact.seq and (fact.counter, fact.source, fact.seq - 1) not in self.published:
            violated(f"left out a seq before {fact}")

    def names(self, fact: Fact) -> bool:
        """Remember an increment by its name; whether no other has had it."""
        key = fact.counter, fact.source, fact.seq
        if self.published.setdefault(key, fact) is not fact:
            return False
        self.published_on[fact.counter].append(fact)
        return True

    def writes(self, counter: str, value: bytes, delivery: Delivery) -> int:
        """A write takes effect, sent by who was handed the delivery; how many it decided."""
        if counter in self.untouchable:
            violated(f"overwrote an unreadable value: {value!r}")
        terms = delivery.terms
        if terms is not None:
            terms = terms._replace(limits=self._plan.limits_of(counter, terms.limits))
        news = self.accounts[counter].write(value, delivery.facts(counter), terms)
        for fact in news:
            self.decided.add((counter, fact.source, fact.seq))
            self.decisions[fact.origin] += 1
        return len(news)

    def adds(self, counter: str, amount: int, delivery: Delivery) -> None:
        """A native increment takes effect, of who counts at least once."""
        facts = once_each(delivery.facts(counter))
        check_sum(amount, facts, self._terms_of(delivery).most)
        self._count_bare(counter, self.accounts[counter].count + amount, facts)

    def swaps(self, counter: str, before: bytes | None, value: bytes, delivery: Delivery) -> None:
        """A swap takes effect, of who counts at least once."""
        if counter in self.untouchable or b"\n" in (before or b"") + value:
            violated(f"swapped {value!r} over {before!r}, at least once")
        facts = once_each(delivery.facts(counter))
        check_swap(int(before or b"0"), int(value), facts, self._terms_of(delivery).most)
        self._count_bare(counter, int(value), facts)

    def _count_bare(self, counter: str, count: int, facts: Iterable[Fact]) -> None:
        self.accounts[counter].count = count
        for fact in facts:
            key = counter, fact.source, fact.seq
            self.decided.add(key)
            self.bare[key] += 1

    def _terms_of(self, delivery: Delivery) -> Terms:
        return delivery.terms or Terms(self._plan.limits, self._plan.default_max)

    def acknowledges(self, letter: Letter) -> None:
        """A message is about to be deleted: each of its events is decided."""
        if not letter.valid:
            violated(f"acknowledged an invalid message: {letter.body[:200]}")
        for fact in letter.facts:
            if (fact.counter, fact.source, fact.seq) not in self.decided:
                violated(f"acknowledged what is not decided: {fact}")

    def reports(
        self, letter: Letter, reason: Reason, fact: Key | None, at: int, terms: Terms
    ) -> None:
        """A message is reported for a reason, which must be true of who has these settings."""
        causes = None if self._plan.may_be_bare else _CAUSES.get(reason)
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
        is_first = at >= account.stamps.get(fact[1], at)  # and no id that came anew meanwhile
        if reason is Reason.UNDECIDABLE and known and fact[2] in known.seqs and is_first:
            violated(f"undecidable is {fact}, which the ledger knows")
        is_gappy = 2 * account.gaps.get(fact[1], 0) > terms.limits.max_runs
        if reason is Reason.FULL and not is_gappy:
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
        """The truth as it is now, for `restores`; what is written next is written on a copy."""
        return self.accounts.copy()

    def separates(self, counter: str) -> None:
        """What is true of a counter from now on is another account than in the last snapshot."""
        self.accounts[counter] = self.accounts[counter].copy()

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

    def counted_under_both(self) -> int:
        """Events that were counted at least once, and again exactly once after the change."""
        return sum(
            (source, seq) in self.accounts[counter].decided for counter, source, seq in self.bare
        )

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
