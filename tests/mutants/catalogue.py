"""Every mutation of the list."""

from tests.mutants.of_cli import OF_CLI
from tests.mutants.of_consumer import OF_CONSUMER
from tests.mutants.of_counters import OF_COUNTERS
from tests.mutants.of_forms import OF_FORMS
from tests.mutants.of_local import OF_LOCAL
from tests.mutants.of_numbers import OF_NUMBERS
from tests.mutants.of_producer import OF_PRODUCER
from tests.mutants.of_publishing import OF_PUBLISHING
from tests.mutants.of_reading import OF_READING
from tests.mutants.of_rounds import OF_ROUNDS
from tests.mutants.of_sending import OF_SENDING
from tests.mutants.of_settling import OF_SETTLING
from tests.mutants.of_stores import OF_STORES
from tests.mutants.of_table import OF_TABLE
from tests.mutants.of_testing import OF_TESTING
from tests.mutants.of_valkey import OF_VALKEY

MUTATIONS = (
    *(OF_COUNTERS + OF_FORMS + OF_SETTLING + OF_NUMBERS),
    *(OF_CONSUMER + OF_ROUNDS + OF_READING + OF_TESTING),
    *(OF_STORES + OF_VALKEY + OF_TABLE + OF_PUBLISHING + OF_SENDING + OF_PRODUCER),
    *(OF_LOCAL + OF_CLI),
)
