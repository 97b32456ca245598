"""An embedded Momento server: what Momento's SDKs and wire types need, on this machine alone."""

from local.momento.metering import Stats
from local.momento.server import HOST, MomentoServer, PortTakenError
from local.momento.stats import read_stats

__all__ = ["HOST", "MomentoServer", "PortTakenError", "Stats", "read_stats"]
