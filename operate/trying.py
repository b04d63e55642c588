"""What another document would do to the links there are, and to what comes, by the app's own rules."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from operate.desk import Desk
from operate.errors import WrongUsage
from shared.domain.comments import InboundComments
from shared.domain.configuration import Configuration, CreateDefaults, DoneWhen
from shared.domain.decoding import convert
from shared.domain.errors import Undecidable
from shared.domain.model import IssueStatus, ResolveIn, Side, State, WorkItemTypes
from shared.domain.rules.done import states_for_status, status_of_state

UNKNOWN, DEPENDS = "unknown", "depends-on-reason"
_WRITTEN = (IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED)
_SHOWN = {IssueStatus.IGNORED.value: "archived"}
_RELEASES = {
    ResolveIn.NOW: "now",
    ResolveIn.NEXT_RELEASE: "in the next release",
    ResolveIn.CURRENT_RELEASE: "in the current release",
}


def _switch(changed: str, service: str) -> dict[object, str]:
    return {
        True: f"{changed} would be carried over to {service}.",
        False: f"{changed} would not be carried over to {service}.",
    }


# What each value of a key means for what comes, where one sentence says it.
_MEANS: Mapping[str, Mapping[object, str]] = {
    "issue_sync": {
        True: "What changes on either side would be carried over, as far as the other switches say.",
        False: "Nothing that changes on either side would be carried over.",
    },
    "sync_status_forward": _switch("A status that changes in Sentry", "Azure DevOps"),
    "sync_status_reverse": _switch("A state that changes in Azure DevOps", "Sentry"),
    "sync_forward_assignment": _switch("An assignee who changes in Sentry", "Azure DevOps"),
    "sync_reverse_assignment": _switch("An assignee who changes in Azure DevOps", "Sentry"),
    "sync_comments": _switch("A comment in Sentry", "Azure DevOps"),
    "sync_comments_reverse": {
        InboundComments.OFF: "No comment in Azure DevOps would be carried over to Sentry.",
        InboundComments.MARKED: (
            "A comment in Azure DevOps would be carried over to Sentry if it begins with /sentry."
        ),
        InboundComments.ALL: "Every comment in Azure DevOps would be carried over to Sentry.",
    },
    "on_conflict": {
        Side.ADO: "Where both sides change differently, Azure DevOps would win.",
        Side.SENTRY: "Where both sides change differently, Sentry would win.",
    },
    "done_when": {
        DoneWhen.ALL: "What has several links would become done when all its partners are.",
        DoneWhen.ANY: "What has several links would become done when one of its partners is.",
    },
}


class Documents(msgspec.Struct, frozen=True):
    """The document that is stored, and the one that is tried."""

    now: Configuration
    then: Configuration

    @classmethod
    def read(cls, now: Mapping[str, Any], then: Mapping[str, Any]) -> "Documents":
        try:
            return cls(*(convert(each, Configuration) for each in (now, then)))
        except msgspec.ValidationError as error:
            raise WrongUsage(f"The document cannot be read: {error}") from None

    @property
    def both(self) -> tuple[Configuration, Configuration]:
        return self.now, self.then

    @property
    def differ_in_reasons(self) -> bool:
        return self.now.archive_reasons != self.then.archive_reasons


class LinkedItem(msgspec.Struct, frozen=True):
    """A work item that is linked; ``reasons`` are why it is in its state, None if nobody knows."""

    issue: str
    work_item_id: int
    project_id: str
    work_item_type: str
    state: str
    reasons: tuple[str, ...] | None = None

    @classmethod
    def of(cls, link: Mapping[str, Any]) -> "LinkedItem":
        item = link["work_item"]
        reasons = item.get("reasons")  # An older version of the app does not tell them.
        return cls(
            link["issue"]["short_id"] or link["issue_id"],
            link["work_item_id"],
            link["project_id"],
            link["work_item_type"],
            item["state"],
            None if reasons is None else tuple(reasons),
        )


class Written(msgspec.Struct, frozen=True):
    """The state that a work item gets for an issue's ``status``; None where it is left as it is."""

    status: str
    now: str | None
    then: str | None


