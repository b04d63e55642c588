"""A work item that is reopened since its issue came back: it is told why, once for each time."""

import azure.functions as func
import pytest
from msgspec.structs import replace

from functions import outbound_sync
from shared.domain.errors import (
    Busy,
    Forbidden,
    MissingSetting,
    NotFound,
    Refused,
    SyncError,
    Throttled,
    Unavailable,
)
from shared.domain.messages import OutboundMessage, decode_outbound
from shared.domain.model import IssueStatus, ItemSide
from shared.domain.moments import DAY
from shared.flows.linking import unlink
from shared.flows.regressing import tell_of_regression
from shared.store.tables import Row
from tests.unit.scene import ISSUE, ITEM, SLUG, STATE, Died, Scene

URL = "https://acme.sentry.io/issues/100/"


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    assert scene.state == "Closed"
    return scene


def settle(scene: Scene) -> None:
    """Handle what the hook of the issue leads to, until nothing is left."""
    scene.services.outbound.put(OutboundMessage(SLUG, ISSUE))
    finish(scene)


def finish(scene: Scene) -> None:
    queue = scene.services.outbound
    for _ in range(200):
        if not queue.moments():
            return
        scene.now = max(scene.now, *queue.moments())
        for number in queue.visible():
            received = queue.receive_one(number)
            outbound_sync.handle(func.QueueMessage(body=received.body), scene.services)
            queue.delete(received)
    raise AssertionError("it never comes to rest")


def notes(scene: Scene) -> list[str]:
    return list(scene.ado.discussion(ITEM))


def test_the_note_names_release_environment_count_and_the_newest_event(scene: Scene) -> None:
    scene.sentry.regress(ISSUE, release="web@1.4.0", environment="production")
    settle(scene)
    assert scene.state != "Closed"
    [note] = notes(scene)
    assert note == (
        f'<p>Seen again in <a href="{URL}activity/#event_1">Sentry</a>: '
        f'<a href="{URL}">this issue</a> was resolved and has come back.</p>'
        "<ul><li>Release: web@1.4.0</li><li>Environment: production</li><li>Events so far: 2</li>"
        f'<li><a href="{URL}events/{"e" * 32}/">The newest event</a></li></ul>'
    )
    assert "commented" in scene.outcomes()
    assert any(each.reason == "regression-1" for each in scene.entries())


def test_what_sentry_does_not_tell_is_left_out(scene: Scene) -> None:
    scene.sentry.regress(ISSUE)
    scene.sentry._latest.clear()
    scene.sentry._counts.clear()
    scene.sentry._counts[ISSUE] = 0
    settle(scene)
    assert notes(scene)[0].endswith("has come back.</p>")


def test_every_word_of_a_release_is_text(scene: Scene) -> None:
    scene.sentry.regress(ISSUE, release="<script>alert(1)</script>", environment='"a" & b')
    settle(scene)
    assert "<script" not in notes(scene)[0]
    assert "&quot;a&quot; &amp; b" in notes(scene)[0]


def test_a_person_who_reopens_gives_their_own_reasons(scene: Scene) -> None:
    scene.sentry.unresolve(ISSUE)
    settle(scene)
    assert (scene.state != "Closed", notes(scene)) == (True, [])


