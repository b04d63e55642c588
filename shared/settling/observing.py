"""Observing a link: both its ends now, with as few calls as possible, and what counts as seen."""

import math
from collections.abc import Callable, Mapping, Set
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from shared.ado.process import ProcessCache
from shared.domain.claims import is_held
from shared.domain.configuration import Configuration
from shared.domain.errors import (
    Busy,
    Conflict,
    Forbidden,
    NotFound,
    OrganizationGone,
    Refused,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
    Undecidable,
    Upstream,
)
from shared.domain.failures import WORK_ITEM_GONE
from shared.domain.ids import is_guid
from shared.domain.model import (
    FIELDS,
    OUR_ARCHIVE,
    STATUS,
    ActivityEntry,
    Assignee,
    Claim,
    End,
    EndRecord,
    Ends,
    Intent,
    IssueLink,
    IssueStatus,
    ItemSide,
    Person,
    SentryIssue,
    Side,
    ToldBy,
    WorkItem,
    WorkItemTypes,
)
from shared.domain.ports import Ado, Sentry
from shared.domain.rules.deciding import Decision, state_moved, status_moved
from shared.domain.rules.done import counted
from shared.domain.rules.landing import (
    announced_person,
    has_landed,
    is_unseen,
    seen_after_crash,
    with_intent,
)
from shared.domain.rules.partners import is_own_or_persons, may_have_changed, own_write, respelled
from shared.domain.rules.people import NO_MORE, Acquaintance, same_person
from shared.settling.names import NameCache
from shared.store.links import LinkStore, StoredEnd

RESOLVED, UNRESOLVED, IGNORED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED
_NOT_ASKED: WorkItemTypes = {}
_MOST_UNSEEN_EDITS = 1_000
_RETRY_AFTER = 2.0  # seconds; most writes finish within this time
_LONGEST_TITLE = 200  # characters


class UnitOfWork(msgspec.Struct):
    """One worker's work on one message: what it has read so far, and the token of its claims.

    ``items`` starts with the snapshot of a delivery or a batch; those in ``asked_for`` are what Azure DevOps
    answered within this unit. Without either, what was last seen of a work item is trusted, unless the item
    is in ``doubted``. Wrong trust costs only a second decision, because a write depends on the revision that
    was seen. ``revs`` are the revisions that a message told of. ``merged`` maps old issue ids to new ones;
    ``recorded`` is an error that is already recorded on its link.

    ``ends`` are the rows of ends that were read, each after its end; ``asked_at`` says when (epoch seconds)
    an end was asked for.

    ``told_by`` says who noticed what is settled; ``told`` are the activity entries of the link at hand.
    ``copy_from`` is the side that a person has copied over, as if somebody had just edited it.

    After ``deadline`` no further link is begun. ``silent`` holds the services that gave no usable answer,
    with the answer they gave: they are not asked again in this unit of work.
    """

    token: str
    items: dict[int, WorkItem] = msgspec.field(default_factory=dict)
    issues: dict[str, SentryIssue] = msgspec.field(default_factory=dict)
    asked_for: set[int] = msgspec.field(default_factory=set)
    doubted: set[int] = msgspec.field(default_factory=set)
    merged: dict[str, str] = msgspec.field(default_factory=dict)
    recorded: SyncError | None = None
    ends: dict[End, StoredEnd] = msgspec.field(default_factory=dict)
    asked_at: dict[End, float] = msgspec.field(default_factory=dict)
    revs: dict[int, int] = msgspec.field(default_factory=dict)
    deadline: float = math.inf
    silent: dict[str, Upstream] = msgspec.field(default_factory=dict)
    told_by: ToldBy | None = None
    told: list[ActivityEntry] = msgspec.field(default_factory=list)
    copy_from: Side | None = None

    def rev_of(self, work_item_id: int) -> int:
        """Return the latest revision that this unit of work knows of, or 0."""
        item = self.items.get(work_item_id)
        return max(item.rev if item is not None else 0, self.revs.get(work_item_id, 0))

    def note_silence(self, error: SyncError) -> None:
        silences = Unavailable | Throttled | Unauthorized | OrganizationGone
        if isinstance(error, silences) and error.service != "storage":
            self.silent.setdefault(error.service, error)

    def speaks_for(self, error: SyncError) -> bool:
        """Tell whether an error repeats what its service answered about an earlier link."""
        return isinstance(error, Upstream) and error.service in self.silent

    def verify_heard(self, service: str) -> None:
        """Raise what a service answered before, if that was no use, instead of asking it again."""
        if (answer := self.silent.get(service)) is not None:
            raise answer.unasked(lost_turn=answer.asked)

    def doubt(self, work_item_id: int) -> None:
        """Believe nothing of the work item, neither what came along nor what was last seen of it."""
        self.items.pop(work_item_id, None)
        self.asked_for.discard(work_item_id)
        self.doubted.add(work_item_id)

    def forget_answers(self) -> None:
        """Forget all that services answered: what is read from now on may be later."""
        for work_item_id in tuple(self.asked_for):
            self.doubt(work_item_id)
        self.issues.clear()
        self.ends.clear()

    def start_over(self, link: IssueLink) -> None:
        """Forget how both ends stand, the issue under each of its ids, so that they are asked for anew."""
        self.doubt(link.work_item_id)
        for issue_id in (link.issue_id, self.current_issue_id(link.issue_id)):
            self.issues.pop(issue_id, None)
        self.ends.clear()

    def item_answered(self, item: WorkItem, asked_at: float) -> None:
        """Take what Azure DevOps answered for the truth, for every link of the item."""
        self.items[item.id] = item
        self.asked_for.add(item.id)
        self.asked_at[End(Side.ADO, str(item.id))] = asked_at

    def issue_answered(self, issue_id: str, issue: SentryIssue, asked_at: float) -> None:
        """Take what Sentry answered for the truth, under the id that was asked for and the issue's own."""
        for each in (issue_id, issue.issue_id):
            self.issues[each] = issue
            self.asked_at[End(Side.SENTRY, each)] = asked_at

    def brought_along(self, work_item_id: int) -> WorkItem | None:
        """Return the snapshot that came along with the message, unless the item was asked for since."""
        return None if work_item_id in self.asked_for else self.items.get(work_item_id)

    def current_issue_id(self, issue_id: str) -> str:
        return self.merged.get(issue_id, issue_id)


