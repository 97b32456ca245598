"""The stack's cache, opened in this process, without the proxy of its environment."""

import grpc
from momento.auth import CredentialProvider

from tally.local.momento.server import MomentoProcess
from tally.local.ports import NO_PROXY
from tally.local.valkey import ValkeyProcess
from tally.stores.momento.store import MomentoStore
from tally.stores.valkey.password import password_for
from tally.stores.valkey.store import ValkeyStore


def open_cache(process: MomentoProcess | ValkeyProcess) -> MomentoStore | ValkeyStore:
    """A store of the server; nothing connects before its first call."""
    if isinstance(process, ValkeyProcess):
        return ValkeyStore(process.address, password_for(process.address))
    nobody, endpoint = CredentialProvider.for_momento_local(), process.endpoint
    return MomentoStore(
        process.cache, nobody, open_channel=lambda: grpc.insecure_channel(endpoint, NO_PROXY)
    )
