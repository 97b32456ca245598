"""The channel and the credentials, as Momento's own SDK makes them in a Lambda."""

import contextlib
import re
from typing import TYPE_CHECKING

import grpc
import momento
from momento.auth import CredentialProvider
from momento.config import Configurations
from momento.errors import InvalidArgumentException
from momento.internal._utilities._grpc_channel_options import (
    grpc_data_channel_options_from_grpc_config,
)

from store.errors import SettingsError
from store.settings import SECRET, Local, Service

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SecretsProvider

_VISIBLE = re.compile("[!-~]+")

TLS_PORT = 443
"""The SDK's own rule: any other port is a local server without TLS."""

SECRET_TIMEOUT_S, SECRET_ATTEMPTS = 5, 2
"""How long Secrets Manager may take to connect, and then be silent; and how often it is asked.
boto3's own, a minute each and five times, outlive the Lambda that waits."""


def credentials_for(momento: Local | Service) -> CredentialProvider:
    """The SDK's credentials as the settings mean them; a secret is fetched here.

    Raises:
        SettingsError: the key is none, or its secret cannot be read.
    """
    if isinstance(momento, Local):
        return CredentialProvider.for_momento_local(momento.host, momento.port)
    key = momento.api_key or _secret(momento.api_key_secret)
    if not _VISIBLE.fullmatch(key):
        raise SettingsError(["the Momento API key has a blank or a line break in it, or no ASCII"])
    try:
        return CredentialProvider.from_api_key_v2(key, momento.endpoint)
    except InvalidArgumentException:
        # Without its cause: what a parser says of a key may quote it.
        raise SettingsError(["the Momento API key is not one of version 2"]) from None


def connect(credentials: CredentialProvider) -> grpc.Channel:
    """Open the channel that the SDK would open in a Lambda; TLS except to a local server."""
    transport = Configurations.Lambda.latest().get_transport_strategy().get_grpc_configuration()
    options = grpc_data_channel_options_from_grpc_config(transport)
    if credentials.port == TLS_PORT:
        tls = grpc.ssl_channel_credentials()
        return grpc.secure_channel(credentials.cache_endpoint, tls, options)
    return grpc.insecure_channel(f"{credentials.cache_endpoint}:{credentials.port}", options)


def secrets_manager() -> "SecretsProvider":
    """Secrets Manager by the ecosystem's environment (`AWS_*`), for the time that a caller has.

    Raises:
        BotoCoreError, ValueError: no region, no such profile, or no endpoint.
    """
    from aws_lambda_powertools.utilities.parameters import (  # noqa: PLC0415 (it imports boto3)
        SecretsProvider,
    )
    from botocore.config import Config  # noqa: PLC0415 (boto3 again)

    config = Config(
        connect_timeout=SECRET_TIMEOUT_S,
        read_timeout=SECRET_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": SECRET_ATTEMPTS},
    )
    return SecretsProvider(boto_config=config)


def deadline_s() -> float:
    """How long the SDK lets a call take in a Lambda, in seconds."""
    transport = Configurations.Lambda.latest().get_transport_strategy().get_grpc_configuration()
    return transport.get_deadline().total_seconds()


def metadata(credentials: CredentialProvider, cache_name: str) -> tuple[tuple[str, str], ...]:
    """What every call carries: the key, the cache, and who is calling."""
    return (
        ("authorization", credentials.auth_token),
        ("cache", cache_name),
        ("agent", f"python:cache:{momento.__version__}"),
    )


def _secret(name: str) -> str:
    """The key from Secrets Manager, fetched once for each environment, with its first use.

    Raises:
        SettingsError: it cannot be read, or is no text.
    """
    # They import boto3, which nobody need wait for whose key is in the environment.
    from aws_lambda_powertools.utilities.parameters.exceptions import (  # noqa: PLC0415 (imports boto3)
        GetParameterError,
    )
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 (boto3 again)

    from store.aws_errors import described  # noqa: PLC0415 (boto3 again)

    try:
        secrets = secrets_manager()
        with contextlib.closing(secrets.client):
            # Asked for anew: it is kept with what it opens, and no longer than that.
            secret = secrets.get(name, force_fetch=True)
    except (GetParameterError, BotoCoreError, ValueError) as error:
        # Without their text, which Powertools copies from an AWS error, and without their cause.
        reason = described(error.__context__ or error)
        raise SettingsError([f"{SECRET} cannot be read: {reason}"]) from None
    if isinstance(secret, str):
        return secret
    raise SettingsError([f"{SECRET} holds no text"])
