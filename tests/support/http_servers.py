"""HTTP servers on loopback that answer as told, and an SQS behind one that loses and refuses."""

import contextlib
import functools
import json
import threading
from collections import deque
from urllib.parse import urlsplit

import urllib3
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

POLL_S = 0.01
OWN = {"Host", "Content-Length"}  # headers that each connection writes anew
SENDS = {"AmazonSQS.SendMessage", "AmazonSQS.SendMessageBatch"}


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_):
        """Print no line for each request."""


@contextlib.contextmanager
def served(answer):
    """The URL of a server; `answer` is told each request, and returns a status and a body."""

    @Request.application
    def app(request):
        status, body = answer(request)
        return Response(body, status, content_type="application/x-amz-json-1.0")

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()


class FlakySqs:
    """A context manager: an endpoint on loopback that hands each request on to the real one.

    A request that sends follows the next step of the script, if there is one.

    Attributes:
        variables: what brings a program here, and not to the SQS behind.
        bodies: the bodies that programs sent, in their order, repeats included.
    """

    def __init__(self, variables, *script):
        self.variables = variables
        self.bodies = []
        self._target = variables["AWS_ENDPOINT_URL_SQS"]
        self._script = deque(script)
        self._serving = contextlib.ExitStack()

    def __enter__(self):
        here = self._serving.enter_context(served(self._answer))
        queue = here + urlsplit(self.variables["SQS_QUEUE_URL"]).path
        self.variables = self.variables | {"AWS_ENDPOINT_URL_SQS": here, "SQS_QUEUE_URL": queue}
        return self

    def __exit__(self, *_):
        self._serving.close()

    def _answer(self, request):
        def stored(asked):
            """What the real one answers."""
            headers = {name: said for name, said in request.headers if name not in OWN}
            with urllib3.PoolManager() as pool:
                answer = pool.request("POST", self._target, body=json.dumps(asked), headers=headers)
                return answer.status, answer.data

        asked = request.get_json(force=True)
        if request.headers["X-Amz-Target"] not in SENDS:
            return stored(asked)
        self.bodies += [entry["MessageBody"] for entry in asked.get("Entries", [asked])]
        step = self._script.popleft() if self._script else confirmed
        return step(stored, asked)


def confirmed(stored, asked):
    """Everything is stored and confirmed."""
    return stored(asked)


def answer_is_lost(stored, asked):
    """Everything is stored, and nobody is told."""
    stored(asked)
    return 503, b"{}"


def denied(_stored, _asked):
    """Nothing is stored: the sender may not."""
    return 403, json.dumps({"__type": "com.amazonaws.sqs#AccessDeniedException"}).encode()


def last_fails(stored, asked, *, sender_fault=False):
    """All are stored but the last, which could be another time."""
    *others, last = asked["Entries"]
    status, body = stored(asked | {"Entries": others})
    failed = {"Id": last["Id"], "SenderFault": sender_fault, "Code": "InternalError"}
    return status, json.dumps(json.loads(body) | {"Failed": [failed]}).encode()


last_is_refused = functools.partial(last_fails, sender_fault=True)
"""All are stored but the last, which never will be."""
