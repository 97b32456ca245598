"""AWS's errors in a few words, none of which can be a secret."""

import botocore.exceptions as boto

TELLING = (
    boto.ConfigNotFound,
    boto.ConnectTimeoutError,
    boto.ConnectionClosedError,
    boto.EndpointConnectionError,
    boto.NoCredentialsError,
    boto.NoRegionError,
    boto.PartialCredentialsError,
    boto.ProfileNotFound,
    boto.ReadTimeoutError,
    boto.SSLError,
)
"""Errors whose text has only what somebody set up: an endpoint, a profile, a file, a region. Of any
other it may quote: a header that HTTP does not take, which can be the session's token, what a
program for credentials printed, an argument, or a server's answer."""


def described(error: BaseException) -> str:
    """What an error of AWS's SDK says and may be shown to anybody.

    Of a refusal that is its code and its status: the text about a signature quotes the request that
    was signed, with its token. Of what is not in TELLING it is the class.
    """
    if isinstance(error, boto.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return f"{error.response.get('Error', {}).get('Code', '')} (HTTP {status})"
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, TELLING) else name
