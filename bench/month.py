"""What a month costs in Azure, by events a day: arithmetic on what the chapter ``calls`` counts.

Prices are US dollars in the region East US, as of May 2025; docs/performance.md says where each is from.
"""

import math
from collections.abc import Iterator

from bench.calls import storage_of_events
from bench.figures import EVENTS_A_DAY, LINKS
from bench.measuring import Measured, Scale, Spread, measured
from shared.flows.reconciling.issues import BETWEEN_CALLS, CALLS_A_RUN
from shared.sentry.client import LARGEST_BATCH
from shared.store.tables import LARGEST_PAGE

DAYS = 30
SECONDS = DAYS * 24 * 3600

# Flex Consumption, on demand: https://azure.microsoft.com/pricing/details/functions/
GB_SECOND, FREE_GB_SECONDS = 0.000026, 100_000
EXECUTION, FREE_EXECUTIONS = 0.40 / 1_000_000, 250_000
# The smallest execution is charged as a second, and concurrent ones share it:
# https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan#billing
INSTANCE_GB = 2.0
LEAST_SECONDS = 1.0
# https://azure.microsoft.com/pricing/details/storage/tables/ and …/queues/, locally redundant
TABLE_TRANSACTION = 0.00036 / 10_000
QUEUE_TRANSACTION = 0.004 / 10_000

# An event and the echo of our own write are two hooks and two messages, handled by three groups of instances:
# the webhooks together, and each queue's worker by itself.
HOOKS_OF_AN_EVENT = MESSAGES_OF_AN_EVENT = 2
GROUPS = 3
RUNS_OF_THE_RECONCILER = SECONDS / 300
# The scale controller looks at both queues while nothing runs.
LOOKS_AT_QUEUES = 2 * SECONDS / 10


def measure(_scale: Scale) -> Iterator[Measured]:
    counts = storage_of_events().values()
    tables = sum(each["tables"] for each in counts) / len(counts)
    queues = sum(each["queues"] for each in counts) / len(counts)
    for events in EVENTS_A_DAY:
        parts = {
            "instances:": _instances(events),
            "executions:": _executions(events),
            "tables:": events * DAYS * tables * TABLE_TRANSACTION,
            "queues:": (events * DAYS * queues + LOOKS_AT_QUEUES) * QUEUE_TRANSACTION,
        }
        yield measured("month", f"{events:,} events a day", Spread.of([sum(parts.values())]), parts)
    for links in LINKS:
        seconds, parts = _reconciler(links)
        name, beside = f"the reconciler beside {links:,} links", {**parts, "seconds of a run:": seconds}
        yield measured("month", name, Spread.of([sum(parts.values())]), beside)


def _reconciler(links: int) -> tuple[float, dict[str, float]]:
    """Return how long (seconds) a run takes, and what all runs by themselves cost.

    Each asks Sentry so many times, half a second apart, and is awake meanwhile. Two walks pass all links,
    page by page: for what is due, and for the issues.
    """
    calls = min(CALLS_A_RUN, math.ceil(links / LARGEST_BATCH))
    seconds = max(LEAST_SECONDS, (calls - 1) * BETWEEN_CALLS)
    used = RUNS_OF_THE_RECONCILER * seconds * INSTANCE_GB
    pages = 2 * math.ceil(links / LARGEST_PAGE)
    return seconds, {
        "instances:": max(0.0, used - FREE_GB_SECONDS) * GB_SECOND,
        "tables:": RUNS_OF_THE_RECONCILER * pages * TABLE_TRANSACTION,
    }


def _instances(events: int) -> float:
    """Price the time in which an instance of a group is at work.

    Hooks come when they come: with a rate of r a second, an instance that each keeps awake for a second
    is awake for 1 - exp(-r) of the time. Even at the highest rate here one instance of each group suffices.
    """
    rate_of_a_group = events * (HOOKS_OF_AN_EVENT + MESSAGES_OF_AN_EVENT) / GROUPS / (24 * 3600)
    awake = GROUPS * SECONDS * (1 - math.exp(-rate_of_a_group * LEAST_SECONDS))
    used = (awake + RUNS_OF_THE_RECONCILER * LEAST_SECONDS) * INSTANCE_GB
    return max(0.0, used - FREE_GB_SECONDS) * GB_SECOND


def _executions(events: int) -> float:
    count = events * DAYS * (HOOKS_OF_AN_EVENT + MESSAGES_OF_AN_EVENT) + RUNS_OF_THE_RECONCILER
    return max(0.0, count - FREE_EXECUTIONS) * EXECUTION
