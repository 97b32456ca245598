"""`tally plan` as it is typed: what it prints, its exit status, and what its page says of it."""

import dataclasses
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from consumer.observability import OF_A_TABLE
from consumer.wiring import observer
from tally.cli.plan import figures
from tally.cli.plan.bill import (
    COPIES_ALARM_METRICS,
    LOG_BYTES,
    METRICS,
    MONTH_S,
    TABLE_METRICS,
)
from tally.cli.plan.load import MEMORIES_MB, PRICES_AS_OF, TIMEOUTS_S, WINDOWS_S, Load, Prices
from tally.cli.plan.report import number
from tally.settling.progress import Activity
from tests.infrastructure.cloudformation import TemplateStack
from tests.infrastructure.conftest import REQUIRED
from tests.support.terminal import Terminal

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "planning.md").read_text("utf-8")
TEMPLATE = ROOT / "tests" / "infrastructure" / "transformed.json"
FIELDS = {
    "BatchSize": "batch_size",
    "BatchingWindowSeconds": "window_s",
    "MaximumConcurrency": "consumers",
    "FunctionTimeoutSeconds": "timeout_s",
    "FunctionMemoryMegabytes": "memory_mb",
}
OFFERED = {
    "BatchingWindowSeconds": WINDOWS_S,
    "FunctionTimeoutSeconds": TIMEOUTS_S,
    "FunctionMemoryMegabytes": MEMORIES_MB,
}
EXAMPLE = re.compile(r"^```console\n\$ tally (?P<command>.*)\n(?P<said>[^`]*)```$", re.MULTILINE)
PRICE = re.compile(r"^\| `(?P<name>[a-z-]+)` \| (?P<usd>\S+|not known) \|", re.MULTILINE)


def lines(text):
    """Without what a terminal pads."""
    return [line.rstrip() for line in text.splitlines()]


def planned(*arguments):
    said = Terminal()("plan", *arguments, "--output", "json")
    return said.status, json.loads(said.stdout)


@pytest.mark.parametrize(
    "example", list(EXAMPLE.finditer(PAGE)), ids=lambda found: found["command"]
)
def test_an_example_of_the_page_says_what_is_said(example):
    said = Terminal()(*example["command"].split())
    assert (said.status, said.stderr) == (0 if "It fits." in example["said"] else 1, "")
    assert lines(said.stdout) == lines(example["said"])


def test_the_prices_of_the_page_are_the_defaults():
    told = {match["name"]: match["usd"] for match in PRICE.finditer(PAGE)}
    known = {name: None if usd == "not known" else float(usd) for name, usd in told.items()}
    assert known == {name.replace("_", "-"): usd for name, usd in vars(Prices()).items()}
    assert max(re.findall(r"\| (2\d{3}-\d\d) \|", PAGE)) == PRICES_AS_OF


@pytest.mark.parametrize(
    "said",
    [
        f"{figures.BATCH_CPU_S * 1e3:g} ms a batch, {figures.MESSAGE_CPU_S * 1e6:g} µs a message",
        f"{figures.EVENT_CPU_S * 1e6:g} µs an event, {figures.WRITE_CPU_S * 1e6:g} µs a counter",
        f"{figures.SOURCE_CPU_S * 1e6:g} µs for each source",
        f"a function has from {figures.CORE_MB:,} MB",
        f"{figures.RECORD_BYTES:,} bytes beside its body",
        f"{figures.ESCAPED} times its bytes",
    ],
)
def test_a_figure_of_the_page_is_that_of_the_code(said):
    assert said in " ".join(PAGE.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--events", "0.001"), "an idle stack $ {:,.0f} a month"),
        (
            ("--durable", "--events", "1000", "--counters", "100"),
            "1,000 events a second on 100 counters $ {:,.0f} in a table",
        ),
        (("--events", "1000", "--counters", "100"), "in Momento $ {:,.0f} and 3.2 billion"),
    ],
)
def test_what_readme_says_of_money_is_planned(arguments, said):
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert said.format(planned(*arguments)[1]["usd_a_month"]) in readme


