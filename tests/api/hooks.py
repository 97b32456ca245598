"""What schemathesis cannot read from the API's description: the rules that OpenAPI cannot state."""

import time

import schemathesis

MS_PER_S = 1_000
INT64_MAX = 2**63 - 1
KEY = "idempotency-key"


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """See to these rules; whatever else is wrong with a request stays wrong."""
    if isinstance(case.body, dict):
        _write_integers_as_such(case.body)
        _put_at_in_the_past(case.body, case.headers or {})


def _write_integers_as_such(body):
    """To JSON Schema 5.0 is an integer; the API takes 5 only, as floats end at 2^53."""
    for name, value in body.items():
        if isinstance(value, float) and value.is_integer():
            body[name] = int(value)


def _put_at_in_the_past(body, headers):
    """It needs an Idempotency-Key, and must not lie in the future."""
    if type(body.get("at")) is not int:
        return
    if not any(name.lower() == KEY for name in headers):
        del body["at"]
    elif 0 < body["at"] <= INT64_MAX:
        body["at"] = min(body["at"], int(time.time() * MS_PER_S))
