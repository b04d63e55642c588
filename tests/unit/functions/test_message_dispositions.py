"""What becomes of a queue message after every class of failure, and what its link says of it."""

from collections.abc import Callable

import azure.functions as func
import pytest

from functions import inbound_sync, outbound_sync
from functions.edge import Bug
from shared.domain.errors import (
    Conflict,
    NotFound,
    Refused,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
    Undecidable,
)
from shared.domain.messages import InboundMessage, Message, OutboundMessage, encode
from shared.domain.model import Health, HealthWord
from tests.doubles.queues import MemoryQueue
from tests.unit.scene import ISSUE, ITEM, SLUG, STATE, Died, Scene

Handle = Callable[[func.QueueMessage, MemoryQueue], None]
ATTENTION, PENDING = HealthWord.ATTENTION, HealthWord.PENDING


class Direction:
    """One of the two queue functions, its queue, and the call with which it writes."""

    def __init__(self, scene: Scene, name: str) -> None:
        self.scene = scene
        self.is_inbound = name == "inbound"
        self.queue: MemoryQueue = scene.services.inbound if self.is_inbound else scene.services.outbound
        self.write = "set_status" if self.is_inbound else "update_work_item"

    def change(self) -> Message:
        """Resolve the one side, and return the message that its hook leaves."""
        if self.is_inbound:
            item = self.scene.ado.edit(ITEM, **{STATE: "Closed"})
            return InboundMessage(SLUG, ITEM, item.rev, snapshot=item)
        self.scene.sentry.resolve(ISSUE)
        return OutboundMessage(SLUG, ISSUE)

    def handle(self, body: bytes) -> None:
        function = inbound_sync if self.is_inbound else outbound_sync
        function.handle(func.QueueMessage(body=body), self.scene.services)

    def agrees(self) -> bool:
        return (self.scene.state, self.scene.status.value) == ("Closed", "resolved")


@pytest.fixture(params=["inbound", "outbound"])
def direction(request: pytest.FixtureRequest) -> Direction:
    return Direction(Scene(), request.param)


DROPPED = [
    (Refused("sentry", "HTTP 400: no"), "refused"),
    (Unauthorized("sentry", "HTTP 401"), "unauthorized"),
    (Undecidable("no category is known", kind="unknown-state"), "unknown-state"),
    (NotFound("no such issue", kind="issue-not-found"), "issue-gone"),
    (NotFound("TF401232", kind="work-item-not-found"), "work-item-gone"),
]
PUT_BACK = [(Throttled("sentry", "HTTP 429", retry_after=17.2), 18.0)]
RAISED = [
    Unavailable("sentry", "timed out"),
    Unavailable("storage", "timed out"),
    Unauthorized("storage", "HTTP 403"),
]


@pytest.mark.parametrize(("error", "reason"), DROPPED)
def test_what_asking_again_cannot_help_is_dropped_and_shown_on_the_link(
    direction: Direction, error: SyncError, reason: str
) -> None:
    direction.scene.calls.meet("get_issue", error)
    direction.handle(encode(direction.change()))
    health = direction.scene.health
    assert len(direction.queue) == 0
    assert (health.word, health.reason, health.detail) == (ATTENTION, reason, error.detail)
    assert health.due == direction.scene.now + (24 * 3600.0 if isinstance(error, NotFound) else 300.0)


@pytest.mark.parametrize(("error", "delay"), PUT_BACK)
@pytest.mark.parametrize("where", ["before the write", "at the write"])
def test_a_throttled_message_waits_as_long_as_the_service_asks_and_counts_no_attempt(
    direction: Direction, error: SyncError, delay: float, where: str
) -> None:
    scene, body = direction.scene, encode(direction.change())
    scene.calls.meet("get_issue" if where == "before the write" else direction.write, error)
    direction.handle(body)
    assert direction.queue.moments() == [scene.now + delay]
    assert direction.queue.receive() is None
    assert (scene.health.word, scene.health.reason, scene.outcomes()) == (PENDING, "throttled", ["failed"])
    scene.now += delay
    received = direction.queue.receive()
    assert received is not None
    assert (received.body, received.dequeue_count) == (body, 1)
    direction.handle(received.body)
    assert direction.agrees()
    assert scene.health == Health()


def test_endless_throttling_never_poisons_a_message(direction: Direction) -> None:
    scene = direction.scene
    scene.calls.meet("get_issue", *[Throttled("sentry", "HTTP 429", retry_after=60.0)] * 30)
    body = encode(direction.change())
    for _ in range(30):
        direction.handle(body)
        scene.now += 60.0
        received = direction.queue.receive()
        assert received is not None
        assert received.dequeue_count == 1
        direction.queue.delete(received)
        body = received.body
    assert scene.outcomes() == ["failed"]
    direction.handle(body)
    assert direction.agrees()


