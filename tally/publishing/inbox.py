"""What was published and is not yet packed: all that publish() touches, without a lock.

Who publishes may be a signal handler in the midst of another publish(), a finalizer, a handler of
log lines in the sender's own thread, and any statement of theirs may end with an exception from a
signal. Therefore one rule: each of them appends or removes in one step of C. Nothing is taken out
before it is kept elsewhere, since an exception may come between.
"""

import contextlib
from collections import deque
from queue import Empty, SimpleQueue

PLACE_BYTES = 128
"""An increment takes a place for each so many bytes of its JSON that it begins."""

MAX_PLACES = 32_768
"""Places in the inbox, 4 MiB of JSON beside what is packed or on its way: then publish() blocks."""


class Put:
    """An increment that was published, as JSON."""

    __slots__ = ("counter", "part")

    def __init__(self, counter: str, part: bytes) -> None:
        self.counter = counter
        self.part = part


class Marker:
    """What flush() puts behind the increments that it waits for, and close() behind the last."""

    def __init__(self, *, is_last: bool = False) -> None:
        self.is_last = is_last
        self.is_settled = False


class Inbox:
    """A queue with room for MAX_PLACES, which who puts has to heed."""

    def __init__(self) -> None:
        self._items: deque[Put | Marker | None] = deque()

    def __bool__(self) -> bool:
        return bool(self._items)

    def put(self, item: Put) -> None:
        """Append an increment.

        Only the number of items can be had without a lock, so a long one takes several places.
        """
        self._items.extend((item, *(None,) * (len(item.part) // PLACE_BYTES)))

    def mark(self, marker: Marker) -> Marker:
        """Append a marker behind all that was put so far."""
        self._items.append(marker)
        return marker

    def first(self) -> Put | Marker | None:
        """The next item, which may be a mere place; there must be one."""
        return self._items[0]

    def drop(self) -> None:
        """Remove the next item, once it is kept elsewhere."""
        self._items.popleft()

    def withdraw(self, item: Put) -> bool:
        """Take an increment back; whether nobody was faster."""
        try:
            self._items.remove(item)
        except ValueError:
            return False
        return True

    def move_to(self, items: list[Put | Marker | None]) -> None:
        """Move everything to where nobody withdraws it.

        It is one step of C, so that no exception from a signal comes between taking and keeping.
        """
        never = object()
        with contextlib.suppress(IndexError):
            items.extend(iter(self._items.popleft, never))

    @property
    def has_room(self) -> bool:
        """Whether one more increment is to be put."""
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
    """Wakes one who waits; rung before, it does not let them wait.

    It is one object of C that signal handlers and finalizers may use. A `threading.Condition` stays
    locked for ever when an exception from a signal meets its `__enter__`.
    """

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """Wake who waits; any thread may, at any time."""
        if self._rings.empty():
            self._rings.put(None)

    def wait(self, timeout_s: float | None) -> None:
        """Wait until it is rung, for ever or at most so long."""
        with contextlib.suppress(Empty):
            self._rings.get(timeout=timeout_s)
