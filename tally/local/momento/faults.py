"""Errors and delays on demand: Momento Local's fault headers, as the SDKs' tests send them.

request-id     the session to which the counters below belong, the same for a whole test
return-error   a status in kebab case, for the calls in `error-rpcs` (separated by blanks),
               the first `error-count` times, or always
delay-ms       a wait before anything else, with `delay-rpcs` and `delay-count` likewise
error-phase    ours: `after` carries the call out and loses the answer; `before` is the default

A delayed call is carried out even if its caller has given up, as a slow server would.

Clients in production send none of these. For them the server itself can be given a plan.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import grpc

from tally.local.momento.errors import BAD_FAULT, Refusal, RefusedError, injected

MAX_COUNTERS = 4_096
"""How many counters of sessions are remembered; the least recently used goes first."""

MAX_COUNT = 1_000_000_000
"""The largest `error-count` and `delay-count`."""

MAX_DELAY_MS = 600_000
"""The longest delay: ten minutes is more than any SDK waits."""

STATUSES: Mapping[str, str] = {
    code.name.lower().replace("_", "-"): code.name
    for code in grpc.StatusCode
    if code is not grpc.StatusCode.OK
}
"""What `return-error` may say, and the gRPC status that it is."""

_RENAMED = {"SetIfNotExists": "set-if"}
_PHASES = ("before", "after")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to happen to one call; the delay comes first, whatever the phase of the error."""

    delay_s: float = 0.0
    error: Refusal | None = None
    after: bool = False


Plan = Callable[[str], Fault | None]
"""What befalls a data call that has no fault in its headers, by its name (`SetIfHash`). It is asked
in one thread, call by call as they arrive."""


def fair_weather(_call: str) -> None:
    """The plan in which nothing happens."""


def fault_name(call: str) -> str:
    """How the headers name a call: `get-with-hash` for GetWithHash; SetIfNotExists is `set-if`."""
    return _RENAMED.get(call) or re.sub("(?<!^)(?=[A-Z])", "-", call).lower()


class Faults:
    """Draws the fault of each call from its headers, and counts. Only one thread may draw."""

    def __init__(self) -> None:
        self._drawn: OrderedDict[tuple[str, str, str], int] = OrderedDict()

    def draw(self, call: str, headers: Mapping[str, str]) -> Fault | None:
        """The fault of a call, by its name (`SetIfHash`); None if nothing is to happen."""
        if "return-error" not in headers and "delay-ms" not in headers:
            return None
        try:
            return self._draw(fault_name(call), headers)
        except RefusedError as error:
            return Fault(error=error.refusal)

    def _draw(self, call: str, headers: Mapping[str, str]) -> Fault:
        delay_s, error = 0.0, None
        phase = headers.get("error-phase", _PHASES[0])
        if phase not in _PHASES:
            raise RefusedError(BAD_FAULT.about("error-phase"))
        if "delay-ms" in headers and self._is_meant("delay", call, headers):
            delay_s = _number("delay-ms", headers, MAX_DELAY_MS) / 1000
        if "return-error" in headers and self._is_meant("error", call, headers):
            error = injected(_status(headers["return-error"]))
        return Fault(delay_s, error, after=phase == "after")

    def _is_meant(self, kind: str, call: str, headers: Mapping[str, str]) -> bool:
        if call not in headers.get(f"{kind}-rpcs", "").split():
            return False
        if f"{kind}-count" not in headers:
            return True
        limit = _number(f"{kind}-count", headers, MAX_COUNT)
        counter = (headers.get("request-id", ""), kind, call)
        drawn = self._drawn.pop(counter, 0)
        self._drawn[counter] = min(drawn + 1, limit)
        if len(self._drawn) > MAX_COUNTERS:
            self._drawn.popitem(last=False)
        return drawn < limit


def _number(header: str, headers: Mapping[str, str], limit: int) -> int:
    text = headers[header]
    if not text.isascii() or not text.isdigit() or len(text) > len(str(limit)) or int(text) > limit:
        raise RefusedError(BAD_FAULT.about(header))
    return int(text)


def _status(text: str) -> str:
    if text not in STATUSES:
        raise RefusedError(BAD_FAULT.about("return-error"))
    return STATUSES[text]
