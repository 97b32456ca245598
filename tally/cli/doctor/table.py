"""What a doctor looks at in a table of DynamoDB: that it answers, takes swaps, and is set up."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tally.aws import AWS_ERRORS, described
from tally.cli.doctor.checks import Finding, bad, good, skipped
from tally.environment import Table
from tally.reading.errors import ReadError
from tally.stores.dynamodb.items import COUNT, COUNTER, EXPIRES, token_of
from tally.stores.errors import BrokenSetupError
from tally.stores.port import Copy, Failed, LostRace, Store, Swap, Trouble

DYNAMODB = "DynamoDB"
WRITES, KEY, REGIONS = "table writes", "table key", "table regions"
ENDS, RECOVERY = "time to live", "point-in-time recovery"

REACH = "see that DynamoDB can be reached from here"
PUT_S = 5.0
"""How long the swap may take, in seconds."""

PROBE = b"0"
"""Never written: the swap's condition is a value that nobody has stored."""


@dataclasses.dataclass(frozen=True)
class Ask:
    """One question about a table's set-up, and the right that it needs."""

    name: str
    method: str
    action: str
    check: Callable[[Mapping[str, Any]], Iterator[Finding]]


def check_table(name: str, read: Callable[[], object]) -> Finding:
    """Whether the table answers: one consistent read of any counter shows it."""
    try:
        read()
    except BrokenSetupError as error:
        if error.is_missing:
            problem = f"there is no table {name!r}"
            return bad(DYNAMODB, problem, "create it, or mend COUNTER_TABLE or the region")
        return bad(DYNAMODB, str(error), "mend the credentials, their rights or the table's key")
    except ReadError as error:
        return bad(DYNAMODB, str(error), REACH)
    return good(DYNAMODB, f"the table {name!r} answers")


def check_writes(store: Store, counter: str, ends_at: float) -> Finding:
    """Whether these credentials may swap: a swap of an absent counter, which must fail, shows it.

    DynamoDB checks the right first and then the condition. So nothing is written, and nothing is
    left to delete, for which the consumer has no right.
    """
    swap = Swap(counter, Copy(PROBE, token_of(PROBE)), PROBE)
    [(_, answer)] = store.write([swap], ends_at)
    if isinstance(answer, LostRace):
        return good(WRITES, "a swap that had to fail was refused, so nothing was written")
    if not isinstance(answer, Failed):
        return bad(WRITES, "a swap went through whose condition does not hold", REACH)
    if answer.trouble is Trouble.BROKEN_SETUP:
        text = f"these credentials may not: {answer.detail}"
        return skipped(WRITES, text, "the consumer's need dynamodb:PutItem on the table")
    return bad(WRITES, answer.detail, REACH)


def check_set_up(table: Table, client: Any, *, is_local: bool) -> Iterator[Finding]:  # noqa: ANN401 (boto3's)
    """How the table is set up; without the right to ask, a check is skipped and names the right."""
    for ask in (
        Ask(KEY, "describe_table", "DescribeTable", _described),
        Ask(ENDS, "describe_time_to_live", "DescribeTimeToLive", lambda told: _ends(table, told)),
    ):
        yield from _answered(table, client, ask)
    if is_local:
        yield skipped(RECOVERY, "the table is local")
        return
    action = "DescribeContinuousBackups"
    yield from _answered(
        table, client, Ask(RECOVERY, "describe_continuous_backups", action, _recovery)
    )


def _answered(table: Table, client: Any, ask: Ask) -> Iterator[Finding]:  # noqa: ANN401 (boto3's)
    try:
        told = getattr(client, ask.method)(TableName=table.name)
    except AWS_ERRORS as error:
        advice = f"allow dynamodb:{ask.action} to check it"
        yield skipped(ask.name, f"it cannot be asked: {described(error)}", advice)
        return
    yield from ask.check(told)


def _described(told: Mapping[str, Any]) -> Iterator[Finding]:
    described_table = told["Table"]
    types = {
        each["AttributeName"]: each["AttributeType"]
        for each in described_table["AttributeDefinitions"]
    }
    keys = [
        f"{each['AttributeName']} ({types.get(each['AttributeName'])}, {each['KeyType']})"
        for each in described_table["KeySchema"]
    ]
    text = ", ".join(keys)
    if keys == [f"{COUNTER} (S, HASH)"]:
        yield good(KEY, text)
    else:
        yield bad(KEY, text, f"make a table whose only key is {COUNTER} (S, HASH)")
    if not described_table.get("Replicas"):
        return
    consistency = described_table.get("MultiRegionConsistency", "EVENTUAL")
    text = f"a global table of {consistency} consistency"
    if consistency == "STRONG":
        yield skipped(REGIONS, f"{text}, which was not tried with counters")
    else:
        problem = f"{text}: two regions that write may count twice, and lose"
        yield bad(REGIONS, problem, "make its consistency STRONG, or let one region alone write")


def _ends(table: Table, told: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the attribute by which DynamoDB deletes agrees with COUNTER_TTL_SECONDS."""
    found = told["TimeToLiveDescription"]
    is_on = found.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
    name = found.get("AttributeName", "") if is_on else ""
    if name == COUNT:
        yield bad(
            ENDS, f"by {COUNT}: DynamoDB deletes counters by their counts", "mend it: turn it off"
        )
    elif table.ttl_s is None:
        off = "counters stay for ever"
        yield good(ENDS, f"{off}: COUNTER_TTL_SECONDS is not set" if name else off)
    elif name == EXPIRES:
        yield good(ENDS, f"by {EXPIRES}, {table.ttl_s} s after the last swap")
    else:
        text = f"by {name}" if name else "off"
        yield bad(ENDS, f"{text}, so no counter ends", f"enable it, by the attribute {EXPIRES}")


def _recovery(told: Mapping[str, Any]) -> Iterator[Finding]:
    found = told["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if found.get("PointInTimeRecoveryStatus") == "ENABLED":
        yield good(RECOVERY, "on")
    else:
        yield bad(RECOVERY, "off: what is deleted by mistake is gone", "enable it")
