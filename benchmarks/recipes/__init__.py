"""The same events and the same faults through the usual recipes for a counter, and through ours."""
