"""Settings become a consumer: which channel, whose key, and nothing before it is needed."""

import contextlib
import json
import socket
import threading
import time
import traceback
from concurrent.futures import Future

import grpc
import pytest
from momento.auth import CredentialProvider

from consumer import wiring
from consumer.settings import ConsumerSettings
from tally import aws
from tally.environment import Cache, Local, Service, SettingsError
from tally.settling.progress import Activity
from tally.stores.errors import BrokenSetupError
from tally.stores.momento.connection import TLS_PORT, connect, credentials_for
from tally.stores.momento.store import MomentoStore
from tally.stores.secret import SECRET_PATIENCE
from tests.support.clock import START_S, Clock
from tests.support.consumers import ENDPOINT, KEY, Draws, api_key, make_momento
from tests.support.lambda_event import event, failures, increment, record
from tests.support.log import Log
from tests.support.momento import raw_server
from tests.support.momento_channel import CACHE, FakeChannel, Fault
from tests.support.secrets_manager import QUOTED, REFUSAL, secrets_manager
from tests.support.terminal import put_on

SECRET_NAME = "momento/api-key"  # noqa: S105 (the name of one)
WAIT_S = 10.0
UNPRINTABLE = "the Momento API key has a blank, a line break, or what is not ASCII"
TLS_HANDSHAKE, HTTP2_PREFACE = b"\x16\x03", b"PRI * HTTP/2.0"


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def observer(log):
    return log.observer


@pytest.fixture
def listener():
    """A port, and in future the first bytes that somebody sends there; it answers nothing."""
    heard: Future[bytes] = Future()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT_S)

        def listen():
            with server.accept()[0] as connection:
                heard.set_result(connection.recv(1_024))

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", heard
        thread.join()


def build_on(channel, told, observer, **given):
    store = MomentoStore(
        told.place.name,
        credentials_for(told.place.momento),
        ttl_s=told.ttl_s,
        open_channel=lambda: channel,
        clock=channel.clock,
        wall_clock=channel.clock,
    )
    return wiring.build(told, observer=observer, store=store, clock=channel.clock, **given)


def count_line(channel):
    return channel.store.get("page:home").partition(b"\n")[0]


def first_bytes(listener, port):
    """What a channel to the listener says first; the port is what the credentials say."""
    address, heard = listener
    host = address if port == TLS_PORT else "127.0.0.1"
    with connect(CredentialProvider(KEY, host, host, host, port)) as channel:
        momento = make_momento(channel, time.monotonic)
        with momento._channel.calling() as stub:
            call = momento._calls.read(stub, "c", WAIT_S, KEY)
        said = heard.result(WAIT_S)
        call.cancel()
    return said


def test_the_service_is_spoken_to_in_tls(listener):
    assert first_bytes(listener, TLS_PORT).startswith(TLS_HANDSHAKE)


def test_a_local_momento_is_spoken_to_without_tls(listener):
    port = int(listener[0].partition(":")[2])
    assert first_bytes(listener, port).startswith(HTTP2_PREFACE)


def test_credentials_are_the_sdks_own():
    service, local = Service(ENDPOINT, KEY), Local("127.0.0.1", 8080)
    assert credentials_for(service) == CredentialProvider.from_api_key_v2(KEY, ENDPOINT)
    assert credentials_for(local) == CredentialProvider.for_momento_local("127.0.0.1", 8080)


def test_a_consumer_carries_the_key_of_secrets_manager_and_asks_for_it_once(secrets, observer):
    secrets.create_secret(Name=SECRET_NAME, SecretString=KEY)
    channel = FakeChannel(Clock())
    told = ConsumerSettings(Cache(CACHE, Service(ENDPOINT, api_key_secret=SECRET_NAME)))
    consumer = build_on(channel, told, observer)
    secrets.delete_secret(SecretId=SECRET_NAME, ForceDeleteWithoutRecovery=True)
    for seq in range(2):
        answer = consumer.handle(event(record("m1", increment(seq))), None)
        assert answer == failures()
    assert {call.metadata[0] for call in channel.calls} == {("authorization", KEY)}


