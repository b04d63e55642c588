"""A comment that cannot be carried over yet: what it waits for, how long, and what is told of it."""

from dataclasses import dataclass, field
from typing import Any, cast

import azure.functions as func
import pytest
from msgspec.structs import replace

from functions import outbound_sync
from shared.ado.answers import CommentAnswer
from shared.ado.comments import rendered
from shared.domain.errors import Busy, NotFound, Throttled, Unauthorized, Unavailable
from shared.domain.messages import OutboundMessage, decode_outbound
from shared.domain.model import SentryComment, SentryIssue
from shared.flows.commenting import sync_comment
from shared.settings import Settings
from shared.store.organizations import Organization
from shared.store.tables import Row
from tests.doubles.services import MemoryServices
from tests.doubles.tables import MemoryTable
from tests.unit.scene import ISSUE, ITEM, SLUG, Scene

COMMENT = SentryComment("5", "Ann", "It is the cache.", "https://acme.sentry.io/issues/100/activity/#event_5")
MESSAGE = OutboundMessage(SLUG, ISSUE, "5")
HOUR = 3600.0
WAITS = 1.5 * HOUR  # for its link; a link that is not well is tried hourly


@dataclass
class Commented:
    """Both services, as far as a comment needs them."""

    scene: Scene
    looks: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    is_deleted: bool = False
    away: Exception | None = None
    closed: Exception | None = None

    def get_issue(self, issue_id: str) -> SentryIssue:
        if self.away:
            raise self.away
        self.looks.append(issue_id)
        return self.scene.sentry.get_issue(issue_id)

    def get_comment(self, issue_id: str, comment_id: str) -> SentryComment:
        if self.away:
            raise self.away
        if self.is_deleted or self.scene.sentry.get_issue(issue_id).issue_id != issue_id:
            raise NotFound("no such comment", kind="comment-not-found")
        return COMMENT

    def call(self, method: str, path: object, *args: object, **kwargs: Any) -> object:
        assert method == "POST"
        if self.closed:
            raise self.closed
        self.comments.append(kwargs["json"]["text"])
        return CommentAnswer(id=len(self.comments))

    def activity_url(self, issue_id: str, activity_id: str) -> str:
        return self.scene.sentry.activity_url(issue_id, activity_id)


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.configure(sync_comments=True)
    return scene


@pytest.fixture
def services_at(scene: Scene) -> Commented:
    commented = Commented(scene)
    scene.services._ado = cast("Any", commented)
    scene.services._sentry = cast("Any", commented)
    return commented


def handle_what_is_visible(scene: Scene) -> int:
    """Handle each message that is visible, once."""
    queue = scene.services.outbound
    numbers = queue.visible()
    for number in numbers:
        received = queue.receive_one(number)
        outbound_sync.handle(func.QueueMessage(body=received.body), scene.services)
        queue.delete(received)
    return len(numbers)


def let_it_wait(scene: Scene, seconds: float) -> list[float]:
    """Let time go by, and return after how long the message was looked at each time."""
    began, looked_at = scene.now, []
    end = began + seconds
    while moments := [each for each in scene.services.outbound.moments() if each <= end]:
        scene.now = max(scene.now, *moments)
        looked_at += [scene.now - began] * handle_what_is_visible(scene)
    scene.now = end
    return looked_at


# A merge.


def test_a_comment_on_an_issue_whose_link_moved_on_is_carried_over(
    scene: Scene, services_at: Commented
) -> None:
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.merge(ISSUE, into="200")
    scene.services.links.move(scene.stored(), "200")
    assert sync_comment(MESSAGE, scene.services) == ["commented"]
    assert len(services_at.comments) == 1
    assert scene.outcomes("200") == ["commented"]


def test_a_comment_reaches_the_links_that_moved_on_and_those_that_did_not_yet(
    scene: Scene, services_at: Commented
) -> None:
    scene.services.links.add(replace(scene.stored().link, work_item_id=ITEM + 1))
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.merge(ISSUE, into="200")
    scene.services.links.move(scene.stored(), "200")
    assert sync_comment(MESSAGE, scene.services) == ["commented", "commented"]
    assert len(services_at.comments) == 2


