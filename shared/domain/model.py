"""The values of the domain: issues, work items, people, links, and what was last seen of them.

All are frozen. Stored values are msgspec structs, so their definition is also their JSON form.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Literal

import msgspec
from msgspec.structs import replace

from shared.domain.connection import scope_of
from shared.domain.moments import DAY, HOUR, Moment, is_due

# The two fields of a link.
STATUS = "status"
ASSIGNEE = "assignee"
FIELDS = (STATUS, ASSIGNEE)

# Why the feed of revisions cannot be used: the kinds of FeedLost.
FEED_TOKEN_REFUSED = "feed-token-refused"  # noqa: S105 - a reason, not a secret
FEED_UNSUPPORTED = "feed-unsupported"
FEED_FORBIDDEN = "feed-forbidden"
FEED_UNREADABLE = "feed-unreadable"

# Why an assignee does not reach the other side.
ASSIGNEE_NOT_FOUND = "assignee-not-found"
ASSIGNEE_AMBIGUOUS = "assignee-ambiguous"
ASSIGNEE_UNREADABLE = "assignee-unreadable"
TEAM_ASSIGNEE = "team-assignee"

# Why a status was not carried across, or not yet.
UNKNOWN_STATE = "unknown-state"
NO_SUCH_STATE = "no-such-state"
STATE_UNREACHABLE = "state-unreachable"
WAITS_FOR_OTHERS = "waits-for-others"
SIBLING = "sibling"
ARCHIVED = "archived"

# Who noticed that something may have changed.
ToldBy = Literal["hook", "reconciler"]


class Side(StrEnum):
    """One end of a link."""

    ADO = "ado"
    SENTRY = "sentry"

    @property
    def other(self) -> "Side":
        return Side.SENTRY if self is Side.ADO else Side.ADO


class IssueStatus(StrEnum):
    """An issue's status in Sentry's words; also what a work item's state counts as."""

    RESOLVED = "resolved"
    UNRESOLVED = "unresolved"
    IGNORED = "ignored"


class ResolveIn(StrEnum):
    """In which release an issue counts as resolved once its work item is done."""

    NOW = "now"
    NEXT_RELEASE = "next_release"
    CURRENT_RELEASE = "current_release"


class Category(StrEnum):
    """What a state means, independent of its name.

    https://learn.microsoft.com/azure/devops/boards/work-items/workflow-and-state-categories
    """

    PROPOSED = "Proposed"
    IN_PROGRESS = "InProgress"
    RESOLVED = "Resolved"
    COMPLETED = "Completed"
    REMOVED = "Removed"


class State(msgspec.Struct, frozen=True):
    """A state that a work item type allows; ``category`` is None if Azure DevOps names an unknown one.

    ``moves`` names the states to which an item in this one may be moved; None restricts nothing.
    """

    name: str
    category: Category | None
    moves: tuple[str, ...] | None = None

    def may_become(self, name: str) -> bool:
        return self.moves is None or name in self.moves


# The states of each work item type of one project, in the order of its process; keyed by the type's name.
WorkItemTypes = Mapping[str, tuple[State, ...]]


class Person(msgspec.Struct, frozen=True, tag="person"):
    """A person, identified by a lower-case e-mail address: the only name that both services share."""

    email: str


class Stranger(msgspec.Struct, frozen=True, tag="stranger"):
    """An assignee without an equivalent on the other side: a bare name, a ``DOMAIN\\user``, a Sentry team.

    ``reason`` is ASSIGNEE_UNREADABLE or TEAM_ASSIGNEE; ``label`` distinguishes strangers from each other.
    """

    reason: str
    label: str


# None is nobody.
Assignee = Person | Stranger | None
# Seen on a side that nobody has looked at yet: whatever stands there is to be copied over.
NOT_SEEN = Stranger("initial", "")


class IssueSide(msgspec.Struct, frozen=True, omit_defaults=True):
    """The synced fields of a Sentry issue.

    ``unseen`` says that the status is made up, since the issue's own is still to be carried over.
    """

    status: IssueStatus
    assignee: Assignee = None
    unseen: bool = False

    def shown(self, field: str) -> IssueStatus | Assignee:
        """Return a field as people see it there."""
        return self.status if field == STATUS else self.assignee


