"""A schedule: who does what, which hooks go astray, which of our calls go wrong, when services are away."""

from dataclasses import dataclass
from functools import cached_property

ISSUES = ("100", "101")
ITEMS = (31, 32)
# Ann has another address in Sentry. Carol and Eve have no account there, Dave none in Azure DevOps; Carol and
# Dave may get one later.
ADO_PEOPLE = (
    "ann@corp.example",
    "bob@corp.example",
    "carol@corp.example",
    "eve@corp.example",
    "Build Service",
    "",
)
SENTRY_PEOPLE = ("ann@home.example", "bob@corp.example", "dave@corp.example", "team", "")

# What may become of one of our calls: an error before it was made, or an answer that never came after it
# was; a worker that dies before or after; or one that stalls, for a slow answer or for minutes.
TROUBLES = (
    "fails",
    "answer-lost",
    "answer-and-wait",
    "throttled",
    "refuses-us",
    "lost-race",
    "dies-before",
    "dies-after",
    "slow",
    "slow-answer",
    "frozen",
    "frozen-after",
)
AFTER_A_WRITE = ("dies-after", "answer-lost", "answer-and-wait", "frozen-after")
DISPOSITIONS = ("lost", "lost", "lost", "twice", "late", "late")
# What may become of a call of the reconciler: above all, its run ends there.
TROUBLES_OF_RUNS = ("dies-before", "dies-after", "dies-before", "dies-after", *TROUBLES)
# How a service is away: it says nothing until the time-out, fails at once, does not accept our
# credentials, asks us to wait, or takes its time with each answer.
OUTAGES = ("silent", "fails", "refuses-us", "throttled", "slow")
# How what only the reconciler asks may be away: besides, it may be kept from us, or not be understood.
OUTAGES_OF_PARTS = (*OUTAGES, "forbidden", "refused")
PARTS = ("feed", "feed", "batches", "lists", "lists")
# What a token is answered with that the service has lost, and how late (seconds) it shows a revision.
LOST_TOKENS = ("400", "404", "500", "200")
LAGS = ("2", "20", "200", "400")
KINDS = (
    ("Bug", "Fabrikam-Fiber"),
    ("Task", "Fabrikam-Fiber"),
    ("Bug", "CMMI Works"),
    ("Störung", "Tailored"),
)
STATES = {
    "Fabrikam-Fiber": ("New", "Active", "Resolved", "Closed", "Removed", "Verified"),
    "CMMI Works": ("Proposed", "Active", "Resolved", "Closed"),
    "Tailored": ("Offen", "In Klärung", "Closed", "New"),
}
CONFIGURATIONS = (
    "on_conflict=sentry",
    "on_conflict=ado",
    "sync_status_forward=off",
    "sync_status_forward=on",
    "sync_status_reverse=off",
    "sync_status_reverse=on",
    "sync_forward_assignment=off",
    "sync_forward_assignment=on",
    "sync_reverse_assignment=off",
    "sync_reverse_assignment=on",
    "issue_sync=off",
    "issue_sync=on",
    "done=Completed",
    "done=Resolved,Completed",
    "mapping=on",
    "mapping=off",
)
# Where a document may lead instead, and what is said about the links there are.
REPOINTED = (
    "there drop",
    "there drop",
    "there refuse",
    "here drop",
    "here refuse",
    "moved keep",
    "moved refuse",
    "spelled-otherwise refuse",
)
# What may be written over with something that nobody can read.
TABLES = ("link", "issue", "deed", "activity", "progress", "refusals", "document")


@dataclass(frozen=True)
class Action:
    """Something that a person does, or that time or the timer does; impossible actions are passed over."""

    what: str
    issue: str = ""
    item: int = 0
    value: str = ""


@dataclass(frozen=True)
class Schedule:
    """Everything that happens, but for the order of what is ready at once: that comes from ``seed``.

    ``troubles`` names our calls by their number, ``after_writes`` those of them that write to a service,
    ``run_troubles`` those of the reconciler, ``strays`` the hooks. There are as many issues and work items as
    the links name, and at least two of each.
    """

    seed: int
    workers: int
    second_kind: tuple[str, str]
    links: tuple[tuple[str, int], ...]
    settings: tuple[str, ...]
    actions: tuple[Action, ...]
    troubles: tuple[tuple[int, str], ...] = ()
    after_writes: tuple[tuple[int, str], ...] = ()
    strays: tuple[tuple[int, str], ...] = ()
    run_troubles: tuple[tuple[int, str], ...] = ()

    @cached_property
    def issues(self) -> tuple[str, ...]:
        return tuple(sorted({*ISSUES, *(issue for issue, _ in self.links)}))

    @cached_property
    def items(self) -> tuple[int, ...]:
        return tuple(sorted({*ITEMS, *(item for _, item in self.links)}))

    def kind_of(self, item: int) -> tuple[str, str]:
        """Return the type and the project of a work item."""
        if item == ITEMS[0]:
            return KINDS[0]
        return self.second_kind if item == ITEMS[1] else KINDS[item % len(KINDS)]

    @property
    def is_undisturbed(self) -> bool:
        """Tell whether all goes well: then each edit that is made at rest can be followed to its end."""
        upset = {
            "outage",
            "forbid",
            "garble",
            "damage",
            "repoint",
            "disconnect",
            "forget-state",
            "lose-tokens",
            "lag",
            "refuse-feed",
            "restrict",
        }
        went_wrong = self.troubles or self.after_writes or self.strays or self.run_troubles
        return not went_wrong and not any(each.what in upset for each in self.actions)


# Nobody does anything until nothing is ready any more, or until a worker dies.
CALM = Action("calm")
# Nobody does anything until all is carried over, the reconciler's findings included.
REST = Action("rest")