def test_an_item_that_is_open_already_is_told_nothing(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Active"})
    scene.sentry.regress(ISSUE)
    settle(scene)
    assert notes(scene) == []


def test_each_regression_is_told_once_however_often_its_hook_comes(scene: Scene) -> None:
    for times in (1, 2):
        scene.sentry.regress(ISSUE)
        for _ in range(3):
            settle(scene)
        assert len(notes(scene)) == times
        scene.sentry.resolve(ISSUE)
        settle(scene)


def test_each_reopened_item_is_told(scene: Scene) -> None:
    scene.link(ISSUE, 32)
    scene.ado.edit(32, **{STATE: "Closed"})
    scene.sentry.regress(ISSUE)
    settle(scene)
    assert [len(scene.ado.discussion(each)) for each in (ITEM, 32)] == [
        1,
        1 if scene.ado.item(32).state != "Closed" else 0,
    ]


@pytest.mark.parametrize("lands", [True, False])
@pytest.mark.parametrize("call", ["update_work_item", "POST comments"])
def test_a_worker_that_dies_leaves_no_item_without_its_note_and_none_with_two(
    scene: Scene, call: str, lands: bool
) -> None:
    scene.sentry.regress(ISSUE, release="web@1.4.0")
    scene.calls.meet(call, Died(), lands=lands)
    queue = scene.services.outbound
    queue.put(OutboundMessage(SLUG, ISSUE))
    died = 0
    for _ in range(3):
        scene.now = max(scene.now, *queue.moments())
        for number in queue.visible():
            received = queue.receive_one(number)
            try:
                outbound_sync.handle(func.QueueMessage(body=received.body), scene.services)
            except Died:
                died += 1
                continue
            queue.delete(received)
        if died:
            break
    assert died == 1
    scene.now += 700.0
    finish(scene)
    assert scene.state != "Closed"
    assert len(notes(scene)) == 1


@pytest.mark.parametrize("lands", [True, False])
def test_a_lost_answer_doubles_nothing(scene: Scene, lands: bool) -> None:
    scene.sentry.regress(ISSUE)
    scene.calls.meet("POST comments", Unavailable("ado", "ConnectionError"), lands=lands)
    settle(scene)
    assert len(notes(scene)) == 1


def test_a_hook_of_a_regression_that_is_over_reopens_and_tells_nothing(scene: Scene) -> None:
    scene.sentry.regress(ISSUE)
    scene.sentry.resolve(ISSUE)
    settle(scene)
    assert (scene.state, notes(scene)) == ("Closed", [])


def test_a_note_that_comes_late_is_left_out(scene: Scene) -> None:
    scene.sentry.regress(ISSUE)
    assert scene.outbound() == ["applied"]
    # The note is still on the queue when somebody mends it again.
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    finish(scene)
    assert (scene.state, notes(scene)) == ("Closed", [])
    assert "commented" not in scene.outcomes()


def test_whoever_could_not_reopen_has_nothing_to_explain(scene: Scene) -> None:
    scene.sentry.regress(ISSUE)
    scene.calls.meet("update_work_item", *[Refused("ado", "HTTP 400", quoted="no")] * 20)
    settle(scene)
    assert (scene.state, notes(scene)) == ("Closed", [])


@pytest.mark.parametrize("off", [{"sync_status_forward": False}, {"issue_sync": False}])
def test_where_nothing_is_reopened_nothing_is_told(scene: Scene, off: dict[str, bool]) -> None:
    scene.configure(**off)
    scene.sentry.regress(ISSUE)
    settle(scene)
    assert (scene.state, notes(scene)) == ("Closed", [])
    message = OutboundMessage(SLUG, ISSUE, only=(str(ITEM),), regression="1")
    assert tell_of_regression(message, scene.services) == ["skipped"]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Refused("ado", "HTTP 400", quoted="closed"), "refused"),
        (Forbidden("ado", "HTTP 403", about="the comments of work item 31", quoted="closed"), "forbidden"),
        (NotFound("HTTP 404", quoted="closed"), "work-item-gone"),
    ],
)
def test_a_note_that_is_refused_is_told_with_the_words(scene: Scene, error: SyncError, outcome: str) -> None:
    scene.sentry.regress(ISSUE)
    scene.calls.meet("POST comments", error, *([error] if isinstance(error, NotFound) else []))
    settle(scene)
    entry = next(each for each in scene.entries() if each.field == "comment")
    assert entry.reason is not None
    assert entry.reason.endswith("closed")


def test_a_note_waits_for_a_service_and_a_setting(scene: Scene) -> None:
    scene.sentry.regress(ISSUE)
    scene.outbound()
    message = OutboundMessage(SLUG, ISSUE, only=(str(ITEM),), regression="1")
    for error, raised in (
        (Unavailable("sentry", "HTTP 503"), Throttled),
        (MissingSetting("SENTRY_TOKEN", "is missing"), Busy),
    ):
        scene.calls.meet("get_issue", error)
        with pytest.raises(raised):
            tell_of_regression(message, scene.services)
    assert tell_of_regression(message, scene.services) == ["commented"]
    assert tell_of_regression(message, scene.services) == ["already-commented"]


def test_a_link_that_is_gone_needs_no_note(scene: Scene) -> None:
    message = OutboundMessage(SLUG, ISSUE, only=("99",), regression="1")
    assert tell_of_regression(message, scene.services) == ["not-linked"]


