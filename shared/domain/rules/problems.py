"""An organization's problems, as the facts show them: what is wrong, since when, and how to cure it."""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple

import msgspec

from shared.domain.errors import OrganizationGone
from shared.domain.model import Side
from shared.domain.problems import Problem
from shared.domain.traffic import HOUR, Counts, Hour, unexplained
from shared.domain.untrusted import CURES

# Fewer refusals than that in an hour are a stranger's, or somebody's typing error.
REFUSED_IN_AN_HOUR = 5
DELIVERIES_REFUSED, CHANGES_UNTOLD, NOT_CONNECTED = "deliveries-refused", "changes-untold", "not-connected"
UNAUTHORIZED, FORBIDDEN, OTHER_ORGANIZATION = "unauthorized", "forbidden", "other-organization"
ORGANIZATION_NOT_FOUND, MISSING_SETTING = "organization-not-found", "missing-setting"
SUBSCRIPTIONS, UNREADABLE, PEOPLE = "subscriptions", "unreadable-rows", "people"
PART_FAILED = "-failed"  # behind the name of a part of the reconciler's runs
NAMES = {Side.ADO: "Azure DevOps", Side.SENTRY: "Sentry"}


class Subject(NamedTuple):
    """What a problem is of, whatever it says: its kind, and the one thing that it is ``about``, or ""."""

    kind: str
    side: Side | None
    about: str


class Trouble(msgspec.Struct, frozen=True):
    """One problem of an organization, in our own words. ``since`` is in epoch seconds, None if unknown.

    ``about`` is the project, by its id, or the person, by the address, if it is about one.
    """

    kind: str
    side: Side | None
    detail: str
    cure: str
    since: float | None = None
    about: str = ""

    @property
    def subject(self) -> Subject:
        return Subject(self.kind, self.side, self.about)

    @property
    def name(self) -> str:
        """Name the problem, whenever it began and whatever it says."""
        return f"{self.kind} {self.side}" if self.side else self.kind


class Facts(msgspec.Struct, frozen=True):
    """What is known of an organization, and judged here.

    ``parts`` are the problems of the reconciler's parts, ``refusing`` the sides that did not accept our
    credentials lately, ``gone`` those that knew no such organization, ``forbidding`` since when a side
    forbids everything, ``foreign`` how many deliveries were another organization's, ``hours`` what arrived by
    the number of the hour. ``is_watched`` says that the subscriptions were looked at, ``subscriptions`` what
    is wrong with them. ``known`` is since when each problem is known. ``examined`` is what the last
    examination found.
    """

    now: float
    parts: Mapping[str, Problem] = {}
    refusing: frozenset[Side] = frozenset()
    gone: frozenset[Side] = frozenset()
    forbidding: Mapping[Side, float] = {}
    foreign: int = 0
    hours: Mapping[int, Hour] = {}
    is_watched: bool = False
    subscriptions: Problem | None = None
    missing: Sequence[tuple[Side, str]] = ()
    unreadable: int = 0
    known: Mapping[str, float] = {}
    examined: Sequence[Trouble] = ()


def troubles_of(facts: Facts) -> list[Trouble]:
    """Return an organization's problems, the gravest first; each lasts until it is cured."""
    found = [
        *_missing(facts),
        *_unanswered(facts),
        *_refusing(facts),
        *_doors(facts),
        *_subscriptions(facts),
    ]
    examined = list(_examined(facts))
    found += [*_parts(facts, {(each.kind, each.side) for each in (*found, *examined)}), *examined]
    once = {each.name: each for each in reversed(found)}
    return [
        msgspec.structs.replace(each, since=_since(each, facts)) for each in found if once[each.name] is each
    ]


def _since(trouble: Trouble, facts: Facts) -> float | None:
    return facts.known.get(trouble.name, trouble.since or facts.now)


def _missing(facts: Facts) -> Iterator[Trouble]:
    for side in Side:
        if details := [detail for each, detail in facts.missing if each is side]:
            it = "it" if len(details) == 1 else "them"
            cure = f"Set {it} in the app's settings; the app restarts by itself."
            yield Trouble(MISSING_SETTING, side, "; ".join(details), cure)


