"""`tally dlq`: what is in the dead letters and why, and how it gets out again."""
