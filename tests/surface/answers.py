"""What the app answers, as types that allow nothing else: every answer of the end-to-end tests has to fit.

A key without a default is in every answer. docs/api.md says in words what each one means.
"""

from typing import Any

import msgspec

from shared.domain.configuration import Configuration
from shared.domain.model import Category, HealthWord, IssueStatus, Side, ToldBy
from shared.domain.rules.apart import Apart, Sides
from shared.domain.rules.diagnosing import Area, Standing
from shared.domain.subscriptions import HookEvent, HookState
from shared.flows.copying import Copied
from shared.flows.pages_of_pairs import Tried


class Exact(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """An object with these keys and no others."""


class Refusal(Exact):
    error: str
    detail: str
    errors: dict[str, str] | list[Any] | msgspec.UnsetType = msgspec.UNSET


class FormRefusal(Refusal, kw_only=True):
    """The sentence is there once more, where Sentry looks for what it shows."""

    message: str


class Delivery(Exact):
    """What became of a delivery: which facts are known depends on the outcome."""

    outcome: str
    organization: str | msgspec.UnsetType = msgspec.UNSET
    work_item: int | msgspec.UnsetType = msgspec.UNSET
    rev: int | msgspec.UnsetType = msgspec.UNSET
    issue: str | msgspec.UnsetType = msgspec.UNSET
    detail: str | msgspec.UnsetType = msgspec.UNSET


class Outcome(Exact):
    outcome: str


class Problem(Exact):
    kind: str
    side: Side | None
    since: str | None
    detail: str
    cure: str


class Health(Exact):
    status: str
    version: str
    problems: list[str]
    notes: list[str] | msgspec.UnsetType = msgspec.UNSET


class Organization(Exact):
    organization: str
    ado_url: str | None
    sentry_url: str
    sentry_organization: str
    issue_sync: bool
    problems: list[Problem]


class NotConnected(Exact):
    organization: str
    side: Side
    last_event: str | None


class Organizations(Exact):
    version: str
    organizations: list[Organization]
    not_connected: list[NotConnected]


class FormState(Exact):
    name: str
    category: Category


class FormProject(Exact):
    id: str
    name: str
    types: dict[str, list[FormState]] | None
    by_category: dict[str, dict[str, str | None]] | None


class FormField(Exact):
    name: str
    type: str
    label: str
    help: str
    disabled: bool
    disabled_reason: str | None
    default: Any
    projects: list[FormProject] | msgspec.UnsetType = msgspec.UNSET


class Document(Exact):
    organization: str
    fields: list[FormField]
    config: Configuration


class Stored(Exact):
    organization: str
    config: Configuration
    changed: list[str]
    warnings: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    dry_run: bool | msgspec.UnsetType = msgspec.UNSET


class Removed(Exact):
    organization: str
    warnings: dict[str, str]


class Link(Exact):
    issue_id: str
    work_item_id: int
    project_id: str
    work_item_type: str
    title: str
    display_name: str
    url: str | None


class IssueEnd(Exact):
    short_id: str | None
    title: str | None
    url: str
    status: IssueStatus
    assignee: str | None


class WorkItemEnd(Exact):
    rev: int
    state: str
    status: IssueStatus | None
    assignee: str | None
    reasons: list[str] | None


class ListedLink(Link):
    linked_by: str
    health: HealthWord
    reason: str | None
    detail: str | None
    since: str | None
    due: str | None
    synced_at: str | None
    sides: Sides | None
    apart: list[Apart]
    differ: list[str]
    issue: IssueEnd
    work_item: WorkItemEnd


class Links(Exact):
    links: list[ListedLink]
    continuation: str | None
    unreadable: list[str] | msgspec.UnsetType = msgspec.UNSET


class Pair(Exact):
    issue_id: str
    work_item_id: int
    outcome: str


class ManyLinked(Exact):
    links: list[Pair]
    remaining: int


class ManyCopied(Exact):
    links: list[Copied]
    continuation: str | None
    remaining: bool


class Entry(Exact, rename={"before": "from", "after": "to"}):
    at: str | None
    outcome: str
    direction: str | None
    field: str | None
    before: str | None
    after: str | None
    rev: int | None
    reason: str | None
    told_by: ToldBy | None


class Activity(Exact):
    activity: list[Entry]
    continuation: str | None


class Event(Exact):
    at: str | None
    side: Side | None
    kind: str
    issue_id: str | None
    work_item_id: int | None
    outcome: str
    reason: str | None
    told_by: ToldBy | None
    took: float | None


class Events(Exact):
    events: list[Event]
    continuation: str | None


class Hour(Exact):
    at: str | None
    taken: int
    nothing_to_do: int
    not_linked: int
    refused: int


class SeenSubscription(Exact):
    event: HookEvent
    state: HookState
    since: str | None


class SentryDoor(Exact):
    last_event: str | None
    last_refused: str | None
    hours: list[Hour]


class AdoDoor(SentryDoor):
    subscriptions: list[SeenSubscription]


class Reconciler(Exact):
    last_run: str | None
    next_run: str | None
    untold: int


class Delay(Exact):
    median: float | None
    p95: float | None
    longest: float | None


class LinkCounts(Exact):
    total: int
    settled: int
    pending: int
    attention: int
    agree: int
    apart: int


class Status(Exact):
    organization: str
    version: str
    ado: AdoDoor
    sentry: SentryDoor
    reconciler: Reconciler
    delay: Delay
    links: LinkCounts
    problems: list[Problem]


class Issue(Exact):
    id: str
    short_id: str | None
    title: str
    url: str | None
    status: IssueStatus
    assignee: str | None


class WorkItem(Exact):
    id: int
    rev: int
    title: str
    type: str
    url: str | None
    state: str
    assignee: str | None
    reasons: list[str] | None


class Explanation(Exact):
    issue: Issue | None
    work_item: WorkItem | None
    links: list[ListedLink]
    sentences: list[str]
    next: str | None


class Option(Exact):
    value: str
    label: str


class ShownLink(Exact, rename="camel"):
    web_url: str
    project: str
    identifier: str


class RuleChecked(Exact):
    message: str


class Queued(Exact):
    outcome: str
    links: int
    drifted: int
    issues: int
    remaining: bool


class Gap(Exact):
    since: str | None
    until: str | None


class Subscription(Exact):
    event: HookEvent
    state: HookState
    since: str | None
    id: str | None
    seen_enabled_at: str | None
    lost: Gap | None


class HookProblem(Exact):
    kind: str
    since: str | None
    detail: str
    is_note: bool


class Unsubscribed(Exact):
    organization: str
    left: str | None


class BackLinks(Exact):
    queued: int
    continuation: str | None


class Rebuilt(Exact):
    links: list[Tried]
    continuation: str | None
    stopped: str | None
    unreadable: int


class Switch(Exact):
    key: str
    label: str


class Adopted(Rebuilt):
    dry_run: bool
    switch_off_in_sentry: list[Switch]


class Finding(Exact):
    """What came of one check. Whatever is not fine has a cure; ``side`` is whose it is, if it is one's."""

    area: Area
    check: str
    standing: Standing
    detail: str
    cure: str | None
    side: Side | None


class Examination(Exact):
    organization: str
    version: str
    at: str | None
    problems: int
    findings: list[Finding]


class Hooks(Exact):
    organization: str
    checked_at: str | None
    subscriptions: list[Subscription]
    problem: HookProblem | None
    by_hand: list[Any]
    made: int | msgspec.UnsetType = msgspec.UNSET
    removed: int | msgspec.UnsetType = msgspec.UNSET