def refused(secret=SECRET_NAME):
    """What is told of a secret that opens nothing: the problem, and all that a log would show."""
    with pytest.raises(SettingsError) as caught:
        credentials_for(Service(ENDPOINT, api_key_secret=secret))
    [problem] = caught.value.problems
    return problem, "".join(traceback.format_exception(caught.value))


def test_a_secret_that_is_not_there_or_is_no_text_is_an_error(secrets):
    unread = "MOMENTO_API_KEY_SECRET cannot be read: ResourceNotFoundException (HTTP 404)"
    assert refused()[0] == unread
    secrets.create_secret(Name=SECRET_NAME, SecretBinary=b"key")
    assert refused()[0] == "MOMENTO_API_KEY_SECRET holds no text"


def test_a_secret_of_another_region_is_named_and_not_asked_for(account):
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-AbCdEf"
    with secrets_manager(400, REFUSAL) as (variables, asked):
        put_on(account, variables)
        account.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        problem, _ = refused(arn)
        refused(arn.replace("eu-west-1", "eu-central-1"))
    assert problem == (
        "MOMENTO_API_KEY_SECRET is the ARN of a secret in eu-west-1, and eu-central-1 is asked:"
        " give that of a secret, or of its replica, there"
    )
    assert asked == [{"SecretId": arn.replace("eu-west-1", "eu-central-1")}]


def test_a_refusal_of_secrets_manager_is_told_without_the_request_that_it_quotes(account):
    with secrets_manager(400, REFUSAL) as (variables, asked):
        put_on(account, variables)
        problem, shown = refused()
    reason = "InvalidSignatureException (HTTP 400)"
    assert problem == f"MOMENTO_API_KEY_SECRET cannot be read: {reason}"
    assert QUOTED not in shown
    assert "GetParameterError" not in shown
    assert asked == [{"SecretId": SECRET_NAME}]


def test_secrets_manager_is_asked_twice_and_not_waited_for_longer_than_a_caller_would(account):
    with secrets_manager(500, {}) as (variables, asked):
        put_on(account, variables)
        assert refused()[0].endswith("(HTTP 500)")
        with contextlib.closing(aws.connect("secretsmanager", **SECRET_PATIENCE)) as client:
            config = client.meta.config
    assert asked == [{"SecretId": SECRET_NAME}] * 2
    assert (config.connect_timeout, config.read_timeout) == (5, 5)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"AWS_SESSION_TOKEN": "the-token\n"}, "HTTPClientError"),  # its text quotes the header
        ({"AWS_PROFILE": "nix"}, "ProfileNotFound: The config profile (nix) could not be found"),
        ({"AWS_ENDPOINT_URL": "nowhere"}, "ValueError"),
    ],
    ids=["token", "profile", "endpoint"],
)
def test_a_secret_that_cannot_be_asked_for_is_an_error_too(account, variables, reason):
    with secrets_manager(500, {}) as (here, asked):
        put_on(account, here | variables)
        if "AWS_ENDPOINT_URL" in variables:
            account.delenv(*here)
        problem, shown = refused()
    assert problem == f"MOMENTO_API_KEY_SECRET cannot be read: {reason}"
    assert "the-token" not in shown
    assert asked == []


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (api_key({"t": "x"}), "the Momento API key is not one of version 2"),
        ("a-legacy-key", "the Momento API key is not one of version 2"),
        ("e30=", "the Momento API key is not one of version 2"),
        (f"{KEY}\n", UNPRINTABLE),
        (f" {KEY}", UNPRINTABLE),
        (f"{KEY}\u200b", UNPRINTABLE),
    ],
)
def test_a_key_of_another_kind_is_an_error_that_does_not_quote_it(observer, key, problem):
    with pytest.raises(SettingsError) as caught:
        wiring.build(ConsumerSettings(Cache(CACHE, Service(ENDPOINT, key))), observer=observer)
    assert caught.value.problems == [problem]
    shown = "".join(traceback.format_exception(caught.value))
    assert key.strip() not in shown


