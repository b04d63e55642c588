"""Connecting an organization: storing its document, describing its projects, and removing its data."""

from collections.abc import Collection, Mapping
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from shared.domain.addresses import above
from shared.domain.configuration import Configuration
from shared.domain.connection import (
    Choice,
    Connection,
    Consequence,
    Identity,
    Verdict,
    compare,
    consequence_of,
    gravest,
    slug_of,
)
from shared.domain.errors import (
    ConnectionChanged,
    Forbidden,
    InvalidConfiguration,
    NotFound,
    SyncError,
    Unauthorized,
    Unavailable,
    Untried,
    Upstream,
)
from shared.domain.ids import is_guid
from shared.domain.model import Side
from shared.domain.rules.done import mapping_errors
from shared.flows.creatable import verify_creations
from shared.flows.form import ProjectStates
from shared.flows.identifying import Met, fill_in, meet, note_met
from shared.flows.subscribing import unsubscribe
from shared.services import Services, UnfinishedCheck
from shared.store.organizations import Organization
from shared.store.scopes import EndedScope

_ASK_FOR = 100.0  # seconds in one request; an HTTP answer has to come within 230
_SWEEP_FOR = 30.0  # seconds in one run of the reconciler, which has 300 in all
_REMOVE_FOR = 60.0  # seconds in one request
_ROWS_AT_ONCE = 1_000
# Longer than anything may run that still knows a connection which is over, and writes a last row for it.
_LATE_FOR = 3600.0  # seconds


class Checked(msgspec.Struct, frozen=True):
    """A document that may be stored as it is ``wanted``, in place of the ``current`` one.

    ``warnings`` say, by the key of the document, what could not be tried.
    """

    wanted: Organization
    current: Organization | None
    warnings: Mapping[str, SyncError]
    met: Met


def store(
    services: Services,
    slug: str,
    configuration: Configuration,
    current: Organization | None,
    choice: Choice | None = None,
) -> Organization:
    """Check a document and store it; raises what ``check`` and ``keep`` raise, and stores nothing then."""
    return keep(services, check(services, slug, configuration, current, choice))


def check(
    services: Services,
    slug: str,
    configuration: Configuration,
    current: Organization | None,
    choice: Choice | None = None,
    *,
    of_page: bool = False,
    with_mapping: bool = True,
) -> Checked:
    """Try a document: both services are asked who they are, and whether every mapped state exists.

    ``of_page`` says that ``ado_url`` was cut out of a page's address. If the document leads elsewhere than
    the stored one, the existing links do not follow: ``choice`` says whether to drop them, or that it is the
    same place under a new name. Without it, raises ConnectionChanged, or Unavailable if nobody can tell. Also
    raises InvalidConfiguration for a wrong mapping and for an organization that a service does not know, and
    Untried or Unavailable if Azure DevOps does not tell about a mapping. ``with_mapping`` says that the
    author wrote it: without, one that stands as it was checked before is a warning then, so that a switch can
    be turned at any time.
    """
    etag = current.etag if current else ""
    configuration, account, warnings = _located(services, configuration)
    met = meet(services, Organization(slug, configuration, etag))
    if of_page and isinstance(met.troubles.get(Side.ADO), NotFound):
        configuration, met = _without_project(services, Organization(slug, configuration, etag), met)
    warnings |= _troubles(services, Organization(slug, configuration, etag), met)
    met = replace(met, ado=met.ado.joined(account))
    connection = _connection(services, current, met, choice)
    if current is None or configuration != current.configuration:
        connection = replace(connection, changed_at=services.clock())
    wanted = Organization(slug, configuration, etag, connection)
    _try_out(services, wanted, current, warnings, with_mapping=with_mapping)
    return Checked(wanted, current, warnings, met)


def keep(services: Services, checked: Checked) -> Organization:
    """Store a checked document; raise Conflict or StalePrecondition if another one is stored by now."""
    wanted, current, met = checked.wanted, checked.current, checked.met
    slug, configuration, connection = wanted.slug, wanted.configuration, wanted.connection
    if current is None:
        added = services.organizations.add(slug, configuration, connection)
        note_met(services, added, met)
        return added
    _announce_ends(services, current, but=wanted.scope)
    stored = services.organizations.replace(current, configuration, connection)
    if stored.epoch != current.epoch:
        _forget_what_is_told(services, slug)
    if configuration != current.configuration:
        services.end_refusals(slug)
        with suppress(SyncError):  # It would end by itself, as soon as a service answers.
            services.organizations.note_cure(slug)
    note_met(services, stored, met)
    return stored


def _announce_ends(services: Services, organization: Organization, but: str = "") -> None:
    """Announce that all connections of an organization are over ``but`` one.

    A damaged row may have kept the epoch of some from us: they are found by the progress that they made.
    """
    for scope in {organization.scope, *services.progress.scopes_of(organization.slug)} - {but}:
        services.scopes.announce_end(scope)


def _forget_what_is_told(services: Services, slug: str) -> None:
    """Forget what is told of a slug, and was about a connection that is over; it would end by itself."""
    with suppress(SyncError):
        services.foreign.forget(slug)
        services.forbidden.end_all(slug)
        services.organizations.forget_refusals(slug)


