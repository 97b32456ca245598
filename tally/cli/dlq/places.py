"""Where the dead letters are, and which queue they are the dead letters of."""

from typing import Any, NamedTuple

from tally.cli.redrive import dead_letter_arn, url_of


class PlaceError(Exception):
    """A queue cannot be found, or is not what it must be."""


class Place(NamedTuple):
    """A dead-letter queue, and the source that was given for it, if one was."""

    url: str
    source_url: str


def locate(client: Any, queue_url: str, source_url: str) -> Place:  # noqa: ANN401 (boto3's)
    """The dead-letter queue: the one given, or that of the source's redrive policy.

    Raises:
        PlaceError: none is given, the one given is none, or the source has none.
    """
    if queue_url:
        _check(client, queue_url, source_url)
        return Place(queue_url, source_url)
    if not source_url:
        message = "give --queue-url or set SQS_DLQ_URL; or --source-url or SQS_QUEUE_URL"
        raise PlaceError(message)
    arn = dead_letter_arn(client, source_url)
    if not arn:
        message = f"{source_url} has no dead-letter queue"
        raise PlaceError(message)
    return Place(url_of(client, arn), source_url)


def source_of(client: Any, place: Place) -> str:  # noqa: ANN401 (boto3's)
    """The queue that the letters go back to: the one given, or the only one there is.

    Raises:
        PlaceError: there are none or several, or the one given has other dead letters.
    """
    if not place.source_url:
        urls = _sources(client, place.url)
        if len(urls) != 1:
            message = f"{place.url} is the dead-letter queue of {len(urls)}; give --source-url"
            raise PlaceError(message)
        return urls[0]
    answer = client.get_queue_attributes(QueueUrl=place.url, AttributeNames=["QueueArn"])
    if dead_letter_arn(client, place.source_url) != answer["Attributes"]["QueueArn"]:
        message = f"{place.url} is not the dead-letter queue of {place.source_url}"
        raise PlaceError(message)
    return place.source_url


def _check(client: Any, queue_url: str, source_url: str) -> None:  # noqa: ANN401 (boto3's)
    """See that a queue has dead letters: what `purge` deletes from another one was to be counted.

    Raises:
        PlaceError: it is the queue itself, has dead letters of its own, or is nobody's.
    """
    if queue_url == source_url:
        message = f"{queue_url} is given for the queue and for its dead letters"
        raise PlaceError(message)
    if dead_letter_arn(client, queue_url):
        message = f"{queue_url} has a dead-letter queue, and is none; give it as --source-url"
        raise PlaceError(message)
    if not _sources(client, queue_url):
        message = f"{queue_url} is the dead-letter queue of no queue"
        raise PlaceError(message)


def _sources(client: Any, url: str) -> list[str]:  # noqa: ANN401 (boto3's)
    """The queues whose dead letters go here."""
    answer = client.list_dead_letter_source_queues(QueueUrl=url)
    urls: list[str] = answer["queueUrls"]
    return urls
