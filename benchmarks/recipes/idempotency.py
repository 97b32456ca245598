"""Where Powertools' Idempotency utility keeps its records: in Momento, as fairly as it can be done.

Each change of a record is one conditional write, as in Powertools' own layer on DynamoDB; it needs
no lock, as its layer on Redis does.
"""

from collections.abc import Callable

import msgspec
from aws_lambda_powertools.utilities.idempotency import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import (
    STATUS_CONSTANTS,
    DataRecord,
)

from benchmarks.recipes.cache import CacheClient

IN_PROGRESS = STATUS_CONSTANTS["INPROGRESS"]


class Stored(msgspec.Struct):
    """A record; `expires_at_s` is when an execution in progress is taken for dead."""

    status: str
    response: str
    expires_at_s: float


class MomentoPersistence(BasePersistenceLayer):
    """Records under the utility's own keys; they live as long as a counter does.

    Powertools asks the system for the time, which in a simulation does not pass. So this layer
    keeps the one time that matters here on the clock that it is given, and decides by it itself:
    to Powertools, which is told none, an execution in progress is alive.

    Args:
        cache: the store.
        clock: in seconds.
        ends_at_s: when the function now running must have ended, on that clock.
    """

    def __init__(
        self, cache: CacheClient, clock: Callable[[], float], ends_at_s: Callable[[], float]
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Powertools has no types here
        self._store = cache
        self._clock = clock
        self._ends_at_s = ends_at_s

    def _get_record(self, idempotency_key: str) -> DataRecord:
        value = self._store.get(idempotency_key)
        if value is None:
            raise IdempotencyItemNotFoundError
        return _record(idempotency_key, _DECODER.decode(value))

    def _put_record(self, data_record: DataRecord) -> None:
        """Begin an execution, unless one is in progress or completed; a dead one is taken over."""
        key, value = data_record.idempotency_key, self._value(data_record)
        if self._store.set_if_absent(key, value):
            return
        there = self._store.get_with_hash(key)
        if there is None:
            raise IdempotencyItemAlreadyExistsError
        stored = _DECODER.decode(there.value)
        if self._is_dead(stored) and self._store.set_if_unchanged(key, value, there):
            return
        raise IdempotencyItemAlreadyExistsError(old_data_record=_record(key, stored))

    def _update_record(self, data_record: DataRecord) -> None:
        self._store.set(data_record.idempotency_key, self._value(data_record))

    def _delete_record(self, data_record: DataRecord) -> None:
        self._store.delete(data_record.idempotency_key)

    def _value(self, record: DataRecord) -> bytes:
        stored = Stored(record.status, record.response_data, self._ends_at_s())
        return msgspec.json.encode(stored)

    def _is_dead(self, stored: Stored) -> bool:
        return stored.status == IN_PROGRESS and stored.expires_at_s < self._clock()


def _record(key: str, stored: Stored) -> DataRecord:
    return DataRecord(key, status=stored.status, response_data=stored.response)


_DECODER = msgspec.json.Decoder(Stored)