class Observation(msgspec.Struct, frozen=True):
    """A link, what counts as seen of it, both ends now, and the project's states (empty if not needed).

    ``repeats`` says that a dead worker announced a write which has not landed; ``problem`` says why it is not
    known what the item's state counts as. ``siblings`` are the fields of each side that we wrote through
    another link, which ``seen`` has already and ``was`` has not; ``edited`` are those that a person changed.
    ``reopened`` is the side that we reopened so, although the partner of this link is done.
    ``ends`` are the rows of the sides on which something had changed. ``own_archive`` says that the issue is
    archived because we archived it.
    """

    link: IssueLink
    seen: Ends
    now: Ends
    types: WorkItemTypes
    repeats: bool = False
    problem: SyncError | None = None
    was: Ends | None = None
    siblings: frozenset[tuple[Side, str]] = frozenset()
    edited: frozenset[tuple[Side, str]] = frozenset()
    reopened: Side | None = None
    ends: Mapping[Side, StoredEnd] = {}
    acquaintance: Acquaintance = NO_MORE
    own_archive: bool = False

    @property
    def told_from(self) -> Ends:
        """Both ends before everything that the activity is told of."""
        return self.seen if self.was is None else self.was


class Observer(msgspec.Struct, frozen=True):
    """Observes the links of one organization."""

    organization: str
    scope: str
    configuration: Configuration
    ado: Ado
    sentry: Sentry
    processes: ProcessCache
    links: LinkStore
    clock: Callable[[], float]
    names: NameCache = msgspec.field(default_factory=NameCache)

    def issue(self, issue_id: str, unit: UnitOfWork) -> SentryIssue:
        """Return the issue, read once in each unit of work."""
        if issue_id not in unit.issues:
            unit.verify_heard("sentry")
            asked_at = self.clock()
            unit.issue_answered(issue_id, self.sentry.get_issue(issue_id), asked_at)
            unit.ends.pop(End(Side.SENTRY, unit.issues[issue_id].issue_id), None)
        return unit.issues[issue_id]

    def observe(self, link: IssueLink, unit: UnitOfWork) -> Observation:
        item = self._item(link, unit)
        if item is not None:
            link = _updated(link, item)
        reads_reasons = bool(self.configuration.archive_reasons)
        item_side = _item_side(link.seen.item, item, reads_reasons=reads_reasons)
        issue = self.issue(link.issue_id, unit)
        link = named_as(link, issue)
        now = Ends(issue.side, item_side)
        seen, repeats = link.seen, False
        if claim := link.claim:
            claim = replace(claim, intents=self._as_shown(claim.intents, issue.assignee))
            seen = seen_after_crash(seen, claim, now)
            repeats = claim.token != unit.token and not all(
                has_landed(each, claim, now) for each in claim.intents
            )
        observation = Observation(link, seen, now, _NOT_ASKED, repeats)
        return self._acquainted(self._understood(self._attributed(observation, unit), unit))

    def _acquainted(self, observation: Observation) -> Observation:
        """Return the observation with the other addresses of the issue's assignee, if they may matter.

        Whoever may not read them knows people by their primary address alone: that holds up nothing.
        """
        seen, now, configuration = observation.seen, observation.now, self.configuration
        person = now.issue.assignee
        has_changed = (now.issue.assignee, now.item.assignee) != (seen.issue.assignee, seen.item.assignee)
        if not has_changed and observation.link.owed is not Side.ADO:
            return observation
        if not isinstance(person, Person) or same_person(configuration, now.item.assignee, person):
            return observation
        addresses: tuple[str, ...] = ()
        with suppress(SyncError):
            addresses = self.sentry.addresses_of(person.email)
        acquaintance = Acquaintance(addresses, self.names.find(self.scope, person.email))
        return replace(observation, acquaintance=acquaintance)

    def _as_shown(self, intents: tuple[Intent, ...], shown: Assignee) -> tuple[Intent, ...]:
        """Return what was to be written to an issue with how Sentry shows whom it was to be assigned to.

        That is asked for where a write is in doubt: whether who shows is that person, nobody is to guess.
        """
        asked = ((each, announced_person(each, shown)) for each in intents)
        return tuple(each if person is None else self._with_primary(each, person) for each, person in asked)

    def _with_primary(self, intent: Intent, person: Person) -> Intent:
        primary = None
        # What is refused for good kept us from assigning anybody as well: that asks for the same list.
        with suppress(Forbidden, NotFound, Refused):
            primary = self.sentry.primary_of(person.email)
        return intent if primary is None else replace(intent, others=(Person(primary),))

    def note_name(self, observation: Observation, decision: Decision, item: WorkItem) -> None:
        """Remember the name by which Azure DevOps knows the person who was assigned there."""
        person = observation.now.issue.assignee
        for intent in decision.for_side(Side.ADO):
            named = item.assignee in (intent.assignee, *intent.others)
            if intent.others and named and isinstance(person, Person):
                self.names.add(self.scope, person.email, item.assignee)

    def recent_types(self, link: IssueLink) -> WorkItemTypes:
        """Return the types of the link's project as they were less than a minute ago."""
        return self.processes.recent(self.ado, self.scope, link.project_id)

    def _attributed(self, observation: Observation, unit: UnitOfWork) -> Observation:
        """Return the observation with whatever we wrote through other links taken for seen.

        An end's row is read after the end itself, so a write that shows was announced there before.
        """
        link, seen, now = observation.link, observation.seen, observation.now
        ends: dict[Side, StoredEnd] = {}
        siblings, edited = set(), set()
        for side in Side:
            changed = [
                each
                for each in FIELDS
                if now.shown(side, each) != seen.shown(side, each) and not seen.is_unseen(side, each)
            ]
            if not changed:
                continue
            ends[side] = stored = self.end(link.end(side), unit)
            for each in changed:
                if own := own_write(stored.record, each, now.shown(side, each)):
                    seen = with_intent(seen, own)
                    siblings.add((side, each))
                else:
                    self._verify_current(stored, now, unit)
                    edited.add((side, each))
        return replace(
            observation,
            seen=seen,
            was=observation.seen,
            siblings=frozenset(siblings),
            edited=frozenset(edited),
            reopened=self._reopened(link, seen, siblings, unit),
            ends=ends,
            own_archive=self._is_own_archive(link, seen, now, unit),
        )

    def _is_own_archive(self, link: IssueLink, seen: Ends, now: Ends, unit: UnitOfWork) -> bool:
        """Tell whether we archived the issue, if that may matter: when the work item moved meanwhile."""
        if now.issue.status is not IssueStatus.IGNORED or not state_moved(seen, now):
            return False
        # Archived in another way, a person took it out of the archive and put it back.
        if self.issue(link.issue_id, unit).substatus not in {"", OUR_ARCHIVE}:
            return False
        return own_write(self.end(link.end(Side.SENTRY), unit).record, STATUS, now.issue.status) is not None

    def _reopened(
        self, link: IssueLink, seen: Ends, siblings: Set[tuple[Side, str]], unit: UnitOfWork
    ) -> Side | None:
        """Return the side that is open through another link, although the other side is done by itself."""
        for side in Side:
            partner = side.other
            if (side, STATUS) not in siblings or (partner, STATUS) in siblings:
                continue
            if seen.counts_as(side) is UNRESOLVED and seen.counts_as(partner) is RESOLVED:
                record = self.end(link.end(partner), unit).record
                return side if is_own_or_persons(record, link, STATUS, seen.shown(partner, STATUS)) else None
        return None

    def end(self, end: End, unit: UnitOfWork) -> StoredEnd:
        """Return the row of an end, read once for each answer; raise Busy while another worker writes."""
        if end not in unit.ends:
            stored = self.links.end(self.scope, end)
            record = self._given_back(stored.record)
            doubtful = tuple(each for each in record.ours if each.in_doubt)
            if doubtful and (issue := unit.issues.get(end.id)) is not None:
                record = respelled(record, self._as_shown(doubtful, issue.assignee))
            verify_free(record, unit, self.clock())
            unit.ends[end] = replace(stored, record=record)
        return unit.ends[end]

    def _verify_current(self, stored: StoredEnd, now: Ends, unit: UnitOfWork) -> None:
        """Raise Conflict if we may have written to an end since it was read, so that it is read again."""
        rev = now.item.rev if stored.end.side is Side.ADO else None
        if may_have_changed(stored.record, unit.asked_at.get(stored.end), rev, self.clock()):
            raise Conflict("the end was written to after it was read")

    def _given_back(self, record: EndRecord) -> EndRecord:
        """Return the record as held no longer than its worker holds the claim on its link."""
        if record.of is None or not is_held(record.until, self.clock()):
            return record
        with suppress(NotFound, Undecidable):
            claim = self.links.get(self.scope, *record.of).link.claim
            if claim is not None and claim.token == record.token:
                return replace(record, until=claim.until)
        return record

    def _understood(self, observation: Observation, unit: UnitOfWork) -> Observation:
        """Return the observation with what the item's state counts as now, looked up if that may matter.

        What cannot be known holds nothing up here: whether the decision needs it is not known yet.
        """
        seen, now = observation.seen, observation.now
        if not state_moved(seen, now):
            kept = replace(now.item, status=seen.item.status, removed=seen.item.removed)
            now = replace(now, item=kept)
            if kept.status is not None and not _may_write_status(observation):
                return replace(observation, now=now)
        link, types = observation.link, _NOT_ASKED
        try:
            types = self._types(observation, unit)
            item = counted(self.configuration, link.project_id, link.work_item_type, now.item, types)
            if not state_moved(seen, now) and (seen.item.status, item.status) == (RESOLVED, IGNORED):
                # We resolved it ourselves, and a rule of its process chose the reason.
                item = replace(item, status=RESOLVED)
        except Conflict:
            raise
        except SyncError as error:
            if state_moved(seen, now):
                now = replace(now, item=replace(now.item, status=None, removed=False))
            return replace(observation, now=now, types=types, problem=error)
        return replace(observation, now=replace(now, item=item), types=types)

    def _item(self, link: IssueLink, unit: UnitOfWork) -> WorkItem | None:
        """Return the work item, or None if what was last seen of it can be trusted.

        An answer of Azure DevOps is the truth even at a lower revision: a server may go back to a backup.
        """
        item = unit.items.get(link.work_item_id)
        if link.work_item_id in unit.asked_for:
            return item
        # A list does not show the reasons: what it found is asked for where they matter.
        is_whole = item is not None and (item.reasons is not None or not self.configuration.archive_reasons)
        is_news = item is not None and is_newer(item, link) and link.claim is None
        if is_news and is_whole:
            return item
        # A Removed one is not written to, so no write would find that it was taken back meanwhile.
        is_untested = not link.seen.item.may_be_written
        if is_news or is_untested or is_doubtful(link) or link.work_item_id in unit.doubted:
            unit.verify_heard("ado")
            asked_at = self.clock()
            item = self.ado.get_work_item(link.work_item_id)
            unit.item_answered(item, asked_at)
            unit.ends.pop(link.end(Side.ADO), None)
            return item
        is_late = item is not None and item.rev < link.seen.item.rev
        return None if is_late else item

    def _types(self, observation: Observation, unit: UnitOfWork) -> WorkItemTypes:
        """Return the types of the link's project, usually from memory.

        A state that somebody chose is not overwritten for being unknown: the types are read again first.
        """
        unit.verify_heard("ado")
        link, now = observation.link, observation.now
        types = self.processes.types_with(
            self.ado, self.scope, link.project_id, link.work_item_type, now.item.state
        )
        known = any(each.name == now.item.state for each in types.get(link.work_item_type, ()))
        if known or not (state_moved(observation.seen, now) and _may_write_status(observation)):
            return types
        return self.processes.refresh(self.ado, self.scope, link.project_id)