def test_a_comment_waits_until_a_merge_is_noticed(scene: Scene, services_at: Commented) -> None:
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.merge(ISSUE, into="200")
    assert sync_comment(OutboundMessage(SLUG, "200", "5"), scene.services) == ["waits-for-link"]
    let_it_wait(scene, 1000.0)
    assert services_at.comments == []
    scene.services.links.move(scene.stored(), "200")  # a round of re-reads has reached it
    let_it_wait(scene, 1000.0)
    assert len(services_at.comments) == 1
    assert scene.outcomes("200") == ["commented"]
    assert len(scene.services.outbound) == 0


# An issue that nobody linked.


def test_a_comment_of_an_issue_without_a_link_waits_and_costs_two_looks(
    scene: Scene, services_at: Commented
) -> None:
    scene.sentry.add_issue(issue_id="300")
    scene.services.outbound.put(OutboundMessage(SLUG, "300", "5"))
    looked_at = let_it_wait(scene, 2 * HOUR)
    assert looked_at == [0.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3840.0, WAITS]
    assert services_at.looks == ["300", "300"]
    assert len(scene.services.outbound) == 0


def test_its_message_remembers_since_when_it_waits(scene: Scene, services_at: Commented) -> None:
    scene.sentry.add_issue(issue_id="300")
    sync_comment(OutboundMessage(SLUG, "300", "5"), scene.services)
    scene.now += 60.0
    received = scene.services.outbound.receive()
    assert received is not None
    message = decode_outbound(received.body)
    assert message == OutboundMessage(SLUG, "300", "5", since=scene.now - 60.0)
    scene.now += WAITS
    assert sync_comment(message, scene.services) == ["not-linked"]


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("sentry", "503"),
        Unauthorized("sentry", "401"),
        Throttled("sentry", "429", retry_after=10.0),
    ],
    ids=lambda error: error.kind,
)
def test_the_hour_begins_again_when_nobody_can_learn_of_a_merge(
    scene: Scene, services_at: Commented, error: Exception
) -> None:
    scene.sentry.add_issue(issue_id="300")
    scene.services.outbound.put(OutboundMessage(SLUG, "300", "5"))
    let_it_wait(scene, 100.0)
    services_at.away = error
    waiting = OutboundMessage(SLUG, "301", "6", since=scene.now - WAITS)
    assert sync_comment(waiting, scene.services) == ["waits-for-link"]
    let_it_wait(scene, 2 * HOUR)
    services_at.away = None
    scene.services.links.move(scene.stored(), "300")
    let_it_wait(scene, WAITS)
    assert len(services_at.comments) == 1
    assert len(scene.services.outbound) == 0


class Away(MemoryTable):
    """A table that storage does not answer about for now."""

    is_away = False

    def get(self, partition: str, key: str) -> Row:
        if self.is_away:
            raise Unavailable("storage", "HTTP 503")
        return super().get(partition, key)


def test_the_hour_begins_again_while_storage_is_away() -> None:
    """No reconciler notices a merge then, wherever a comment fails."""
    scene, table = Scene(), Away()
    scene.configure(sync_comments=True)
    scene.services._named["links"] = table
    for store in ("links", "idempotency"):
        scene.services.__dict__.pop(store, None)
    scene.link()
    services_at = Commented(scene)
    scene.services._ado = scene.services._sentry = cast("Any", services_at)
    scene.sentry.add_issue(issue_id="300")
    scene.services.outbound.put(OutboundMessage(SLUG, "300", "5"))
    let_it_wait(scene, 100.0)
    table.is_away = True
    let_it_wait(scene, 2 * HOUR)
    table.is_away = False
    let_it_wait(scene, HOUR / 2)
    scene.services.links.move(scene.stored(), "300")
    let_it_wait(scene, HOUR)
    assert len(services_at.comments) == 1
    assert len(scene.services.outbound) == 0


def test_a_comment_that_has_found_its_link_waits_for_that_no_longer(
    scene: Scene, services_at: Commented
) -> None:
    services_at.closed = Unavailable("ado", "HTTP 503")
    with pytest.raises(Throttled):
        sync_comment(replace(MESSAGE, since=scene.now - WAITS), scene.services)


