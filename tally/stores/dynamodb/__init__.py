"""Counters in a table of DynamoDB: they stay until they are deleted, or for a given time."""
