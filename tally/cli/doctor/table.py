"""What a doctor looks at in a table of DynamoDB: that it is there, and answers."""

from collections.abc import Callable

from tally.cli.doctor.checks import Finding, bad, good
from tally.reading.errors import ReadError
from tally.stores.errors import BrokenSetupError

DYNAMODB = "DynamoDB"

REACH = "see that DynamoDB can be reached from here"


def check_table(name: str, read: Callable[[], object]) -> Finding:
    """Whether the table answers: one consistent read of a counter, there or not."""
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
