"""Bugs in what stores share and in the adapter of Momento: tokens, locks, connections, threads."""

from tests.mutants.mutation import Mutation

_CHANNEL = "tally/stores/momento/channel.py"
_DURABLE = "tally/stores/durable.py"
_MEMORY = "tally/stores/memory.py"
_MIRRORING = "tally/stores/mirroring.py"
_MOMENTO = "tally/stores/momento/store.py"
_OPENING = "tally/stores/opening.py"
_KEY = "tally/stores/secret.py"
_VALKEY = "tally/stores/valkey/store.py"

_OPENED = "tests/stores/test_opening.py"
_LOCKED = "tests/stores/test_clocks_and_locks.py"
_OF_MEMORY = "tests/stores/test_memory.py"
_SETTING_COPIES = "tests/stores/test_mirroring.py"
_SHARING = "tests/stores/test_durable_time.py"
_SILENT = "tests/stores/test_silent_connections.py"
_TALKING = "tests/stores/valkey/test_pipelines.py"

_LOOK = "        try:\n            now = self._wall_clock()\n"
_TAKE_KEY = (
    "        if self._fetch is None or not self._lock.acquire(timeout=self._patience_s):\n"
    "            return False\n" + _LOOK
)
_LOOK_AT_CHANNEL = "            now = self._wall_clock()\n"
_TAKE_CHANNEL = (
    "        with self._lock:\n"
    "            if self._closed:\n"
    "                raise StoreClosedError\n" + _LOOK_AT_CHANNEL
)

MEMORY = (
    Mutation(
        "a token for each counter",
        "Two values of a counter share a token, and a swap goes through over what nobody saw.",
        _MEMORY,
        "next(self.numbers).to_bytes",
        "len(self.copies).to_bytes",
        tests=_OF_MEMORY,
    ),
    Mutation(
        "tokens that come again",
        "After so many swaps a value has the token of an older one.",
        _MEMORY,
        "next(self.numbers).to_bytes",
        "(next(self.numbers) % 65_536).to_bytes",
        tests=_OF_MEMORY,
    ),
    Mutation(
        "a lock of one's own",
        "Two threads both find what they saw, and one's swap is lost.",
        _MEMORY,
        "with self.items.lock:",
        "with threading.Lock():",
        tests=_OF_MEMORY,
    ),
    Mutation(
        "a call that begins at the end",
        "A store in memory makes calls for which others have no time any more.",
        _MEMORY,
        "if self._clock() >= ends_at:",
        "if self._clock() > ends_at:",
        tests=_OF_MEMORY,
    ),
)

CONNECTIONS = (
    Mutation(
        "a channel renewed though it brought some answers",
        "Many large values that come slowly cost all threads their channel.",
        _MOMENTO,
        "if is_silence(error) and not answers:",
        "if is_silence(error):",
        tests=_SILENT,
    ),
    Mutation(
        "a new channel of another thread closed",
        "Threads that met one silence close each other's new channels.",
        _MOMENTO,
        "self._channel.renew(stub)",
        "self._channel.renew()",
        tests=_SILENT,
    ),
    Mutation(
        "a read that fails though all its values came",
        "A stream that ends late is an error to its reader, who has nothing more to ask for.",
        "tally/stores/momento/calls.py",
        "return values, failure if len(values) < len(counters) else None",
        "return values, failure",
        tests=_SILENT,
    ),
    Mutation(
        "connections renewed though one brought some answers",
        "Many large values that come slowly cost all threads their connections.",
        _VALKEY,
        "if ran.is_silent and not ran.came:",
        "if ran.is_silent:",
        tests=_TALKING,
    ),
)

MIRRORED = (
    Mutation(
        "room of what was taken back kept",
        "After some outages of the cache no copy is set any more, until the function is replaced.",
        _MIRRORING,
        "        self._waiting.clear()\n        self._waiting_bytes = 0",
        "        self._waiting.clear()",
        tests=_SETTING_COPIES,
    ),
    Mutation(
        "copies too old not told of",
        "The end of a batch waits for copies that nobody sets any more.",
        _MIRRORING,
        "            self._is_running = bool(values)\n            self._changed.notify_all()\n",
        "            self._is_running = bool(values)\n",
        tests=_SETTING_COPIES,
    ),
)

