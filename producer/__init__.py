"""Publishes increments to SQS, from a program or a shell."""
