"""Programs that people write: whatever they do, publish() counts, or says at once why not.

Each runs once as it is, and once where each core is busy and threads change places all the time.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.publishing.http_sqs import HttpSqs

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60
PRELUDE = """
import atexit, logging, multiprocessing, os, signal, sys, threading, time
from concurrent.futures import ProcessPoolExecutor
sys.setswitchinterval(float(os.environ["SWITCH_S"]))
from tally import Publisher, UnsentError, WaitsForItselfError
URL = os.environ["SQS_QUEUE_URL"]
"""


@pytest.fixture
def sqs():
    with HttpSqs() as server:
        yield server


@pytest.fixture(params=["calm", "busy"])
def switch_s(request):
    """How long a thread may run before another may, in seconds; busy loops run beside it."""
    if request.param == "calm":
        yield "0.005"
        return
    command = [sys.executable, "-c", "while True: pass"]
    loops = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]  # noqa: S603 (ours)
    yield "1e-6"
    for loop in loops:
        loop.kill()
        loop.wait()


@pytest.fixture
def start(sqs, switch_s, tmp_path):
    """Starts a program; its end is to be waited for."""

    def started(program, **variables):
        path = tmp_path / "program.py"
        path.write_text(PRELUDE + program)
        environ = {**os.environ, **sqs.variables, "PYTHONPATH": str(ROOT), "SWITCH_S": switch_s}
        environ["PYTHONWARNINGS"] = "ignore"
        return subprocess.Popen(  # noqa: S603 (ours)
            [sys.executable, path],
            env={**environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return started


@pytest.fixture
def run(start):
    """Runs a program; returns its status and what it printed, line by line."""

    def ran(program, **variables):
        process = start(program, **variables)
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()
            process.communicate()
        return process.returncode, out.splitlines(), err.splitlines()

    return ran


HANDLER = """
class Counting(logging.Handler):
    published = 0
    def emit(self, record):
        publisher.publish("lines")
        self.published += 1

handler = Counting()
logging.basicConfig(level=os.environ["LEVEL"], handlers=[handler])
publisher = Publisher(URL)
logging.info("the first line")
publisher.flush()
logging.info("another")
unsent = []
try:
    publisher.close()
except UnsentError as error:
    unsent = error.increments
assert {each.counter for each in unsent} <= {"lines"}
print(handler.published, len(unsent))
"""


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_a_handler_of_log_lines_counts_them_all_also_those_of_the_sender(run, sqs, level):
    status, [printed], _ = run(HANDLER, LEVEL=level)
    published, unsent = map(int, printed.split())
    assert status == 0
    assert sqs.counts == {"lines": published - unsent}
    assert published > 2  # botocore's own
    if level == "INFO":
        assert unsent == 0


LIMITS = """
class TimeIsUpError(Exception):
    pass

def time_is_up(*_):
    raise TimeIsUpError

signal.signal(signal.SIGALRM, time_is_up)
publisher = Publisher(URL)
returned = interrupted = 0
for job in range(300):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0001 + job * 1e-5)
        while True:
            publisher.publish("jobs")
            returned += 1
    except TimeIsUpError:
        interrupted += 1
publisher.publish("after")
publisher.close()
assert returned <= publisher.stats.confirmed - 1 <= returned + interrupted
print(publisher.stats.confirmed - 1)
"""


def test_exceptions_from_a_time_limit_go_through_and_the_next_publish_works(run, sqs):
    status, [confirmed], err = run(LIMITS)
    assert (status, err) == (0, [])
    assert sqs.counts == {"jobs": int(confirmed), "after": 1}


LOOP = """
with Publisher(URL) as publisher:
    for number in range(10**9):
        publisher.publish("page:home")
        if number == 1000:
            print("under way", flush=True)
"""


def test_a_loop_that_is_interrupted_ends_with_everything_confirmed(start, sqs):
    process = start(LOOP)
    assert process.stdout.readline() == "under way\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == -signal.SIGINT
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert sqs.counts["page:home"] > 1_000


SIGNALS = """
publisher = Publisher(URL)
published = waited = 0

def count(*_):
    global published
    publisher.publish("signals")
    published += 1
    signal.setitimer(signal.ITIMER_REAL, 0.0002)

class Finalized:
    def __init__(self):
        self.itself = self
    def __del__(self):
        publisher.publish("finalized")

signal.signal(signal.SIGALRM, count)
signal.setitimer(signal.ITIMER_REAL, 0.0002)
for _ in range(20_000):
    publisher.publish("loop")
    Finalized()