class LinkEffect(msgspec.Struct, frozen=True):
    """How a work item counts ``now`` and ``then``, and what would be written to it differently."""

    issue_id: str
    work_item_id: int
    type: str
    state: str
    now: str
    then: str
    writes: tuple[Written, ...] = ()


class Effect(msgspec.Struct, frozen=True):
    """What a key would do that is not about one link, as a ``sentence``."""

    about: str
    now: Any
    then: Any
    sentence: str


class _TypeStates(msgspec.Struct, frozen=True):
    id: str
    name: str
    types: dict[str, tuple[State, ...]] | None = None


class Projects(msgspec.Struct, frozen=True):
    """The projects of the organization, as far as Azure DevOps shows them."""

    known: Mapping[str, _TypeStates] = {}

    @classmethod
    def of(cls, fields: Iterable[Mapping[str, Any]]) -> "Projects":
        described: Any = next((each["projects"] for each in fields if "projects" in each), [])
        projects = convert(described, list[_TypeStates])
        return cls({each.id.lower(): each for each in projects})

    def types(self, project_id: str) -> WorkItemTypes:
        known = self.known.get(project_id.lower())
        return (known.types if known else None) or {}

    def name(self, project_id: str) -> str:
        known = self.known.get(project_id.lower())
        return known.name if known else project_id


def needs_reasons(documents: Documents, item: LinkedItem, projects: Projects) -> bool:
    """Tell whether nobody can say what changes for a work item without the reasons for its state."""
    now, then = _reads(documents, item, projects)
    return DEPENDS in {now, then} and (now != then or documents.differ_in_reasons)


def effects_on_links(
    documents: Documents, items: Iterable[LinkedItem], projects: Projects
) -> Iterator[LinkEffect]:
    """Yield the links whose work item would count as another status, or be written to differently."""
    for item in items:
        now, then = _reads(documents, item, projects)
        written = (
            Written(status, *(_written(each, item, status, projects) for each in documents.both))
            for status in _WRITTEN
        )
        writes = tuple(each for each in written if each.now != each.then)
        if now != then or writes or needs_reasons(documents, item, projects):
            yield LinkEffect(
                item.issue, item.work_item_id, item.work_item_type, item.state, now, then, writes
            )


def _reads(documents: Documents, item: LinkedItem, projects: Projects) -> tuple[str, str]:
    """Return what a work item counts as with each of both documents."""
    now, then = (_reads_as(each, item, projects) for each in documents.both)
    return now, then


def _reads_as(configuration: Configuration, item: LinkedItem, projects: Projects) -> str:
    types, reasons = projects.types(item.project_id), item.reasons or ()
    try:
        status = status_of_state(
            configuration, item.project_id, item.work_item_type, item.state, types, reasons
        )
    except Undecidable:
        return UNKNOWN
    depends = item.reasons is None and configuration.archive_reasons and status is IssueStatus.RESOLVED
    return DEPENDS if depends else status.value


def _written(
    configuration: Configuration, item: LinkedItem, status: IssueStatus, projects: Projects
) -> str | None:
    types = projects.types(item.project_id)
    try:
        return states_for_status(configuration, item.project_id, item.work_item_type, status, None, types)[0]
    except Undecidable:
        return None


def other_effects(documents: Documents, links: int, projects: Projects) -> Iterator[Effect]:
    """Yield what would become of what comes: changes, comments, new work items, new links."""
    now, then = documents.both
    for key, sentences in _MEANS.items():
        was_so, would_be = getattr(now, key), getattr(then, key)
        if was_so is not would_be:
            yield Effect(key, msgspec.to_builtins(was_so), msgspec.to_builtins(would_be), sentences[would_be])
    yield from _people(documents)
    if now.resolve_in is not then.resolve_in:
        was, would = _RELEASES[now.resolve_in], _RELEASES[then.resolve_in]
        sentence = f"The issue of a work item that becomes done would be resolved {would}, not {was}"
        if then.resolve_in is not ResolveIn.NOW:
            sentence += "; now, where its project has no releases"
        yield Effect("resolve_in", now.resolve_in.value, then.resolve_in.value, f"{sentence}. {_stay(links)}")
    yield from _creations(documents, projects)
    if now.back_links is not then.back_links:
        sentence = (
            f"A new link would show on both its ends. {_stay(links)} `sentry-ado back-link` shows them too."
            if then.back_links
            else f"A new link would show on neither end. {_stay(links)}"
        )
        yield Effect("back_links", now.back_links, then.back_links, sentence)


