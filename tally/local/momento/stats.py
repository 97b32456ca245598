"""The counters of a server in another process, over the wire."""

import grpc
import msgspec

from tally.local.momento.dispatch import STATS_METHOD
from tally.local.momento.metering import Stats

STATS_TIMEOUT_S = 5.0


def read_stats(endpoint: str, timeout_s: float = STATS_TIMEOUT_S) -> Stats:
    """The counters of the embedded server at `host:port`.

    Raises:
        grpc.RpcError: there is no server, or it is Momento's.
    """
    with grpc.insecure_channel(endpoint) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(STATS_METHOD)
        answer = call(b"", timeout=timeout_s)
    return msgspec.json.decode(answer, type=Stats)
