"""Momento as a peer of grpc.Channel for reads: values in memory, a clock, answers by script."""

from collections import deque
from typing import Any

import grpc
from momento_wire_types import cacheclient_pb2 as pb

from tally.reading.reader import Reader
from tests.support.consumers import NO_KEY, Draws, make_momento
from tests.support.momento_channel import CACHE, LATENCY_S, Clock, FakeRpcError

GET_BATCH = "/cache_client.Scs/GetBatch"


def failing(status, details="told by a test"):
    """The step of a call that fails with this status."""
    return FakeRpcError(status, details)


class ReadChannel:
    """A channel with values by key; `calls` has of each call its keys, deadline and metadata.

    The script has a step for each of the first calls: an error, which comes after some of the
    answers; a function from the right answers to those that are given; or None.
    """

    def __init__(self, *script, values=None):
        self.clock = Clock()
        self.values = {} if values is None else values
        self.script = deque(script)
        self.calls: list[tuple[list[str], float, Any]] = []
        self.is_closed = False

    def unary_unary(self, *_: Any, **__: Any) -> None:
        """No read needs a call of one answer; the generated stub asks for them all the same."""

    def unary_stream(self, method, request_serializer, response_deserializer, **_):
        def call(request, timeout, metadata):
            sent = pb._GetBatchRequest.FromString(request_serializer(request))
            for answer in self._answers(sent, timeout, metadata):
                yield response_deserializer(answer.SerializeToString())

        return call if method == GET_BATCH else None

    def close(self):
        self.is_closed = True

    @property
    def keys(self):
        """The keys of each call."""
        return [keys for keys, _, _ in self.calls]

    def _answers(self, request, timeout_s, metadata):
        keys = [item.cache_key.decode() for item in request.items]
        self.calls.append((keys, timeout_s, metadata))
        self.clock.now_s += min(LATENCY_S, timeout_s)
        cache = dict(metadata)["cache"]
        if cache != CACHE:
            raise FakeRpcError(grpc.StatusCode.NOT_FOUND, f"cache not found: {cache}")
        step = self.script.popleft() if self.script else None
        answers = [self._answer(key) for key in keys]
        if isinstance(step, FakeRpcError):
            yield from answers[:-1]
            raise step
        yield from step(answers) if step else answers

    def _answer(self, key):
        if key in self.values:
            return pb._GetResponse(result=pb.Hit, cache_body=self.values[key])
        return pb._GetResponse(result=pb.Miss)


def make_reader(channel, clock=None, *, cache_name=CACHE, credentials=NO_KEY, uniform=None):
    """A reader on a channel, with a clock that only calls and sleeps move."""
    clock = clock or channel.clock
    return Reader(
        make_momento(channel, clock, credentials=credentials, cache_name=cache_name),
        clock=clock,
        sleep=clock.sleep,
        uniform=uniform or Draws(),
    )
