"""What an examination finds, in sentences: each check that was made, what came of it, and the exact cure.

Total functions over what was gathered. Whoever gathers it asks the services; nothing here does.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from shared.domain.configuration import Configuration
from shared.domain.errors import (
    Forbidden,
    MissingSetting,
    NotFound,
    OrganizationGone,
    SyncError,
    Throttled,
    Unauthorized,
    Undecidable,
)
from shared.domain.model import Integration, IssueStatus, Side, WorkItemTypes
from shared.domain.rules.done import mapping_errors, states_for_status
from shared.domain.rules.problems import (
    DELIVERIES_REFUSED,
    FORBIDDEN,
    MISSING_SETTING,
    NAMES,
    OR_MISSPELLED,
    ORGANIZATION_NOT_FOUND,
    PEOPLE,
    SUBSCRIPTIONS,
    UNAUTHORIZED,
    Subject,
    Trouble,
)
from shared.domain.subscriptions import HookEvent, HookState
from shared.domain.traffic import Counts

CLOCK, SCOPE_MISSING, HOOK, MAPPING = "clock", "scope-missing", "hook", "mapping"
NAMESAKE = "namesake"
STORAGE, POISON, TEST_EVENT, ROTATION, TOKEN_EXPIRY = (
    "storage",
    "poison-queue",
    "test-event",
    "rotation",
    "expiry",
)
# So far (seconds) a clock may be off: an answer names whole seconds, and takes some itself.
CLOCK_MAY_BE_OFF = 60.0
_NOTHING: Mapping[str, str] = {}


class Area(StrEnum):
    """What a finding is about, in the order in which a person reads them."""

    APP = "app"
    ADO = "ado"
    SENTRY = "sentry"
    STATES = "states"
    PEOPLE = "people"


class Standing(StrEnum):
    """``NOTE`` is worth knowing and keeps nothing from working; ``UNKNOWN`` could not be tried."""

    FINE = "fine"
    PROBLEM = "problem"
    NOTE = "note"
    UNKNOWN = "unknown"


class Finding(msgspec.Struct, frozen=True):
    """What came of one check. Whatever is not fine has a cure; ``side`` is whose it is, if it is one's.

    ``about`` are the projects, by their ids, or the people, by their addresses, that it tells of; a problem
    tells of one at most.
    """

    area: Area
    check: str
    standing: Standing
    detail: str
    cure: str | None = None
    side: Side | None = None
    about: tuple[str, ...] = ()

    @property
    def is_problem(self) -> bool:
        return self.standing is Standing.PROBLEM

    @property
    def trouble(self) -> Trouble:
        [subject] = self.subjects
        return Trouble(self.check, self.side, self.detail, self.cure or "", about=subject.about)

    @property
    def subjects(self) -> list[Subject]:
        return [Subject(self.check, self.side, about) for about in self.about or ("",)]


def fine(area: Area, check: str, detail: str, side: Side | None = None) -> Finding:
    return Finding(area, check, Standing.FINE, detail, side=side)


def problem(
    area: Area, check: str, detail: str, cure: str, side: Side | None = None, *, about: tuple[str, ...] = ()
) -> Finding:
    return Finding(area, check, Standing.PROBLEM, detail, cure, side, about)


def note(area: Area, check: str, detail: str, cure: str, side: Side | None = None) -> Finding:
    return Finding(area, check, Standing.NOTE, detail, cure, side)


def unknown(
    area: Area, check: str, detail: str, cure: str, side: Side | None = None, *, about: tuple[str, ...] = ()
) -> Finding:
    return Finding(area, check, Standing.UNKNOWN, detail, cure, side, about)


def unjudged(findings: Iterable[Finding]) -> frozenset[Subject]:
    """Return what could not be tried. That cures nothing of it: what was known to be wrong is so still."""
    return frozenset(
        subject for each in findings if each.standing is Standing.UNKNOWN for subject in each.subjects
    )


AREAS = {Side.ADO: Area.ADO, Side.SENTRY: Area.SENTRY}
_SET_IT = (
    "Set it in the app's settings: az functionapp config appsettings set -n APP -g GROUP --settings {}=…"
)
_TOKENS = {
    Side.ADO: (
        "Make a new token for the organization at ado_url with the scopes Work Items (Read & write) and "
        "Project and Team (Read), and set ADO_PAT to it; without ADO_PAT, add the app's identity to the "
        "users of that organization."
    ),
    Side.SENTRY: (
        "Open the internal integration in Sentry under Settings, Developer Settings, make a new token there, "
        "and set SENTRY_TOKEN to it."
    ),
}
_NAMES = {
    Side.ADO: (
        "sentry-ado settings edit ado_url",
        f"Azure DevOps knows no organization at ado_url: {OR_MISSPELLED}",
    ),
    Side.SENTRY: (
        "sentry-ado settings edit sentry_organization",
        f"Sentry knows no organization of this name: {OR_MISSPELLED}",
    ),
}


def about_setting(error: MissingSetting, side: Side | None) -> Finding:
    area = Area.APP if side is None else AREAS[side]
    return problem(area, MISSING_SETTING, error.detail, _SET_IT.format(error.name), side)


def about_answer(side: Side, error: SyncError, *, about: str, where: str) -> Finding:
    """Say why a service did not answer ``about``, and what to do."""
    if isinstance(error, MissingSetting):
        return about_setting(error, side)
    area, name = AREAS[side], NAMES[side]
    said = getattr(error, "advice", "")
    match error:
        case NotFound() | OrganizationGone() if about == WHO or isinstance(error, OrganizationGone):
            command, what = _NAMES[side]
            kind, detail = ORGANIZATION_NOT_FOUND, f"{what} ({where})"
            cure = (
                f"Write the right one: {command}. The links stay, if it is the same organization; if another "
                "one is meant, send the document with ?links=drop."
            )
        case Unauthorized():
            why = said or f"it does not accept our credentials ({where})"
            kind, detail, cure = UNAUTHORIZED, f"{name}: {why}", _TOKENS[side]
        case Forbidden() | NotFound():
            kind, detail, cure = FORBIDDEN, f"{name} does not let us {about}", _RIGHTS[side]
        case Throttled():
            detail = f"{name} asks us to wait before it is asked to {about}"
            return unknown(area, "slow", detail, "Run it again in a minute.", side)
        case _:
            why = said or f"it did not answer when it was asked to {about} ({where})"
            kind, detail, cure = error.kind, f"{name}: {why}", _NETWORK
    return problem(area, kind, detail, cure, side)


WHO = "say who it is"
_RIGHTS = {
    Side.ADO: (
        "Give the app's identity, or the owner of ADO_PAT, the rights of docs/permissions.md: Contributors "
        "of each project; for a token also the scopes Work Items (Read & write) and Project and Team (Read)."
    ),
    Side.SENTRY: (
        "Open the internal integration in Sentry under Settings, Developer Settings, and give it Issue & "
        "Event: Read & Write, and Organization, Project, Team and Member: Read."
    ),
}
_NETWORK = (
    "Look whether the service is up, and whether the app gets out to it: name, proxy, firewall, certificate "
    "(REQUESTS_CA_BUNDLE). If it is down, nothing has to be done."
)


# The clock


def about_clock(area: Area, whose: str, off: float | None, side: Side | None) -> Iterator[Finding]:
    """Judge by how many seconds a service's clock is ahead of ours; None if it did not say."""
    if off is None:
        return
    if abs(off) <= CLOCK_MAY_BE_OFF:
        yield fine(area, CLOCK, f"the clocks of {whose} and the app agree", side)
        return
    way = "behind" if off > 0 else "ahead of"
    yield problem(
        area,
        CLOCK,
        f"the app's clock is {duration(abs(off))} {way} that of {whose}: times mislead, and tokens, "
        "certificates and signatures may be refused",
        "Set the clock of the machine that is wrong, and let it keep time (NTP: timedatectl set-ntp true). "
        f"In Azure the app's clock is right: then it is the clock of {whose}.",
        side,
    )


def duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} seconds"
    return "1 minute" if minutes == 1 else f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"


# Scopes and hooks of Sentry

# What each of the token's scopes is for; the first of a group is the one to ask for.
# https://docs.sentry.io/api/permissions/
_SCOPES: Mapping[str, tuple[frozenset[str], str, str]] = {
    "event:read": (
        frozenset({"event:read", "event:write", "event:admin"}),
        "issues can be read",
        "Issue & Event: Read & Write",
    ),
    "event:write": (
        frozenset({"event:write", "event:admin"}),
        "status and assignee can be written",
        "Issue & Event: Read & Write",
    ),
    "member:read": (
        frozenset({"member:read", "member:write", "member:admin"}),
        "people can be found by their address",
        "Member: Read",
    ),
    "org:read": (
        frozenset({"org:read", "org:write", "org:admin"}),
        "the organization can be read",
        "Organization: Read",
    ),
    "project:read": (
        frozenset({"project:read", "project:write", "project:admin"}),
        "projects can be listed",
        "Project: Read",
    ),
}


def about_scopes(scopes: Collection[str] | None) -> Iterator[Finding]:
    """Judge the scopes of our token in Sentry; None if Sentry does not tell them."""
    if scopes is None:
        return
    lacking = [name for name, (enough, _, _) in _SCOPES.items() if not enough & set(scopes)]
    for name in lacking:
        _, purpose, permission = _SCOPES[name]
        yield problem(
            Area.SENTRY,
            SCOPE_MISSING,
            f"the token lacks the scope {name}, without which not: {purpose}",
            f"Open the internal integration in Sentry under Settings, Developer Settings, choose "
            f"{permission} under Permissions, and save. The token stays the same.",
            Side.SENTRY,
        )
    if not lacking:
        yield fine(Area.SENTRY, "scopes", "the token may read and write issues, and find people", Side.SENTRY)


