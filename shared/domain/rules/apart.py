"""Whether both sides of a link agree, and why they were left different if they were."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from shared.domain.configuration import Configuration
from shared.domain.model import (
    ARCHIVED,
    ASSIGNEE,
    ASSIGNEE_NOT_FOUND,
    FIELDS,
    SIBLING,
    STATUS,
    WAITS_FOR_OTHERS,
    Ends,
    HealthWord,
    IssueLink,
    IssueStatus,
    Stranger,
)
from shared.domain.rules.deciding import Decision, Outcome
from shared.domain.rules.people import same_person

DIFFERED_WHEN_LINKED = "differed-when-linked"
REMOVED = "removed"


class Sides(StrEnum):
    """How the sides of a link that is settled stand to each other."""

    AGREE = "agree"
    APART = "apart"


class Apart(msgspec.Struct, frozen=True):
    """A field in which both sides differ, and why they were left so."""

    field: str
    reason: str


def differs(field: str, ends: Ends, configuration: Configuration) -> bool:
    """Tell whether both sides show different things; a state that counts as nothing we know differs not."""
    if field == STATUS:
        item, issue = ends.item.status, ends.issue.status
        # Done for a reason that archives is done as well.
        both_done = (item, issue) == (IssueStatus.IGNORED, IssueStatus.RESOLVED)
        return item is not None and item is not issue and not both_done
    return not same_person(configuration, ends.item.assignee, ends.issue.assignee)


def apart(link: IssueLink, configuration: Configuration) -> tuple[Apart, ...]:
    """Return the fields in which both sides of a link differ, each with its reason."""
    return tuple(
        Apart(field, _reason(field, link)) for field in FIELDS if differs(field, link.seen, configuration)
    )


def sides(link: IssueLink, configuration: Configuration) -> Sides | None:
    """Say of a link that is settled whether its sides agree; of any other, its health speaks."""
    if link.health.word is not HealthWord.SETTLED:
        return None
    return Sides.APART if apart(link, configuration) else Sides.AGREE


def _reason(field: str, link: IssueLink) -> str:
    """Return why a field was left different: by the last decision, or by how both sides stand.

    An older version of the app noted no decision.
    """
    if link.apart.get(field):
        return link.apart[field]
    if field == STATUS:
        if link.waiting:
            return WAITS_FOR_OTHERS
        if link.seen.issue.status is IssueStatus.IGNORED:
            return ARCHIVED
        return REMOVED if link.seen.item.removed else DIFFERED_WHEN_LINKED
    if link.owed is not None:
        return link.owed_reason or ASSIGNEE_NOT_FOUND  # An older version did not say why.
    strangers = (each.assignee for each in (link.seen.issue, link.seen.item))
    found = (each.reason for each in strangers if isinstance(each, Stranger) and each.label)
    return next(found, DIFFERED_WHEN_LINKED)


def reasons_after(link: IssueLink, decision: Decision, refused: Mapping[str, str]) -> dict[str, str]:
    """Return why each field is left different after a decision, as far as that has a reason of its own.

    A field that nobody changed keeps its reason. ``refused`` says why the other side refused some fields; of
    a state, the health of the link tells.
    """
    reasons = dict(link.apart)
    for field, choice in ((STATUS, decision.status), (ASSIGNEE, decision.assignee)):
        if choice.outcome is Outcome.SKIPPED:
            reasons[field] = choice.reason or ""
        elif field == ASSIGNEE and field in refused:
            reasons[field] = refused[field]
        elif choice.outcome not in {Outcome.SETTLED, Outcome.UNDECIDED}:
            reasons.pop(field, None)
    if decision.waiting is not None and decision.status.outcome is Outcome.SETTLED:
        reasons[STATUS] = WAITS_FOR_OTHERS
    return reasons


# Every reason for which both sides may be left different.
REASONS = frozenset(
    {
        "outbound-off",
        "inbound-off",
        ARCHIVED,
        WAITS_FOR_OTHERS,
        SIBLING,
        ASSIGNEE_NOT_FOUND,
        "team-assignee",
        "assignee-unreadable",
        "assignee-ambiguous",
        "refused",
        REMOVED,
        DIFFERED_WHEN_LINKED,
    }
)
