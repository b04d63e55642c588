"""Draws schedules from seeds: mostly small ones, and for each rare course of events a world that has it."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tests.simulation.rules import RULES
from tests.simulation.schedule import (
    ADO_PEOPLE,
    AFTER_A_WRITE,
    CALM,
    CONFIGURATIONS,
    DISPOSITIONS,
    ISSUES,
    ITEMS,
    KINDS,
    LAGS,
    LOST_TOKENS,
    OUTAGES,
    OUTAGES_OF_PARTS,
    PARTS,
    REPOINTED,
    REST,
    SENTRY_PEOPLE,
    STATES,
    TABLES,
    TROUBLES,
    TROUBLES_OF_RUNS,
    Action,
    Schedule,
)

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

_WAITS = ("1", "10", "70", "400", "700", "4000")
_RARE = (
    "link",
    "unlink",
    "form-link",
    "form-create",
    "remove-entry",
    "copy",
    "merge",
    "delete-issue",
    "delete-item",
    "restore-item",
    "rename",
    "join",
    "new-state",
)

# Of some of these Sentry tells nobody, and what takes a link's end away is seldom drawn by itself.
_NEVER_TOLD = (
    "assign-issue",
    "assign-issue",
    "unresolve",
    "unresolve",
    "merge",
    "delete-issue",
    "delete-item",
    "restore-item",
)


def drawn(seed: int, theme: str | None = None) -> Schedule:
    """Return the schedule of a seed, on its own theme or on a given one."""
    chance = random.Random(seed)
    chosen = chance.choices(list(THEMES), [weight for weight, _ in THEMES.values()])[0]
    return THEMES[theme or chosen][1](seed, chance)


def _small(seed: int, chance: random.Random) -> Schedule:
    """Two issues and two work items, and anything may go wrong; about a third are calm in some way."""
    pairs = [(issue, item) for issue in ISSUES for item in ITEMS]
    kind = chance.choice(KINDS)
    links = tuple(chance.sample(pairs, chance.choice((1, 1, 2, 2, 3, 4))))
    schedule = Schedule(seed, 1, kind, links, (), ())
    actions = tuple(_edit_or_event(chance, schedule) for _ in range(chance.randint(1, 9)))
    if chance.random() < 0.2:
        actions = _inserted(chance, actions, chance.choice(MOTIFS))
    return _troubled(
        chance,
        replace(
            schedule,
            workers=chance.choice((1, 2, 2, 3)),
            settings=tuple(chance.choice(CONFIGURATIONS) for _ in range(chance.choice((0, 0, 1, 2)))),
            actions=actions,
        ),
    )


def _troubled(chance: random.Random, schedule: Schedule) -> Schedule:
    actions = len(schedule.actions)
    return replace(
        schedule,
        troubles=tuple(
            (chance.randrange(30 * actions), chance.choice(TROUBLES))
            for _ in range(chance.choice((0, 0, 1, 2, 4)))
        ),
        after_writes=tuple(
            (chance.randrange(actions), chance.choice(AFTER_A_WRITE))
            for _ in range(chance.choice((0, 0, 0, 1, 2)))
        ),
        strays=tuple(
            (chance.randrange(4 * actions), chance.choice(DISPOSITIONS))
            for _ in range(chance.choice((0, 0, 1, 2, 4)))
        ),
    )


def _at_rest(seed: int, chance: random.Random) -> Schedule:
    """All goes well, and everything is carried over before somebody does the next thing."""
    schedule = _several(seed, chance, chance.choice((1, 2, 3, 4, 4, 6)))
    actions: list[Action] = []
    for _ in range(chance.randint(2, 7)):
        what = chance.random()
        action = _edit_or_event(chance, schedule) if what < 0.15 else _edit(chance, schedule)
        if what > 0.95:
            action = Action("unlink", *chance.choice(schedule.links))
        actions += [action, REST]
    return replace(schedule, actions=tuple(actions), workers=chance.choice((1, 2, 3)))


def _crashes(seed: int, chance: random.Random) -> Schedule:
    """Workers die or stand still right after their writes, and somebody undoes what they wrote."""
    schedule = _several(seed, chance, chance.choice((1, 1, 2, 3)))
    actions: list[Action] = []
    for _ in range(chance.randint(1, 3)):
        actions += [_edit(chance, schedule), CALM]
    writes = (*AFTER_A_WRITE, "dies-after", "answer-lost")
    return replace(
        schedule,
        actions=tuple(actions + [_edit(chance, schedule) for _ in range(chance.randint(1, 3))]),
        after_writes=tuple((place, chance.choice(writes)) for place in range(3) if chance.random() < 0.6),
        workers=chance.choice((1, 1, 2)),
    )


def _many(seed: int, chance: random.Random) -> Schedule:
    """Up to 60 links that share their ends: chains, stars, meshes; most of them are small."""
    schedule = _several(seed, chance, min(4 + int(chance.expovariate(0.12)), 60))
    actions = [_edit(chance, schedule) for _ in range(chance.randint(2, 7))]
    if chance.random() < 0.5:
        actions = list(_inserted(chance, actions, [_outage(chance)]))
    schedule = replace(schedule, actions=tuple(actions), workers=chance.choice((1, 2, 3)))
    return schedule if chance.random() < 0.5 else _troubled(chance, schedule)


def _outages(seed: int, chance: random.Random) -> Schedule:
    """A service is away for a while, during which people go on, or nobody does anything."""
    schedule = _several(seed, chance, chance.choice((1, 1, 2, 3, 4)))
    actions: list[Action] = []
    for _ in range(chance.randint(1, 2)):
        actions += [_edit(chance, schedule) for _ in range(chance.randint(0, 3))]
        actions.append(_outage(chance))
        actions += [_edit(chance, schedule) for _ in range(chance.choice((0, 0, 1, 2, 4)))]
        if chance.random() < 0.6:
            actions.append(Action("pass", value=chance.choice(("300", "600", "1800", "4000"))))
    return replace(schedule, actions=tuple(actions), workers=chance.choice((1, 2, 3)))


def _outage(chance: random.Random) -> Action:
    service = chance.choice(("ado", "ado", "sentry", "sentry", "storage", "tables"))
    lasts = chance.choice(("60", "120", "120", "300", "900", "3700"))
    return Action("outage", value=f"{service} {chance.choice(OUTAGES)} {lasts}")


def _comments(seed: int, chance: random.Random) -> Schedule:
    """Comments travel both ways, are edited and deleted, while their issues are merged, linked and parted."""
    schedule = _several(seed, chance, chance.choice((1, 1, 2, 2, 3, 4)))
    actions = [_edit(chance, schedule) for _ in range(chance.randint(0, 3))]
    for _ in range(chance.randint(1, 4)):
        said = _said(chance, schedule)
        if chance.random() < 0.2:
            issue = chance.choice(schedule.issues)
            said += [Action("resolve", issue), Action("rest"), Action("regress", issue)]
        if chance.random() < 0.3:
            said.insert(chance.randint(0, 1), Action("merge", chance.choice(schedule.issues)))
        actions = list(_inserted(chance, actions, said))
    if chance.random() < 0.3:
        actions = list(_inserted(chance, actions, [_outage(chance)]))
    schedule = replace(
        schedule,
        settings=("sync_comments=on", *(["sync_comments_reverse=all"] if chance.random() < 0.7 else [])),
        actions=tuple(actions),
        workers=chance.choice((1, 2, 3)),
    )
    return schedule if chance.random() < 0.4 else _troubled(chance, schedule)


def _rules(seed: int, chance: random.Random) -> Schedule:
    """Rules fire for events, several at once and again and again, while issues are merged and linked."""
    schedule = _several(seed, chance, chance.choice((1, 1, 2)))
    if chance.random() < 0.6:
        schedule = replace(schedule, links=())
    actions = [_edit(chance, schedule) for _ in range(chance.randint(0, 3))]
    for _ in range(chance.randint(1, 4)):
        issue = chance.choice(schedule.issues)
        fired = [Action("fire", issue, value=chance.choice(("", *RULES)))] * chance.choice((1, 1, 2))
        if chance.random() < 0.5:
            fired.append(_meanwhile(chance, schedule, issue))
        if chance.random() < 0.3:
            fired.append(Action("fire", issue, value=chance.choice(RULES)))
        if chance.random() < 0.2:
            fired.insert(chance.randint(0, len(fired)), CALM)
        if chance.random() < 0.1:
            # What a rule made is unlinked at leisure, and the error goes on.
            made = Action("unlink", issue, max(schedule.items) + 1)
            fired = [fired[0], Action("pass", value="70"), made, Action("pass", value="10"), fired[0]]
        actions = list(_inserted(chance, actions, fired))
    if chance.random() < 0.2:
        actions = list(_inserted(chance, actions, [_outage(chance)]))
    schedule = replace(schedule, actions=tuple(actions), workers=chance.choice((1, 2, 3)))
    if chance.random() < 0.6:
        schedule = _troubled(chance, schedule)
    return schedule


def _meanwhile(chance: random.Random, schedule: Schedule, issue: str) -> Action:
    """Draw what somebody does with the issue, or with what a rule has made for it."""
    made = max(schedule.items) + chance.choice((1, 1, 1, 2))
    return chance.choice(
        (
            Action("merge", issue),
            Action("link", issue, chance.choice(schedule.items), chance.choice(("", "ado", "sentry"))),
            Action("unlink", issue, made),
            Action("delete-item", item=made),
            Action("delete-issue", issue),
            Action("set-state", item=made, value="Closed"),
            Action("assign-item", item=made, value="bob@corp.example"),
            Action("assign-issue", issue, value="bob@corp.example"),
            Action("resolve", issue),
            Action("repoint", value=chance.choice(REPOINTED)),
            Action("configure", value=chance.choice(CONFIGURATIONS)),
            Action("disconnect"),
        )
    )


def _forms(seed: int, chance: random.Random) -> Schedule:
    """People fill in Sentry's form, send it again, and two at once, while issues are merged and unlinked."""
    schedule = _several(seed, chance, chance.choice((1, 1, 2)))
    if chance.random() < 0.5:
        schedule = replace(schedule, links=())
    actions = [_edit(chance, schedule) for _ in range(chance.randint(0, 3))]
    for _ in range(chance.randint(1, 4)):
        issue = chance.choice(schedule.issues)
        sent = [_filled_in(chance, schedule, issue)]
        for _ in range(chance.choice((0, 0, 1, 1, 2))):
            sent.append(chance.choice((Action("form-again"), _filled_in(chance, schedule, issue))))
        if chance.random() < 0.6:
            sent.insert(chance.randint(1, len(sent)), _beside_a_form(chance, schedule, issue))
        if chance.random() < 0.4:
            sent.insert(chance.randint(1, len(sent)), chance.choice((CALM, Action("pass", value="300"))))
        actions = list(_inserted(chance, actions, sent))
    if chance.random() < 0.2:
        actions = list(_inserted(chance, actions, [_outage(chance)]))
    schedule = replace(schedule, actions=tuple(actions), workers=chance.choice((1, 2, 3)))
    return _troubled(chance, schedule) if chance.random() < 0.6 else schedule