def unseen_scopes(error: SyncError) -> Finding:
    """Say why nobody can look at the scopes of our token."""
    detail = f"the scopes of the token cannot be looked at ({error.kind})"
    return unknown(Area.SENTRY, SCOPE_MISSING, detail, _ONCE_IT_ANSWERS, Side.SENTRY)


def unseen_integrations(where: str) -> Finding:
    """Say that nobody can look at the integrations, and where a person can."""
    cure = f"Look by hand: {where}, the integration, Webhooks: issue is ticked."
    return unknown(Area.SENTRY, HOOK, "Sentry does not show us its integrations", cure, Side.SENTRY)


_ONCE_IT_ANSWERS = "Run it again once Sentry answers."


def about_integrations(
    found: Sequence[Integration], wanted_url: str, settings_url: str, *, comments: bool
) -> Iterator[Finding]:
    """Judge whether an integration sends its hooks to us, and all that we need."""
    ours = [each for each in found if each.url.rstrip("/") == wanted_url.rstrip("/")]
    if not found:
        yield unknown(
            Area.SENTRY,
            HOOK,
            "Sentry lists no integration of the organization",
            f"Look by hand: the webhook address of the integration is {wanted_url}, and issue is ticked.",
            Side.SENTRY,
        )
        return
    if not ours:
        elsewhere = (
            ", ".join(f'"{each.name}" to {each.url}' for each in found if each.url) or "none has an address"
        )
        yield problem(
            Area.SENTRY,
            HOOK,
            f"no integration sends its webhooks to {wanted_url} ({elsewhere})",
            f"Open {settings_url}, choose the integration, write {wanted_url} under Webhook URL, tick issue "
            "under Webhooks, and save.",
            Side.SENTRY,
        )
        return
    for each in ours:
        wanted = ["issue", *(["comment"] if comments else [])]
        lacking = [event for event in wanted if event not in each.events]
        if not lacking:
            yield fine(
                Area.SENTRY, HOOK, f'the integration "{each.name}" sends {", ".join(wanted)}', Side.SENTRY
            )
        for event in lacking:
            yield problem(
                Area.SENTRY,
                HOOK,
                f'the integration "{each.name}" does not send "{event}": what changes in Sentry is carried '
                "over minutes late, by the reconciler",
                f"Open {settings_url}{each.slug}/, tick {event} under Webhooks, and save.",
                Side.SENTRY,
            )


