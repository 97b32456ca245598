"""Which region a client of AWS is for: what boto3 knows, else AWS_REGION, else the queue's URL."""

import contextlib

import botocore.exceptions as boto
import pytest

from tally import aws
from tally.publishing.errors import UnsentError
from tally.publishing.publisher import Publisher
from tally.publishing.sending import Pacer

HERE = "https://sqs.eu-west-1.amazonaws.com/123456789012/counters"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def region(queue_url=""):
    with contextlib.closing(aws.connect("sqs", queue_url=queue_url)) as client:
        return client.meta.region_name


@pytest.mark.parametrize(
    ("url", "of_it"),
    [
        (HERE, "eu-west-1"),
        ("https://sqs.us-gov-west-1.amazonaws.com/1/a.fifo", "us-gov-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/a", "cn-north-1"),
        ("https://sqs-fips.us-east-1.amazonaws.com/1/a", "us-east-1"),
        ("https://sqs.eu-west-1.api.aws/1/a", "eu-west-1"),
        ("https://vpce-1.sqs.eu-west-3.vpce.amazonaws.com/1/a", "eu-west-3"),
        ("https://eu-central-1.queue.amazonaws.com/1/a", "eu-central-1"),
    ],
)
def test_a_region_that_nobody_set_is_the_queues(url, of_it):
    assert region(url) == of_it


def test_what_is_set_comes_before_the_queues_url(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    assert region() == region(HERE) == "eu-west-2"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert region() == region(HERE) == "eu-west-3"


def test_a_profiles_region_comes_first_as_boto3_has_it(monkeypatch, tmp_path):
    path = tmp_path / "config"
    path.write_text("[default]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    assert region(HERE) == "eu-north-1"


@pytest.mark.parametrize(
    "url", ["", "nonsense", "http://127.0.0.1:9324/1/a", "https://sqs.example.com/eu-west-1/a"]
)
def test_where_nobody_names_a_region_the_error_says_where_it_is_looked_for(url):
    with pytest.raises(boto.NoRegionError) as raised:
        region(url)
    assert str(raised.value) == (
        "there is no region: set AWS_REGION, since no other variable, profile or queue URL names it"
    )
    assert aws.described(raised.value) == f"UnknownRegionError: {raised.value}"


def test_a_publisher_takes_the_region_of_its_queue(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    reasons = {}
    for url in ("http://127.0.0.1:1/1/a", HERE):
        publisher = Publisher(url, pacer=Pacer(patience_s=0))
        publisher.publish("a")
        with pytest.raises(UnsentError) as raised:
            publisher.close()
        [reasons[url]] = raised.value.reasons
    assert [reason.partition(":")[0] for reason in reasons.values()] == [
        "UnknownRegionError",
        "EndpointConnectionError",
    ]
