"""The laws of each link by itself: what it saw, what it wrote over, what it left alone and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from shared.domain.model import (
    ActivityEntry,
    Assignee,
    Claim,
    Ends,
    Health,
    IssueLink,
    IssueStatus,
    Person,
    SentryIssue,
    Side,
    Stranger,
    WorkItem,
)
from shared.store.tables import Delete, Insert, Operation
from tests.simulation.laws import Law, Verdicts
from tests.simulation.witness.facts import (
    ASSIGNEE,
    FIELDS,
    ISSUE,
    ITEM,
    STATUS,
    Facts,
    Pair,
    Values,
    Worker,
    ends_of,
    issue_end,
    item_end,
    pair_of,
)
from tests.simulation.witness.hops import Hops

_WRITES_AN_EDIT = 2  # for each link: one as news, one more after a conflict or a crash
_LEFT_ALONE = frozenset({"skipped", "refused"})
# What keeps a change from counting as seen, so that it is tried again.
_NOT_SEEN_FOR = frozenset({"refused", "unknown-state", "no-such-state", "state-unreachable"})
_OUT_OF_REACH = frozenset({"no-such-state", "state-unreachable"})
_WARNINGS = frozenset({"conflict-resolved", "repeated"})


@dataclass
class Life:
    """What the witness knows of one link, through its moves from issue to issue.

    ``agreed`` are the values with which both ends last agreed, so that there was nothing to carry over;
    ``landed`` those after a write of ours that is not on record yet, and that no person made;
    ``warned`` those of which it is on record that one will be overwritten;
    ``left_alone`` those of which it is on record that they stay as they are.
    ``stays_archived`` says that the link saw its item opened by us for another one, which goes no further, or
    its issue archived while the item was open. ``status`` is what the link had seen of it last. ``copying``
    says that a person has one side copied over, whatever stands on the other.
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
    health: Health = field(default_factory=Health)
    waits: bool = False
    stays_archived: bool = False
    status: Values | None = None
    copying: bool = False


