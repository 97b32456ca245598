"""How fast and how cheap ours is, beside what people would use instead: `make bench`."""
