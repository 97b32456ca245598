"""What CloudFormation makes of a template and its parameters, as far as ours goes.

A resource stands for itself: `Ref` of the queue is "Queue", its attribute Arn is "Queue.Arn". So
a test reads as the template does.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": "tally",
    "AWS::URLSuffix": "amazonaws.com",
}

_NOTHING = object()
"""AWS::NoValue: the property or the entry is left out."""

_VARIABLE = re.compile(r"\$\{([\w:.]+)\}")


class TemplateStack:
    """A template as it is deployed with some parameters.

    Args:
        template: a template after SAM's transform.
        parameters: what differs from the defaults.
        where: the pseudo parameters that differ from PSEUDO.

    Raises:
        ValueError: a parameter is missing, or is not what the template allows; or several together
            break a rule.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        parameters: Mapping[str, object],
        where: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._template = template
        self._values: dict[str, Any] = {**PSEUDO, **where, "AWS::NoValue": _NOTHING}
        for name, declared in template["Parameters"].items():
            self._values[name] = _allowed(name, declared, parameters)
        if broken := list(self._broken_rules()):
            raise ValueError("; ".join(broken))
        self.resources: dict[str, dict[str, Any]] = {
            name: self._resolve(resource)
            for name, resource in template["Resources"].items()
            if self._holds(resource.get("Condition"))
        }
        self.outputs: dict[str, str] = {
            name: self._resolve(output["Value"])
            for name, output in template["Outputs"].items()
            if self._holds(output.get("Condition"))
        }

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of a type, by name."""
        return {name: self[name] for name, each in self.resources.items() if each["Type"] == kind}

    def __getitem__(self, name: str) -> dict[str, Any]:
        """The properties of a resource."""
        properties: dict[str, Any] = self.resources[name]["Properties"]
        return properties

    def _broken_rules(self) -> Iterator[str]:
        for rule in self._template["Rules"].values():
            if "RuleCondition" not in rule or self._resolve(rule["RuleCondition"]):
                for each in rule["Assertions"]:
                    if not self._resolve(each["Assert"]):
                        yield each["AssertDescription"]

    def _holds(self, condition: str | None) -> bool:
        if condition is None:
            return True
        return bool(self._resolve(self._template["Conditions"][condition]))

    def _resolve(self, node: Any) -> Any:
        match node:
            case dict() if len(node) == 1 and (function := next(iter(node))) in _FUNCTIONS:
                return _FUNCTIONS[function](self, node[function])
            case dict():
                entries = {key: self._resolve(value) for key, value in node.items()}
                return {key: value for key, value in entries.items() if value is not _NOTHING}
            case list():
                return [each for each in map(self._resolve, node) if each is not _NOTHING]
        return node

    def _ref(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        self._expect(name)
        return name

    def _get_att(self, path: list[str] | str) -> str:
        name, attribute = path if isinstance(path, list) else path.split(".", 1)
        self._expect(name)
        return f"{name}.{attribute}"

    def _expect(self, name: str) -> None:
        """A resource that is left out cannot be referred to."""
        resource = self._template["Resources"][name]
        assert self._holds(resource.get("Condition")), f"{name} is left out, and referred to"

    def _sub(self, told: Any) -> str:
        text, words = told if isinstance(told, list) else (told, {})
        found = {key: self._resolve(value) for key, value in words.items()}

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in found:
                return str(found[name])
            is_attribute = "." in name
            return str(self._get_att(name) if is_attribute else self._ref(name))

        return _VARIABLE.sub(value, text)

    def _find_in_map(self, told: list[Any]) -> Any:
        name, first, second = map(self._resolve, told)
        return self._template["Mappings"][name][str(first)][str(second)]


_FUNCTIONS: dict[str, Callable[[TemplateStack, Any], Any]] = {
    "Ref": TemplateStack._ref,
    "Condition": TemplateStack._holds,
    "Fn::GetAtt": TemplateStack._get_att,
    "Fn::Sub": TemplateStack._sub,
    "Fn::If": lambda stack, told: stack._resolve(told[1 if stack._holds(told[0]) else 2]),
    "Fn::FindInMap": TemplateStack._find_in_map,
    "Fn::Equals": lambda stack, told: len({str(stack._resolve(each)) for each in told}) == 1,
    "Fn::Not": lambda stack, told: not stack._resolve(told[0]),
    "Fn::And": lambda stack, told: all(map(stack._resolve, told)),
    "Fn::Or": lambda stack, told: any(map(stack._resolve, told)),
    "Fn::Split": lambda stack, told: stack._resolve(told[1]).split(told[0]),
}


def _allowed(name: str, declared: Mapping[str, Any], told: Mapping[str, object]) -> str:
    """A parameter's value, if CloudFormation would take it."""
    if name not in told and "Default" not in declared:
        message = f"{name} is missing"
        raise ValueError(message)
    value = str(told.get(name, declared.get("Default")))
    if broken := list(_broken(value, declared)):
        message = f"{name} is {value!r}, against {', '.join(broken)}"
        raise ValueError(message)
    return value


def _broken(value: str, declared: Mapping[str, Any]) -> Iterator[str]:
    if value not in map(str, declared.get("AllowedValues", [value])):
        yield "AllowedValues"
    if not re.fullmatch(declared.get("AllowedPattern", ".*"), value):
        yield "AllowedPattern"
    if len(value) > declared.get("MaxLength", len(value)):
        yield "MaxLength"
    if declared["Type"] == "Number":
        number = int(value)
        if not declared.get("MinValue", number) <= number <= declared.get("MaxValue", number):
            yield "MinValue and MaxValue"