def _filled_in(chance: random.Random, schedule: Schedule, issue: str) -> Action:
    if chance.random() < 0.5:
        return Action("form-create", issue, value=chance.choice(("Bug", "Bug", "Task")))
    initial = chance.choice(("", "", "ado", "sentry"))
    return Action("form-link", issue, chance.choice(schedule.items), initial)


def _beside_a_form(chance: random.Random, schedule: Schedule, issue: str) -> Action:
    """Draw what the form itself does not do, but whoever looks at the issue's page, or a rule."""
    made = max(schedule.items) + 1
    item = chance.choice((made, made, *schedule.items))
    return chance.choice(
        (
            Action("remove-entry", issue),
            Action("remove-entry", issue),
            Action("unlink", issue, item),
            Action("unlink", issue, item),
            Action("link", issue, item, chance.choice(("", "ado", "sentry"))),
            Action("copy", issue, item, chance.choice(("ado", "sentry"))),
            Action("fire", issue, value=chance.choice(RULES)),
            _meanwhile(chance, schedule, issue),
        )
    )


def _said(chance: random.Random, schedule: Schedule) -> list[Action]:
    """Draw a comment on either side, and perhaps what becomes of it."""
    if chance.random() < 0.4:
        item, in_ado = chance.choice(schedule.items), ("edit-item-comment", "delete-item-comment")
        then = [Action(each, item=item) for each in in_ado if chance.random() < 0.2]
        return [Action("comment-item", item=item), *then]
    issue, in_sentry = chance.choice(schedule.issues), ("edit-comment", "edit-comment", "delete-comment")
    return [Action("comment", issue), *(Action(each, issue) for each in in_sentry if chance.random() < 0.3)]


