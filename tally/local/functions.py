"""Where the code of the two Lambda functions is, in a checkout and where Tally is installed."""

from pathlib import Path

CONSUMER = "consumer.handler.lambda_handler"
API = "producer.handler.lambda_handler"
"""Their handlers."""


def functions_folder() -> str:
    """The folder that holds `consumer` and `producer`, where a function's process looks first.

    In a checkout that is its top; in a wheel a folder of its own, as programs have packages of
    these names.
    """
    tally = Path(__file__).resolve().parent.parent
    installed = tally / "functions"
    return str(installed if installed.is_dir() else tally.parent)
