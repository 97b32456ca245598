"""Publishes increments to SQS: packs them, sends them, and sends again what failed."""

import functools
import sys
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Self

from msgspec import UNSET, to_builtins
from msgspec.structs import replace

from tally import aws
from tally.counters.errors import InvalidIncrementError, shown
from tally.counters.event import MAX_FUTURE_MS, Increment, build, prepare
from tally.counters.shards import check_shardable, check_shards, sharded
from tally.environment import is_queue_url
from tally.publishing.connection import SqsClient
from tally.publishing.errors import QueueUrlError
from tally.publishing.outbox import Outbox
from tally.publishing.packing import BRACKETS_BYTES, MAX_MESSAGE_BYTES, to_json
from tally.publishing.process import ENDING, PerProcess, warn_unclosed
from tally.publishing.sending import Pacer, Sender, Stats
from tally.publishing.sequence import Sequence, process_sequence

LINGER_S = 0.1
"""How long an increment waits for company, unless told otherwise."""

MAX_LINGER_S = 60.0
"""The longest wait for company that can be asked for."""

EARLIEST_MS = 1_577_836_800_000
"""A clock before 2020 was never set, and an `at` before then is in seconds: consumers would refuse
it, or never decide it, once the counter's ledger has come to forget."""

FIFO_SUFFIX = ".fifo"
"""How the name of a FIFO queue ends (API reference, CreateQueue)."""


