"""Every figure of ``make bench``, chapter by chapter, with its unit and, where there is one, its target."""

from dataclasses import dataclass
from itertools import product

CASES = ("linked", "unlinked", "not for us")
SIZES = {"4 KiB": 4 << 10, "64 KiB": 64 << 10, "1 MiB": 1 << 20}
CONNECTIONS = (1, 16)
# Nobody else runs while one thread reads a body. Several of this size at once are measured, and not judged.
READ_SLOWLY = ("1 MiB",)
PROJECTS = (1, 10, 300, 1_000)
CALLED_BESIDE = (1, 1_000, 100_000)  # links
LINKS = (100, 10_000, 100_000)
ORGANIZATIONS = (1, 100, 1_000)
EVENTS_A_DAY = (100, 10_000, 1_000_000)
UNANNOUNCED = "to carry over 200 unannounced edits beside 10,000 links"
DIRECTIONS = ("inbound", "outbound")

# How many calls to Azure DevOps a flow may make; None where no promise is given.
FLOWS: dict[str, int | None] = {
    "status, outbound": 1,
    "status, outbound, after a lost race": 3,
    "status, inbound": 0,
    "status, inbound, nothing cached": 1,
    "assignee, outbound": 1,
    "assignee, outbound, to nobody": 1,
    "assignee, inbound": 0,
    "comment": None,
    "search": None,
    "configuration, read": None,
    "configuration, stored": None,
    "link": None,
}


@dataclass(frozen=True)
class Figure:
    """One row of the table; ``at_most`` is its target, if it has one."""

    chapter: str
    name: str
    unit: str
    at_most: float | None = None


ACCEPT = (
    *(
        Figure(
            "accept",
            f"ado_webhook, {case}, {size}, {connections} at once",
            "times one put",
            None if size in READ_SLOWLY and connections > 1 else 1.25,
        )
        for case, size, connections in product(CASES, SIZES, CONNECTIONS)
    ),
    *(
        Figure("accept", f"sentry_webhook, {size}, {connections} at once", "times one put")
        for size, connections in product(SIZES, CONNECTIONS)
    ),
)

CALLS = (
    *(Figure("calls", f"{flow}: to Azure DevOps", "calls", most) for flow, most in FLOWS.items()),
    *(Figure("calls", f"{flow}: to Sentry", "calls") for flow in FLOWS),
    Figure("calls", "reconcile, nothing changed: to Azure DevOps", "calls", 1),
    Figure("calls", "reconcile, nothing changed: to Sentry", "calls", 120),
    *(
        Figure("calls", f"an {direction} event and its echo: to {storage}", "calls")
        for direction, storage in product(DIRECTIONS, ("tables", "queues"))
    ),
)

END_TO_END = (
    *(
        Figure("end_to_end", f"{direction}, one at a time on an idle app: {share}", "s", target)
        for direction in DIRECTIONS
        for share, target in (("median", None), ("95th percentile", 3.0))
    ),
    *(
        Figure("end_to_end", f"{direction}, at 20 events a second: {share}", "s")
        for direction, share in product(DIRECTIONS, ("median", "95th percentile"))
    ),
    Figure("end_to_end", "sustained: the whole pipeline", "events/s"),
    Figure("end_to_end", "sustained: one table read and one write", "events/s"),
    Figure("end_to_end", "sustained: time of the pipeline for an event", "times one read and one write"),
)

GROWTH = (
    *(
        Figure("growth", f"an {direction} event beside {links:,} links", "times 100 links", 1.2)
        for direction, links in product(DIRECTIONS, LINKS[1:])
    ),
    *(
        Figure("growth", f"an {direction} event among {organizations:,} organizations", "times 1", 1.2)
        for direction, organizations in product(DIRECTIONS, ORGANIZATIONS[1:])
    ),
    *(Figure("growth", f"reconcile of {links:,} links: to Azure DevOps", "calls", 1) for links in LINKS),
    *(Figure("growth", f"reconcile of {links:,} links: to Sentry", "calls", 120) for links in LINKS),
    *(Figure("growth", f"reconcile of {links:,} links: messages", "messages", 0) for links in LINKS),
    *(Figure("growth", f"reconcile of {links:,} links", "s") for links in LINKS),
    *(
        Figure("growth", f"reconcile of {links:,} links: peak memory", "times 100 links", 1.2)
        for links in LINKS[1:]
    ),
    *(
        Figure("growth", f"reconcile of {count:,} organizations: each to Azure DevOps", "calls", 1)
        for count in ORGANIZATIONS
    ),
    *(Figure("growth", f"reconcile of {count:,} organizations", "s") for count in ORGANIZATIONS),
    *(
        Figure("growth", f"reconcile of {count:,} organizations: peak memory", "times 1 organization")
        for count in ORGANIZATIONS[1:]
    ),
    Figure("growth", "to read 100,000 issues once: to Sentry", "calls", 1_000),
    Figure("growth", "to read 12,000 issues once", "minutes", 5),
    Figure("growth", UNANNOUNCED, "runs", 2),
    # The feed, and the names of the projects that it tells; a hundred issues in each call.
    Figure("growth", f"{UNANNOUNCED}: calls of a run to Azure DevOps", "calls", 2),
    Figure("growth", f"{UNANNOUNCED}: calls of a run to Sentry", "calls", 120),
    Figure("growth", f"{UNANNOUNCED}: further calls for each", "calls"),
)

COLD = (
    Figure("cold", "import of function_app", "times its libraries", 1.15),
    *(
        Figure("cold", f"first hook of a fresh instance{how}: {hook}", "s", target)
        for how in ("", ", by identity")
        for hook, target in (("ado_webhook", None), ("sentry_webhook", 0.3))
    ),
    *(
        Figure("cold", f"memory of a fresh instance after its first hook{how}", "MiB")
        for how in ("", ", by identity")
    ),
    Figure("cold", "import of function_app: memory", "MiB"),
)

HOSTILE = (
    Figure("hostile", "genuine hooks beside strangers: 95th percentile", "times quiet", 2.0),
    # All connections at once with a body over the bound, read and handed on. It does not grow with time.
    Figure("hostile", "memory that strangers take", "MiB", 64),
    # One, if an hour begins meanwhile: what is counted of them is a row for each hour of an organization.
    Figure("hostile", "rows and messages that strangers leave", "rows", 1),
    Figure("hostile", "lines of the log that strangers leave", "a minute", 2),
    Figure("hostile", "an organization beside one whose services hang: 95th percentile", "s", 3.0),
)

MONTH = (
    *(Figure("month", f"{events:,} events a day", "$ a month") for events in EVENTS_A_DAY),
    *(Figure("month", f"the reconciler beside {links:,} links", "$ a month") for links in LINKS),
)

FIGURES = {
    (each.chapter, each.name): each for each in ACCEPT + CALLS + END_TO_END + GROWTH + COLD + HOSTILE + MONTH
}
