"""Who may ask the API, and from pages of which origin: as its own answers tell it.

API Gateway lets in or refuses, before this function is asked (`template.yaml`). What is here keeps
what the function says equal to that.
"""

import dataclasses
import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

ANY = "*"

_METHODS = "GET,POST"
_TAKEN = (
    "Authorization,Content-Type,Idempotency-Key,X-Amz-Content-Sha256,X-Amz-Date,"
    "X-Amz-Security-Token,X-Api-Key"
)
"""The headers that a page may send: the API's own, and those of each way to be let in."""

_SHOWN = "Location,Retry-After,x-amzn-RequestId"
"""The headers that a page may read, beside those that it always may."""

MAX_AGE_S = 600
"""How long a browser need not ask again, in seconds; Chrome takes two hours at most."""


class Auth(enum.StrEnum):
    """How a caller is let in; the template's ApiAuth."""

    KEY = "key"
    IAM = "iam"
    COGNITO = "cognito"


SCHEMES: Mapping[Auth, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        Auth.KEY: ("apiKey", {"name": "x-api-key", "in": "header"}),
        Auth.IAM: (
            "sigv4",
            {
                "name": "Authorization",
                "in": "header",
                "description": "Signature Version 4 of AWS, for the service execute-api",
                "x-amazon-apigateway-authtype": "awsSigv4",
            },
        ),
        Auth.COGNITO: (
            "cognito",
            {
                "name": "Authorization",
                "in": "header",
                "description": "the ID token of a user of the pool",
                "x-amazon-apigateway-authtype": "cognito_user_pools",
            },
        ),
    }
)
"""Each way's name and its security scheme in OpenAPI, all of the type apiKey, which is a header."""


@dataclasses.dataclass(frozen=True)
class Access:
    """Who may ask.

    Attributes:
        auth: how a caller is let in.
        cors_origin: whose pages may ask from a browser, one origin or ANY; empty for no page.
    """

    auth: Auth = Auth.KEY
    cors_origin: str = ""

    def preflight(self) -> dict[str, str]:
        """The headers of the answer to OPTIONS, by which a browser asks before a page may."""
        return {
            **self._allowed(),
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _TAKEN,
            "Access-Control-Max-Age": str(MAX_AGE_S),
        }

    def answer(self) -> dict[str, str]:
        """The headers of any other answer, errors too: without them a page could not read it."""
        if not self.cors_origin:
            return {}
        return {**self._allowed(), "Access-Control-Expose-Headers": _SHOWN}

    def _allowed(self) -> dict[str, str]:
        """Never with credentials: no cookie is of use here, and a key or token is a header."""
        allowed = {"Access-Control-Allow-Origin": self.cors_origin}
        return allowed if self.cors_origin == ANY else {**allowed, "Vary": "Origin"}


BY_KEY = Access()
"""As the template has it untold: with a key, and from no page."""
