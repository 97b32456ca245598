"""Bugs in the adapter of Valkey: its script, its pipelines, its connections, its password.

Those of the script are judged by a real server, and survive where there is none to be found.
"""

from tests.mutants.mutation import Mutation

_COMMANDS = "tally/stores/valkey/commands.py"
_CONNECTION = "tally/stores/valkey/connection.py"
_KEY = "tally/stores/secret.py"
_PIPELINES = "tally/stores/valkey/pipelines.py"
_POOL = "tally/stores/valkey/pool.py"
_STORE = "tally/stores/valkey/store.py"
_TROUBLES = "tally/stores/valkey/troubles.py"

_AGREEING = "tests/stores/test_contract.py"
_CONNECTING = "tests/stores/valkey/test_connecting.py"
_NAMING = "tests/stores/valkey/test_troubles.py"
_RENEWING = "tests/stores/test_rotation.py"
_SERVING = "tests/stores/valkey/test_servers.py"
_TALKING = "tests/stores/valkey/test_pipelines.py"

SCRIPT = (
    Mutation(
        "script that does not compare",
        "A swap overwrites whatever others wrote since the read.",
        _COMMANDS,
        "if found ~= (ARGV[3] or false) then return found end\n",
        "",
        tests=_SERVING,
    ),
    Mutation(
        "script that takes an empty string for no key",
        "What somebody made empty is overwritten as if it were not there.",
        _COMMANDS,
        "if found ~= (ARGV[3] or false)",
        "if (found or '') ~= (ARGV[3] or '')",
        tests=_AGREEING,
    ),
    Mutation(
        "script without a time to live",
        "Counters stay for ever, and fill the server.",
        _COMMANDS,
        "ARGV[1], 'PX', ARGV[2])",
        "ARGV[1])",
        tests=_SERVING,
    ),
    Mutation(
        "script that keeps the time to live",
        "A counter that is written all day is gone at its end.",
        _COMMANDS,
        "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n",
        "if found then redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')\n"
        "else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end\n",
        tests=_SERVING,
    ),
    Mutation(
        "script that counts in seconds",
        "A counter lives a thousand times as long as it is to.",
        _COMMANDS,
        "'PX', ARGV[2]",
        "'EX', ARGV[2]",
        tests=_SERVING,
    ),
    Mutation(
        "script that hides the winner",
        "Who loses to another is told that the counter has gone.",
        _COMMANDS,
        "then return found end",
        "then return false end",
        tests=_SERVING,
    ),
    Mutation(
        "an empty value swapped as none",
        "A swap over an empty value is a creation, and never succeeds.",
        _COMMANDS,
        "if seen is None:",
        "if not seen:",
        tests=_TALKING,
    ),
    Mutation(
        "a winner of 1 taken for a swap",
        "An event is acknowledged though another program had made the counter a bare 1.",
        _STORE,
        "if answer == 1:",
        'if answer in (1, b"1"):',
        tests=_SERVING,
    ),
    Mutation(
        "a lost swap taken for a stored one",
        "An event is acknowledged though another writer was first.",
        _STORE,
        "if answer == 1:",
        "if not isinstance(answer, Failed):",
    ),
    Mutation(
        "a forgotten script given up",
        "After a restart of the server no swap happens until somebody else sends the script.",
        _STORE,
        "        if places:\n            commands",
        "        if not places:\n            commands",
        tests=_TALKING,
    ),
    Mutation(
        "a whole pipeline repeated for one forgotten script",
        "Swaps that happened are sent again, and lose to themselves.",
        _STORE,
        "if _is_unknown_script(answer)]",
        "if any(map(_is_unknown_script, answers))]",
        tests=_TALKING,
    ),
    Mutation(
        "a forgotten script repeated past the deadline",
        "A pipeline takes as long as the whole round may.",
        _STORE,
        "again, _ = self._run(commands, pipeline_ends_at, ends_at)",
        "again, _ = self._run(commands, ends_at, ends_at)",
        tests=_TALKING,
    ),
)

