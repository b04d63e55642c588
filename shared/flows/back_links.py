"""Showing a link on both its ends, and taking that away once it has ended: docs/settling.md#back-links.

A message has a worker look at one pair of issue and work item. The worker believes no message: whether the
pair is linked says what is to be there, and both services say what is. So a message may come twice, or late.
What is owed stands in the link's row, and for a link that ended in a row of its own, the remnant.
"""

from contextlib import suppress
from functools import cached_property

import msgspec
from msgspec.structs import replace

from shared.ado.back_links import HYPERLINK, RelatedItem, change_hyperlinks, get_related
from shared.ado.client import AdoClient
from shared.ado.finding import number_in
from shared.domain.activity import failure_entry
from shared.domain.claims import is_held
from shared.domain.errors import (
    Busy,
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    SyncError,
    Throttled,
    Undecidable,
    Upstream,
)
from shared.domain.failures import BACKOFF, DAILY, reason_of
from shared.domain.messages import OutboundMessage
from shared.domain.model import (
    ActivityEntry,
    BackLinks,
    ExternalIssue,
    IssueLink,
    Remnant,
    SentryIssue,
    WorkItem,
)
from shared.domain.rules.back_links import (
    EntryStep,
    Hyperlink,
    HyperlinkChange,
    entry_owner,
    entry_step,
    mark_in,
    shown_by,
    still_to_look_at,
    to_show,
    to_take_away,
)
from shared.domain.text import is_web_address
from shared.flows.syncing import NOT_LINKED, OTHER_CONNECTION, addressee_of
from shared.sentry.client import SentryClient
from shared.sentry.names import is_address, is_within, name_in_address
from shared.services import Services
from shared.store.links import StoredLink, StoredRemnant
from shared.store.organizations import Organization

SHOWN, TAKEN_AWAY, AS_IT_SHOULD_BE = "shown", "taken-away", "settled"
NOT_SHOWN, NOT_YET, HANDED_OVER = "refused", "not-yet", "handed-over"
ENTRY_STAYS = "entry-stays"
# A message that leaves no trace for so long (seconds) is put again by the reconciler; two do no harm.
LOST_AFTER = 300.0
_MERGED_LINKS_MOVE_WITHIN = 300.0  # seconds
# How long (seconds) a worker may still write that read a link before it ended: longer than its calls take.
_WRITES_WITHIN = 120.0
_RETRY_AFTER = 2.0  # seconds
_ATTEMPTS = 5
_TIME_LIMIT = 60.0  # seconds; an HTTP answer must arrive within 230
# What is wrong with one end alone, and does not pass by itself.
_LASTING = (NotFound, Forbidden, Refused)


def back_links_of(organization: Organization, now: float, merged: tuple[str, ...] = ()) -> BackLinks | None:
    """Return what a link begins with: that it is to be shown, if the document says so."""
    return BackLinks(due=now + LOST_AFTER, merged=merged) if organization.configuration.back_links else None


def look_later(services: Services, organization: Organization, issue_id: str, work_item_id: int) -> None:
    """Have a worker look at a pair. Should the message be lost, the row says what is owed."""
    slug, epoch = organization.slug, organization.epoch
    message = OutboundMessage(slug, issue_id, epoch=epoch, again=True, shown_on=work_item_id)
    with suppress(SyncError):
        services.outbound.put(message)


def remnant_of(services: Services, link: IssueLink) -> Remnant | None:
    """Return what a link may leave on its ends if it ends now, to be stored as it is removed."""
    if link.back_links is None:
        return None
    now = services.clock()
    # If it is owed, a worker may be at it that knows nothing of the end to come.
    watched_until = 0.0 if link.back_links.due is None else now + _WRITES_WITHIN
    return link.remnant(now + LOST_AFTER, watched_until)


def unread_remnant(services: Services, issue_id: str, work_item_id: int) -> Remnant:
    """Return the same of a link that could not be read: as if it had just been owed."""
    now = services.clock()
    return Remnant(issue_id, work_item_id, now + LOST_AFTER, watched_until=now + _WRITES_WITHIN)


