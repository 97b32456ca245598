"""The consumer's function in a process that stops itself between a read and the swap on it."""

import functools
import os
import signal
import threading

from consumer import wiring
from consumer.settings import ConsumerSettings
from tally.stores.opening import open_store

HALT_AT_ROUND = "HALT_AT_ROUND"
"""The variable that tells in which round of its life the process stops, from 1 on.

Rounds in which nothing is to be written are not counted: a machine under load reads again.
"""


class HaltingStore:
    """The store of the settings; once, the process stops when a swap is decided and not sent."""

    def __init__(self, store, at_round):
        self._store, self._at_round = store, at_round
        self._rounds = 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    def write(self, writes, ends_at):
        """Swap, after SIGCONT if this is the round."""
        return self._store.write(self._halted(writes), ends_at)

    def _halted(self, writes):
        """Stop before the first write goes on, if this is the round."""
        for place, write in enumerate(writes):
            self._rounds += place == 0
            if place == 0 and self._rounds == self._at_round:
                # This thread, so that it does nothing more: a signal to the process may meet
                # another.
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
            yield write


@functools.cache
def consumer():
    """As the real handler's is made, but for its store."""
    settings = ConsumerSettings.from_environment(os.environ)
    opened = open_store(settings.place, ttl_s=settings.ttl_s)
    store = HaltingStore(opened, int(os.environ[HALT_AT_ROUND]))
    return wiring.build(settings, observer=wiring.observer(os.environ), store=store)


def lambda_handler(event, context):
    """The function."""
    return consumer().handle(event, context)