PIPELINE = (
    Mutation(
        "an answer left unread",
        "The last answer of a pipeline is the first of the next.",
        _CONNECTION,
        "answers.extend(self._next(ends_at) for _ in commands)",
        "answers.extend(self._next(ends_at) for _ in commands[1:])",
        tests=_TALKING,
    ),
    Mutation(
        "a connection kept after its pipeline was cut",
        "A late answer is taken for that of another counter.",
        _PIPELINES,
        "spent.callback(connection.close)",
        "spent.callback(self._pool.give, connection)",
    ),
    Mutation(
        "a connection given back before it is read",
        "Two threads read each other's answers.",
        _PIPELINES,
        "            spent.callback(connection.close)\n            connection.run",
        "            spent.callback(connection.close)\n"
        "            self._pool.give(connection)\n"
        "            connection.run",
        tests=_CONNECTING,
    ),
    Mutation(
        "a pipeline sent again after its end",
        "What waits for one answer waits for two, and counts neither as silence.",
        _PIPELINES,
        "            self._exchange(commands, answers, ends_at)\n        except RefusedError",
        "            try:\n"
        "                self._exchange(commands, answers, ends_at)\n"
        "            except OSError:\n"
        "                answers.clear()\n"
        "                self._exchange(commands, answers, ends_at)\n"
        "        except RefusedError",
        tests=_TALKING,
    ),
    Mutation(
        "a deadline for each answer",
        "A server that trickles holds a round as long as it likes.",
        _CONNECTION,
        "            self._socket.settimeout(left_s(ends_at, self._clock))\n            data",
        "            self._socket.settimeout(left_s(self._clock() + 0.5, self._clock))\n"
        "            data",
        tests=_TALKING,
    ),
    Mutation(
        "a deadline past the end of the round",
        "The function times out, and its whole batch comes back.",
        _STORE,
        "pipeline_ends_at = min(ends_at, now + self.deadline_s)",
        "pipeline_ends_at = now + self.deadline_s",
        tests=_TALKING,
    ),
    Mutation(
        "an answer too many not noticed",
        "From here on each answer is that of the command before.",
        _CONNECTION,
        "if self._parser.has_data():",
        "if self._parser.has_data() and not commands:",
        tests=_TALKING,
    ),
    Mutation(
        "answers believed beside one too many",
        "A counter is given the value of its neighbour.",
        _CONNECTION,
        "            answers.clear()  # nobody knows which one was too many\n",
        "",
        tests=_TALKING,
    ),
    Mutation(
        "unasked words taken for an answer",
        "What a server says between two pipelines answers the second.",
        _POOL,
        "if is_young and kept.connection.is_quiet():",
        "if is_young:",
        tests=_TALKING,
    ),
    Mutation(
        "silence waited for until the end",
        "A server that is away takes all the time of a batch, and of its answer.",
        _STORE,
        "silent += is_silent",
        "silent += 0",
        tests=_TALKING,
    ),
    Mutation(
        "silence forgotten after an answer",
        "A server that answers every other pipeline takes all the time of a batch.",
        _STORE,
        "silent += is_silent",
        "silent = silent + 1 if is_silent else 0",
        tests=_TALKING,
    ),
    Mutation(
        "silence not counted",
        "A connection that leads nowhere is never replaced.",
        _STORE,
        "        if ran.is_silent:\n",
        "        if ran.is_silent and not commands:\n",
        tests=_TALKING,
    ),
    Mutation(
        "pipelines without a size",
        "A server that answers while it is sent to blocks, and so does its sender.",
        _PIPELINES,
        "if len(chunk) == MAX_COMMANDS or size >= MAX_PIPELINE_BYTES:",
        "if len(chunk) == MAX_COMMANDS:",
        tests=_TALKING,
    ),
)

