"""The laws that the witness judges by; those that the code does not keep yet are switched off."""

from enum import StrEnum


class Law(StrEnum):
    """What is promised, by the names under which ``docs/reliability.md`` explains it."""

    SETTLED = "settled"  # whatever holds for each link by itself, and holds since the first simulation
    ONE_HOP = "one-hop"  # a write of ours to one end is no change of that end for its other links
    PARTNERS = "partners"  # an edit at rest reaches its partners and nobody else, and done needs all
    REMOVED = "removed"  # a work item in a state of the category Removed is not written to
    CONNECTION = "connection"  # nothing of another organization is asked for, believed or written
    NEWS = "news"  # whatever ends in a poison queue is about something that somebody changed
    PROMPT = "prompt"  # what kept a link from being settled is made up for within its step
    UNHEARD = "unheard"  # what no hook told is carried over by two runs in which nothing goes wrong
    PATIENT = "patient"  # nothing puts off a try that is due at a certain time
    COMMENTS = "comments"  # a comment is carried to each partner of its issue, once
    CREATED = "created"  # a rule makes one work item for an issue, and it is linked
    FORM = "form"  # what Sentry's form was told is linked, until somebody ends it
    SHOWN = "shown"  # a link shows on its work item, once, and on the page; one that ended does not
    APART = "apart"  # what cannot be read, reached or touched stops nothing else
    CLAIM = "claim"  # no write is begun after the worker's claim has run out
    DEADLINE = "deadline"  # no unit of work takes as long as the host lets a function run


# The laws that the code does not keep yet: empty once it does.
OFF: frozenset[Law] = frozenset()


class Verdicts:
    """What the witness objects to, as long as the law is switched on."""

    def __init__(self) -> None:
        self.violations: list[str] = []

    def against(self, law: Law, problem: str) -> None:
        if law not in OFF:
            self.violations.append(f"{problem} ({law})")
