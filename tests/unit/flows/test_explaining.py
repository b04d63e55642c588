"""Why something happened, or why nothing did: what is told of links that are and were, by which name."""

import pytest

from shared.domain.errors import NotFound, Rejected, SyncError, Throttled, Unavailable
from shared.flows.explaining import Explanation, explain
from shared.flows.linking import unlink
from shared.flows.naming import issue_named
from tests.unit.scene import ISSUE, ITEM, STATE, Scene


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


def test_what_was_put_off_for_one_link_is_not_told_of_its_neighbor(scene: Scene) -> None:
    scene.link(work_item_id=32)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    throttle(scene, "get_work_item")
    with pytest.raises(Throttled):
        scene.inbound()
    assert "put off" in told(scene, ISSUE)
    assert "put off" in told(scene, ISSUE, ITEM)
    assert "put off" not in told(scene, ISSUE, 32)


def test_nothing_is_promised_while_the_sync_is_off(scene: Scene) -> None:
    assert "within seconds" in explained(scene, ISSUE).next
    scene.configure(issue_sync=False)
    assert "until the sync is switched on" in explained(scene, ISSUE).next


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
