"""Bugs where a table decides and a cache serves: conditions, tokens, answers, copies."""

from tests.mutants.mutation import Mutation

_ASKING = "tally/stores/dynamodb/asking.py"
_CALLS = "tally/stores/dynamodb/calls.py"
_DURABLE = "tally/stores/durable.py"
_FLIGHTS = "tally/stores/dynamodb/flights.py"
_ITEMS = "tally/stores/dynamodb/items.py"
_MIRRORING = "tally/stores/mirroring.py"
_READER = "tally/reading/reader.py"
_TABLE = "tally/stores/dynamodb/store.py"
_TROUBLES = "tally/stores/dynamodb/troubles.py"

_ASKED = "tests/stores/dynamodb/test_calls.py"
_CALLING = "tests/stores/dynamodb/test_threads_of_calls.py"

_CREATE = """            return request | {
                "ConditionExpression": "attribute_not_exists(#counter)",
                "ExpressionAttributeNames": names,
            }
"""
_SWAP = """            "ConditionExpression": "#token = :seen",
            "ExpressionAttributeNames": {"#token": TOKEN},
"""

_WRITE = """        put_at: dict[str, float] = {}
        for swap, answer in self._table.write(self._timed(writes, put_at), ends_at):
            if isinstance(answer, Stored):
                self._mirroring.begin(swap.counter, swap.value, put_at[swap.counter])
            yield swap, answer
"""

CONDITIONS = (
    Mutation(
        "put of a new counter without a condition",
        "A counter that others just created is overwritten.",
        _ITEMS,
        _CREATE,
        "            return request\n",
    ),
    Mutation(
        "put over a counter without a condition",
        "A write overwrites whatever others wrote since the read.",
        _ITEMS,
        _SWAP,
        "",
    ),
    Mutation(
        "conditions joined",
        "A warm copy raises a counter that is gone, and what was counted since counts again.",
        _ITEMS,
        _SWAP,
        """            "ConditionExpression": "attribute_not_exists(#counter) OR #token = :seen",
            "ExpressionAttributeNames": {"#token": TOKEN, "#counter": COUNTER},
""",
    ),
    Mutation(
        "token of the count",
        "Two ledgers of one count are taken for each other, and events are lost.",
        _ITEMS,
        "hashlib.blake2b(value, digest_size",
        'hashlib.blake2b(value.partition(b"\\n")[0], digest_size',
    ),
    Mutation(
        "token of few bits",
        "Values share tokens, and a swap goes through over what its writer has not seen.",
        _ITEMS,
        "return hashlib.blake2b(value, digest_size=TOKEN_BYTES).digest()",
        "return bytes([hashlib.blake2b(value, digest_size=TOKEN_BYTES).digest()[0] % 16])",
    ),
    Mutation(
        "repeat without a condition",
        "A put that was taken for lost is repeated over what others wrote since.",
        _ASKING,
        "    if not isinstance(answer, Mapping):\n        return Put(None, answer)\n",
        "    if answer is LATE:\n"
        "        request = items.put(swap)\n"
        '        del request["ConditionExpression"]\n'
        "        answer = _asked(client.put_item, request)\n"
        "    if not isinstance(answer, Mapping):\n        return Put(None, answer)\n",
    ),
    Mutation(
        "room without the counter's name",
        "A long name makes each swap cost two write units.",
        _ITEMS,
        "free = WRITE_UNIT_BYTES - own - len(counter.encode())",
        "free = WRITE_UNIT_BYTES - own",
    ),
    Mutation(
        "inconsistent read",
        "An event is told to be pending that was decided before anyone asked.",
        _ITEMS,
        '"ConsistentRead": True',
        '"ConsistentRead": False',
    ),
)

ANSWERS = (
    Mutation(
        "message acknowledged before its put",
        "What a put does not bring about is lost.",
        _DURABLE,
        _WRITE,
        """        put_at: dict[str, float] = {}
        begun = list(writes)
        for swap in begun:
            yield swap, Stored(None)
        for swap, answer in self._table.write(self._timed(begun, put_at), ends_at):
            if isinstance(answer, Stored):
                self._mirroring.begin(swap.counter, swap.value, put_at[swap.counter])
""",
    ),
    Mutation(
        "put without an answer taken for stored",
        "An event is acknowledged whose write was lost on its way.",
        _TABLE,
        "        if isinstance(error, Failed):\n            if _is_billed",
        "        if isinstance(error, Failed) and error.trouble is Trouble.UNKNOWN_OUTCOME:\n"
        "            return Stored(token_of(swap.value))\n"
        "        if isinstance(error, Failed):\n            if _is_billed",
    ),
    Mutation(
        "throttled put taken for stored",
        "Whatever comes in above the table's quota is lost.",
        _TABLE,
        "        if isinstance(error, Failed):\n            if _is_billed",
        "        if isinstance(error, Failed) and error.trouble is Trouble.THROTTLED:\n"
        "            return Stored(token_of(swap.value))\n"
        "        if isinstance(error, Failed):\n            if _is_billed",
    ),
    Mutation(
        "lost race in the table taken for stored",
        "An event is acknowledged though another writer was first.",
        _TABLE,
        "return winner if isinstance(winner, Failed) else LostRace(winner)",
        "return winner if isinstance(winner, Failed) else Stored(token_of(swap.value))",
    ),
    Mutation(
        "put of an old signature taken for stored",
        "What was frozen between its signature and its way is lost.",
        _FLIGHTS,
        "            self._unsigned_at = self._unsigned_at or self._begun\n",
        "            self._unsigned_at = self._unsigned_at or self._begun\n"
        "            return None\n",
        tests="tests/stores/dynamodb/test_troubles.py",
    ),
)

