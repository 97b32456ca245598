"""Every mutation of the list."""

from tests.mutants.of_consumer import OF_CONSUMER
from tests.mutants.of_counters import OF_COUNTERS
from tests.mutants.of_forms import OF_FORMS
from tests.mutants.of_producer import OF_PRODUCER
from tests.mutants.of_rounds import OF_ROUNDS
from tests.mutants.of_table import OF_TABLE

MUTATIONS = OF_COUNTERS + OF_FORMS + OF_CONSUMER + OF_ROUNDS + OF_TABLE + OF_PRODUCER