_CREDENTIALS = {
    Side.ADO: (
        "Give the app a token that has not expired and belongs to the organization at ado_url (ADO_PAT), or "
        "without one, add the app's identity to the users of that organization."
    ),
    Side.SENTRY: (
        "Set SENTRY_TOKEN to the token of an internal integration of sentry_organization, with the scopes "
        "that docs/permissions.md names."
    ),
}
OR_MISSPELLED = "it was renamed, deleted, is misspelled, or another one has taken its place"
_CORRECT = (
    "Write the right one under Connection on the admin page, or: sentry-ado settings edit {}. The links "
    "stay, if it is the same organization. If another one is meant, send the document with ?links=drop."
)
_ADDRESSES = {
    Side.ADO: (
        f"Azure DevOps knows no organization at ado_url: {OR_MISSPELLED}",
        _CORRECT.format("ado_url"),
    ),
    Side.SENTRY: (
        f"Sentry knows no organization of this name: {OR_MISSPELLED}",
        _CORRECT.format("sentry_organization"),
    ),
}


def _unanswered(facts: Facts) -> Iterator[Trouble]:
    """Tell what came of asking both services who they are."""
    for side in Side:
        problem = facts.parts.get(side.value)
        if problem is None or problem.is_note:
            continue
        if problem.kind == UNAUTHORIZED:
            yield _unauthorized(side, problem.since)
        elif problem.kind.endswith("not-found") or problem.kind == OrganizationGone.kind:
            yield _not_found(side, problem.since)
        elif problem.kind == MISSING_SETTING:
            cure = "Set it in the app's settings; the app restarts by itself."
            yield Trouble(MISSING_SETTING, side, problem.detail, cure, problem.since)
        else:
            asked = f"{NAMES[side]} did not answer when it was asked who it is"
            detail = f"{asked}: {problem.kind} ({problem.detail})"
            yield Trouble(problem.kind, side, detail, CURES.get(problem.kind, _WAIT), problem.since)


_WAIT = "Nothing, if the service is down: the app asks again every five minutes. Else see the app's log."


def _unauthorized(side: Side, since: float | None = None) -> Trouble:
    detail = f"{NAMES[side]} does not accept our credentials"
    return Trouble(UNAUTHORIZED, side, detail, _CREDENTIALS[side], since)


def _not_found(side: Side, since: float | None = None) -> Trouble:
    detail, cure = _ADDRESSES[side]
    return Trouble(ORGANIZATION_NOT_FOUND, side, detail, cure, since)


def _refusing(facts: Facts) -> Iterator[Trouble]:
    for side in sorted(facts.refusing):
        yield _unauthorized(side)
    for side in sorted(facts.gone):
        yield _not_found(side)
    for side, since in facts.forbidding.items():
        detail = f"{NAMES[side]} forbids everything that we ask about single things: a permission is missing"
        cure = "Give the app's token or identity the rights that docs/permissions.md names."
        yield Trouble(FORBIDDEN, side, detail, cure, since)
    if facts.foreign:
        yield Trouble(
            OTHER_ORGANIZATION,
            Side.ADO,
            f"{facts.foreign} deliveries were ignored lately: they come from another Azure DevOps "
            "organization than the one that is connected",
            "Correct ado_url, or delete the subscriptions of the other organization.",
        )


_SECRETS = {
    Side.ADO: (
        "Have the subscriptions made anew: sentry-ado hooks repair. By hand: set the password of each to "
        "ADO_WEBHOOK_SECRET; while a secret is changed, ADO_WEBHOOK_SECRET_PREVIOUS holds the old one."
    ),
    Side.SENTRY: "Set SENTRY_CLIENT_SECRET to the client secret of the integration that sends the hooks.",
}
_PROOFS = {Side.ADO: "secret", Side.SENTRY: "signature"}


def _doors(facts: Facts) -> Iterator[Trouble]:
    for side in Side:
        counts = {number: hour.on(side) for number, hour in facts.hours.items()}
        untold = untold_since(counts)
        if refused := refused_since(counts, facts.now, may_be_few=bool(untold)):
            many = sum(each.refused for number, each in _of_a_day(counts, facts.now).items())
            detail = (
                f"deliveries from {NAMES[side]} are refused, {many} in 24 hours: their {_PROOFS[side]} is "
                "missing or wrong"
            )
            yield Trouble(DELIVERIES_REFUSED, side, detail, _SECRETS[side], refused)
        elif untold and not (side is Side.ADO and facts.is_watched):
            detail = f"the reconciler found changes in {NAMES[side]} that no hook had told"
            yield Trouble(CHANGES_UNTOLD, side, detail, _HOOKS[side], untold)