class Lives:
    def __init__(self, facts: Facts, verdicts: Verdicts, hops: Hops) -> None:
        self._facts = facts
        self._verdicts = verdicts
        self._hops = hops
        self._by_person: set[tuple[str, str]] = set()
        self._ours: dict[tuple[str, str], object] = {}
        self._meant: dict[tuple[str, str], list[object]] = {}
        self._announced: dict[str, tuple[str, IssueLink]] = {}
        self._read_as_ours: dict[tuple[str, str], bool] = {}
        self.lives: dict[Pair, Life] = {}
        self.causes = self.writes = self.windows = 0

    def against(self, problem: str) -> None:
        self._verdicts.against(Law.SETTLED, problem)

    # What people do.

    def person_changed_issue(self, before: SentryIssue, after: SentryIssue) -> None:
        for name in self._facts.changed_in_issue(before, after):
            self.causes += 1
            self._changed(issue_end(after.issue_id), name, by_person=True)

    def person_changed_item(self, before: WorkItem, after: WorkItem) -> None:
        for name in self._facts.changed_in_item(before, after):
            self.causes += 1
            self._changed(item_end(after.id), name, by_person=True)
        if before.state != after.state:
            # Also a state that counts the same is that person's choice now.
            self._hops.person_changed(item_end(after.id), STATUS)

    def something_else_changed(self) -> None:
        """Note what is no edit of a field and yet a reason to write: a merge, a document, a new member."""
        self.causes += 1
        for life in self.lives.values():
            life.may_write = True

    def _changed(self, end: str, name: str, *, by_person: bool) -> None:
        """Note who made the last change of a field; ends that agree leave a link nothing to notice."""
        (self._by_person.add if by_person else self._by_person.discard)((end, name))
        if by_person:
            self._hops.person_changed(end, name)
        for link in self._facts.links():
            life = self.lives.get(pair_of(link))
            if life is None or end not in ends_of(pair_of(link)):
                continue
            if end.startswith("issue"):
                life.stirred.add(name)
            issue, item = self._facts.find_issue(link.issue_id), self._facts.ado.item(link.work_item_id)
            if issue is None:
                continue
            values = self._facts.values(name, issue, item)
            if self._facts.agree(name, values, issue, item):
                life.agreed[name] = values

    # What we do.

    def read_issue(self, worker: Worker, issue: SentryIssue) -> None:
        self._read_as_ours[worker.token, issue_end(issue.issue_id)] = self._is_own_archive(issue)

    def wrote_issue(
        self, worker: Worker, known: SentryIssue | None, before: SentryIssue, after: SentryIssue
    ) -> None:
        """Judge a write to an issue, ``known`` as the worker had read it under the id by which it wrote."""
        came_back = before.status is IssueStatus.IGNORED is not after.status
        # Who archives anew, after the worker's look, what we had archived is overwritten unseen; see _lost.
        looked_like_ours = self._read_as_ours.get((worker.token, issue_end(after.issue_id)), False)
        is_own = looked_like_ours or self._is_own_archive(before)
        if came_back and known and known.side == before.side and not (is_own or worker.copies):
            self.against(f"issue {after.issue_id} was archived, and is {after.status} by our hand")
        for name in self._facts.changed_in_issue(before, after):
            old, new = getattr(before, name), getattr(after, name)
            seen_before_writing = known is not None and getattr(known, name) == old
            self._wrote(
                worker, ISSUE, issue_end(after.issue_id), name, old, new, observed=seen_before_writing
            )
        self._wrote_the_same(worker, after)

    def _is_own_archive(self, issue: SentryIssue) -> bool:
        """Tell whether an issue is archived because we archived it, and no person has touched that since."""
        key = issue_end(issue.issue_id), STATUS
        is_ours = self._ours.get(key) is IssueStatus.IGNORED and key not in self._by_person
        return issue.status is IssueStatus.IGNORED and is_ours

    def _wrote_the_same(self, worker: Worker, after: SentryIssue) -> None:
        """Note what a person chose between our announcement of that very value and our write.

        Sentry answers a write that changes nothing as it does any other, so it cannot be told from ours.
        """
        announced = self.announced(worker)
        claim = announced[1].claim if announced is not None else None
        for intent in claim.intents if claim is not None else ():
            if intent.side is Side.SENTRY and getattr(after, intent.field) == intent.value:
                self._ours[issue_end(after.issue_id), intent.field] = intent.value

    def wrote_item(self, worker: Worker, before: WorkItem, after: WorkItem) -> None:
        names = self._facts.changed_in_item(before, after)
        # A worker may still go by the document that it read before another one counted states differently,
        # and a state that was taken from the process means nothing any more.
        is_open = self._facts.reinterpreted or self._facts.may_be_unknown(before.state)
        # The revision of a restored backup, reached anew, cannot be told from the one that was seen.
        looks_the_same = len(self._facts.revisions_at(before.id, before.rev)) > 1
        is_open |= looks_the_same
        is_step = after.state in self._announced_steps(worker)
        if before.state != after.state and STATUS not in names and not is_open and not is_step:
            self.against(f"{before.state} was rewritten as {after.state}, which means the same")
        # A state that the process does not list has no category, and a worker may still go by that.
        is_known = before.state not in self._facts.forgotten and not looks_the_same
        if self._facts.is_removed(before) and is_known:
            self._verdicts.against(Law.REMOVED, f"work item {after.id} was Removed, and was written to")
        for name in names:
            status = name == STATUS
            old, new = (self._facts.status_of(each) if status else each.assignee for each in (before, after))
            seen_before_writing = after.id not in self._facts.restored
            self._wrote(worker, ITEM, item_end(after.id), name, old, new, observed=seen_before_writing)

    def _announced_steps(self, worker: Worker) -> set[str | None]:
        """Return the states on the way to the one that a worker announced."""
        announced = self.announced(worker)
        claim = announced[1].claim if announced is not None else None
        return {step.state for each in (claim.intents if claim else ()) for step in each.via}

    def _wrote(
        self, worker: Worker, side: int, end: str, name: str, old: object, new: object, *, observed: bool
    ) -> None:
        """Judge one change of ours. ``observed`` says whether the worker had seen the old value."""
        self.writes += 1
        announced = self.announced(worker)
        if announced is None:
            self.against(f"{name} of {end} was written by a worker that had not announced it")
            return
        partition, link = announced
        life = self.lives.get(pair_of(link)) if partition == self._facts.partition else None
        if life is not None:
            known = life.landed.get(name) or self._seen(link, name)
            noticed = old in (known[side], life.agreed.get(name, (None, None))[side])
            warned = any(each == name and values[side] == old for each, values in life.warned)
            # Whoever brought back what we had written, before anybody looked, has changed nothing; nor has
            # who chose what we had announced, if its write may have landed for all that its worker knows.
            is_ours = (end, name) in self._ours and self._ours[end, name] == old
            looks_like_ours = is_ours or old in self._meant.get((end, name), ())
            copies = bool(worker.copies) or life.copying
            if (end, name) in self._by_person and not (noticed or warned or copies):
                what = f"{name} of {end}, {old}, became {new}"
                self._lost(what, observed=observed and not looks_like_ours)
            if side == ITEM and not life.may_write and name not in life.stirred and not copies:
                self.against(f"{name} of {end} was written though the issue had not changed")
            if link.claim is not None:
                other = self._values_of(link, link.claim.after, name)[1 - side]
                life.landed[name] = (new, other) if side == ISSUE else (other, new)
            in_time = link.claim is not None and self._facts.clock() <= link.claim.until
            self._hops.wrote(worker, pair_of(link), end, name, in_time=in_time, copies=copies)
        if link.claim is not None and link.claim.until < worker.began:
            late = worker.began - link.claim.until
            self._verdicts.against(Law.CLAIM, f"{end} was written {late:.0f} s after the claim had run out")
        self._ours[end, name] = new
        self._meant.pop((end, name), None)
        self._changed(end, name, by_person=False)

    def announced(self, worker: Worker) -> tuple[str, IssueLink] | None:
        """Return the link for which a worker announced its writes, and the partition it is stored in."""
        return self._announced.get(worker.token)

    def _seen(self, link: IssueLink, name: str) -> Values:
        """Return what a link had seen of both ends when it announced its writes."""
        return self._values_of(link, link.seen, name)

    def _values_of(self, link: IssueLink, seen: Ends, name: str) -> Values:
        if name == ASSIGNEE:
            return seen.issue.assignee, seen.item.assignee
        if not seen.item.state:
            return seen.issue.status, None
        shown = self._facts.ado.item(link.work_item_id)
        item = replace(shown, state=seen.item.state, reasons=seen.item.reasons)
        return seen.issue.status, self._facts.status_of(item)

    def _lost(self, what: str, *, observed: bool) -> None:
        if observed:
            self.against(f"a person's edit was lost without a word: {what}")
        else:
            # Sentry has no versions: nothing can keep a write from following an edit that came after the
            # read it was decided on. Here an edit may be lost, and where it cannot be told from ours.
            self.windows += 1

    # What we record.

    def stored(self, worker: Worker, partition: str, operations: Sequence[Operation]) -> None:
        is_current = partition == self._facts.partition
        gone = [pair for each in operations if isinstance(each, Delete) and (pair := _pair(each.key))]
        lives = [self.lives.pop(pair) for pair in gone if is_current and pair in self.lives]
        if gone and not any(isinstance(each, Insert) for each in operations):
            self._hops.parted()
            # Whoever waits for others may do so no more.
            for life in self.lives.values():
                life.may_write |= life.waits
        for each in operations:
            if isinstance(each, Delete) or not (pair := _pair(each.key)):
                continue
            link = msgspec.json.decode(each.text, type=IssueLink)
            if link.claim is not None and link.claim.token == worker.token:
                self._announced[worker.token] = partition, link
                self._note_meant(link, link.claim)
            if not is_current:
                continue
            if isinstance(each, Insert):
                self.lives[pair] = self._moved(lives[0]) if lives else self._born(worker, link)
                if lives or self.lives[pair].copied:
                    self._hops.may_carry.add(pair)
            elif pair in self.lives:
                self._replaced(worker, self.lives[pair], link)

    def _note_meant(self, link: IssueLink, claim: Claim) -> None:
        """Note what is about to be written to a work item: its answer may never come."""
        for intent in claim.intents:
            if intent.side is Side.ADO:
                value = intent.status if intent.field == STATUS else intent.assignee
                self._meant.setdefault((item_end(link.work_item_id), intent.field), []).append(value)

    def _replaced(self, worker: Worker, life: Life, link: IssueLink) -> None:
        """Judge a link that was stored anew: who may write for it, and whether it goes back in time."""
        claim, before = link.claim, life.claim
        if claim and before and claim.token != before.token and before.until > self._facts.clock():
            self.against("two workers write for one link at once")
        life.copying = _is_made_up(link) and (bool(worker.copies) or life.copying)
        life.copied |= life.copying
        may_go_back = life.copying or link.work_item_id in self._facts.restored
        if link.seen.item.rev < life.rev and not may_go_back:
            self.against(f"a link went back from rev {life.rev} to {link.seen.item.rev}")
        self._verify_patience(life.health, link)
        known = life.rev
        life.claim, life.rev, life.health = claim, link.seen.item.rev, link.health
        was, life.status = life.status, self._seen(link, STATUS)
        if life.status[ITEM] is not IssueStatus.UNRESOLVED:
            life.stays_archived = False
        elif (
            self._hops.stands_for_another(pair_of(link), link.seen.item.rev)
            or self._was_opened_for_another(link, known)
            or _stayed_open(was, life.status)
        ):
            life.stays_archived = True
        if claim is None and link.health.word == "settled":
            life.warned.clear()
        for name in list(life.landed):
            if self._seen(link, name) == life.landed[name]:
                del life.landed[name]

    def _was_opened_for_another(self, link: IssueLink, known: int) -> bool:
        """Tell whether we opened the item for another link since this one looked.

        A person who closes it and opens it again before anybody looks has changed nothing that shows.
        """
        revisions = self._hops.revisions_for_others(pair_of(link), known, link.seen.item.rev)
        found = (each for rev in revisions for each in self._facts.revisions_at(link.work_item_id, rev))
        return any(self._facts.status_of(each) is IssueStatus.UNRESOLVED for each in found)

    def _verify_patience(self, before: Health, link: IssueLink) -> None:
        """However often something fails until then, the next try stays where it was."""
        due, now = link.health.due, self._facts.clock()
        if before.due is None or before.due <= now or before.reason != link.health.reason:
            return
        if due is None or due > before.due + 1.0:
            later = "never" if due is None else f"{due - before.due:.0f} s later"
            problem = f"a try that was due in {before.due - now:.0f} s was put off: {later} ({before.reason})"
            self._verdicts.against(Law.PATIENT, problem)

    def _moved(self, life: Life) -> Life:
        life.may_write = True
        return life

    def _born(self, worker: Worker, link: IssueLink) -> Life:
        seen, now = link.seen, self._facts.find_issue(link.issue_id)
        values = {name: self._seen(link, name) for name in FIELDS}
        # Whoever has a message links what a rule created, at which nobody looks: both sides are to agree.
        by_rule = bool(worker.about) and not worker.is_form
        copied = _is_made_up(link) or by_rule
        # What its worker has read may be news to it, also if it has passed meanwhile, or went by a merge.
        read = worker.observed.get(link.issue_id)
        is_as_seen = all(each is not None and each.side == seen.issue for each in (now, read or now))
        may_write = copied or not is_as_seen
        left_alone = set() if copied else set(values.items())
        if worker.is_form and not worker.copies:
            # An item that was made for an issue gets its assignee, and keeps the state that it was made in.
            left_alone.add((STATUS, values[STATUS]))
        status = values[STATUS]
        return Life(
            left_alone,
            seen.item.rev,
            copied=copied,
            may_write=may_write,
            stays_archived=_stayed_open(None, status),
            status=status,
        )

    def stored_activity(self, worker: Worker, operations: Sequence[Operation]) -> None:
        for each in operations:
            if isinstance(each, Insert):
                number, issue_id, _ = each.key.split("!", 2)
                if not number.isdecimal():
                    continue  # It names a link that is over under one of its ends.
                life = self.lives.get((issue_id, int(number)))
                entry = msgspec.json.decode(each.text, type=ActivityEntry)
                if life is not None and entry.field != "comment" and issue_id in worker.observed:
                    self._noted(life, worker, worker.observed[issue_id], int(number), entry)

    def _noted(
        self, life: Life, worker: Worker, issue: SentryIssue, number: int, entry: ActivityEntry
    ) -> None:
        """Take an entry by what its worker had observed: the issue it read, the revision it decided on."""
        _, link = self.announced(worker) or ("", None)
        announced = link.claim if link and link.work_item_id == number else None
        rev = entry.rev or (announced.tested_rev if announced else None)
        if rev is None:
            return
        items = self._facts.revisions_at(number, rev)
        for name in FIELDS if entry.field is None else (entry.field,):
            values = {self._facts.values(name, issue, item) for item in items}
            if entry.outcome in _LEFT_ALONE:
                life.left_alone |= {(name, each) for each in values}
            if entry.outcome in _WARNINGS:
                life.warned |= {(name, each) for each in values}
            if entry.field is not None:
                life.landed.pop(name, None)
            if entry.field == STATUS:
                life.waits = entry.reason == "waits-for-others"
            if entry.field == ASSIGNEE:
                life.refused = entry.direction if entry.outcome == "refused" else None
        if entry.outcome == "refused" and entry.field == STATUS:
            self._verify_refusal(items[-1], entry)
        if entry.outcome == "conflict-resolved" and not self._facts.reconfigured:
            self._verify_winner(entry)

    def _verify_refusal(self, item: WorkItem, entry: ActivityEntry) -> None:
        if entry.after in self._facts.ado.unlisted or item_end(item.id) in self._facts.bad:
            return
        if any(each.name == entry.after for each in self._facts.ado.kind_of(item).moves_from(item.state)):
            self.against(f"{entry.after} was refused together with something else, and given up")

    def _verify_winner(self, entry: ActivityEntry) -> None:
        """A side wins a conflict if the document says so, unless its changes do not travel."""
        configuration = self._facts.configuration
        status = entry.field == STATUS
        if status and entry.after in {each.on_archive for each in configuration.status_mapping.values()}:
            return  # Being archived wins, whatever the document says.
        travels = {
            "outbound": configuration.sync_status_forward
            if status
            else configuration.sync_forward_assignment,
            "inbound": configuration.sync_status_reverse if status else configuration.sync_reverse_assignment,
        }
        wanted = "inbound" if configuration.on_conflict == "ado" else "outbound"
        if entry.direction != wanted and travels[wanted]:
            self.against(f"a conflict about the {entry.field} went {entry.direction}, not {wanted}")

    # When all is quiet.

    def complaints(self) -> Iterator[str]:
        """Say what is still not as it should be, now that nothing is under way any more."""
        for link in self._facts.links():
            for complaint in self._complaints_about(link):
                yield f"link {link.issue_id} with {link.work_item_id}: {complaint}"
        lives = max(len(self.lives), 1)
        if self.writes > _WRITES_AN_EDIT * lives * (self.causes + 2 * lives):
            yield f"{self.writes} writes for {self.causes} edits"

    def unheard(self) -> Iterator[str]:
        """Say what is not as it should be with links that take themselves for well."""
        for link in self._facts.links():
            if link.health.word == "settled" and link.claim is None:
                for complaint in self._complaints_about(link):
                    yield f"link {link.issue_id} with {link.work_item_id}: {complaint}"

    def _complaints_about(self, link: IssueLink) -> Iterator[str]:
        if pair_of(link) not in self.lives:
            yield "it was removed, and is back"
            return
        if self._facts.is_kept_from(link):
            return
        issue = self._facts.find_issue(link.issue_id)
        if issue is None or self._facts.ado.is_deleted(link.work_item_id):
            if link.health.reason not in {"work-item-gone", "issue-gone"}:
                yield f"an end is gone, and its health is {link.health.word} {link.health.reason}"
            return
        if issue.issue_id != link.issue_id:
            yield "it did not follow the merge of its issue"
            return
        if link.claim is not None:
            yield "its claim was left behind"
        item = self._facts.ado.item(link.work_item_id)
        yield from self._complaints_about_health(link, issue, item)
        if self._is_ambiguous(link, item):
            return
        if link.health.reason not in _NOT_SEEN_FOR:
            yield from _complaints_about_seen(link, issue, item)
        yield from self._complaints_about_agreement(link, issue, item)

    def _complaints_about_health(self, link: IssueLink, issue: SentryIssue, item: WorkItem) -> Iterator[str]:
        health = link.health
        waits = health.reason == "waits-for-others" and link.waiting is not None
        if health.word == "settled" and (waits or not health.reason):
            return
        true_reasons = {
            "assignee-not-found": link.owed is not None,
            "refused": self._cannot_move_freely(item) and issue.status is not self._facts.status_of(item),
            "unknown-state": item.state in self._facts.ado.unlisted,
            "no-such-state": bool(self._facts.ado.unlisted),
            "state-unreachable": self._cannot_move_freely(item) and not self._can_reach(item, issue),
        }
        if health.word != "attention" or not true_reasons.get(health.reason):
            yield f"its health is {health.word} {health.reason} {health.detail}"

    def _cannot_move_freely(self, item: WorkItem) -> bool:
        kind = self._facts.ado.kind_of(item)
        return len(kind.moves_from(item.state)) < len(kind.states)

    def _can_reach(self, item: WorkItem, issue: SentryIssue) -> bool:
        """Tell whether three moves, through nothing that is Removed, lead to what the issue says."""
        kind, reached = self._facts.ado.kind_of(item), {item.state}
        for _ in range(3):
            here = [replace(item, state=name) for name in reached]
            if any(self._facts.status_of(each) is issue.status for each in here):
                return True
            reached |= {
                move.name
                for each in here
                for move in kind.moves_from(each.state)
                if move.category != "Removed" and move.name not in self._facts.ado.unlisted
            }
        return any(self._facts.status_of(replace(item, state=name)) is issue.status for name in reached)

    def _complaints_about_agreement(
        self, link: IssueLink, issue: SentryIssue, item: WorkItem
    ) -> Iterator[str]:
        """Complain about ends that disagree, unless it is on record that these values stay as they are."""
        life = self.lives[pair_of(link)]
        for name in FIELDS:
            values = self._facts.values(name, issue, item)
            if self._facts.agree(name, values, issue, item):
                continue
            if name == STATUS and (self._is_open_question(item) or link.health.reason in _OUT_OF_REACH):
                continue
            if self._hops.was_settled_by_another(pair_of(link), name):
                continue
            reopened = name == STATUS and values[ITEM] is IssueStatus.UNRESOLVED
            if reopened and self._is_own_archive(issue) and self._comes_back(link, life):
                yield "we archived the issue, its item is open again, and it is still archived"
            # An archived issue is never copied at linking, and no news to a link that wanted to.
            copied_nothing = life.copied and values[ISSUE] is IssueStatus.IGNORED
            if (name, values) not in life.left_alone and not copied_nothing:
                yield f"its ends disagree about the {name} {values}, and nothing recorded says why"
            elif (
                name == ASSIGNEE
                and not self._facts.reconfigured
                and self._is_known(life.refused, issue, item)
            ):
                yield f"its assignee {values} was refused, is known by now and was not tried again"

    def _comes_back(self, link: IssueLink, life: Life) -> bool:
        """Tell whether the reopening of the item is to take the issue out of the archive.

        An item that is done and open again before anybody looks has not been reopened since we left it.
        """
        configuration = self._facts.configuration
        is_on = configuration.issue_sync and configuration.sync_status_reverse
        is_well = link.health.word == "settled"
        return is_on and is_well and not (self._facts.reconfigured or life.stays_archived)

    def _is_ambiguous(self, link: IssueLink, item: WorkItem) -> bool:
        """Tell whether the revision that was seen has been taken away, and another one has its number."""
        return link.seen.item.rev == item.rev and len(self._facts.revisions_at(item.id, item.rev)) > 1

    def _is_open_question(self, item: WorkItem) -> bool:
        """Tell whether what a state counts as has changed, or cannot be known at the moment."""
        return self._facts.reinterpreted or item.state in self._facts.ado.unlisted

    def _is_known(self, direction: str | None, issue: SentryIssue, item: WorkItem) -> bool:
        """Tell whether the person we could not assign then is known by now."""
        if direction is None:
            return False
        if direction == "outbound":
            return isinstance(issue.assignee, Person) and self._facts.ado.knows(issue.assignee.email)
        people = self._facts.configuration.people
        return isinstance(item.assignee, Person) and self._facts.sentry.knows(
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


def _stayed_open(was: Values | None, status: Values) -> bool:
    """Tell whether an issue was archived, or linked as it was archived, while its item was open all the time.

    That was done for another item. This one cannot be reopened before it is done.
    """
    is_apart = status == (IssueStatus.IGNORED, IssueStatus.UNRESOLVED)
    if was is None:
        return is_apart
    return is_apart and was[ITEM] is IssueStatus.UNRESOLVED and was[ISSUE] is not IssueStatus.IGNORED


def _is_made_up(link: IssueLink) -> bool:
    """Tell whether a link is to have one side copied over, as if that side had just changed."""
    seen = link.seen
    initial = (isinstance(each, Stranger) and each.reason == "initial" for each in _assignees(seen))
    return any(initial) or not seen.item.state


def _assignees(seen: Ends) -> tuple[Assignee, Assignee]:
    return seen.issue.assignee, seen.item.assignee


def _pair(key: str) -> Pair | None:
    kind, *parts = key.split("!")
    return (parts[1], int(parts[0])) if kind == "item" else None


def _spelled(side: object) -> str:
    names = [name for name in ("state", "status", "assignee") if hasattr(side, name)]
    return ", ".join(f"{name} {getattr(side, name)}" for name in names)
