"""What was published and is not yet packed: all that publish() touches, without a lock.

publish() may be called by a signal handler in the middle of another publish(), by a finalizer, or
by a log handler in the sender's own thread, and a signal may raise an exception in any statement.
Therefore each change of the inbox is one step of C. Nothing is taken out before it is kept
elsewhere, since an exception may come between.
"""

import contextlib
from collections import deque
from queue import Empty, SimpleQueue

PLACE_BYTES = 128
"""An increment takes one place for each PLACE_BYTES of its JSON, rounded up."""

MAX_PLACES = 32_768
"""Places in the inbox, for 4 MiB of JSON; when they are full, publish() blocks."""


class Put:
    """An increment that was published, as JSON."""

    __slots__ = ("counter", "part")

    def __init__(self, counter: str, part: bytes) -> None:
        self.counter = counter
        self.part = part


class Marker:
    """flush() puts one behind the increments that it waits for; close() puts the last one."""

    def __init__(self, *, is_last: bool = False) -> None:
        self.is_last = is_last
        self.is_settled = False


class Inbox:
    """A queue with room for MAX_PLACES; callers must check `has_room` before they put."""

    def __init__(self) -> None:
        self._items: deque[Put | Marker | None] = deque()

    def __bool__(self) -> bool:
        return bool(self._items)

    def put(self, item: Put) -> None:
        """Append an increment.

        Without a lock only the number of items is known, so a long item takes several places.
        """
        self._items.extend((item, *(None,) * (len(item.part) // PLACE_BYTES)))

    def mark(self, marker: Marker) -> Marker:
        """Append a marker behind all items so far."""
        self._items.append(marker)
        return marker

    def first(self) -> Put | Marker | None:
        """The next item, None if it is only a place; the inbox must not be empty."""
        return self._items[0]

    def drop(self) -> None:
        """Remove the next item, once it is kept elsewhere."""
        self._items.popleft()

    def withdraw(self, item: Put) -> bool:
        """Take an increment back; returns False if the sender has taken it already."""
        try:
            self._items.remove(item)
        except ValueError:
            return False
        return True

    def move_to(self, items: list[Put | Marker | None]) -> None:
        """Move everything to a list from which nobody withdraws it.

        It is one step of C, so that no exception from a signal comes between taking and keeping.
        """
        never = object()
        with contextlib.suppress(IndexError):
            items.extend(iter(self._items.popleft, never))

    @property
    def has_room(self) -> bool:
        """Whether one more increment may be put."""
        return len(self._items) < MAX_PLACES

    @property
    def has_marker(self) -> bool:
        """Whether somebody waits for what is here."""
        return any(isinstance(item, Marker) for item in self._items.copy())

    @property
    def increments(self) -> int:
        """How many are here."""
        return sum(isinstance(item, Put) for item in self._items.copy())


class Bell:
    """Wakes a waiting thread; if it was rung before, the wait ends at once.

    It is one object of C, which signal handlers and finalizers may use. A `threading.Condition`
    would stay locked for ever if a signal raised an exception in its `__enter__`.
    """

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """Wake the waiting thread; any thread may call it, at any time."""
        if self._rings.empty():
            self._rings.put(None)

    def wait(self, timeout_s: float | None) -> None:
        """Wait until it is rung, at most `timeout_s`, or for ever if that is None."""
        with contextlib.suppress(Empty):
            self._rings.get(timeout=timeout_s)
