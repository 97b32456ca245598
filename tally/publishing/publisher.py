"""Publishes increments to SQS: packs them, sends them, and sends again what failed."""

from collections.abc import Mapping
from typing import Any, Self

from msgspec import UNSET, to_builtins
from msgspec.structs import replace

from tally.counters.errors import InvalidIncrementError, shown
from tally.counters.event import Increment, build
from tally.counters.shards import check_shardable, check_shards, sharded
from tally.publishing.outbox import Outbox
from tally.publishing.packing import BRACKETS_BYTES, MAX_MESSAGE_BYTES, to_json
from tally.publishing.process import PerProcess
from tally.publishing.sending import Pacer, Sender, SqsClient, connect
from tally.publishing.sequence import Sequence, process_sequence
from tally.publishing.stats import Stats

LINGER_S = 0.1
"""How long an increment waits for company, unless told otherwise."""

MAX_LINGER_S = 60.0
"""The longest wait for company that can be asked for."""

FIFO_SUFFIX = ".fifo"
"""How the name of a FIFO queue ends (API reference, CreateQueue)."""


class Publisher:
    """Publishes increments from any number of threads; what SQS has confirmed, counts.

        with Publisher(queue_url) as publisher:
            publisher.publish("page:home")

    With one thread, all is confirmed once flush() or close() returns. With several, what was given
    up is told once, to the first that asks, be it another thread's increment: so one's own is
    confirmed once flush() returns only if no other call has raised it.

    A forked child has its own buffer, thread, source and client: what its parent had not sent yet,
    the parent sends. In a Lambda function, flush() before the handler returns, since a frozen
    environment sends nothing.
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
        """Nothing is connected before the first publish().

        Args:
            queue_url: where to; a FIFO queue's ends in `.fifo`.
            client: an SQS client of boto3, which stays the caller's to close. A forked child would
                share its connections; without it each process makes its own.
            linger_s: how long an increment may wait for company, 0 to MAX_LINGER_S seconds.
            shards: spreads each counter over so many, `hot#0` and on, 1 to MAX_SHARDS; all that a
                source publishes goes to one of them. `Reader.total` adds them up.
            sequence: where identities come from; by default the one of the process.
            pacer: time and chance, and for how long a request is sent again.

        Raises:
            ValueError: `linger_s` or `shards` is out of its range.
        """
        if not 0 <= linger_s <= MAX_LINGER_S:
            message = f"linger_s must be 0 to {MAX_LINGER_S}, found {linger_s}"
            raise ValueError(message)
        if shards is not None:
            check_shards(shards)
        self._shards = shards
        self._queue_url = queue_url
        self._client = client
        self._linger_s = linger_s
        self._sequence = sequence or process_sequence()
        self._pacer = pacer or Pacer()
        self._outboxes = PerProcess(self._make_outbox)

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
        """Publish an increment, and return it with its identity; see `publish_fields`."""
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
        unless that is given: a program that may repeat an id a day later must give it.
        It is buffered, not sent: flush() or close() says what arrived. Blocks while the
        buffer is full.

        Returns:
            The increment with its identity, of the shard to which it went. `Reader.outcome` takes
            it as it is; its name is what `tally.identity_of` says.

        Raises:
            InvalidIncrementError: a field is not what the contract says, or is a bound or a reset
                and there are shards; nothing is published.
            PublisherClosedError: the publisher is closed.
            UnsentError: more was given up than is kept; neither is this increment published.
        """
        return self._publish(fields, self._shards)

    def publish_again(self, increment: Increment) -> Increment:
        """Publish an increment of an UnsentError once more, as it is; see `publish_fields`.

        It has its shard already, and must go to the same ledger.
        """
        return self._publish(to_builtins(increment), None)

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
        outbox.raise_unsent()

    def abandon(self) -> None:
        """Publish no more, and wait for nothing: for a program that has to end at once.

        Raises:
            UnsentError: what is not confirmed, even if it is on its way and may arrive.
        """
        outbox = self._outboxes.get()
        outbox.abandon()
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
        if "id" in fields and "at" not in fields:
            fields = {**fields, "at": self._sequence.clock_ms()}
        increment = build(fields)
        if shards:
            check_shardable(increment, shards)
        if increment.at is UNSET:
            source, seq, at = self._sequence.next(increment.counter, shards)
            increment = replace(increment, source=source, seq=seq, at=at)
        if shards:
            increment = sharded(increment, shards)
        part = to_json(increment)
        if len(part) + BRACKETS_BYTES > MAX_MESSAGE_BYTES:
            reason = f"makes a message of over {MAX_MESSAGE_BYTES} bytes"
            raise InvalidIncrementError("id", reason, shown(increment.id))
        self._outboxes.get().put(increment.counter, part)
        return increment

    def _make_outbox(self) -> Outbox:
        return Outbox(
            fifo=self._queue_url.endswith(FIFO_SUFFIX),
            linger_s=self._linger_s,
            clock=self._pacer.clock,
            open_sender=self._open_sender,
        )

    def _open_sender(self) -> Sender:
        client = self._client or connect(self._queue_url)
        return Sender(client, self._queue_url, self._pacer, owns_client=self._client is None)


def _given(optional: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are not None: the contract knows no null."""
    return {name: value for name, value in optional.items() if value is not None}
