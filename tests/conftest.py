"""What all tests share: hypothesis gives the same examples on every run, on any machine."""

from hypothesis import settings

settings.register_profile("tally", derandomize=True, deadline=None, database=None)
settings.load_profile("tally")
