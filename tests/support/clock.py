"""A clock that stands until a test, a call or a sleep moves it."""

from tally.publishing.sending import Pacer

START_S = 1_000.0

PATIENT_TRIES = 10
"""How often its pacer sends what fails at once: the pauses before an 11th would take over 30 s."""


class Clock:
    """Seconds that only calls and sleeps move; chance always draws its most."""

    def __init__(self):
        self.now_s = START_S
        self.slept_s: list[float] = []

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.slept_s.append(seconds)
        self.now_s += seconds

    @property
    def pacer(self):
        return Pacer(clock=self, sleep=self.sleep, random=lambda: 1.0)
