"""All checks in their order; what a failed one makes impossible is skipped with its reason."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tally.aws import AWS_ERRORS, CONNECT_ERRORS, described
from tally.cli.doctor import queues, round_trip
from tally.cli.doctor.cache import MOMENTO, check_cache
from tally.cli.doctor.check import Check, Verdict, bad, good, skipped
from tally.cli.doctor.clock import check_clock
from tally.cli.doctor.functions import BY_HAND, FUNCTION, Timing, check_functions, check_visibility
from tally.cli.doctor.queues import Attributes
from tally.cli.doctor.round_trip import ROUND_TRIP, check_round_trip, own_counter
from tally.cli.doctor.world import World
from tally.cli.output import EXAMPLE
from tally.cli.redrive import redrive_policy, url_of
from tally.environment import Cache, Environment, SettingsError
from tally.local.ports import is_loopback
from tally.publishing.publisher import Publisher
from tally.reading.reader import Reader
from tally.reading.values import Values
from tally.stores.opening import open_store

ENVIRONMENT, SQS = "environment", "SQS"


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What the doctor is asked for; times in seconds.

    Attributes:
        queue_url: empty: SQS_QUEUE_URL.
        timing: of the function, if it is known by hand.
        round_trip: whether an increment is sent.
        counter: for the round trip; empty: one of its own.
    """

    queue_url: str = ""
    timing: Timing | None = None
    round_trip: bool = True
    counter: str = ""
    timeout_s: float = 30.0


class Examination:
    """One visit: `checks` yields what it finds, as it finds it; what it opens it closes."""

    def __init__(self, world: World, wishes: Wishes) -> None:
        self._world = world
        self._wishes = wishes
        self._open = contextlib.ExitStack()
        self._queue_url = ""
        self._sqs: Any = None
        self._cache: round_trip.Cache | None = None

    def checks(self) -> Iterator[Check]:
        """All checks, the first things first."""
        with self._open:
            environment = Environment(self._world.variables)
            self._queue_url = self._wishes.queue_url or environment.required("SQS_QUEUE_URL")
            cache: Cache | None = environment.cache()
            try:
                environment.finish()
                yield good(ENVIRONMENT, "complete")
            except SettingsError as error:
                cache = None
                yield bad(ENVIRONMENT, str(error), EXAMPLE)
            yield from self._momento(cache)
            yield from self._aws()
            yield from self._round_trip()

    def _momento(self, cache: Cache | None) -> Iterator[Check]:
        if cache is None:
            yield skipped(MOMENTO, "the environment does not tell where it is")
            return
        try:
            store = self._open.enter_context(contextlib.closing(open_store(cache)))
        except SettingsError as error:
            yield bad(MOMENTO, str(error), "mend the key, or the permission to read its secret")
            return
        reader = Reader(store)
        counter = own_counter(self._world.entropy)
        found = check_cache(cache.name, lambda: reader.count(counter))
        if all(check.verdict is Verdict.OK for check in found):
            values = Values(store, sleep=self._world.sleep, uniform=self._world.uniform)
            self._cache = round_trip.Cache(
                reader, lambda name: values.read([name], store.deadline_s)[0]
            )
        yield from found

    def _aws(self) -> Iterator[Check]:
        if not self._queue_url:
            yield skipped(SQS, "SQS_QUEUE_URL is not set")
            return
        try:
            sqs = self._connected("sqs")
        except CONNECT_ERRORS as error:
            yield bad(SQS, str(error), "set AWS_DEFAULT_REGION, or mend the profile")
            return
        asked_ms = self._world.now_ms()
        try:
            answer = sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["All"])
        except AWS_ERRORS as error:
            yield bad(SQS, described(error), "mend the credentials, the region or the queue's URL")
            yield check_clock(getattr(error, "response", {}), asked_ms, self._world.now_ms())
            return
        yield good(SQS, "the queue answers")
        yield check_clock(answer, asked_ms, self._world.now_ms())
        self._sqs = sqs
        is_local = _is_local(sqs)
        for check in self._rules(answer["Attributes"], is_local=is_local):
            yield _excused(check) if is_local else check
        yield from self._dead_letters(answer["Attributes"])

    def _rules(self, queue: Attributes, *, is_local: bool) -> Iterator[Check]:
        """What holds for a deployment, and need not on one machine."""
        visibility_s = int(queue["VisibilityTimeout"])
        yield queues.check_redrive(queue)
        yield queues.check_encryption("queue", queue)
        if self._wishes.timing:
            yield check_visibility(visibility_s, self._wishes.timing)
        elif is_local:
            yield skipped(FUNCTION, "the queue is local, and Lambda knows no function of it")
        else:
            try:
                functions = self._connected("lambda")
            except CONNECT_ERRORS as error:
                yield skipped(FUNCTION, f"Lambda cannot be asked: {described(error)}", BY_HAND)
                return
            yield from check_functions(functions, queue["QueueArn"], visibility_s)

    def _dead_letters(self, queue: Attributes) -> Iterator[Check]:
        arn = redrive_policy(queue).get("deadLetterTargetArn")
        if not arn:
            return
        name = "dead-letter queue"
        try:
            url = url_of(self._sqs, arn)
            answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        except AWS_ERRORS as error:
            yield bad(name, f"{described(error)}", "is it there, and may this identity read it?")
            return
        dead, is_local = answer["Attributes"], _is_local(self._sqs)
        for check in (
            queues.check_type(queue, dead),
            queues.check_retention(queue, dead),
            queues.check_encryption(name, dead),
        ):
            yield _excused(check) if is_local else check
        yield queues.check_dead_letters(dead)

    def _round_trip(self) -> Iterator[Check]:
        if not self._wishes.round_trip:
            yield skipped(ROUND_TRIP, "not asked for")
        elif self._sqs is None or self._cache is None:
            yield skipped(ROUND_TRIP, "SQS or Momento cannot be asked")
        else:
            publisher = Publisher(self._queue_url, client=self._sqs)
            yield from check_round_trip(
                self._world, publisher, self._cache, self._wishes.counter, self._wishes.timeout_s
            )

    def _connected(self, service: str) -> Any:  # noqa: ANN401 (boto3's)
        client = self._world.connect(service)
        self._open.callback(client.close)
        return client


def _is_local(client: Any) -> bool:  # noqa: ANN401 (boto3's)
    """Whether a client speaks to this machine, where no rule for a deployment holds."""
    return is_loopback(urlsplit(client.meta.endpoint_url).netloc)


def _excused(check: Check) -> Check:
    """On one machine a deployment's rule need not hold."""
    if check.verdict is not Verdict.BAD:
        return check
    return skipped(check.name, f"a local queue need not keep this rule: {check.text}")
