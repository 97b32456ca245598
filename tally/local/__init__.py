"""AWS and a store on one machine, for a first try and for tests."""
