"""SQS on this machine: moto over HTTP, and the environment that points a program to it."""
