"""Handling a queue message: settling every link that it concerns, even if some of them fail."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from shared.domain.errors import (
    Busy,
    Forbidden,
    NotFound,
    OrganizationGone,
    SyncError,
    Throttled,
    Unauthorized,
    Undecidable,
)
from shared.domain.failures import Disposition, disposition_of, gravest
from shared.domain.messages import InboundMessage, Message, OutboundMessage
from shared.domain.model import HealthWord, IssueLink
from shared.flows.counting import Settled, note_not_linked, note_settled
from shared.flows.identifying import fill_in
from shared.services import Services
from shared.settling.observing import UnitOfWork, is_of_link, is_plausible
from shared.settling.recording import record_failure
from shared.settling.settler import Settler
from shared.store.links import StoredLink
from shared.store.organizations import Organization, gone

NOT_LINKED, OTHER_CONNECTION = "not-linked", "other-connection"
_THE_REST_COMES_IN = 1.0  # seconds
_ISSUES_STAY_FRESH = 30.0  # seconds
_BANS_NOTED = 5
# Of the links that an earlier unit of work left, so many are read together.
_READ_AT_ONCE = 10
# Most writes finish within this time: ten times half a second.
_WAITS, _BETWEEN = 10, 0.5


class _Waiting(msgspec.Struct, frozen=True):
    """The links of a message, in the order in which they are settled, by the ids of their other ends.

    ``rows`` are those of them that were read, None if one is gone or cannot be read; ``read`` reads another
    one. ``is_rest`` says that an earlier unit of work left them. ``others`` names the links that there are
    besides some: one that is gone may be there under another id, and the message is news for that one too.
    """

    names: Sequence[str]
    rows: dict[str, StoredLink | None]
    read: Callable[[str], StoredLink]
    is_rest: bool = False
    others: Callable[[Sequence[str]], list[str]] = lambda _names: []

    def row(self, name: str) -> StoredLink | None:
        """Return a row, which is read once; raise what storage meets."""
        if name not in self.rows:
            try:
                self.rows[name] = self.read(name)
            except (NotFound, Undecidable):
                self.rows[name] = None
        return self.rows[name]

    def load(self, names: Iterable[str]) -> None:
        """Read rows ahead; one at which storage fails is read again at its turn."""
        for name in names:
            with suppress(SyncError):
                self.row(name)


def sync_inbound(message: InboundMessage, services: Services) -> list[str]:
    """Settle the links of a work item and return an outcome for each; raise the gravest error, if any."""
    organization, unit = addressee_of(services, message), services.new_unit_of_work()
    if organization is None:
        return [OTHER_CONNECTION]
    unit.told_by = message.told_by
    scope, work_item_id = organization.scope, message.work_item_id
    stored = services.links.for_work_item(scope, work_item_id)

    def read(issue_id: str) -> StoredLink:
        return services.links.get(scope, issue_id, work_item_id)

    def others(names: Sequence[str]) -> list[str]:
        links = services.links.for_work_item(scope, work_item_id)
        return [each.link.issue_id for each in links if each.link.issue_id not in names]

    unit.revs[work_item_id] = message.rev
    if message.snapshot is None:
        unit.doubted.add(work_item_id)
    else:
        unit.items[work_item_id] = message.snapshot
    _believe(message, [each.link for each in stored], unit)
    links = {each.link.issue_id: each for each in stored}
    names, is_rest = message.only or _least_tried_first(links), bool(message.only)
    waiting = _Waiting(names, {**links}, read, is_rest=is_rest, others=others)
    return _settle_waiting(services, organization, waiting, unit, message)


def _believe(message: InboundMessage, known: Sequence[IssueLink], unit: UnitOfWork) -> None:
    """Believe what came along only if it may be so, and is the linked work item of that number."""
    snapshot = message.snapshot
    if not all(is_plausible(message.rev, each) for each in known):
        unit.revs.pop(message.work_item_id, None)
        unit.doubt(message.work_item_id)
    elif snapshot is not None and not all(is_of_link(snapshot, each) for each in known):
        unit.doubt(snapshot.id)


def sync_outbound(message: OutboundMessage, services: Services) -> list[str]:
    """Settle the links of an issue and return an outcome for each; raise the gravest error, if any."""
    organization, unit = addressee_of(services, message), services.new_unit_of_work()
    if organization is None:
        return [OTHER_CONNECTION]
    unit.told_by = message.told_by
    store, scope, issue_id = services.links, organization.scope, message.issue_id

    def read(work_item_id: str) -> StoredLink:
        return store.get(scope, issue_id, int(work_item_id))

    if message.only:
        waiting = _Waiting(message.only, {}, read, is_rest=True)
    else:
        links = {str(each.link.work_item_id): each for each in store.for_issue(scope, issue_id)}
        waiting = _Waiting(_least_tried_first(links), {**links}, read)
    return _settle_waiting(services, organization, waiting, unit, message)


def addressee_of(services: Services, message: Message) -> Organization | None:
    """Return the organization that a message is for, or None where its connection is another one by now.

    The numbers in the message mean something else there. A message without an epoch is an older version's,
    and so for the connection whose rows that version wrote.
    """
    organization = services.organizations.get(message.organization)
    return organization if organization.epoch == message.epoch else None


def _least_tried_first(links: Mapping[str, StoredLink]) -> Sequence[str]:
    """Order the links so that one at which a service falls silent every time keeps no other from its turn.

    Those that have not failed themselves come first. Of the others those about which nobody was asked the
    last time do, so that none of them comes last for ever.
    """

    def turn(name: str) -> tuple[bool, bool, int]:
        health = links[name].link.health
        has_failed = health.word is not HealthWord.SETTLED and health.attempts > 0
        return has_failed, not health.passed_by, health.attempts

    return sorted(links, key=turn)


def settle_now(services: Services, organization: Organization, stored: StoredLink) -> str:
    """Settle one link from fresh reads of both ends and return its outcome, or raise what stopped it."""
    unit = services.new_unit_of_work()
    unit.doubted.add(stored.link.work_item_id)
    links = {stored.link.issue_id: made_due(services, stored)}
    waiting = _Waiting(tuple(links), {**links}, links.__getitem__)
    [outcome] = _settle_waiting(services, organization, waiting, unit)
    return outcome


def settle_patiently(services: Services, organization: Organization, issue_id: str, work_item_id: int) -> str:
    """Settle one link as ``settle_now`` does, and wait for a worker that is writing for it."""
    return patiently(
        services,
        lambda: settle_now(
            services, organization, services.links.get(organization.scope, issue_id, work_item_id)
        ),
    )


def patiently(services: Services, settle: Callable[[], str]) -> str:
    """Settle a link; while another worker holds it, wait for up to five seconds."""
    for _ in range(_WAITS):
        try:
            return settle()
        except Busy:
            services.pause(_BETWEEN)
    return settle()


def made_due(services: Services, stored: StoredLink) -> StoredLink:
    """Return the link with its next attempt, if any, due now: somebody may have fixed the cause."""
    health, now = stored.link.health, services.clock()
    if health.due is None or health.is_due(now):
        return stored
    try:
        return services.links.replace(stored, replace(stored.link, health=replace(health, due=now)))
    except SyncError:
        return stored  # A worker is settling it now.


def _settle_waiting(
    services: Services,
    organization: Organization,
    waiting: _Waiting,
    unit: UnitOfWork,
    message: Message | None = None,
) -> list[str]:
    if not waiting.names:
        if message is not None:
            note_not_linked(services, organization.scope, message)
        return [NOT_LINKED]
    settler = _settler(services, organization, waiting)
    outcomes = settle_each(services, settler, waiting, unit, message)
    fill_in(services, organization)
    return outcomes


def _settler(services: Services, organization: Organization, waiting: _Waiting) -> Settler:
    """Return the organization's settler, or record on each link why there is none and raise that error."""
    try:
        return services.settler(organization)
    except SyncError as error:
        waiting.load(waiting.names)
        for stored in (row for row in waiting.rows.values() if row is not None):
            record_failure(services.links, services.activity, stored, error, now=services.clock())
        raise


