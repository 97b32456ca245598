"""`tally migrate`: copies counters from a cache into a table, while nobody counts."""
