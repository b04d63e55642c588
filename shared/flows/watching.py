"""What an operator sees of an organization: its traffic, its links, and its problems with their cures."""

from collections.abc import Mapping, Sequence

import msgspec

from shared.domain.errors import MissingSetting
from shared.domain.model import IssueLink, Side
from shared.domain.rules.apart import sides
from shared.domain.rules.links import joined, link_troubles, without_told
from shared.domain.rules.problems import CHANGES_UNTOLD, Facts, Trouble, troubles_of
from shared.domain.subscriptions import HookRecord, HookState
from shared.domain.traffic import Hour, total, unexplained, within_a_day
from shared.services import Services
from shared.store.organizations import Organization, gone
from shared.store.progress import LinkTally, Told
from shared.store.traffic import Nobodys

# More links than that are counted by the reconciler's passes alone: whoever looks does not wait for them.
_MOST_COUNTED = 20_000
_TIMER = 300.0  # seconds between two runs: the schedule of ``reconcile`` in function_app.py


class Status(msgspec.Struct, frozen=True):
    """``hours`` are those of the last day; ``last`` has the latest moments within a week.

    ``untold`` is how many changes of the last day no hook had told.
    """

    organization: Organization
    hours: Mapping[int, Hour]
    last: Hour
    record: HookRecord
    last_run: float | None
    next_run: float
    links: LinkTally
    problems: list[Trouble]

    untold: int

    @property
    def day(self) -> Hour:
        return total(self.hours.values())


def status_of(services: Services, organization: Organization) -> Status:
    services.ledger.flush()
    now, scope = services.clock(), organization.scope
    told, hours = services.progress.get(scope), services.traffic.hours(scope, now)
    record = services.hooks.get(scope)
    links, ill = _links(services, organization, told.links)
    facts = _facts(services, organization, told, hours, record)
    facts = msgspec.structs.replace(facts, examined=without_told(facts.examined, ill))
    day = within_a_day(hours, now)
    untold = [unexplained({number: hour.on(side) for number, hour in hours.items()}) for side in Side]
    return Status(
        organization=organization,
        hours=day,
        last=total(hours.values()),
        record=record,
        last_run=told.last_run.began or None,
        next_run=(now // _TIMER + 1) * _TIMER,
        links=links,
        problems=joined(troubles_of(facts), link_troubles(ill)),
        untold=sum(each.get(number, 0) for each in untold for number in day),
    )


def troubles_in_short(
    services: Services, organization: Organization, told: Told, examined: Sequence[Trouble] = ()
) -> list[Trouble]:
    """Return the problems that the doors and both services show, as cheaply as a look at all needs it."""
    scope, now = organization.scope, services.clock()
    hours = services.traffic.hours(scope, now)
    facts = Facts(now=now, parts=told.problems, hours=hours, known=told.known, examined=examined)
    if any(each.kind == CHANGES_UNTOLD for each in troubles_of(facts)):
        facts = msgspec.structs.replace(facts, is_watched=_is_watched(services.hooks.get(scope)))
    return troubles_of(facts)


def _is_watched(record: HookRecord) -> bool:
    """Tell whether the subscriptions were looked at, so that they tell of a lost hook themselves."""
    states = {each.state for each in record.events.values()}
    return bool(states) and HookState.UNKNOWN not in states


def nobodys(services: Services) -> list[Nobodys]:
    """Return the genuine deliveries of the last day to slugs under which nothing is connected now."""
    connected = set(services.organizations.slugs())
    return [each for each in services.traffic.nobodys(services.clock()) if each.slug not in connected]


def troubles(services: Services, organization: Organization, told: Told) -> list[Trouble]:
    """Return the problems of the organization itself; its links tell theirs."""
    scope = organization.scope
    hours = services.traffic.hours(scope, services.clock())
    return troubles_of(_facts(services, organization, told, hours, services.hooks.get(scope)))


def _facts(
    services: Services,
    organization: Organization,
    told: Told,
    hours: Mapping[int, Hour],
    record: HookRecord,
) -> Facts:
    slug = organization.slug
    refusing = services.organizations.refused_by(slug)
    return Facts(
        now=services.clock(),
        parts=told.problems,
        refusing=frozenset(each for each in Side if each in refusing),
        gone=frozenset(each for each in Side if gone(each) in refusing),
        forbidding={Side(each): since for each, since in services.forbidden.since(slug).items()},
        foreign=services.foreign.count_of(slug),
        hours=hours,
        is_watched=_is_watched(record),
        subscriptions=record.problem,
        missing=_missing(services, slug),
        unreadable=told.unreadable_links.last + told.unreadable_entries.last,
        known=told.known,
        examined=services.examinations.get(organization.scope).troubles,
    )


def _missing(services: Services, slug: str) -> list[tuple[Side, str]]:
    settings, found = services.settings, []
    for side, ask in (
        (Side.ADO, settings.ado_webhook_secrets),
        (Side.ADO, settings.ado_pat),
        (Side.SENTRY, settings.sentry_client_secrets),
        (Side.SENTRY, settings.sentry_token),
    ):
        try:
            ask(slug)
        except MissingSetting as error:
            found.append((side, error.detail))
    return found


def _links(
    services: Services, organization: Organization, counted: LinkTally
) -> tuple[LinkTally, list[IssueLink]]:
    """Count the links, and gather those that something keeps from being settled."""
    tally, ill = LinkTally(), list[IssueLink]()
    for place, passed in enumerate(services.links.walk(organization.scope)):
        if place == _MOST_COUNTED:
            return counted, ill
        if passed.stored is not None:
            link = passed.stored.link
            tally = tally.counted(link.health.word, sides(link, organization.configuration))
            if link.health.reason and sides(link, organization.configuration) is None:
                ill.append(link)
    return tally, ill
