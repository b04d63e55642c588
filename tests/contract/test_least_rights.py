"""The rights that docs/permissions.md asks for are enough, and one that is missing shows as the page says."""

import logging
from collections.abc import Callable
from typing import NamedTuple

import pytest

from functions import inbound_sync
from shared.domain.messages import InboundMessage
from simulator.ado.scopes import PROJECT, WORK, WORK_WRITE
from simulator.sentry.gate import ALL_SCOPES
from simulator.sentry.hooks import compact, sign
from tests.fuzz.flows import ANN, FLOWS, SLUG, Scene, connected

IN_ADO = frozenset({WORK_WRITE, PROJECT})
IN_SENTRY = ALL_SCOPES - {"event:admin"}  # which is optional


class Stand(NamedTuple):
    """How the two ends of the link stand, and why it wants attention."""

    status: str
    on_the_issue: str | None
    state: str
    on_the_item: str | None
    reason: str


OPEN = Stand("unresolved", None, "New", None, "")
AGREED = Stand("resolved", ANN, "Closed", ANN, "")


def stand(scene: Scene) -> Stand:
    issue, item = scene.sentry.issue(scene.issue_id), scene.ado.item(scene.work_item_id)
    [link] = scene.services.links.for_issue(scene.scope, scene.issue_id)
    assignee = (issue["assignedTo"] or {}).get("email")
    return Stand(issue["status"], assignee, item.state, item.assignee, link.link.health.reason)


@pytest.fixture
def words(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    caplog.set_level(logging.INFO)
    return lambda: caplog.text


@pytest.mark.parametrize("name", FLOWS)
def test_what_the_page_asks_for_is_enough(name: str, words: Callable[[], str]) -> None:
    with connected() as scene:
        scene.ado.scopes, scene.sentry.scopes = IN_ADO, IN_SENTRY
        FLOWS[name](scene)
    for refused in ("error=Unauthorized", "error=Forbidden", "error=Refused"):
        assert refused not in words()


@pytest.mark.parametrize(
    ("ado", "sentry", "flow", "expected"),
    [
        # With a token that may only read, changes in Azure DevOps still reach Sentry.
        ({WORK, PROJECT}, IN_SENTRY, "inbound", AGREED),
        ({WORK, PROJECT}, IN_SENTRY, "outbound", Stand("resolved", ANN, "New", None, "unauthorized")),
        # Without projects, what is linked goes on.
        ({WORK_WRITE}, IN_SENTRY, "inbound", AGREED),
        ({WORK_WRITE}, IN_SENTRY, "outbound", AGREED),
        ({PROJECT}, IN_SENTRY, "inbound", Stand("unresolved", None, "Closed", ANN, "unauthorized")),
        ({PROJECT}, IN_SENTRY, "outbound", Stand("resolved", ANN, "New", None, "unauthorized")),
        # With Read alone, changes in Sentry still reach Azure DevOps.
        (IN_ADO, IN_SENTRY - {"event:write"}, "outbound", AGREED),
        (
            IN_ADO,
            IN_SENTRY - {"event:write"},
            "inbound",
            Stand("unresolved", None, "Closed", ANN, "forbidden"),
        ),
        # Without people, a status crosses, and no assignee does.
        (IN_ADO, IN_SENTRY - {"member:read"}, "outbound", AGREED),
        (IN_ADO, IN_SENTRY - {"member:read"}, "inbound", Stand("resolved", None, "Closed", ANN, "forbidden")),
    ],
)
def test_what_is_missing_keeps_its_own_part_from_being_done(
    ado: set[str], sentry: frozenset[str], flow: str, expected: Stand
) -> None:
    with connected() as scene:
        scene.ado.scopes, scene.sentry.scopes = frozenset(ado), sentry
        FLOWS[flow](scene)
        assert stand(scene) == expected


@pytest.mark.parametrize(
    ("ado", "flow", "status", "error"),
    [
        ({PROJECT}, "link", 502, "ado-refused-us"),
        ({PROJECT}, "reconcile one", 502, "ado-refused-us"),
        ({WORK, PROJECT}, "link", 201, None),
    ],
)
def test_who_waits_for_an_answer_is_told_what_refuses(
    ado: set[str], flow: str, status: int, error: str | None
) -> None:
    with connected() as scene:
        scene.ado.scopes = frozenset(ado)
        answer = scene.answer_of(flow)
        assert (answer.status_code, scene.content_of(answer).get("error")) == (status, error)


def test_without_projects_there_is_nothing_to_choose_from_and_the_reason_is_told() -> None:
    with connected() as scene:
        scene.ado.scopes = frozenset({WORK_WRITE})
        fields = scene.content_of(scene.answer_of("show the document"))["fields"]
        [mapper] = [each for each in fields if each["name"] == "status_mapping"]
        assert mapper["disabled"]
        assert "does not accept our credentials" in mapper["disabled_reason"]


def test_a_right_that_comes_back_is_used_again() -> None:
    with connected() as scene:
        scene.ado.scopes = frozenset({PROJECT})
        FLOWS["outbound"](scene)
        assert stand(scene).reason == "unauthorized"
        scene.ado.scopes = IN_ADO
        FLOWS["reconcile one"](scene)
        assert stand(scene) == AGREED


# Rotation: a token is replaced while it is used, and nothing is lost.


def test_a_token_of_azure_devops_is_replaced_without_loss() -> None:
    with connected() as scene:
        [owner] = scene.ado.tokens.values()
        scene.ado.tokens["the-next-token"] = owner
        scene.services.take(ADO_PAT="the-next-token")
        scene.ado.tokens = {"the-next-token": owner}
        FLOWS["outbound"](scene)
        assert stand(scene) == AGREED


def test_a_token_that_ended_before_the_next_one_came_loses_nothing() -> None:
    with connected() as scene:
        [owner] = scene.ado.tokens.values()
        scene.ado.tokens = {"the-next-token": owner}
        FLOWS["outbound"](scene)
        assert stand(scene).reason == "unauthorized"
        scene.services.take(ADO_PAT="the-next-token")
        FLOWS["reconcile one"](scene)
        assert stand(scene) == AGREED


def test_what_sentry_signs_with_a_secret_that_we_do_not_have_yet_is_found() -> None:
    """Sentry signs with the new one at once, and sends nothing again: what is refused meanwhile is found."""
    with connected() as scene:
        scene.sentry.resolve(scene.issue_id)
        hook = compact({"action": "resolved", "data": {"issue": {"id": scene.issue_id}}})
        headers = {"Sentry-Hook-Resource": "issue", "Sentry-Hook-Signature": sign("the-next-secret", hook)}
        assert scene.deliver(headers, hook).status_code == 401
        FLOWS["timer"](scene)
        scene.work_off()
        assert stand(scene) == Stand("resolved", None, "Closed", None, "")
        scene.services.take(SENTRY_CLIENT_SECRET="the-next-secret", SENTRY_CLIENT_SECRET_PREVIOUS="")
        assert scene.deliver(headers, hook).status_code == 202


def test_a_token_of_sentry_is_replaced_without_loss() -> None:
    with connected() as scene:
        item = scene.ado.edit(scene.work_item_id, **{"System.State": "Closed", "System.AssignedTo": ANN})
        scene.sentry.renew_token("the-next-token")
        message = InboundMessage(SLUG, item.id, item.rev, epoch=scene.epoch)
        scene.work(inbound_sync.handle, message)
        assert stand(scene).reason == "unauthorized"
        scene.services.take(SENTRY_TOKEN="the-next-token")
        FLOWS["reconcile one"](scene)
        assert stand(scene) == AGREED
