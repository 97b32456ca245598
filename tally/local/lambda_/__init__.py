"""Lambda on this machine: functions in processes of their own, and what SQS hands them."""