def _connections(seed: int, chance: random.Random) -> Schedule:
    """The document names another organization, which has the same numbers; the slug goes, and comes again."""
    schedule = _several(seed, chance, chance.choice((1, 2, 3)))
    actions = [_edit(chance, schedule) for _ in range(chance.randint(1, 4))]
    for _ in range(chance.randint(1, 3)):
        what = chance.random()
        if what < 0.35:
            course = [Action("repoint", value=chance.choice(REPOINTED))]
        elif what < 0.6:
            issue, item = chance.choice(schedule.links)
            course = [
                Action("disconnect"),
                Action("connect", value=chance.choice(("here", "there"))),
                Action("link", issue, item),
            ]
        else:
            item = chance.choice(schedule.items)
            course = [_set_state(chance, schedule, item, what="edit-there")]
        actions = list(_inserted(chance, actions, course))
        actions = list(_inserted(chance, actions, [_edit(chance, schedule)]))
    if chance.random() < 0.5:
        actions = list(_inserted(chance, actions, [_outage(chance)]))
    schedule = replace(schedule, actions=tuple(actions), workers=chance.choice((1, 2, 3)))
    return schedule if chance.random() < 0.5 else _troubled(chance, schedule)


def _damaged(seed: int, chance: random.Random) -> Schedule:
    """Rows that nobody can read turn up among the others, and may be removed by their keys later."""
    schedule = _several(seed, chance, chance.choice((2, 3, 4, 6)))
    actions = [_edit(chance, schedule) for _ in range(chance.randint(1, 5))]
    for _ in range(chance.randint(1, 3)):
        issue, item = chance.choice(schedule.links)
        damage = Action("damage", issue, item, chance.choice(TABLES))
        actions = list(_inserted(chance, actions, [damage]))
        if chance.random() < 0.3:
            actions.append(replace(damage, what="mend"))
    schedule = replace(schedule, actions=tuple(actions), workers=chance.choice((1, 2, 3)))
    # What no hook told has to be found among the rows that can be read.
    strays = tuple((chance.randrange(4 * len(actions)), "lost") for _ in range(chance.choice((0, 2, 4))))
    return replace(schedule, strays=strays)