def verify_free(claim: Claim | EndRecord | None, unit: UnitOfWork, now: float) -> None:
    """Raise Busy while another worker may write for a link, or to an end."""
    if claim is not None and claim.token not in {"", unit.token} and is_held(claim.until, now):
        raise Busy("another worker is writing here", retry_after=_RETRY_AFTER)


def _may_write_status(observation: Observation) -> bool:
    """Tell whether a status may have to be written although the work item did not move."""
    written = any(field == STATUS for _, field in observation.siblings)
    waits = observation.link.waiting is not None
    return waits or written or status_moved(observation.seen, observation.now)


def is_of_link(item: WorkItem, link: IssueLink) -> bool:
    """Tell whether a work item that came along is the linked one, which moves only with word of it.

    Two organizations count alike, and so their work items have the same numbers.
    """
    return item.project_id == link.project_id


def is_plausible(rev: int, link: IssueLink) -> bool:
    """Tell whether a message may tell the truth of a link's revision.

    One far ahead of what is known would, if it were believed, let everything genuine look old. An item may
    have been edited that often while nobody looked; so whoever doubts asks.
    """
    return rev - max(link.seen.item.rev, link.health.rev) <= _MOST_UNSEEN_EDITS


def is_newer(item: WorkItem, link: IssueLink) -> bool:
    """Tell whether a work item that came along is newer than what is known of it.

    An edit may arrive after a later one at which settling failed, or after the loss of the item, which left
    no rev behind.
    """
    is_late = item.rev <= link.seen.item.rev or item.rev < link.health.rev
    return not is_late and link.health.reason != WORK_ITEM_GONE


