"""`tally plan`: what a load costs in operations, requests and money, and whether it fits."""
