"""For the tests of your program: counters in its own process, and Momento without an account.

    def test_a_visit_counts():
        counters = Counters()
        with counters.publisher() as publisher:
            publisher.publish("page:home")
        assert counters.reader().count("page:home") == 1

`pytest_plugins = ["tally.testing.fixtures"]` in a conftest.py gives you both as fixtures.
"""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tally.stores.memory import MemoryStore
from tally.testing.counters import Counters

if TYPE_CHECKING:
    from tally.local.momento.server import MomentoServer

__all__ = ["Counters", "MemoryStore", "MomentoServer"]


def _momento_server(load: Callable[[str], Any] = importlib.import_module) -> object:
    try:
        return load("tally.local.momento.server").MomentoServer
    except ModuleNotFoundError as error:
        message = f"MomentoServer needs tally-counters[read]: {error}"
        raise ImportError(message, name=error.name) from error


if not TYPE_CHECKING:  # else a type checker would accept any name

    def __getattr__(name: str) -> object:
        """The embedded Momento server, imported when it is used: it needs tally-counters[read].

        Raises:
            AttributeError: there is no such name.
            ImportError: the extra is not installed.
        """
        if name != "MomentoServer":
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        return _momento_server()