CONNECTION = (
    Mutation(
        "a parent's connection used after a fork",
        "Parent and child read each other's answers.",
        _POOL,
        "is_young = kept.pid == pid and abs(",
        "is_young = abs(",
        tests=_CONNECTING,
    ),
    Mutation(
        "idle by a clock that a freeze stops",
        "A Lambda that was frozen for hours waits for a peer that has gone.",
        _PIPELINES,
        "self._pool = Pool(wall_clock)",
        "self._pool = Pool(clock)",
        tests=_CONNECTING,
    ),
    Mutation(
        "idle by the sign of the clock",
        "After the time of day was set back no connection is ever too old.",
        _POOL,
        "abs(now - kept.used_at)",
        "now - kept.used_at",
        tests=_CONNECTING,
    ),
    Mutation(
        "a closed store that keeps a connection",
        "A reader that was closed leaves a socket open.",
        _POOL,
        "        if self.is_closed:  # meanwhile\n            self.empty()\n",
        "",
        tests=_TALKING,
    ),
    Mutation(
        "a connection to a replica kept",
        "After a failover every swap goes to the server that was demoted.",
        _PIPELINES,
        "if is_key_refused or first_word(text) in FAILED_OVER:",
        "if is_key_refused:",
        tests=_TALKING,
    ),
    Mutation(
        "a connection that talks nonsense kept",
        "What is no answer to a command is followed by more of it.",
        _STORE,
        "        self.renew()\n        return NO_ANSWER",
        "        return NO_ANSWER",
        tests=_TALKING,
    ),
    Mutation(
        "commands before the password",
        "A server that asks for one refuses the first pipeline of each connection.",
        _CONNECTION,
        "[*greeting, *commands]",
        "[*commands, *greeting]",
        tests=_TALKING,
    ),
    Mutation(
        "the password's answer waited for",
        "Each new connection costs a round trip more.",
        _CONNECTION,
        '        self._send(b"".join([*greeting, *commands]), ends_at)\n'
        "        try:\n"
        "            for _ in greeting:\n"
        "                if isinstance(answer := self._next(ends_at), hiredis.ReplyError):\n"
        "                    raise RefusedError(str(answer))\n",
        '        self._send(b"".join(greeting), ends_at)\n'
        "        try:\n"
        "            for _ in greeting:\n"
        "                if isinstance(answer := self._next(ends_at), hiredis.ReplyError):\n"
        "                    raise RefusedError(str(answer))\n"
        '            self._send(b"".join(commands), ends_at)\n',
        tests=_TALKING,
    ),
    Mutation(
        "any certificate trusted",
        "Whoever is in the way is given the password.",
        _PIPELINES,
        "return ssl.create_default_context()",
        "return ssl._create_unverified_context()",
        tests=_CONNECTING,
    ),
    Mutation(
        "the certificate of another name trusted",
        "Whoever has any certificate is given the password.",
        _CONNECTION,
        "server_hostname=valkey.host",
        "server_hostname=plain.getpeername()[0]",
        tests=_CONNECTING,
    ),
    Mutation(
        "one address given all the time",
        "A name whose first address is away is never reached at its second.",
        _CONNECTION,
        "left_s(ends_at, clock) / (len(addresses) - place)",
        "left_s(ends_at, clock)",
        tests=_CONNECTING,
    ),
    Mutation(
        "the same part of what is left for each address",
        "The last of many addresses has too little time to answer, and the rest is not used.",
        _CONNECTION,
        "left_s(ends_at, clock) / (len(addresses) - place)",
        "left_s(ends_at, clock) / len(addresses)",
        tests=_CONNECTING,
    ),
    Mutation(
        "small packets held back",
        "A pipeline waits for the acknowledgement of the one before.",
        _CONNECTION,
        "socket.TCP_NODELAY, 1)",
        "socket.TCP_NODELAY, 0)",
        tests=_CONNECTING,
    ),
)

