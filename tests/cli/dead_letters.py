"""Dead letters of each kind, and a command's work on them."""

from tally.cli.dlq.letters import Choice
from tally.cli.dlq.queue import DeadLetterQueue, Handling
from tests.support.lambda_event import SENT_AT_MS

SOURCE = "9f86d081884c7d65"
URL = "http://127.0.0.1/000000000000/dead"
NATIVE = {"counter": "n", "source": SOURCE, "seq": 1, "at": SENT_AT_MS}
NAMED = {"counter": "m", "id": "order-1", "at": SENT_AT_MS}
ANONYMOUS = {"counter": "a", "amount": 3}


def handling(queue=None, *, limit=1, expected=0, **done):
    """A command's work on a queue, by default one that is not asked, without the ledgers."""
    return Handling(queue or DeadLetterQueue(None, URL), Choice(limit), list, expected, **done)
