"""What a person types: `tally`."""
