"""Links that need somebody: grouped by their cause, each with its cure."""

import re
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

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
from shared.domain.reasons import why
from shared.domain.rules.problems import NAMES, PEOPLE, Trouble

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
    "forbidden": "Give the app's token or identity access to this issue or work item, and the scopes that "
    "docs/permissions.md names.",
    "unauthorized": "Renew the token that is refused (ADO_PAT or SENTRY_TOKEN); each link is tried again "
    "within the hour.",
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
        what = f"{about} {_ABOUT_PEOPLE[reason]}" if about else _what(reason, each)
        since = min(link.health.since for link in each)
        found.append(Trouble(reason, _side(each[0]), f"{many}: {what}", cure_for(each[0]), since))
    return found


def _what(reason: str, links: Iterable[IssueLink]) -> str:
    """Return what keeps links from being settled: a sentence, and what was said of it if that is one thing.

    Of a request that failed its address is left out; the link's own detail has it.
    """
    sentence = why(reason).removesuffix(".")
    said = {_REQUEST.sub("", link.health.detail) for link in links if reason not in _SAYS_NO_MORE}
    more = f" ({said.pop()})" if len(said) == 1 and said != {""} else ""
    return f"{sentence[0].lower()}{sentence[1:]}{more}"


# "GET https://…: HTTP 403: " before what the service said of it.
_REQUEST = re.compile(r"^[A-Z]+ https?://\S+: (HTTP \d+(: |$))?")
# What is said beside these is our own, and tells the same again.
_SAYS_NO_MORE = frozenset({"unauthorized", "throttled", WORK_ITEM_GONE, ISSUE_GONE})


def cure_for(link: IssueLink) -> str:
    """Return what cures a link; whom it is about, if it is about a person, is named."""
    person = _about(link)
    if not person:
        return cure_of(link.health.reason)
    is_known_to_ado = link.owed is Side.SENTRY
    service = NAMES[link.owed] if link.owed else "the other service"
    how = f"map {person} under People on the admin page" + (
        f", or: sentry-ado settings edit people.{person}." if is_known_to_ado else "."
    )
    if link.health.reason == ASSIGNEE_AMBIGUOUS:
        return f"Say which account is theirs: {how}"
    return f"Invite them to {service}, or {how}"


def joined(troubles: Sequence[Trouble], of_links: Sequence[Trouble]) -> list[Trouble]:
    """Return the problems of an organization and of its links, each cause once.

    Links that wait for what is a problem of the organization are counted there.
    """
    causes = {each.kind for each in troubles} & _SHARED
    waiting = {each.kind: each.detail.partition(":")[0] for each in of_links if each.kind in causes}
    told = [
        replace(each, detail=f"{each.detail}; {waiting[each.kind]} affected")
        if each.kind in waiting
        else each
        for each in troubles
    ]
    return [
        *told,
        *(each for each in of_links if each.kind not in causes),
    ]


def without_told(examined: Iterable[Trouble], ill: Iterable[IssueLink]) -> list[Trouble]:
    """Leave out of what an examination found the people whom links that need somebody tell of."""
    people = {_about(each) for each in ill if each.health.word is HealthWord.ATTENTION} - {""}
    return [
        each
        for each in examined
        if each.kind != PEOPLE or not any(each.detail.startswith(f"{person},") for person in people)
    ]


# Problems that an organization and its links have for one cause.
_SHARED = frozenset({"unauthorized", "missing-setting"})


def _about(link: IssueLink) -> str:
    """Return whom a link is about, if it is about a person: several links may have one cause."""
    if link.health.reason not in _ABOUT_PEOPLE or link.owed is None:
        return ""
    assignee = link.seen.on(link.owed.other).assignee
    return assignee.email if isinstance(assignee, Person) else ""


def _side(link: IssueLink) -> Side | None:
    return link.owed if link.health.reason in _ABOUT_PEOPLE else _SIDES.get(link.health.reason)
