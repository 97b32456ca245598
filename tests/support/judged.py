"""A consumer under fuzzing: one observer for all examples, a fresh store for each."""

import io
import json
import logging

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from consumer.batch import Consumer
from consumer.observability import Observer
from tally.counters.event import INT64_MAX
from tests.support.consumers import make_writer
from tests.support.momento_channel import Clock, FakeChannel

SERVICE = "fuzzed"


class Judged:
    """Hands out consumers, and keeps the log of the last: Powertools never forgets a logger."""

    def __init__(self):
        self._log = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        logger = Logger(service=SERVICE, stream=self._log, level="INFO")
        logging.getLogger(
            SERVICE
        ).propagate = False  # pytest would keep every line of every example
        self._observer = Observer(logger, EphemeralMetrics(service=SERVICE, namespace="Tally"))

    def deployed(self, values=None):
        """A consumer and its store, in which these values are."""
        channel = FakeChannel(Clock())
        for counter, value in (values or {}).items():
            channel.store.put(counter, value)
        return Consumer(make_writer(channel), self._observer, INT64_MAX), channel

    def log(self):
        """The lines since the last call. Each is JSON in UTF-8, or there is an exception here."""
        written = self._log.buffer.getvalue()
        self._log.seek(0)
        self._log.truncate()
        return [json.loads(line) for line in written.decode().split("\n")[:-1]]

    def returned(self):
        """Of each line about a message: its id and its reason."""
        return [
            (line["message_id"], line["reason"])
            for line in self.log()
            if line["action"] == "message_returned"
        ]
