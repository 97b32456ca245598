"""How a process reaches the Momento cache that holds the counters."""
