"""The HTTP API as a Lambda; and `python -m producer`, the producer script."""