class Queued(msgspec.Struct, frozen=True):
    """How many links are to be looked at, and behind which place the next request goes on (None: done)."""

    queued: int
    continuation: str | None


def look_at_all(services: Services, organization: Organization, continuation: str | None) -> Queued:
    """Have all links be shown that are not: older ones, and those that are owed, for up to a minute."""
    stop_at, queued = services.clock() + _TIME_LIMIT, 0
    for passed in services.links.walk(organization.scope, continuation):
        stored = passed.stored
        if stored is not None and (stored.link.back_links is None or stored.link.back_links.due is not None):
            link = stored.link
            owed = replace(link.back_links or BackLinks(), due=services.clock() + LOST_AFTER)
            with suppress(NotFound, Conflict):  # A worker is at it; the next request finds what is left.
                services.links.replace(stored, replace(link, back_links=owed))
                look_later(services, organization, link.issue_id, link.work_item_id)
                queued += 1
        continuation = passed.place
        if services.clock() > stop_at:
            return Queued(queued, continuation)
    return Queued(queued, None)


def look_at_pair(message: OutboundMessage, services: Services) -> list[str]:
    """Show a link on both its ends, or take away what one that ended has left there; return the outcome."""
    for _ in range(_ATTEMPTS):
        # A link may have ended with its connection. What it showed may be another one's by now.
        organization = addressee_of(services, message)
        if organization is None or message.shown_on is None:
            return [OTHER_CONNECTION]
        pair = _Pair(services, organization, message.issue_id, message.shown_on, has_waited=message.returned)
        try:
            return [_look(pair)]
        except Busy:
            raise
        except Conflict:
            continue  # Somebody changed the link or the work item since it was read.
    raise Conflict(f"lost {_ATTEMPTS} races in a row")


def _look(pair: "_Pair") -> str:
    remnant = pair.services.links.find_remnant(pair.organization.scope, pair.issue_id, pair.work_item_id)
    try:
        stored = pair.services.links.get(pair.organization.scope, pair.issue_id, pair.work_item_id)
    except NotFound:
        return NOT_LINKED if remnant is None else _take_away(pair, remnant)
    owed = stored.link.back_links
    if owed is not None and remnant is not None:
        owed = stored.link.known_as(remnant.remnant.names, pair.services.clock()).back_links
    outcome = AS_IT_SHOULD_BE
    if owed is not None and owed.due is not None:
        outcome = _show(pair, stored, owed)
    if remnant is not None:
        # The pair was linked again. What it showed before is what it is to show.
        with suppress(NotFound):
            pair.services.links.replace_remnant(pair.organization.scope, remnant, None)
    return outcome


class _Pair(msgspec.Struct, dict=True):
    """An issue and a work item, and what both services show of each other."""

    services: Services
    organization: Organization
    issue_id: str
    work_item_id: int
    has_waited: bool

    @cached_property
    def ado(self) -> AdoClient:
        return self.services.ado(self.organization)

    @cached_property
    def sentry(self) -> SentryClient:
        return self.services.sentry(self.organization)

    def url_of(self, issue: SentryIssue) -> str:
        """Return the address of an issue's page: one that is known again as this issue's."""
        own = self._named(issue.permalink, issue) == issue.issue_id and is_web_address(issue.permalink)
        return issue.permalink if own else self.sentry.web_url(issue.issue_id)

    def hyperlinks(self, related: RelatedItem, issue: SentryIssue | None) -> list[Hyperlink]:
        return [
            Hyperlink(place, self._named(each.url or "", issue), mark_in(each.comment))
            for place, each in enumerate(related.relations)
            if each.rel == HYPERLINK
        ]

    def _named(self, url: str, issue: SentryIssue | None) -> str | None:
        """Return the issue that an address leads to, by whatever name; None is one that is gone."""
        name = issue_in(self.organization, url)
        if issue is None:
            return name
        if url == self.sentry.web_url(issue.issue_id):
            return issue.issue_id
        is_short = name is not None and issue.short_id and name.upper() == issue.short_id.upper()
        return issue.issue_id if is_short else name


