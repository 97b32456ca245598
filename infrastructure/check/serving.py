"""The HTTP API's package as Lambda runs it, and the consumer's behind it: from POST to GET."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from infrastructure.check.checking import expect_same, say
from infrastructure.check.emulator import Emulator, emulator
from infrastructure.check.events import QUEUE_ARN, batch, failures, request
from infrastructure.check.function import API, CONSUMER, function
from tally.local.http.event import http_response
from tally.local.lambda_.sqs_event import sqs_record
from tally.local.momento.server import MomentoServer
from tally.local.sqs.queue import LocalQueue

CACHE = "tally"
COUNTER, AMOUNT = "by-http", 3
POLL_S = 5


def check(packages: Mapping[str, Path], folder: Path) -> None:
    """Ask the API as API Gateway does, and have the consumer count what it sends.

    Args:
        packages: the folder of each function.
        folder: for logs.

    Raises:
        CheckFailedError: something is not as it should be.
    """
    with MomentoServer(caches=[CACHE]) as server, LocalQueue() as queue:
        told = {"MOMENTO_LOCAL": server.endpoint, "MOMENTO_CACHE_NAME": CACHE}
        asked = {**told, **queue.variables, "SQS_QUEUE_URL": queue.queue_url}
        with emulator(function(API, packages, asked), folder) as api:
            event, duration_s = _check_post(api)
            consumer = function(CONSUMER, packages, told)
            with emulator(consumer, folder) as started:
                _check_counted(started, queue)
            _check_read(api, event)
            peak = f"{duration_s * 1_000:,.0f} ms when cold, and at most {api.peak_mib():.0f} MiB"
            say(API, f"POST, the consumer's count, GET: exact; {peak}")
    _check_set_up(packages, folder)


def _check_post(api: Emulator) -> tuple[str, float]:
    """Publish an increment; its event's name, and how long a cold function took."""
    path = f"/counters/{COUNTER}/increments"
    answer = api.invoke(request("POST", path, {"amount": AMOUNT}))
    status, body = _read(answer.body)
    event = body.get("event", "")
    expected = {"event": event, "counter": COUNTER, "outcome": f"{path}/{event}"}
    expect_same((status, body), (HTTPStatus.ACCEPTED, expected), "the answer to a POST")
    return event, answer.duration_s


def _check_counted(consumer: Emulator, queue: LocalQueue) -> None:
    """The one message that the API has sent, through the consumer."""
    received = queue.client().receive_message(
        QueueUrl=queue.queue_url,
        WaitTimeSeconds=POLL_S,
        MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
    )
    records = [sqs_record(message, QUEUE_ARN) for message in received.get("Messages", [])]
    expect_same(len(records), 1, "the messages that the API sent")
    expect_same(consumer.invoke(batch(records)).body, failures([]), "the consumer's answer")


def _check_read(api: Emulator, event: str) -> None:
    """What a caller sees: the count, what became of the increment, and a problem."""
    missing = {
        "type": "urn:tally:no-counter",
        "title": "There is no counter of this name",
        "status": 404,
        "detail": "it never was, or it has expired",
    }
    for path, status, body in (
        (f"/counters/{COUNTER}", HTTPStatus.OK, {"counter": COUNTER, "count": AMOUNT}),
        (f"/counters/{COUNTER}/increments/{event}", HTTPStatus.OK, {"outcome": "applied"}),
        ("/counters/nobodys", HTTPStatus.NOT_FOUND, missing),
    ):
        answer = _read(api.invoke(request("GET", path)).body)
        expect_same(answer, (status, body), f"the answer to GET {path}")


def _check_set_up(packages: Mapping[str, Path], folder: Path) -> None:
    """Without settings the function fails, and says what it lacks."""
    message = (
        "SQS_QUEUE_URL must be set; MOMENTO_API_KEY or MOMENTO_API_KEY_SECRET must be set;"
        " MOMENTO_ENDPOINT must be set; MOMENTO_CACHE_NAME must be set"
    )
    with emulator(function(API, packages, {}), folder) as api:
        body = api.invoke(request("GET", f"/counters/{COUNTER}")).body
    said = (body.get("errorType"), body.get("errorMessage"))
    expect_same(said, ("SettingsError", message), "the error of a wrong set-up")
    say(API, f"wrong set-up: {message}")


def _read(answer: Mapping[str, Any]) -> tuple[int, Any]:
    """Status and body, as API Gateway would hand them on."""
    response = http_response(answer)
    return response.status_code, response.get_json(force=True)