def test_the_defaults_and_what_is_advised_are_what_the_template_offers():
    parameters = json.loads(TEMPLATE.read_text("utf-8"))["Parameters"]
    default = {name: int(parameters[name]["Default"]) for name in FIELDS}
    assert default == {name: vars(Load())[field] for name, field in FIELDS.items()}
    offered = {name: tuple(map(int, parameters[name]["AllowedValues"])) for name in OFFERED}
    assert offered == OFFERED


def alarm_metrics(**parameters):
    """How many metrics the alarms of a stack look at, each of which is billed."""
    stack = TemplateStack(json.loads(TEMPLATE.read_text("utf-8")), parameters)
    alarms = stack.of_type("AWS::CloudWatch::Alarm").values()
    return sum(
        len([m for m in each.get("Metrics", [{}]) if "Expression" not in m]) for each in alarms
    )


def test_the_bill_has_what_the_alarms_of_the_template_look_at():
    billed = [
        next(
            item["units"] for item in planned(*given)[1]["bill"] if item["what"] == "alarm metrics"
        )
        for given in ((), ("--durable",))
    ]
    assert billed == [alarm_metrics(**REQUIRED), alarm_metrics(CounterTable="create")]
    assert alarm_metrics(**REQUIRED, CounterTable="create") == billed[1] + COPIES_ALARM_METRICS


def test_the_bill_has_the_record_of_an_invocation(capsys):
    told = observer({"POWERTOOLS_SERVICE_NAME": "tally"})
    told.begin("8f5d3c6a-1f37-5f5d-9f3b-65e6a4d7d0b1")
    known = {each.name for each in dataclasses.fields(Activity)} - OF_A_TABLE
    assert (len(known), len(OF_A_TABLE)) == (METRICS, TABLE_METRICS)
    told.busiest({"page:home": range(250)})
    told.publish(Activity(**dict.fromkeys(known, 1_000)))
    assert 1_300 < len(capsys.readouterr().out) <= 1_400
    assert LOG_BYTES > 1_400


@pytest.mark.parametrize("columns", [12, 20, 40, 60, 78, 79])
@pytest.mark.parametrize(
    "load", [(), ("--events", "1000", "--counters", "100"), ("--events", "1e9", "--packed", "9")]
)
def test_a_narrow_terminal_cuts_no_number_off(columns, load):
    wide = Terminal()("plan", *load, COLUMNS="200").stdout
    narrow = Terminal()("plan", *load, COLUMNS=str(columns)).stdout
    numbers = [Counter(re.findall(r"[\d,.]*\d", text)) for text in (wide, narrow)]
    assert numbers[0] == numbers[1]
    assert "…" not in narrow


def test_a_table_that_does_not_fit_is_lines():
    said = Terminal()("plan", "--events", "1000", "--counters", "100", COLUMNS="40").stdout
    assert lines(said)[:4] == [
        "1,000 events/s, 100 counters",
        "messages/s: 100; of 1,011 bytes",
        "batches/s: 4; of 25 messages, 250",
        "  events, 91.9 counters",
    ]
    for line in (
        "SQS: sends; units 262,800,000; price, $",
        "total: $ 174.44",
        "races: load 0.111; at most 0.5; unit of",
    ):
        assert line in lines(said)


def test_what_fits_ends_with_status_0_and_says_so():
    said = Terminal()("plan")
    assert (said.status, said.stderr, lines(said.stdout)[-1]) == (0, "", "It fits.")