class ItemSide(msgspec.Struct, frozen=True):
    """The synced fields of a work item at ``rev``; ``status`` is what the state counted as when read.

    ``status`` is None if no category was known for the state. ``removed`` says that the state's category
    is Removed, and nothing else is meant by it. ``reasons`` are those for which the item is in its state, as
    Azure DevOps names them; None if they were not read.
    """

    rev: int
    state: str
    status: IssueStatus | None
    assignee: Assignee = None
    removed: bool = False
    reasons: tuple[str, ...] | None = None

    @property
    def may_be_written(self) -> bool:
        """A removed item is left alone, unless its organization counts being removed as being done."""
        return not self.removed or self.status in {IssueStatus.RESOLVED, IssueStatus.IGNORED}

    def shown(self, field: str) -> str | Assignee:
        """Return a field as people see it there: the state's name, not what it counts as."""
        return self.state if field == STATUS else self.assignee


class Ends(msgspec.Struct, frozen=True):
    """Both ends of a link at one moment."""

    issue: IssueSide
    item: ItemSide

    def counts_as(self, side: Side) -> IssueStatus | None:
        """Return the status on a side: Sentry's own, or what the item's state counts as."""
        return self.item.status if side is Side.ADO else self.issue.status

    def on(self, side: Side) -> "IssueSide | ItemSide":
        return self.item if side is Side.ADO else self.issue

    def shown(self, side: Side, field: str) -> IssueStatus | str | Assignee:
        return self.on(side).shown(field)

    def is_unseen(self, side: Side, field: str) -> bool:
        """Tell whether a value is made up, since what the side really shows is still to be carried over."""
        if field == ASSIGNEE:
            return self.on(side).assignee == NOT_SEEN
        return self.item.state == "" if side is Side.ADO else self.issue.unseen


class ExternalIssue(msgspec.Struct, frozen=True):
    """An entry on an issue's page in Sentry; ``service_type`` is the slug of the integration that made it."""

    id: str
    service_type: str
    display_name: str
    web_url: str


# How we archive: until its work item is reopened, however often it happens again.
OUR_ARCHIVE = "archived_forever"


class IntegrationIssue(msgspec.Struct, frozen=True):
    """A link that one of Sentry's own integrations made; ``key`` names the other end within the provider."""

    key: str
    display_name: str
    provider: str
    integration: str


class SentryIssue(msgspec.Struct, frozen=True):
    """A Sentry issue as it was read; after a merge, ``issue_id`` differs from the requested id.

    ``external_issues`` and ``integration_issues`` are read where they are needed, and empty otherwise;
    ``hides_entries`` and ``hides_integration_issues`` say that some could not be read, so nobody knows which
    are gone.
    ``short_id`` is the name that people know it by, such as FE-1. ``substatus`` says in which way it is
    archived, and is empty where Sentry does not say so. ``regression`` is the id of the activity by which
    Sentry itself unresolved it, if that was its last change of status; it is read with one issue only, as is
    the ``count`` of events.
    """

    issue_id: str
    status: IssueStatus
    assignee: Assignee
    title: str
    permalink: str
    project_slug: str
    level: str = ""
    external_issues: tuple[ExternalIssue, ...] = ()
    short_id: str = ""
    integration_issues: tuple[IntegrationIssue, ...] = ()
    regression: str = ""
    count: int = 0
    substatus: str = ""
    hides_entries: bool = False
    hides_integration_issues: bool = False

    @property
    def side(self) -> IssueSide:
        return IssueSide(self.status, self.assignee)


class IssuePage(msgspec.Struct, frozen=True):
    """Some of the issues that are linked to anything; ``after`` names the next page, None: this is the last.

    Of the ``unreadable`` rows nothing is known.
    """

    issues: tuple[SentryIssue, ...]
    after: str | None
    unreadable: int = 0


class FoundIssues(msgspec.Struct, frozen=True):
    """Which of many issues exist under these very ids: one that is absent is gone or merged into another.

    Of the ``unreadable`` ones this is not known: do not call them gone.
    """

    found: Mapping[str, SentryIssue] = {}
    unreadable: frozenset[str] = frozenset()


