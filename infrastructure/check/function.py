"""A function as the template has it, with the variables of a check."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infrastructure.template import TRANSFORMED

CONSUMER, API = "ConsumerFunction", "ApiFunction"
TIMEOUT_S = 5
"""Shorter than the template's: a check waits for its end. The consumer keeps a second of it."""


@dataclasses.dataclass(frozen=True)
class Function:
    """What is run.

    Attributes:
        name: in the template.
        package: the folder that was built.
        handler: as `module.function`.
        memory_mib: what it may use.
        least_memory_mib: what it may use if the template is given the least that it takes.
        variables: its environment.
    """

    name: str
    package: Path
    handler: str
    memory_mib: int
    least_memory_mib: int
    variables: Mapping[str, str]


def function(name: str, packages: Mapping[str, Path], variables: Mapping[str, str]) -> Function:
    """A function of the template.

    Args:
        name: in the template.
        packages: the folder of each function.
        variables: instead of the template's.
    """
    template = json.loads(TRANSFORMED.read_text("utf-8"))
    told = template["Resources"][name]["Properties"]
    most, least = _memory(told["MemorySize"], template["Parameters"])
    return Function(name, packages[name], told["Handler"], most, least, variables)


def _memory(told: Any, parameters: Mapping[str, Any]) -> tuple[int, int]:  # noqa: ANN401 (JSON)
    """What is given by default, and the least that may be given."""
    if isinstance(told, dict):
        parameter = parameters[told["Ref"]]
        return int(parameter["Default"]), min(map(int, parameter["AllowedValues"]))
    return int(told), int(told)
