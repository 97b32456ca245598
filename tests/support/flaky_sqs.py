"""SQS over HTTP that loses and refuses as told, in front of one that does not."""

import http.client
import http.server
import json
import threading
from collections import deque
from urllib.parse import urlsplit

TIMEOUT_S = 30
SENDS = {"AmazonSQS.SendMessage", "AmazonSQS.SendMessageBatch"}


class FlakySqs:
    """A context manager: an endpoint on loopback that hands each request on to the real one.

    A request that sends follows the next step of the script, if there is one.

    Attributes:
        variables: what brings a program here, and not to the SQS behind.
        bodies: the bodies that programs sent, in their order, repeats included.
    """

    def __init__(self, variables, *script):
        self._target = urlsplit(variables["AWS_ENDPOINT_URL_SQS"])
        self._script = deque(script)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        here = f"http://127.0.0.1:{self._server.server_port}"
        queue = urlsplit(variables["SQS_QUEUE_URL"]).path
        at_home = {"AWS_ENDPOINT_URL_SQS": here, "SQS_QUEUE_URL": f"{here}{queue}"}
        self.variables = variables | at_home
        self.bodies = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, headers, said):
        """The status and the body that a request is answered with."""
        if headers["X-Amz-Target"] not in SENDS:
            return self.hand_on(headers, said)
        asked = json.loads(said)
        self.bodies += [entry["MessageBody"] for entry in asked.get("Entries", [asked])]
        step = self._script.popleft() if self._script else stored
        return step(self, headers, asked)

    def hand_on(self, headers, said):
        """What the real one answers."""
        connection = http.client.HTTPConnection(self._target.netloc, timeout=TIMEOUT_S)
        kept = {name: headers[name] for name in headers if name.lower() != "host"}
        connection.request("POST", "/", said, kept | {"Content-Length": str(len(said))})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body


def stored(sqs, headers, asked):
    """Everything is stored and confirmed."""
    return sqs.hand_on(headers, json.dumps(asked).encode())


def last_fails(sqs, headers, asked):
    """All are stored but the last, which could be another time."""
    return _without_last(sqs, headers, asked, sender_fault=False)


def last_is_refused(sqs, headers, asked):
    """All are stored but the last, which never will be."""
    return _without_last(sqs, headers, asked, sender_fault=True)


def answer_is_lost(sqs, headers, asked):
    """Everything is stored, and nobody is told."""
    stored(sqs, headers, asked)
    return 503, b"{}"


def denied(_sqs, _headers, _asked):
    """Nothing is stored: the sender may not."""
    return 403, json.dumps({"__type": "com.amazonaws.sqs#AccessDeniedException"}).encode()


def _without_last(sqs, headers, asked, *, sender_fault):
    *others, last = asked["Entries"]
    status, body = stored(sqs, headers, asked | {"Entries": others})
    failed = {"Id": last["Id"], "SenderFault": sender_fault, "Code": "InternalError"}
    return status, json.dumps(json.loads(body) | {"Failed": [failed]}).encode()


def _handler(sqs):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            said = self.rfile.read(int(self.headers["Content-Length"]))
            status, body = sqs.answer(self.headers, said)
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing on stderr."""

    return Handler
