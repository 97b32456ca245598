"""What an increment means: pure, with no clock, no network, no AWS and no store."""
