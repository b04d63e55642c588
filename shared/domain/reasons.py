"""What a reason means, in a sentence: of a link's health, of an event, of an answer that was an error."""

from collections.abc import Mapping

from shared.domain import untrusted

WHY: Mapping[str, str] = {
    "work-item-gone": "The work item was deleted, or our credentials may not read it.",
    "issue-gone": "The issue was deleted, or our token may not read it.",
    "refused": "The other side refused the write.",
    "assignee-not-found": "Nobody on the other side has the assignee's address.",
    "assignee-ambiguous": "Several people on the other side have the assignee's address.",
    "unknown-state": "No category is known for the work item's state, so nobody can say what it counts as.",
    "no-such-state": "No state of the work item's type counts as the wanted status.",
    "state-unreachable": "The process allows no way of at most three steps to a state of the wanted status.",
    "flapping": "We wrote 20 times within an hour: something keeps changing the link back.",
    "forbidden": "Our credentials do not reach this one thing.",
    "unauthorized": "Our credentials are not accepted.",
    "missing-setting": "A setting of the app is missing.",
    "throttled": "The service asked us to wait.",
    "unavailable": "The service did not answer.",
    **untrusted.WHY,
    "conflict": "Somebody else was faster, five times in a row.",
    "waits-for-others": "The other end becomes done as soon as all that it is linked to is.",
    "busy": "Another worker was writing for the link.",
    "bad-request": "What was stored or sent cannot be used.",
    "invalid-configuration": "The document breaks rules.",
    "malformed-payload": "What was sent cannot be read.",
    "too-large": "What was sent is too large.",
    "unauthenticated": "The sender did not prove who it is.",
    "not-found": "What was asked for does not exist.",
    "already-linked": "The two are linked already.",
    "precondition-failed": "Somebody else changed the document.",
    "submitted-before": "The same form was sent before, and its link has been removed since.",
    "precondition-required": "A whole document was sent without naming the version that it replaces.",
    "connection-changed": "The document leads elsewhere than the links.",
    "unreadable-document": "The stored document cannot be read.",
    "unreadable-link": "The stored link cannot be read by this version of the app.",
    "organization-gone": "The service knows no organization at the address in the document, or another one.",
    "ado-organization-not-found": "Azure DevOps knows no organization at ado_url.",
    "sentry-organization-not-found": "Sentry knows no organization by this name.",
    "project-not-found": "The project does not exist, or our credentials may not see it.",
    "comment-not-found": "The comment does not exist any more.",
    "not-linked": "The two are not linked.",
    "unknown-organization": "No such organization is connected.",
    "feed-lost": "Azure DevOps does not tell what changed, so all linked work items are looked at.",
    "error": "Something unexpected happened; the app's log has the details.",
}


def why(reason: str) -> str:
    return WHY.get(reason, f"It is held up for the reason {reason}." if reason else "It is held up.")