def _processes(seed: int, chance: random.Random) -> Schedule:
    """Types are disabled and states removed while work items have them, and come back or not."""
    schedule = _several(seed, chance, chance.choice((1, 2, 3, 4)))
    actions = [_edit(chance, schedule) for _ in range(chance.randint(2, 6))]
    item = chance.choice(schedule.items)
    _, project = schedule.kind_of(item)
    course = [Action("disable-type", item=item)]
    if chance.random() < 0.7:
        course = [Action("forget-state", value=chance.choice(STATES[project]))]
        if chance.random() < 0.6:
            course.append(Action("know-states"))
    for each in course:
        actions = list(_inserted(chance, actions, [each]))
    if chance.random() < 0.4:
        actions = list(_inserted(chance, actions, [Action("pass", value="4000")]))
    return replace(schedule, actions=tuple(actions), workers=chance.choice((1, 2)))


def _workflows(seed: int, chance: random.Random) -> Schedule:
    """A type allows few moves, so some states are reached by way of others and some not at all."""
    schedule = _several(seed, chance, chance.choice((1, 1, 2, 3, 4)))
    actions = [_edit(chance, schedule) for _ in range(chance.randint(2, 7))]
    restrict = Action("restrict", item=chance.choice(schedule.items), value=str(chance.randrange(10_000)))
    # The states are remembered since the links were made.
    course = [restrict, *([Action("pass", value="4000")] if chance.random() < 0.7 else [])]
    actions = [*course, *actions] if chance.random() < 0.7 else list(_inserted(chance, actions, course))
    schedule = replace(schedule, actions=tuple(actions), workers=chance.choice((1, 2, 3)))
    return _troubled(chance, schedule) if chance.random() < 0.6 else schedule


