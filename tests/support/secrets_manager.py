"""Secrets Manager over HTTP on loopback, which answers every request as it is told to."""

import contextlib
import json

from tests.support.http_servers import served

QUOTED = "x-amz-security-token:the-sessions-token"
REFUSAL = {
    "__type": "InvalidSignatureException",
    "message": f"The Canonical String for this request should have been '{QUOTED}'",
}


@contextlib.contextmanager
def secrets_manager(status, answer):
    """Secrets Manager, which answers as told: the environment that leads there, what is asked."""
    asked = []

    def told(request):
        asked.append(request.get_json(force=True))
        return status, json.dumps(answer)

    with served(told) as url:
        yield {"AWS_ENDPOINT_URL_SECRETS_MANAGER": url}, asked