@pytest.mark.parametrize(("said", "longest_s"), [({"MOMENTO_TTL_SECONDS": "90"}, 90), ({}, 86_400)])
def test_a_counter_lives_for_as_long_as_the_deployment_says(observer, said, longest_s):
    with raw_server() as raw:
        variables = {"MOMENTO_LOCAL": raw.server.endpoint, "MOMENTO_CACHE_NAME": CACHE}
        told = ConsumerSettings.from_environment(variables | said)
        consumer = wiring.build(told, observer=observer)
        assert consumer.handle(event(record("m1", increment())), None) == failures()
        left_ms = raw.scs("ItemGetTtl", cache_key=b"page:home").found.remaining_ttl_millis
    assert (longest_s - WAIT_S) * 1_000 < left_ms <= longest_s * 1_000


def test_the_key_is_in_no_line_and_in_no_error_even_if_momento_quotes_it(observer, log, capsys):
    channel = FakeChannel(Clock())
    consumer = build_on(channel, ConsumerSettings(Cache(CACHE, Service(ENDPOINT, KEY))), observer)
    channel.faults = [Fault("GetWithHash", grpc.StatusCode.INVALID_ARGUMENT, details=KEY)]
    assert consumer.handle(event(record("m1", increment())), None) == failures("m1")
    channel.faults = [Fault("GetWithHash", grpc.StatusCode.UNAUTHENTICATED, details=KEY)]
    with pytest.raises(BrokenSetupError) as caught:
        consumer.handle(event(record("m1", increment())), None)
    assert [line["detail"] for line in log.lines] == ["INVALID_ARGUMENT: …"]
    shown = "".join(traceback.format_exception(caught.value))
    assert shown.endswith("UNAUTHENTICATED: …\n")
    assert KEY not in log.text + shown + "".join(capsys.readouterr())


def test_a_consumer_keeps_to_its_settings_and_to_the_clock_it_is_given(observer):
    channel = FakeChannel(Clock())
    channel.faults = [Fault("SetIf", grpc.StatusCode.UNAVAILABLE, times=3)]
    told = ConsumerSettings(Cache(CACHE, Local("127.0.0.1", 8080)), ttl_s=90, max_counter_value=1)
    consumer = build_on(channel, told, observer, sleep=channel.clock.sleep, uniform=Draws())
    records = [record("m1", increment(0)), record("m2", increment(1))]
    assert consumer.handle(event(*records), None) == failures()
    assert count_line(channel) == b"1"
    assert channel.calls[-1].request.ttl_milliseconds == 90_000
    assert channel.clock() == pytest.approx(START_S + sum(channel.clock.slept_s) + 0.08)


@pytest.mark.parametrize(
    ("environment", "service", "namespace"),
    [
        ({}, "tally", "Tally"),
        ({"POWERTOOLS_SERVICE_NAME": "", "POWERTOOLS_METRICS_NAMESPACE": ""}, "tally", "Tally"),
        ({"POWERTOOLS_SERVICE_NAME": "votes"}, "votes", "Tally"),
        ({"POWERTOOLS_METRICS_NAMESPACE": "Votes"}, "tally", "Votes"),
    ],
)
def test_metrics_go_under_the_names_of_the_environment_or_ours(
    capsys, environment, service, namespace
):
    wiring.observer(environment).publish(Activity())
    told = json.loads(capsys.readouterr().out)
    assert told["service"] == service
    assert told["_aws"]["CloudWatchMetrics"][0]["Namespace"] == namespace


def test_log_lines_have_the_time_of_day_that_all_machines_share():
    assert wiring.observer({})._logger.registered_formatter.utc  # type: ignore[attr-defined] # Powertools' own