def issue_in(organization: Organization, url: str) -> str | None:
    """Return the id or short id in the address of an issue's page of the organization, or None."""
    configuration = organization.configuration
    slug = configuration.sentry_organization or organization.slug
    is_ours = is_address(url) and is_within(url, configuration.sentry_url, slug)
    return name_in_address(url) if is_ours else None


# Showing


def _show(pair: _Pair, stored: StoredLink, owed: BackLinks) -> str:
    link, services = stored.link, pair.services
    _verify_free(link, services.clock())
    try:
        issue = pair.sentry.get_issue_with_entries(link.issue_id)
        if issue.issue_id != link.issue_id:
            return _wait_for_move(pair, stored, owed)
        item = _show_on_item(pair, issue, owed)
        _tend_entry(pair, issue, ended=0)
    except _LASTING as error:
        return _note(pair, stored, owed, error)
    except Upstream as error:
        _verify_may_wait(pair, error)
        with suppress(NotFound, Conflict):
            services.links.replace(stored, replace(link, back_links=_put_off(owed, services.clock())))
        return NOT_YET
    try:
        shown = replace(link, back_links=BackLinks(merged=owed.merged))
        services.links.replace(stored, _advanced(shown, item))
    except NotFound:
        # It ended in the meantime, and whoever ended it may have looked before we wrote.
        services.links.leave(link.scope, link.remnant(services.clock()))
        raise Conflict("the link ended while it was shown") from None
    _advance(pair, item)
    return SHOWN


def _verify_may_wait(pair: "_Pair", error: Upstream) -> None:
    """Raise what the message is to wait for: storage, and once a service that asks us to wait.

    Whatever else a service is in trouble with, the row remembers.
    """
    is_asked_to_wait = isinstance(error, Throttled) and not error.silent and not pair.has_waited
    if error.service == "storage" or is_asked_to_wait:
        raise error


def _wait(reason: str, before: str) -> float:
    """Return the seconds after which what was refused is tried again: somebody may have allowed it."""
    return DAILY if reason == before else BACKOFF[-1]


def _put_off(owed: BackLinks, now: float) -> BackLinks:
    return replace(owed, due=now + BACKOFF[0])


def _verify_free(link: IssueLink, now: float) -> None:
    """Raise Busy while a worker writes for the link: our rev would be news to it."""
    if link.claim is not None and is_held(link.claim.until, now):
        raise Busy("another worker is writing here", retry_after=_RETRY_AFTER)


def _show_on_item(pair: _Pair, issue: SentryIssue, owed: BackLinks) -> WorkItem:
    related = get_related(pair.ado, pair.work_item_id)
    change = to_show(pair.hyperlinks(related, issue), issue.issue_id, owed.merged)
    return _changed(pair, related, change, pair.url_of(issue))


def _changed(pair: _Pair, related: RelatedItem, change: HyperlinkChange, url: str) -> WorkItem:
    if change.is_none:
        return related.item
    return change_hyperlinks(pair.ado, related, change, url).item


def _advanced(link: IssueLink, item: WorkItem) -> IssueLink:
    """Return the link with the rev of our own change seen, if nothing else is new at that rev.

    So the next write to the work item tests the rev that it has, and neither hook nor feed tells any news.
    """
    seen = link.seen.item
    same = (seen.state, seen.assignee) == (item.state, item.assignee)
    same &= (link.project_id, link.work_item_type) == (item.project_id, item.work_item_type)
    same &= seen.reasons in {None, item.reasons}  # Done for another reason may be archived.
    # What a claim announced is told from a person's edit by the rev that it tested.
    if not same or item.rev <= seen.rev or link.claim is not None:
        return link
    return replace(link, seen=replace(link.seen, item=replace(seen, rev=item.rev)))


def _advance(pair: _Pair, item: WorkItem) -> None:
    """Have all other links of the work item see our rev; one that does not is settled by the feed."""
    for stored in pair.services.links.for_work_item(pair.organization.scope, item.id):
        advanced = _advanced(stored.link, item)
        if stored.link.issue_id != pair.issue_id and stored.link.claim is None and advanced != stored.link:
            with suppress(NotFound, Conflict):
                pair.services.links.replace(stored, advanced)


