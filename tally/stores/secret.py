"""A store's key out of Secrets Manager, and how long that may take."""

import contextlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tally.environment import SettingsError

SECRET_PATIENCE: Mapping[str, Any] = MappingProxyType(
    {"connect_timeout_s": 5.0, "read_timeout_s": 5.0, "max_attempts": 2}
)
"""How long Secrets Manager may take to connect, and then be silent; and how often it is asked.
boto3's own, a minute each and five times, outlive the Lambda that waits."""


def secret_text(name: str, variable: str, patience: Mapping[str, Any] = SECRET_PATIENCE) -> str:
    """The text of a secret, asked for now.

    Args:
        name: its id.
        variable: the one that names it, for errors.
        patience: how long that may take, in `tally.aws.connect`'s words.

    Raises:
        SettingsError: it cannot be read, or is no text.
    """
    from tally import aws  # noqa: PLC0415 (boto3: nobody need wait for it whose key is in sight)

    try:
        with contextlib.closing(aws.connect("secretsmanager", **patience)) as client:
            answer = client.get_secret_value(SecretId=name)
    except aws.CONNECT_ERRORS as error:
        # Without its text and its cause, which may quote the request that was signed.
        raise SettingsError([f"{variable} cannot be read: {aws.described(error)}"]) from None
    secret = answer.get("SecretString")
    if isinstance(secret, str):
        return secret
    raise SettingsError([f"{variable} holds no text"])
