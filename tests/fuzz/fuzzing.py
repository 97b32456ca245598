"""What a hostile or careless producer sends: strategies for bodies and for whole SQS batches."""

import json

from hypothesis import strategies as st

from tally.counters.event import INT64_MAX, INT64_MIN
from tests.support.lambda_event import SENT_AT_MS, record

COUNTERS = ["a", "b", "page:home", "é" * 256, "x" * 512, "a\u0000b", "\u2028", "😀"]
SOURCES = ["00000000000000ff", "9f86d081884c7d65", "f" * 16]
EDGES = [INT64_MIN, -1, 0, 1, INT64_MAX]
TIMES_MS = [1, 1_000, SENT_AT_MS - 1, SENT_AT_MS, SENT_AT_MS + 300_000]
TIMES = ["2026-09-21T14:13:20Z", "2026-09-21t14:13:19.9999z", "1970-01-01T01:00:00.001+01:00"]
WRONG_STAMPS = [
    "2026-09-21",
    "2026-09-31T14:13:20Z",
    "2026-09-21T14:18:20.001Z",
    "1970-01-01T00:00:00Z",
]
TOO_LARGE = [INT64_MIN - 1, INT64_MAX + 1, 2**64, 10**400]
WRONG_NUMBERS: list[object] = [*TOO_LARGE, 1.0, 1.5, True, None, "1", [1], {}]
WRONG_TEXTS = ["", 1, None, True, [], "é" * 257, "x" * 513]
WRONG_SOURCES = ["", "FF", "0" * 15, "0" * 17, "00000000000000FF", "00000000000000ff\n", "g" * 16]
WRONG_TIMES = [0, -1, SENT_AT_MS + 300_001, INT64_MAX, *WRONG_NUMBERS]
DEPTHS = [1, 50, 900, 990, 1_000, 5_000, 100_000]

SMALL = st.integers(-5, 5)
FIELDS = {
    "counter": st.sampled_from(COUNTERS),
    "amount": SMALL | st.sampled_from(EDGES),
    "max": SMALL | st.sampled_from(EDGES),
    "min": SMALL | st.sampled_from(EDGES),
    "reset": SMALL | st.sampled_from(EDGES),
    "source": st.sampled_from(SOURCES),
    "seq": st.integers(0, 9) | st.just(INT64_MAX),
    "id": st.sampled_from(["order-1", "é", "\u0000", "x" * 2_000]),
    "at": st.sampled_from(TIMES_MS),
}
WRONG = {
    "counter": st.sampled_from(WRONG_TEXTS),
    "amount": st.sampled_from(WRONG_NUMBERS),
    "max": st.sampled_from(WRONG_NUMBERS),
    "min": st.sampled_from(WRONG_NUMBERS),
    "reset": st.sampled_from(WRONG_NUMBERS),
    "source": st.sampled_from([*WRONG_TEXTS, *WRONG_SOURCES]),
    "seq": st.sampled_from([-1, *WRONG_NUMBERS]),
    "id": st.sampled_from(WRONG_TEXTS),
    "at": st.sampled_from(WRONG_TIMES),
}
# An error quotes them, and they look like what it says of the place.
UNKNOWN_NAMES = ["", "x", "x[9]", "` - at `$[7].counter`", " - at `$.amount", "é" * 600]
NATIVE, NAMED, ANONYMOUS = ("source", "seq", "at"), ("id", "at"), ()


def _of(names, fields=FIELDS):
    return st.fixed_dictionaries({name: fields[name] for name in names})