def _forbidden(seed: int, chance: random.Random) -> Schedule:
    """One issue or work item may not be touched, or cannot be read; everything else goes on."""
    schedule = _several(seed, chance, chance.choice((1, 2, 3, 4, 6)))
    actions = [_edit(chance, schedule) for _ in range(chance.randint(2, 6))]
    for _ in range(chance.randint(1, 2)):
        issue, item = chance.choice(
            ((chance.choice(schedule.issues), 0), ("", chance.choice(schedule.items)))
        )
        bad = Action(chance.choice(("forbid", "garble")), issue, item)
        actions = list(_inserted(chance, actions, [bad]))
        if chance.random() < 0.5:
            actions.append(replace(bad, what="allow"))
    if chance.random() < 0.3:
        actions = list(_inserted(chance, actions, [Action("pass", value="1800")]))
    return replace(schedule, actions=tuple(actions), workers=chance.choice((1, 2)))


def _backups(seed: int, chance: random.Random) -> Schedule:
    """A work item goes back to an earlier revision, with all its links."""
    schedule = _several(seed, chance, chance.choice((1, 2, 3, 4)))
    item = chance.choice(schedule.links)[1]
    actions = [_set_state(chance, schedule, item) for _ in range(chance.randint(2, 5))]
    actions += [Action("rename", item=item) for _ in range(chance.randint(0, 2))]
    chance.shuffle(actions)
    actions.insert(chance.randint(1, len(actions)), CALM)
    # A revision that is reached anew before anybody looked says nothing of its having been another one.
    actions += [Action("restore-backup", item=item), Action("pass", value="300")]
    actions += [_edit(chance, schedule) for _ in range(chance.randint(0, 3))]
    schedule = replace(schedule, actions=tuple(actions), workers=chance.choice((1, 2)))
    return schedule if chance.random() < 0.7 else _troubled(chance, schedule)


def _kinds(seed: int, chance: random.Random) -> Schedule:
    """Items are done as duplicates, people archive by themselves, and whoever did it takes it back or not."""
    schedule = _several(seed, chance, chance.choice((1, 1, 1, 2, 3, 4)))
    settings = ["archive_reasons=Duplicate"]
    if chance.random() < 0.4:
        settings.append("on_archive=Removed")
    actions: list[Action] = []
    for _ in range(chance.randint(3, 8)):
        issue, item = chance.choice(schedule.links)
        _, project = schedule.kind_of(item)
        done = "Closed:Duplicate" if chance.random() < 0.6 else "Closed"
        actions.append(
            chance.choice(
                (
                    Action("set-state", item=item, value=done),
                    Action("set-state", item=item, value=STATES[project][0]),
                    Action("archive", issue),
                    Action("unresolve", issue),
                    _edit(chance, schedule),
                )
            )
        )
        if chance.random() < 0.4:
            actions.append(chance.choice((REST, Action("pass", value="300"))))
    schedule = replace(
        schedule,
        settings=(*schedule.settings, *settings),
        actions=tuple(actions),
        workers=chance.choice((1, 2, 3)),
    )
    return schedule if chance.random() < 0.5 else _troubled(chance, schedule)


def _unheard(seed: int, chance: random.Random) -> Schedule:
    """Hardly a hook arrives, and whatever the reconciler goes by instead lags, is lost, or is refused."""
    schedule = _several(seed, chance, chance.choice((1, 2, 3, 4, 6)))
    actions: list[Action] = []
    for _ in range(chance.randint(1, 6)):
        what = chance.choice(_NEVER_TOLD) if chance.random() < 0.4 else ""
        issue, item = chance.choice(schedule.issues), chance.choice(schedule.items)
        actions.append(Action(what, issue, item) if what else _edit(chance, schedule))
        if chance.random() < 0.5:
            actions.append(Action("pass", value=chance.choice(("300", "300", "600", "1800"))))
    for _ in range(chance.randint(0, 3)):
        actions = list(_inserted(chance, actions, [_trouble_of_parts(chance)]))
    kills = (chance.randrange(40 * len(actions)) for _ in range(chance.choice((0, 1, 2, 4))))
    strays = (number for number in range(8 * len(actions)) if chance.random() < 0.9)
    return replace(
        schedule,
        actions=tuple(actions),
        workers=chance.choice((1, 2, 3)),
        strays=tuple((number, "lost") for number in strays),
        run_troubles=tuple((call, chance.choice(TROUBLES_OF_RUNS)) for call in kills),
    )