class SentryEvent(msgspec.Struct, frozen=True):
    """One event of an issue; what Sentry does not tell is empty."""

    id: str = ""
    release: str = ""
    environment: str = ""


class SentryComment(msgspec.Struct, frozen=True):
    """A comment on an issue; ``url`` leads to this comment and to no other."""

    id: str
    author: str
    text: str
    url: str


class WorkItem(msgspec.Struct, frozen=True, kw_only=True):
    """A work item at ``rev``. ``project_id`` is the project's GUID: unlike the name, it survives a rename.

    ``reasons`` are why it is in its state; None where they were not read.
    """

    id: int
    rev: int
    project_id: str
    work_item_type: str
    state: str
    assignee: Assignee = None
    title: str = ""
    area_path: str = ""
    reasons: tuple[str, ...] | None = None


class FoundWorkItems(msgspec.Struct, frozen=True):
    """Which of many work items exist. Of the ``unreadable`` ones this is not known: do not call them gone."""

    found: dict[int, WorkItem] = {}
    unreadable: frozenset[int] = frozenset()


class RevisedItem(msgspec.Struct, frozen=True, kw_only=True):
    """A work item at its newest rev, as the feed shows it: with its project's name, and not the GUID."""

    id: int
    rev: int
    project: str
    work_item_type: str
    state: str
    assignee: Assignee = None
    title: str = ""
    area_path: str = ""

    def in_project(self, project_id: str) -> WorkItem:
        return WorkItem(
            id=self.id,
            rev=self.rev,
            project_id=project_id,
            work_item_type=self.work_item_type,
            state=self.state,
            assignee=self.assignee,
            title=self.title,
            area_path=self.area_path,
        )


class RevisionPage(msgspec.Struct, frozen=True):
    """What changed, in the order of the feed; ``deleted`` and ``unreadable`` are the ids of work items.

    A page may be empty and not the last. ``token`` is where the next one begins, now or in the next run; None
    if the service names none, which it may only do on a last page: then ask by the same time again.
    """

    items: tuple[RevisedItem, ...]
    deleted: frozenset[int]
    unreadable: frozenset[int]
    token: str | None
    is_last: bool


