"""Rounds of read, decide and swap, that settle a batch, whatever store holds the counters."""
