"""The template on MiniStack: increments, bad messages and requests, until the counts are exact.

The packages are those of `sam build`, for this machine; the template is what SAM made of it.
"""

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infrastructure.check.checking import expect, say, wait_until
from infrastructure.check.deployment import deploy, remove
from infrastructure.check.ministack import MiniStack, ministack
from tally.local.momento.server import MomentoServer
from tally.publishing.publisher import Publisher
from tally.reading.reader import Reader
from tally.stores.dynamodb.store import DynamoStore

CACHE = "tally"
INCREMENTS = 1_000
COUNTERS = 10
REPEATED = 3
"""Every third increment is sent twice."""

MAX = 5
"""The bound of one more counter, which is asked for twice as much."""

BAD = ('{"counter":"bad","amount":"1"}', "no JSON", '{"amount":1}')
VISIBILITY_S = 2
"""Instead of the template's three minutes, so that five receives of a bad message are soon over."""

MAX_COUNTING_S = 120
MAX_ANSWER_S = 30
KINDS = {
    "standard": {"QueueType": "standard"},
    "fifo": {"QueueType": "fifo", "ApiCorsOrigin": "https://app.example.com"},
    "durable": {"CounterTable": "create"},
}
"""The parameters of each deployment: both queues, one with an API for the pages of an origin, and a
table with Momento for its cache."""

KEYLESS_STATUS, ACCEPTED, OK = 403, 202, 200


