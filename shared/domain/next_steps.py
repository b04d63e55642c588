"""What will happen next to an issue or a work item, and what a person can do meanwhile, in sentences."""

from collections.abc import Sequence

from shared.domain.configuration import Configuration
from shared.domain.model import HealthWord, IssueLink
from shared.domain.rules.apart import Sides, sides
from shared.domain.rules.problems import ORGANIZATION_NOT_FOUND, UNAUTHORIZED, Trouble
from shared.domain.sentences import moment

# While one of these lasts nothing is carried over, whoever tells of it.
_STOPS_ALL = frozenset({UNAUTHORIZED, ORGANIZATION_NOT_FOUND})
_IN_FIVE_MINUTES = "within five minutes"


def next_of_linked(
    links: Sequence[IssueLink], configuration: Configuration, problems: Sequence[Trouble], now: float
) -> str:
    """Say what comes next for an issue or a work item that is linked; there is one link at least.

    =========================================  =================================================
    the organization, its links                next
    =========================================  =================================================
    a service does not let us in               nothing, until that is mended
    a link is not settled                      it is tried again, at a time or on request
    the sync is off                            nothing, until it is on; then a copy makes up for it
    a link's sides were left apart             nothing, until somebody edits or copies
    another problem                            the reconciler finds a change
    none                                       a change is carried over within seconds
    =========================================  =================================================
    """
    stopping = [each for each in problems if each.kind in _STOPS_ALL]
    if stopping:
        mended = "; ".join(each.detail for each in stopping)
        return (
            f"Nothing, until this is mended: {mended}. Every change is carried over {_IN_FIVE_MINUTES} then."
        )
    waiting = [each for each in links if each.health.word is not HealthWord.SETTLED]
    if waiting:
        first = min(waiting, key=lambda each: each.health.due or now)
        due = first.health.due
        when = _IN_FIVE_MINUTES if due is None or first.health.is_due(now) else f"at {moment(due)}"
        return (
            f"The link is tried again {when}, or at once by Sync now on the admin page, or: sentry-ado retry "
            f"{_names(first)}"
        )
    if not configuration.issue_sync:
        return (
            "Nothing, until the sync is switched on again (issue_sync in the organization's document). "
            f"To make up for what changes until then: {_copying(links[0])}"
        )
    left_apart = next((each for each in links if sides(each, configuration) is Sides.APART), None)
    if left_apart is not None:
        return f"Nothing, until somebody changes either side. To make both agree now: {_copying(left_apart)}"
    if problems:
        return f"A change is found by the reconciler {_IN_FIVE_MINUTES}, if no hook tells of it before."
    return "The next change on either side is carried over within seconds."


def next_of_unlinked(issue: str | None, work_item: int | None) -> str:
    """Say how to link an issue, a work item, or the two; an issue is called by the name that people know."""
    return (
        "Nothing, until the two are linked: by the form in Sentry, by hand on the admin page, or: sentry-ado "
        f"link {issue or 'ISSUE'} {work_item or 'ITEM'}"
    )


def _copying(link: IssueLink) -> str:
    return (
        "Copy on the admin page, from the side that is right, or: sentry-ado copy "
        f"{_names(link)} --from ado (or sentry)"
    )


def _names(link: IssueLink) -> str:
    return f"{link.short_id or link.issue_id} {link.work_item_id}"
