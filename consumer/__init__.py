"""The batch Lambda: SQS increments become counters in a store."""