TROUBLES = (
    Mutation(
        "a forgotten script taken for a refusal",
        "After a restart of the server good messages become dead letters.",
        _TROUBLES,
        '"NOSCRIPT": UNKNOWN',
        '"NOSCRIPT": REFUSED',
        tests=_NAMING,
    ),
    Mutation(
        "an unknown word taken for a refusal",
        "What a later version says of itself makes good messages dead letters.",
        _TROUBLES,
        "TROUBLES.get(word, UNKNOWN)",
        "TROUBLES.get(word, REFUSED)",
        tests=_NAMING,
    ),
    Mutation(
        "a full server not spared",
        "A server without memory is tried again at once, until the time is up.",
        _TROUBLES,
        '"OOM": THROTTLED',
        '"OOM": UNKNOWN',
        tests=_NAMING,
    ),
    Mutation(
        "one key of another type taken for a wrong set-up",
        "One counter that somebody made a list stops all.",
        _TROUBLES,
        '"WRONGTYPE": REFUSED',
        '"WRONGTYPE": BROKEN',
        tests=_NAMING,
    ),
    Mutation(
        "one forbidden key taken for a wrong set-up",
        "One counter whose name is out of bounds stops all.",
        _TROUBLES,
        '    (re.compile(r"NOPERM .*\\baccess\\b.*\\bkeys?\\b"), REFUSED),\n',
        "",
        tests=_NAMING,
    ),
    Mutation(
        "a wrong certificate taken for a bad line",
        "A server that is not the one is tried again for ever, and no alarm shows it.",
        _TROUBLES,
        "    if problem:\n",
        "    if problem is None:\n",
        tests=_NAMING,
    ),
    Mutation(
        "the password in an error",
        "A server that repeats the password has it in the log.",
        _TROUBLES,
        'detail = detail.replace(password, "…") if password else detail',
        "detail = str(detail)",
        tests=_NAMING,
    ),
    Mutation(
        "a quoted command in an error",
        "A server that repeats a command has values and passwords in the log.",
        _TROUBLES,
        'detail = QUOTED.sub("", text)',
        "detail = text",
        tests=_NAMING,
    ),
    Mutation(
        "another server's address in an error",
        "A node of a cluster is told by an address that nobody has configured.",
        _TROUBLES,
        "return Failed(TROUBLES[word], CLUSTER)",
        "return Failed(TROUBLES[word], text)",
        tests=_NAMING,
    ),
)

PASSWORD = (
    Mutation(
        "a rotated password not fetched",
        "A warm environment fails until it is replaced.",
        _PIPELINES,
        "if self._password.renewed(used, may_ask=may_ask):",
        "if not used:",
        tests=_RENEWING,
    ),
    Mutation(
        "a wrong password fetched again and again",
        "Each batch costs a call of Secrets Manager.",
        _KEY,
        "abs(now - self._asked_at) >= RENEW_EVERY_S",
        "abs(now - self._asked_at) >= 0",
        tests=_RENEWING,
    ),
    Mutation(
        "a password fetched by the sign of the clock",
        "After the time of day was set back a rotated password is not fetched for as long.",
        _KEY,
        "abs(now - self._asked_at)",
        "(now - self._asked_at)",
        tests=_RENEWING,
    ),
    Mutation(
        "a password fetched without the time for it",
        "The function times out in a call of Secrets Manager.",
        _PIPELINES,
        "may_ask = renewal_ends_at - self._clock() >= RENEWAL_S",
        "may_ask = renewal_ends_at > self._clock()",
        tests=_RENEWING,
    ),
    Mutation(
        "a reader that never fetches a password",
        "A reader whose password was rotated fails until it is opened anew.",
        _STORE,
        "renewal_ends_at=math.inf",
        "renewal_ends_at=ends_at",
        tests=_RENEWING,
    ),
    Mutation(
        "a password fetched though another thread had",
        "Each thread costs a call of Secrets Manager.",
        _KEY,
        "if self.text == refused and may_ask and is_due:",
        "if may_ask and is_due:",
        tests=_RENEWING,
    ),
    Mutation(
        "an unreadable secret raised",
        "A round raises where it is to report, and names no reason.",
        _KEY,
        "        except SettingsError:\n            return False",
        "        except RuntimeError:\n            return False",
        tests=_RENEWING,
    ),
    Mutation(
        "the old connections kept with the new password",
        "What was authenticated by the old password is refused once more.",
        _PIPELINES,
        "if is_key_refused or first_word(text) in FAILED_OVER:",
        "if first_word(text) in FAILED_OVER:",
        tests="tests/stores/valkey/test_pipelines.py",
    ),
)

OF_VALKEY = SCRIPT + PIPELINE + CONNECTION + TROUBLES + PASSWORD