def settle_each(
    services: Services, settler: Settler, waiting: _Waiting, unit: UnitOfWork, message: Message | None
) -> list[str]:
    """Settle every link and return the outcomes; after all are tried, raise a bug, or the gravest error.

    Whatever its links meet, a message takes a bounded time: what is not begun by the deadline is left, and
    a service that gave no usable answer is not asked again. The error names the links that are left.

    An answer counts for the rows that were read before it: what another worker records between the two shows
    as a conflict then, and never as an end that went back to what it was.
    """
    outcomes: list[str] = []
    errors: list[SyncError] = []
    bug: Exception | None = None
    left: list[str] = []
    settled: list[Settled] = []
    delivered, read_at, was_heard = dict(unit.items), services.clock(), False
    names = list(waiting.names)
    for place, name in enumerate(names):
        now = services.clock()
        if place and now >= unit.deadline:
            errors.append(Busy("the rest is settled in a moment", retry_after=_THE_REST_COMES_IN))
            left += names[place:]
            break
        if now - read_at > _ISSUES_STAY_FRESH:
            read_at, was_heard = now, was_heard or bool(unit.issues)
            unit.issues.clear()
        unit.told.clear()
        try:
            if name not in waiting.rows:
                was_heard = was_heard or bool(unit.issues)
                unit.forget_answers()
                waiting.load(names[place : place + _READ_AT_ONCE])
            outcome, result = _settle(settler, waiting.row(name), unit)
            outcomes.append(outcome)
            names += waiting.others(names) if outcome == NOT_LINKED else []
            settled += result
        except SyncError as error:
            errors.append(error)
            settled += [] if message is None else [Settled(*_pair(message, name), "", error=error)]
            unit.note_silence(error)
            if disposition_of(error, message) is not Disposition.PUT_BACK:
                continue
            left.append(name)
            if waiting.is_rest and isinstance(error, Throttled):
                # They wait in the message, and were looked at before; looking again costs as much each time.
                left += names[place + 1 :]
                break
        except Exception as error:  # noqa: BLE001  # even a bug keeps no other link from its turn
            bug = bug or error
    if message is not None:
        note_settled(services, settler.scope, message, settled)
    # Only a service that was called has accepted our credentials; an echo, for example, needs no call.
    heard = {"ado": unit.items != delivered, "sentry": was_heard or bool(unit.issues)}
    accepted = [] if errors else [service for service, was_called in heard.items() if was_called]
    with suppress(SyncError):  # What ``health`` says is not worth settling all of them again.
        _note_for_health(services, settler.organization, errors, accepted)
    if bug is not None:
        raise bug
    if errors:
        raise _with_rest(gravest(errors, message), left if len(names) > 1 else [])
    return outcomes


