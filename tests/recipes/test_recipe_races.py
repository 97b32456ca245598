"""What a recipe does when somebody else writes between its read and its write."""

import pytest

from benchmarks.recipes.cache import TTL_MS
from benchmarks.recipes.channel import Channel
from benchmarks.recipes.recipes import article, idempotent, plain, swap
from benchmarks.recipes.truth import key_of
from tally.counters.event import Increment, encode
from tests.recipes.here import Here

OURS = Increment(counter="c", max=2, source="00000000000000aa", seq=0, at=1_790_000_000_000)
RECORD = {"messageId": "m", "body": encode(OURS).decode(), "eventSource": "aws:sqs"}
TIMEOUT_S = 30.0


class Raced(Here):
    """An environment whose rival writes before its first call of a name."""

    def __init__(self, call, rival, before=None):
        super().__init__([OURS])
        self.ends_at_s = TIMEOUT_S
        self.calls = []
        self._rival = (call, rival)
        if before is not None:
            self.do(lambda: self.cache.set("c", before))

    def connect(self):
        return Channel(self.world, self._act, self)

    def sleep(self, seconds):
        self.sleep_until(self.world.timeline.now_s + seconds)

    def get_remaining_time_in_millis(self):
        return int(TIMEOUT_S * 1_000)

    def handle(self, recipe):
        return self.do(lambda: recipe(self)({"Records": [RECORD]}, self))

    def _act(self, name, request, subject):
        call, rival = self._rival
        if name == call and name not in self.calls:
            self.store._cache.put(b"c", rival, TTL_MS)
        if request.cache_key == b"c":
            self.calls.append(name)
        return self.store.act(name, request, subject)


@pytest.mark.parametrize(
    ("recipe", "call", "before", "rival", "calls", "left"),
    [
        (plain, "Increment", b"1", b"2", ["Get", "Increment", "Increment"], b"2"),
        (idempotent, "Increment", b"1", b"2", ["Get", "Increment", "Increment"], b"2"),
        (article, "SetIf", None, b"1", ["Get", "SetIf", "Get", "SetIf"], b"2"),
        (article, "SetIf", b"1", b"2", ["Get", "SetIf"], b"2"),
        (swap, "SetIf", None, b"1", ["GetWithHash", "SetIf", "GetWithHash", "SetIfHash"], b"2"),
        (swap, "SetIfHash", b"1", b"2", ["GetWithHash", "SetIfHash", "GetWithHash"], b"2"),
    ],
)
def test_a_rival_in_between_is_respected(recipe, call, before, rival, calls, left):
    here = Raced(call, rival, before)
    assert here.handle(recipe) == {"batchItemFailures": []}
    assert here.calls == calls
    assert here.store.value("c") == left
    assert here.subject == key_of(OURS)


def test_the_article_overwrites_a_rival():
    here = Raced("SetIf", b"1", b"0")
    here.handle(article)
    assert here.store.value("c") == b"1"