def check(kind: str, zips: Mapping[str, bytes], log: Path) -> None:
    """Deploy with the parameters of a kind, and see everything counted once.

    Args:
        kind: of KINDS.
        zips: the package of each function.
        log: of MiniStack and the functions.

    Raises:
        CheckFailedError: something is not as it should be.
    """
    with MomentoServer(caches=[CACHE]) as server, ministack(log) as aws:
        momento = server.endpoint
        outputs = deploy(aws, zips, momento, KINDS[kind])
        queue = aws.client("sqs")
        _check_visibility(aws, outputs)
        visibility = {"VisibilityTimeout": str(VISIBILITY_S)}
        queue.set_queue_attributes(QueueUrl=outputs["QueueUrl"], Attributes=visibility)
        _publish(queue, outputs["QueueUrl"])
        expected = {f"c{n}": INCREMENTS // COUNTERS for n in range(COUNTERS)} | {"bounded": MAX}
        with _reader(aws, outputs, momento) as reader:
            wait_until(
                lambda: reader.counts(expected) == expected, MAX_COUNTING_S, "the counts are wrong"
            )
            say(kind, f"{len(expected)} counters exact")
            if _table(outputs):
                _check_copies(kind, momento, expected)
            _check_dead_letters(queue, outputs["DeadLetterQueueUrl"])
            say(kind, f"{len(BAD)} bad messages in the dead letters, and no other")
            _check_serving(kind, aws, outputs, reader)
            wait_until(lambda: _is_empty(queue, outputs["QueueUrl"]), MAX_COUNTING_S, "not empty")
            expect(reader.counts(expected) == expected, "the counts changed afterwards")
            say(kind, "the queue is empty, and the counts are the same: nothing counted twice")
            if _table(outputs):
                remove(aws)
                expect(reader.counts(expected) == expected, "the table went with the stack")
                say(kind, "the stack is removed, and the table has the counts")


def _check_serving(kind: str, aws: MiniStack, outputs: Mapping[str, str], reader: Reader) -> None:
    _check_api(aws, outputs, reader)
    say(kind, "the API refuses who has no key, and counts for who has it")
    if "ApiCorsOrigin" in KINDS[kind]:
        _check_pages(aws, outputs)
        say(kind, "a browser may ask by OPTIONS without a key, and by nothing else")
    _check_rotation(aws, outputs)
    say(kind, "a client's key is rotated without a gap: both are let in, then the new one")


def _table(outputs: Mapping[str, str]) -> str:
    """The name of the table that decides; empty if there is none."""
    _, *words = outputs["ExportCommand"].split()
    return dict(word.split("=", 1) for word in words).get("COUNTER_TABLE", "")


def _reader(aws: MiniStack, outputs: Mapping[str, str], momento: str) -> Reader:
    """Reads the counts where they are decided: in the table, or else in Momento."""
    if table := _table(outputs):
        return Reader(DynamoStore(table, connect=lambda: aws.client("dynamodb")))
    return _of_momento(momento)


def _of_momento(momento: str) -> Reader:
    return Reader.from_environment({"MOMENTO_CACHE_NAME": CACHE, "MOMENTO_LOCAL": momento})


def _check_copies(kind: str, momento: str, expected: Mapping[str, int]) -> None:
    """The cache has some, none of them ahead of the table; nobody promises more."""
    with _of_momento(momento) as cache:
        copies = {
            name: count for name, count in cache.counts(expected).items() if count is not None
        }
    expect(copies, "the cache has no copy of the table's counters")
    expect(all(expected[name] >= count for name, count in copies.items()), "a copy is ahead")
    say(kind, f"the cache has copies of {len(copies)} of them")


def _check_visibility(aws: MiniStack, outputs: Mapping[str, str]) -> None:
    """The rule once more, on what stands there: 6 x timeout + window."""
    functions = aws.client("lambda")
    [source] = functions.list_event_source_mappings()["EventSourceMappings"]
    function = functions.get_function_configuration(FunctionName=source["FunctionArn"])
    asked = {"QueueUrl": outputs["QueueUrl"], "AttributeNames": ["VisibilityTimeout"]}
    found = aws.client("sqs").get_queue_attributes(**asked)["Attributes"]["VisibilityTimeout"]
    window_s = int(source.get("MaximumBatchingWindowInSeconds", 0))
    expect(
        int(found) == 6 * int(function["Timeout"]) + window_s,
        "the visibility timeout is not six timeouts and the window",
    )


def _publish(queue: Any, url: str) -> None:  # noqa: ANN401 (a client of boto3)
    """Publish good increments, some of them twice, and bad messages."""
    with Publisher(url, client=queue) as publisher:
        sent = [publisher.publish(f"c{number % COUNTERS}") for number in range(INCREMENTS)]
        for _ in range(2 * MAX):
            publisher.publish("bounded", max=MAX)
        publisher.flush()
        for increment in sent[::REPEATED]:
            publisher.publish_again(increment)
    for number, body in enumerate(BAD):
        group = {"MessageGroupId": f"bad-{number}", "MessageDeduplicationId": f"bad-{number}"}
        queue.send_message(
            QueueUrl=url, MessageBody=body, **(group if url.endswith(".fifo") else {})
        )


def _is_empty(queue: Any, url: str) -> bool:  # noqa: ANN401 (a client of boto3)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = queue.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return all(int(found[name]) == 0 for name in names)


def _check_dead_letters(queue: Any, url: str) -> None:  # noqa: ANN401 (a client of boto3)
    found: Counter[str] = Counter()

    def all_there() -> bool:
        answer = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        found.update(message["Body"] for message in answer.get("Messages", []))
        return len(found) >= len(BAD)

    wait_until(all_there, MAX_COUNTING_S, "the bad messages are not in the dead letters")
    expect(set(found) == set(BAD), "there are other dead letters than the bad messages")


def _check_api(aws: MiniStack, outputs: Mapping[str, str], reader: Reader) -> None:
    key_id = outputs["ApiKeyCommand"].split("--api-key ")[1].split()[0]
    key = aws.client("apigateway").get_api_key(apiKey=key_id, includeValue=True)["value"]
    address = _address(aws, outputs)
    expect(_ask(address, None)[0] == KEYLESS_STATUS, "the API answers without a key")
    status, answer = _ask(f"{address}/increments", key, {"amount": 3})
    expect(status == ACCEPTED, f"the API does not take an increment: {status} {answer}")
    wait_until(lambda: reader.count("by-http") == 3, MAX_COUNTING_S, "not counted over HTTP")  # noqa: PLR2004 (as asked)
    status, answer = _ask(address, key)
    expect(
        (status, json.loads(answer).get("count")) == (OK, 3),
        f"the API does not tell the count: {status} {answer}",
    )


def _check_pages(aws: MiniStack, outputs: Mapping[str, str]) -> None:
    """What a browser asks before a page may goes without a key, and nothing else does.

    MiniStack does not read from the API's definition what is answered there.
    """
    address = _address(aws, outputs)
    expect(_ask(address, None, method="OPTIONS")[0] == OK, "OPTIONS needs a key")
    expect(_ask(address, None)[0] == KEYLESS_STATUS, "the API answers a page without a key")


def _address(aws: MiniStack, outputs: Mapping[str, str]) -> str:
    """The counter's, at the API that MiniStack serves."""
    api = outputs["ApiUrl"].removeprefix("https://").split(".")[0]
    return f"{aws.url}/restapis/{api}/v1/_user_request_/counters/by-http"


def _check_rotation(aws: MiniStack, outputs: Mapping[str, str]) -> None:
    """The steps of docs/http-api.md, "A client's key, and a new one"; each asks with both keys.

    But for one: MiniStack goes on to let in a key that is disabled.
    """
    gateway = aws.client("apigateway")
    plan = outputs["ApiUsagePlanId"]
    old, new = _client_key(gateway, plan, "shop-1"), _client_key(gateway, plan, "shop-2")
    address = _address(aws, outputs)

    def statuses() -> tuple[int, int]:
        return _ask(address, old["value"])[0], _ask(address, new["value"])[0]

    expect(statuses() == (OK, OK), "one of two keys of a plan is not let in")
    gateway.delete_api_key(apiKey=old["id"])
    expect(statuses() == (KEYLESS_STATUS, OK), "a key that is gone is let in, or the new one not")


def _client_key(gateway: Any, plan: str, name: str) -> Any:  # noqa: ANN401 (a client of boto3)
    """A key of the usage plan: its id and its value."""
    key = gateway.create_api_key(name=name, enabled=True)
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    return gateway.get_api_key(apiKey=key["id"], includeValue=True)


def _ask(
    address: str, key: str | None, body: object = None, *, method: str | None = None
) -> tuple[int, str]:
    headers = {"content-type": "application/json"} | ({"x-api-key": key} if key else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310 (our own address)
    try:
        with urllib.request.urlopen(request, timeout=MAX_ANSWER_S) as answer:  # noqa: S310 (as above)
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
