"""Why something happened, or why nothing did: what is told of links that are and were, by which name."""

from typing import Any

import pytest

from shared.domain.comments import InboundComments
from shared.domain.errors import (
    NotFound,
    OrganizationGone,
    Rejected,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.flows.explaining import Explanation, explain
from shared.flows.linking import unlink
from shared.flows.naming import issue_named
from tests.unit.scene import ANN, ISSUE, ITEM, SLUG, STATE, Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


def explained(scene: Scene, issue_id: str | None = None, work_item_id: int | None = None) -> Explanation:
    return explain(scene.services, scene.organization, issue_id, work_item_id)


def told(scene: Scene, issue_id: str | None = None, work_item_id: int | None = None) -> str:
    return "\n".join(explained(scene, issue_id, work_item_id).sentences)


def throttle(scene: Scene, name: str) -> None:
    scene.calls.meet(name, Throttled("ado", "HTTP 429", retry_after=60.0))


def test_a_link_that_is_over_is_told_beside_the_one_there_is(scene: Scene) -> None:
    scene.link(work_item_id=32)
    unlink(scene.services, scene.organization, ISSUE, ITEM)
    assert f"It was linked to #{ITEM} until" in told(scene, ISSUE)
    assert "was linked to" not in told(scene, work_item_id=32)
    assert "are not linked" in told(scene, ISSUE, ITEM)
    scene.link()
    assert "was linked to" not in told(scene, ISSUE)


def test_an_issue_and_a_work_item_of_one_number_are_two(scene: Scene) -> None:
    for issue_id, work_item_id in ((ISSUE, 100), ("31", ITEM)):
        scene.link(issue_id, work_item_id)
        unlink(scene.services, scene.organization, issue_id, work_item_id)
    assert "It was linked to #100 until" in told(scene, ISSUE)
    assert "It was linked to issue 31 until" in told(scene, work_item_id=ITEM)


def test_what_was_put_off_for_one_link_is_not_told_of_its_neighbor(scene: Scene) -> None:
    scene.link(work_item_id=32)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    throttle(scene, "get_work_item")
    with pytest.raises(Throttled):
        scene.inbound()
    assert "put off" in told(scene, ISSUE)
    assert "put off" in told(scene, ISSUE, ITEM)
    assert "put off" not in told(scene, ISSUE, 32)


TO_ADO = "Comments do not travel to Azure DevOps (sync_comments)."
TO_SENTRY = "Comments do not travel to Sentry (sync_comments_reverse)."
MARKED_ONLY = "Only comments that begin with /sentry travel to Sentry (sync_comments_reverse)."


@pytest.mark.parametrize(
    ("document", "sentences"),
    [
        ({}, [TO_ADO, TO_SENTRY]),
        ({"sync_comments": True}, [TO_SENTRY]),
        ({"sync_comments_reverse": InboundComments.ALL}, [TO_ADO]),
        ({"sync_comments": True, "sync_comments_reverse": InboundComments.MARKED}, [MARKED_ONLY]),
        ({"sync_comments": True, "sync_comments_reverse": InboundComments.ALL}, []),
        ({"issue_sync": False}, []),  # nothing travels, as another sentence says
    ],
)
def test_what_comments_do_not_travel_is_told(
    scene: Scene, document: dict[str, Any], sentences: list[str]
) -> None:
    scene.configure(**document)
    assert [each for each in explained(scene, ISSUE).sentences if "omments" in each] == sentences


def test_nothing_is_promised_while_the_sync_is_off(scene: Scene) -> None:
    assert "within seconds" in explained(scene, ISSUE).next
    scene.configure(issue_sync=False)
    assert "until the sync is switched on" in explained(scene, ISSUE).next


# How both stand now.


def test_a_change_that_is_not_carried_over_is_no_agreement(scene: Scene) -> None:
    """The link says how both stood when it was last synced."""
    assert "Both sides agree." in told(scene, ISSUE)
    scene.sentry.resolve(ISSUE)
    said = told(scene, ISSUE)
    assert "When it was last synced, both sides agreed." in said
    assert "has changed since the link was last synced: it was unresolved, assigned to nobody." in said
    assert "Both sides agree." not in said
    scene.outbound()
    assert "Both sides agree." in told(scene, ISSUE)
    assert "has changed since" not in told(scene, ISSUE)


@pytest.mark.parametrize("fields", [{STATE: "Active"}, {"System.AssignedTo": ANN}])
def test_what_changed_of_the_work_item_is_told_as_well(scene: Scene, fields: dict[str, str]) -> None:
    before = scene.ado.item(ITEM).state
    scene.ado.edit(ITEM, **fields)
    assert f"#{ITEM} has changed since the link was last synced: it was {before}" in told(scene, ISSUE, ITEM)


@pytest.mark.parametrize("name", ["get_issue", "get_work_item"])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Unavailable("x", "HTTP 503"), "does not say now how it stands: the service did not answer."),
        (Unauthorized("x", "HTTP 401"), "does not say now how it stands: our credentials are not accepted."),
        (Throttled("x", "429", retry_after=30.0), "how it stands: the service asked us to wait, 30 seconds."),
    ],
)
def test_nobody_says_that_sides_agree_of_which_one_is_not_shown(
    scene: Scene, name: str, error: SyncError, words: str
) -> None:
    scene.calls.meet(name, error)
    said = told(scene, ISSUE)
    assert words in said
    assert "When it was last synced, both sides agreed." in said


@pytest.mark.parametrize("service", ["ado", "sentry"])
def test_what_was_given_up_as_an_organization_was_gone_is_told(scene: Scene, service: str) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.calls.meet("get_issue", OrganizationGone(service, "HTTP 404"))
    with pytest.raises(OrganizationGone):
        scene.inbound()
    explanation = explained(scene, ISSUE)
    said = "\n".join(explanation.sentences)
    assert "what a hook told of could not be carried over. The service knows no organization" in said
    assert "knows no organization" in explanation.next
    assert "sentry-ado settings edit" in said
    scene.services.organizations.note_cure(SLUG)
    scene.now += 60.0
    scene.inbound()
    assert "could not be carried over" not in told(scene, ISSUE)


# By which name.


@pytest.mark.parametrize(
    "trouble", [NotFound("no issue", kind="issue-not-found"), Unavailable("sentry", "HTTP 503")]
)
def test_an_issue_that_sentry_does_not_show_is_known_by_its_short_id(
    scene: Scene, trouble: SyncError
) -> None:
    short_id = scene.row.short_id
    assert short_id
    scene.calls.meet("find_issue_id", trouble, trouble)
    assert issue_named(scene.services, scene.organization, f" {short_id.lower()} ", "issue_id") == ISSUE
    with pytest.raises(type(trouble)):
        issue_named(scene.services, scene.organization, "NOBODYS-1", "issue_id")


def test_zeros_before_an_id_name_nothing_else(scene: Scene) -> None:
    assert issue_named(scene.services, scene.organization, f"000{ISSUE}", "issue_id") == ISSUE
    with pytest.raises(Rejected):
        issue_named(scene.services, scene.organization, "\x00100", "issue_id")
