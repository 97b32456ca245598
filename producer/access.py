"""Who may ask the API, and pages of which origin may, as the API's own answers say.

API Gateway lets callers in or refuses them before this function is called (`template.yaml`). This
module keeps the function's answers consistent with that.
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
"""The headers that a page may send: the API's own, and those of each kind of `Auth`."""

_SHOWN = "Location,Retry-After,x-amzn-RequestId"
"""The headers that a page may read, beside those that any page may always read."""

MAX_AGE_S = 600
"""How long a browser may keep the answer to OPTIONS, in seconds; Chrome's limit is two hours."""


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
"""The name and OpenAPI security scheme of each kind; all are of type apiKey, a header."""


@dataclasses.dataclass(frozen=True)
class Access:
    """Who may ask.

    Attributes:
        auth: how a caller is let in.
        cors_origin: the origin whose pages may ask from a browser, or ANY; empty for no page.
    """

    auth: Auth = Auth.KEY
    cors_origin: str = ""

    def preflight(self) -> dict[str, str]:
        """The headers of the answer to OPTIONS, which a browser sends before a page's request."""
        return {
            **self._allowed(),
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _TAKEN,
            "Access-Control-Max-Age": str(MAX_AGE_S),
        }

    def answer(self) -> dict[str, str]:
        """The headers of every other answer, errors included: without them no page can read it."""
        if not self.cors_origin:
            return {}
        return {**self._allowed(), "Access-Control-Expose-Headers": _SHOWN}

    def _allowed(self) -> dict[str, str]:
        """Credentials are never allowed: the API uses no cookie; a key or token is a header."""
        allowed = {"Access-Control-Allow-Origin": self.cors_origin}
        return allowed if self.cors_origin == ANY else {**allowed, "Vary": "Origin"}


BY_KEY = Access()
"""The template's default: with a key, and from no page."""
