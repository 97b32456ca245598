"""The environment that a process of the local stack inherits: nothing of the user's AWS in it."""

import os
from collections.abc import Mapping

NO_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
"""Without them an SDK would read those of the home directory."""


def without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment whose AWS configuration is none: no profile, no credentials, no endpoints.

    All of `AWS_*` goes: a list of those that harm would be out of date with the next SDK.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    return kept | NO_FILES
