"""How much is tried: a little with every run of the tests, and for minutes by `make fuzz`."""

import os

from hypothesis import HealthCheck, settings

# `make fuzz` names a seed and how many examples; without it, the same few on every machine.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
# What one request leaves, the next one finds: that is wanted.
_SLOW = [
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.function_scoped_fixture,
]
settings.register_profile(
    "fuzz",
    parent=settings.get_profile("here"),
    derandomize=EXAMPLES == 0,
    max_examples=EXAMPLES or 15,
    suppress_health_check=_SLOW,
)
fuzzed = settings.get_profile("fuzz")
