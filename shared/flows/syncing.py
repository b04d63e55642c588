"""Handling a queue message: settling every link that it concerns, even if some of them fail."""

from collections.abc import Iterable

from msgspec.structs import replace

from shared.domain.errors import Forbidden, SyncError, Unauthorized
from shared.domain.failures import gravest
from shared.domain.messages import InboundMessage, Message, OutboundMessage
from shared.flows.identifying import fill_in
from shared.services import Services
from shared.settling.observing import UnitOfWork, is_of_link
from shared.settling.recording import record_failure
from shared.settling.settler import Settler
from shared.store.links import StoredLink
from shared.store.organizations import Organization

NOT_LINKED, OTHER_CONNECTION = "not-linked", "other-connection"


def sync_inbound(message: InboundMessage, services: Services) -> list[str]:
    """Settle the links of a work item and return an outcome for each; raise the gravest error, if any."""
    organization = addressee_of(services, message)
    if organization is None:
        return [OTHER_CONNECTION]
    links = services.links.for_work_item(organization.scope, message.work_item_id)
    if not links:
        return [NOT_LINKED]
    unit, snapshot = services.new_unit_of_work(), message.snapshot
    if snapshot is not None and all(is_of_link(snapshot, each.link) for each in links):
        unit.items[message.work_item_id] = snapshot
    else:
        unit.doubted.add(message.work_item_id)
    outcomes = settle_each(services, _settler(services, organization, links), links, unit)
    fill_in(services, organization)
    return outcomes


def sync_outbound(message: OutboundMessage, services: Services) -> list[str]:
    """Settle the links of an issue and return an outcome for each; raise the gravest error, if any."""
    organization = addressee_of(services, message)
    if organization is None:
        return [OTHER_CONNECTION]
    links = services.links.for_issue(organization.scope, message.issue_id)
    if not links:
        return [NOT_LINKED]
    unit = services.new_unit_of_work()
    outcomes = settle_each(services, _settler(services, organization, links), links, unit)
    fill_in(services, organization)
    return outcomes


def addressee_of(services: Services, message: Message) -> Organization | None:
    """Return the organization that a message is for, or None where its connection is another one by now.

    The numbers in the message mean something else there. A message without an epoch is an older version's,
    and so for the connection whose rows that version wrote.
    """
    organization = services.organizations.get(message.organization)
    return organization if organization.epoch == message.epoch else None


def settle_now(services: Services, organization: Organization, stored: StoredLink) -> str:
    """Settle one link from fresh reads of both ends and return its outcome, or raise what stopped it."""
    unit = services.new_unit_of_work()
    unit.doubted.add(stored.link.work_item_id)
    links = [made_due(services, stored)]
    [outcome] = settle_each(services, _settler(services, organization, links), links, unit)
    return outcome


def made_due(services: Services, stored: StoredLink) -> StoredLink:
    """Return the link with its next attempt, if any, due now: somebody may have fixed the cause."""
    health, now = stored.link.health, services.clock()
    if health.due is None or health.is_due(now):
        return stored
    try:
        return services.links.replace(stored, replace(stored.link, health=replace(health, due=now)))
    except SyncError:
        return stored  # A worker is settling it now.


def _settler(services: Services, organization: Organization, links: Iterable[StoredLink]) -> Settler:
    """Return the organization's settler, or record on each link why there is none and raise that error."""
    try:
        return services.settler(organization)
    except SyncError as error:
        for stored in links:
            record_failure(services.links, services.activity, stored, error, now=services.clock())
        raise


def settle_each(
    services: Services, settler: Settler, links: Iterable[StoredLink], unit: UnitOfWork
) -> list[str]:
    """Settle every link and return the outcomes; after all are tried, raise the gravest error, if any."""
    outcomes: list[str] = []
    errors: list[SyncError] = []
    delivered = dict(unit.items)
    for stored in links:
        try:
            outcomes.append(settler.settle(stored, unit))
        except SyncError as error:
            errors.append(error)
    if errors:
        for each in errors:
            if isinstance(each, Forbidden):
                services.forbidden.note(settler.organization, each.service, each.about)
        for service in {error.service for error in errors if isinstance(error, Unauthorized)}:
            services.organizations.note_refusal(settler.organization, service)
        raise gravest(errors)
    # Only a service that was called has accepted our credentials; an echo, for example, needs no call.
    if unit.items != delivered:
        services.organizations.note_acceptance(settler.organization, "ado")
        services.forbidden.end(settler.organization, "ado")
    if unit.issues:
        services.organizations.note_acceptance(settler.organization, "sentry")
        services.forbidden.end(settler.organization, "sentry")
    return outcomes
