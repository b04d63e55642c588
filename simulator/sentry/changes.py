"""What a change to an issue may say, and how Sentry words its refusals; nothing is changed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.sentry.directory import Directory
from simulator.sentry.model import Actor, Assignee, Issue, Modes, Refused, Status

STATUSES: dict[str, Status] = {
    "resolved": "resolved",
    "unresolved": "unresolved",
    "ignored": "ignored",
    "resolvedInNextRelease": "resolved",
}
SUBSTATUSES: dict[Status, tuple[str, ...]] = {
    "resolved": (),
    "unresolved": ("new", "ongoing", "escalating", "regressed"),
    "ignored": ("archived_until_escalating", "archived_until_condition_met", "archived_forever"),
}

NO_RELEASE = "No release data present in the system to form a basis for 'Next Release'"
UNPARSEABLE = "Could not parse actor. Format should be `type:id` where type is `team` or `user`."


@dataclass(frozen=True)
class StatusChange:
    """The status to take, with what was said about how."""

    status: Status
    substatus: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AssigneeChange:
    """The assignee to have; None unassigns."""

    assignee: Assignee | None


@dataclass(frozen=True)
class Change:
    """A valid change: each part is None where the issue is to stay as it is."""

    status: StatusChange | None
    assignee: AssigneeChange | None


def parse_change(
    body: Mapping[str, Any],
    issue: Issue,
    directory: Directory,
    *,
    actor: Actor,
    modes: Modes,
    scopes: frozenset[str],
) -> Change:
    """Read the body of a PUT, or raise Refused; keys that no sync reads (hasSeen, …) are passed over."""
    releases = directory.releases.get(issue.project.slug, [])
    status = _parse_status(body, releases) if "status" in body else None
    if "assignedTo" not in body:
        return Change(status, None)
    assignee = _parse_assignee(body["assignedTo"], directory, modes)
    if assignee is not None and assignee.kind == "user":
        _check_user(assignee.id, issue, directory)
    if assignee is not None and assignee.kind == "team":
        _check_team(assignee.id, issue, directory, actor=actor, modes=modes, scopes=scopes)
    return Change(status, AssigneeChange(assignee))


def _parse_status(body: Mapping[str, Any], releases: Sequence[str]) -> StatusChange:
    word = body["status"]
    if not isinstance(word, str) or word not in STATUSES:
        raise Refused({"status": [_not_a_choice(word)]})
    status = STATUSES[word]
    details = body.get("statusDetails") or {}
    if not isinstance(details, dict):
        raise Refused({"statusDetails": ["Invalid data. Expected a dictionary."]})
    details = _with_release(details, releases)
    if word == "resolvedInNextRelease":
        details = {**details, "inNextRelease": True}
    substatus = body.get("substatus")
    # No source says what Sentry does with a substatus of another status; refusing it hides no mistake.
    if substatus is not None and substatus not in SUBSTATUSES[status]:
        raise Refused({"substatus": [_not_a_choice(substatus)]})
    return StatusChange(status, substatus, details)


def _with_release(details: dict[str, Any], releases: Sequence[str]) -> dict[str, Any]:
    """Return what is said about how, with the version that is meant by "latest".

    Sentry quirk: only here, and not with the older word for it, must there be a release
    (sentry: api/helpers/group_index/validators/status_details.py).
    """
    asked = details.get("inRelease")
    for key in ("inNextRelease", "inRelease"):
        if key in details and not releases and asked in {None, "latest"}:
            raise Refused({"statusDetails": {key: [NO_RELEASE]}})
    if asked is None:
        return details
    if asked != "latest" and asked not in releases:
        raise Refused({"statusDetails": {"inRelease": ["Unable to find a release with the given version."]}})
    return {**details, "inRelease": releases[-1] if asked == "latest" else asked}


def _not_a_choice(word: object) -> str:
    return "This field may not be null." if word is None else f'"{word}" is not a valid choice.'


def _refused_assignee(text: str) -> Refused:
    return Refused({"assignedTo": [text]})


def _parse_assignee(identifier: object, directory: Directory, modes: Modes) -> Assignee | None:
    """Read ``7``, ``"7"``, ``"user:7"``, ``"team:45"``, a user name, an e-mail, or ``""`` for nobody."""
    if identifier is None:
        raise _refused_assignee("This field may not be null.")
    if identifier == "":
        return None
    assignee = _named_assignee(identifier, directory)
    if assignee is None:
        raise _refused_assignee("Unknown actor input" if modes.legacy_assignee_errors else UNPARSEABLE)
    return assignee


def _named_assignee(identifier: object, directory: Directory) -> Assignee | None:
    if isinstance(identifier, bool) or not isinstance(identifier, int | str):
        return None
    kind, colon, number = str(identifier).rpartition(":")
    if number.isascii() and number.isdigit():
        if kind == "team":
            return Assignee("team", int(number))
        if kind == "user" or not colon:
            return Assignee("user", int(number))
    user = directory.find_by_username(str(identifier))
    return None if user is None else Assignee("user", user.id)


def _check_user(user_id: int, issue: Issue, directory: Directory) -> None:
    if user_id not in directory.users:
        raise _refused_assignee("User does not exist")
    member = directory.member_of(user_id)
    if member is None:
        raise _refused_assignee("User is not a member of this organization")
    # Sentry quirk: even with open membership, who is in none of the project's teams is refused
    # (sentry: api/helpers/group_index/validators/group.py).
    if issue.project.slug not in directory.projects_of(member):
        raise _refused_assignee("Cannot assign to non-team member")


def _check_team(
    team_id: int, issue: Issue, directory: Directory, *, actor: Actor, modes: Modes, scopes: frozenset[str]
) -> None:
    team = directory.team(team_id)
    if team is None:
        raise _refused_assignee("Team does not exist")
    # Sentry quirk: an integration's proxy user is in no team, so that a closed organization
    # refuses it without team:admin (getsentry/sentry#107226).
    if modes.team_membership_check and not modes.open_team_membership:
        member = directory.member_of(actor.user_id)
        inside = member is not None and team.slug in member.teams
        if actor.kind != "sentry" and not inside and "team:admin" not in scopes:
            raise _refused_assignee("You can only assign teams you are a member of")
    if issue.project.slug not in team.projects:
        raise _refused_assignee("Cannot assign to a team without access to the project")