signal.signal(signal.SIGALRM, signal.SIG_IGN)
import gc
gc.collect()
publisher.close()
print(published)
"""


def test_signal_handlers_and_finalizers_count_in_the_midst_of_publish(run, sqs):
    status, [signals], err = run(SIGNALS)
    assert (status, err) == (0, [])
    assert sqs.counts == {"loop": 20_000, "finalized": 20_000, "signals": int(signals)}


def test_the_first_publish_may_come_when_the_main_thread_has_returned(run, sqs):
    program = """
publisher = Publisher(URL)

def serve():
    threading.main_thread().join()
    publisher.publish("late")
    publisher.close()

threading.Thread(target=serve).start()
"""
    assert run(program) == (0, [], [])
    assert sqs.counts == {"late": 1}


@pytest.mark.parametrize("ending", ["publisher.flush()", "publisher.close()", "pass"])
def test_the_first_publish_may_come_in_an_exit_hook(run, sqs, ending):
    program = f"""
@atexit.register
def bye():
    publisher.publish("bye")
    {ending}

publisher = Publisher(URL)
"""
    assert run(program) == (0, [], [])
    assert sqs.counts == {"bye": 1}


def test_a_publisher_that_has_published_takes_more_in_an_exit_hook(run, sqs):
    program = """
@atexit.register
def bye():
    publisher.publish("bye")

publisher = Publisher(URL)
publisher.publish("before")
publisher.flush()
"""
    assert run(program) == (0, [], [])
    assert sqs.counts == {"before": 1, "bye": 1}


UNCLOSED = "a Publisher was not closed: use `with Publisher(...)`, or call close() or flush()"
NOT_CONFIRMED = re.compile("the program ended before SQS had confirmed ([0-9]+) of its increments")


def told(err):
    """How many increments the log says are not confirmed; some may have been a moment later."""
    return sum(int(found[1]) for line in err if (found := NOT_CONFIRMED.match(line)))


WARNINGS = "always::ResourceWarning"
FORGOTTEN = """
publisher = Publisher(URL, linger_s=60)
publisher.publish("forgotten")
"""


def test_what_a_program_forgets_to_flush_is_sent_at_its_end_with_a_warning(run, sqs):
    status, _, err = run(FORGOTTEN, PYTHONWARNINGS=WARNINGS)
    assert status == 0
    assert sqs.counts.get("forgotten", 0) + told(err) >= 1
    assert [line for line in err if UNCLOSED in line]


def test_a_publisher_that_is_collected_sends_what_it_has_with_a_warning(run, sqs):
    program = """
publisher = Publisher(URL, linger_s=60)
publisher.publish("forgotten")
del publisher
print("collected", flush=True)
"""
    status, out, err = run(program, PYTHONWARNINGS=WARNINGS)
    assert (status, out) == (0, ["collected"])
    assert sqs.counts.get("forgotten", 0) + told(err) >= 1
    assert [line for line in err if UNCLOSED in line]


def test_a_program_that_ends_while_sqs_is_away_says_how_many_it_could_not_send(run, sqs):
    sqs.refuse = lambda _headers: "RequestThrottled"
    started_at = time.monotonic()
    status, _, err = run(FORGOTTEN)
    assert status == 0
    assert time.monotonic() - started_at < TIMEOUT_S / 2
    assert (
        "the program ended before SQS had confirmed 1 of its increments: "
        "close() or flush() would have waited for them"
    ) in err


WORKERS = """
publisher = Publisher(URL, linger_s=60)

def work(number):
    publisher.publish("worker")

if __name__ == "__main__":
    multiprocessing.set_start_method(os.environ["METHOD"])
    publisher.publish("parent")
    process = multiprocessing.Process(target=work, args=(0,))
    process.start()
    process.join()
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(work, range(10)))
    pool = multiprocessing.Pool(2)
    pool.map(work, range(10))
    pool.close()
    pool.join()
    publisher.close()
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_send_at_their_end_what_is_theirs(run, sqs, method):
    status, _, err = run(WORKERS, METHOD=method)
    assert status == 0
    assert sqs.counts["parent"] == 1
    assert 21 - told(err) <= sqs.counts["worker"] <= 21  # on a busy machine 2 s may not be enough


def test_a_flush_in_the_senders_own_thread_is_refused_at_once(run, sqs):
    program = """
refused = []

class Flushing(logging.Handler):
    def emit(self, record):
        if threading.current_thread().name == "tally-publisher":
            for call in (publisher.flush, publisher.close, publisher.abandon):
                try:
                    call()
                except WaitsForItselfError:
                    refused.append(call.__name__)

logging.basicConfig(level="INFO", handlers=[Flushing()])
publisher = Publisher(URL)
publisher.publish("a")
publisher.close()
print(*refused[:3])
"""
    assert run(program)[:2] == (0, ["flush close abandon"])
    assert sqs.counts == {"a": 1}