@pytest.mark.parametrize("error", RAISED)
def test_a_service_that_is_away_leaves_the_message_to_the_queue(
    direction: Direction, error: SyncError
) -> None:
    direction.scene.calls.meet("get_issue", error, error)
    body = encode(direction.change())
    for _ in range(2):
        with pytest.raises(type(error)):
            direction.handle(body)
    health = direction.scene.health
    assert len(direction.queue) == 0
    assert (health.word, health.reason, direction.scene.outcomes()) == (PENDING, error.kind, ["failed"])
    assert health.due == direction.scene.now + 300.0
    direction.handle(body)
    assert direction.agrees()
    assert direction.scene.health == Health()


def test_a_message_for_a_link_that_is_being_written_comes_back_in_a_moment(direction: Direction) -> None:
    scene = direction.scene
    body = encode(direction.change())
    scene.calls.meet(direction.write, Died())
    with pytest.raises(Died):
        direction.handle(body)
    before = scene.stored()
    direction.handle(body)
    assert direction.queue.moments() == [scene.now + 2.0]
    assert scene.stored() == before


def test_a_message_that_lost_every_race_is_left_to_the_queue_which_counts() -> None:
    direction = Direction(Scene(), "outbound")
    body = encode(direction.change())
    direction.scene.calls.meet("update_work_item", *[Conflict("412")] * 5)
    with pytest.raises(Conflict):
        direction.handle(body)
    assert len(direction.queue) == 0
    assert (direction.scene.health.word, direction.scene.health.reason) == (PENDING, "conflict")
    direction.handle(body)
    assert direction.agrees()


def test_a_bug_reaches_the_host_with_its_whole_message(direction: Direction) -> None:
    direction.scene.calls.meet("get_issue", ZeroDivisionError("a bug"))
    with pytest.raises(Bug):
        direction.handle(encode(direction.change()))
    assert len(direction.queue) == 0


@pytest.mark.parametrize(
    "message",
    [
        InboundMessage("nobody", ITEM, 2),
        OutboundMessage("nobody", ISSUE),
        InboundMessage(SLUG, 999, 2),
        OutboundMessage(SLUG, "999"),
    ],
)
def test_a_message_about_nothing_of_ours_is_dropped(message: Message) -> None:
    scene = Scene()
    Direction(scene, "inbound" if isinstance(message, InboundMessage) else "outbound").handle(encode(message))
    assert (scene.calls.made, len(scene.services.inbound), len(scene.services.outbound)) == ([], 0, 0)


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"{}", b'{"organization":"fabrikam"}', b"\xff"])
def test_a_message_that_cannot_be_read_is_dropped(direction: Direction, body: bytes) -> None:
    direction.handle(body)
    assert len(direction.queue) == 0


# Several links: each is settled, and the gravest failure decides.


@pytest.mark.parametrize(
    ("errors", "delay"),
    [
        ([Refused("ado", "400"), Throttled("ado", "429", retry_after=30.0)], 30.0),
        ([Throttled("ado", "429", retry_after=30.0), NotFound("x", kind="work-item-not-found")], 30.0),
        # It is not asked about the second one.
        ([Throttled("ado", "429", retry_after=30.0), Throttled("ado", "429", retry_after=90.0)], 30.0),
        ([Refused("ado", "400"), Unauthorized("ado", "401")], None),
    ],
)
def test_one_message_about_two_links_has_the_graver_disposition(
    errors: list[SyncError], delay: float | None
) -> None:
    direction = Direction(Scene(), "outbound")
    direction.scene.link(ISSUE, 32)
    body = encode(direction.change())
    direction.scene.calls.meet("update_work_item", *errors)
    direction.handle(body)
    waits = [moment - direction.scene.now for moment in direction.queue.moments()]
    assert waits == ([] if delay is None else [delay])


def test_a_link_that_fails_does_not_keep_the_next_one_from_being_settled() -> None:
    direction = Direction(Scene(), "outbound")
    scene = direction.scene
    scene.link(ISSUE, 32)
    body = encode(direction.change())
    scene.calls.meet("update_work_item", *[Conflict("412")] * 5)
    with pytest.raises(Conflict):
        direction.handle(body)
    assert (scene.state, scene.ado.item(32).state) == ("New", "Closed")
    direction.handle(body)
    assert (scene.state, scene.ado.item(32).rev) == ("Closed", 2)


# Refused credentials.


def test_refused_credentials_are_known_to_health_until_they_are_accepted(direction: Direction) -> None:
    scene = direction.scene
    refusals = scene.services.organizations.refusals
    body = encode(direction.change())
    scene.calls.meet("get_issue", Unauthorized("sentry", "HTTP 401"))
    direction.handle(body)
    assert refusals() == {"sentry": 1}
    direction.handle(body)
    assert (direction.agrees(), refusals()) == (True, {})