def _untried(error: SyncError) -> SyncError:
    """Return what keeps a mapping from being stored: credentials that are refused may be accepted later."""
    return Untried(error) if isinstance(error, Unauthorized | Forbidden) else error


def _try_out(
    services: Services,
    wanted: Organization,
    current: Organization | None,
    warnings: dict[str, SyncError],
    *,
    with_mapping: bool,
) -> None:
    """Try what only Azure DevOps can tell; what was checked before may stay while it does not answer."""
    before = current if current is not None and wanted.epoch == current.epoch else None
    was_created = before is not None and before.configuration.create == wanted.configuration.create
    for key, verify, was_checked in (
        ("status_mapping", verify_mapping, _has_checked_mapping(wanted, current)),
        ("create", verify_creations, was_created),
    ):
        try:
            verify(services, wanted)
        except Upstream as error:
            if with_mapping or not was_checked:
                raise _untried(error) from error
            warnings[key] = error


def _has_checked_mapping(wanted: Organization, current: Organization | None) -> bool:
    if current is None or wanted.epoch != current.epoch:
        return False
    new, old = wanted.configuration, current.configuration
    return (new.status_mapping, new.done_categories) == (old.status_mapping, old.done_categories)


def _without_project(services: Services, asked: Organization, met: Met) -> tuple[Configuration, Met]:
    """Return the document with its address one segment shorter, if a collection is there, and which."""
    shorter = above(asked.configuration.ado_url or "")
    if shorter is None:
        return asked.configuration, met
    other = replace(asked, configuration=replace(asked.configuration, ado_url=shorter))
    with suppress(SyncError):
        if services.ado_at_once(other).is_there():
            met_there = meet(services, other)
            if Side.ADO not in met_there.troubles:
                return other.configuration, met_there
    return asked.configuration, met


def _troubles(services: Services, organization: Organization, met: Met) -> dict[str, SyncError]:
    """Return what could not be tried, by the key of the document; raise if there is no such organization."""
    configuration, errors = organization.configuration, dict[str, str]()
    warnings: dict[str, SyncError] = {}
    for side, error in met.troubles.items():
        key = "ado_url" if side is Side.ADO else "sentry_organization"
        if not isinstance(error, NotFound):
            warnings[key] = error
        elif side is Side.ADO:
            # One resource may be unknown to a server; that two are says that nothing is there.
            if _is_there(services, organization):
                warnings[key] = Unavailable("ado", error.detail)
            else:
                errors[key] = f"Azure DevOps knows no organization or collection at {configuration.ado_url}"
        elif error.quoted:
            name = configuration.sentry_organization or organization.slug
            errors[key] = f"Sentry knows no organization {name} at {configuration.sentry_url}"
        else:
            errors["sentry_url"] = f"no Sentry answers at {configuration.sentry_url}"
    if errors:
        raise InvalidConfiguration(errors)
    return warnings


def _is_there(services: Services, organization: Organization) -> bool:
    try:
        return services.ado_at_once(organization).is_there()
    except SyncError:
        return True  # Nobody can tell, so nobody says that it is not.


def _located(
    services: Services, configuration: Configuration
) -> tuple[Configuration, Identity, dict[str, SyncError]]:
    """Return the document with its address, the account that it was looked up by, and what kept it from that.

    Only a mapping cannot be stored without an address; for all else the look-up is made again when needed.
    """
    if configuration.is_located:
        return configuration, Identity(), {}
    account = Identity(delivered=((configuration.ado_account_id or "").lower(),))
    try:
        return services.located(configuration), account, {}
    except SyncError as error:
        if configuration.status_mapping or configuration.create:
            raise _untried(error) from error
        return configuration, account, {"ado_account_id": error}


def _connection(
    services: Services, current: Organization | None, met: Met, choice: Choice | None
) -> Connection:
    """Return the connection that the document is stored with, or raise what keeps it from being stored."""
    if current is None:
        return Connection(services.new_token(), met.ado, met.sentry)
    ado, sentry = compare(current.ado, met.ado), compare(current.sentry, met.sentry)
    verdict = gravest(ado, sentry)
    count = 0 if verdict is Verdict.SAME else services.links.count(current.scope)
    match consequence_of(verdict, has_links=count > 0, choice=choice):
        case Consequence.GO_ON:
            connection = current.connection.joined(current.ado, current.sentry)
            return connection.settled(met.ado, met.sentry)
        case Consequence.BEGIN_ANEW:
            return Connection(services.new_token(), met.ado, met.sentry)
        case Consequence.REFUSE:
            raise ConnectionChanged(
                f"the document leads to another place than that of the {count} link(s) there are: send it "
                "with ?links=drop to drop them, or with ?links=keep if it is the same place under a new name"
            )
    advice = (
        f"who is at the new address could not be asked, and there are {count} link(s); nothing was stored. "
        "Try again later, or send it with ?links=drop to drop them, or with ?links=keep if it is the same "
        "place under a new name"
    )
    raise Unavailable("sentry" if sentry is Verdict.UNKNOWN else "ado", advice, advice=advice)


