"""Counters in a Momento cache."""
