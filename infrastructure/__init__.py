"""Brings Tally to AWS: what makes the package of a Lambda, and what checks the template."""