def _trouble_of_parts(chance: random.Random) -> Action:
    match chance.choice(("lose-tokens", "lag", "refuse-feed", "outage", "outage")):
        case "lose-tokens":
            return Action("lose-tokens", value=chance.choice(LOST_TOKENS))
        case "lag":
            return Action("lag", value=chance.choice(LAGS))
        case "refuse-feed":
            return Action("refuse-feed", value=chance.choice(("403", "404", "400", "0")))
        case _:
            how, lasts = chance.choice(OUTAGES_OF_PARTS), chance.choice(("60", "300", "300", "900"))
            return Action("outage", value=f"{chance.choice(PARTS)} {how} {lasts}")


THEMES: Mapping[str, tuple[float, Callable[[int, random.Random], Schedule]]] = {
    "small": (60, _small),
    "at-rest": (9, _at_rest),
    "crashes": (5, _crashes),
    "outages": (7, _outages),
    "comments": (6, _comments),
    "rules": (5, _rules),
    "forms": (6, _forms),
    "many": (3, _many),
    "connections": (4, _connections),
    "damaged": (3, _damaged),
    "processes": (3, _processes),
    "workflows": (4, _workflows),
    "forbidden": (3, _forbidden),
    "backups": (2, _backups),
    "unheard": (7, _unheard),
    "kinds": (6, _kinds),
}


def _several(seed: int, chance: random.Random, number: int) -> Schedule:
    """Return a world with so many links, joined in one of the shapes that links have among themselves."""
    shape = chance.choice(("chain", "star of issues", "star of items", "mesh", "any"))
    side = next(each for each in range(1, number + 1) if each * each >= number)
    pairs = {
        "chain": [((place + 1) // 2, place // 2) for place in range(number)],
        "star of issues": [(place, 0) for place in range(number)],
        "star of items": [(0, place) for place in range(number)],
        "mesh": [(place // side, place % side) for place in range(number)],
        "any": [(place // (side + 1), place % (side + 1)) for place in range((side + 1) ** 2)],
    }[shape]
    if shape == "any":
        pairs = chance.sample(pairs, number)
    links = tuple((str(100 + issue), 31 + item) for issue, item in pairs)
    settings = ("done_when=any",) if chance.random() < 0.15 else ()
    return Schedule(seed, 1, chance.choice(KINDS), links, settings, ())


def _inserted(
    chance: random.Random, actions: Sequence[Action], course: Sequence[Action]
) -> tuple[Action, ...]:
    place = chance.randrange(len(actions)) if actions else 0
    return (*actions[:place], *course, *actions[place:])


def _edit_or_event(chance: random.Random, schedule: Schedule) -> Action:
    draw = chance.random()
    if draw < 0.72:
        return _edit(chance, schedule)
    if draw < 0.84:
        return Action("wait", value=chance.choice(_WAITS))
    if draw < 0.88:
        return Action("configure", value=chance.choice(CONFIGURATIONS))
    if draw < 0.91:
        return Action("reconcile")
    issue, item = chance.choice(schedule.issues), chance.choice(schedule.items)
    what = chance.choice(_RARE)
    sides = {"copy": ("ado", "sentry"), "link": ("", "ado", "sentry"), "form-link": ("", "", "ado", "sentry")}
    return Action(what, issue, item, chance.choice(sides.get(what, ("",))))


def _edit(chance: random.Random, schedule: Schedule) -> Action:
    """Return a person's edit of one field."""
    issue, item = chance.choice(schedule.issues), chance.choice(schedule.items)
    draw = chance.random()
    if draw < 0.33:
        return Action(chance.choice(("resolve", "resolve", "unresolve", "unresolve", "archive")), issue)
    if draw < 0.67:
        return _set_state(chance, schedule, item)
    if draw < 0.84:
        return Action("assign-issue", issue, value=chance.choice(SENTRY_PEOPLE))
    return Action("assign-item", item=item, value=chance.choice(ADO_PEOPLE))


def _set_state(chance: random.Random, schedule: Schedule, item: int, *, what: str = "set-state") -> Action:
    _, project = schedule.kind_of(item)
    return Action(what, item=item, value=chance.choice(STATES[project]))
