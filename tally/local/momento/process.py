"""The embedded Momento server in a process of its own."""

from collections.abc import Sequence

from tally.local.child import Child


class MomentoProcess(Child):
    """The server; `endpoint` is its host:port once it is started."""

    def __init__(self, caches: Sequence[str], *, port: int = 0) -> None:
        options = [f"--cache={cache}" for cache in caches]
        super().__init__("tally.local.momento", [f"--port={port}", *options])
        self.endpoint = ""

    def start(self) -> str:
        """Start the server.

        Raises:
            ChildError: it did not start.
        """
        line = super().start()
        self.endpoint = line.rpartition(" ")[2]
        return line
