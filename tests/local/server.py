"""Servers that start, stay and end well or badly: `python -m tests.local.server HOW`."""

import signal
import sys
import threading

LONG_S = 60


def main(how):
    """Be a server; HOW is the last argument."""
    match how:
        case "well":
            print("listening on 127.0.0.1:1 ", flush=True)  # noqa: T201 - its one line
            sys.stdin.read()
        case "not at all":
            sys.stderr.write("no port\n")
            return 1
        case "silently":
            sys.stdin.read()
        case "stubbornly":
            signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
            print("listening", flush=True)  # noqa: T201 - its one line
            threading.Event().wait(LONG_S)
        case "with arguments":
            print(sys.argv[1:], flush=True)  # noqa: T201 - what this one is for
            sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[-1]))
