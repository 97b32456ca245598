"""Real processes, gRPC and SQS under every fault at once: at rest each count is exact."""

import json
import os

import pytest

from tests.integration.stormy_stack import STOCK, TICKETS, WALLET, StormyStack
from tests.support.lambda_event import increment

SEED = 20
SCENARIO_S = 20
SCENARIOS = 1 + int(os.environ.get("TALLY_SOAK_MINUTES", "0")) * 60 // SCENARIO_S
BAD = sorted(
    [
        "{",
        json.dumps({"counter": "hot", "amount": 1.5}),
        json.dumps({"counter": "hot", "id": "from the future", "at": 2**62}),
        json.dumps([increment(0, "hot"), increment(1, "hot", amount="1")]),
    ]
)


@pytest.mark.parametrize("seed", range(SEED, SEED + SCENARIOS))
def test_after_any_storm_every_counter_is_exact_and_only_bad_messages_are_dead(seed):
    with StormyStack(seed) as stack:
        stack.publish_through_the_storm(BAD)
        depth = stack.rest(dead=len(BAD))
        assert (depth.visible, depth.in_flight, depth.dead) == (0, 0, len(BAD))
        assert stack.dead_letters() == BAD
        audits = {counter: stack.audit(counter) for counter in stack.published}
    published = stack.published.items()
    totals = {counter: sum(event.amount for event in events) for counter, events in published}
    expected = totals | {
        "tickets": min(totals["tickets"], TICKETS["max"]),
        "stock": max(totals["stock"], STOCK["min"]),
        "wallet": audits["wallet"][1],
    }
    assert audits == {counter: (count, count) for counter, count in expected.items()}
    assert stack.wallets <= set(range(WALLET["min"], WALLET["max"] + 1))
    assert min(stack.metrics("EventsDuplicate"), stack.metrics("SwapsLost")) > 0
    assert stack.storm.has_seen_all, stack.storm.struck