def _wait_for_move(pair: _Pair, stored: StoredLink, owed: BackLinks) -> str:
    """Have a link whose issue was merged settled, which moves it; then it is shown under its new id."""
    slug, epoch = pair.organization.slug, pair.organization.epoch
    pair.services.outbound.put(OutboundMessage(slug, pair.issue_id, epoch=epoch, again=True))
    waits = replace(owed, due=pair.services.clock() + _MERGED_LINKS_MOVE_WITHIN)
    with suppress(NotFound):
        pair.services.links.replace(stored, replace(stored.link, back_links=waits))
    return NOT_LINKED


def _note(pair: _Pair, stored: StoredLink, owed: BackLinks, error: SyncError) -> str:
    """Tell once why a link cannot be shown, and have it tried again: in an hour, and then daily."""
    link, now = stored.link, pair.services.clock()
    reason = reason_of(error)
    if isinstance(error, Forbidden):
        pair.services.forbidden.note(link.organization, error.service, error.about)
    if reason != owed.reason:
        entry = replace(failure_entry(error, now), field="back-link")
        pair.services.activity.add(link.scope, link.issue_id, link.work_item_id, entry)
    noted = replace(owed, due=now + _wait(reason, owed.reason), reason=reason)
    with suppress(NotFound):
        pair.services.links.replace(stored, replace(link, back_links=noted))
    return NOT_SHOWN


# The entry on the issue's page


def _tend_entry(pair: _Pair, issue: SentryIssue, *, ended: int) -> bool:
    """Have the entry be for the link that it belongs to; tell whether it is as it should be.

    ``ended`` is the work item of a link that has just ended, or 0. An entry that we may not remove stays.
    """
    links = _links_of(pair, issue)
    owner = entry_owner(links)
    entry = _entry_in(pair, issue, ended or (owner.work_item_id if owner else 0))
    number = None if entry is None else _work_item_in(pair, entry)
    shown = shown_by(number, owner, {each.work_item_id for each in links}, ended)
    match entry_step(owner, shown):
        case EntryStep.PUT if owner is not None:
            url = pair.ado.web_url(owner.project_id, owner.work_item_id)
            project = owner.area_path or owner.project_id
            pair.sentry.put_entry(issue.issue_id, url, project, str(owner.work_item_id))
        case EntryStep.TAKE_AWAY if entry is not None:
            try:
                pair.sentry.remove_entry(entry, issue.issue_id)
            except Forbidden:
                return False
            # Sentry quirk: an entry keeps its id as another takes its place, so this may have been the other
            # (docs/vendor_quirks.md#sentry-form).
            if entry_owner(_links_of(pair, issue)) is not None:
                raise Conflict("the issue was linked while its entry was taken away")
    return True


def _links_of(pair: _Pair, issue: SentryIssue) -> list[IssueLink]:
    return [each.link for each in pair.services.links.for_issue(pair.organization.scope, issue.issue_id)]


def _entry_in(pair: _Pair, issue: SentryIssue, rather: int) -> ExternalIssue | None:
    """Return an entry that leads to a work item of the organization, ``rather`` to that one, if there is one.

    Other integrations may have theirs, and nothing but the address tells whose it is.
    """
    found = [each for each in issue.external_issues if _work_item_in(pair, each) is not None]
    wanted = [each for each in found if _work_item_in(pair, each) == rather]
    return next(iter(wanted or found), None)


def _work_item_in(pair: _Pair, entry: ExternalIssue) -> int | None:
    return work_item_in(pair.organization, entry.web_url)


def work_item_in(organization: Organization, url: str) -> int | None:
    """Return the work item that an address leads to, or None for one of another organization."""
    is_address = url.startswith(("http://", "https://"))
    return number_in(url, organization.configuration.ado_url or "") if is_address else None


# Taking away


