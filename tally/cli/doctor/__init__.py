"""`tally doctor`: what is wrong with a deployment, or with the way to it."""
