"""A user's AWS configuration that leads a program astray if it reads any of it."""

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
