"""Why something happened to an issue or a work item, or why nothing did, and how both stand now."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from shared.domain.claims import is_held
from shared.domain.comments import InboundComments
from shared.domain.errors import NotFound, OrganizationGone, SyncError, Throttled
from shared.domain.model import (
    ASSIGNEE_AMBIGUOUS,
    ASSIGNEE_NOT_FOUND,
    End,
    Health,
    HealthWord,
    IssueLink,
    IssueStatus,
    Person,
    SentryIssue,
    Side,
    Stranger,
    WorkItem,
)
from shared.domain.next_steps import next_of_linked, next_of_unlinked
from shared.domain.reasons import why
from shared.domain.rules.apart import Sides, apart, sides
from shared.domain.rules.links import cure_for
from shared.domain.rules.problems import NAMES, Trouble
from shared.domain.sentences import Names, apart_because, moment, sentence_of
from shared.domain.traffic import PROBLEM, Counts, Event, Happening, total, within_a_day
from shared.flows.watching import troubles
from shared.services import Services
from shared.store.activity import Ended
from shared.store.organizations import Organization

_ENTRIES = 10  # of each link
_LINKS = 10
_EVENTS = 500  # that are searched for those about one thing

Answer = TypeVar("Answer", SentryIssue, WorkItem)


class Looked(msgspec.Struct, frozen=True):
    """What a service says of one thing now: it, or why it cannot be shown; ``is_gone`` if there is none."""

    issue: SentryIssue | None = None
    item: WorkItem | None = None
    problem: str | None = None
    is_gone: bool = False


class Explanation(msgspec.Struct, frozen=True):
    """``sentences`` are in the order in which a person reads them; ``next`` is what will happen, and when."""

    issue: SentryIssue | None
    work_item: WorkItem | None
    links: tuple[IssueLink, ...]
    sentences: tuple[str, ...]
    next: str


def explain(
    services: Services, organization: Organization, issue_id: str | None, work_item_id: int | None
) -> Explanation:
    """Explain one issue, one work item, or the link between two; raise NotFound if nobody knows of it."""
    services.ledger.flush()
    scope, links = organization.scope, _links(services, organization, issue_id, work_item_id)
    issue_ids = [issue_id] if issue_id is not None else [each.issue_id for each in links]
    item_ids = [work_item_id] if work_item_id is not None else [each.work_item_id for each in links]
    issues = {each: _look_at_issue(services, organization, each) for each in issue_ids[:_LINKS]}
    items = {each: _look_at_item(services, organization, each) for each in item_ids[:_LINKS]}
    ended = _ended(services, scope, links, issue_id, work_item_id)
    asked = [
        *([issues[issue_id]] if issue_id in issues else []),
        *([items[work_item_id]] if work_item_id in items else []),
    ]
    if not links and not ended and asked and all(each.is_gone for each in asked):
        kind = "issue-not-found" if work_item_id is None else "work-item-not-found"
        raise NotFound("neither service knows it, and it was never linked", kind=kind)
    problems = troubles(services, organization, services.progress.get(scope))
    sentences = [
        *(_stands(each, f"issue {_known_as(name, links)}") for name, each in issues.items()),
        *(_stands(each, f"work item #{name}") for name, each in items.items()),
    ]
    for link in links:
        names = _names(link, issues)
        now = _Now(issues.get(link.issue_id, Looked()).issue, items.get(link.work_item_id, Looked()).item)
        sentences += _of_link(services, organization, link, names, now)
    if not links:
        sentences += _not_linked(issue_id, work_item_id, issues, ended)
    sentences += _was_linked(ended)
    if not links:
        sentences += _counts(services, scope, Side.ADO if work_item_id is not None else Side.SENTRY)
    sentences += _not_handled(services, scope, issue_id, work_item_id, links)
    sentences += _switches(organization)
    sentences += [_problem(each) for each in problems]
    return Explanation(
        issue=next((each.issue for each in issues.values() if each.issue), None),
        work_item=next((each.item for each in items.values() if each.item), None),
        links=tuple(links),
        sentences=tuple(sentences),
        next=next_of_linked(links, organization.configuration, problems, services.clock())
        if links
        else next_of_unlinked(_named_or_none(issue_id, issues), work_item_id),
    )


def _links(
    services: Services, organization: Organization, issue_id: str | None, work_item_id: int | None
) -> list[IssueLink]:
    scope = organization.scope
    if issue_id is not None:
        found = [each.link for each in services.links.for_issue(scope, issue_id)]
    else:
        found = [each.link for each in services.links.for_work_item(scope, work_item_id or 0)]
    return [each for each in found if work_item_id in {None, each.work_item_id}]


# A live look at both sides.


def _look_at_issue(services: Services, organization: Organization, issue_id: str) -> Looked:
    try:
        return Looked(issue=services.sentry_at_once(organization).get_issue(issue_id))
    except SyncError as error:
        return _unseen("Sentry", error)


def _look_at_item(services: Services, organization: Organization, work_item_id: int) -> Looked:
    try:
        return Looked(item=services.ado_at_once(organization).get_work_item(work_item_id))
    except SyncError as error:
        return _unseen("Azure DevOps", error)


def _unseen(service: str, error: SyncError) -> Looked:
    if isinstance(error, NotFound):
        return Looked(problem=f"{service} does not know it, or does not show it to us", is_gone=True)
    reason = why(error.kind).removesuffix(".")
    waits = f", {error.retry_after:.0f} seconds" if isinstance(error, Throttled) else ""
    return Looked(problem=f"{service} does not say now how it stands: {reason[0].lower()}{reason[1:]}{waits}")


def _stands(looked: Looked, name: str) -> str:
    if looked.issue is not None:
        issue = looked.issue
        where = f"{_status(issue.status)} in Sentry, {_assigned(issue.assignee)}"
        return f"Issue {_issue_name(issue)} is {where}."
    if looked.item is not None:
        item = looked.item
        where = f"{item.state} in Azure DevOps, {_assigned(item.assignee)}"
        return f"Work item #{item.id} “{item.title}” is {where}."
    return f"{name[0].upper()}{name[1:]}: {looked.problem}."


def _assigned(assignee: Person | Stranger | None) -> str:
    match assignee:
        case Person(email):
            return f"assigned to {email}"
        case Stranger("team-assignee", label):
            return f"assigned to team {label}"
        case Stranger(_, label):
            return f"assigned to {label or 'somebody without an address'}"
        case _:
            return "assigned to nobody"


def _issue_name(issue: SentryIssue) -> str:
    return f"{issue.short_id or issue.issue_id} “{issue.title}”"


def _known_as(issue_id: str, links: Sequence[IssueLink]) -> str:
    return next((each.short_id for each in links if each.issue_id == issue_id and each.short_id), issue_id)


def _names(link: IssueLink, issues: dict[str, Looked]) -> Names:
    looked = issues.get(link.issue_id)
    short = looked.issue.short_id if looked is not None and looked.issue is not None else ""
    return Names(short or link.short_id or f"issue {link.issue_id}", f"#{link.work_item_id}")


# What is linked.


class _Now(msgspec.Struct, frozen=True):
    """The two ends of a link at this moment, as far as the services show them."""

    issue: SentryIssue | None
    item: WorkItem | None


def _of_link(
    services: Services, organization: Organization, link: IssueLink, names: Names, now: _Now
) -> Iterator[str]:
    both = f"{names.issue} and {names.item}"
    yield f"{both} are linked. {_health(link, organization, now)}"
    for each in apart(link, organization.configuration):
        yield apart_because(each.field, each.reason)
    yield from _changed_since(link, names, now)
    if link.claim is not None and is_held(link.claim.until, services.clock()):
        yield "A worker is writing for this link at this moment."
    page = services.activity.page(organization.scope, link.issue_id, link.work_item_id, None, _ENTRIES)
    for entry in reversed(page.entries):
        yield sentence_of(entry, names)
    if page.continuation is not None:
        yield f"Older entries of {both} are in their history."


def _health(link: IssueLink, organization: Organization, now: _Now) -> str:
    """Say how a link stands. What was settled last is not how it stands now, unless both ends show so."""
    health = link.health
    if health.word is HealthWord.SETTLED:
        agree = sides(link, organization.configuration) is Sides.AGREE
        if _is_as_seen(link, now):
            return "Both sides agree." if agree else "Both sides differ, and were left so."
        return f"When it was last synced, both sides {'agreed' if agree else 'differed, and were left so'}."
    since = f"That has been so since {moment(health.since)}."
    return f"{why(health.reason)} {since} {_detail(health)}{cure_for(link)}"


def _detail(health: Health) -> str:
    """Return what was said of a trouble; of a person who is not known the cure says as much."""
    is_told = not health.detail or health.reason in {ASSIGNEE_NOT_FOUND, ASSIGNEE_AMBIGUOUS}
    return "" if is_told else f"({health.detail}) "


def _is_as_seen(link: IssueLink, now: _Now) -> bool:
    return now.issue is not None and now.item is not None and not list(_changed_since(link, _NOBODY, now))


_NOBODY = Names("", "")


def _changed_since(link: IssueLink, names: Names, now: _Now) -> Iterator[str]:
    """Tell what changed on either side since the link was last synced, and is not carried over yet."""
    seen, issue, item = link.seen, now.issue, now.item
    if issue is not None and (issue.status, issue.assignee) != (seen.issue.status, seen.issue.assignee):
        before = f"{_status(seen.issue.status)}, {_assigned(seen.issue.assignee)}"
        yield f"{names.issue} has changed since the link was last synced: it was {before}. {_NOT_YET}"
    if item is not None and (item.state, item.assignee) != (seen.item.state, seen.item.assignee):
        before = f"{seen.item.state}, {_assigned(seen.item.assignee)}"
        yield f"{names.item} has changed since the link was last synced: it was {before}. {_NOT_YET}"


_NOT_YET = "That is not carried over yet."


def _status(status: IssueStatus) -> str:
    return "archived" if status is IssueStatus.IGNORED else status.value


# What is not linked.


def _ended(
    services: Services,
    scope: str,
    links: Sequence[IssueLink],
    issue_id: str | None,
    work_item_id: int | None,
) -> list[tuple[Side, Ended]]:
    """Return the links that are over, but for those of two that were linked anew."""
    linked = {(Side.SENTRY, each.issue_id) for each in links}
    linked |= {(Side.ADO, str(each.work_item_id)) for each in links}
    found: list[tuple[Side, Ended]] = []
    if issue_id is not None:
        ended = services.activity.ended(scope, End(Side.SENTRY, issue_id))
        found += [(Side.ADO, each) for each in ended if str(work_item_id or each.partner) == each.partner]
    elif work_item_id is not None:
        ended = services.activity.ended(scope, End(Side.ADO, str(work_item_id)))
        found += [(Side.SENTRY, each) for each in ended]
    return [(side, each) for side, each in found if (side, each.partner) not in linked]


def _not_linked(
    issue_id: str | None,
    work_item_id: int | None,
    issues: dict[str, Looked],
    ended: Sequence[tuple[Side, Ended]],
) -> Iterator[str]:
    name = _named_or_none(issue_id, issues) or ""
    name = f"issue {issue_id}" if name == issue_id else name
    if issue_id is not None and work_item_id is not None:
        yield f"{name} and #{work_item_id} are not linked."
    else:
        yield f"{name if issue_id is not None else f'#{work_item_id}'} is not linked."
    if not ended:
        yield "It has not been linked in the last 90 days."


def _named_or_none(issue_id: str | None, issues: dict[str, Looked]) -> str | None:
    """Return the name of an issue that people know, if Sentry says it, else its id."""
    issue = issues[issue_id].issue if issue_id in issues else None
    return (issue.short_id if issue is not None else "") or issue_id


def _was_linked(ended: Sequence[tuple[Side, Ended]]) -> Iterator[str]:
    for side, each in ended:
        partner = f"#{each.partner}" if side is Side.ADO else f"issue {each.partner}"
        ways = {
            "replaced": "when a newer link of the form in Sentry replaced it",
            "removed-in-sentry": "when somebody removed the link in Sentry",
        }
        way = ways.get(each.reason or "", "when the link was removed")
        yield f"It was linked to {partner} until {moment(each.at)}, {way}."


def _counts(services: Services, scope: str, side: Side) -> Iterator[str]:
    now = services.clock()
    counts: Counts = total(within_a_day(services.traffic.hours(scope, now), now).values()).on(side)
    service = NAMES[side]
    yield (
        f"Deliveries without news are counted, and not kept one by one: of {counts.taken} from {service} in "
        f"the last 24 hours, {counts.not_linked} were about something that is not linked, and "
        f"{counts.nothing_to_do} held nothing to sync."
    )
    if counts.refused:
        yield f"{counts.refused} more were refused, since their secret or signature was missing or wrong."
    if not counts.taken_at:
        yield f"Nothing has come from {service} in the last 24 hours."


# What waits, and what is wrong with the organization.


def _not_handled(
    services: Services,
    scope: str,
    issue_id: str | None,
    work_item_id: int | None,
    links: Sequence[IssueLink],
) -> Iterator[str]:
    """Tell of a message that was put back, or given up, and not handled since: the newest word counts.

    Of most that are given up the link itself tells.
    """
    if not links:
        return
    newest: dict[tuple[str | None, int | None], Event] = {}
    for event in services.traffic.events(scope, None, _EVENTS).events:
        is_about = issue_id in {None, event.issue_id} and work_item_id in {None, event.work_item_id}
        if is_about and event.kind != PROBLEM:
            newest.setdefault((event.issue_id, event.work_item_id), event)
    for event in newest.values():
        if event.outcome in {Happening.PUT_BACK, Happening.RETRY}:
            yield f"{moment(event.at)}: a message about it was put off. {why(event.reason or '')}"
        elif event.outcome == Happening.FAILED and event.reason == OrganizationGone.kind:
            told = "what a hook told of" if event.told_by == "hook" else "what the reconciler found"
            yield f"{moment(event.at)}: {told} could not be carried over. {why(event.reason)}"


def _switches(organization: Organization) -> Iterator[str]:
    configuration = organization.configuration
    if not configuration.issue_sync:
        yield "The whole sync is switched off in the organization's document (issue_sync)."
        return
    directions = (
        (configuration.sync_status_forward, "Status does not travel to Azure DevOps (sync_status_forward)."),
        (configuration.sync_status_reverse, "Status does not travel to Sentry (sync_status_reverse)."),
        (
            configuration.sync_forward_assignment,
            "Assignees do not travel to Azure DevOps (sync_forward_assignment).",
        ),
        (
            configuration.sync_reverse_assignment,
            "Assignees do not travel to Sentry (sync_reverse_assignment).",
        ),
        (configuration.sync_comments, "Comments do not travel to Azure DevOps (sync_comments)."),
        (
            configuration.sync_comments_reverse is not InboundComments.OFF,
            "Comments do not travel to Sentry (sync_comments_reverse).",
        ),
        (
            configuration.sync_comments_reverse is not InboundComments.MARKED,
            "Only comments that begin with /sentry travel to Sentry (sync_comments_reverse).",
        ),
    )
    yield from (sentence for is_on, sentence in directions if not is_on)


def _problem(trouble: Trouble) -> str:
    since = f" since {moment(trouble.since)}" if trouble.since is not None else ""
    return f"A problem of the organization{since}: {trouble.detail}. {trouble.cure}"
