"""Counters in a table of DynamoDB: they stay until they are deleted, or for as long as is said."""
