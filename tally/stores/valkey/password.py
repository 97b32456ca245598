"""The password of a server, as the settings mean it."""

from tally.environment import PASSWORD, PASSWORD_SECRET, SettingsError, Valkey
from tally.stores.secret import RENEWAL, Key, secret_text


def password_for(valkey: Valkey) -> Key:
    """The password as the settings mean it; a secret is fetched here.

    Raises:
        SettingsError: it has a line break or is empty, or its secret cannot be read.
    """
    secret = valkey.password_secret
    if not secret:
        return Key(_checked(valkey.password, PASSWORD) if valkey.password else "")

    def fetch() -> str:
        return _checked(secret_text(secret, PASSWORD_SECRET, RENEWAL), PASSWORD_SECRET)

    return Key(_checked(secret_text(secret, PASSWORD_SECRET), PASSWORD_SECRET), fetch)


def _checked(password: str, variable: str) -> str:
    if password and password.isprintable():
        return password
    raise SettingsError([f"{variable} holds a password that is empty or has a line break in it"])
