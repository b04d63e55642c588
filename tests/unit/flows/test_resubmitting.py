"""A form that is sent once more: the same answer for it, and no link that somebody removed comes back."""

import json
from typing import Any

import azure.functions as func
import pytest

from functions import sentry_components
from shared.domain.rules.entries import REMOVED_IN_SENTRY
from shared.flows.linking import part, unlink
from shared.flows.reconciling.pruning import prune
from shared.flows.reconciling.run import Run
from shared.sentry.hook import sign
from shared.store.progress import Progress
from tests.doubles.services import SENTRY_SECRET
from tests.unit.scene import ISSUE, SLUG, STATE, Scene

OTHER = 32


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.ado.add_item("Another", OTHER)
    return scene


def submit(scene: Scene, item: int, headers: dict[str, str] | None = None, **more: Any) -> tuple[int, Any]:
    return sent(scene, "link", {"fields": {"work_item": str(item)}, "issueId": int(ISSUE), **more}, headers)


def sent(
    scene: Scene, button: str, submitted: dict[str, Any], headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    body = json.dumps(submitted).encode()
    signature = sign(body, SENTRY_SECRET).decode()
    request = func.HttpRequest(
        "POST",
        "/",
        headers=headers or {"Sentry-App-Signature": signature},
        route_params={"organization": SLUG, "area": "issue-link", "name": button},
        body=body,
    )
    answer = sentry_components.handle(request, scene.services)
    return answer.status_code, json.loads(answer.get_body())


def linked(scene: Scene) -> list[int]:
    found = scene.services.links.for_issue(scene.organization.scope, ISSUE)
    return sorted(each.link.work_item_id for each in found)


def test_the_same_form_gets_the_same_answer_and_changes_nothing(scene: Scene) -> None:
    first = submit(scene, OTHER)
    before, rows = scene.stored(ISSUE, OTHER), scene.entries(ISSUE, OTHER)
    scene.now += 5.0
    assert submit(scene, OTHER) == first
    assert first[0] == 200
    assert (scene.stored(ISSUE, OTHER), scene.entries(ISSUE, OTHER)) == (before, rows)


def test_the_form_of_a_new_item_sent_again_copies_nothing_over_what_people_did_since(scene: Scene) -> None:
    scene.sentry.add_issue(issue_id="200")
    project = scene.ado.catalog.project("Fabrikam-Fiber").id
    fields = {"project": project, "work_item_type": "Bug", "title": "Fix login", "initial": "sentry"}
    form = {"fields": fields, "issueId": 200}
    first = sent(scene, "create", form)
    made = int(first[1]["identifier"])
    scene.ado.edit(made, **{STATE: "Closed"})
    scene.now += 5.0
    assert sent(scene, "create", form) == first
    assert scene.ado.item(made).state == "Closed"
    assert sent(scene, "create", {**form, "another": "form"})[0] == 200
    assert scene.ado.item(made).state != "Closed"


def test_a_link_that_was_removed_here_does_not_come_back_within_the_hour(scene: Scene) -> None:
    submit(scene, OTHER)
    unlink(scene.services, scene.organization, ISSUE, OTHER)
    linked_before = linked(scene)
    for _ in range(3):
        status, content = submit(scene, OTHER)
        assert (status, content["error"]) == (409, "submitted-before")
        assert content["message"] == content["detail"]
        scene.now += 1_000.0
    assert linked(scene) == linked_before
    assert OTHER not in linked_before


def test_after_an_hour_it_is_a_new_wish(scene: Scene) -> None:
    submit(scene, OTHER)
    unlink(scene.services, scene.organization, ISSUE, OTHER)
    scene.now += 3_601.0
    assert submit(scene, OTHER)[0] == 200
    assert OTHER in linked(scene)


def test_another_form_links_what_was_removed(scene: Scene) -> None:
    submit(scene, OTHER)
    unlink(scene.services, scene.organization, ISSUE, OTHER)
    assert submit(scene, OTHER, actor={"id": 7})[0] == 200
    assert OTHER in linked(scene)


def test_an_older_form_does_not_take_the_place_of_a_newer_one(scene: Scene) -> None:
    scene.ado.add_item("A third", 33)
    submit(scene, OTHER)
    scene.now += 1.0
    submit(scene, 33)
    scene.now += 1.0
    assert submit(scene, OTHER)[0] == 409
    assert (OTHER in linked(scene), 33 in linked(scene)) == (False, True)


def test_what_a_person_removed_in_sentry_the_same_form_makes_again(scene: Scene) -> None:
    submit(scene, OTHER)
    part(scene.services, scene.organization, scene.stored(ISSUE, OTHER), REMOVED_IN_SENTRY)
    assert submit(scene, OTHER)[0] == 200
    assert OTHER in linked(scene)


def test_a_form_that_failed_is_not_remembered(scene: Scene) -> None:
    assert submit(scene, 999)[0] == 404
    scene.ado.add_item("There by now", 999)
    assert submit(scene, 999)[0] == 200


@pytest.mark.parametrize("spelled", [str.upper, " {} ".format])
def test_a_signature_that_is_spelled_otherwise_is_the_same(scene: Scene, spelled: Any) -> None:
    submit(scene, OTHER)
    unlink(scene.services, scene.organization, ISSUE, OTHER)
    body = json.dumps({"fields": {"work_item": str(OTHER)}, "issueId": int(ISSUE)}).encode()
    headers = {"Sentry-App-Signature": spelled(sign(body, SENTRY_SECRET).decode())}
    assert submit(scene, OTHER, headers)[0] == 409


def test_the_rows_do_not_pile_up(scene: Scene) -> None:
    submit(scene, OTHER)
    scene.now += 3_601.0
    prune(Run(scene.services, scene.organization, Progress(), 60.0))
    assert scene.services.submissions.prune(scene.organization.scope, scene.now) == 0


@pytest.mark.parametrize("is_unlinked", [True, False])
def test_a_link_that_followed_a_merge_is_known_by_the_form_that_made_it(
    scene: Scene, is_unlinked: bool
) -> None:
    first = submit(scene, OTHER)
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.merge(ISSUE, into="200")
    scene.outbound()
    if is_unlinked:
        unlink(scene.services, scene.organization, "200", OTHER)
    scene.now += 60.0
    status, answer = submit(scene, OTHER)
    found = [each.link.work_item_id for each in scene.services.links.for_issue(SLUG, "200")]
    assert OTHER not in linked(scene)
    assert ((status, answer) == first, OTHER in found) == (not is_unlinked, not is_unlinked)
    assert status in {200, 409} if is_unlinked else status == 200
