"""What another document would do, as tables: to a link, to what is resolved, to a new item or link."""

import itertools
from typing import Any

import pytest

from operate.errors import WrongUsage
from operate.trying import (
    Documents,
    Effect,
    LinkedItem,
    Projects,
    effects_on_links,
    needs_reasons,
    other_effects,
)
from shared.domain.configuration import Configuration

PROJECT = "5650f68f-fd3f-564d-822e-b895cdbc5229"
STATES = [
    {"name": "New", "category": "Proposed"},
    {"name": "Active", "category": "InProgress"},
    {"name": "Resolved", "category": "Resolved"},
    {"name": "Closed", "category": "Completed"},
    {"name": "Parked", "category": "InProgress"},
]
PROJECTS = Projects.of([{"projects": [{"id": PROJECT, "name": "Fabrikam-Fiber", "types": {"Bug": STATES}}]}])
MAPPED = {"on_resolve": "Closed", "on_unresolve": "Active"}


def item(state: str = "Closed", *reasons: str, known: bool = True) -> LinkedItem:
    return LinkedItem("FE-1", 31, PROJECT, "Bug", state, reasons if known else None)


def mapping(**mapping: Any) -> dict[str, Any]:
    return {"status_mapping": {PROJECT: mapping}}


@pytest.mark.parametrize(
    ("now", "then", "linked", "effect"),
    [
        ({}, {}, item(), None),
        ({}, {"issue_sync": False}, item(), None),
        ({}, {"archive_reasons": ["Duplicate"]}, item("Closed", "Duplicate"), ("resolved", "ignored", [])),
        (
            {},
            {"archive_reasons": ["duplicate"]},
            item("Closed", "X", "Duplicate"),
            ("resolved", "ignored", []),
        ),
        ({}, {"archive_reasons": ["Duplicate"]}, item("Closed", "Fixed"), None),
        ({}, {"archive_reasons": ["Duplicate"]}, item("Active", "Duplicate"), None),
        ({"archive_reasons": ["Duplicate"]}, {}, item("Closed", "Duplicate"), ("ignored", "resolved", [])),
        # Of whose reasons nobody knows.
        ({}, {"archive_reasons": ["Duplicate"]}, item(known=False), ("resolved", "depends-on-reason", [])),
        ({}, {"archive_reasons": ["Duplicate"]}, item("Active", known=False), None),
        ({"archive_reasons": ["A"]}, {"archive_reasons": ["A"]}, item(known=False), None),
        (
            {"archive_reasons": ["A"]},
            {"archive_reasons": ["B"]},
            item(known=False),
            ("depends-on-reason", "depends-on-reason", []),
        ),
        # States, read and written.
        (
            {},
            mapping(on_archive="Parked"),
            item("Parked"),
            ("unresolved", "ignored", [("ignored", None, "Parked")]),
        ),
        (
            mapping(**MAPPED),
            mapping(**MAPPED, on_archive="Parked"),
            item("New"),
            ("unresolved", "unresolved", [("ignored", None, "Parked")]),
        ),
        (
            {},
            mapping(on_resolve="Resolved", on_unresolve="New"),
            item("New"),
            (
                "unresolved",
                "unresolved",
                [("resolved", "Closed", "Resolved"), ("unresolved", "Active", "New")],
            ),
        ),
        (
            {},
            {"done_categories": ["Resolved"]},
            item("Closed"),
            ("resolved", "unresolved", [("resolved", "Closed", "Resolved")]),
        ),
        (
            {},
            {"done_categories": ["Resolved"]},
            item("Gone"),
            ("unknown", "unknown", [("resolved", "Closed", "Resolved")]),
        ),
    ],
)
def test_what_becomes_of_a_link(
    now: dict[str, Any], then: dict[str, Any], linked: LinkedItem, effect: tuple[str, str, list[Any]] | None
) -> None:
    found = [
        (each.now, each.then, [(written.status, written.now, written.then) for written in each.writes])
        for each in effects_on_links(Documents.read(now, then), [linked], PROJECTS)
    ]
    assert found == ([] if effect is None else [effect])


@pytest.mark.parametrize(
    ("now", "then", "linked", "needed"),
    [
        ({}, {"archive_reasons": ["A"]}, item(known=False), True),
        ({"archive_reasons": ["A"]}, {}, item(known=False), True),
        (
            {"archive_reasons": ["A"]},
            {"archive_reasons": ["A"], "done_categories": ["Resolved"]},
            item(known=False),
            True,
        ),
        ({}, {"archive_reasons": ["A"]}, item("Closed", "A"), False),
        ({}, {"archive_reasons": ["A"]}, item("New", known=False), False),
        (
            {"archive_reasons": ["A"]},
            {"archive_reasons": ["A"], "resolve_in": "next_release"},
            item(known=False),
            False,
        ),
    ],
)
def test_reasons_are_looked_up_only_where_they_decide(
    now: dict[str, Any], then: dict[str, Any], linked: LinkedItem, needed: bool
) -> None:
    assert needs_reasons(Documents.read(now, then), linked, PROJECTS) is needed


