"""Publishes increments to SQS and reads what came of them, from a program, a shell or HTTP."""