def _stay(links: int) -> str:
    return (
        "The one link there is stays as it is."
        if links == 1
        else f"The {links} links there are stay as they are."
    )


def _people(documents: Documents) -> Iterator[Effect]:
    now, then = (each.people for each in documents.both)
    changes = [
        f"{name} of Azure DevOps would be {then.get(name, name)} of Sentry, not {now.get(name, name)}"
        for name in dict.fromkeys((*then, *now))
        if then.get(name) != now.get(name)
    ]
    if changes:
        yield Effect("people", now, then, f"{'; '.join(changes)}.")


def _creations(documents: Documents, projects: Projects) -> Iterator[Effect]:
    places = {
        (project, kind) for each in documents.both for project, kinds in each.create.items() for kind in kinds
    }
    for project, kind in sorted(places):
        before, after = (_said(each.creation(project, kind)) for each in documents.both)
        if before == after:
            continue
        changes = [
            f"{name} = {after[name]}" + (f" instead of {before[name]}" if name in before else "")
            if name in after
            else f"no {name}, which is {before[name]} now"
            for name in dict.fromkeys((*after, *before))
            if before.get(name) != after.get(name)
        ]
        sentence = f"A new {kind} of {projects.name(project)} would get {', '.join(changes)}."
        yield Effect("create", before, after, f"{sentence} What the form or the rule says comes first.")


def _said(defaults: CreateDefaults) -> dict[str, Any]:
    places: dict[str, Any] = {
        "area": defaults.area_path,
        "iteration": defaults.iteration_path,
        "tags": defaults.tags,
    }
    return {**defaults.fields, **{name: value for name, value in places.items() if value}}


# Looking


class Found(msgspec.Struct, frozen=True):
    """All effects: as rows and sentences for people, as ``content`` for programs."""

    rows: list[tuple[object, ...]]
    sentences: list[str]
    content: list[dict[str, Any]]


def look(desk: Desk, document: Mapping[str, Any], wanted: Mapping[str, Any]) -> Found:
    """Read all links, and say what would become of them and of what comes. Changes nothing anywhere."""
    documents = Documents.read(document, wanted)
    with desk.waiting("Reading links …"):
        items = [LinkedItem.of(each) for each in desk.pages("links", "links")]
        named = {*documents.now.create, *documents.then.create, *(each.project_id for each in items)}
        fields = desk.get("config", project=",".join(sorted(named)))["fields"] if named else []
    projects = Projects.of(fields)
    items = _with_reasons(desk, documents, items, projects)
    links = list(effects_on_links(documents, items, projects))
    others = list(other_effects(documents, len(items), projects))
    count = f"{len(links)} of {len(items)} links would read or be set differently, from their next change on"
    return Found(
        [_row(each) for each in links],
        [*(each.sentence for each in others), count],
        [msgspec.to_builtins(each) for each in (*links, *others)],
    )


def _with_reasons(
    desk: Desk, documents: Documents, items: list[LinkedItem], projects: Projects
) -> list[LinkedItem]:
    """Return the work items with the reasons for their states, as far as they matter.

    The app keeps them only where a document asks for that, so they are looked up one by one.
    """
    unknown = {each.work_item_id for each in items if needs_reasons(documents, each, projects)}
    reasons: dict[int, tuple[str, ...] | None] = {}
    with desk.progress("Reading why work items are done …", len(unknown)) as advance:
        for work_item_id in sorted(unknown):
            item = desk.get("explain", work_item_id=work_item_id)["work_item"] or {}
            told = item.get("reasons")
            reasons[work_item_id] = None if told is None else tuple(told)
            advance()
    return [replace(each, reasons=reasons.get(each.work_item_id, each.reasons)) for each in items]


def _row(effect: LinkEffect) -> tuple[object, ...]:
    writes = "; ".join(
        f"{_SHOWN.get(each.status, each.status)}: {each.then or 'nothing'} instead of {each.now or 'nothing'}"
        for each in effect.writes
    )
    now, then = (_SHOWN.get(each, each) for each in (effect.now, effect.then))
    return (effect.issue_id, effect.work_item_id, effect.type, effect.state, now, then, writes)