def _note_for_health(
    services: Services, slug: str, errors: Sequence[SyncError], accepted: Sequence[str]
) -> None:
    """Note what our credentials do not reach, and which services accepted them."""
    for service in accepted:
        services.organizations.note_acceptance(slug, service)
        services.forbidden.end(slug, service)
    bans = {(each.service, each.about): each for each in errors if isinstance(each, Forbidden)}
    # A few different things are enough to tell; a message may be about a thousand.
    for service, about in itertools.islice(bans, _BANS_NOTED):
        services.forbidden.note(slug, service, about)
    for service in {error.service for error in errors if isinstance(error, Unauthorized)}:
        services.organizations.note_refusal(slug, service)
    for service in {error.service for error in errors if isinstance(error, OrganizationGone)}:
        services.organizations.note_refusal(slug, gone(service))


def _settle(settler: Settler, stored: StoredLink | None, unit: UnitOfWork) -> tuple[str, list[Settled]]:
    """Settle one link and return the outcome, with what came of it if it is there."""
    if stored is None:
        return NOT_LINKED, []
    try:
        outcome = settler.settle(stored, unit)
    except NotFound as error:
        if error.kind != NOT_LINKED:
            raise
        return NOT_LINKED, []  # Removed, or moved to another issue, since it was read or left.
    return outcome, [_settled(stored, outcome, unit)]


def _settled(stored: StoredLink, outcome: str, unit: UnitOfWork) -> Settled:
    link = stored.link
    found = unit.issues.get(link.issue_id)
    return Settled(
        link.issue_id,
        link.work_item_id,
        outcome,
        tuple(unit.told),
        before=link.seen.issue,
        after=None if found is None else found.side,
        was_well=link.health.word is HealthWord.SETTLED,
    )


def _pair(message: Message, name: str) -> tuple[str, int]:
    """Return the issue and the work item of a link of a message, by the id of its other end."""
    if isinstance(message, InboundMessage):
        return name, message.work_item_id
    return message.issue_id, int(name)


def _with_rest(error: SyncError, left: Sequence[str]) -> SyncError:
    error.left = tuple(left)
    return error
