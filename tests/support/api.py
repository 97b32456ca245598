"""The HTTP API over peers of SQS and Momento: what it answers, and what it published and logged."""

import base64
import json

from producer.routes import build
from tally.counters.outcome import Outcome
from tests.support.log import Log
from tests.support.sqs import FakeSqs, publisher, told

EVENT = "0000000000000001:0:1790000000000"
NO_STORE = ("Cache-Control", "no-store")


class FakeReader:
    """Counts and outcomes as given; an exception among them is raised."""

    def __init__(self, counts=None, outcome=Outcome.PENDING):
        self.known = counts or {}
        self.answer = outcome
        self.asked = []

    def counts(self, names, *, consistent=False):
        self.asked.append(("consistent", *names) if consistent else names)
        return {name: told(self.known.get(name)) for name in names}

    def outcome(self, counter, event):
        self.asked.append((counter, event))
        return told(self.answer)


class Called:
    """An API, and what it did."""

    def __init__(self, *script, counts=None, outcome=Outcome.PENDING, **options):
        self.sqs = FakeSqs(*script)
        self.reader = FakeReader(counts, outcome)
        self._log = Log()
        defaults = {"publisher": publisher(self.sqs), "reader": self.reader}
        options = defaults | options
        self.app = build(logger=self._log.logger, **options)

    def __call__(self, *arguments, **options):
        """Ask, and get status, headers and body."""
        return answered(self.app.resolve(event(*arguments, **options), None))

    @property
    def published(self):
        return [one for body in self.sqs.bodies for one in json.loads(body)]

    @property
    def log(self):
        return self._log.lines


def event(method, path, body=None, *, headers=None, query=None, full=""):
    """A request as a REST API hands it on: bytes in base64; `full` is its path with the stage."""
    headers, query = headers or {}, query or []
    values = {name: [value for key, value in query if key == name] for name, _ in query}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers or None,
        "multiValueHeaders": {name: [value] for name, value in headers.items()} or None,
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": values or None,
        "requestContext": {"path": full or path, "stage": "prod", "requestId": "r-1"},
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": isinstance(body, bytes),
    }


def answered(response):
    """The whole of a response: status, headers, and its JSON."""
    assert (set(response), response["isBase64Encoded"]) == (
        {"statusCode", "body", "isBase64Encoded", "multiValueHeaders"},
        False,
    )
    headers = {
        (name, value) for name, many in response["multiValueHeaders"].items() for value in many
    }
    return response["statusCode"], headers, json.loads(response["body"])


def found(body):
    """The answer to a read."""
    return 200, {NO_STORE, ("Content-Type", "application/json")}, body


def accepted(counter, link, event=EVENT):
    """The answer to what the queue confirmed."""
    location = f"{link}/increments/{event}"
    headers = {NO_STORE, ("Content-Type", "application/json"), ("Location", location)}
    return 202, headers, {"event": event, "counter": counter, "outcome": location}


def problem(status, name, title, detail, *headers, **more):
    """The answer to what cannot be done."""
    body = {"type": f"urn:tally:{name}", "title": title, "status": status, "detail": detail, **more}
    return status, {NO_STORE, ("Content-Type", "application/problem+json"), *headers}, body


def invalid(*errors):
    """The answer to a request with these things wrong: (field, reason, value)."""
    listed = [
        {"field": field, "reason": reason} | ({"value": value} if value else {})
        for field, reason, value in errors
    ]
    detail = "; ".join(f"{field} {reason}" for field, reason, _ in errors)
    return problem(422, "invalid", "The request breaks the contract", detail, errors=listed)