BESIDE_A_TABLE = (
    Mutation(
        "all of a reader's time for the cache",
        "A cache that is away leaves no time to ask the table, and every read fails.",
        _DURABLE,
        "min(deadline_s / 2, CACHE_DEADLINE_S)",
        "min(deadline_s, CACHE_DEADLINE_S)",
        tests=_SHARING,
    ),
    Mutation(
        "a table asked without any time",
        "A cache that takes longer than told makes the reads of the table fail.",
        _DURABLE,
        "max(left_s, deadline_s / 2)",
        "left_s",
        tests=_SHARING,
    ),
    Mutation(
        "copies waited for however little time is left",
        "The function times out in the wait for a cache that is slow.",
        _DURABLE,
        "self._mirroring.finish(ends_at - self._clock())",
        "self._mirroring.finish(ends_at)",
        tests=_SHARING,
    ),
    Mutation(
        "a cache left open by its store",
        "Each reader that is closed leaves a connection to the cache.",
        _DURABLE,
        "        self._cache.close()\n",
        "",
        tests=_SHARING,
    ),
)

CLOCKS = (
    Mutation(
        "the time of a key looked at before its lock",
        "A thread that waited for another's fetch fetches once more, by a time long gone.",
        _KEY,
        _TAKE_KEY,
        "        now = self._wall_clock()\n" + _TAKE_KEY.replace(_LOOK, "        try:\n"),
        tests=_LOCKED,
    ),
    Mutation(
        "the time of a channel looked at before its lock",
        "A thread that waited for the lock closes the channel that others have just used.",
        _CHANNEL,
        _TAKE_CHANNEL,
        "        now = self._wall_clock()\n" + _TAKE_CHANNEL.replace(_LOOK_AT_CHANNEL, ""),
        tests=_LOCKED,
    ),
)

IDLE = (
    Mutation(
        "a channel too old though it is used",
        "Every four minutes a busy consumer opens a connection, and its calls wait for it.",
        _CHANNEL,
        "generated code\n            self._used_at = now\n",
        "generated code\n                self._used_at = now\n",
        tests=_SILENT,
    ),
    Mutation(
        "connections to DynamoDB too old though they are used",
        "Each call opens a connection anew.",
        "tally/stores/dynamodb/calls.py",
        "            opened.used_at = now\n",
        "",
        tests="tests/stores/dynamodb/test_calls.py",
    ),
)

VALKEY = (
    Mutation(
        "sending without a deadline",
        "A server that does not read holds a round for as long as it likes.",
        "tally/stores/valkey/connection.py",
        "        while left:\n            self._socket.settimeout(left_s(ends_at, self._clock))\n",
        "        while left:\n",
        tests="tests/stores/valkey/test_connecting.py",
    ),
    Mutation(
        "a text cut before the password is taken out",
        "What a server repeats of the password, up to its last character, is in the log.",
        "tally/stores/valkey/troubles.py",
        'QUOTED.sub("", text)',
        'QUOTED.sub("", text)[:MAX_DETAIL]',
        tests="tests/stores/valkey/test_troubles.py",
    ),
)

DEFAULTS = (
    Mutation(
        "a day for a counter in Valkey",
        "Who opens the store without a time to live loses counters that were to live a month.",
        _VALKEY,
        "(ttl_s or VALKEY_TTL_S)",
        "(ttl_s or 86_400)",
        tests=_TALKING,
    ),
    Mutation(
        "authorities read for each connection",
        "Each connection costs tens of milliseconds of the processor.",
        "tally/stores/valkey/pipelines.py",
        "self._tls = functools.cache(tls)",
        "self._tls = tls",
        tests="tests/stores/valkey/test_connecting.py",
    ),
)

OPENING = (
    Mutation(
        "a table opened without a time to live",
        "Counters that were to expire are kept, and billed, for ever.",
        _OPENING,
        "ttl_s=table.ttl_s, clock=clock",
        "clock=clock",
        tests=_OPENED,
    ),
    Mutation(
        "copies opened with a time to live of their own",
        "A cache shows counts for longer than the deployment says that it may.",
        _OPENING,
        "table.cache_ttl_s, clock=clock",
        "300, clock=clock",
        tests=_OPENED,
    ),
    Mutation(
        "Valkey opened without a time to live",
        "Counters live a month whatever the deployment says.",
        _OPENING,
        "valkey.ValkeyStore(cache, password, ttl_s=ttl_s, clock=clock)",
        "valkey.ValkeyStore(cache, password, clock=clock)",
        tests=_OPENED,
    ),
)

RENEWING = (
    Mutation(
        "a key fetched only if a call has the time for it",
        "A warm consumer never has the time, and fails until it is replaced.",
        _VALKEY,
        "pipeline_ends_at, renewal_ends_at=ends_at)",
        "pipeline_ends_at, renewal_ends_at=pipeline_ends_at)",
        tests="tests/stores/test_rotation.py",
    ),
)

OF_STORES = (
    RENEWING
    + OPENING
    + DEFAULTS
    + VALKEY
    + IDLE
    + CLOCKS
    + BESIDE_A_TABLE
    + MIRRORED
    + MEMORY
    + CONNECTIONS
)
