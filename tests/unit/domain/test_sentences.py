"""Every outcome and reason has its sentence: what the source can write is what is looked for here."""

import ast
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.domain.errors import SyncError
from shared.domain.failures import consequence_of, reason_of
from shared.domain.model import ASSIGNEE_AMBIGUOUS, ASSIGNEE_NOT_FOUND, ActivityEntry
from shared.domain.reasons import WHY, why
from shared.domain.rules.apart import REASONS
from shared.domain.rules.deciding import Outcome
from shared.domain.rules.links import CURES
from shared.domain.rules.listing import REASONS as LINK_REASONS
from shared.domain.sentences import SENTENCES, SKIPPED, Names, moment, sentence_of
from tests.unit.error_tree import EVERY_ERROR

ROOT = Path(__file__).parents[3]
NAMES = Names("FE-1", "#31")
AT = 1_800_000_000.0
LEFT = "#31 was set to Closed. FE-1 was left alone: "
TREES = {
    path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "shared").rglob("*.py"))
}


def constants() -> dict[str, str]:
    """Return every constant of the source that is a text, by its name."""
    found: dict[str, str] = {}
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                targets, values = node.targets[0], node.value
                names = targets.elts if isinstance(targets, ast.Tuple) else [targets]
                texts = values.elts if isinstance(values, ast.Tuple) else [values]
                for name, text in zip(names, texts, strict=False):
                    if (
                        isinstance(name, ast.Name)
                        and isinstance(text, ast.Constant)
                        and isinstance(text.value, str)
                    ):
                        found[name.id] = text.value
    return found


CONSTANTS = constants()


