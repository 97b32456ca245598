"""The real writer and the real consumer on a fake Momento and a clock that only they move."""

import io
import itertools
import json

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics
from momento.auth import CredentialProvider

from consumer.batch import Consumer
from consumer.observability import Observer
from tally.counters.event import INT64_MAX, Event
from tally.local.momento.server import HOST
from tally.settling.bare_writer import BareWriter
from tally.settling.copies import Copies
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tally.stores.momento.store import MomentoStore
from tests.support.momento_channel import AT_LEAST_ONCE, CACHE, Clock, FakeChannel

AT_MS = 1_790_000_000_000
DEADLINE_S = 1.1
NO_KEY = CredentialProvider.for_momento_local()

# Powertools keeps one handler, and so one stream, for each name of a service.
_services = (f"test-{number}" for number in itertools.count())


def events(*seqs, counter="c", source=1, at=AT_MS, **fields):
    """Events of one source, one for each seq."""
    return [Event(counter, source, seq, at, **fields) for seq in seqs]


class Draws:
    """A peer of random.uniform that draws the longest wait, or what share of it is asked for."""

    def __init__(self, share=1.0):
        self.share = share
        self.spans = []

    def __call__(self, low, high):
        self.spans.append((low, high))
        return low + self.share * (high - low)


def make_momento(channel, clock=None, *, credentials=NO_KEY, cache_name=CACHE, **options):
    """Momento's store over a channel, on a clock that only calls and sleeps move."""
    clock = clock or channel.clock
    options = {"deadline_s": DEADLINE_S, "clock": clock, "wall_clock": clock} | options
    return MomentoStore(cache_name, credentials, open_channel=lambda: channel, **options)


def store_of(server, **options):
    """The store of an embedded server, over real gRPC."""
    credentials = CredentialProvider.for_momento_local(HOST, server.port)
    return MomentoStore(CACHE, credentials, **options)


def make_rounds(channel, *, uniform=None, sleep=None, limits=None):
    return Rounds(
        make_momento(channel, limits=limits),
        clock=channel.clock,
        sleep=sleep or channel.clock.sleep,
        uniform=uniform or Draws(),
    )


def make_writer(channel, **pace):
    return Writer(make_rounds(channel, **pace), Copies())


def make_bare_writer(channel, **pace):
    rounds = make_rounds(channel, **pace)
    return BareWriter(rounds.store, rounds)


class Deployed:
    """A consumer with its channel, its clock, and what it logged."""

    def __init__(self, default_max=INT64_MAX, limits=None, *, at_least_once=False):
        self.clock = Clock()
        self.channel = FakeChannel(self.clock, methods=AT_LEAST_ONCE if at_least_once else None)
        self._log = io.StringIO()
        self.service = next(_services)
        observer = Observer(
            Logger(service=self.service, stream=self._log, level="INFO"),
            EphemeralMetrics(service=self.service, namespace="Tally"),
        )
        bare = make_bare_writer(self.channel)
        settler = bare if at_least_once else make_writer(self.channel, limits=limits)
        self.consumer = Consumer(settler, observer, default_max)

    def handle(self, event, context=None):
        return self.consumer.handle(event, context)

    @property
    def log(self):
        """The lines, each an object."""
        return [json.loads(line) for line in self._log.getvalue().splitlines()]

    @property
    def returned(self):
        """Of each line about a message: its id and its reason."""
        lines = [line for line in self.log if line["action"] == "message_returned"]
        return [(line["message_id"], line["reason"]) for line in lines]

    def count(self, counter="page:home"):
        """The count as it is stored; None for an absent counter."""
        value = self.channel.store.get(counter)
        return None if value is None else int(value.partition(b"\n")[0])