def is_doubtful(link: IssueLink) -> bool:
    """Tell whether what was last seen cannot be trusted: a settling failed, stopped halfway or never began.

    An unknown assignee raises no doubt: both sides were seen and left as they are.
    """
    if not is_guid(link.project_id):
        return True  # Nobody can have read it off a work item; it was believed before that was checked.
    return link.claim is not None or link.undecided or not link.health.is_observed or is_unseen(link.seen)


def _updated(link: IssueLink, item: WorkItem) -> IssueLink:
    """Return the link with the work item's current project, type, title and area path."""
    return replace(
        link,
        project_id=item.project_id,
        work_item_type=item.work_item_type,
        title=item.title or link.title,
        area_path=item.area_path or link.area_path,
    )


def named_as(link: IssueLink, issue: SentryIssue) -> IssueLink:
    """Return the link with the names that people know its issue by."""
    return replace(
        link,
        short_id=issue.short_id or link.short_id,
        issue_title=shown_title(issue.title) or link.issue_title,
    )


def shown_title(title: str) -> str:
    """Return as much of an issue's title as a list shows: Sentry keeps the whole."""
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1]}…"


def _item_side(seen: ItemSide, item: WorkItem | None, *, reads_reasons: bool) -> ItemSide:
    """Return the work item's side; its status is the last seen one, which the caller updates if it moved."""
    if item is None:
        return seen
    reasons = item.reasons if reads_reasons else None
    return replace(seen, rev=item.rev, state=item.state, assignee=item.assignee, reasons=reasons)