# Subscriptions in Azure DevOps

_REPAIR = "sentry-ado hooks repair"
_BY_HAND = "By hand: docs/permissions.md#subscriptions-made-by-hand."
_STATES: Mapping[HookState, tuple[str, str]] = {
    HookState.MISSING: ("there is no subscription to it", f"Make it: sentry-ado hooks create. {_BY_HAND}"),
    HookState.PARTIAL: (
        "its subscription is for some projects only",
        f"Have one made for all projects: {_REPAIR}. {_BY_HAND}",
    ),
    HookState.ON_PROBATION: ("its subscription is on probation", f"Have it made anew: {_REPAIR}."),
    HookState.DISABLED_BY_SYSTEM: (
        "Azure DevOps disabled its subscription, as deliveries failed",
        f"Have it made anew: {_REPAIR}.",
    ),
    HookState.DISABLED_BY_INACTIVE_IDENTITY: (
        "Azure DevOps disabled its subscription, as whoever made it is no user any more",
        f"Have it made anew: {_REPAIR}.",
    ),
    HookState.DISABLED_BY_USER: (
        "a person disabled its subscription, which is respected",
        (
            "Enable it in Azure DevOps under Project settings, Service hooks, or delete it there, and the "
            "app makes another one."
        ),
    ),
    HookState.UNKNOWN: ("nobody can tell how its subscription is", f"Try again: {_REPAIR}."),
}


def about_subscriptions(
    states: Mapping[HookEvent, HookState], strange: Collection[HookEvent]
) -> Iterator[Finding]:
    """Judge how each event's subscription is; those of ``strange`` ones were made with another secret."""
    well = [event for event, state in states.items() if state is HookState.ENABLED and event not in strange]
    if well:
        named = ", ".join(event.value.removeprefix("workitem.") for event in well)
        yield fine(Area.ADO, SUBSCRIPTIONS, f"subscriptions are enabled: {named}", Side.ADO)
    for event, state in states.items():
        if state in _STATES:
            why, cure = _STATES[state]
            make = unknown if state is HookState.UNKNOWN else problem
            yield make(Area.ADO, SUBSCRIPTIONS, f"{event.value}: {why}", cure, Side.ADO)
        elif event in strange:
            yield problem(
                Area.ADO,
                SUBSCRIPTIONS,
                f"{event.value}: its subscription was made with another secret than ADO_WEBHOOK_SECRET",
                f"Have it made anew: {_REPAIR}.",
                Side.ADO,
            )


def unseen_subscriptions(error: SyncError) -> Finding:
    """Say why nobody can look at the subscriptions; that is no problem where people made them."""
    return unknown(
        Area.ADO,
        SUBSCRIPTIONS,
        f"the subscriptions cannot be looked at ({error.kind})",
        "Give the app's identity the right to view and edit subscriptions (docs/permissions.md), or look "
        "under Project settings, Service hooks: updated, deleted and restored, enabled, for all projects.",
        Side.ADO,
    )


# Deliveries


_PROOFS = {
    Side.ADO: "their secret is not ADO_WEBHOOK_SECRET",
    Side.SENTRY: "their signature is not that of SENTRY_CLIENT_SECRET",
}
_PROOFS_AGAIN = {
    Side.ADO: (
        "sentry-ado hooks repair makes the subscriptions anew with the secret of the app. By hand: set the "
        "password of each subscription to ADO_WEBHOOK_SECRET."
    ),
    Side.SENTRY: (
        "Copy the Client Secret of the internal integration (Settings, Developer Settings) into "
        "SENTRY_CLIENT_SECRET."
    ),
}


