"""The `tally` command in this process: what it printed, and an environment that is only its own."""

from dataclasses import dataclass

from typer.testing import CliRunner

from tally.cli.commands import app
from tally.environment import VALKEY

NOTHING = dict.fromkeys(
    [
        *("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"),
        *("AWS_ENDPOINT_URL_SQS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        *("AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
        *("SQS_QUEUE_URL", "SQS_DLQ_URL", "TALLY_URL"),
        *("MOMENTO_LOCAL", "MOMENTO_CACHE_NAME", "MOMENTO_API_KEY", "MOMENTO_ENDPOINT"),
        *("MOMENTO_API_KEY_SECRET", "MOMENTO_TTL_SECONDS", "COUNTER_GUARANTEE"),
        *("MAX_COUNTER_VALUE", "FORCE_COLOR", "TTY_COMPATIBLE", *VALKEY),
    ]
)
QUIET = NOTHING | {
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
    "COLUMNS": "80",
    "NO_COLOR": "1",
    "TERM": "dumb",
}
"""The environment of a user who has set nothing, on a terminal of 80 columns."""


@dataclass(frozen=True)
class Said:
    """The whole of what a command did, as its caller sees it."""

    status: int
    stdout: str
    stderr: str


class Terminal:
    """Runs `tally` commands with the variables of a stack, as pasted from `tally local up`."""

    def __init__(self, variables=None):
        self.env = QUIET | (variables or {})

    def __call__(self, *arguments, stdin=b"", **variables):
        result = CliRunner().invoke(app, arguments, input=stdin, env=self.env | variables)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)
