"""Whether known vulnerabilities can be asked for from here; `make audit` asks only then.

An index that serves packages may know no advisories: a mirror, a wheelhouse, a closed network.
"""

import http.client
import json
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path

PINS = Path(__file__).parent.parent / "requirements" / "lambda.txt"
TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 33_554_432


def source(pins: str) -> str:
    """Where pip-audit asks by default, for the first package pinned."""
    pin = re.search(r"^([\w.-]+)==([\w.]+)", pins, re.MULTILINE)
    if pin is None:
        message = f"{PINS.name} pins nothing"
        raise ValueError(message)
    return f"https://pypi.org/pypi/{pin[1]}/{pin[2]}/json"


def has_advisories(url: str) -> bool:
    """Whether the source answers, and knows of vulnerabilities."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 (source() makes it)
            said = json.loads(answer.read(MAX_ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        error.close()  # it is an answer too
        return False
    except (OSError, http.client.HTTPException, ValueError):
        return False
    return isinstance(said, dict) and "vulnerabilities" in said


def main() -> int:
    """Exit status 1, with a notice, if nobody can be asked."""
    url = source(PINS.read_text("utf-8"))
    if has_advisories(url):
        return 0
    print(f"audit: skipped, no advisories are to be had from {url}", file=sys.stderr)  # noqa: T201 (a command)
    return 1


if __name__ == "__main__":
    sys.exit(main())
