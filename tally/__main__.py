"""`python -m tally`: the same as the command `tally`."""

from tally.cli.main import main

main()
