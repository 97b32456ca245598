"""The `tally` command in this process, what it printed, and the environments of its users."""

from collections.abc import Mapping
from dataclasses import dataclass

from typer.testing import CliRunner

from tally.cli.commands import app
from tally.environment import MOMENTO, TABLES, VALKEY

NOTHING = dict.fromkeys(
    [
        *("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"),
        *("AWS_ENDPOINT_URL_SQS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        *("AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
        *("SQS_QUEUE_URL", "SQS_DLQ_URL", "TALLY_URL"),
        *("MOMENTO_LOCAL", "MOMENTO_CACHE_NAME", "MOMENTO_API_KEY", "MOMENTO_ENDPOINT"),
        *("MOMENTO_API_KEY_SECRET", "MOMENTO_TTL_SECONDS", "COUNTER_GUARANTEE"),
        *(f"OLD_{name}" for name in (*MOMENTO, *VALKEY)),
        *("MAX_COUNTER_VALUE", "FORCE_COLOR", "TTY_COMPATIBLE", *VALKEY, *TABLES),
        "AWS_ENDPOINT_URL_DYNAMODB",
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

SESSION = "a-session-of-the-user"
NOWHERE = "http://127.0.0.1:9"
ASTRAY = "[default]\nregion = eu-west-1\nignore_configured_endpoint_urls = true\n"


def users_aws(folder):
    """A profile that is nowhere, keys of a session, and endpoints that are to be ignored."""
    config = folder / "config"
    config.write_text(ASTRAY)
    return {
        "AWS_PROFILE": "not-on-this-machine",
        "AWS_DEFAULT_PROFILE": "nor-is-this",
        "AWS_ACCESS_KEY_ID": "a-key-of-the-user",
        "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-user",
        "AWS_SESSION_TOKEN": SESSION,
        "AWS_SECURITY_TOKEN": SESSION,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": NOWHERE,
        "AWS_ENDPOINT_URL_SQS": NOWHERE,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(config),
    }


def put_on(environment, variables):
    """Have pytest's monkeypatch set variables; what is None is not set."""
    for name, value in variables.items():
        if value is None:
            environment.delenv(name, raising=False)
        else:
            environment.setenv(name, value)


class Remembering(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, variables):
        self._variables = variables
        self.asked = set()

    def __getitem__(self, name):
        self.asked.add(name)
        return self._variables[name]

    def __iter__(self):
        return iter(self._variables)

    def __len__(self):
        return len(self._variables)


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