_HOOKS = {
    Side.ADO: (
        "Look at the service hook subscriptions in Azure DevOps: one each for work item updated, deleted and "
        "restored, enabled, for all projects, with the app's address."
    ),
    Side.SENTRY: (
        'Look at the internal integration in Sentry: under Webhooks, "issue" is ticked and the address is '
        "the app's. Its page shows the requests that it sent."
    ),
}


def _of_a_day(counts: Mapping[int, Counts], now: float) -> dict[int, Counts]:
    newest = int(now // HOUR)
    return {number: each for number, each in counts.items() if newest - 24 < number <= newest}


def refused_since(counts: Mapping[int, Counts], now: float, *, may_be_few: bool = False) -> float | None:
    """Return since when one side's deliveries are refused and not taken, if they are.

    A stranger who knows the address of a door cannot make a problem of it while others come in: only an hour
    with many refusals and nobody taken counts, and whoever is taken after it is the cure. ``may_be_few`` says
    that changes came without their hook: then a single refusal tells why.
    """
    day = _of_a_day(counts, now)
    last_taken = max((each.taken_at for each in counts.values()), default=0.0)
    enough = 1 if may_be_few else REFUSED_IN_AN_HOUR
    bad = [
        number
        for number, each in day.items()
        if each.refused >= enough and (not each.taken or (may_be_few and each.refused_at > last_taken))
    ]
    if not bad or last_taken > max(day[number].refused_at for number in bad):
        return None
    return max(min(bad) * HOUR, last_taken)


def untold_since(counts: Mapping[int, Counts]) -> float | None:
    """Return since when the reconciler finds what no hook of one side told, unless a hook came after it."""
    last_taken = max((each.taken_at for each in counts.values()), default=0.0)
    accusing = [counts[number] for number, many in unexplained(counts).items() if many]
    found = [each.untold_at for each in accusing if each.untold_at > last_taken]
    return min(found) if found else None


def _subscriptions(facts: Facts) -> Iterator[Trouble]:
    problem = facts.subscriptions
    if problem is not None and not problem.is_note:
        cure = "Have them repaired, or make them by hand as docs/permissions.md says."
        yield Trouble(SUBSCRIPTIONS, Side.ADO, problem.detail, cure, problem.since)


_PARTS = {
    "feed": (Side.ADO, "what changed in Azure DevOps cannot be read"),
    "links": (None, "links that are due are not taken up"),
    "full-look": (Side.ADO, "the linked work items cannot be looked at"),
    "issues": (Side.SENTRY, "the linked issues cannot be read"),
    "activity": (None, "old activity cannot be removed"),
    "examination": (None, "what the sync needs cannot be tried"),
    "progress": (None, "how far the reconciler came cannot be stored"),
    "events": (None, "what began or ended cannot be put among the events"),
}


# Problems of a side that keep each part from it, by the kind of the part's.
_CAUSES = {UNAUTHORIZED: UNAUTHORIZED, OrganizationGone.kind: ORGANIZATION_NOT_FOUND}
_TROUBLES = {UNAUTHORIZED: _unauthorized, OrganizationGone.kind: _not_found}


def _parts(facts: Facts, told: Set[tuple[str, Side | None]]) -> Iterator[Trouble]:
    """Tell which parts of the runs fail; one that fails for its side's sake tells of that, and once."""
    for part, problem in facts.parts.items():
        if problem.is_note or part not in _PARTS:
            continue
        side, detail = _PARTS[part]
        if side is not None and problem.kind in _CAUSES:
            if (_CAUSES[problem.kind], side) not in told:
                yield _TROUBLES[problem.kind](side, problem.since)
            continue
        kind = f"{part}{PART_FAILED}"
        cure = CURES.get(problem.kind, _WAIT)
        yield Trouble(kind, side, f"{detail}: {problem.kind} ({problem.detail})", cure, problem.since)
    if facts.unreadable:
        detail = f"{facts.unreadable} stored rows cannot be read; the log names their keys"
        yield Trouble(UNREADABLE, None, detail, "Deploy the version that wrote them, or delete them.")


def _examined(facts: Facts) -> Iterator[Trouble]:
    """Tell what the last examination found: one problem for each kind, however many things it is about."""
    groups: dict[str, list[Trouble]] = {}
    for each in facts.examined:
        groups.setdefault(each.name, []).append(each)
    for first, *more in groups.values():
        detail = "; ".join(each.detail for each in (first, *more))
        since = min((each.since for each in (first, *more) if each.since), default=None)
        yield msgspec.structs.replace(first, detail=detail, since=since)