def test_a_comment_waits_as_long_as_a_service_asks_for(scene: Scene, services_at: Commented) -> None:
    services_at.away = Throttled("sentry", "429", retry_after=2_000.0)
    scene.sentry.add_issue(issue_id="300")
    message = OutboundMessage(SLUG, "300", "5", since=scene.now - WAITS)
    assert sync_comment(message, scene.services) == ["waits-for-link"]
    assert scene.services.outbound.moments() == [scene.now + 2_000.0]


def test_a_message_that_waits_anew_has_one_outcome(scene: Scene, services_at: Commented) -> None:
    services_at.away = Unavailable("sentry", "503")
    scene.sentry.add_issue(issue_id="300")
    message = OutboundMessage(SLUG, "300", "5", since=scene.now - WAITS)
    assert sync_comment(message, scene.services) == ["waits-for-link"]


def test_an_issue_that_is_linked_late_gets_its_comment(scene: Scene, services_at: Commented) -> None:
    scene.sentry.add_issue(issue_id="300")
    scene.services.outbound.put(OutboundMessage(SLUG, "300", "5"))
    let_it_wait(scene, 100.0)
    scene.services.links.move(scene.stored(), "300")
    let_it_wait(scene, 100.0)
    assert len(services_at.comments) == 1


def test_an_issue_that_is_gone_is_waited_for_no_longer_than_another(
    scene: Scene, services_at: Commented
) -> None:
    scene.services.outbound.put(OutboundMessage(SLUG, "400", "5"))
    let_it_wait(scene, 2 * HOUR)
    assert len(scene.services.outbound) == 0


# Its fate.


def test_a_comment_that_was_deleted_meanwhile_is_told_of_each_link(
    scene: Scene, services_at: Commented
) -> None:
    stored = scene.stored()
    scene.services.links.add(replace(stored.link, work_item_id=32))
    services_at.is_deleted = True
    assert sync_comment(MESSAGE, scene.services) == ["comment-gone", "comment-gone"]
    assert [scene.outcomes(ISSUE, number) for number in (ITEM, 32)] == [["comment-gone"]] * 2


def without_a_token(scene: Scene) -> MemoryServices:
    class Tokenless(MemoryServices):
        def sentry(self, organization: Organization) -> Any:
            self.settings.sentry_token(organization.slug)

    services = Tokenless(scene.ado, scene.sentry, lambda: scene.now, Settings({}))
    services._named = scene.services._named
    return services


def test_a_comment_waits_for_a_setting(scene: Scene, services_at: Commented) -> None:
    with pytest.raises(Busy) as raised:
        sync_comment(MESSAGE, without_a_token(scene))
    assert ("SENTRY_TOKEN" in raised.value.detail, raised.value.retry_after) == (True, 60.0)
    assert sync_comment(MESSAGE, scene.services) == ["commented"]


@pytest.mark.parametrize("error", [Unavailable("sentry", "503"), Unauthorized("sentry", "401")])
@pytest.mark.parametrize("issue_id", [ISSUE, "300"])
def test_a_comment_waits_for_a_service_and_is_no_poison(
    scene: Scene, services_at: Commented, error: Exception, issue_id: str
) -> None:
    services_at.away = error
    with pytest.raises(Throttled):
        sync_comment(OutboundMessage(SLUG, issue_id, "5"), scene.services)
    services_at.away = None
    assert sync_comment(MESSAGE, scene.services) == ["commented"]


@pytest.mark.parametrize("odd", ["\x00", "\x07", "\x0b", "\x1f", "\ud83d", "\ufffe", "\uffff"])
@pytest.mark.parametrize("where", ["text", "author"])
def test_what_xml_cannot_hold_is_mended(odd: str, where: str) -> None:
    words = {"author": "Ann", "text": "It is"} | {where: f"a{odd}b"}
    html = rendered(SentryComment("5", url="https://x/", **words), "https://x/")
    assert odd not in html
    assert "a b" in html
    html.encode()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("a\tb", "a\tb"),
        ("a\nb", "a<br>b"),
        ("😀", "😀"),
        ("日本語", "日本語"),
        ("é", "é"),
        ("**a**", "<strong>a</strong>"),
    ],
)
def test_what_can_be_written_is_kept(typed: str, shown: str) -> None:
    html = rendered(SentryComment("5", "Ann", typed, "https://x/"), "https://x/")
    assert html == (
        f'<p>Ann wrote in <a href="https://x/">Sentry</a>:</p><blockquote><p>{shown}</p></blockquote>'
    )
