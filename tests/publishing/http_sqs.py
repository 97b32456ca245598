"""SQS's SendMessageBatch over HTTP, as somebody's program reaches it: it stores, or does not."""

import contextlib
import hashlib
import http.server
import json
import threading
from email.utils import formatdate

from tally.counters.body import parse
from tally.counters.event import Envelope

ENVELOPE = Envelope("00000000-0000-0000-0000-000000000000", 2**62)


class HttpSqs:
    """A context manager.

    Attributes:
        entries: the messages stored, as the requests have them.
        bodies: of the same.
        refuse: asked with each request's headers; a code is the error of a whole request.
        is_stale: whether connections that were used before are silent from now on.
        date_s: what the Date header says, in seconds since the epoch; by default the time.
        url: of the queue.
    """

    def __init__(self):
        self.entries = []
        self.bodies = []
        self.refuse = lambda _headers: ""
        self.is_stale = False
        self.date_s = None
        self.sends_date = True
        self.connections = self.open_connections = 0
        self.all_closed = threading.Event()
        self._release = threading.Event()
        handler = type("_HandlerOfThis", (_Handler,), {"sqs": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.endpoint}/000000000000/counters"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def variables(self):
        """The environment that brings a program here."""
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_SQS": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "SQS_QUEUE_URL": self.url,
        }

    @property
    def counts(self):
        """The count of each counter, where each event counts once."""
        seen = {}
        for body in self.bodies:
            for event in parse(body, ENVELOPE):
                seen[event.counter, event.identity] = event.amount
        counts: dict[str, int] = {}
        for (counter, _), amount in seen.items():
            counts[counter] = counts.get(counter, 0) + amount
        return counts

    def answer(self, headers, said):
        """The status and the answer to a request."""
        if code := self.refuse(headers):
            return 403, {"__type": f"com.amazonaws.sqs#{code}", "message": "none of your business"}
        entries = json.loads(said)["Entries"]
        self.entries += entries
        self.bodies += [entry["MessageBody"] for entry in entries]
        return 200, {"Successful": [_stored(entry) for entry in entries], "Failed": []}

    def stay_silent(self):
        """As long as the server lives."""
        self._release.wait()


def _stored(entry):
    digest = hashlib.md5(entry["MessageBody"].encode(), usedforsecurity=False).hexdigest()
    return {"Id": entry["Id"], "MessageId": "1", "MD5OfMessageBody": digest}


class _Handler(http.server.BaseHTTPRequestHandler):
    sqs: HttpSqs

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.sqs.connections += 1
        self.sqs.open_connections += 1
        self.is_used = False

    def finish(self):
        super().finish()
        self.sqs.open_connections -= 1
        if not self.sqs.open_connections:
            self.sqs.all_closed.set()

    def do_POST(self):
        said = self.rfile.read(int(self.headers["Content-Length"]))
        if self.is_used and self.sqs.is_stale:
            self.sqs.stay_silent()
            return
        self.is_used = True
        status, answer = self.sqs.answer(self.headers, said)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def send_header(self, keyword, value):
        if keyword != "Date" or self.sqs.sends_date:
            super().send_header(keyword, value)

    def date_time_string(self, timestamp=None):
        return formatdate(self.sqs.date_s if timestamp is None else timestamp, usegmt=True)

    def log_message(self, *_):
        """Say nothing on stderr."""