class Publisher:
    """Publishes increments from any number of threads; what SQS has confirmed is decided once.

        with Publisher(queue_url) as publisher:
            publisher.publish("page:home")

    With one thread, all is confirmed once flush() or close() returns. With several, what was given
    up is told once, to the first that asks, be it another thread's increment: so one's own is
    confirmed once flush() returns only if no other call has raised it.

    Who may call publish(), and from where: any thread; a signal handler or a finalizer, also in the
    midst of another publish(); a handler of log lines, also of those that its own sending writes;
    an exit hook. It takes no lock. An exception from a signal, Ctrl-C or another, goes through, and
    the next call works; what it interrupted is published or not, and only `stats` can tell. A call
    that would wait for its own thread raises WaitsForItselfError instead; see there.

    A forked child has its own buffer, thread, source and client: what its parent had not sent yet,
    the parent sends. In a Lambda function, flush() before the handler returns, since a frozen
    environment sends nothing.

    One that is collected without close() sends what it has, with a ResourceWarning. A program, or a
    worker of multiprocessing, that ends with something unsent has EXIT_FLUSH_S for it, and logs how
    many were not confirmed. Nothing saves what a SIGKILL or os._exit() meets, or a worker that is
    terminated, as `with multiprocessing.Pool()` does at its end: flush() before that.

    Builds of Python without the GIL are not supported, and refused.
    """

    def __init__(
        self,
        queue_url: str,
        *,
        client: SqsClient | None = None,
        linger_s: float = LINGER_S,
        shards: int | None = None,
        sequence: Sequence | None = None,
        pacer: Pacer | None = None,
    ) -> None:
        """Nothing is connected before the first request is sent.

        Args:
            queue_url: where to, http(s)://host/…/name; a FIFO queue's ends in `.fifo`.
            client: an SQS client of boto3, which stays the caller's to close. A forked child would
                share its connections; without it each process makes its own.
            linger_s: how long an increment may wait for company, 0 to MAX_LINGER_S seconds.
            shards: spreads each counter over so many, `hot#0` and on, 1 to MAX_SHARDS; all that a
                source publishes goes to one of them. `Reader.total` adds them up.
            sequence: where identities come from; by default the one of the process.
            pacer: time and chance, and for how long a request is sent again.

        Raises:
            QueueUrlError: `queue_url` is none; it is a ValueError.
            ValueError: `linger_s` or `shards` is out of its range.
            RuntimeError: this build of Python has no GIL.
        """
        check_interpreter()
        _check_options(queue_url, linger_s, shards)
        self._shards = shards
        self._sequence = sequence or process_sequence()
        self._pacer = pacer or Pacer()
        _prepare(needs_boto3=client is None)
        # It must not hold the publisher, which is then never collected while its thread works.
        self._outboxes = PerProcess(
            functools.partial(_outbox, queue_url, client, linger_s, self._pacer)
        )
        self._forgotten = weakref.finalize(self, _forget, self._outboxes)
        self._forgotten.atexit = False  # that end is of all outboxes, not of all publishers

    def publish(
        self,
        counter: str,
        amount: int = 1,
        *,
        max: int | None = None,  # noqa: A002 # the contract's name
        min: int | None = None,  # noqa: A002 # the contract's name
        id: str | None = None,  # noqa: A002 # the contract's name
        at: int | None = None,
    ) -> Increment:
        """Publish an increment, and return it with its identity; see `publish_fields`.

        Args:
            counter: its name, 1 to 512 bytes of UTF-8.
            amount: what to add to the count; below 0 it is taken away.
            max: with an amount above 0, rejects it if the count would exceed this.
            min: with an amount below 0, rejects it if the count would fall below this.
            id: unique for each event, in place of the identity that it gets here.
            at: when it happened, in ms since the epoch; only beside an `id`.
        """
        optional = {"max": max, "min": min, "id": id, "at": at}
        return self.publish_fields({"counter": counter, "amount": amount, **_given(optional)})

    def reset(
        self,
        counter: str,
        to: int = 0,
        *,
        id: str | None = None,  # noqa: A002 # the contract's name
        at: int | None = None,
    ) -> Increment:
        """Have a counter become `to`, whatever it is, once; see `publish_fields`."""
        return self.publish_fields(
            {"counter": counter, "reset": to, **_given({"id": id, "at": at})}
        )

    def publish_fields(self, fields: Mapping[str, Any]) -> Increment:
        """Publish an increment from its fields, as in the contract, and return it.

        Without an identity it gets a native one. With an `id` it gets the present time for `at`,
        unless that is given: a program that may publish an id again gives the same `at` each time.
        An id with another `at` counts again once the ledger has forgotten the first: after a day,
        or after some 105,000 other ids of the counter.
        It is buffered, not sent: flush() or close() says what arrived. Blocks while the
        buffer is full.

        Returns:
            The increment with its identity, of the shard to which it went; fields that it has not,
            and an amount of 1, are UNSET. `Reader.outcome` takes it as it is; its name is what
            `tally.identity_of` says.

        Raises:
            InvalidIncrementError: a field is not what the contract says, or is a bound or a reset
                and there are shards; nothing is published.
            PublisherClosedError: the publisher is closed.
            UnsentError: more was given up than is kept; neither is this increment published.
            Of all these, none has spent a seq, unless it was closed at that moment.
        """
        return self._publish(fields, self._shards)

    def publish_again(self, increment: Increment) -> Increment:
        """Publish an increment of an UnsentError once more, as it is; see `publish_fields`.

        It has its `at` and its shard already, and must go to the same ledger.
        """
        return self._put(build(to_builtins(increment)), None)

    def flush(self) -> None:
        """Send everything published so far now, by any thread, and wait until none of it is open.

        Without an error it is confirmed, except what another thread was told of meanwhile. It waits
        as long as SQS settles something of each request; for an SQS that is away, the `pacer`'s
        patience and one attempt more: then all that waits is handed over, whoever published it.

        Raises:
            UnsentError: what no thread has been told could not be sent; it is handed over, once.
        """
        outbox = self._outboxes.get()
        outbox.settle()
        outbox.raise_unsent()

    def close(self) -> None:
        """Flush, and publish no more.

        Raises:
            UnsentError: as flush() does.
        """
        outbox = self._outboxes.get()
        outbox.close()
        self._forgotten.detach()
        outbox.raise_unsent()

    def abandon(self) -> None:
        """Publish no more, and wait for nothing: for a program that has to end at once.

        Raises:
            UnsentError: what is not confirmed, even if it is on its way and may arrive.
        """
        outbox = self._outboxes.get()
        outbox.abandon()
        self._forgotten.detach()
        outbox.raise_unsent()

    @property
    def stats(self) -> Stats:
        """What this process has published, sent and had confirmed so far."""
        return self._outboxes.get().stats()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Close. An exception from inside is not masked: it gets a note of what is unsent."""
        if error is None:
            self.close()
            return
        outbox = self._outboxes.get()
        outbox.close()
        if outbox.has_unsent:
            error.add_note("not all increments were confirmed: the publisher's close() raises them")

    def _publish(self, fields: Mapping[str, Any], shards: int | None) -> Increment:
        now = self._sequence.clock_ms()
        if now < EARLIEST_MS:
            reason = "cannot be stamped by a clock that says"
            raise InvalidIncrementError("at", reason, shown(now))
        if "id" in fields and "at" not in fields:
            fields = {**fields, "at": now}
        increment = build(fields)
        _check_time(increment, now)
        if shards:
            check_shardable(increment, shards)
        return self._put(increment, shards)

    def _put(self, increment: Increment, shards: int | None) -> Increment:
        outbox = self._outboxes.get()
        outbox.admit()  # before a seq is spent
        if increment.at is UNSET:
            source, seq, at = self._sequence.next(increment.counter, shards)
            increment = replace(increment, source=source, seq=seq, at=at)
        if shards:
            increment = sharded(increment, shards)
        part = to_json(increment)
        if len(part) + BRACKETS_BYTES > MAX_MESSAGE_BYTES:  # a native one is never so long
            reason = f"makes a message of over {MAX_MESSAGE_BYTES} bytes"
            raise InvalidIncrementError("id", reason, shown(increment.id))
        outbox.put(increment.counter, part)
        return increment


def _check_options(queue_url: object, linger_s: float, shards: int | None) -> None:
    if not is_queue_url(queue_url):
        raise QueueUrlError(queue_url)
    if not 0 <= linger_s <= MAX_LINGER_S:
        message = f"linger_s must be 0 to {MAX_LINGER_S}, found {linger_s}"
        raise ValueError(message)
    if shards is not None:
        check_shards(shards)


def _check_time(increment: Increment, now: int) -> None:
    """See that consumers will decide it: SQS confirms all the same what they would refuse."""
    if increment.at is UNSET:
        return
    reason = ""
    if increment.at < EARLIEST_MS:
        reason = "is before 2020, counted in ms since 1970"
    elif increment.at > now + MAX_FUTURE_MS:
        reason = f"is over {MAX_FUTURE_MS} ms later than the clock's {now}"
    if reason:
        raise InvalidIncrementError("at", reason, shown(increment.at), increment.counter)


def _prepare(*, needs_boto3: bool) -> None:
    """Do now what publish() must not: it may be called where the program has all but ended."""
    prepare()
    if needs_boto3:
        aws.load()
    ENDING.get()


def _outbox(queue_url: str, client: SqsClient | None, linger_s: float, pacer: Pacer) -> Outbox:
    outbox = Outbox(
        Sender(queue_url, pacer, client),
        fifo=queue_url.endswith(FIFO_SUFFIX),
        linger_s=linger_s,
        clock=pacer.clock,
    )
    ENDING.get().add(outbox)
    return outbox


def _forget(outboxes: PerProcess[Outbox]) -> None:
    """The publisher is collected: what it holds is sent all the same, by its thread."""
    outbox = outboxes.made()
    if outbox is not None and not outbox.is_closed:
        if outbox.has_open:
            warn_unclosed()
        outbox.forget()


def _has_gil() -> bool:
    asked: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)  # from 3.13 on
    return asked()


def check_interpreter(has_gil: Callable[[], bool] = _has_gil) -> None:
    """See that this is a Python whose containers change in one step, as publish() relies on.

    Raises:
        RuntimeError: it is a build without the GIL.
    """
    if not has_gil():
        message = "a Publisher needs a Python with its GIL"
        raise RuntimeError(message)


def _given(optional: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are not None: the contract knows no null."""
    return {name: value for name, value in optional.items() if value is not None}
