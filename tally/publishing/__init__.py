"""Publishes increments to SQS, from any program, thread or process."""
