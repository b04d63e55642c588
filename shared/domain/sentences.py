"""Sentences that a person reads: what an entry of the activity, a reason or a health means."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from shared.domain.activity import INBOUND
from shared.domain.model import ASSIGNEE, ActivityEntry
from shared.domain.reasons import why


class Names(msgspec.Struct, frozen=True):
    """What the two ends of a link are called in a sentence."""

    issue: str
    item: str

    def target(self, entry: ActivityEntry) -> str:
        return self.issue if entry.direction == INBOUND else self.item

    def source(self, entry: ActivityEntry) -> str:
        return self.item if entry.direction == INBOUND else self.issue


Sentence = Callable[[ActivityEntry, Names], str]

_SERVICES = {True: "Sentry", False: "Azure DevOps"}


def _value(entry: ActivityEntry, value: str | None) -> str:
    return value or ("nobody" if entry.field == ASSIGNEE else "another value")


def _verb(entry: ActivityEntry) -> str:
    return "was assigned" if entry.field == ASSIGNEE else "was set"


def _reason(entry: ActivityEntry) -> tuple[str, str]:
    """Return the word of a reason, and what follows it."""
    word, _, detail = (entry.reason or "").partition(": ")
    return word, detail


def _changed(entry: ActivityEntry, names: Names) -> str:
    return f"{names.source(entry)} {_verb(entry)} to {_value(entry, entry.after)}"


def _applied(entry: ActivityEntry, names: Names) -> str:
    target, source = names.target(entry), names.source(entry)
    before = f" (it was {entry.before})" if entry.before else ""
    word, detail = _reason(entry)
    if word == "resolved-now":
        return f"{target} was resolved at once, and in no release: Sentry knows none. {_sentence(detail)}"
    what = f"{target} {_verb(entry)} to {_value(entry, entry.after)}{before}."
    if word == "copied":
        return f"Somebody had {source} copied over: {what}"
    return f"{source} had changed, so {what}"


def _conflict(entry: ActivityEntry, names: Names) -> str:
    loser = names.target(entry)
    return (
        f"Both sides had changed differently. {names.source(entry)} wins, so {loser} {_verb(entry)} to "
        f"{_value(entry, entry.after)} instead of {_value(entry, entry.before)}."
    )


def _agreed(entry: ActivityEntry, _names: Names) -> str:
    what = "assignee" if entry.field == ASSIGNEE else "status"
    return f"Both sides have come to the same {what}: {_value(entry, entry.after)}."


def _skipped(entry: ActivityEntry, names: Names) -> str:
    reason = entry.reason or ""
    if reason == "archived" and entry.direction != INBOUND:
        reason = _ARCHIVED
    otherwise = f"for the reason {reason}" if reason else "nobody noted why"
    why_not = SKIPPED.get(reason, otherwise).format(item=names.item, target=names.target(entry))
    return f"{_changed(entry, names)}. {names.target(entry)} was left alone: {why_not}."


_ARCHIVED = "archived-in-sentry"
# Why a change was not carried over, by the reason of the entry.
SKIPPED: Mapping[str, str] = {
    "outbound-off": "the document switches this direction, Sentry to Azure DevOps, off",
    "inbound-off": "the document switches this direction, Azure DevOps to Sentry, off",
    "archived": "an archived issue stays archived until somebody unarchives it",
    _ARCHIVED: "archived is not done",
    "removed": "{item} is Removed, and a removed work item is not written to",
    "waits-for-others": "{target} has other links, and becomes done when all of them are",
    "sibling": "the value was written for another link, and travels no further",
    "team-assignee": "the assignee is a team in Sentry, and no person",
    "assignee-unreadable": "the assignee is shown without an e-mail address",
    "assignee-ambiguous": "several people on the other side have this address",
}


def _refused(entry: ActivityEntry, names: Names) -> str:
    service = _SERVICES[entry.direction == INBOUND]
    what = f"{names.target(entry)} to {_value(entry, entry.after)}"
    word, detail = _reason(entry)
    if word == "assignee-not-found":
        why_not = _sentence(detail or "nobody there has this address")
        return f"{service} did not let us assign {what}. {why_not}"
    verb = "assign" if entry.field == ASSIGNEE else "set"
    return f"{service} refused to {verb} {what}. {_sentence(detail)}"


def _failed(entry: ActivityEntry, _names: Names) -> str:
    word, detail = _reason(entry)
    return f"{why(word)} {_sentence(detail)}"


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""


def _comment(text: str) -> Sentence:
    return lambda _entry, names: text.format(issue=names.issue, item=names.item)


def _unlinked(entry: ActivityEntry, names: Names) -> str:
    ways = {
        "replaced": "was replaced by a newer link of the form in Sentry",
        "removed-in-sentry": "was removed in Sentry",
    }
    return f"The link between {names.issue} and {names.item} {ways.get(entry.reason or '', 'was removed')}."


def _linked(entry: ActivityEntry, names: Names) -> str:
    rule = _rule(entry)
    by = f" by the alert rule {rule!r}, which had {names.item} created" if rule else ""
    return f"{names.issue} and {names.item} were linked{by}."


def _already_linked(entry: ActivityEntry, names: Names) -> str:
    rule = _rule(entry)
    which = f"The alert rule {rule!r}" if rule else "An alert rule"
    return f"{which} fired for {names.issue}, which is linked to {names.item}, so nothing was created."


def _rule(entry: ActivityEntry) -> str:
    word, rule = _reason(entry)
    return rule if word == "rule" else ""


def _moved(entry: ActivityEntry, names: Names) -> str:
    old = (entry.reason or "").removeprefix("merged-from-")
    merged = f"Issue {old}" if old else "Another issue"
    return f"{merged} was merged into {names.issue} in Sentry, and its link followed."


def _recovered(entry: ActivityEntry, _names: Names) -> str:
    return f"The link is well again ({entry.reason})." if entry.reason else "The link is well again."


# One for every outcome of an entry: tests/unit/domain/test_sentences.py holds that none lacks.
SENTENCES: Mapping[str, Sentence] = {
    "linked": _linked,
    "already-linked": _already_linked,
    "unlinked": _unlinked,
    "moved": _moved,
    "applied": _applied,
    "conflict-resolved": _conflict,
    "agreed": _agreed,
    "skipped": _skipped,
    "refused": _refused,
    "failed": _failed,
    "recovered": _recovered,
    "repeated": lambda _e, _n: "A worker had stopped before its write showed, so the write is made again.",
    "commented": _comment("A comment on {issue} was carried over to {item}."),
    "already-commented": _comment("A comment on {issue} was on {item} already."),
    "comment-gone": _comment("A comment on {issue} was deleted before it could be carried over."),
    "settled": lambda _e, n: f"Nothing had changed between {n.issue} and {n.item}.",
    "undecided": lambda _e, _n: "What to do could not be decided.",
}


def sentence_of(entry: ActivityEntry, names: Names) -> str:
    """Return what an entry tells, with its moment and who noticed."""
    if entry.field == "comment" and entry.outcome not in SENTENCES:
        text = f"A comment on {names.issue} could not be carried over. {why(entry.outcome)}"
    else:
        tell = SENTENCES.get(entry.outcome)
        text = _untold(entry) if tell is None else tell(entry, names)
    if entry.field == "comment" and entry.outcome in {"refused", "failed"}:
        text = f"A comment on {names.issue} could not be carried over. {_sentence(_reason(entry)[1])}"
    by = {"hook": " A hook told of it.", "reconciler": " No hook told of it; the reconciler found it."}
    return f"{moment(entry.at)}: {text.strip()}{by.get(entry.told_by or '', '')}"


def _untold(entry: ActivityEntry) -> str:
    """Tell of an outcome that a newer version of the app wrote down."""
    return f"{entry.outcome}: {entry.reason}" if entry.reason else entry.outcome


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


# Why both sides of a settled link differ, and what makes them agree.
APART: Mapping[str, str] = {
    "outbound-off": "the direction from Sentry to Azure DevOps was switched off when Sentry's side changed",
    "inbound-off": "the direction from Azure DevOps to Sentry was switched off when the work item changed",
    "archived": "the issue is archived in Sentry, and neither done nor open",
    "waits-for-others": "the end that is open has other links, and becomes done when all of them are",
    "sibling": "the value was written for another link, and travels no further",
    "assignee-not-found": "the other side knows nobody with the assignee's address",
    "assignee-ambiguous": "several people on the other side have the assignee's address",
    "assignee-unreadable": "the assignee is shown without an e-mail address",
    "refused": "the other side refused the assignment",
    "team-assignee": "the assignee is a team in Sentry, and no person",
    "removed": "the work item is Removed, and a removed work item is not written to",
    "differed-when-linked": "they differed when they were linked, and nobody has changed them since",
}


def apart_because(field: str, reason: str) -> str:
    what = "assignee" if field == ASSIGNEE else "status"
    return f"Their {what} differs: {APART.get(reason, reason)}."