def test_the_answer_for_programs_has_every_part():
    status, told = planned()
    assert (status, told["fits"], told["advice"], told["notes"]) == (0, True, [], [])
    assert told["settings"]["prices"] == vars(Prices())
    assert told["figures"].keys() == {"batches", "momento", "function"}
    assert [each["name"] for each in told["checks"] if each["fits"]] == [
        *("operations", "races", "events", "a full batch", "value", "in flight")
    ]
    assert told["default_prices_as_of"] == PRICES_AS_OF
    assert told["usd_a_month"] == pytest.approx(sum(item["usd"] for item in told["bill"]))


def test_programs_are_told_these_figures():
    _, told = planned()
    assert {group: " ".join(figures) for group, figures in told["figures"].items()} == {
        "batches": (
            "messages_per_s message_bytes batches_per_s messages events counters between_s "
            "most_messages in_flight in_flight_failing"
        ),
        "momento": (
            "writes_per_s reads_per_s lost_races_per_s operations_per_s operations_a_batch "
            "operations_an_event contention value_bytes value_chunks stored_bytes "
            "transferred_bytes_per_s"
        ),
        "function": "fold_s duration_s longest_s capacity_per_s",
    }


def test_every_option_arrives_in_its_setting():
    given = {
        "events": ("events_per_s", 2.5), "counters": ("counters", 3),
        "hot-share": ("hot_share", 0.25), "sources": ("sources", 4), "gaps": ("gaps", 1),
        "identity": ("identity", "named"), "packed": ("packed", 5),
        "increment-bytes": ("increment_bytes", 90), "batch-size": ("batch_size", 6),
        "window": ("window_s", 7), "consumers": ("consumers", 8), "received": ("received", 9),
        "timeout": ("timeout_s", 11), "memory": ("memory_mb", 256),
        "round-trip": ("round_trip_ms", 1.5), "quota": ("quota_per_s", 12.0),
    }  # fmt: skip
    _, told = planned(*(f"--{option}={value}" for option, (_, value) in given.items()))
    assert told["settings"] == dict(given.values()) | {"durable": False, "prices": vars(Prices())}


def test_the_advice_typed_back_in_fits():
    load = ("--events", "1000", "--counters", "100")
    status, told = planned(*load)
    changes = [advice["changes"] for advice in told["advice"]]
    assert (status, changes) == (
        1,
        [
            [{"setting": "window_s", "before": 1, "after": 30}],
            [{"setting": "quota_per_s", "before": 100.0, "after": 1500.0}],
        ],
    )
    status, longer = planned(*load, "--window", "30")
    assert (status, longer["usd_a_month"]) == (0, told["advice"][0]["usd_a_month"])
    assert planned(*load, "--quota", "1500")[0] == 0


def test_two_changes_and_further_chunks_are_told():
    said = Terminal()("plan", "--events", "1000", "--counters", "100", "--identity", "named")
    *_, window, quota = lines(said.stdout)
    assert window.startswith("  identity named -> native and window 1 s -> 30 s bring operations")
    assert quota.startswith("  identity named -> native and quota 100 /s -> 1,500 /s bring ")
    assert "is billed as 1,024 chunks of 1,024 bytes" in " ".join(said.stdout.split())


def test_a_load_past_help_says_so():
    said = Terminal()("plan", "--events", "10000000", "--counters", "10000")
    last = "It does not fit, and no change of settings was found that makes it fit."
    assert (said.status, lines(said.stdout)[-1]) == (1, last)


def test_one_way_with_several_changes_is_told_as_one():
    hot = ("--events", "6000", "--counters", "5000", "--hot-share", "0.2", "--durable")
    *_, verdict, way = lines(Terminal()("plan", *hot).stdout)
    assert verdict == "It does not fit. This makes it fit:"
    changes = "increments in a message 10 -> 50, window 1 s -> 30 s and memory 1,024 MB -> 1,769 MB"
    assert way.startswith(f"  {changes} bring races to ")


