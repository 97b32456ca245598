"""The real writer, reader and consumer on a fake Momento and a clock that only they move."""

import base64
import json

from momento.auth import CredentialProvider

from consumer.batch import Consumer
from tally.counters.event import INT64_MAX, Event
from tally.local.momento.server import HOST
from tally.reading.reader import Reader
from tally.settling.bare_writer import BareWriter
from tally.settling.copies import Copies
from tally.settling.progress import Activity
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tally.stores.momento.store import MomentoStore
from tests.support.clock import Clock
from tests.support.log import Log
from tests.support.momento_channel import AT_LEAST_ONCE, CACHE, EXACTLY_ONCE, FakeChannel

AT_MS = 1_790_000_000_000
DEADLINE_S = 1.1
PATIENCE_S = 60.0
NO_KEY = CredentialProvider.for_momento_local()
ENDPOINT = "cell-1.example.com"


def api_key(claims):
    """A JSON Web Token with these claims; an API key of version 2 has {"t": "g"}."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2VjcmV0LXNpZ25hdHVyZQ"])


KEY = api_key({"t": "g", "id": "counters"})
"""As Momento's SDK takes it, made here and good for nothing."""


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


def make_reader(channel, clock=None, *, uniform=None, **options):
    """A reader on a channel, with a clock that only calls and sleeps move."""
    clock = clock or channel.clock
    store = make_momento(channel, clock, **options)
    return Reader(store, clock=clock, sleep=clock.sleep, uniform=uniform or Draws())


def store_of(server, **options):
    """The store of an embedded server, over real gRPC, as patient as a busy machine needs."""
    credentials = CredentialProvider.for_momento_local(HOST, server.port)
    return MomentoStore(CACHE, credentials, **{"deadline_s": PATIENCE_S} | options)


def read_counts(counters, variables):
    """The count of each counter, None where there is none, from the variables of a stack.

    Of a table's it is what the table says, and not what its cache still shows.
    """
    with Reader.from_environment(variables) as reader:
        return reader.counts(counters, consistent="COUNTER_TABLE" in variables)


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


def settle(writer, time_s=10.0, **groups):
    """What became of each counter; the activity is thrown away."""
    return writer.settle(groups, writer.clock() + time_s, Activity()).settlements()


class Deployed:
    """A consumer with its channel, its clock, and what it logged."""

    def __init__(self, default_max=INT64_MAX, limits=None, *, at_least_once=False, log=None):
        self.clock = Clock()
        self.channel = FakeChannel(
            self.clock, methods=AT_LEAST_ONCE if at_least_once else EXACTLY_ONCE
        )
        self._log = log or Log()
        self.service = self._log.service
        bare = make_bare_writer(self.channel)
        settler = bare if at_least_once else make_writer(self.channel, limits=limits)
        self.wall_s = AT_MS / 1_000
        self.consumer = Consumer(
            settler, self._log.observer, default_max, wall_clock=lambda: self.wall_s
        )

    def handle(self, event, context=None):
        return self.consumer.handle(event, context)

    @property
    def log(self):
        return self._log.lines

    @property
    def returned(self):
        return self._log.returned

    def count(self, counter="page:home"):
        """The count as it is stored; None for an absent counter."""
        value = self.channel.store.get(counter)
        return None if value is None else int(value.partition(b"\n")[0])