class HealthWord(StrEnum):
    SETTLED = "settled"
    PENDING = "pending"
    ATTENTION = "attention"


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """The health of a link.

    ``since`` and ``due`` are in epoch seconds; ``due`` is when the reconciler tries again. ``attempts``
    counts the steps of the back-off at which a service was asked. ``rev`` is the latest revision of the work
    item at which settling failed: that revision is no news any more. ``passed_by`` says that nobody was asked
    about the link at its last turn, on another one's account: it has the next turn before the others.
    """

    word: HealthWord = HealthWord.SETTLED
    reason: str = ""
    detail: str = ""
    since: Moment = 0.0
    attempts: int = 0
    due: Moment | None = None
    rev: int = 0
    passed_by: bool = False

    def is_due(self, now: float) -> bool:
        # Only a person can bring back what is gone; everything else waits by the steps of the back-off.
        longest = DAY if self.word is HealthWord.ATTENTION else HOUR
        return self.due is not None and is_due(self.due, now, within=longest)

    @property
    def is_observed(self) -> bool:
        """Tell whether both sides were seen at the last look; an assignee who is unknown hides neither."""
        return self.word is HealthWord.SETTLED or self.reason in {ASSIGNEE_NOT_FOUND, ASSIGNEE_AMBIGUOUS}


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One value to be written to one side; ``field`` is STATUS or ASSIGNEE.

    ``via`` are the states on the way to ``state``, each written by itself. ``others`` are the person's other
    names: in Azure DevOps each is tried if it does not know the one before, and Sentry may show them by the
    last one. ``resolve_in`` is the release in which an issue is to be resolved; None is now. ``in_doubt``
    says in an end's record that nobody knows whether Sentry assigned the person, and under which name.
    """

    side: Side
    field: str
    state: str | None = None
    status: IssueStatus | None = None
    assignee: Assignee = None
    via: tuple["Intent", ...] = ()
    others: tuple[Assignee, ...] = ()
    resolve_in: ResolveIn | None = None
    in_doubt: bool = False

    @property
    def value(self) -> IssueStatus | str | Assignee:
        """The value as people see it on its side."""
        if self.field == ASSIGNEE:
            return self.assignee
        return self.state if self.side is Side.ADO else self.status

    @property
    def traces(self) -> tuple["Intent", ...]:
        """Everything of it that its end may come to show, each as an intent by itself."""
        last, names = replace(self, via=(), others=()), dict.fromkeys((self.assignee, *self.others))
        return (*self.via, *(replace(last, assignee=each) for each in names))


class Claim(msgspec.Struct, frozen=True):
    """A worker's announcement, stored before it writes: what it writes, on what basis, and until when.

    Until ``until`` (epoch seconds) no other worker writes for the link. ``tested_rev`` is the work item's rev
    on which the writes depend; ``after`` is both ends once they have landed. If the worker dies, the next
    worker uses the claim to distinguish half-done work from a person's edit.
    """

    token: str
    until: Moment
    tested_rev: int
    intents: tuple[Intent, ...]
    after: Ends


class End(msgspec.Struct, frozen=True):
    """An issue or a work item as one end of links; ``id`` is the issue's id or the item's number."""

    side: Side
    id: str


class EndRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What we wrote to an end last: no change for those of its links that did not write it.

    ``ours`` holds, for each field, the value of our last write that landed. An announced write whose result
    is not known stands beside the value before. ``at`` (epoch seconds) and ``rev`` are those of the last
    write that landed: what was read before is out of date. ``of`` is the link for which we wrote last. Until
    ``until`` only the unit of work with this ``token`` writes to the end, as long as it holds its claim on
    that link.
    """

    token: str = ""
    until: Moment = 0.0
    of: tuple[str, int] | None = None
    ours: tuple[Intent, ...] = ()
    rev: int = 0
    at: Moment = 0.0


class FormEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """That Sentry's form made a link, at ``at`` (epoch seconds), so that Sentry shows an entry for it.

    ``url`` and ``app`` are those of the entry, once it was seen on the issue's page; ``app`` is the slug of
    the integration, which has one entry on each issue.
    """

    at: Moment
    url: str = ""
    app: str = ""

    @property
    def was_seen(self) -> bool:
        return bool(self.url)


class BackLinks(msgspec.Struct, frozen=True, omit_defaults=True):
    """That a link is to show on both its ends: as a hyperlink on the item, and on the issue's page.

    ``due`` is when (epoch seconds) the reconciler has somebody look whether it does; None: it does.
    ``reason`` is why it could not be shown, once that was told. ``merged`` are ids that the issue had before
    it was merged, under which a hyperlink may still stand.
    """

    due: Moment | None = None
    reason: str = ""
    merged: tuple[str, ...] = ()