def test_a_price_that_is_given_is_used_and_told_apart():
    free = ["--price", "sqs-million-requests=0", "--price", "momento-million-operations=0.25"]
    said = Terminal()("plan", *free)
    assert f"Prices that were not given are defaults read up to {PRICES_AS_OF}" in said.stdout
    assert "0.25 a million" in said.stdout
    _, told = planned(*free)
    spent = {(item["service"], item["what"]): item["usd"] for item in told["bill"]}
    operations_per_s = told["figures"]["momento"]["operations_per_s"]
    assert spent["SQS", "sends"] == 0
    assert spent["Momento", "operations"] == pytest.approx(operations_per_s * 730 * 3_600 / 4e6)


def units_a_second(*arguments):
    """What the bill counts, by its name."""
    _, told = planned(*arguments)
    return {item["what"]: item["units"] / MONTH_S for item in told["bill"]}


@pytest.mark.parametrize(("consumers", "pollers"), [(10, 5), (3, 3)])
def test_an_idle_queue_is_polled_all_the_same(consumers, pollers):
    units = units_a_second("--events", "0.001", "--consumers", str(consumers))
    assert units["receives"] == pollers / 20


@pytest.mark.parametrize(
    ("arguments", "batches", "receives"),
    [
        (["--events", "100"], 4, 4),  # of 2.5 messages
        (["--events", "1000", "--batch-size", "10", "--window", "0"], 100, 100),  # a FIFO queue's
        (["--events", "400"], 4, 4),  # just what a receive brings
        (["--events", "1000"], 4, 10),  # of 25 messages
        (["--events", "100", "--received", "1"], 4, 10),
    ],
)
def test_a_batch_costs_a_receive_or_more(arguments, batches, receives):
    units = units_a_second(*arguments)
    assert (units["invocations"], units["receives"]) == (batches, receives)


@pytest.mark.parametrize(
    ("events", "packed", "sends", "receives"),
    [
        (1_400, 1_400, 3, 3),  # a message of 141,401 bytes a batch
        (14_000, 100, 140, 28),  # 35 of 10,101 bytes: 3.5 receives, each of 101,010 bytes
        (1_000, 100, 10, 4),  # 2.5 of those: one of 25,253 bytes
    ],
)
def test_each_64_kib_of_a_request_is_billed(events, packed, sends, receives):
    units = units_a_second("--events", str(events), "--packed", str(packed))
    assert (units["sends"], units["receives"]) == (sends, receives)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--window", "0"], "a --batch-size over 10 needs a --window of at least 1"),
        (["--packed", "11000"], "a message of 1,111,001 bytes is over SQS's 1,048,576"),
        (["--price", "beer=1"], "--price: 'beer' is none of"),
        (["--price", "lambda-gb-s"], "--price: 'lambda-gb-s' must be NAME=USD, such as"),
        (["--price", "lambda-gb-s=-1"], "--price: 'lambda-gb-s=-1' must be NAME=USD, such as"),
        (["--price", "lambda-gb-s=inf"], "--price: 'lambda-gb-s=inf' must be NAME=USD, such as"),
        (["--events", "0"], "Invalid value for '--events'"),
        (["--durable", "--quota", "100"], "--quota is Momento's, and with --durable nothing goes"),
        (["--events", "nan"], "Invalid value for '--events'"),
        (["--hot-share", "nan"], "Invalid value for '--hot-share'"),
    ],
)
def test_what_cannot_be_set_up_is_said_in_one_line(arguments, problem):
    said = Terminal()("plan", *arguments)
    framed = [line.strip("│ ") for line in said.stderr.splitlines() if line.startswith("│")]
    assert (said.status, said.stdout) == (2, "")
    assert problem in " ".join(framed)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (0.000_4, "< 0.001"), (0.012_34, "0.0123"), (9.999, "10"),
        (12.34, "12.3"), (20.0, "20"), (99.96, "100"), (123_456.7, "123,457"),
    ],
)  # fmt: skip
def test_a_figure_is_shown_with_the_digits_it_deserves(value, shown):
    assert number(value) == shown
