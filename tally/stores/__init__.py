"""Where counters live: what a store must do, and the stores that do it."""
