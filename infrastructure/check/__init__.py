"""Proves, without an account, that the template deploys and that the packages run."""
