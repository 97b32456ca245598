"""A store's key out of Secrets Manager, and how long that may take."""

import contextlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tally.environment import SettingsError

SECRET_PATIENCE: Mapping[str, Any] = MappingProxyType(
    {"connect_timeout_s": 5.0, "read_timeout_s": 5.0, "max_attempts": 2}
)
"""How long Secrets Manager may take to connect, and then be silent; and how often it is asked.
boto3's own, a minute each and five times, outlive the Lambda that waits."""

_ARN = re.compile("arn:[a-z-]+:secretsmanager:([a-z0-9-]+):")


def secret_text(name: str, variable: str, patience: Mapping[str, Any] = SECRET_PATIENCE) -> str:
    """The text of a secret, asked for now.

    Args:
        name: its id.
        variable: the one that names it, for errors.
        patience: how long that may take, in `tally.aws.connect`'s words.

    Raises:
        SettingsError: it cannot be read, is no text, or is in another region than is asked.
    """
    from tally import aws  # noqa: PLC0415 (boto3: nobody need wait for it whose key is in sight)

    try:
        with contextlib.closing(aws.connect("secretsmanager", **patience)) as client:
            _check_region(name, variable, client.meta.region_name)
            answer = client.get_secret_value(SecretId=name)
    except aws.CONNECT_ERRORS as error:
        # Without its text and its cause, which may quote the request that was signed.
        raise SettingsError([f"{variable} cannot be read: {aws.described(error)}"]) from None
    secret = answer.get("SecretString")
    if isinstance(secret, str):
        return secret
    raise SettingsError([f"{variable} holds no text"])


def _check_region(name: str, variable: str, asked: str) -> None:
    """Refuse an ARN of another region by name: Secrets Manager would say that there is no secret.

    Raises:
        SettingsError: it is of another region than the one asked.
    """
    found = _ARN.match(name)
    if found and found[1] != asked:
        problem = f"{variable} is the ARN of a secret in {found[1]}, and {asked} is asked"
        raise SettingsError([f"{problem}: give that of a secret, or of its replica, there"])
