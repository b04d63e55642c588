"""Azure DevOps in memory: what the sync asks of it, what people do in it, and the hooks it sends."""

import itertools
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from shared.ado.answers import Relation, WorkItemAnswer
from shared.ado.client import Project
from shared.ado.identity import name_of
from shared.domain.decoding import Shape, convert
from shared.domain.errors import Conflict, FeedLost, NotAssignable, NotFound, Refused, Unavailable
from shared.domain.model import (
    ASSIGNEE_NOT_FOUND,
    ASSIGNEE_UNREADABLE,
    FEED_FORBIDDEN,
    FEED_TOKEN_REFUSED,
    FEED_UNSUPPORTED,
    Assignee,
    Category,
    FoundWorkItems,
    Person,
    RevisedItem,
    RevisionPage,
    State,
    Stranger,
    WorkItem,
    WorkItemTypes,
)
from shared.domain.ports import UNSET, Unset
from simulator.ado.catalog import Catalog, default_catalog
from simulator.ado.catalog import Project as CatalogProject
from simulator.ado.errors import Refused as FakeRefused
from simulator.ado.processes import FIELDS, WorkItemType, default_reason, reasons_for
from simulator.ado.processes import State as ProcessState
from simulator.ado.revisions import FeedModes, RevisionLog
from simulator.ado.text import check_text, check_title

ANN = "ann@corp.example"
SERVICE = "sync@corp.example"
BASE_URL = "https://dev.azure.com/fabrikam/"
_OF_EVERY_TYPE = ("System.Title", "System.State", "System.Description", "System.AreaPath", "System.Tags")


@dataclass(frozen=True)
class Revision:
    item: WorkItem
    by: str
    resolved_reason: str = ""


@dataclass(frozen=True)
class Event:
    """Something that a subscription hears of; ``before`` is None where only the fact matters."""

    kind: str
    item: WorkItem
    before: WorkItem | None = None
    number: int = 0
    comment: "Comment | None" = None


@dataclass(frozen=True)
class Comment:
    id: int
    text: str
    by: str


@dataclass
class _Entry:
    revisions: list[Revision] = field(default_factory=list)
    created_at: float = 0.0
    is_deleted: bool = False
    comments: list[Comment] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)

    @property
    def item(self) -> WorkItem:
        return self.revisions[-1].item


def _nobody_listens(_event: Event) -> None:
    pass


