"""Where the code of the two Lambda functions is, in a checkout and where Tally is installed."""

from pathlib import Path

_TALLY = Path(__file__).resolve().parent.parent
_INSTALLED = _TALLY / "functions"

FUNCTIONS = str(_INSTALLED if _INSTALLED.is_dir() else _TALLY.parent)
"""The folder that holds `consumer` and `producer`: in a checkout its top; in a wheel a folder of
its own, as programs have packages of these names. A function's process looks there first."""

CONSUMER = "consumer.handler.lambda_handler"
API = "producer.handler.lambda_handler"
"""Their handlers."""