def texts_of(node: ast.expr) -> Iterator[str]:
    """Yield the texts that an expression may be, as far as it says so."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Name) and node.id in CONSTANTS:
        yield CONSTANTS[node.id]
    elif isinstance(node, ast.IfExp):
        yield from texts_of(node.body)
        yield from texts_of(node.orelse)


def arguments(name: str, place: int, keyword: str) -> set[str]:
    """Return what the calls of a function or class give for one of its arguments."""
    found: set[str] = set()
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name:
                given = [each.value for each in node.keywords if each.arg == keyword]
                given += node.args[place : place + 1]
                found |= {text for each in given for text in texts_of(each)}
    return found


def test_every_outcome_of_an_entry_has_its_sentence() -> None:
    written = arguments("ActivityEntry", 1, "outcome")
    assert {"linked", "unlinked", "refused", "failed", "recovered"} <= written
    written |= {str(each) for each in Outcome} | arguments("_entry", 0, "outcome")
    written |= {CONSTANTS[each] for each in ("COMMENTED", "ALREADY_THERE", "GONE")}
    fields = {"status", "assignee"}  # what _entry of the activity begins with
    assert written - fields - SENTENCES.keys() == set()


def test_every_reason_for_leaving_a_side_alone_has_its_sentence() -> None:
    written = arguments("Choice", 2, "reason")
    assert {"archived", "removed", "waits-for-others"} <= written
    written |= (
        arguments("_unless_apart", 1, "reason")
        | {"outbound-off", "inbound-off"}
        | arguments("Stranger", 0, "reason") - {"initial", ""}
    )
    written -= {"copied"}
    assert written - SKIPPED.keys() == set()
    assert written - REASONS == set()


def test_every_error_and_every_thing_that_is_missing_has_its_sentence() -> None:
    kinds = (
        {each.kind for each in EVERY_ERROR}
        | arguments("NotFound", 1, "kind")
        | arguments("Undecidable", 1, "kind")
    )
    reasons = {reason_of(each) for each in map(_of_kind, kinds)}
    assert (kinds | reasons) - WHY.keys() == set()


# Errors of what people ask for, which no settling meets, and the roots of the tree.
NOT_OF_A_LINK = {
    "already-linked", "connection-changed", "error", "feed-lost", "not-found", "precondition-failed",
    "submitted-before",
}  # fmt: skip


def test_every_reason_that_a_link_may_have_has_a_cure_of_its_own() -> None:
    errors = [_of_class(each) for each in EVERY_ERROR]
    reasons = {reason_of(each) for each in errors if consequence_of(each).health is not None}
    assert {"refused", "forbidden", "unauthorized", "throttled"} <= reasons
    reasons |= arguments("Undecidable", 1, "kind") - {"unreadable-link"}  # such a row has no health
    reasons |= {"work-item-gone", "issue-gone", "project-not-found", ASSIGNEE_NOT_FOUND, ASSIGNEE_AMBIGUOUS}
    assert reasons - NOT_OF_A_LINK - CURES.keys() == set()
    assert reasons - NOT_OF_A_LINK - LINK_REASONS == set()


def _of_class(kind: type[SyncError]) -> SyncError:
    error = kind.__new__(kind)
    error.service = ""  # type: ignore[attr-defined]
    return error


def _of_kind(kind: str) -> SyncError:
    error = SyncError("")
    error.kind = kind
    return error


def test_a_reason_that_nobody_knows_is_told_all_the_same() -> None:
    assert "of-tomorrow" in why("of-tomorrow")


@pytest.mark.parametrize("outcome", SENTENCES)
@pytest.mark.parametrize("field", ["status", "assignee", "comment", None])
@pytest.mark.parametrize("direction", ["inbound", "outbound", None])
@pytest.mark.parametrize("reason", [None, "archived", "refused: no such transition", "copied"])
def test_every_sentence_has_its_moment_and_its_end(
    outcome: str, field: str | None, direction: str | None, reason: str | None
) -> None:
    entry = ActivityEntry(AT, outcome, direction=direction, field=field, reason=reason, told_by="hook")
    said = sentence_of(entry, NAMES)
    assert said.startswith("2027-01-15 08:00:00 UTC: ")
    assert said.endswith("A hook told of it.")
    assert "None" not in said
    assert "{" not in said


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            ActivityEntry(AT, "linked", reason="rule: New errors"),
            "FE-1 and #31 were linked by the alert rule 'New errors', which had #31 created.",
        ),
        (
            ActivityEntry(AT, "already-linked", reason="rule: New errors"),
            "The alert rule 'New errors' fired for FE-1, which is linked to #31, so nothing was created.",
        ),
        (
            ActivityEntry(AT, "applied", "inbound", "status", reason="resolved-now: No release data"),
            "FE-1 was resolved at once, and in no release: Sentry knows none. No release data.",
        ),
        (
            ActivityEntry(AT, "applied", "outbound", "status", "New", "Closed", told_by="hook"),
            "FE-1 had changed, so #31 was set to Closed (it was New). A hook told of it.",
        ),
        (
            ActivityEntry(AT, "applied", "inbound", "assignee", None, "ann@x", told_by="reconciler"),
            "#31 had changed, so FE-1 was assigned to ann@x. No hook told of it; the reconciler found it.",
        ),
        (
            ActivityEntry(AT, "applied", "inbound", "status", "unresolved", "resolved", reason="copied"),
            "Somebody had #31 copied over: FE-1 was set to resolved (it was unresolved).",
        ),
        (
            ActivityEntry(AT, "skipped", "outbound", "status", "unresolved", "ignored", reason="archived"),
            "FE-1 was set to ignored. #31 was left alone: archived is not done.",
        ),
        (
            ActivityEntry(AT, "skipped", "inbound", "status", "New", "Closed", reason="archived"),
            f"{LEFT}an archived issue stays archived until somebody unarchives it.",
        ),
        (
            ActivityEntry(AT, "unlinked", reason="removed-in-sentry"),
            "The link between FE-1 and #31 was removed in Sentry.",
        ),
        (
            ActivityEntry(AT, "forbidden", "outbound", "comment", reason="comment-7: not yours"),
            "A comment on FE-1 could not be carried over. Our credentials do not reach this one thing.",
        ),
        (
            ActivityEntry(AT, "failed", "inbound", "comment", reason="unavailable: no release is named X"),
            "A comment on FE-1 could not be carried over. No release is named X.",
        ),
        (
            ActivityEntry(AT, "refused", "outbound", "assignee", None, "ann@x", reason="assignee-not-found"),
            "Azure DevOps did not let us assign #31 to ann@x. Nobody there has this address.",
        ),
        (
            ActivityEntry(AT, "commented", "outbound", "comment"),
            "A comment on FE-1 was carried over to #31.",
        ),
        (
            ActivityEntry(AT, "unlinked"),
            "The link between FE-1 and #31 was removed.",
        ),
    ],
)
def test_sentences_as_people_read_them(entry: ActivityEntry, said: str) -> None:
    assert sentence_of(entry, NAMES) == f"2027-01-15 08:00:00 UTC: {said}"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (ActivityEntry(AT, "commented"), "A comment on FE-1 was carried over to #31."),
        (ActivityEntry(AT, "already-commented"), "A comment on FE-1 was on #31 already."),
        (
            ActivityEntry(AT, "comment-gone"),
            "A comment on FE-1 was deleted before it could be carried over.",
        ),
        (
            ActivityEntry(
                AT, "refused", "outbound", "assignee", after="ann@corp.example", reason="assignee-not-found"
            ),
            "Azure DevOps did not let us assign #31 to ann@corp.example. Nobody there has this address.",
        ),
        (
            ActivityEntry(AT, "linked", reason="rule: New errors"),
            "FE-1 and #31 were linked by the alert rule 'New errors', which had #31 created.",
        ),
        (ActivityEntry(AT, "linked", reason="form: New errors"), "FE-1 and #31 were linked."),
        (ActivityEntry(AT, "unlinked"), "The link between FE-1 and #31 was removed."),
    ],
)
def test_a_sentence_is_told_in_these_words(entry: ActivityEntry, told: str) -> None:
    assert sentence_of(entry, NAMES) == f"2027-01-15 08:00:00 UTC: {told}"


def test_a_moment_is_the_same_wherever_the_app_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert moment(AT) == "2027-01-15 08:00:00 UTC"
    finally:
        monkeypatch.undo()
        time.tzset()
