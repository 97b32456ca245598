"""An embedded Momento server: what Momento's SDKs and wire types need, on this machine alone."""

from tally.local.momento.metering import MomentoStats, read_stats
from tally.local.momento.server import HOST, MomentoServer, PortTakenError

__all__ = ["HOST", "MomentoServer", "MomentoStats", "PortTakenError", "read_stats"]
