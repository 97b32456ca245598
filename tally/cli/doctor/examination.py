"""All checks in their order; a check that a failed one makes impossible is skipped, with why."""

import contextlib
import dataclasses
import itertools
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from tally.aws import AWS_ERRORS, CONNECT_ERRORS, connect, described
from tally.cli.dlq.queue import redrive_policy, url_of
from tally.cli.doctor import checks
from tally.cli.doctor.checks import (
    BY_HAND,
    CACHE,
    FUNCTION,
    MOMENTO,
    REACH,
    Attributes,
    Finding,
    Mark,
    Timing,
    bad,
    good,
    skipped,
)
from tally.cli.doctor.table import DYNAMODB, KEY, PUT_S, check_set_up, check_table, check_writes
from tally.cli.doctor.table import REACH as TABLE_REACH
from tally.cli.doctor.valkey import REACH as VALKEY_REACH
from tally.cli.doctor.valkey import VALKEY, VERSION, check_valkey
from tally.cli.output import EXAMPLE
from tally.cli.reading import STORE_ERRORS
from tally.counters.errors import shown
from tally.counters.event import Increment
from tally.counters.outcome import Outcome
from tally.environment import (
    A_QUEUE_URL,
    LOOPBACK,
    Cache,
    Environment,
    Place,
    SettingsError,
    Table,
    Valkey,
    is_queue_url,
)
from tally.local.ports import is_loopback
from tally.publishing.errors import UnsentError
from tally.publishing.publisher import Publisher
from tally.publishing.sequence import now_ms
from tally.reading.reader import Reader, Values
from tally.reading.waiting import POLL_S, Look, Pace, wait
from tally.stores.opening import open_store
from tally.stores.port import Store

ENVIRONMENT, SQS, SEND, ROUND_TRIP = "environment", "SQS", "send", "round trip"

ROUND_TRIP_S = 90
"""How long the round trip may take, unless told otherwise, in seconds: template.yaml's longest
batching window, 60 s, and a batch of 30 s. It is over as soon as the increment is counted."""

NAME_BYTES = 8
"""Random bytes in the name of the doctor's counter, so that no two doctors share one."""


@dataclasses.dataclass(frozen=True)
class World:
    """The process's environment, AWS, time and chance; tests pass in their own.

    `connect` makes boto3's client of a service, in the region that `queue_url` may name; `now_ms`
    stamps increments; `entropy` draws bytes, and `uniform` draws between two numbers.
    """

    variables: Mapping[str, str]
    connect: Callable[..., Any] = connect
    now_ms: Callable[[], int] = now_ms
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform
    entropy: Callable[[int], bytes] = os.urandom

    def own_counter(self) -> str:
        """The name of a counter for one round trip; it expires as all counters do."""
        return f"tally:doctor:{self.entropy(NAME_BYTES).hex()}"

    def reader(self, store: Store) -> Reader:
        """A reader of a store, in this world's time."""
        return Reader(store, clock=self.clock, sleep=self.sleep, uniform=self.uniform)