COPIES = (
    Mutation(
        "copy set before its put",
        "The cache shows a count that never was.",
        _DURABLE,
        "            put_at[swap.counter] = self._wall_clock()\n",
        "            put_at[swap.counter] = self._wall_clock()\n"
        "            self._mirroring.begin(swap.counter, swap.value, put_at[swap.counter])\n",
    ),
    Mutation(
        "copy set of what may not have been stored",
        "The cache shows a count that never was.",
        _DURABLE,
        "            if isinstance(answer, Stored):\n",
        "            if not isinstance(answer, LostRace):\n",
    ),
    Mutation(
        "copy set however late",
        "After a freeze the cache shows what was overwritten long ago.",
        _MIRRORING,
        "if abs(now - waiting.put_at) <= MAX_AGE_S:",
        "if waiting:",
    ),
    Mutation(
        "pending of the cache stands",
        "A program is told that nothing is known of what was decided before it asked.",
        _READER,
        "if seen is not Outcome.PENDING or found.source is not Source.CACHE:",
        "if seen:",
    ),
    Mutation(
        "the cache's value where the table has none",
        "A counter whose life is over is shown as if it were there.",
        _DURABLE,
        "            stored = zip(lacking, values, strict=False)\n",
        "            kept, _ = self._cache.values(lacking, CACHE_DEADLINE_S)\n"
        "            values = [old if value is None else value\n"
        "                      for old, value in zip(kept, values, strict=False)]\n"
        "            stored = zip(lacking, values, strict=False)\n",
    ),
    Mutation(
        "an error of the cache taken for a failure",
        "A cache that is away takes all readers with it.",
        _DURABLE,
        "            copies, _ = self._cache.values(",
        "            _, failure = self._cache.values(counters, CACHE_DEADLINE_S)\n"
        "            if failure:\n"
        "                return [], failure\n"
        "            copies, _ = self._cache.values(",
    ),
    Mutation(
        "the cache asked where the table is meant",
        "Who asks for the table's count is told an older one.",
        _DURABLE,
        "        if not consistent:\n",
        "        if counters:\n",
    ),
)

CALLS = (
    Mutation(
        "others' threads left for a call that is late",
        "A call that lost its connection before takes those that began since with it.",
        _CALLS,
        "                if call.threads is opened.threads:\n",
        "                if call.threads:\n",
        tests=_CALLING,
    ),
    Mutation(
        "a client made by a store that is closed",
        "A reader that was closed opens a client that nobody closes.",
        _CALLS,
        "            if self._closed:\n                raise StoreClosedError\n            try:\n",
        "            try:\n",
        tests=_CALLING,
    ),
    Mutation(
        "what was given up done all the same",
        "A swap of a round that was left early is made when nobody knows of it.",
        _FLIGHTS,
        "sent.call.future.cancel()",
        "sent.call.future.done()",
        tests=_CALLING,
    ),
    Mutation(
        "a read without an answer not billed",
        "The metric tells fewer units than DynamoDB bills.",
        _TABLE,
        "                self._bill_read(counter, None, batch.error)\n",
        "",
        tests=_ASKED,
    ),
    Mutation(
        "fewer connections kept than there are threads",
        "Every other call opens a connection of its own, with TLS.",
        _TABLE,
        "connector(deadline_s, threads)",
        "connector(deadline_s, 10)",
        tests=_ASKED,
    ),
    Mutation(
        "silent connections of a reader kept",
        "Each of a reader's next calls meets another one that is silent as well.",
        _FLIGHTS,
        "        if _is_silence(answer):\n            self._calls.renew()\n",
        "",
        tests=_CALLING,
    ),
    Mutation(
        "old connections kept open by a renewal",
        "With each silence there are more connections, which lead nowhere.",
        _CALLS,
        "            if opened.client is not None:\n                opened.client.close()\n",
        "            opened.threads = None\n",
        tests=_CALLING,
    ),
    Mutation(
        "a reader's calls without a number",
        "A reader with a wrong key asks again and again, and never says that the key is wrong.",
        _FLIGHTS,
        "        ends_at = self._clock() + deadline_s\n        self._begun += 1\n",
        "        ends_at = self._clock() + deadline_s\n",
        tests=_ASKED,
    ),
    Mutation(
        "a lost answer taken for one to a right signature",
        "On a bad line nobody learns that the key is wrong.",
        _FLIGHTS,
        "        elif code:  # whatever",
        "        else:  # whatever",
        tests=_ASKED,
    ),
)

OF_TABLE = CALLS + CONDITIONS + ANSWERS + COPIES
