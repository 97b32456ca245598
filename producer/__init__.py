"""Programs that publish: the HTTP API as a Lambda, and `python -m producer`."""
