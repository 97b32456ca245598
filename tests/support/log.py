"""What the functions log, read back."""

import io
import itertools
import json
import logging

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from consumer.observability import Observer

# Powertools keeps one handler, and so one stream, for each name of a service.
_services = (f"test-{number}" for number in itertools.count())


class Log:
    """A logger with its lines, each of which is JSON in UTF-8, and a consumer's observer on it."""

    def __init__(self, level="INFO"):
        self.service = next(_services)
        self._bytes = io.BytesIO()
        self._stream = io.TextIOWrapper(self._bytes, encoding="utf-8", write_through=True)
        self.logger = Logger(service=self.service, stream=self._stream, level=level)
        # pytest would keep every line of every example.
        logging.getLogger(self.service).propagate = False
        metrics = EphemeralMetrics(service=self.service, namespace="Tally")
        self.observer = Observer(self.logger, metrics)

    @property
    def text(self):
        return self._bytes.getvalue().decode()

    @property
    def lines(self):
        """The lines, each an object."""
        return [json.loads(line) for line in self.text.split("\n")[:-1]]

    @property
    def returned(self):
        """Of each line about a message: its id and its reason."""
        lines = [line for line in self.lines if line["action"] == "message_returned"]
        return [(line["message_id"], line["reason"]) for line in lines]

    def clear(self):
        """Forget the lines so far."""
        self._stream.seek(0)
        self._stream.truncate()