@dataclasses.dataclass
class Examination:
    """One visit: `findings` yields each finding as it comes; it closes what it opens.

    Without a `queue_url` it takes SQS_QUEUE_URL. `timing` is the function's, if given by hand. The
    counter and the timeout are for the round trip, if there is one.
    """

    world: World
    queue_url: str = ""
    timing: Timing | None = None
    round_trip: bool = True
    counter: str = ""
    timeout_s: float = ROUND_TRIP_S

    def __post_init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._sqs: Any = None
        self._store: Store | None = None
        self._name, self._reach = MOMENTO, REACH

    def findings(self) -> Iterator[Finding]:
        """What all checks find, the first things first."""
        with self._open:
            environment = Environment(self.world.variables)
            self.queue_url = self.queue_url or environment.required("SQS_QUEUE_URL")
            place: Place | None = environment.place()
            if isinstance(place, Valkey):
                self._name, self._reach = VALKEY, VALKEY_REACH
            elif isinstance(place, Table):
                self._name, self._reach = DYNAMODB, TABLE_REACH
            try:
                environment.finish()
                yield good(ENVIRONMENT, "complete")
            except SettingsError as error:
                place = None
                yield bad(ENVIRONMENT, str(error), EXAMPLE)
            yield from self._place(place)
            yield from self._aws()
            yield from self._round_trip()

    def _place(self, place: Place | None) -> Iterator[Finding]:
        if place is None:
            yield skipped(self._name, "the environment does not tell where it is")
            return
        try:
            store = self._open.enter_context(contextlib.closing(open_store(place)))
            found = self._looked_at(place, store)
        except SettingsError as error:
            yield bad(self._name, str(error), "mend the key, or the permission to read its secret")
            return
        is_usable = True
        for finding in found:
            names = {DYNAMODB} if isinstance(place, Table) else {MOMENTO, CACHE, VALKEY, VERSION}
            is_rule = finding.name not in names
            is_usable = is_usable and (is_rule or finding.verdict is not Mark.BAD)
            is_local = isinstance(place, Valkey) and place.host in LOOPBACK
            yield _excused(finding, "server") if is_rule and is_local else finding
        if is_usable:
            self._store = store

    def _looked_at(self, place: Place, store: Store) -> Iterable[Finding]:
        reader, counter = self.world.reader(store), self.world.own_counter()
        if isinstance(place, Table):
            return self._table(place, store, self._cache(place))
        if isinstance(place, Cache):
            return checks.check_cache(place.name, lambda: reader.count(counter))
        from tally.stores.valkey.info import server_info  # noqa: PLC0415 (hiredis: Momento has none)

        return check_valkey(lambda: reader.count(counter), server_info(place))

    def _cache(self, place: Table) -> Iterable[Finding]:
        """Whether the cache before a table answers; no other check applies, since it may forget."""
        if place.cache is None:
            return []
        cache = self._open.enter_context(contextlib.closing(open_store(place.cache)))
        return itertools.islice(self._looked_at(place.cache, cache), 1)

    def _table(self, place: Table, store: Store, cache: Iterable[Finding]) -> Iterator[Finding]:
        reader, counter = self.world.reader(store), self.world.own_counter()
        answers = check_table(place.name, lambda: reader.count(counter, consistent=True))
        yield answers
        if answers.verdict is Mark.OK:
            yield check_writes(store, counter, time.monotonic() + PUT_S)  # the store's own clock
            try:
                client = self.world.connect("dynamodb")
            except CONNECT_ERRORS as error:
                yield skipped(KEY, f"it cannot be asked: {described(error)}")
            else:
                self._open.callback(client.close)
                is_local = is_loopback(urlsplit(client.meta.endpoint_url).netloc)
                yield from check_set_up(place, client, is_local=is_local)
        yield from cache

    def _aws(self) -> Iterator[Finding]:
        if not self.queue_url:
            yield skipped(SQS, "SQS_QUEUE_URL is not set")
            return
        if not is_queue_url(self.queue_url):
            found = shown(self.queue_url)
            yield bad(SQS, f"the queue's URL must be {A_QUEUE_URL}, found {found}", EXAMPLE)
            return
        try:
            sqs = self._connected("sqs")
        except CONNECT_ERRORS as error:
            yield bad(SQS, str(error), "set AWS_DEFAULT_REGION, or mend the profile")
            return
        asked_ms = self.world.now_ms()
        try:
            answer = sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["All"])
        except AWS_ERRORS as error:
            yield bad(SQS, described(error), "mend the credentials, the region or the queue's URL")
            answer = getattr(error, "response", {})
            yield checks.check_clock(answer, asked_ms, self.world.now_ms())
            return
        yield good(SQS, "the queue answers")
        yield checks.check_clock(answer, asked_ms, self.world.now_ms())
        self._sqs = sqs
        queue: Attributes = answer["Attributes"]
        is_local = is_loopback(urlsplit(sqs.meta.endpoint_url).netloc)
        for finding in self._rules(queue, is_local=is_local):
            yield _excused(finding) if is_local else finding
        yield from self._dead_letters(queue, is_local=is_local)

    def _rules(self, queue: Attributes, *, is_local: bool) -> Iterator[Finding]:
        """The rules for a deployment, which a queue on one machine need not keep."""
        visibility_s = int(queue["VisibilityTimeout"])
        yield checks.check_redrive(queue)
        yield checks.check_encryption("queue", queue)
        if self.timing:
            yield checks.check_visibility(visibility_s, self.timing)
        elif is_local:
            yield skipped(FUNCTION, "the queue is local, and Lambda knows no function of it")
        else:
            try:
                functions = self._connected("lambda")
            except CONNECT_ERRORS as error:
                yield skipped(FUNCTION, f"Lambda cannot be asked: {described(error)}", BY_HAND)
                return
            yield from checks.check_functions(functions, queue["QueueArn"], visibility_s)

    def _dead_letters(self, queue: Attributes, *, is_local: bool) -> Iterator[Finding]:
        arn = redrive_policy(queue).get("deadLetterTargetArn")
        if not arn:
            return
        name = "dead-letter queue"
        try:
            url = url_of(self._sqs, arn)
            answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        except AWS_ERRORS as error:
            why = described(error)
            yield bad(name, why, "see that it is there, and that these credentials may read it")
            return
        dead: Attributes = answer["Attributes"]
        for finding in (
            checks.check_type(queue, dead),
            checks.check_retention(queue, dead),
            checks.check_encryption(name, dead),
        ):
            yield _excused(finding) if is_local else finding
        yield checks.check_dead_letters(dead)

    def _round_trip(self) -> Iterator[Finding]:
        if not self.round_trip:
            yield skipped(ROUND_TRIP, "not asked for")
        elif self._sqs is None or self._store is None:
            yield skipped(ROUND_TRIP, f"SQS or {self._name} cannot be asked")
        else:
            publisher = Publisher(self.queue_url, client=self._sqs)
            yield from check_round_trip(
                self.world,
                publisher,
                self._store,
                self.counter,
                self.timeout_s,
                reach=self._reach,
            )

    def _connected(self, service: str) -> Any:  # noqa: ANN401 (boto3's)
        client = self.world.connect(service, queue_url=self.queue_url)
        self._open.callback(client.close)
        return client


