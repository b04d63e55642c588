"""The witness: it sees every edit, write and record, and says what was lost, unasked for or left undone.

It shares no rule with the code that it judges: what counts as done and who is who is spelled out again here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from shared.domain.configuration import Configuration
from shared.domain.errors import NotFound
from shared.domain.model import (
    ActivityEntry,
    Assignee,
    Claim,
    Ends,
    IssueLink,
    IssueStatus,
    Person,
    SentryIssue,
    Stranger,
    WorkItem,
)
from shared.store.tables import Delete, Insert, Operation
from tests.doubles.ado import MemoryAdo
from tests.doubles.sentry import MemorySentry

STATUS, ASSIGNEE = "status", "assignee"
FIELDS = (STATUS, ASSIGNEE)
ISSUE, ITEM = 0, 1
Pair = tuple[str, int]
Values = tuple[object, object]  # of one field, on the issue and on the work item
Observed = Mapping[str, SentryIssue]  # each issue as a worker last read it
_WRITES_AN_EDIT = 2  # for each link: one as news, one more after a conflict or a crash
_LEFT_ALONE = frozenset({"skipped", "refused"})
_WARNINGS = frozenset({"conflict-resolved", "repeated"})


@dataclass
class Life:
    """What the witness knows of one link, through its moves from issue to issue.

    ``agreed`` are the values with which both ends last agreed, so that there was nothing to carry over;
    ``landed`` those after a write of ours that is not on record yet, and that no person made;
    ``warned`` those of which it is on record that one will be overwritten;
    ``left_alone`` those of which it is on record that they stay as they are.
    """

    left_alone: set[tuple[str, Values]]
    rev: int
    copied: bool = False
    may_write: bool = False
    agreed: dict[str, Values] = field(default_factory=dict)
    landed: dict[str, Values] = field(default_factory=dict)
    stirred: set[str] = field(default_factory=set)
    claim: Claim | None = None
    warned: set[tuple[str, Values]] = field(default_factory=set)
    refused: str | None = None


class Witness:
    def __init__(
        self,
        ado: MemoryAdo,
        sentry: MemorySentry,
        configuration: Callable[[], Configuration],
        links: Callable[[], Iterator[IssueLink]],
        clock: Callable[[], float],
    ) -> None:
        self._ado = ado
        self._sentry = sentry
        self._configuration = configuration
        self._links = links
        self._clock = clock
        self._by_person: set[tuple[str, str]] = set()
        self._announced: dict[str, IssueLink] = {}
        self._lives: dict[Pair, Life] = {}
        self.reconfigured = self.reinterpreted = False
        self.causes = self.writes = self.windows = 0
        self.violations: list[str] = []

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

    def _values(self, name: str, issue: SentryIssue, item: WorkItem) -> Values:
        if name == STATUS:
            return issue.status, self.status_of(item)
        return issue.assignee, item.assignee

    def _agree(self, name: str, values: Values, issue: SentryIssue, item: WorkItem) -> bool:
        if name == STATUS:
            return values[ISSUE] is values[ITEM]
        return self.same_person(item.assignee, issue.assignee)

    def _find_issue(self, issue_id: str) -> SentryIssue | None:
        try:
            return self._sentry.get_issue(issue_id)
        except NotFound:
            return None

    # What people do.

    def person_changed_issue(self, before: SentryIssue, after: SentryIssue) -> None:
        for name in self._changed_in_issue(before, after):
            self.causes += 1
            self._changed(f"issue {after.issue_id}", name, by_person=True)

    def person_changed_item(self, before: WorkItem, after: WorkItem) -> None:
        for name in self._changed_in_item(before, after):
            self.causes += 1
            self._changed(f"item {after.id}", name, by_person=True)

    def something_else_changed(self) -> None:
        """Note what is no edit of a field and yet a reason to write: a merge, a document, a new member."""
        self.causes += 1
        for life in self._lives.values():
            life.may_write = True

    def _changed_in_issue(self, before: SentryIssue, after: SentryIssue) -> list[str]:
        return [name for name in FIELDS if getattr(before, name) != getattr(after, name)]

    def _changed_in_item(self, before: WorkItem, after: WorkItem) -> list[str]:
        changed = (self.status_of(before) is not self.status_of(after), before.assignee != after.assignee)
        return [name for name, has_changed in zip(FIELDS, changed, strict=True) if has_changed]

    def _changed(self, end: str, name: str, *, by_person: bool) -> None:
        """Note who made the last change of a field; ends that agree leave a link nothing to notice."""
        (self._by_person.add if by_person else self._by_person.discard)((end, name))
        for link in self._links():
            life = self._lives.get((link.issue_id, link.work_item_id))
            if life is None or end not in {f"issue {link.issue_id}", f"item {link.work_item_id}"}:
                continue
            if end.startswith("issue"):
                life.stirred.add(name)
            issue, item = self._find_issue(link.issue_id), self._ado.item(link.work_item_id)
            if issue is None:
                continue
            values = self._values(name, issue, item)
            if self._agree(name, values, issue, item):
                life.agreed[name] = values

    # What we do.

    def wrote_issue(
        self, token: str, known: SentryIssue | None, before: SentryIssue, after: SentryIssue
    ) -> None:
        if before.status is IssueStatus.IGNORED is not after.status and known and known.side == before.side:
            self.violations.append(f"issue {after.issue_id} was archived, and is {after.status} by our hand")
        for name in self._changed_in_issue(before, after):
            old, new = getattr(before, name), getattr(after, name)
            seen_before_writing = known is not None and getattr(known, name) == old
            self._wrote(token, ISSUE, f"issue {after.issue_id}", name, old, new, observed=seen_before_writing)

    def wrote_item(self, token: str, before: WorkItem, after: WorkItem) -> None:
        names = self._changed_in_item(before, after)
        # A worker may still go by the document that it read before another one counted states differently.
        if before.state != after.state and STATUS not in names and not self.reinterpreted:
            self.violations.append(f"{before.state} was rewritten as {after.state}, which means the same")
        for name in names:
            status = name == STATUS
            old, new = (self.status_of(each) if status else each.assignee for each in (before, after))
            self._wrote(token, ITEM, f"item {after.id}", name, old, new, observed=True)

    def _wrote(
        self, token: str, side: int, end: str, name: str, old: object, new: object, *, observed: bool
    ) -> None:
        """Judge one change of ours. ``observed`` says whether the worker had seen the old value."""
        self.writes += 1
        link = self._announced.get(token)
        if link is None:
            self.violations.append(f"{name} of {end} was written by a worker that had not announced it")
            return
        life = self._lives.get((link.issue_id, link.work_item_id))
        if life is not None:
            known = life.landed.get(name) or self._seen(link, name)
            noticed = old in (known[side], life.agreed.get(name, (None, None))[side])
            warned = any(each == name and values[side] == old for each, values in life.warned)
            if (end, name) in self._by_person and not noticed and not warned:
                self._lost(f"{name} of {end}, {old}, became {new}", observed=observed)
            if side == ITEM and not life.may_write and name not in life.stirred:
                self.violations.append(f"{name} of {end} was written though the issue had not changed")
            if link.claim is not None:
                other = self._values_of(link, link.claim.after, name)[1 - side]
                life.landed[name] = (new, other) if side == ISSUE else (other, new)
        self._changed(end, name, by_person=False)

    def _seen(self, link: IssueLink, name: str) -> Values:
        """Return what a link had seen of both ends when it announced its writes."""
        return self._values_of(link, link.seen, name)

    def _values_of(self, link: IssueLink, seen: Ends, name: str) -> Values:
        if name == ASSIGNEE:
            return seen.issue.assignee, seen.item.assignee
        if not seen.item.state:
            return seen.issue.status, None
        item = replace(self._ado.item(link.work_item_id), state=seen.item.state)
        return seen.issue.status, self.status_of(item)

    def _lost(self, what: str, *, observed: bool) -> None:
        if observed:
            self.violations.append(f"a person's edit was lost without a word: {what}")
        else:
            # Sentry has no versions: nothing can keep a write from following an edit that came after the
            # read it was decided on. In this one way an edit may be lost; it is counted.
            self.windows += 1

    # What we record.

    def stored_links(self, token: str, operations: Sequence[Operation]) -> None:
        gone = [pair for each in operations if isinstance(each, Delete) and (pair := _pair(each.key))]
        lives = [self._lives.pop(pair) for pair in gone if pair in self._lives]
        for each in operations:
            if isinstance(each, Delete) or not (pair := _pair(each.key)):
                continue
            link = msgspec.json.decode(each.text, type=IssueLink)
            if isinstance(each, Insert):
                self._lives[pair] = self._moved(lives[0]) if lives else self._born(link)
            elif pair in self._lives:
                self._replaced(self._lives[pair], link, token)

    def _replaced(self, life: Life, link: IssueLink, token: str) -> None:
        """Judge a link that was stored anew: who may write for it, and whether it goes back in time."""
        claim, before = link.claim, life.claim
        if claim and before and claim.token != before.token and before.until > self._clock():
            self.violations.append("two workers write for one link at once")
        if link.seen.item.rev < life.rev:
            self.violations.append(f"a link went back from rev {life.rev} to {link.seen.item.rev}")
        life.claim, life.rev = claim, link.seen.item.rev
        if claim is None and link.health.word == "settled":
            life.warned.clear()
        if claim is not None and claim.token == token:
            self._announced[token] = link
        for name in list(life.landed):
            if self._seen(link, name) == life.landed[name]:
                del life.landed[name]

    def _moved(self, life: Life) -> Life:
        life.may_write = True
        return life

    def _born(self, link: IssueLink) -> Life:
        seen, now = link.seen, self._find_issue(link.issue_id)
        values: dict[str, Values] = {
            STATUS: (seen.issue.status, seen.item.status),
            ASSIGNEE: (seen.issue.assignee, seen.item.assignee),
        }
        copied = any(_is_made_up(each) for each in (seen.issue.assignee, seen.item.assignee))
        may_write = copied or now is None or now.side != seen.issue
        left_alone = set() if copied else set(values.items())
        return Life(left_alone, seen.item.rev, copied=copied, may_write=may_write)

    def stored_activity(self, token: str, observed: Observed, operations: Sequence[Operation]) -> None:
        for each in operations:
            if isinstance(each, Insert):
                number, issue_id, _ = each.key.split("!", 2)
                life = self._lives.get((issue_id, int(number)))
                entry = msgspec.json.decode(each.text, type=ActivityEntry)
                if life is not None and issue_id in observed:
                    self._noted(life, token, observed[issue_id], int(number), entry)

    def _noted(self, life: Life, token: str, issue: SentryIssue, number: int, entry: ActivityEntry) -> None:
        """Take an entry by what its worker had observed: the issue it read, the revision it decided on."""
        link = self._announced.get(token)
        announced = link.claim if link and link.work_item_id == number else None
        rev = entry.rev or (announced.tested_rev if announced else None)
        if rev is None:
            return
        item = self._ado.revisions(number)[rev - 1].item
        for name in FIELDS if entry.field is None else (entry.field,):
            if entry.outcome in _LEFT_ALONE:
                life.left_alone.add((name, self._values(name, issue, item)))
            if entry.outcome in _WARNINGS:
                life.warned.add((name, self._values(name, issue, item)))
            if entry.field is not None:
                life.landed.pop(name, None)
            if entry.field == ASSIGNEE:
                life.refused = entry.direction if entry.outcome == "refused" else None
        if entry.outcome == "refused" and entry.field == STATUS:
            self._verify_refusal(item, entry)
        if entry.outcome == "conflict-resolved" and not self.reconfigured:
            self._verify_winner(entry)

    def _verify_refusal(self, item: WorkItem, entry: ActivityEntry) -> None:
        if any(each.name == entry.after for each in self._ado.kind_of(item).moves_from(item.state)):
            self.violations.append(f"{entry.after} was refused together with something else, and given up")

    def _verify_winner(self, entry: ActivityEntry) -> None:
        """A side wins a conflict if the document says so, unless its changes do not travel."""
        configuration = self._configuration()
        status = entry.field == STATUS
        travels = {
            "outbound": configuration.sync_status_forward
            if status
            else configuration.sync_forward_assignment,
            "inbound": configuration.sync_status_reverse if status else configuration.sync_reverse_assignment,
        }
        wanted = "inbound" if configuration.on_conflict == "ado" else "outbound"
        if entry.direction != wanted and travels[wanted]:
            self.violations.append(f"a conflict about the {entry.field} went {entry.direction}, not {wanted}")

    # When all is quiet.

    def complaints(self) -> Iterator[str]:
        """Say what is still not as it should be, now that nothing is under way any more."""
        for link in self._links():
            for complaint in self._complaints_about(link):
                yield f"link {link.issue_id} with {link.work_item_id}: {complaint}"
        lives = max(len(self._lives), 1)
        if self.writes > _WRITES_AN_EDIT * lives * (self.causes + 2 * lives):
            yield f"{self.writes} writes for {self.causes} edits"

    def _complaints_about(self, link: IssueLink) -> Iterator[str]:
        if (link.issue_id, link.work_item_id) not in self._lives:
            yield "it was removed, and is back"
            return
        issue = self._find_issue(link.issue_id)
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
        yield from self._complaints_about_health(link, issue, item)
        if link.health.reason != "refused":
            yield from _complaints_about_seen(link, issue, item)
        yield from self._complaints_about_agreement(link, issue, item)

    def _complaints_about_health(self, link: IssueLink, issue: SentryIssue, item: WorkItem) -> Iterator[str]:
        health = link.health
        waits = health.reason == "waits-for-others" and link.waiting is not None
        if health.word == "settled" and (waits or not health.reason):
            return
        true_reasons = {
            "assignee-not-found": link.owed is not None,
            "refused": self._cannot_move_freely(item) and issue.status is not self.status_of(item),
        }
        if health.word != "attention" or not true_reasons.get(health.reason):
            yield f"its health is {health.word} {health.reason} {health.detail}"

    def _cannot_move_freely(self, item: WorkItem) -> bool:
        kind = self._ado.kind_of(item)
        return len(kind.moves_from(item.state)) < len(kind.states)

    def _complaints_about_agreement(
        self, link: IssueLink, issue: SentryIssue, item: WorkItem
    ) -> Iterator[str]:
        """Complain about ends that disagree, unless it is on record that these values stay as they are."""
        life = self._lives[link.issue_id, link.work_item_id]
        for name in FIELDS:
            values = self._values(name, issue, item)
            if self._agree(name, values, issue, item) or (name == STATUS and self.reinterpreted):
                continue
            # An archived issue is never copied at linking, and no news to a link that wanted to.
            copied_nothing = life.copied and values[ISSUE] is IssueStatus.IGNORED
            if (name, values) not in life.left_alone and not copied_nothing:
                yield f"its ends disagree about the {name} {values}, and nothing recorded says why"
            elif name == ASSIGNEE and not self.reconfigured and self._is_known(life.refused, issue, item):
                yield f"its assignee {values} was refused, is known by now and was not tried again"

    def _is_known(self, direction: str | None, issue: SentryIssue, item: WorkItem) -> bool:
        """Tell whether the person we could not assign then is known by now."""
        if direction is None:
            return False
        if direction == "outbound":
            return isinstance(issue.assignee, Person) and self._ado.knows(issue.assignee.email)
        people = self._configuration().people
        return isinstance(item.assignee, Person) and self._sentry.knows(
            people.get(item.assignee.email, item.assignee.email)
        )


def _complaints_about_seen(link: IssueLink, issue: SentryIssue, item: WorkItem) -> Iterator[str]:
    seen = link.seen
    if seen.issue != issue.side:
        yield f"it believes the issue to be {_spelled(seen.issue)}, which is {_spelled(issue)}"
    if (seen.item.state, seen.item.assignee) != (item.state, item.assignee):
        yield f"it believes the work item to be {_spelled(seen.item)}, which is {_spelled(item)}"
    if seen.item.rev != item.rev:
        yield f"it has seen rev {seen.item.rev} and the work item is at {item.rev}"


def _is_made_up(assignee: Assignee) -> bool:
    """Tell whether a link was made to copy one side over at once, as if that side had just changed."""
    return isinstance(assignee, Stranger) and assignee.reason == "initial"


def _pair(key: str) -> Pair | None:
    kind, *parts = key.split("!")
    return (parts[1], int(parts[0])) if kind == "item" else None


def _spelled(side: object) -> str:
    names = [name for name in ("state", "status", "assignee") if hasattr(side, name)]
    return ", ".join(f"{name} {getattr(side, name)}" for name in names)
