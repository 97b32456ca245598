"""An embedded Momento server: what Momento's SDKs and wire types need, on this machine alone."""

from local.momento.server import HOST, MomentoServer, PortTakenError

__all__ = ["HOST", "MomentoServer", "PortTakenError"]
