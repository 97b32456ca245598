"""What people would write on a table of DynamoDB, and by which wire ours reaches one."""
