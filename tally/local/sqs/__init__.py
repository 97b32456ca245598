"""SQS on this machine: moto over HTTP, and what leads a program to it."""
