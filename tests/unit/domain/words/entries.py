"""What the activity tells: every outcome with every reason, field and direction that changes its sentence."""

from collections.abc import Iterator

from shared.domain.model import ASSIGNEE, STATUS, ActivityEntry
from shared.domain.reasons import WHY, why
from shared.domain.sentences import APART, SENTENCES, Names, apart_because, sentence_of

AT = 1_800_000_000.0
NAMES = Names("FE-1", "#31")
DIRECTIONS = ("inbound", "outbound")
PEOPLE = ("ann@corp.example", "bob@corp.example")
VALUES = {
    STATUS: {"inbound": ("unresolved", "resolved"), "outbound": ("New", "Closed")},
    ASSIGNEE: {"inbound": PEOPLE, "outbound": PEOPLE},
}
REASONS: dict[str, tuple[str | None, ...]] = {
    "linked": ("rule: New errors: all", "by hand"),
    "already-linked": ("rule: New errors", None),
    "unlinked": (None, "replaced", "removed-in-sentry"),
    "moved": ("merged-from-99", None),
    "failed": (None, "unavailable: HTTP 503.", "unavailable:  ", "of-tomorrow: why: so"),
    "recovered": (None, "unavailable"),
}
# Outcomes of a field, with the directions, fields and reasons in which they differ.
MOVING: tuple[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str | None, ...]], ...] = (
    ("applied", DIRECTIONS, (STATUS, ASSIGNEE), (None, "copied")),
    ("applied", ("outbound",), (STATUS,), ("via Active, Resolved", "on the way to Closed")),
    ("applied", ("inbound",), (STATUS,), ("resolved-now: no release data. ", "resolved-now: ")),
    ("conflict-resolved", DIRECTIONS, (STATUS, ASSIGNEE), (None,)),
    ("agreed", DIRECTIONS, (STATUS, ASSIGNEE), (None,)),
    ("skipped", ("outbound",), (STATUS, ASSIGNEE), ("outbound-off", "sibling", "removed", None)),
    ("skipped", ("inbound",), (STATUS, ASSIGNEE), ("inbound-off", "sibling", "of-tomorrow")),
    ("skipped", DIRECTIONS, (STATUS,), ("archived", "waits-for-others")),
    ("skipped", DIRECTIONS, (ASSIGNEE,), ("team-assignee", "assignee-unreadable", "assignee-ambiguous")),
    ("refused", DIRECTIONS, (STATUS, ASSIGNEE), (None, "refused: HTTP 400: no.")),
    ("refused", DIRECTIONS, (ASSIGNEE,), ("assignee-not-found: nobody, at all",)),
)
MOVED = {outcome for outcome, *_ in MOVING}


def lines() -> Iterator[str]:
    for title, entries in (
        ("about a link", about_a_link()),
        ("about a field", about_a_field()),
        ("about a comment", about_a_comment()),
        ("with who told of it", told()),
    ):
        yield from ("", f"# {title}", "")
        yield from (described(each) for each in entries)
    yield from ("", "# why a link is not settled", "")
    yield from (f"{reason}: {why(reason)}" for reason in (*WHY, "of-tomorrow"))
    yield from ("", "# why both sides differ", "")
    for field in VALUES:
        yield from (
            f"{field}, {reason}: {apart_because(field, reason)}" for reason in (*APART, "of-tomorrow")
        )


def described(entry: ActivityEntry) -> str:
    facts = (entry.outcome, entry.direction, entry.field, entry.before, entry.after, entry.reason)
    return f"{' | '.join('-' if each is None else each for each in facts)}\n  {sentence_of(entry, NAMES)}"


def about_a_link() -> Iterator[ActivityEntry]:
    for outcome in (*(each for each in SENTENCES if each not in MOVED), "of-tomorrow"):
        for reason in REASONS.get(outcome, (None, "for some reason")):
            yield ActivityEntry(AT, outcome, reason=reason)


def about_a_field() -> Iterator[ActivityEntry]:
    for outcome, directions, fields, reasons in MOVING:
        for reason in reasons:
            for direction in directions:
                for field in fields:
                    # What is left alone keeps its value: the entry tells of the side that changed.
                    values = VALUES[field]["inbound" if direction == "outbound" else "outbound"]
                    before, after = values if outcome == "skipped" else VALUES[field][direction]
                    yield ActivityEntry(AT, outcome, direction, field, before, after, 8, reason)
    for outcome in ("applied", "conflict-resolved", "agreed", "skipped", "refused"):
        for field in VALUES:
            yield ActivityEntry(AT, outcome, "inbound", field)


def about_a_comment() -> Iterator[ActivityEntry]:
    for outcome in ("commented", "already-commented", "comment-gone", "refused", "failed", "forbidden"):
        for reason in (None, "7: comment 7: too long."):
            yield ActivityEntry(AT, outcome, "outbound", "comment", reason=reason)


def told() -> Iterator[ActivityEntry]:
    yield ActivityEntry(AT, "settled", told_by="hook")
    yield ActivityEntry(AT + 0.9, "settled", told_by="reconciler")
    yield ActivityEntry(AT - 86_400 * 40, "forbidden", "outbound", "comment", told_by="hook")
