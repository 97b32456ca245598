"""Packs increments into messages, and messages into requests, within SQS's limits."""

import hashlib
import itertools
import re
from collections import deque
from typing import Any

import msgspec

from tally import tracing
from tally.counters.event import Increment, encode

MAX_ENTRIES = 10
"""Messages in one SendMessageBatch request (SQS quota "message batch")."""

MAX_REQUEST_BYTES = 1_048_576
"""All messages of one request together (API reference, SendMessageBatch)."""

MAX_MESSAGE_BYTES = 1_048_576
"""One message (API reference, SendMessageBatch)."""

BILLED_BYTES = 65_536
"""SQS bills each 64 KiB of a message as a request (SQS pricing), so no message grows past that."""

GROUP_ID = re.compile("[!-~]{1,128}")
"""What a MessageGroupId may be (SQS quota "message group ID")."""

BRACKETS_BYTES = 2


class Message:
    """A packed message while it grows: the JSON of its increments, and the size of its body."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.parts: list[bytes] = []
        self.size_bytes = BRACKETS_BYTES

    def fits(self, part: bytes) -> bool:
        """Whether the message, with one more increment, is still billed as one request."""
        return self.size_bytes + 1 + len(part) <= BILLED_BYTES

    def add(self, part: bytes) -> None:
        """Add the JSON of one increment, and its comma."""
        self.size_bytes += len(part) + (1 if self.parts else 0)
        self.parts.append(part)

    def entry(self, position: int, trace_header: str = "") -> dict[str, Any]:
        """The entry of a request; its position makes its Id unique within the request.

        The digest in the Id guards against an answer to another request, which a connection shared
        with a forked child may bring. In a FIFO queue the digest is also the deduplication id, as
        SQS itself would derive it from the body; the trace has no part in it.
        """
        body = b"[" + b",".join(self.parts) + b"]"
        digest = hashlib.sha256(body).hexdigest()
        entry: dict[str, Any] = {"Id": f"{position}-{digest}", "MessageBody": body.decode()}
        if self.group:
            entry["MessageGroupId"] = group_id(self.group)
            entry["MessageDeduplicationId"] = digest
        if trace_header:
            entry["MessageSystemAttributes"] = tracing.system_attributes(trace_header)
        return entry

    def increments(self) -> list[Increment]:
        """The message's increments, read back from their bytes: needed only if it was not sent."""
        return [msgspec.json.decode(part, type=Increment) for part in self.parts]


class Packer:
    """The messages not yet taken: open ones that still grow, and ready ones in their order.

    A FIFO queue has an open message for each counter, a standard queue has one. No locks and no
    clock are here.
    """

    def __init__(self, *, fifo: bool) -> None:
        self.size_bytes = 0
        self._fifo = fifo
        self._open: dict[str, Message] = {}
        self._ready: deque[Message] = deque()
        self._due = 0

    def add(self, counter: str, part: bytes) -> None:
        """Add the JSON of one increment to the open message of its group."""
        group = counter if self._fifo else ""
        message = self._open.get(group)
        if message is None or not message.fits(part):
            if message is not None:
                self._ready.append(message)
            message = self._open[group] = Message(group)
        message.add(part)
        self.size_bytes += len(part)

    def hurry(self) -> None:
        """Make every message ready to send now, full or not."""
        self._ready.extend(self._open.values())
        self._open.clear()
        self._due = len(self._ready)

    @property
    def sendable(self) -> bool:
        """Whether there is a full request, or something that hurry() has made ready."""
        return self._due > 0 or len(self._ready) >= MAX_ENTRIES

    def messages(self) -> list[Message]:
        """All messages, in the order in which they would be taken."""
        return [*self._ready, *self._open.values()]

    def take(self) -> list[Message]:
        """Take the messages of the next request; empty if nothing is ready."""
        taken = self.request()
        self.remove(taken)
        return taken

    def request(self) -> list[Message]:
        """The messages of the next request, which stay here until they are removed.

        A request has at most one message of a FIFO group: if the first of two failed and the
        second did not, the repeat of the first would come after the second.
        """
        chosen: list[Message] = []
        groups: set[str] = set()
        size_bytes = 0
        for message in itertools.islice(self._ready, MAX_ENTRIES):
            size_bytes += message.size_bytes
            if size_bytes > MAX_REQUEST_BYTES or message.group in groups:
                break
            if self._fifo:
                groups.add(message.group)
            chosen.append(message)
        return chosen

    def remove(self, messages: list[Message]) -> None:
        """Remove the messages of a request, unless they are gone already."""
        for message in messages:
            if self._ready and self._ready[0] is message:
                self._ready.popleft()
                self.size_bytes -= sum(map(len, message.parts))
                self._due = max(0, self._due - 1)


def to_json(increment: Increment) -> bytes:
    """The JSON of an increment, with only characters that SQS accepts.

    SQS takes the characters of XML 1.0. JSON escapes the control characters, and build() refuses
    surrogates. U+FFFE and U+FFFF are left; their UTF-8 bytes occur in no other character.
    """
    part = encode(increment)
    if part.isascii():
        return part
    return part.replace(b"\xef\xbf\xbe", b"\\ufffe").replace(b"\xef\xbf\xbf", b"\\uffff")


def group_id(counter: str) -> str:
    """The MessageGroupId of a counter: its name, or a digest of it if SQS would refuse the name."""
    if GROUP_ID.fullmatch(counter):
        return counter
    return hashlib.sha256(counter.encode()).hexdigest()
