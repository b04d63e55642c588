"""Links that need somebody: grouped by their cause, each with its cure."""

from collections.abc import Iterable

from shared.domain import untrusted
from shared.domain.failures import ISSUE_GONE, WORK_ITEM_GONE
from shared.domain.model import (
    ASSIGNEE_AMBIGUOUS,
    ASSIGNEE_NOT_FOUND,
    STATE_UNREACHABLE,
    UNKNOWN_STATE,
    HealthWord,
    IssueLink,
    Person,
    Side,
)
from shared.domain.rules.problems import Trouble

CURES = {
    WORK_ITEM_GONE: "Restore the work item in Azure DevOps, or remove the link.",
    "project-not-found": "Give the app's token or identity access to the project that the work item is in.",
    ISSUE_GONE: "Remove the link: the issue was deleted in Sentry, or its project is out of the app's reach.",
    "refused": "See the link's detail: change what the other side forbids, then sync the link again.",
    ASSIGNEE_NOT_FOUND: "Invite the person to the other service, or map the address under People.",
    ASSIGNEE_AMBIGUOUS: "Map the address to one account under People.",
    UNKNOWN_STATE: "Name the state in done_states of the project's mapping, or give it a category.",
    "no-such-state": "Map the status to a state of the work item's type.",
    STATE_UNREACHABLE: "Allow a move to such a state in the process, or map the status to one within reach.",
    "flapping": "Find the rule or the other sync that keeps changing the link back, and switch it off.",
    "forbidden": "Give the app's token or identity access to this issue or work item.",
    "unauthorized": "Renew the app's token; every link is tried again within the hour.",
    "missing-setting": "Set it in the app's settings.",
    **untrusted.CURES,
    "unavailable": "Nothing, if the service is down: the links are tried again by themselves.",
    "throttled": "Nothing: the service asked us to wait, and the links are tried again by themselves.",
    "conflict": "Nothing: the links are tried again by themselves.",
}
_ABOUT_PEOPLE = {
    ASSIGNEE_NOT_FOUND: "is not known on the other side",
    ASSIGNEE_AMBIGUOUS: "may be one of several people on the other side",
}
_OTHERWISE = "See the link's history; the link is tried again by itself."
_SIDES = {
    WORK_ITEM_GONE: Side.ADO,
    UNKNOWN_STATE: Side.ADO,
    "no-such-state": Side.ADO,
    STATE_UNREACHABLE: Side.ADO,
    ISSUE_GONE: Side.SENTRY,
}


def cure_of(reason: str) -> str:
    return CURES.get(reason, _OTHERWISE)


def link_troubles(links: Iterable[IssueLink]) -> list[Trouble]:
    """Return one problem for each cause, most links first."""
    groups: dict[tuple[str, str], list[IssueLink]] = {}
    for link in links:
        if link.health.word is HealthWord.ATTENTION:
            groups.setdefault((link.health.reason, _about(link)), []).append(link)
    found = []
    for (reason, about), each in sorted(groups.items(), key=lambda group: -len(group[1])):
        many = "1 link" if len(each) == 1 else f"{len(each)} links"
        what = f"{about} {_ABOUT_PEOPLE[reason]}" if about else each[0].health.detail
        since = min(link.health.since for link in each)
        found.append(Trouble(reason, _side(each[0]), f"{many}: {what}", cure_of(reason), since))
    return found


def _about(link: IssueLink) -> str:
    """Return whom a link is about, if it is about a person: several links may have one cause."""
    if link.health.reason not in _ABOUT_PEOPLE or link.owed is None:
        return ""
    assignee = link.seen.on(link.owed.other).assignee
    return assignee.email if isinstance(assignee, Person) else ""


def _side(link: IssueLink) -> Side | None:
    return link.owed if link.health.reason in _ABOUT_PEOPLE else _SIDES.get(link.health.reason)
