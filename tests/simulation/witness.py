"""The witness: it sees every edit, write and record, and says what was lost, unasked for or left undone.

It shares no rule with the code that it judges: what counts as done and who is who is spelled out again here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from shared.configuration import Configuration
from shared.errors import NotFound
from shared.model import (
    ActivityEntry,
    Assignee,
    IssueLink,
    IssueStatus,
    Person,
    SentryIssue,
    Stranger,
    WorkItem,
)
from shared.store.tables import Delete, Insert, Operation, Replace
from tests.doubles.ado import MemoryAdo
from tests.doubles.sentry import MemorySentry

STATUS, ASSIGNEE = "status", "assignee"
FIELDS = (STATUS, ASSIGNEE)
End = tuple[str, str]  # ("issue", its id) or ("item", its number)
Pair = tuple[str, int]
_WRITES_AN_EDIT = 2  # for each link that there is: one as news, one more after a conflict or a crash
_RECORDS = frozenset({"skipped", "refused"})


@dataclass(frozen=True)
class Edit:
    """The last change of one field of one end; ``owed_to`` are the links that had to notice it."""

    at: int
    by_person: bool
    value: object
    owed_to: frozenset[Pair] = frozenset()


@dataclass
class Life:
    """What the witness knows of one link, through its moves from issue to issue."""

    born: int
    issue_status: IssueStatus
    item_status: IssueStatus
    people: tuple[Assignee, Assignee]
    copied: bool
    may_write: bool
    noted: dict[str, int] = field(default_factory=dict)
    recorded: dict[str, int] = field(default_factory=dict)


class Witness:
    def __init__(
        self, ado: MemoryAdo, sentry: MemorySentry, configuration: Callable[[], Configuration]
    ) -> None:
        self._ado = ado
        self._sentry = sentry
        self._configuration = configuration
        self._links: Callable[[], Iterator[IssueLink]] = lambda: iter(())
        self._edits: dict[tuple[End, str], Edit] = {}
        self._announced: dict[str, IssueLink] = {}
        self.lives: dict[Pair, Life] = {}
        self.ticks = 0
        self.causes = 0
        self.writes = 0
        self.windows = 0
        self.reinterpreted = False
        self.violations: list[str] = []

    def watch(self, links: Callable[[], Iterator[IssueLink]]) -> None:
        self._links = links

    def tick(self) -> int:
        self.ticks += 1
        return self.ticks

    def status_of(self, item: WorkItem) -> IssueStatus:
        configuration = self._configuration()
        mapping = configuration.project_mapping(item.project_id)
        if mapping and any(item.state in each.done_states for each in mapping.for_type(item.work_item_type)):
            return IssueStatus.RESOLVED
        state = self._ado.kind_of(item).find_state(item.state)
        done = state is not None and state.category in [each.value for each in configuration.done_categories]
        return IssueStatus.RESOLVED if done else IssueStatus.UNRESOLVED

    def same_person(self, in_ado: Assignee, in_sentry: Assignee) -> bool:
        if isinstance(in_ado, Stranger) or isinstance(in_sentry, Stranger):
            return False
        if isinstance(in_ado, Person):
            in_ado = Person(self._configuration().people.get(in_ado.email, in_ado.email))
        return in_ado == in_sentry

    # What people do.

    def person_changed_issue(self, before: SentryIssue, after: SentryIssue) -> None:
        self._edited(("issue", after.issue_id), STATUS, before.status, after.status)
        self._edited(("issue", after.issue_id), ASSIGNEE, before.assignee, after.assignee)

    def person_changed_item(self, before: WorkItem, after: WorkItem) -> None:
        end = ("item", str(after.id))
        self._edited(end, STATUS, self.status_of(before), self.status_of(after))
        self._edited(end, ASSIGNEE, before.assignee, after.assignee)

    def something_else_changed(self) -> None:
        """Note what is no edit of a field, and yet a good reason to write: a merge, a document, a new member."""
        self.causes += 1
        for life in self.lives.values():
            life.may_write = True

    def _edited(self, end: End, name: str, before: object, after: object) -> None:
        if before == after:
            return
        self.causes += 1
        self._changed(end, name, after, by_person=True)

    def _changed(
        self, end: End, name: str, value: object, *, by_person: bool, by_link: Pair | None = None
    ) -> None:
        """Note a change, and which links have to notice it: not those that have seen the same before."""
        at = self.tick()
        owed = set()
        for link in self._links():
            pair = (link.issue_id, link.work_item_id)
            if end not in {("issue", link.issue_id), ("item", str(link.work_item_id))} or pair == by_link:
                continue
            if link.claim is not None or _seen(link, end, name) != value:
                owed.add(pair)
            if self._agree(link, name):
                self.lives[pair].noted[name] = at + 1  # There is nothing to carry over any more.
        self._edits[end, name] = Edit(at, by_person, value, frozenset(owed))
        self.tick()

    def _agree(self, link: IssueLink, name: str) -> bool:
        try:
            issue = self._sentry.get_issue(link.issue_id)
        except NotFound:
            return False
        item = self._ado.item(link.work_item_id)
        if name == STATUS:
            return self.status_of(item) is issue.status
        return self.same_person(item.assignee, issue.assignee)

    # What we do.

    def wrote_issue(self, token: str, looked: int, before: SentryIssue, after: SentryIssue) -> None:
        for name, old, new in (
            (STATUS, before.status, after.status),
            (ASSIGNEE, before.assignee, after.assignee),
        ):
            if old != new:
                self._wrote(token, ("issue", after.issue_id), name, looked, old, new)

    def wrote_item(self, token: str, before: WorkItem, after: WorkItem) -> None:
        end = ("item", str(after.id))
        if before.state != after.state:
            old, new = self.status_of(before), self.status_of(after)
            if old is new:
                self.violations.append(f"{before.state} was rewritten as {after.state}, which means the same")
            self._wrote(token, end, STATUS, None, old, new)
        if before.assignee != after.assignee:
            self._wrote(token, end, ASSIGNEE, None, before.assignee, after.assignee)

    def _wrote(self, token: str, end: End, name: str, looked: int | None, old: object, new: object) -> None:
        """Judge one change of ours. ``looked`` is when the worker last read the issue."""
        self.writes += 1
        link = self._announced.get(token)
        where = f"{name} of {' '.join(end)}"
        if link is None:
            self.violations.append(f"{where} was written by a worker that had not announced it")
            return
        pair = (link.issue_id, link.work_item_id)
        edit, life = self._edits.get((end, name)), self.lives.get(pair)
        if life is not None:
            if edit and edit.by_person and edit.value == old and pair in edit.owed_to:
                self._verify_noted(where, life.noted.get(name, 0), edit, looked, new)
            if end[0] == "item" and not self._has_cause(link, life, name):
                self.violations.append(f"{where} was written though nothing had changed on the other side")
        self._changed(end, name, new, by_person=False, by_link=pair)
        if life is not None:
            life.noted[name] = self.tick()

    def _verify_noted(self, where: str, noted: int, edit: Edit, looked: int | None, new: object) -> None:
        if noted > edit.at:
            return
        if looked is not None and edit.at > looked:
            # Sentry has no versions: nothing can keep a write from following an edit that came after the
            # look it was decided on. This is the one way in which an edit may be lost; it is counted.
            self.windows += 1
            return
        self.violations.append(f"a person's edit was lost without a word: {where} {edit.value} became {new}")

    def _has_cause(self, link: IssueLink, life: Life, name: str) -> bool:
        edit = self._edits.get((("issue", link.issue_id), name))
        return life.may_write or (edit is not None and edit.at > life.born)

    # What we record.

    def stored_links(self, operations: Sequence[Operation]) -> None:
        gone = [pair for each in operations if isinstance(each, Delete) and (pair := _pair(each.key))]
        lives = [self.lives.pop(pair) for pair in gone if pair in self.lives]
        for each in operations:
            if isinstance(each, Insert) and (pair := _pair(each.key)):
                link = msgspec.json.decode(each.text, type=IssueLink)
                self.lives[pair] = self._moved(lives[0]) if lives else self._born(link)
            elif isinstance(each, Replace) and '"claim":' in each.text and _pair(each.key):
                link = msgspec.json.decode(each.text, type=IssueLink)
                if link.claim is not None:
                    self._announced[link.claim.token] = link

    def _moved(self, life: Life) -> Life:
        life.may_write = True
        return life

    def _born(self, link: IssueLink) -> Life:
        seen, now = link.seen, self._sentry.get_issue(link.issue_id).side
        copied = any(_is_made_up(each) for each in (seen.issue.assignee, seen.item.assignee))
        people = (seen.item.assignee, seen.issue.assignee)
        may_write = copied or now != seen.issue
        return Life(self.tick(), seen.issue.status, seen.item.status, people, copied, may_write)

    def stored_activity(self, operations: Sequence[Operation]) -> None:
        for each in operations:
            if isinstance(each, Insert):
                number, issue_id, _ = each.key.split("!", 2)
                life = self.lives.get((issue_id, int(number)))
                if life is not None:
                    self._noted(life, msgspec.json.decode(each.text, type=ActivityEntry))

    def _noted(self, life: Life, entry: ActivityEntry) -> None:
        at = self.tick()
        for name in FIELDS if entry.field is None else (entry.field,):
            life.noted[name] = at
            if entry.outcome in _RECORDS:
                life.recorded[name] = at

    # When all is quiet.

    def complaints(self) -> Iterator[str]:
        """Say what is still not as it should be, now that nothing is under way any more."""
        links = list(self._links())
        for link in links:
            for complaint in self._complaints_about(link):
                yield f"link {link.issue_id}–{link.work_item_id}: {complaint}"
        allowed = _WRITES_AN_EDIT * max(len(self.lives), 1) * (self.causes + 2 * len(self.lives))
        if self.writes > allowed:
            yield f"{self.writes} writes for {self.causes} edits"

    def _complaints_about(self, link: IssueLink) -> Iterator[str]:
        try:
            issue = self._sentry.get_issue(link.issue_id)
        except NotFound:
            issue = None
        if issue is None or self._ado.is_deleted(link.work_item_id):
            if link.health.reason not in {"work-item-gone", "issue-gone"}:
                yield f"an end is gone, and its health is {link.health.word} {link.health.reason}"
            return
        if issue.issue_id != link.issue_id:
            yield "it did not follow the merge of its issue"
            return
        if link.claim is not None:
            yield "its claim was left behind"
        item = self._ado.item(link.work_item_id)
        yield from self._complaints_about_health(link, item)
        yield from self._complaints_about_seen(link, issue, item)
        yield from self._complaints_about_agreement(link, issue, item)

    def _complaints_about_health(self, link: IssueLink, item: WorkItem) -> Iterator[str]:
        health = link.health
        if health.word == "settled" and not health.reason:
            return
        true_reasons = {
            "assignee-not-found": link.owed is not None,
            "refused": self._cannot_move_freely(item),
            "no-such-state": True,
        }
        if health.word != "attention" or not true_reasons.get(health.reason):
            yield f"its health is {health.word} {health.reason} {health.detail}"

    def _cannot_move_freely(self, item: WorkItem) -> bool:
        kind = self._ado.kind_of(item)
        return len(kind.moves_from(item.state)) < len(kind.states)

    def _complaints_about_seen(self, link: IssueLink, issue: SentryIssue, item: WorkItem) -> Iterator[str]:
        if link.health.reason in {"refused", "no-such-state"}:
            return
        seen = link.seen
        if seen.issue != issue.side:
            yield f"it believes the issue to be {_told(seen.issue)}, which is {_told(issue.side)}"
        if (seen.item.state, seen.item.assignee) != (item.state, item.assignee):
            yield f"it believes the work item to be {_told(seen.item)}, which is {_told(item)}"
        if seen.item.rev != item.rev:
            yield f"it has seen rev {seen.item.rev} and the work item is at {item.rev}"

    def _complaints_about_agreement(
        self, link: IssueLink, issue: SentryIssue, item: WorkItem
    ) -> Iterator[str]:
        life, status = self.lives[link.issue_id, link.work_item_id], self.status_of(item)
        if status is not issue.status and not self.reinterpreted:
            as_linked = (life.issue_status, life.item_status) == (issue.status, status)
            yield from self._unless_recorded(link, life, STATUS, as_linked, f"{item.state}, {issue.status}")
        if not self.same_person(item.assignee, issue.assignee):
            as_linked = life.people == (item.assignee, issue.assignee)
            yield from self._unless_recorded(
                link, life, ASSIGNEE, as_linked, f"{item.assignee}, {issue.assignee}"
            )

    def _unless_recorded(
        self, link: IssueLink, life: Life, name: str, as_linked: bool, values: str
    ) -> Iterator[str]:
        """Complain about ends that disagree, unless the last edit that mattered was followed by a record."""
        if as_linked and not life.copied:
            return
        pair = (link.issue_id, link.work_item_id)
        ends: tuple[End, ...] = (("issue", link.issue_id), ("item", str(link.work_item_id)))
        edits = [edit for end in ends if (edit := self._edits.get((end, name)))]
        last = max((edit.at for edit in edits if pair in edit.owed_to), default=0)
        if life.recorded.get(name, -1) <= last:
            yield f"its ends disagree about the {name} ({values}), and nothing recorded says why"


def _seen(link: IssueLink, end: End, name: str) -> object:
    side = link.seen.issue if end[0] == "issue" else link.seen.item
    return side.status if name == STATUS else side.assignee


def _is_made_up(assignee: Assignee) -> bool:
    """Tell whether a link was made to copy one side over at once, as if that side had just changed."""
    return isinstance(assignee, Stranger) and assignee.reason == "initial"


def _pair(key: str) -> Pair | None:
    kind, *parts = key.split("!")
    return (parts[1], int(parts[0])) if kind == "item" else None


def _told(side: object) -> str:
    return " ".join(
        f"{name}={getattr(side, name)}" for name in ("state", "status", "assignee") if hasattr(side, name)
    )
