"""`python -m producer`: the producer script, which is `tally send`."""

import sys

from tally.cli.main import main

sys.argv.insert(1, "send")
main()