def test_the_note_waits_until_the_item_is_open_again(scene: Scene) -> None:
    scene.sentry.regress(ISSUE)
    scene.outbound()
    queue = scene.services.outbound
    assert queue.moments() == [scene.now + 2.0]
    scene.now += 2.0
    received = queue.receive()
    assert received is not None
    link = scene.stored().link
    assert decode_outbound(received.body) == OutboundMessage(
        SLUG, ISSUE, epoch=link.epoch, only=(str(ITEM),), regression="1"
    )


def test_a_note_outlives_an_outage_that_keeps_its_item_closed(scene: Scene) -> None:
    scene.sentry.regress(ISSUE)
    scene.calls.meet("update_work_item", Unavailable("ado", "ConnectTimeout"))
    with pytest.raises(Unavailable):
        scene.outbound()
    scene.now += 2 * 3600.0
    queue = scene.services.outbound
    received = queue.receive()
    assert received is not None
    message = replace(decode_outbound(received.body), since=scene.now - 2 * 3600.0)
    queue.delete(received)
    assert tell_of_regression(message, scene.services) == ["waits-for-reopening"]
    assert queue.moments() == [scene.now + 900.0]
    assert scene.outbound() == ["applied"]
    finish(scene)
    assert len(notes(scene)) == 1


def test_a_note_is_not_kept_for_more_than_a_day(scene: Scene) -> None:
    scene.sentry.regress(ISSUE)
    scene.calls.meet("update_work_item", Unavailable("ado", "ConnectTimeout"))
    with pytest.raises(Unavailable):
        scene.outbound()
    for age, outcome in ((DAY - 1, "waits-for-reopening"), (DAY, "not-reopened")):
        message = OutboundMessage(SLUG, ISSUE, only=(str(ITEM),), regression="1", since=scene.now - age)
        assert tell_of_regression(message, scene.services) == [outcome]


def test_a_well_link_lets_its_note_wait_for_an_hour(scene: Scene) -> None:
    for age, outcome in ((3599.0, "waits-for-reopening"), (3600.0, "not-reopened")):
        message = OutboundMessage(SLUG, ISSUE, only=(str(ITEM),), regression="1", since=scene.now - age)
        assert tell_of_regression(message, scene.services) == [outcome]


CLOSED = ItemSide(2, "Closed", IssueStatus.RESOLVED, None)


def waiting(scene: Scene) -> None:
    """Reopen the item for a regression, whose note is still on its way."""
    scene.sentry.regress(ISSUE)
    scene.outbound()
    assert scene.state != "Closed"


def handle_once(scene: Scene) -> None:
    queue = scene.services.outbound
    scene.now = max(scene.now, *queue.moments())
    for number in queue.visible():
        received = queue.receive_one(number)
        outbound_sync.handle(func.QueueMessage(body=received.body), scene.services)
        queue.delete(received)


def test_an_item_whose_issue_was_merged_twice_is_told(scene: Scene) -> None:
    """Sentry answers with the last of the three, and the link has come to the second."""
    waiting(scene)
    for issue_id in ("200", "300"):
        scene.sentry.add_issue(issue_id=issue_id)
    scene.sentry.merge(ISSUE, into="200")
    scene.outbound()
    scene.sentry.merge("200", into="300")
    for _ in range(2):
        handle_once(scene)
    assert notes(scene) == []
    scene.outbound("200")
    assert scene.stored("300").link.work_item_id == ITEM
    finish(scene)
    assert len(notes(scene)) == 1


def test_an_item_whose_link_follows_a_merge_between_two_reads_is_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(scene)
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.merge(ISSUE, into="200")
    table = scene.services._named["links"]
    read, moves = table.get, [scene.outbound]

    def moving(partition: str, key: str) -> Row:
        try:
            return read(partition, key)
        finally:
            if key.endswith("!200") and moves:
                moves.pop()()

    monkeypatch.setattr(table, "get", moving)
    finish(scene)
    assert len(notes(scene)) == 1


@pytest.mark.parametrize("is_waiting", [False, True])
def test_what_was_unlinked_is_not_waited_for(scene: Scene, *, is_waiting: bool) -> None:
    waiting(scene)
    if is_waiting:
        scene.services.links.replace(
            scene.stored(), replace(scene.row, seen=replace(scene.row.seen, item=CLOSED))
        )
        handle_once(scene)
    unlink(scene.services, scene.organization, ISSUE, ITEM)
    handle_once(scene)
    assert (scene.services.outbound.moments(), notes(scene)) == ([], [])
