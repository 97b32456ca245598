"""An embedded Momento server: what Momento's SDKs and wire types need, on this machine alone."""

from tally.local.momento.metering import Stats
from tally.local.momento.server import HOST, MomentoServer, PortTakenError
from tally.local.momento.stats import read_stats

__all__ = ["HOST", "MomentoServer", "PortTakenError", "Stats", "read_stats"]
