"""A schedule: who does what, which hooks go astray, which of our calls go wrong. Drawn from one seed."""

import random
from dataclasses import dataclass

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
# was; a worker that dies before or after; or one that stands still, for a slow answer or for minutes.
TROUBLES = (
    "fails",
    "answer-lost",
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
AFTER_A_WRITE = ("dies-after", "answer-lost", "frozen-after")
FATES = ("lost", "lost", "lost", "twice", "late", "late")
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


@dataclass(frozen=True)
class Deed:
    """Something that a person does, or that time or the timer does; impossible deeds are passed over."""

    what: str
    issue: str = ""
    item: int = 0
    value: str = ""


@dataclass(frozen=True)
class Schedule:
    """Everything that happens, but for the order of what is ready at once: that comes from ``seed``.

    ``troubles`` names our calls by their number, ``after_writes`` those of them that write to a service,
    ``strays`` the hooks.
    """

    seed: int
    workers: int
    second_kind: tuple[str, str]
    links: tuple[tuple[str, int], ...]
    settings: tuple[str, ...]
    deeds: tuple[Deed, ...]
    troubles: tuple[tuple[int, str], ...] = ()
    after_writes: tuple[tuple[int, str], ...] = ()
    strays: tuple[tuple[int, str], ...] = ()


# Nobody does anything until all is quiet, or until a worker dies.
CALM = Deed("calm")

# Courses of events that chance alone would rarely bring about: a state that is newer than what we remember
# of the process, somebody who joins after having been assigned, an issue that is archived while its work
# item moves on, and hand-made changes on both sides at once.
MOTIFS = (
    (
        Deed("set-state", item=31, value="Active"),
        Deed("new-state"),
        Deed("set-state", item=31, value="Verified"),
    ),
    (Deed("assign-item", item=31, value="carol@corp.example"), Deed("wait", value="10"), Deed("join")),
    (Deed("assign-issue", "100", value="dave@corp.example"), Deed("wait", value="400"), Deed("join")),
    (
        Deed("archive", "100"),
        Deed("set-state", item=31, value="Closed"),
        Deed("set-state", item=31, value="New"),
    ),
    (
        Deed("resolve", "100"),
        Deed("assign-item", item=31, value="bob@corp.example"),
        Deed("unresolve", "100"),
    ),
    (
        Deed("set-state", item=31, value="Resolved"),
        Deed("resolve", "100"),
        Deed("set-state", item=31, value="New"),
    ),
)


def drawn(seed: int) -> Schedule:
    """Return the schedule of a seed; about a third are calm in one way or another."""
    chance = random.Random(seed)
    pairs = [(issue, item) for issue in ISSUES for item in ITEMS]
    kind = chance.choice(KINDS)
    links = tuple(chance.sample(pairs, chance.choice((1, 1, 2, 2, 3, 4))))
    deeds = tuple(_deed(chance, kind[1]) for _ in range(chance.randint(1, 9)))
    if chance.random() < 0.2:
        place = chance.randrange(len(deeds))
        deeds = (*deeds[:place], *chance.choice(MOTIFS), *deeds[place:])
    calls = 30 * len(deeds)
    return Schedule(
        seed=seed,
        workers=chance.choice((1, 2, 2, 3)),
        second_kind=kind,
        links=links,
        settings=tuple(chance.choice(CONFIGURATIONS) for _ in range(chance.choice((0, 0, 1, 2)))),
        deeds=deeds,
        troubles=tuple(
            (chance.randrange(calls), chance.choice(TROUBLES)) for _ in range(chance.choice((0, 0, 1, 2, 4)))
        ),
        after_writes=tuple(
            (chance.randrange(len(deeds)), chance.choice(AFTER_A_WRITE))
            for _ in range(chance.choice((0, 0, 0, 1, 2)))
        ),
        strays=tuple(
            (chance.randrange(4 * len(deeds)), chance.choice(FATES))
            for _ in range(chance.choice((0, 0, 1, 2, 4)))
        ),
    )


def _deed(chance: random.Random, second_project: str) -> Deed:
    issue, item = chance.choice(ISSUES), chance.choice(ITEMS)
    draw = chance.random()
    if draw < 0.24:
        return Deed(chance.choice(("resolve", "resolve", "unresolve", "unresolve", "archive")), issue)
    if draw < 0.48:
        project = "Fabrikam-Fiber" if item == ITEMS[0] else second_project
        return Deed("set-state", item=item, value=chance.choice(STATES[project]))
    if draw < 0.60:
        return Deed("assign-issue", issue, value=chance.choice(SENTRY_PEOPLE))
    if draw < 0.72:
        return Deed("assign-item", item=item, value=chance.choice(ADO_PEOPLE))
    if draw < 0.84:
        return Deed("wait", value=chance.choice(("1", "10", "70", "400", "700", "4000")))
    if draw < 0.88:
        return Deed("configure", value=chance.choice(CONFIGURATIONS))
    if draw < 0.91:
        return Deed("reconcile")
    rare = (
        "link",
        "unlink",
        "merge",
        "delete-issue",
        "delete-item",
        "restore-item",
        "rename",
        "join",
        "new-state",
    )
    what = chance.choice(rare)
    return Deed(what, issue, item, chance.choice(("", "ado", "sentry")) if what == "link" else "")
