"""SQS on loopback: what a program finds there, and how its process ends."""

import contextlib
import http.client
import io
import json
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError
from urllib3 import HTTPResponse

from tally.aws import connect
from tally.local.child import ChildError
from tally.local.sqs.aws import create_queues, proxy_variables, sqs_client
from tally.local.sqs.queue import Depth, LocalQueue
from tally.local.sqs.server import make_sqs_server

WAIT_S = 10


@pytest.fixture
def queue():
    with LocalQueue(max_receive_count=1) as queue:
        yield queue


def running(*arguments: str, env: Any = None) -> Any:
    pipe = subprocess.PIPE
    return subprocess.Popen(  # noqa: S603 - our own programs
        [sys.executable, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, env=env
    )


def receive(queue, url, wait_s=WAIT_S):
    answer = queue.client().receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s
    )
    return [message["Body"] for message in answer.get("Messages", [])]


def test_a_sent_message_is_visible_then_in_flight_then_a_dead_letter(queue):
    queue.client().send_message(QueueUrl=queue.queue_url, MessageBody="one")
    assert queue.depth() == Depth(visible=1, in_flight=0, dead=0, dead_in_flight=0)
    [message] = queue.client().receive_message(QueueUrl=queue.queue_url)["Messages"]
    assert message["Body"] == "one"
    assert queue.depth() == Depth(visible=0, in_flight=1, dead=0, dead_in_flight=0)
    queue.client().change_message_visibility(
        QueueUrl=queue.queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
    )
    assert receive(queue, queue.queue_url, wait_s=0) == []
    assert queue.depth() == Depth(visible=0, in_flight=0, dead=1, dead_in_flight=0)
    assert receive(queue, queue.dead_letter_url) == ["one"]
    assert queue.depth() == Depth(visible=0, in_flight=0, dead=0, dead_in_flight=1)


def test_a_long_poll_ends_with_the_message_that_another_thread_sends(queue):
    with ThreadPoolExecutor() as pool:
        polled = pool.submit(receive, queue, queue.queue_url)
        queue.client().send_message(QueueUrl=queue.queue_url, MessageBody="late")
        assert polled.result(WAIT_S) == ["late"]


def test_a_program_needs_only_these_variables(queue):
    assert queue.variables == {
        "AWS_ENDPOINT_URL_SQS": queue.endpoint_url,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    program = "import boto3; boto3.client('sqs').get_queue_url(QueueName='tally-increments')"
    environment = {"HOME": "/nowhere"} | queue.variables
    with running("-c", program, env=environment) as process:
        assert process.wait(WAIT_S) == 0


def test_the_client_reads_no_profile_and_no_proxy_of_the_user(queue, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere/config")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = sqs_client(queue.endpoint_url)
    answer = client.get_queue_url(QueueName="tally-increments")
    client.close()
    assert answer["QueueUrl"] == queue.queue_url


def test_the_client_waits_as_long_and_tries_as_often_as_one_of_aws(queue, monkeypatch):
    for name, value in queue.variables.items():
        monkeypatch.setenv(name, value)
    closing = contextlib.closing
    with closing(sqs_client(queue.endpoint_url)) as local, closing(connect("sqs")) as real:
        configs: list[Any] = [local.meta.config, real.meta.config]
    told = [
        (each.connect_timeout, each.read_timeout, each.retries, each.max_pool_connections)
        for each in configs
    ]
    retries = {"mode": "standard", "total_max_attempts": 3}
    assert told == [(5, 30, retries, 32), (5, 30, retries, 10)]


def test_a_fifo_queue_keeps_a_group_back_while_a_message_of_it_is_in_flight():
    with LocalQueue(fifo=True) as queue:
        assert queue.queue_url.endswith("/tally-increments.fifo")
        for body in ("one", "two"):
            queue.client().send_message(
                QueueUrl=queue.queue_url,
                MessageBody=body,
                MessageGroupId="g",
                MessageDeduplicationId=body,
            )
        first = queue.client().receive_message(QueueUrl=queue.queue_url)["Messages"]
        assert [message["Body"] for message in first] == ["one"]
        assert receive(queue, queue.queue_url, wait_s=0) == []


def test_half_an_answer_counts_nothing(queue):
    body = HTTPResponse(io.BytesIO(), preload_content=False)
    half = AWSResponse(queue.endpoint_url, 200, HTTPHeaders(), body)
    events, name = queue.client().meta.events, "before-send.sqs.GetQueueAttributes"
    before = queue.depth()
    events.register_first(name, give := lambda **_: half)
    try:
        with pytest.raises(ConnectionClosedError):
            queue.depth()
    finally:
        events.unregister(name, give)
    assert queue.depth() == before


def test_an_interrupted_start_leaves_no_server(started):
    def interrupt(frame, event, _argument):
        if event == "call" and frame.f_code.co_name == "sqs_client":
            raise KeyboardInterrupt

    sys.setprofile(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt), LocalQueue():
            pytest.fail("it has started")
    finally:
        sys.setprofile(None)
    assert started() == {}


def test_a_stopped_queue_has_no_process_and_no_address():
    queue = LocalQueue()
    with queue:
        alive = queue.is_alive
        port = int(queue.endpoint_url.rpartition(":")[2])
    assert (alive, queue.is_alive) == (True, False)
    for address in (queue.client, lambda: queue.queue_url):
        with pytest.raises(ChildError, match="the local SQS is not running"):
            address()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_taken_port_is_an_error_at_once(queue):
    taken = int(queue.endpoint_url.rpartition(":")[2])
    with (
        pytest.raises(ChildError, match=r"tally\.local\.sqs\.queue did not start"),
        LocalQueue(port=taken),
    ):
        pass


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_program_ends_with_status_0_at_a_signal(how):
    with running("-m", "tally.local.sqs.queue", "--exit-with-parent") as server:
        assert json.loads(server.stdout.readline()).keys() == {
            "endpoint_url",
            "queue_url",
            "dead_letter_url",
        }
        server.send_signal(how)
        assert (server.wait(WAIT_S), server.stderr.read()) == (0, b"")


def test_the_server_ends_with_a_parent_that_is_killed():
    program = """if True:
        from tally.local.sqs.queue import LocalQueue
        with LocalQueue() as queue:
            print(queue.queue_url, flush=True)
            input()
    """
    with running("-c", program) as parent:
        assert parent.stdout.readline().endswith(b"/tally-increments\n")
        parent.kill()
        # The server has inherited stderr: it ends when both have.
        assert parent.communicate(timeout=WAIT_S) == (b"", b"")


@pytest.fixture(scope="module")
def in_process():
    server = make_sqs_server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    client = sqs_client(f"http://{server.host}:{server.port}")
    yield client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_no_send_and_no_delete_is_lost_when_threads_do_both_at_once(in_process):
    url = create_queues(in_process).queue_url
    sent = Counter(str(number) for number in range(40))
    received: Counter[str] = Counter()

    def send(body):
        in_process.send_message(QueueUrl=url, MessageBody=body)

    def consume(_thread):
        while received.total() < sent.total():
            answer = in_process.receive_message(QueueUrl=url)
            for message in answer.get("Messages", []):
                in_process.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                received[message["Body"]] += 1

    with ThreadPoolExecutor() as pool:
        sends, consumers = pool.map(send, sent), pool.map(consume, range(3))
        assert [*sends, *consumers] == [None] * 43
    assert received == sent
    assert depth_of(in_process, url) == [0, 0]


def post(client, url, **headers):
    """Send a message as a program without an SDK may; status, and who else may read the answer."""
    host, port = client.meta.endpoint_url.removeprefix("http://").split(":")
    body = json.dumps({"QueueUrl": url, "MessageBody": "posted"})
    scope = f"testing/20260101/{client.meta.region_name}/sqs/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "AmazonSQS.SendMessage",
    } | headers
    with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=WAIT_S)) as opened:
        is_chunked = "Transfer-Encoding" in headers
        opened.request(
            "POST", "/", [body.encode()] if is_chunked else body, headers, encode_chunked=is_chunked
        )
        response = opened.getresponse()
        response.read()
        return response.status, response.getheader("Access-Control-Allow-Origin")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": ""},
    ],
)
def test_a_page_in_a_browser_can_neither_send_nor_read(in_process, headers):
    url = in_process.create_queue(QueueName="private")["QueueUrl"]
    assert post(in_process, url, **headers) == (403, None)
    assert depth_of(in_process, url) == [0, 0]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:4566"])
