"""The channel and the credentials, as Momento's own SDK makes them in a Lambda."""

import re

import grpc
import momento
from momento.auth import CredentialProvider
from momento.config import Configurations
from momento.errors import InvalidArgumentException
from momento.internal._utilities._grpc_channel_options import (
    grpc_data_channel_options_from_grpc_config,
)

from tally.environment import SECRET, Local, Service, SettingsError
from tally.stores.secret import RENEWAL, Key, secret_text

_VISIBLE = re.compile("[!-~]+")

TLS_PORT = 443
"""The SDK's own rule: any other port is a local server without TLS."""


def credentials_for(momento: Local | Service) -> CredentialProvider:
    """The SDK's credentials as the settings mean them; a secret is fetched here.

    Raises:
        SettingsError: the key is invalid, or its secret cannot be read.
    """
    if isinstance(momento, Local):
        return CredentialProvider.for_momento_local(momento.host, momento.port)
    return _credentials(momento.api_key or secret_text(momento.api_key_secret, SECRET), momento)


def key_for(momento: Local | Service, credentials: CredentialProvider) -> Key:
    """The key of these credentials; if it comes from a secret, it can be fetched again."""
    if isinstance(momento, Local) or not momento.api_key_secret:
        return Key(credentials.auth_token)

    def fetch() -> str:
        key = secret_text(momento.api_key_secret, SECRET, RENEWAL)
        return _credentials(key, momento).auth_token

    return Key(credentials.auth_token, fetch)


def _credentials(key: str, momento: Service) -> CredentialProvider:
    if not _VISIBLE.fullmatch(key):
        raise SettingsError(["the Momento API key has a blank, a line break, or what is not ASCII"])
    try:
        return CredentialProvider.from_api_key_v2(key, momento.endpoint)
    except InvalidArgumentException:
        # The cause is left out: a parser's error may quote the key.
        raise SettingsError(["the Momento API key is not one of version 2"]) from None


OWN_CONNECTION = ("grpc.use_local_subchannel_pool", 1)
"""Without it a new channel would share the connection of one that has gone silent."""


def connect(credentials: CredentialProvider) -> grpc.Channel:
    """Open the channel that the SDK would open in a Lambda; TLS except to a local server."""
    transport = Configurations.Lambda.latest().get_transport_strategy().get_grpc_configuration()
    options = [*grpc_data_channel_options_from_grpc_config(transport), OWN_CONNECTION]
    if credentials.port == TLS_PORT:
        tls = grpc.ssl_channel_credentials()
        return grpc.secure_channel(credentials.cache_endpoint, tls, options)
    return grpc.insecure_channel(f"{credentials.cache_endpoint}:{credentials.port}", options)


def deadline_s() -> float:
    """How long the SDK lets a call take in a Lambda, in seconds."""
    transport = Configurations.Lambda.latest().get_transport_strategy().get_grpc_configuration()
    return transport.get_deadline().total_seconds()


def metadata(cache_name: str) -> tuple[tuple[str, str], ...]:
    """What every call carries beside the key: the cache, and who is calling."""
    return (
        ("cache", cache_name),
        ("agent", f"python:cache:{momento.__version__}"),
    )
