"""What the HTTP API does at each path."""

from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from producer import openapi, problems
from producer.access import BY_KEY, Access
from producer.models import (
    Accepted,
    Consistent,
    Count,
    Counter,
    Counts,
    EventOf,
    FieldError,
    IdempotencyKey,
    IncrementBody,
    IncrementFields,
    Names,
    OutcomeOf,
    ResetBody,
    ResetFields,
)
from producer.problems import NOT_STORED, Kind, ProblemError, invalid, malformed, unconfirmed
from tally.counters.errors import shown
from tally.counters.event import Increment
from tally.counters.identity import identity_of
from tally.publishing.errors import UnsentError
from tally.publishing.publisher import Publisher
from tally.reading.reader import Reader

JSON = "application/json"


class Resolver(APIGatewayRestResolver):
    """Powertools' resolver, which takes forms for JSON; this one takes only JSON.

    Powertools' CORS would leave out answers to requests that it cannot read, so ours is here.

    Args:
        access: which pages may ask.
        options: of Powertools' own.
    """

    def __init__(self, access: Access, **options: Any) -> None:  # noqa: ANN401 (Powertools' own)
        super().__init__(**options)
        self._access = access

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 (Lambda's own)
        """Answer a request."""
        if self._access.cors_origin and event.get("httpMethod") == "OPTIONS":
            # In AWS, API Gateway answers this itself, since OPTIONS comes without a key.
            return _empty(self._access.preflight())
        request = _with_media_type(_with_merged_headers(event))
        response: dict[str, Any] = super().resolve(request, context)
        told = {name: [value] for name, value in self._access.answer().items()}
        response["multiValueHeaders"] = {**response["multiValueHeaders"], **told}
        return response


def build(
    publisher: Publisher,
    reader: Reader,
    *,
    logger: Logger,
    on_broken_setup: Callable[[], object] = lambda: None,
    on_published: Callable[[Increment], object] = lambda _: None,
    access: Access = BY_KEY,
) -> Resolver:
    """The API over a publisher and a reader.

    Args:
        publisher: used by nobody else, since its `flush` raises all that it could not send.
        reader: reads counts and outcomes.
        logger: Powertools' own, in JSON.
        on_broken_setup: called when the store refuses the key, which may have been rotated.
        on_published: called with each increment before the queue confirms it.
        access: how callers are let in, and from which pages.
    """
    # debug=False is explicit: POWERTOOLS_DEV would print each event, which holds x-api-key.
    app = Resolver(access, enable_validation=True, json_body_deserializer=_json_object, debug=False)
    problems.install(app, logger, on_broken_setup)
    _add_publishing(app, partial(_publish, publisher, on_published))
    _add_reading(app, reader)
    openapi.install(app, access.auth)
    return app


def _add_publishing(
    app: Resolver, publish: Callable[[APIGatewayProxyEvent, dict[str, Any]], Response[Accepted]]
) -> None:
    @app.post("/counters/<counter>/increments", **openapi.INCREMENT)
    def increment(
        counter: Counter, body: IncrementBody = None, idempotency_key: IdempotencyKey = None
    ) -> Response[Accepted]:
        fields = (body or IncrementFields()).model_dump(exclude_none=True)
        return publish(app.current_event, {"counter": counter, "id": idempotency_key, **fields})

    @app.post("/counters/<counter>/reset", **openapi.RESET)
    def reset(
        counter: Counter, body: ResetBody = None, idempotency_key: IdempotencyKey = None
    ) -> Response[Accepted]:
        fields = (body or ResetFields()).model_dump(exclude_none=True)
        fields["reset"] = fields.pop("to")
        return publish(app.current_event, {"counter": counter, "id": idempotency_key, **fields})


def _add_reading(app: Resolver, reader: Reader) -> None:
    @app.get("/counters", **openapi.COUNTS)
    def counts(name: Names, consistent: Consistent = False) -> Response[Counts]:  # noqa: FBT002 (a parameter of the query)
        return _found(Counts(counts=reader.counts(name, consistent=consistent)))

    @app.get("/counters/<counter>", **openapi.COUNT)
    def count(counter: Counter, consistent: Consistent = False) -> Response[Count]:  # noqa: FBT002 (a parameter of the query)
        found = reader.counts([counter], consistent=consistent)[counter]
        if found is None:
            raise ProblemError(Kind.NO_COUNTER, "it never was, or it has expired")
        return _found(Count(counter=counter, count=found))

    @app.get("/counters/<counter>/increments/<event>", **openapi.OUTCOME)
    def outcome(counter: Counter, event: EventOf) -> Response[OutcomeOf]:
        return _found(OutcomeOf(outcome=reader.outcome(counter, event)))


def _publish(
    publisher: Publisher,
    on_published: Callable[[Increment], object],
    request: APIGatewayProxyEvent,
    fields: dict[str, Any],
) -> Response[Accepted]:
    """Publish one event, and answer when the queue has confirmed it.

    Raises:
        ProblemError: the fields are wrong, or the queue has not confirmed.
        InvalidIncrementError: the fields break the contract.
    """
    stage = openapi.stage(request)  # it may fail, so it comes before publishing
    given = {name: value for name, value in fields.items() if value is not None}
    _check_time(given)
    increment = publisher.publish_fields(given)
    on_published(increment)
    accepted = _accepted(stage, increment)
    try:
        publisher.flush()
    except UnsentError as error:
        raise unconfirmed(accepted, is_named="id" in given) from error
    headers = {**NOT_STORED, "Location": accepted.outcome}
    return Response(HTTPStatus.ACCEPTED, JSON, accepted, headers)


def _check_time(given: Mapping[str, Any]) -> None:
    """Refuse a time without a key in the API's own words.

    Raises:
        ProblemError: there is one.
    """
    if "at" in given and "id" not in given:
        reason = "needs an Idempotency-Key"
        raise invalid([FieldError(field="at", reason=reason, value=str(given["at"]))])


def _accepted(stage: str, increment: Increment) -> Accepted:
    """The answer; its link keeps the stage."""
    event = identity_of(increment)
    link = f"{stage}/counters/{quote(increment.counter, safe=':')}/increments/{event}"
    return Accepted(event=event, counter=increment.counter, outcome=link)


def _found(body: Count | Counts | OutcomeOf) -> Response[Any]:
    return Response(HTTPStatus.OK, JSON, body, NOT_STORED)


def _empty(headers: Mapping[str, str]) -> dict[str, Any]:
    """An answer of headers alone, as Powertools gives them to Lambda."""
    return {
        "statusCode": int(HTTPStatus.NO_CONTENT),
        "body": "",
        "isBase64Encoded": False,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
    }


def _json_object(text: str) -> Any:  # noqa: ANN401 (null as well, which Powertools knows of)
    """Read a body. Powertools would take an array's first element for the body.

    Raises:
        ProblemError: it is not JSON, or neither an object nor null.
    """
    try:
        body = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise malformed(str(error)) from None
    if body is None or isinstance(body, dict):
        return body
    reason = "must be an object"
    raise invalid([FieldError(field="body", reason=reason, value=shown(body))])


def _with_merged_headers(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event, with all values of a header under its name in lower case.

    Of several spellings Powertools would keep the last, and silently drop an Idempotency-Key.
    """
    merged: dict[str, list[str]] = {}
    for name, values in (event.get("multiValueHeaders") or {}).items():
        merged.setdefault(name.lower(), []).extend(values)
    return {**event, "multiValueHeaders": merged}


def _with_media_type(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event, with any Content-Type other than JSON replaced by one that Powertools refuses.

    Powertools would read a form, a multipart and any type that begins with application/json.
    """
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    media_type = headers.get("content-type", JSON).partition(";")[0].strip().lower()
    headers["content-type"] = JSON if media_type == JSON else "unsupported"
    return {**event, "headers": headers}