def test_a_program_may_send_by_either_name_of_loopback(in_process, host):
    url = in_process.create_queue(QueueName=host.partition(":")[0].replace(".", "-"))["QueueUrl"]
    assert post(in_process, url, Host=host)[0] == 200
    assert depth_of(in_process, url) == [1, 0]


def old_protocol(client, **form):
    """Ask as SDKs did before 2023: a form, answered in XML."""
    host, port = client.meta.endpoint_url.removeprefix("http://").split(":")
    scope = f"testing/20260101/{client.meta.region_name}/sqs/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
    }
    body = urlencode(form | {"Version": "2012-11-05"})
    with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=WAIT_S)) as opened:
        opened.request("POST", "/", body, headers)
        return ET.fromstring(opened.getresponse().read())  # noqa: S314 (our own server)


def test_a_long_poll_of_an_old_sdk_keeps_nobody_waiting(in_process):
    url = in_process.create_queue(QueueName="old")["QueueUrl"]
    ask = partial(old_protocol, in_process, Action="ReceiveMessage", QueueUrl=url)
    with ThreadPoolExecutor() as pool:
        polled = pool.submit(ask, WaitTimeSeconds=WAIT_S, MaxNumberOfMessages=1)
        old_protocol(in_process, Action="SendMessage", QueueUrl=url, MessageBody="a&<b>")
        bodies = [found.text for found in polled.result(WAIT_S / 2).iterfind(".//{*}Body")]
    assert bodies == ["a&<b>"]
    assert ask(WaitTimeSeconds=0).find(".//{*}Message") is None
    assert depth_of(in_process, url) == [0, 1]


def test_a_body_in_chunks_is_read_to_its_end(in_process):
    url = in_process.create_queue(QueueName="chunks")["QueueUrl"]
    assert post(in_process, url, **{"Transfer-Encoding": "chunked"})[0] == 200
    assert depth_of(in_process, url) == [1, 0]


def depth_of(sqs, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return [int(answer["Attributes"][name]) for name in names]


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "127.0.0.1"),
        ({"NO_PROXY": "intranet"}, "intranet,127.0.0.1"),
        ({"no_proxy": "127.0.0.1,intranet", "NO_PROXY": "other"}, "127.0.0.1,intranet"),
    ],
)
def test_no_proxy_stands_between_a_program_and_the_local_stack(environment, told):
    assert proxy_variables(environment) == {"no_proxy": told, "NO_PROXY": told}
