"""What the form in Sentry does where a link is there already."""

import pytest

from shared.domain.model import IssueStatus
from shared.flows.creating import link_by_form
from tests.unit.scene import ISSUE, ITEM, STATE, Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_link_that_is_there_becomes_the_forms(scene: Scene) -> None:
    assert scene.row.form is None
    made = link_by_form(scene.services, scene.organization, ISSUE, ITEM)
    assert made.form is not None
    assert scene.row.form == made.form


def test_a_side_that_is_chosen_is_copied_over_a_link_that_is_there(scene: Scene) -> None:
    scene.configure(issue_sync=False)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.inbound()
    assert scene.status is IssueStatus.UNRESOLVED
    link_by_form(scene.services, scene.organization, ISSUE, ITEM)
    assert scene.status is IssueStatus.UNRESOLVED
    for _ in range(2):  # submitted twice
        link_by_form(scene.services, scene.organization, ISSUE, ITEM, "ado")
        assert (scene.status, scene.state) == (IssueStatus.RESOLVED, "Closed")


def test_an_issue_that_was_merged_is_found_under_its_new_id(scene: Scene) -> None:
    scene.sentry.add_issue(issue_id="200")
    scene.link("200", ITEM)
    scene.sentry.merge(ISSUE, into="200")
    assert link_by_form(scene.services, scene.organization, ISSUE, ITEM).issue_id == "200"
