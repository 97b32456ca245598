"""The Lambda: an SQS batch becomes conditional writes to Momento."""
