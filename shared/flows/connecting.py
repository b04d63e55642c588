"""Connecting an organization: storing its document, describing its projects, and removing its data."""

from collections.abc import Collection
from contextlib import suppress

from msgspec.structs import replace

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
from shared.domain.errors import ConnectionChanged, InvalidConfiguration, NotFound, SyncError, Unavailable
from shared.domain.ids import is_guid
from shared.domain.rules.done import mapping_errors
from shared.flows.form import ProjectStates
from shared.flows.identifying import Met, fill_in, meet, note_met
from shared.services import Services
from shared.store.organizations import Organization

_ASK_FOR = 100.0  # seconds in one request; an HTTP answer has to come within 230
_SWEEP_FOR = 30.0  # seconds in one run of the reconciler, which has 300 in all
_REMOVE_FOR = 60.0  # seconds in one request
_ROWS_AT_ONCE = 1_000
# Longer than anything may run that still knows a connection which is over, and writes a last row for it.
_LATE_FOR = 3600.0  # seconds


def store(
    services: Services,
    slug: str,
    configuration: Configuration,
    current: Organization | None,
    choice: Choice | None = None,
) -> Organization:
    """Create the organization or replace its document, after checking that every mapped state exists.

    If the document leads elsewhere than the stored one, the existing links do not follow: ``choice`` says
    whether to drop them, or that it is the same place under a new name. Without it, raises ConnectionChanged,
    or Unavailable if nobody can tell. Also raises InvalidConfiguration for a wrong mapping, Unavailable if
    Azure DevOps does not answer, Conflict or StalePrecondition if ``current`` is not the stored version; and
    stores nothing then.
    """
    configuration, account = _located(services, configuration)
    met = meet(services, Organization(slug, configuration, current.etag if current else ""))
    met = replace(met, ado=met.ado.joined(account))
    connection = _connection(services, current, met, choice)
    if current is None or configuration != current.configuration:
        connection = replace(connection, changed_at=services.clock())
    wanted = Organization(slug, configuration, current.etag if current else "", connection)
    verify_mapping(services, wanted)
    if current is None:
        added = services.organizations.add(slug, configuration, connection)
        note_met(services, added, met)
        return added
    if connection.epoch != current.epoch:
        services.scopes.announce_end(current.scope)
    stored = services.organizations.replace(current, configuration, connection)
    if stored.epoch != current.epoch:
        services.foreign.forget(slug)
    if configuration != current.configuration:
        services.end_refusals(slug)
    note_met(services, stored, met)
    return stored


def _located(services: Services, configuration: Configuration) -> tuple[Configuration, Identity]:
    """Return the document with its address, and the account that it was looked up by, if it was.

    Only a mapping cannot be stored without an address; for all else the look-up is made again when needed.
    """
    if configuration.is_located:
        return configuration, Identity()
    account = Identity(delivered=((configuration.ado_account_id or "").lower(),))
    try:
        return services.located(configuration), account
    except SyncError:
        if configuration.status_mapping:
            raise
        return configuration, account


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
            return connection.joined(met.ado, met.sentry)
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
    slug, configuration = organization.slug, organization.configuration
    if not configuration.status_mapping:
        return
    errors: dict[str, str] = {}
    ado, stop_at = services.ado_at_once(organization), services.clock() + _ASK_FOR
    began = services.unfinished_checks.pop(slug, services.processes.now())
    for place, project_id in enumerate(configuration.status_mapping):
        if not is_guid(project_id):
            # Azure DevOps would accept a name too, but work items name their project by id only.
            errors[f"status_mapping.{project_id}"] = "is no project's id: a GUID, which GET shows"
            continue
        if services.clock() > stop_at:
            services.unfinished_checks[slug] = began
            advice = f"{place} of the mapped projects are checked, which took long; send it again to go on"
            raise Unavailable("ado", advice, advice=advice)
        try:
            types = services.processes.types_since(ado, slug, project_id, began)
        except NotFound:
            errors[f"status_mapping.{project_id}"] = "is no project of this Azure DevOps organization"
        else:
            errors |= mapping_errors(configuration, project_id, types)
    if errors:
        raise InvalidConfiguration(errors)


def described_projects(
    services: Services, organization: Organization, detailed: Collection[str]
) -> list[ProjectStates]:
    """Return every project, with the states of each that is mapped or that ``detailed`` names or ids.

    After a while, the states of the rest are left out.
    """
    ado, stop_at = services.ado_at_once(organization), services.clock() + _ASK_FOR
    wanted = {each.lower() for each in (*organization.configuration.status_mapping, *detailed)}
    projects = []
    for project in ado.projects():
        types = None
        if wanted & {project.id, project.name.lower()} and services.clock() < stop_at:
            types = services.processes.recent(ado, organization.slug, project.id)
        projects.append(ProjectStates(project.id, project.name, types))
    fill_in(services, organization)
    return projects


def remove(services: Services, organization: Organization) -> None:
    """Disconnect an organization: remove its document, its links and their activity.

    The document is removed first: with its epoch gone, nobody reads the rows any more. The reconciler removes
    the rows that this request leaves, and those that a worker adds in the meantime.
    """
    services.scopes.announce_end(organization.scope)
    services.organizations.remove(organization)
    stop_at = services.clock() + _REMOVE_FOR
    with suppress(SyncError):
        services.foreign.forget(organization.slug)
        services.forbidden.end_all(organization.slug)
        services.examinations.remove(organization.scope)
        while _remove_rows(services, organization.scope) and services.clock() < stop_at:
            continue


def remove_what_ended(services: Services) -> None:
    """Remove the next rows of connections that are over, so many of each, in half a minute."""
    stop_at = services.clock() + _SWEEP_FOR
    for ended in services.scopes.ended():
        if services.clock() > stop_at:
            return
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
    """Remove the next rows of a connection that is over, and tell whether there were any."""
    links = services.links.remove_some(scope, _ROWS_AT_ONCE)
    entries = services.activity.remove_some(scope, _ROWS_AT_ONCE)
    entries += services.traffic.remove_some(scope, _ROWS_AT_ONCE)
    services.progress.remove(scope)
    return links + entries > 0