def _take_away(pair: _Pair, stored: StoredRemnant) -> str:
    """Take away what a link that ended has left, and the note of it."""
    remnant, now = stored.remnant, pair.services.clock()
    try:
        issue = _issue_or_none(pair)
        heir = _heir(pair, issue)
        if heir is not None:
            return _hand_over(pair, stored, heir)
        is_gone = not _take_hyperlink_away(pair, remnant, issue)
        entry_is_right = issue is None or _tend_entry(pair, issue, ended=pair.work_item_id)
    except Upstream as error:
        if not isinstance(error, Forbidden | Refused):
            _verify_may_wait(pair, error)
            _keep(pair, stored, replace(remnant, due=now + BACKOFF[0]))
            return NOT_YET
        if remnant.reason != reason_of(error):
            _tell(pair, replace(failure_entry(error, now), field="back-link"))
        reason = reason_of(error)
        _keep(pair, stored, replace(remnant, reason=reason, due=now + _wait(reason, remnant.reason)))
        return NOT_SHOWN
    except Undecidable:  # The link that may show by what is there cannot be read.
        _keep(pair, stored, replace(remnant, due=now + BACKOFF[-1]))
        return NOT_YET
    if not entry_is_right and not remnant.gone_since:
        _tell(pair, ActivityEntry(now, "failed", field="back-link", reason=ENTRY_STAYS))
    if _is_linked_again(pair, remnant) or _heir(pair, issue) is not None:
        raise Conflict("the two were linked again in the meantime")
    _keep(pair, stored, still_to_look_at(remnant, now, is_gone=is_gone))
    return TAKEN_AWAY


def _heir(pair: _Pair, issue: SentryIssue | None) -> StoredLink | None:
    """Return the link of the issue into which this one was merged to the same work item, if it shows."""
    if issue is None or issue.issue_id == pair.issue_id:
        return None
    with suppress(NotFound):
        heir = pair.services.links.get(pair.organization.scope, issue.issue_id, pair.work_item_id)
        return heir if heir.link.back_links is not None else None
    return None


def _hand_over(pair: _Pair, stored: StoredRemnant, heir: StoredLink) -> str:
    """Have the other link be shown anew, with what is left of this one."""
    link, remnant, now = heir.link, stored.remnant, pair.services.clock()
    _verify_free(link, now)
    try:
        pair.services.links.replace(heir, link.known_as(remnant.names, now + LOST_AFTER))
    except NotFound:
        raise Conflict("the other link ended in the meantime") from None
    look_later(pair.services, pair.organization, link.issue_id, link.work_item_id)
    _keep(pair, stored, still_to_look_at(remnant, now, is_gone=False))
    return HANDED_OVER


def _take_hyperlink_away(pair: _Pair, remnant: Remnant, issue: SentryIssue | None) -> bool:
    """Have the work item show the link no more; tell whether the work item is there."""
    with suppress(NotFound):
        related = get_related(pair.ado, pair.work_item_id)
        hyperlinks = pair.hyperlinks(related, issue)
        # After a merge the surviving issue may be linked as well, and keeps what shows that.
        change = to_take_away(hyperlinks, remnant.names)
        _advance(pair, _changed(pair, related, change, ""))
        return True
    return False


def _issue_or_none(pair: _Pair) -> SentryIssue | None:
    try:
        return pair.sentry.get_issue_with_entries(pair.issue_id)
    except NotFound:
        return None


def _keep(pair: _Pair, stored: StoredRemnant, remnant: Remnant | None) -> None:
    with suppress(NotFound):
        pair.services.links.replace_remnant(pair.organization.scope, stored, remnant)


def _tell(pair: _Pair, entry: ActivityEntry) -> None:
    pair.services.activity.add(pair.organization.scope, pair.issue_id, pair.work_item_id, entry)


def _is_linked_again(pair: _Pair, remnant: Remnant) -> bool:
    """Tell whether the pair is linked by now; if so, it is to be shown anew, whatever another worker saw."""
    links = pair.services.links
    for _ in range(_ATTEMPTS):
        try:
            stored = links.get(pair.organization.scope, pair.issue_id, pair.work_item_id)
            if stored.link.back_links is None:
                return False
            links.replace(stored, stored.link.known_as(remnant.names, pair.services.clock()))
        except NotFound:
            return False
        except Conflict:
            continue
        return True
    raise Conflict("the link keeps changing while it is to be shown")
