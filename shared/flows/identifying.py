"""Asking both services who they are: when a document is stored, or as soon as somebody answers."""

from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from shared.domain.connection import Identity, ado_place, is_another, sentry_id, sentry_place
from shared.domain.errors import SyncError, Throttled
from shared.domain.model import Side
from shared.domain.problems import Problem
from shared.services import Services, taken
from shared.store.organizations import Organization


class Met(msgspec.Struct, frozen=True):
    """Who is at the two addresses of a document; a side that did not say so has no id.

    ``troubles`` says what kept a side from telling, by its name.
    """

    ado: Identity
    sentry: Identity
    troubles: Mapping[Side, SyncError] = {}


def meet(services: Services, organization: Organization) -> Met:
    """Ask both services once who they are. Whatever keeps one from answering is no error of the asker's."""
    organization = organization.whoever_answers
    configuration, troubles = organization.configuration, dict[Side, SyncError]()
    ado = Identity()
    if configuration.is_located:
        ids = _told(lambda: services.ado_at_once(organization).instance_id(), Side.ADO, troubles)
        ado = Identity(ids, places=(ado_place(configuration.ado_url or ""),))
    url, name = configuration.sentry_url, configuration.sentry_organization or organization.slug
    ids = _told(
        lambda: sentry_id(url, services.sentry_at_once(organization).organization_id()), Side.SENTRY, troubles
    )
    return Met(ado, Identity(ids, places=(sentry_place(url, name),)), troubles)


def _told(ask: Callable[[], str], side: Side, troubles: dict[Side, SyncError]) -> tuple[str, ...]:
    try:
        return (ask(),)
    except SyncError as error:
        troubles[side] = error
        return ()


def ask_again(services: Services, organization: Organization, side: Side) -> None:
    """Ask one side who it is, note that, and raise OrganizationGone if it is another than before.

    A server may be set up anew, and a name given up and taken by others, while no document changes.
    """
    asked = organization.whoever_answers
    if side is Side.ADO:
        is_taken = is_another(organization.ado, services.ado(asked).instance_id())
    else:
        told = services.sentry(asked).organization_id()
        is_taken = is_another(organization.sentry, sentry_id(organization.configuration.sentry_url, told))
    services.organizations.note_who_answers(organization, side, taken=is_taken)
    if is_taken:
        raise taken(side)


def note_met(services: Services, organization: Organization, met: Met) -> None:
    """Keep what came of asking where the reconciler keeps it, so that nobody waits for its next run."""
    now, scope = services.clock(), organization.scope
    with suppress(SyncError):
        before = services.progress.get(scope)
        problems = {part: each for part, each in before.problems.items() if part not in {"ado", "sentry"}}
        for service, error in ((side.value, error) for side, error in met.troubles.items()):
            if not isinstance(error, Throttled):
                problem = Problem(error.kind, error.detail, now)
                problems[service] = problem.after(before.problems.get(service))
        services.progress.put(scope, msgspec.structs.replace(before, problems=problems, asked_at=now))


def fill_in(services: Services, organization: Organization) -> None:
    """Learn who is there, if nobody could say so before; called where a service has just answered us.

    A connection stays in its epoch. Failing costs nothing: it is tried again, every ten minutes at most.
    """
    if organization.connection.is_known or not services.may_ask_who_is_at(organization.scope):
        return
    with suppress(SyncError):
        now = services.organizations.get(organization.slug)  # Its address may have been looked up meanwhile.
        if now.epoch == organization.epoch:
            met = meet(services, now)
            services.organizations.learn(now, met.ado, met.sentry)
