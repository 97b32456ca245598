"""Lambda on this machine: functions in processes of their own, and their events from SQS."""