class MemoryAdo:
    """One organization, with the projects, processes and people of ``simulator.ado``.

    The methods of ``shared.domain.ports`` are what our own token does; ``add_item``, ``edit``, ``move``,
    ``delete`` and ``restore`` are what people do, by the names that ``simulator.ado`` has for them.
    """

    def __init__(self, catalog: Catalog | None = None, clock: Callable[[], float] = time.time) -> None:
        self.catalog = catalog or default_catalog("fabrikam", projects=5)
        self.revision_log = RevisionLog(clock)
        self.feed_modes = FeedModes()
        self.announce: Callable[[Event], None] = _nobody_listens
        # States that the processes do not have yet, or no longer: nobody can set them, no list shows them.
        self.unlisted: frozenset[str] = frozenset()
        # By so many seconds its clock is ahead of ours; None: it does not say.
        self.ahead: float | None = None
        # Who has the address by now, if it is another organization.
        self.taken_by = ""
        # Whether a change of hyperlinks alone makes a revision was not confirmed.
        self.hyperlinks_make_revisions = True
        self._now = clock
        self._entries: dict[int, _Entry] = {}
        # What was answered of work items, and each as it was then.
        self._answered: list[tuple[object, WorkItem]] = []
        self._names = {person.unique_name: person.name for person in self.catalog.people}
        self._comment_ids = itertools.count(1)

    # What the sync asks.

    def instance_id(self) -> str:
        return self.taken_by or self.catalog.account_id

    def clock_ahead(self) -> float | None:
        return self.ahead

    def try_to_write(self, item: WorkItem) -> None:
        self._live(item.id)

    def get_work_item(self, work_item_id: int) -> WorkItem:
        return self._live(work_item_id).item

    def find_work_items(self, work_item_ids: Sequence[int]) -> FoundWorkItems:
        found = ((each, self._entries.get(each)) for each in work_item_ids)
        return FoundWorkItems(
            {
                each: replace(entry.item, reasons=None)
                for each, entry in found
                if entry is not None and not entry.is_deleted
            }
        )

    def update_work_item(
        self,
        work_item_id: int,
        rev: int,
        *,
        state: str | Unset = UNSET,
        assignee: Assignee | Unset = UNSET,
    ) -> WorkItem:
        entry = self._live(work_item_id)
        if entry.item.rev != rev:
            raise Conflict(f"VS403351: rev is {entry.item.rev}, not {rev}")
        wanted = entry.item
        if not isinstance(state, Unset):
            wanted = replace(wanted, state=self._reachable(wanted, state))
        if not isinstance(assignee, Unset):
            wanted = replace(wanted, assignee=self._known(name_of(assignee)))
        return self._revise(entry, wanted, SERVICE)

    def get_revisions(self, token: str | None, *, since: float | None = None) -> RevisionPage:
        log, modes = self.revision_log, self.feed_modes
        start = self._feed_start(token, since)
        page = log.read(start, latest_only=True)
        items: list[RevisedItem] = []
        deleted: set[int] = set()
        for shown in page.entries:
            entry = self._entries[shown.work_item_id]
            if not entry.is_deleted or modes.deleted_as == "unflagged":
                items.append(self._revised(entry.revisions[shown.rev - 1].item))
            elif modes.deleted_as != "absent":
                deleted.add(shown.work_item_id)
        is_untold = not page.entries and token is None and since is not None and not modes.empty_has_token
        next_token = None if is_untold else log.token(page.end)
        return RevisionPage(tuple(items), frozenset(deleted), frozenset(), next_token, page.is_last)

    def _feed_start(self, token: str | None, since: float | None) -> int:
        """Return the position to read on from, or raise what the client makes of a refusal."""
        modes = self.feed_modes
        if modes.refusal == 403:
            raise FeedLost("ado", "HTTP 403", kind=FEED_FORBIDDEN)
        if modes.refusal is not None:
            kind = FEED_UNSUPPORTED if token is None else FEED_TOKEN_REFUSED
            raise FeedLost("ado", f"HTTP {modes.refusal}", kind=kind)
        if token is None:
            return 0 if since is None else self.revision_log.since(since)
        position = self.revision_log.position(token)
        if position is None and modes.lost_token >= 500:
            raise Unavailable("ado", f"HTTP {modes.lost_token}")
        if position is None and modes.lost_token != 200:
            raise FeedLost("ado", f"HTTP {modes.lost_token}", kind=FEED_TOKEN_REFUSED)
        return position or 0

    def _revised(self, item: WorkItem) -> RevisedItem:
        return RevisedItem(
            id=item.id,
            rev=item.rev,
            project=self.catalog.projects[item.project_id].name,
            work_item_type=item.work_item_type,
            state=item.state,
            assignee=item.assignee,
            title=item.title,
            area_path=item.area_path,
        )

    def find_project_ids(self, names: Collection[str]) -> dict[str, str]:
        known = {project.name.casefold(): project.id for project in self.catalog.projects.values()}
        return {name: known[name.casefold()] for name in names if name.casefold() in known}

    def get_project(self, name_or_id: str) -> Project:
        home = self._home(name_or_id)
        return Project(home.id, home.name)

    def projects(self) -> Iterator[Project]:
        return (Project(each.id, each.name) for each in self.catalog.projects.values())

    def creatable_types(self, project_id: str) -> list[str]:
        return [each.name for each in self._home(project_id).process.types if not each.disabled]

    def get_work_item_types(self, project_id: str) -> WorkItemTypes:
        return _types_of(self._home(project_id).process.types, self.unlisted)

    def call(
        self,
        method: str,
        path: tuple[str, ...],
        kind: type[Shape],
        *,
        about: str = "",
        missing: str = "not-found",
        json: Any = None,
        params: Any = None,
        headers: Any = None,  # likewise
    ) -> Shape:
        """Answer what the sync spells as a path: about a discussion, about hyperlinks, and to create an item.

        ADO quirk: comments, unlike work items, are only found under their project.
        """
        match path:
            case (project, "_apis", "wit", "workitemtypes", name, "fields"):
                return convert({"value": _fields_of(self._type(project, name))}, kind)
            case (project, "_apis", "wit", "workitems", name) if method == "POST" and name.startswith("$"):
                return self._create(project, name.removeprefix("$"), json, kind)
            case ("_apis", "wit", "fields"):
                return convert({"value": []}, kind)  # None that is read-only.
            case ("_apis", "wit", "wiql"):
                return convert({"workItems": self._queried(json["query"])}, kind)
            case ("_apis", "wit", "workitemsbatch") if "fields" in json:
                return convert({"value": [self._assigned(each) for each in json["ids"]]}, kind)
            case ("_apis", "wit", "workitemsbatch"):
                shown = [self._related(each) for each in json["ids"]]
                return convert({"value": shown}, kind)
            case (project_id, "_apis", "wit", "workItems", work_item_id, "comments", *comment_id):
                entry = self._live(int(work_item_id))
            case ("_apis", "wit", "workitems", work_item_id):
                return self._answer_about_relations(method, self._live(int(work_item_id)), kind, json)
            case _:
                raise ValueError(f"the double knows no {method} {path}")
        if entry.item.project_id != project_id:
            raise NotFound("TF401232: the work item is in another project", kind=missing)
        return convert(self._discuss(method, entry, [int(each) for each in comment_id], json), kind)

    def _discuss(self, method: str, entry: _Entry, comment_id: list[int], json: Any) -> object:
        match method, comment_id:
            case "GET", []:
                return {"comments": [_shown(each) for each in reversed(entry.comments)]}
            case "GET", [number]:
                return _shown(self._comment(entry, number))
            case "POST", []:
                return _shown(self._say(entry, json["text"], SERVICE))
            case "PATCH", [number]:
                return _shown(self._say_anew(entry, number, json["text"], SERVICE))
            case "DELETE", [number]:
                entry.comments.remove(self._comment(entry, number))
                self._announce_revision(entry, SERVICE)
                return None
        raise ValueError(f"the double knows no {method} of a comment")

    def _comment(self, entry: _Entry, comment_id: int) -> Comment:
        for each in entry.comments:
            if each.id == comment_id:
                return each
        raise NotFound(f"there is no comment {comment_id}", kind="comment-not-found")

    def _say(self, entry: _Entry, text: str, by: str) -> Comment:
        _check(text)
        comment = Comment(next(self._comment_ids), text, by)
        entry.comments.append(comment)
        self._announce_revision(entry, by)
        self.announce(Event("commented", entry.item, comment=comment))
        return comment

    def _say_anew(self, entry: _Entry, comment_id: int, text: str, by: str) -> Comment:
        """Edit a comment; nobody hears of another one, since there is none."""
        _check(text)
        before = self._comment(entry, comment_id)
        comment = Comment(before.id, text, before.by)
        entry.comments[entry.comments.index(before)] = comment
        self._announce_revision(entry, by)
        return comment

    def _announce_revision(self, entry: _Entry, by: str) -> None:
        """Make a revision in which nothing is new that anybody syncs."""
        before = entry.item
        self._append(entry, before, by)
        self.announce(Event("updated", entry.item, before))

    def _home(self, project: str) -> CatalogProject:
        try:
            return self.catalog.project(project)
        except FakeRefused as error:
            raise NotFound(error.message, kind="project-not-found") from None

    def _type(self, project: str, name: str) -> WorkItemType:
        found = self._home(project).process.find_type(name)
        if found is None:
            raise NotFound(f"VS402323: Work item type {name} does not exist in project {project}")
        return found

    def _create(self, project: str, name: str, patch: list[dict[str, Any]], kind: type[Shape]) -> Shape:
        """Create a work item as ``patch`` says; nobody hears of it, since nobody subscribes to that."""
        fields: dict[str, Any] = {}
        relations: list[Relation] = []
        for each in patch:
            match each["path"].split("/", 2)[1:]:
                case "fields", reference:
                    fields[reference] = each["value"]
                case "relations", "-":
                    relations.append(convert(each["value"], Relation))
                case what:
                    raise ValueError(f"the double knows no {what}")
        found = self._type(project, name)
        lacking = [each for each in found.required if each.startswith("Custom.") and each not in fields]
        if lacking:
            raise Refused("ado", f"TF401320: Rule Error for field {lacking[0]}. Error code: Required")
        number = max(self._entries, default=0) + 1
        title = fields["System.Title"]
        item = self.add_item(title, number, kind=found.name, project=project, actor=SERVICE)
        if area := fields.get("System.AreaPath"):
            item = replace(item, area_path=area)
            self._entries[number].revisions = [Revision(item, SERVICE)]
        self._entries[number].relations = relations
        return self._answer(item, kind)

    def _queried(self, query: str) -> list[dict[str, int]]:
        """Find what is assigned to somebody, has hyperlinks, or was created by our own token."""
        if "[System.AssignedTo] <> ''" in query:
            return [
                {"id": number}
                for number, entry in self._entries.items()
                if entry.item.assignee is not None and not entry.is_deleted
            ]
        behind = re.search(r"\[System\.HyperLinkCount\] > 0 AND \[System\.Id\] > ([0-9]+)", query)
        if behind is not None:
            return [
                {"id": number}
                for number, entry in sorted(self._entries.items())
                if number > int(behind[1]) and entry.relations and not entry.is_deleted
            ]
        moment = re.search(r"\[System\.CreatedBy\] = @me AND \[System\.CreatedDate\] >= '([^']+)'", query)
        if moment is None:
            raise ValueError(f"the double knows no query {query}")
        since = datetime.strptime(moment[1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
        return [
            {"id": number}
            for number, entry in sorted(self._entries.items(), reverse=query.endswith("[System.Id] DESC"))
            if entry.revisions[0].by == SERVICE and entry.created_at >= since and not entry.is_deleted
        ]

    def _assigned(self, work_item_id: int) -> dict[str, object]:
        match self._entries[work_item_id].item.assignee:
            case Person(email):
                identity: object = {"displayName": email.partition("@")[0].title(), "uniqueName": email}
            case _:
                identity = None
        return {"id": work_item_id, "fields": {"System.AssignedTo": identity}}

    def _related(self, work_item_id: int) -> dict[str, object] | None:
        entry = self._entries.get(work_item_id)
        if entry is None or entry.is_deleted:
            return None
        return {"id": work_item_id, "relations": [msgspec.to_builtins(each) for each in entry.relations]}

    def _answer_about_relations(self, method: str, entry: _Entry, kind: type[Shape], patch: Any) -> Shape:
        if method == "PATCH":
            self._change_relations(entry, patch)
        return self._answer(
            entry.item, kind, relations=[msgspec.to_builtins(each) for each in entry.relations]
        )

    def _answer(self, item: WorkItem, kind: type[Shape], **more: object) -> Shape:
        fields = {"System.WorkItemType": item.work_item_type, "System.State": item.state}
        answer = convert({"id": item.id, "rev": item.rev, "fields": fields, **more}, kind)
        self._answered.append((answer, item))
        return answer

    def _change_relations(self, entry: _Entry, patch: list[dict[str, Any]]) -> None:
        """Change the hyperlinks of a work item, which makes a revision unless a test has it otherwise."""
        relations = list(entry.relations)
        for each in patch:
            match each["op"], each["path"].split("/")[1:]:
                case "test", ["rev"]:
                    if each["value"] != entry.item.rev:
                        raise Conflict(f"VS403351: rev is {entry.item.rev}, not {each['value']}")
                case "add", ["relations", "-"]:
                    added = convert(each["value"], Relation)
                    if any((one.rel, one.url) == (added.rel, added.url) for one in relations):
                        raise Refused("ado", "Relation already exists.")
                    relations.append(added)
                case "remove", ["relations", place]:
                    del relations[int(place)]
                case "replace", ["relations", place, "attributes", "comment"]:
                    old = relations[int(place)]
                    comment = {**(old.attributes or {}), "comment": each["value"]}
                    relations[int(place)] = replace(old, attributes=comment)
                case what:
                    raise ValueError(f"the double knows no {what}")
        entry.relations = relations
        if self.hyperlinks_make_revisions:
            before = entry.item
            self._append(entry, entry.item, SERVICE)
            self.announce(Event("updated", entry.item, before))

    def work_item_from(self, answer: WorkItemAnswer) -> WorkItem:
        """Return the work item as it was when it was answered, whatever it has become since."""
        return next(item for each, item in self._answered if each is answer)

    @property
    def base_url(self) -> str:
        return f"https://dev.azure.com/{self.catalog.organization}/"

    def web_url(self, project_id: str, work_item_id: int) -> str:
        return f"{self.base_url}{project_id}/_workitems/edit/{work_item_id}"

    # What people do.

    def restrict(
        self,
        project: str,
        kind: str,
        moves: Mapping[str, tuple[str, ...]] | None,
        states: tuple[ProcessState, ...] = (),
    ) -> None:
        self.catalog.restrict(project, kind, moves, states)

    def disable_type(self, project: str, kind: str) -> None:
        self.catalog.disable_type(project, kind)

    def add_person(self, name: str, unique_name: str) -> None:
        self._names[unique_name or name] = name

    def add_item(
        self,
        title: str = "Fix login",
        work_item_id: int = 31,
        /,
        *,
        kind: str = "Bug",
        project: str = "Fabrikam-Fiber",
        actor: str = ANN,
        **fields: str,
    ) -> WorkItem:
        _check(title, is_title=True)
        home = self._home(project)
        if home.type(kind).disabled:
            raise Refused("ado", f"The work item type {kind} is disabled.")
        item = WorkItem(
            id=work_item_id,
            rev=1,
            project_id=home.id,
            work_item_type=kind,
            state=fields.get("System.State", home.type(kind).states[0].name),
            assignee=self._known(fields.get("System.AssignedTo", "")),
            title=title,
            area_path=home.name,
            reasons=("New",),
        )
        self._entries[work_item_id] = _Entry([Revision(item, actor)], self._now())
        self.revision_log.write(work_item_id, item.rev)
        return item

    def edit(self, work_item_id: int, *, actor: str = ANN, **fields: str) -> WorkItem:
        """Change fields by their reference names, with all rules; an empty text empties a field."""
        entry = self._live(work_item_id)
        wanted, reason = entry.item, ""
        for name, value in fields.items():
            if name == "System.State":
                wanted = replace(wanted, state=self._reachable(wanted, value))
            elif name == "System.Reason":
                reason = value
            elif name == "System.AssignedTo":
                wanted = replace(wanted, assignee=self._known(value))
            else:
                _check(value, is_title=True)
                wanted = replace(wanted, title=value)
        return self._revise(entry, wanted, actor, reason)

    def comment(self, work_item_id: int, text: str, *, actor: str = ANN) -> int:
        """Add a comment and return its id."""
        return self._say(self._live(work_item_id), text, actor).id

    def edit_comment(self, work_item_id: int, comment_id: int, text: str, *, actor: str = ANN) -> None:
        self._say_anew(self._live(work_item_id), comment_id, text, actor)

    def delete_comment(self, work_item_id: int, comment_id: int, *, actor: str = ANN) -> None:
        entry = self._live(work_item_id)
        entry.comments.remove(self._comment(entry, comment_id))
        self._announce_revision(entry, actor)

    def move(self, work_item_id: int, project: str, *, actor: str = ANN) -> WorkItem:
        home, entry = self.catalog.project(project), self._live(work_item_id)
        return self._revise(entry, replace(entry.item, project_id=home.id, area_path=home.name), actor)

    def delete(self, work_item_id: int, *, actor: str = ANN) -> None:
        entry = self._live(work_item_id)
        entry.is_deleted = True
        self._append(entry, entry.item, actor)
        self.announce(Event("deleted", entry.item))

    def restore(self, work_item_id: int, *, actor: str = ANN) -> None:
        entry = self._entries[work_item_id]
        entry.is_deleted = False
        self._append(entry, entry.item, actor)
        self.announce(Event("restored", entry.item))

    def restore_backup(self, work_item_id: int, rev: int) -> WorkItem:
        """Bring an item back to how it stood at a revision, as a restored server does; nobody is told."""
        entry = self._live(work_item_id)
        del entry.revisions[rev:]
        self.revision_log.go_back(work_item_id, rev)
        return entry.item

    # What a test inspects.

    def comments_of_people(self, work_item_id: int) -> list[int]:
        return [each.id for each in self._entries[work_item_id].comments if each.by != SERVICE]

    def discussion(self, work_item_id: int) -> Sequence[str]:
        """Return the comments of a work item, oldest first."""
        return [each.text for each in self._entries[work_item_id].comments]

    def created(self) -> list[int]:
        """Return the numbers of the work items that we created, those in the recycle bin included."""
        return [number for number, entry in self._entries.items() if entry.revisions[0].by == SERVICE]

    def created_at(self, work_item_id: int) -> float:
        return self._entries[work_item_id].created_at

    def hyperlinks(self, work_item_id: int) -> list[tuple[str, str]]:
        """Return the address and the comment of each hyperlink."""
        return [(each.url or "", each.comment) for each in self._entries[work_item_id].relations]

    def is_deleted(self, work_item_id: int) -> bool:
        return self._entries[work_item_id].is_deleted

    def item(self, work_item_id: int) -> WorkItem:
        """Return a work item as it stands, even from the recycle bin."""
        return self._entries[work_item_id].item

    def revisions(self, work_item_id: int) -> Sequence[Revision]:
        return self._entries[work_item_id].revisions

    def knows(self, email: str) -> bool:
        return email in self._names

    def kind_of(self, item: WorkItem) -> WorkItemType:
        return self.catalog.projects[item.project_id].type(item.work_item_type)

    def hook_body(self, event: Event) -> bytes:
        """Return the delivery for an event, as resource version 1.0 spells it."""
        item, before = event.item, event.before
        fields = self._fields(item)
        resource: dict[str, object] = {"id": item.id, "rev": item.rev, "fields": fields}
        if before is not None:
            resource = {
                "id": item.rev + 7,
                "workItemId": item.id,
                "rev": item.rev,
                "fields": _changes(self._fields(before), fields) | {"System.Rev": {"newValue": item.rev}},
                "revision": {"id": item.id, "rev": item.rev, "fields": fields},
            }
        if event.comment is not None:
            by = self._names.get(event.comment.by, event.comment.by)
            said = {"System.History": event.comment.text, "System.ChangedBy": f"{by} <{event.comment.by}>"}
            resource["fields"] = {**fields, **said}
            resource["commentVersionRef"] = {"commentId": event.comment.id, "version": 1}
        return msgspec.json.encode(
            {
                "id": f"{event.kind}-{item.id}-{item.rev}",
                "eventType": f"workitem.{event.kind}",
                "publisherId": "tfs",
                "resource": resource,
                "resourceVersion": "1.0",
                "resourceContainers": {
                    "collection": {"id": self.catalog.collection_id, "baseUrl": self.base_url},
                    "account": {"id": self.catalog.account_id, "baseUrl": self.base_url},
                    "project": {"id": item.project_id, "baseUrl": self.base_url},
                },
            }
        )

    def _live(self, work_item_id: int) -> _Entry:
        entry = self._entries.get(work_item_id)
        if entry is None or entry.is_deleted:
            raise NotFound(f"TF401232: Work item {work_item_id} does not exist", kind="work-item-not-found")
        return entry

    def _revise(self, entry: _Entry, wanted: WorkItem, by: str, reason: str = "") -> WorkItem:
        """Store a new revision, unless nothing would be new in it."""
        before, resolved_reason = entry.item, entry.revisions[-1].resolved_reason
        state = self.kind_of(wanted).find_state(wanted.state)
        if reason and (state is None or reason not in reasons_for(state)):
            raise Refused("ado", f"The field 'Reason' contains the value {reason!r}")
        if wanted.state != before.state:
            reason = reason or default_reason(wanted.state)
            category = state.category if state else ""
            kept = resolved_reason if category == "Completed" else ""
            resolved_reason = reason if category == "Resolved" else kept
        if reason:
            reasons = (reason, resolved_reason)
            wanted = replace(wanted, reasons=tuple(dict.fromkeys(each for each in reasons if each)))
        if wanted != before:
            self._append(entry, wanted, by, resolved_reason)
            self.announce(Event("updated", entry.item, before))
        return entry.item

    def _append(self, entry: _Entry, wanted: WorkItem, by: str, resolved_reason: str | None = None) -> None:
        kept = entry.revisions[-1].resolved_reason if resolved_reason is None else resolved_reason
        entry.revisions.append(Revision(replace(wanted, rev=entry.item.rev + 1), by, kept))
        self.revision_log.write(entry.item.id, entry.item.rev)

    def _reachable(self, item: WorkItem, state: str) -> str:
        for each in self.kind_of(item).moves_from(item.state):
            if each.name == state and state not in self.unlisted:
                return state
        raise Refused("ado", f"TF401320: the field State may not be {state!r} now")

    def _known(self, name: str) -> Assignee:
        if not name:
            return None
        known = next((each for each in self._names if each.lower() == name.lower()), None)
        if known is None:
            detail = f"The identity value '{name}' for field 'Assigned To' is an unknown identity."
            raise NotAssignable("ado", detail, kind=ASSIGNEE_NOT_FOUND)
        return Person(known) if "@" in known else Stranger(ASSIGNEE_UNREADABLE, known.lower())

    def _fields(self, item: WorkItem) -> dict[str, str]:
        fields = {
            "System.AreaPath": item.area_path,
            "System.TeamProject": self.catalog.projects[item.project_id].name,
            "System.WorkItemType": item.work_item_type,
            "System.State": item.state,
            "System.Title": item.title,
        }
        if item.reasons:
            fields["System.Reason"], *resolved = item.reasons
            if resolved:
                fields["Microsoft.VSTS.Common.ResolvedReason"] = resolved[0]
        match item.assignee:
            case Person(email):
                fields["System.AssignedTo"] = f"{self._names[email]} <{email}>"
            case Stranger(_, label):
                name = next((shown for known, shown in self._names.items() if known.lower() == label), label)
                fields["System.AssignedTo"] = f"{name} <{label}>" if "\\" in label else label
        return fields


def _fields_of(kind: WorkItemType) -> list[dict[str, object]]:
    """Return the fields of a type that the sync asks for, as the service lists them."""
    known = (each for each in FIELDS.values() if each.reference_name in {*kind.required, *_OF_EVERY_TYPE})
    return [
        {
            "referenceName": each.reference_name,
            "name": each.name,
            "alwaysRequired": each.reference_name in kind.required,
            "defaultValue": kind.states[0].name if each.reference_name == "System.State" else None,
        }
        for each in known
    ]


def _shown(comment: Comment) -> dict[str, object]:
    return {
        "id": comment.id,
        "text": comment.text,
        "createdBy": {"displayName": comment.by},
        "format": "html",
    }


def _check(text: str, *, is_title: bool = False) -> None:
    """Refuse a text as ``simulator.ado`` does."""
    try:
        check_text([text])
        if is_title:
            check_title(text)
    except FakeRefused as error:
        raise Refused("ado", error.message) from None


def _types_of(kinds: tuple[WorkItemType, ...], unlisted: frozenset[str]) -> WorkItemTypes:
    return {
        kind.name: tuple(
            State(state.name, Category(state.category), _moves(kind, state.name))
            for state in kind.states
            if state.name not in unlisted
        )
        for kind in kinds
    }


def _moves(kind: WorkItemType, name: str) -> tuple[str, ...] | None:
    """Return the moves that are allowed out of a state, or None if all are."""
    allowed = tuple(each.name for each in kind.moves_from(name))
    return None if len(allowed) == len(kind.states) else allowed


def _changes(old: dict[str, str], new: dict[str, str]) -> dict[str, dict[str, object]]:
    """Pair the values of what changed; a value that is not there has no key."""
    changes: dict[str, dict[str, object]] = {}
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            ends = {"oldValue": old.get(name), "newValue": new.get(name)}
            changes[name] = {end: value for end, value in ends.items() if value is not None}
    return changes
