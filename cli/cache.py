"""Where Momento is, for the commands that look after a deployment; every way in which it fails."""

from collections.abc import Mapping

from botocore.exceptions import BotoCoreError
from momento.auth import CredentialProvider

from cli.aws import described
from producer.errors import ReadError
from store.connection import credentials_for
from store.errors import BrokenSetupError, SettingsError
from store.settings import Cache, Environment

MOMENTO_ERRORS = (ReadError, BrokenSetupError, SettingsError)
"""Why Momento cannot be asked; no key is in any of their texts."""


def cache_from(variables: Mapping[str, str]) -> Cache:
    """The cache that the `MOMENTO_*` variables mean.

    Raises:
        SettingsError: naming each variable that is missing or wrong.
    """
    environment = Environment(variables)
    cache = environment.cache()
    environment.finish()
    return cache


def credentials_of(cache: Cache) -> CredentialProvider:
    """The credentials of a cache; a secret is fetched here.

    Raises:
        SettingsError: the key is none, or its secret cannot be read.
    """
    # Powertools' parameters import boto3, which `tally --help` need not wait for.
    from aws_lambda_powertools.utilities.parameters.exceptions import (  # noqa: PLC0415 (the same)
        GetParameterError,
    )

    try:
        return credentials_for(cache.momento)
    except (GetParameterError, BotoCoreError) as error:
        # Of an AWS error its code only: its text can quote the signed request.
        reason = described(error.__context__ or error)
        raise SettingsError([f"MOMENTO_API_KEY_SECRET cannot be read: {reason}"]) from None
