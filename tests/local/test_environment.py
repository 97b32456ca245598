"""Lambda's execution environments: what both kinds answer, and how a process of its own ends."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe

import pytest

from tally.local.lambda_.environment import LambdaEnvironment
from tally.local.lambda_.runtime import (
    Answer,
    FunctionError,
    FunctionSettings,
    LambdaContext,
    load,
    serve,
)
from tests.support import handlers
from tests.support.in_process import InProcess
from tests.support.processes import wait_until

WAIT_S = 10


@pytest.fixture
def own_process():
    """Make an environment of a handler; all of them are closed in the end."""
    made = []

    def make(name, **options):
        made.append(LambdaEnvironment(f"tests.support.handlers.{name}", **options))
        return made[-1]

    yield make
    for environment in made:
        environment.close()


@pytest.fixture(params=["own_process", "in_process"])
def function_of(request):
    if request.param == "own_process":
        yield request.getfixturevalue("own_process")
        return
    made = []

    def make(name, **options):
        made.append(InProcess(getattr(handlers, name), **options))
        return made[-1]

    yield make
    for function in made:
        function.close()


def ask(function, event=None):
    invocation = function.invoke(json.dumps(event).encode())
    assert invocation.error is None
    return json.loads(invocation.response)


def error_of(function, event=None):
    invocation = function.invoke(json.dumps(event).encode())
    assert invocation.response is None
    return invocation.error


def test_an_event_goes_in_and_a_response_comes_out_as_json(function_of):
    event = {"Records": [{"body": 'ü\u2028"', "n": 1.5}, None, True]}
    assert ask(function_of("echo"), event) == event


def test_an_error_has_the_type_and_the_message_and_its_trace_is_logged(function_of):
    invocation = function_of("fail").invoke(b'"why"')
    assert invocation.error == FunctionError("ValueError", "why")
    assert invocation.output.startswith("Traceback (most recent call last):\n")
    assert invocation.output.endswith("ValueError: why\n")


def test_a_response_that_json_cannot_write_is_an_error(function_of):
    expected = FunctionError("MarshalError", "Object of type set is not JSON serializable")
    assert error_of(function_of("answer_a_set")) == expected


def test_the_context_says_what_lambda_says(function_of):
    settings = FunctionSettings(name="f", version="7", memory_mb=256, region="eu-west-1")
    assert ask(function_of("describe", settings=settings)) == {
        "function_name": "f",
        "function_version": "7",
        "memory_limit_in_mb": 256,
        "invoked_function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:f",
        "request_id_length": 36,
        "has_time": True,
    }


def test_only_the_first_invocation_is_cold_even_after_an_error(function_of):
    function = function_of("fail")
    assert [function.invoke(b"1").is_cold for _ in range(3)] == [True, False, False]


def test_the_duration_is_measured(function_of):
    times = iter([1.0, 3.5, 3.5])
    assert function_of("echo", clock=lambda: next(times)).invoke(b"1").duration_s == 2.5


def test_remaining_time_runs_down_to_zero():
    times = iter([100.0, 100.5, 103.0, 103.1])
    context = LambdaContext("id", FunctionSettings(timeout_s=3), lambda: next(times))
    assert [context.get_remaining_time_in_millis() for _ in range(3)] == [2500, 0, 0]


def test_what_is_printed_belongs_to_its_invocation(own_process):
    function = own_process("shout")
    outputs = [function.invoke(event).output for event in (b"1", b"2")]
    assert outputs == ["out 1\nerr 1\n", "out 2\nerr 2\n"]


def test_what_a_function_prints_at_its_start_belongs_to_its_first_invocation(tmp_path):
    source = "print('start')\n\n\ndef handle(event, _context):\n    print(event)\n"
    (tmp_path / "talkative.py").write_text(source)
    with contextlib.closing(LambdaEnvironment("talkative.handle", code=str(tmp_path))) as function:
        outputs = [function.invoke(event).output for event in (b"1", b"2")]
    assert outputs == ["start\n1\n", "2\n"]


def test_a_warm_process_keeps_its_state_and_neighbours_do_not_share_it(own_process):
    one, other = own_process("count"), own_process("count")
    assert [ask(one), ask(one), ask(other)] == [1, 2, 1]


def test_a_process_has_lambdas_environment_and_its_own_additions(own_process):
    function = own_process("environ", variables={"MOMENTO_LOCAL": "127.0.0.1:1"})
    names = ["MOMENTO_LOCAL", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "PATH"]
    assert ask(function, names) == {
        "MOMENTO_LOCAL": "127.0.0.1:1",
        "AWS_LAMBDA_FUNCTION_NAME": "tally-consumer",
        "AWS_REGION": "us-east-1",
        "PATH": os.environ["PATH"],
    }


def test_ctrl_c_in_the_terminal_does_not_reach_a_process(own_process):
    assert ask(own_process("leads_its_group")) is True


def test_a_process_that_ends_itself_fails_and_the_next_one_is_cold(own_process):
    function = own_process("die")
    ended = FunctionError("Runtime.ExitError", "the function's process ended with status 3")
    assert error_of(function, 3) == ended
    assert function.pid is None
    assert function.invoke(b"3").is_cold


def test_a_handler_that_cannot_be_imported_fails_each_time(own_process):
    function = own_process("missing")
    expected = FunctionError(
        "AttributeError", "module 'tests.support.handlers' has no attribute 'missing'"
    )
    assert [error_of(function), error_of(function)] == [expected, expected]
    assert function.pid is None


def test_a_timeout_kills_the_process_and_the_next_one_is_cold(own_process):
    function = own_process("process_or_hang", settings=FunctionSettings(timeout_s=0.1))
    # On a machine that is slow just then, not even that is in time.
    pid = wait_until(lambda: function.invoke(b'"process"').response)
    timed_out = FunctionError("Sandbox.Timedout", "Task timed out after 0.10 seconds")
    assert error_of(function) == timed_out
    assert not runs(int(pid))
    assert function.pid is None


def test_a_kill_in_mid_batch_fails_the_invocation_and_the_next_one_is_cold(own_process, fifo):
    function = own_process("hang")
    killed = FunctionError("Runtime.ExitError", "the function's process ended with signal 9")
    with ThreadPoolExecutor() as pool:
        for _ in range(2):
            failed = pool.submit(error_of, function, fifo)
            pid = int(pathlib.Path(fifo).read_text())
            function.kill()
            assert failed.result(WAIT_S) == killed
            assert not runs(pid)


def test_an_idle_process_that_was_killed_is_replaced(own_process):
    function = own_process("process")
    first = ask(function)
    function.kill()
    again = function.invoke(b"null")
    assert again.is_cold
    assert json.loads(again.response) != first


def test_close_ends_the_process_and_killing_nothing_is_no_error(own_process):
    function = own_process("process")
    pid = ask(function)
    function.close()
    function.kill()
    assert not runs(pid)


@pytest.mark.parametrize("handler", ["announce", "hang"], ids=["idle", "busy"])
def test_a_process_ends_with_a_parent_that_is_killed(handler, fifo):
    program = f"""if True:
        from tally.local.lambda_.environment import LambdaEnvironment
        function = LambdaEnvironment("tests.support.handlers.{handler}")
        function.invoke(b'"{fifo}"')
        input()
    """
    pipe = subprocess.PIPE
    start = [sys.executable, "-c", program]
    with subprocess.Popen(start, stdin=pipe, stderr=pipe) as parent:  # noqa: S603 - our own program
        pathlib.Path(fifo).read_text()
        parent.kill()
        # The function's process has inherited stderr: it ends when both have.
        assert parent.communicate(timeout=WAIT_S)[1] == b""


@pytest.fixture
def served():
    """Run the child's side in a thread: the pipe to it, and the statuses that it abandoned with."""
    ours, theirs = Pipe()
    statuses: list[int] = []

    def abandon(status):
        statuses.append(status)
        handlers.released.set()  # the end of a process is that of its handler

    arguments = (theirs, "tests.support.handlers.hang_until_released", FunctionSettings())
    thread = threading.Thread(target=serve, args=arguments, kwargs={"abandon": abandon})
    thread.start()
    assert ours.recv() == Answer(b"")
    yield ours, statuses, thread
    handlers.released.set()
    ours.close()
    thread.join(WAIT_S)
    theirs.close()


def test_an_idle_process_ends_by_itself_when_the_pipe_ends(served):
    pipe, statuses, thread = served
    handlers.released.set()
    pipe.send(("id", b"1"))
    assert pipe.recv() == Answer(b"1")
    pipe.close()
    thread.join(WAIT_S)
    assert statuses == []


def test_a_busy_process_is_abandoned_when_the_pipe_ends(served):
    pipe, statuses, thread = served
    handlers.released.clear()
    pipe.send(("id", b"1"))
    assert handlers.entered.wait(WAIT_S)
    pipe.close()
    thread.join(WAIT_S)
    assert statuses == [1]


def test_a_handler_is_found_by_its_dotted_name():
    assert load("tests.support.handlers.echo") is handlers.echo


def runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def fifo(tmp_path):
    path = str(tmp_path / "started")
    os.mkfifo(path)
    return path