CHANGES = st.lists(st.sampled_from(["amount", "max", "min"]), unique=True) | st.just(["reset"])
VALID = st.sampled_from([NATIVE, NAMED, ANONYMOUS]).flatmap(
    lambda identity: CHANGES.flatmap(lambda names: _of(("counter", *identity, *names)))
)
WRONG_FIELDS = st.lists(st.sampled_from(list(WRONG)), unique=True, min_size=1, max_size=2).flatmap(
    lambda names: _of(names, WRONG)
)
UNKNOWN_FIELDS = st.dictionaries(st.sampled_from(UNKNOWN_NAMES), st.just([1]), min_size=1)
DAMAGED = st.builds(lambda good, wrong: good | wrong, VALID, WRONG_FIELDS | UNKNOWN_FIELDS)
MIXED = st.lists(st.sampled_from(list(FIELDS)), unique=True).flatmap(_of)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
ATTRIBUTES = {
    "specversion": st.just("1.0"),
    "id": st.sampled_from(["order-1", "b c", "\u0000"]),
    "source": st.sampled_from(["/shop", "urn:a", "é"]),
    "type": st.just("t"),
    "time": st.sampled_from(TIMES),
}
OPTIONAL = {
    "subject": st.sampled_from(COUNTERS),
    "data": st.none() | CHANGES.flatmap(lambda names: _of(("counter", *names))),
    "datacontenttype": st.sampled_from(["application/json", "a/b+JSON; c=d", None]),
    "dataschema": st.just("http://127.0.0.1/"),
    "traceparent": st.sampled_from(["00-1-2-01", 7, None]),
}
WRONG_ATTRIBUTES = {
    "specversion": st.sampled_from(["0.3", "1", *WRONG_TEXTS[:5]]),
    "id": st.sampled_from(WRONG_TEXTS[:5]),
    "source": st.sampled_from(["a b", "a\n", *WRONG_TEXTS[:5]]),
    "type": st.sampled_from(WRONG_TEXTS[:5]),
    "time": st.sampled_from([*WRONG_STAMPS, *WRONG_TEXTS[:5]]),
    "subject": st.sampled_from(WRONG_TEXTS),
    "data": st.sampled_from([1, [], "", {"amount": None}, {"colour": 1}, {"max": 1, "reset": 1}]),
    "datacontenttype": st.sampled_from(["", "text/xml", "json", 5]),
    "data_base64": st.sampled_from(["", "e30=", None]),
}
SOUND = st.fixed_dictionaries(ATTRIBUTES, optional=OPTIONAL)
CLOUDEVENTS = SOUND | st.builds(
    lambda good, wrong: good | wrong,
    SOUND,
    st.lists(st.sampled_from(list(WRONG_ATTRIBUTES)), unique=True, min_size=1, max_size=2).flatmap(
        lambda names: _of(names, WRONG_ATTRIBUTES)
    ),
)
INCREMENTS = VALID | VALID | VALID | DAMAGED | DAMAGED | MIXED | JSON
PACKED = st.one_of(
    st.lists(VALID, max_size=5),
    st.lists(INCREMENTS, max_size=4),
    st.lists(SOUND | SOUND | CLOUDEVENTS | INCREMENTS, min_size=1, max_size=4),
)


@st.composite
def _spliced(draw):
    """A good body with a piece cut out, and another put in its place."""
    good = VALID | SOUND | st.lists(VALID, max_size=2)
    body = json.dumps(draw(good), ensure_ascii=draw(st.booleans()))
    start = draw(st.integers(0, len(body)))
    end = min(len(body), start + draw(st.integers(0, 8)))
    return body[:start] + draw(PIECES) + body[end:]


@st.composite
def _nested(draw):
    """A body with a value nested deeper than anybody reads."""
    opening, closing = draw(st.sampled_from([("[", "]"), ('{"a":', "}")]))
    depth = draw(st.sampled_from(DEPTHS))
    value = opening * depth + "1" + closing * draw(st.sampled_from([depth, 0]))
    frame = draw(st.sampled_from(["%s", '{"counter":"a","x":%s}', '[{"counter":%s}]']))
    return frame % value


NUMERALS, ESCAPES = ["9" * 5_000, "1e5", "-0", "NaN"], ["\\ud800", "\\u0000", "\ufeff"]
PIECES = st.one_of(
    st.text(alphabet='{}[]":,0123456789.eE+-\\u nulltrfas\x00', max_size=6),
    st.sampled_from([*NUMERALS, *ESCAPES, '","counter":"', " " * 50]),
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
BODIES = st.one_of(
    (INCREMENTS | PACKED | CLOUDEVENTS).map(json.dumps),
    VALID.map(lambda fields: json.dumps(fields, ensure_ascii=False, indent=1)),
    PACKED.map(json.dumps),
    _spliced(),
    _nested(),
    TEXT,
    st.text(max_size=9),  # half characters too, which no queue takes and JSON can write
)


@st.composite
def _batches(draw, groups):
    """An SQS batch, some of its messages delivered twice; the ids are SQS's, not a fuzzer's."""
    records = [
        record(f"m{place}", draw(BODIES), group=draw(groups), sent_at=draw(SENT_AT))
        for place in range(draw(st.integers(0, 6)))
    ]
    for made in records:
        made["attributes"] |= draw(TRACES)
        made["messageAttributes"] = draw(MESSAGE_ATTRIBUTES)
    again = draw(st.lists(st.sampled_from(records), max_size=2)) if records else []
    return records + [copy | {"receiptHandle": "another"} for copy in again]


SENT_AT = st.sampled_from([SENT_AT_MS, SENT_AT_MS + 1, 1])
TRACES = st.fixed_dictionaries({}, optional={"AWSTraceHeader": TEXT, "SenderId": TEXT})
MESSAGE_ATTRIBUTES = st.dictionaries(TEXT, st.fixed_dictionaries({"stringValue": TEXT}), max_size=2)
BATCHES = _batches(st.none())
FIFO_BATCHES = _batches(st.sampled_from(["g1", "g2"]))
