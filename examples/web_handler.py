"""A web handler that counts likes: no visitor waits for SQS, and SQS gets many likes in a request.

    flask --app examples/web_handler.py run
    curl -X POST http://127.0.0.1:5000/articles/hello/likes

There is one publisher for each process, as long as it lives. publish() puts a like into a buffer;
a thread sends it 0.1 s later (`linger_s`) with all that came meanwhile; at exit close() sends the
rest. So a process that is killed loses the likes of its last 0.1 s. What may not be lost, such as
an order, is sent before it is answered, as publish_boto3.py does. A Lambda function is frozen
after its answer: there, flush() comes before it.
"""

import atexit
import os
from pathlib import Path

from flask import Flask, abort

from tally import Publisher, UnsentError, encode

ARTICLES = frozenset({"hello", "second-thoughts"})
UNSENT = Path("unsent.jsonl")


def create_app() -> Flask:
    """The application; flask and gunicorn call this, and may fork before or after it."""
    app = Flask(__name__)
    publisher = Publisher(os.environ["SQS_QUEUE_URL"])
    atexit.register(close, publisher)

    @app.post("/articles/<article>/likes")
    def like(article: str) -> tuple[str, int]:
        if article not in ARTICLES:  # or anybody may make counters, as many as they like
            abort(404)
        publisher.publish(f"likes:{article}")
        return "", 202  # accepted; it counts a moment later

    @app.errorhandler(UnsentError)
    def unsent(error: UnsentError) -> tuple[str, int]:
        keep(error)  # SQS has refused likes for so long that the publisher holds no more of them
        return "", 503

    return app


def close(publisher: Publisher) -> None:
    """Send what is buffered; called at exit, also of a forked worker."""
    try:
        publisher.close()
    except UnsentError as error:
        keep(error)


def keep(error: UnsentError) -> None:
    """Keep what SQS has not confirmed, for `tally send --file unsent.jsonl`.

    Each increment keeps its identity: what did arrive is not counted again.
    """
    with UNSENT.open("ab") as lines:
        lines.writelines(encode(increment) + b"\n" for increment in error.increments)
