"""Secrets Manager over HTTP on loopback, which answers every request as it is told to."""

import contextlib
import http.server
import json
import threading

QUOTED = "x-amz-security-token:the-sessions-token"
REFUSAL = {
    "__type": "InvalidSignatureException",
    "message": f"The Canonical String for this request should have been '{QUOTED}'",
}


@contextlib.contextmanager
def secrets_manager(status, answer):
    """A server; the environment that brings boto3 to it, and the requests that it gets."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing on stderr."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        yield {"AWS_ENDPOINT_URL_SECRETS_MANAGER": url}, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
