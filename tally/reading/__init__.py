"""Reads counters, and what became of an increment."""