def verify_mapping(services: Services, organization: Organization) -> None:
    """Raise InvalidConfiguration if a mapped project, type or state does not exist or does not read back.

    A check that takes longer than one request goes on when the document is sent again: it does not ask again
    for what it has asked for.
    """
    configuration = organization.configuration
    if not configuration.status_mapping:
        return
    errors: dict[str, str] = {}
    ado, stop_at = services.ado_at_once(organization), services.clock() + _ASK_FOR
    check = _begun_or_new(services, organization)
    for place, project_id in enumerate(configuration.status_mapping):
        if not is_guid(project_id):
            # Azure DevOps would accept a name too, but work items name their project by id only.
            errors[f"status_mapping.{project_id}"] = "is no project's id: a GUID, which GET shows"
            continue
        if services.clock() > stop_at:
            services.unfinished_checks[organization.slug] = check
            advice = f"{place} of the mapped projects are checked, which took long; send it again to go on"
            raise Unavailable("ado", advice, advice=advice)
        try:
            types = services.processes.types_since(ado, check.scope, project_id, check.began)
        except NotFound:
            errors[f"status_mapping.{project_id}"] = "is no project of this Azure DevOps organization"
        else:
            errors |= mapping_errors(configuration, project_id, types)
    if errors:
        raise InvalidConfiguration(errors)


def _begun_or_new(services: Services, organization: Organization) -> UnfinishedCheck:
    """Return the check of the same Azure DevOps that an earlier request could not finish, or a new one."""
    begun = services.unfinished_checks.pop(organization.slug, None)
    if begun is not None and compare(begun.ado, organization.ado) is Verdict.SAME:
        return begun
    return UnfinishedCheck(services.processes.now(), organization.ado, organization.scope)


def described_projects(
    services: Services, organization: Organization, detailed: Collection[str]
) -> list[ProjectStates]:
    """Return every project, with the states of each that the document or ``detailed`` names.

    Left out are the states of a project that is not shown to us, and after a while those of the rest.
    """
    ado, stop_at = services.ado_at_once(organization), services.clock() + _ASK_FOR
    configuration = organization.configuration
    named = (*configuration.status_mapping, *configuration.create, *detailed)
    wanted = {each.lower() for each in named}
    projects = []
    for project in ado.projects():
        types = None
        if wanted & {project.id, project.name.lower()} and services.clock() < stop_at:
            with suppress(NotFound, Upstream):  # That they are listed says that the organization is there.
                types = services.processes.recent(ado, organization.scope, project.id)
        projects.append(ProjectStates(project.id, project.name, types))
    fill_in(services, organization)
    return projects


def remove(services: Services, organization: Organization) -> str:
    """Disconnect an organization: remove its subscriptions, its document, its links and their activity.

    Returns what a person has to remove in Azure DevOps, or "". The subscriptions go first: after a crash the
    organization is still connected, and the watchdog makes them again. Of our own rows, the document goes
    first: with its epoch gone, nobody reads the others any more. The reconciler removes those that this
    request leaves, and those that a worker adds in the meantime.
    """
    left = unsubscribe(services, organization)
    _announce_ends(services, organization)
    services.organizations.remove(organization)
    _forget_what_is_told(services, organization.slug)
    stop_at = services.clock() + _REMOVE_FOR
    with suppress(SyncError):
        while _remove_rows(services, organization.scope) and services.clock() < stop_at:
            continue
    return left


def remove_what_ended(services: Services) -> None:
    """Remove the next rows of connections that are over, so many of each, in half a minute.

    Raises the first error once each has had its turn.
    """
    stop_at, errors = services.clock() + _SWEEP_FOR, list[Exception]()
    for ended in services.scopes.ended():
        if services.clock() > stop_at:
            break
        try:
            _remove_next(services, ended)
        except Exception as error:  # noqa: BLE001  # even a bug keeps no other connection from its turn
            errors.append(error)
    if errors:
        raise errors[0]


def _remove_next(services: Services, ended: EndedScope) -> None:
    """Remove the next rows of one connection, unless its end did not come; forget it once there are none."""
    organization = _find(services, slug_of(ended.scope))
    is_alive = organization is not None and organization.scope == ended.scope
    is_empty = is_alive or not _remove_rows(services, ended.scope)
    if is_empty and services.clock() - ended.at > _LATE_FOR:
        services.scopes.forget(ended.scope)


def _find(services: Services, slug: str) -> Organization | None:
    try:
        return services.organizations.find(slug)
    except NotFound:
        return None  # Nothing can be called so: somebody wrote the row by hand.


def _remove_rows(services: Services, scope: str) -> bool:
    """Remove the next rows of a connection that is over, and tell whether there were any.

    What ``health`` tells of goes first, however many there are of the others.
    """
    services.progress.remove(scope)
    services.hooks.forget(scope)
    services.examinations.remove(scope)
    links = services.links.remove_some(scope, _ROWS_AT_ONCE)
    entries = services.activity.remove_some(scope, _ROWS_AT_ONCE)
    entries += services.traffic.remove_some(scope, _ROWS_AT_ONCE)
    return links + entries > 0