class Remnant(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a link that ended may have left on its ends; ``due``, ``reason``, ``merged`` as of its back-links.

    Until ``watched_until`` a worker that took the link for a living one may still be putting something there.
    ``gone_since`` is when its work item was first found deleted (epoch seconds; 0: it was not).
    """

    issue_id: str
    work_item_id: int
    due: Moment
    reason: str = ""
    merged: tuple[str, ...] = ()
    watched_until: Moment = 0.0
    gone_since: Moment = 0.0

    @property
    def names(self) -> frozenset[str]:
        """Return the ids under which its issue may stand in a hyperlink."""
        return frozenset({self.issue_id, *self.merged})


class PassedOver(msgspec.Struct, frozen=True):
    """The states that Azure DevOps refused for a work item of this type at this revision.

    ``tried`` are those that were tried since all there were had been refused.
    """

    rev: int
    work_item_type: str
    refused: tuple[str, ...]
    tried: tuple[str, ...]


class IssueLink(msgspec.Struct, frozen=True, omit_defaults=True):
    """One Sentry issue linked to one work item; ``seen`` is both ends as they were last settled.

    ``open_state`` is the last state of the work item that was not done. ``owed`` names the side that does not
    have the other side's assignee, for ``owed_reason``; the assignment is tried again later. ``writes`` holds
    the times (epoch seconds) of our own recent writes, for the guard against flapping. ``epoch`` is that of
    the connection to which both ids belong. ``waiting`` names the side that is to become done as soon as its
    other partners are. ``form`` is None for a link that was made in another way than by Sentry's form.
    ``passed_over`` are states that were refused, and are not asked for again at once. ``apart`` says for each
    field why both sides were left different, by the reason of the last decision about it. ``short_id`` and
    ``issue_title`` are the issue's, as it was last read. ``linked_at`` is when (epoch seconds) it was made; 0
    for a link of an older version. ``back_links`` is None for a link that does not show on its ends.
    ``synced_at`` is when (epoch seconds) a change was last seen to and both ends were at rest; 0 if never.
    ``undecided`` says that the work item moved to a state of which nobody knows what it counts as; ``seen``
    tells of the one before.
    """

    organization: str
    issue_id: str
    work_item_id: int
    project_id: str
    work_item_type: str
    seen: Ends
    title: str = ""
    area_path: str = ""
    open_state: str | None = None
    owed: Side | None = None
    health: Health = Health()
    claim: Claim | None = None
    writes: tuple[Moment, ...] = ()
    epoch: str = ""
    waiting: Side | None = None
    form: FormEntry | None = None
    owed_reason: str = ""
    passed_over: PassedOver | None = None
    apart: Mapping[str, str] = {}
    short_id: str = ""
    issue_title: str = ""
    linked_at: Moment = 0.0
    back_links: BackLinks | None = None
    synced_at: Moment = 0.0
    undecided: bool = False

    def moved_to(self, issue_id: str) -> "IssueLink":
        """Return the link with the issue into which its own was merged, which shows entries of its own."""
        form = None if self.form is None else FormEntry(self.form.at)
        shown = self.back_links
        if shown is not None:
            shown = BackLinks(due=0.0, merged=(*shown.merged, self.issue_id))
        return msgspec.structs.replace(self, issue_id=issue_id, form=form, back_links=shown)

    def known_as(self, names: Iterable[str], due: Moment) -> "IssueLink":
        """Return the link as one that is to be shown, and whose issue had more names than it knew.

        A hyperlink under any of them may be all that shows it.
        """
        if self.back_links is None:
            return self
        merged = tuple(sorted({*self.back_links.merged, *names} - {self.issue_id}))
        shown = msgspec.structs.replace(self.back_links, due=due, merged=merged)
        return msgspec.structs.replace(self, back_links=shown)

    @property
    def names(self) -> frozenset[str]:
        """Return the ids that its issue has and had."""
        return frozenset({self.issue_id, *(self.back_links.merged if self.back_links else ())})

    def remnant(self, due: float, watched_until: float = 0.0) -> Remnant:
        """Return what is to be taken away once this link has ended."""
        merged = self.back_links.merged if self.back_links else ()
        return Remnant(self.issue_id, self.work_item_id, due, merged=merged, watched_until=watched_until)

    @property
    def scope(self) -> str:
        """Name the connection that the link belongs to."""
        return scope_of(self.organization, self.epoch)

    @property
    def display_name(self) -> str:
        return f"{self.area_path}#{self.work_item_id}"

    def end(self, side: Side) -> End:
        return End(side, str(self.work_item_id) if side is Side.ADO else self.issue_id)


class ActivityEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One observation, decision, write or refusal of a link. ``at`` is in epoch seconds.

    ``told_by`` says who noticed the change; None where a person asked for it.
    """

    at: Moment
    outcome: str
    direction: str | None = None
    field: str | None = None
    before: str | None = msgspec.field(default=None, name="from")
    after: str | None = msgspec.field(default=None, name="to")
    rev: int | None = None
    reason: str | None = None
    told_by: ToldBy | None = None


class Integration(msgspec.Struct, frozen=True):
    """An integration of the Sentry organization: where it sends its webhooks, and of which resources."""

    name: str
    slug: str
    url: str
    events: tuple[str, ...]