BUG = {PROJECT: {"Bug": {"fields": {"Custom.Impact": "High"}, "tags": "sentry"}}}


@pytest.mark.parametrize(
    ("now", "then", "about", "words"),
    [
        (
            {},
            {"resolve_in": "next_release"},
            "resolve_in",
            "resolved in the next release, not now; now, where",
        ),
        (
            {"resolve_in": "current_release"},
            {},
            "resolve_in",
            "resolved now, not in the current release. The 2 links",
        ),
        ({"back_links": False}, {}, "back_links", "`sentry-ado back-link` shows them too"),
        (
            {},
            {"back_links": False},
            "back_links",
            "A new link would show on neither end. The 2 links there are stay",
        ),
        (
            {},
            {"create": BUG},
            "create",
            "A new Bug of Fabrikam-Fiber would get Custom.Impact = High, tags = sentry.",
        ),
        (
            {"create": BUG},
            {"create": {PROJECT: {"Bug": {"fields": {"Custom.Impact": "Low"}}}}},
            "create",
            "would get Custom.Impact = Low instead of High, no tags, which is sentry now.",
        ),
        ({"create": BUG}, {}, "create", "would get no Custom.Impact, which is High now, no tags"),
    ],
)
def test_what_becomes_of_what_comes(
    now: dict[str, Any], then: dict[str, Any], about: str, words: str
) -> None:
    [effect] = other_effects(Documents.read(now, then), 2, PROJECTS)
    assert effect.about == about
    assert words in effect.sentence
    assert effect.now != effect.then


def carried(what: str, where: str) -> tuple[str, str]:
    return f"{what} would be carried over to {where}.", f"{what} would not be carried over to {where}."


# By each key: two values, and what is said of each.
MEANINGS: dict[str, tuple[tuple[Any, str], ...]] = {
    key: tuple(zip(values, sentences, strict=True))
    for key, values, sentences in (
        (
            "issue_sync",
            (True, False),
            (
                "What changes on either side would be carried over, as far as the other switches say.",
                "Nothing that changes on either side would be carried over.",
            ),
        ),
        ("sync_status_forward", (True, False), carried("A status that changes in Sentry", "Azure DevOps")),
        ("sync_status_reverse", (True, False), carried("A state that changes in Azure DevOps", "Sentry")),
        (
            "sync_forward_assignment",
            (True, False),
            carried("An assignee who changes in Sentry", "Azure DevOps"),
        ),
        (
            "sync_reverse_assignment",
            (True, False),
            carried("An assignee who changes in Azure DevOps", "Sentry"),
        ),
        ("sync_comments", (True, False), carried("A comment in Sentry", "Azure DevOps")),
        (
            "sync_comments_reverse",
            ("off", "marked", "all"),
            (
                "No comment in Azure DevOps would be carried over to Sentry.",
                "A comment in Azure DevOps would be carried over to Sentry if it begins with /sentry.",
                "Every comment in Azure DevOps would be carried over to Sentry.",
            ),
        ),
        (
            "on_conflict",
            ("ado", "sentry"),
            (
                "Where both sides change differently, Azure DevOps would win.",
                "Where both sides change differently, Sentry would win.",
            ),
        ),
        (
            "done_when",
            ("all", "any"),
            (
                "What has several links would become done when all its partners are.",
                "What has several links would become done when one of its partners is.",
            ),
        ),
    )
}


@pytest.mark.parametrize("key", MEANINGS)
def test_what_a_switch_would_do_is_said(key: str) -> None:
    for (now, _), (then, sentence) in itertools.product(MEANINGS[key], repeat=2):
        effects = list(other_effects(Documents.read({key: now}, {key: then}), 2, PROJECTS))
        assert effects == ([] if now == then else [Effect(key, now, then, sentence)])


def test_whom_a_name_would_stand_for_is_said() -> None:
    now, then = {"a@x": "a@y", "b@x": "b@y", "c@x": "c@y"}, {"a@x": "a@z", "c@x": "c@y", "d@x": "d@y"}
    [effect] = other_effects(Documents.read({"people": now}, {"people": then}), 2, PROJECTS)
    assert effect == Effect(
        "people",
        now,
        then,
        "a@x of Azure DevOps would be a@z of Sentry, not a@y; "
        "d@x of Azure DevOps would be d@y of Sentry, not d@x; "
        "b@x of Azure DevOps would be b@x of Sentry, not b@y.",
    )


def test_every_key_of_the_document_is_said_or_shows_in_the_links() -> None:
    said = {*MEANINGS, "people", "resolve_in", "create", "back_links"}
    of_links = {"done_categories", "status_mapping", "archive_reasons"}
    where = {"ado_url", "ado_account_id", "ado_search_url", "sentry_url", "sentry_organization"}
    assert said | of_links | where == set(Configuration.__struct_fields__)


def test_a_document_of_the_wrong_shape_is_wrong_usage() -> None:
    with pytest.raises(WrongUsage):
        Documents.read({}, {"resolve_in": "tomorrow"})