def check_round_trip(
    world: World,
    publisher: Publisher,
    store: Store,
    counter: str,
    timeout_s: float,
    *,
    reach: str = REACH,
) -> Iterator[Finding]:
    """Publish an increment, and read until it is decided, or `timeout_s` are over.

    It closes the publisher. The count of a given counter does not change; without one, a new
    counter becomes 1.
    """
    started_at = world.clock()
    name = counter or world.own_counter()
    try:
        with publisher:
            sent = publisher.publish(name, 0 if counter else 1)
    except UnsentError as error:
        why = "; ".join(error.reasons)
        yield bad(
            SEND, why, "see that the queue is there, and that these credentials may send to it"
        )
        return
    sent_at = world.clock()
    yield good(SEND, f"confirmed after {_ms(sent_at - started_at)}")
    look = _look(world.reader(store), sent, is_own=not counter)
    try:
        found = wait(look, Pace(world.clock, world.sleep, world.uniform), timeout_s, POLL_S)
        can_tell = found is not Outcome.PENDING or not counter or _has_ledger(world, store, name)
    except STORE_ERRORS as error:
        yield bad(ROUND_TRIP, f"the count cannot be read: {error}", reach)
        return
    yield _arrival(name, found, _ms(world.clock() - sent_at), can_tell=can_tell)


def _look(reader: Reader, sent: Increment, *, is_own: bool) -> Look:
    """A new counter's count shows the outcome under any guarantee; another needs its ledger."""
    if not is_own:
        return lambda _left_s: reader.outcome(sent)
    return lambda _left_s: Outcome.APPLIED if reader.count(sent.counter) == 1 else Outcome.PENDING


def _arrival(name: str, found: Outcome, waited: str, *, can_tell: bool) -> Finding:
    if found is Outcome.APPLIED:
        return good(ROUND_TRIP, f"{name} counted after {waited}")
    if can_tell:
        return bad(
            ROUND_TRIP,
            f"{name}: {found.value} after {waited}",
            "see the consumer's log, its event source mapping (a window that is longer than"
            " --timeout?), and `tally dlq list`",
        )
    text = f"{name} has no ledger: under at-least-once nobody can tell whether it counted"
    return skipped(ROUND_TRIP, text, "leave out --counter")


def _has_ledger(world: World, store: Store, counter: str) -> bool:
    """Whether a counter has a ledger; an absent one has none, nor has a bare integer."""
    values = Values(store, sleep=world.sleep, uniform=world.uniform)
    [value] = values.latest([counter], store.deadline_s)
    return value is not None and b"\n" in value


def _excused(finding: Finding, what: str = "queue") -> Finding:
    """The finding, skipped if it is bad: on one machine a deployment's rule need not hold."""
    if finding.verdict is not Mark.BAD:
        return finding
    return skipped(finding.name, f"a local {what} need not keep this rule: {finding.text}")


def _ms(duration_s: float) -> str:
    return f"{duration_s * 1_000:,.0f} ms"
