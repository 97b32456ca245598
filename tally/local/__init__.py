"""AWS and Momento on one machine, for a first try and for tests."""
