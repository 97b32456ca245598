"""Publishes increments to SQS: packs them, sends them, and sends again what failed."""

import functools
import sys
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Self

from msgspec import UNSET, to_builtins
from msgspec.structs import replace

from tally import aws
from tally.counters.errors import InvalidIncrementError, check_number, shown
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
"""How long an increment waits for others to be sent with it, unless told otherwise."""

MAX_LINGER_S = 60.0
"""The longest `linger_s`."""

EARLIEST_MS = 1_577_836_800_000
"""A clock before 2020 was never set, and an `at` before 2020 is in seconds. Consumers would refuse
such an increment, or could not decide it once the counter's ledger has forgotten something."""

FIFO_SUFFIX = ".fifo"
"""How the name of a FIFO queue ends (API reference, CreateQueue)."""


class Publisher:
    """Publishes increments from any number of threads; what SQS has confirmed is decided once.

        with Publisher(queue_url) as publisher:
            publisher.publish("page:home")

    With one thread, all is confirmed once flush() or close() returns. With several threads, the
    first call that asks raises what was given up, also the increments of other threads, and no
    later call raises it again. So when flush() returns, a thread's increments are confirmed, unless
    a call in another thread has raised them.

    publish() may be called from any thread; from a signal handler or a finalizer, even in the
    middle of another publish(); from a log handler, also for the lines that its own sending logs;
    from an exit hook. It takes no lock. An exception that a signal raises, such as Ctrl-C, passes
    through, and the next call works; whether the interrupted call has published, only `stats` can
    tell. A call that would wait for its own thread raises WaitsForItselfError instead.

    A forked child has its own buffer, thread, source and client; the parent sends what it had not
    sent at the fork. In a Lambda function, call flush() before the handler returns, since a frozen
    environment sends nothing.

    A publisher that is garbage-collected without close() sends what it has, with a ResourceWarning.
    If a program, or a worker of multiprocessing, ends with something unsent, it has EXIT_FLUSH_S to
    send it, and logs how many increments were not confirmed. A SIGKILL, os._exit(), or the end of a
    worker that is terminated, as by `with multiprocessing.Pool()`, loses what is in memory: call
    flush() before.

    Builds of Python without the GIL are refused.
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
            queue_url: the queue's, http(s)://host/…/name; that of a FIFO queue ends in `.fifo`.
            client: an SQS client of boto3, which the caller closes. A forked child would share its
                connections; by default each process makes its own client.
            linger_s: how long an increment may wait to be sent with others, 0 to MAX_LINGER_S
                seconds.
            shards: how many each counter is split into (`hot#0` and on), 1 to MAX_SHARDS; all that
                a source publishes goes to one shard. `Reader.total` adds them up.
            sequence: gives identities; by default the process's own.
            pacer: time and chance, and for how long a request is sent again.

        Raises:
            QueueUrlError: `queue_url` is invalid; it is a ValueError.
            ArgumentError: `linger_s` or `shards` is out of its range; it is a ValueError too.
            RuntimeError: this build of Python has no GIL.
        """
        check_interpreter()
        _check_options(queue_url, linger_s, shards)
        self._shards = shards
        self._sequence = sequence or process_sequence()
        self._pacer = pacer or Pacer()
        _prepare(needs_boto3=client is None)
        # It must not refer to the publisher, which would then live as long as its thread works.
        self._outboxes = PerProcess(
            functools.partial(_outbox, queue_url, client, linger_s, self._pacer)
        )
        self._forgotten = weakref.finalize(self, _forget, self._outboxes)
        self._forgotten.atexit = False  # ENDING sees to the outboxes then

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
            max: with an amount above 0, rejects it if the count would exceed this; an amount below
                0 is counted whatever it says.
            min: with an amount below 0, rejects it if the count would fall below this; an amount
                above 0 is counted whatever it says.
            id: unique for each event, in place of the identity that it gets here. What undoes an
                event needs an id of its own: under the same one it is a repeat, and not counted.
            at: when it happened, in ms since the epoch; only beside an `id`.

        Raises:
            InvalidIncrementError: and the other errors of `publish_fields`.
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
        """Set a counter to `to`, whatever its count is, once; see `publish_fields`."""
        return self.publish_fields(
            {"counter": counter, "reset": to, **_given({"id": id, "at": at})}
        )

    def publish_fields(self, fields: Mapping[str, Any]) -> Increment:
        """Publish an increment from its fields, as in the contract, and return it.

        An increment without an identity gets a native one. With an `id` but no `at`, it gets the
        present time: a program that may publish an id again must give the same `at` each time.
        An id with another `at` counts again once the ledger has forgotten the first: after a day,
        or after some 105,000 other ids of the counter (6,500 in a table).
        The increment is buffered, not sent: flush() or close() tells what did not arrive. This
        call blocks while the buffer is full.

        Returns:
            The increment with its identity; with shards, its counter is the one to which it went.
            Fields that were not given, and an amount of 1, are UNSET. `Reader.outcome` takes it as
            it is, and `tally.identity_of` tells its name.

        Raises:
            InvalidIncrementError: a field breaks the contract, or there are shards and it is a
                bound or a reset; nothing is published.
            PublisherClosedError: the publisher is closed.
            UnsentError: more was given up than is kept; this increment is not published either.
            None of these uses up a seq, except when the publisher is closed during the call.
        """
        return self._publish(fields, self._shards)

    def publish_again(self, increment: Increment) -> Increment:
        """Publish an increment of an UnsentError again, unchanged; see `publish_fields`.

        It keeps its `at` and its shard, since it must go to the same ledger.

        Raises:
            InvalidIncrementError: it has no identity, with which alone it would count once.
        """
        if not isinstance(increment, Increment):
            raise InvalidIncrementError("increment", "must be an Increment", shown(increment))
        if increment.at is UNSET:
            raise InvalidIncrementError("at", "is missing: this increment was never published")
        return self._put(build(to_builtins(increment)), None)

    def flush(self) -> None:
        """Send now what all threads have published so far, and wait until it is settled.

        If it returns, all is confirmed, except what a call in another thread has raised meanwhile.
        It waits as long as SQS settles part of each request. If SQS is unreachable, it tries for
        the `pacer`'s patience at most, and one last attempt; then it raises all that waits, of any
        thread.

        Raises:
            UnsentError: increments given up that no call has raised before.
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
        """Publish no more, and wait for nothing: for a program that must end at once.

        Raises:
            UnsentError: what is not confirmed, including what is on its way and may yet arrive.
        """
        outbox = self._outboxes.get()
        outbox.abandon()
        self._forgotten.detach()
        outbox.raise_unsent()

    @property
    def stats(self) -> Stats:
        """What this process has published and sent, and SQS has confirmed, so far."""
        return self._outboxes.get().stats()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Close. An exception from the block is not masked: it gets a note if some are unsent."""
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
            reason = "must come from a clock that is set"
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
    check_number("linger_s", linger_s, 0.0, MAX_LINGER_S)
    if shards is not None:
        check_shards(shards)


def _check_time(increment: Increment, now: int) -> None:
    """Refuse an `at` that every consumer would refuse: SQS would confirm it all the same."""
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
    """Do now what publish() could no longer do when the program is about to end."""
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
    """The publisher was garbage-collected: its thread sends what it holds."""
    outbox = outboxes.made()
    if outbox is not None and not outbox.is_closed:
        if outbox.has_open:
            warn_unclosed()
        outbox.forget()


def _has_gil() -> bool:
    asked: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)  # from 3.13 on
    return asked()


def check_interpreter(has_gil: Callable[[], bool] = _has_gil) -> None:
    """Check that this Python changes its containers in one step, as publish() needs.

    Raises:
        RuntimeError: it runs without the GIL.
    """
    if not has_gil():
        message = "a Publisher needs a Python with its GIL"
        raise RuntimeError(message)


def _given(optional: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are not None: the contract knows no null."""
    return {name: value for name, value in optional.items() if value is not None}