def about_door(side: Side, counts: Counts) -> Finding:
    """Judge what came from one side within a week: what was refused last is told, unless it was cured."""
    area, name = AREAS[side], NAMES[side]
    if counts.refused and counts.refused_at > counts.taken_at:
        why, cure = _PROOFS[side], _PROOFS_AGAIN[side]
        one = counts.refused == 1
        many, were = ("a delivery", "was") if one else (f"{counts.refused} deliveries", "were")
        return problem(
            area,
            DELIVERIES_REFUSED,
            f"{many} from {name} {were} refused and none taken since: {why}",
            cure,
            side,
        )
    if counts.taken_at:
        return fine(area, "deliveries", f"deliveries from {name} come in and are accepted", side)
    return note(
        area,
        "deliveries",
        f"nothing has come from {name} yet, or for a week",
        f"Change the {_CHANGEABLE[side]} there; if nothing comes, look at the hooks of that side.",
        side,
    )


_CHANGEABLE = {Side.ADO: "state of a linked work item", Side.SENTRY: "status of a linked issue"}


# States


def about_states(
    configuration: Configuration,
    projects: Mapping[str, WorkItemTypes],
    names: Mapping[str, str],
    linked: Collection[tuple[str, str]],
    unread: Mapping[str, str] = _NOTHING,
) -> Iterator[Finding]:
    """Judge whether every linked type has a state for both statuses, and every mapped state exists.

    ``projects`` are the types of each by its id, ``linked`` the project and type of each link. ``unread`` are
    the projects whose types could not be read, and the kind of error that kept us from it.
    """
    found = list(_about_mapping(configuration, projects, names))
    for project_id, kind in sorted(linked):
        if project_id in projects:
            name, types = names.get(project_id, project_id), projects[project_id]
            found += _about_type(configuration, project_id, name, kind, types)
    found += _about_unread(names, unread)
    yield from found
    if not found and linked:
        yield fine(
            Area.STATES,
            MAPPING,
            "every linked type has a state for resolved and one for unresolved",
            Side.ADO,
        )
    elif not found:
        yield fine(Area.STATES, MAPPING, "every mapped state exists; nothing is linked yet", Side.ADO)


def _about_unread(names: Mapping[str, str], unread: Mapping[str, str]) -> Iterator[Finding]:
    for kind, ids in _by_kind(unread):
        of_whom = ", ".join(names.get(each, each) for each in ids)
        detail = f"the states of {of_whom} cannot be read ({kind})"
        yield unknown(Area.STATES, MAPPING, detail, _SEE_RIGHTS, Side.ADO, about=ids)


