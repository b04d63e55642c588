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
# was; a worker that dies before or after; or one that stalls, for a slow answer or for minutes.
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
DISPOSITIONS = ("lost", "lost", "lost", "twice", "late", "late")
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
    ``strays`` the hooks.
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


# Nobody does anything until all is quiet, or until a worker dies.
CALM = Action("calm")

# Courses of events that chance alone would rarely bring about: a state that is newer than what we remember
# of the process, somebody who joins after having been assigned, an issue that is archived while its work
# item moves on, and hand-made changes on both sides at once.
MOTIFS = (
    (
        Action("set-state", item=31, value="Active"),
        Action("new-state"),
        Action("set-state", item=31, value="Verified"),
    ),
    (Action("assign-item", item=31, value="carol@corp.example"), Action("wait", value="10"), Action("join")),
    (Action("assign-issue", "100", value="dave@corp.example"), Action("wait", value="400"), Action("join")),
    (
        Action("archive", "100"),
        Action("set-state", item=31, value="Closed"),
        Action("set-state", item=31, value="New"),
    ),
    (
        Action("resolve", "100"),
        Action("assign-item", item=31, value="bob@corp.example"),
        Action("unresolve", "100"),
    ),
    (
        Action("set-state", item=31, value="Resolved"),
        Action("resolve", "100"),
        Action("set-state", item=31, value="New"),
    ),
)


def drawn(seed: int) -> Schedule:
    """Return the schedule of a seed; about a third are calm in one way or another."""
    chance = random.Random(seed)
    pairs = [(issue, item) for issue in ISSUES for item in ITEMS]
    kind = chance.choice(KINDS)
    links = tuple(chance.sample(pairs, chance.choice((1, 1, 2, 2, 3, 4))))
    actions = tuple(_action(chance, kind[1]) for _ in range(chance.randint(1, 9)))
    if chance.random() < 0.2:
        place = chance.randrange(len(actions))
        actions = (*actions[:place], *chance.choice(MOTIFS), *actions[place:])
    calls = 30 * len(actions)
    return Schedule(
        seed=seed,
        workers=chance.choice((1, 2, 2, 3)),
        second_kind=kind,
        links=links,
        settings=tuple(chance.choice(CONFIGURATIONS) for _ in range(chance.choice((0, 0, 1, 2)))),
        actions=actions,
        troubles=tuple(
            (chance.randrange(calls), chance.choice(TROUBLES)) for _ in range(chance.choice((0, 0, 1, 2, 4)))
        ),
        after_writes=tuple(
            (chance.randrange(len(actions)), chance.choice(AFTER_A_WRITE))
            for _ in range(chance.choice((0, 0, 0, 1, 2)))
        ),
        strays=tuple(
            (chance.randrange(4 * len(actions)), chance.choice(DISPOSITIONS))
            for _ in range(chance.choice((0, 0, 1, 2, 4)))
        ),
    )


def _action(chance: random.Random, second_project: str) -> Action:
    issue, item = chance.choice(ISSUES), chance.choice(ITEMS)
    draw = chance.random()
    if draw < 0.24:
        return Action(chance.choice(("resolve", "resolve", "unresolve", "unresolve", "archive")), issue)
    if draw < 0.48:
        project = "Fabrikam-Fiber" if item == ITEMS[0] else second_project
        return Action("set-state", item=item, value=chance.choice(STATES[project]))
    if draw < 0.60:
        return Action("assign-issue", issue, value=chance.choice(SENTRY_PEOPLE))
    if draw < 0.72:
        return Action("assign-item", item=item, value=chance.choice(ADO_PEOPLE))
    if draw < 0.84:
        return Action("wait", value=chance.choice(("1", "10", "70", "400", "700", "4000")))
    if draw < 0.88:
        return Action("configure", value=chance.choice(CONFIGURATIONS))
    if draw < 0.91:
        return Action("reconcile")
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
    return Action(what, issue, item, chance.choice(("", "ado", "sentry")) if what == "link" else "")
