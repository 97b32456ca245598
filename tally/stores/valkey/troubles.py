"""What to do about a failed command: every error of a server and of a connection."""

import re

from tally.stores.port import Failed, Trouble

UNKNOWN, THROTTLED = Trouble.UNKNOWN_OUTCOME, Trouble.THROTTLED
REFUSED, BROKEN = Trouble.REFUSED, Trouble.BROKEN_SETUP

TROUBLES = {
    "NOSCRIPT": UNKNOWN,
    "READONLY": UNKNOWN,
    "MASTERDOWN": UNKNOWN,
    "LOADING": UNKNOWN,
    "CLUSTERDOWN": UNKNOWN,
    "ASK": UNKNOWN,
    "BUSY": UNKNOWN,
    "TRYAGAIN": UNKNOWN,
    "UNBLOCKED": UNKNOWN,
    "NOTREADY": UNKNOWN,
    "OOM": THROTTLED,
    "MISCONF": THROTTLED,
    "NOREPLICAS": THROTTLED,
    "WRONGTYPE": REFUSED,
    "NOPERM": BROKEN,
    "NOAUTH": BROKEN,
    "WRONGPASS": BROKEN,
    "DENIED": BROKEN,
    "NOPROTO": BROKEN,
    "MOVED": BROKEN,
    "CROSSSLOT": BROKEN,
    "ERR": REFUSED,
}
"""By the first word of an error; any other word is an unknown outcome."""

PHRASES = (
    (re.compile(r"NOPERM .*\baccess\b.*\bkeys?\b"), REFUSED),
    (re.compile("ERR max number of clients"), THROTTLED),
    (re.compile("ERR Protocol error"), UNKNOWN),
    (re.compile("ERR (AUTH|unknown command|.*ACL failure in script)"), BROKEN),
    (re.compile("ERR The user executing the script can't run"), BROKEN),  # Redis 7.0
)
"""Looked up before the first word, which says too little for these."""

FAILED_OVER = frozenset({"READONLY", "MASTERDOWN", "LOADING"})
"""Words of a server that cannot take writes (yet): its name may by now lead to another one."""

KEY_REFUSED = re.compile("NOAUTH|WRONGPASS|DENIED|ERR AUTH")
"""What a server says if a password is wrong, or no longer right."""

CLUSTER = "MOVED: the server is a node of a cluster, which is not supported; name its gateway"
"""Shown instead of the server's own text, which names another address."""

QUOTED = re.compile(r",? with args beginning with.*", re.DOTALL)
"""The part in which a server quotes a command, which may hold a password or a value."""

LATE = "no answer in time"
LATE_NAME = "the name was not looked up in time"

NO_ANSWER = Failed(UNKNOWN, "what the server said is no answer to this command")

MAX_DETAIL = 200
"""Characters of a server's text that are kept; its own texts are shorter."""


def first_word(text: str) -> str:
    """The word by which a server classes its error."""
    return text.partition(" ")[0]


def refused(text: str, password: str) -> Failed:
    """What an error of the server means; its text is kept, without quoted commands."""
    word = first_word(text)
    if word == "MOVED":
        return Failed(TROUBLES[word], CLUSTER)
    trouble = TROUBLES.get(word, UNKNOWN)
    for phrase, its in PHRASES:
        if phrase.match(text):
            trouble = its
            break
    detail = QUOTED.sub("", text)
    detail = detail.replace(password, "…") if password else detail
    return Failed(trouble, detail[:MAX_DETAIL])


def broken_off(error: Exception) -> Failed:
    """What an error of the connection means; the text names no address.

    Of TLS errors, only a certificate of another server or of an untrusted authority means a broken
    set-up: a bad line may cause all others.
    """
    problem = getattr(error, "verify_message", "")
    if problem:
        return Failed(BROKEN, f"the server's certificate: {problem}")
    if isinstance(error, TimeoutError):
        return Failed(UNKNOWN, LATE_NAME if str(error) == LATE_NAME else LATE)
    text = getattr(error, "strerror", "") or str(error)
    return Failed(UNKNOWN, f"{type(error).__name__}: {text}"[:MAX_DETAIL])