def _by_kind(unread: Mapping[str, str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the things that could not be read, by the kind of error."""
    kinds = sorted(set(unread.values()))
    return [(kind, tuple(each for each in sorted(unread) if unread[each] == kind)) for kind in kinds]


_SEE_RIGHTS = (
    "Run it again in a minute. If it stays, give the app the rights of docs/permissions.md there; what no "
    "longer exists, take out of the document."
)


def _about_mapping(
    configuration: Configuration, projects: Mapping[str, WorkItemTypes], names: Mapping[str, str]
) -> Iterator[Finding]:
    for project_id, types in projects.items():
        name = names.get(project_id, project_id)
        for path, wrong in mapping_errors(configuration, project_id, types).items():
            key = path.partition(f"{project_id}")[2].lstrip(".")
            kinds = [kind for kind in types if f".types.{kind}." in f"{path}."] or types
            known = ", ".join(sorted({state.name for kind in kinds for state in types[kind]}))
            yield problem(
                Area.STATES,
                MAPPING,
                f"the mapping of {name} is broken: {key}: {wrong}",
                f"A state was renamed or removed in Azure DevOps. Choose one that there is ({known}) under "
                f"Settings on the admin page, or: sentry-ado settings edit {path}",
                Side.ADO,
                about=(project_id,),
            )


def _about_type(
    configuration: Configuration, project_id: str, name: str, kind: str, types: WorkItemTypes
) -> Iterator[Finding]:
    for status in (IssueStatus.RESOLVED, IssueStatus.UNRESOLVED):
        try:
            states_for_status(configuration, project_id, kind, status, None, types)
        except Undecidable as error:
            yield problem(
                Area.STATES,
                MAPPING,
                f"{name}: {error.detail}",
                f"Map a state of {kind} for it: sentry-ado settings edit "
                f"status_mapping.{project_id}.types.{kind}",
                Side.ADO,
                about=(project_id,),
            )


# People


def about_people(
    unknown_ones: Mapping[str, int],
    looked_at: int,
    left_out: Collection[str],
    unread: Mapping[str, str] = _NOTHING,
) -> Iterator[Finding]:
    """Judge the assignees of linked work items: ``unknown_ones`` are not in Sentry, with their links.

    ``left_out`` were not asked for. About the ``unread`` Sentry told nothing, for the kind of error of each.
    """
    for address, links in sorted(unknown_ones.items()):
        many = "1 link" if links == 1 else f"{links} links"
        yield problem(
            Area.PEOPLE,
            PEOPLE,
            f"{address}, who is assigned in Azure DevOps ({many}), is nobody in Sentry",
            f"Invite them to Sentry, or map the address: sentry-ado settings edit people.{address}",
            Side.SENTRY,
            about=(address,),
        )
    for kind, addresses in _by_kind(unread):
        detail = f"whether Sentry knows {', '.join(addresses)} cannot be told ({kind})"
        yield unknown(Area.PEOPLE, PEOPLE, detail, _ONCE_IT_ANSWERS, Side.SENTRY, about=addresses)
    if not unknown_ones and not unread:
        many = "1 assignee is" if looked_at == 1 else f"{looked_at} assignees are"
        yield fine(Area.PEOPLE, PEOPLE, f"of the linked work items, {many} in Sentry", Side.SENTRY)
    if left_out:
        many = "1 more was" if len(left_out) == 1 else f"{len(left_out)} more were"
        yield unknown(
            Area.PEOPLE,
            PEOPLE,
            f"{many} not asked for",
            "sentry-ado links shows whom it concerns.",
            Side.SENTRY,
            about=tuple(left_out),
        )


def about_namesakes(found: Mapping[str, str], names: Mapping[str, str]) -> Iterator[Finding]:
    """Offer to map whom both services know by one name and by two addresses; nobody is mapped unasked."""
    for key, address in sorted(found.items()):
        yield note(
            Area.PEOPLE,
            NAMESAKE,
            f"{names[key]} is {key} in Azure DevOps, and {address} in Sentry",
            f"If they are the same person: sentry-ado settings edit people.{key} {address}",
            Side.SENTRY,
        )


# The app


def about_poison(name: str, count: int | None) -> Finding | None:
    if not count:
        return None
    many = "1 message is" if count == 1 else f"{count} messages are"
    return problem(
        Area.APP,
        POISON,
        f"{many} on the queue {name}: worked on five times in vain; the reconciler looks at their links",
        "sentry-ado replay lists them with their reasons, works on them again, or discards them.",
    )


def about_storage(what: str, error: SyncError | None) -> Finding:
    if error is None:
        return fine(Area.APP, STORAGE, f"{what} can be read and written")
    if isinstance(error, Unauthorized):
        return problem(
            Area.APP,
            STORAGE,
            f"Azure Storage does not let the app write {what}",
            "Give the app's identity the roles Storage Table Data Contributor and Storage Queue Data "
            "Contributor on the storage account; with a connection string, look at its key.",
        )
    return problem(
        Area.APP,
        STORAGE,
        f"{what} cannot be written ({error.kind})",
        "Look whether the storage account is there, and whether its firewall lets the app in.",
    )
