"""What stands between our handlers and the world: the queues' tries and poison, and the hooks' deliveries."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import azure.functions as func

from functions import ado_webhook, inbound_sync, outbound_sync, sentry_webhook
from shared.domain.messages import InboundMessage, Message
from shared.sentry.hook import RESOURCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from shared.services import Services
from tests.doubles import sentry as sentry_double
from tests.doubles.queues import MemoryQueue, ReceiptLost, Received
from tests.doubles.services import ADO_SECRET, SENTRY_SECRET
from tests.simulation.laws import Law
from tests.simulation.outages import STORAGE
from tests.simulation.places import HERE, Place
from tests.simulation.tasks import Event, Flight, named

if TYPE_CHECKING:
    from tests.simulation.world import World

SLUG = "acme"
GIVEN_BACK_FOR = 30.0  # seconds; visibilityTimeout in host.json
MOST_DEQUEUES = 5  # maxDequeueCount in host.json
REDELIVERED_AFTER, MOST_DELIVERIES = 20.0, 8
LATE = 400.0  # seconds
MESSAGES_COUNT_FOR = 3600.0  # seconds, after which the reconciler takes a message for lost
_ANSWERS = frozenset({200, 202, 503})

Handler = Callable[[func.QueueMessage, Services], None]


class Host:
    """``flying`` are the hooks on their way, ``poison`` the messages that were given up."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._strays = dict(world.schedule.strays)
        self._hooks = 0
        self.flying: list[Flight] = []
        self.poison: list[str] = []
        # Until then a message that was given up counts as being on its way, and one may tell of the past.
        self.lost_until = 0.0
        # Messages about what somebody changed, and the work items that changed since the reconciler told.
        self._news: set[tuple[str, int]] = set()
        self._partitions: dict[tuple[str, int], str] = {}
        self._about: dict[tuple[str, int], str] = {}
        self.untold: set[int] = set()

    def calm_down(self) -> None:
        """Lose no more hooks."""
        self._strays = {}

    # Hooks

    def fly(self, event: Event, place: Place | None = None) -> None:
        number, self._hooks = self._hooks, self._hooks + 1
        disposition = self._strays.get(number)
        world = self._world
        if world.is_traced:
            world.say(
                "hook", f"{named(event)}{f' will be {disposition} (hook {number})' if disposition else ''}"
            )
        if not isinstance(event, sentry_double.Event):
            self.untold.add(event.item.id)
        if disposition != "lost":
            self.flying.append(Flight(world.now + (LATE if disposition == "late" else 0.0), event, place))
        if disposition == "twice":
            self.flying.append(Flight(world.now, event, place))

    def deliver(self, flight: Flight, services: Services) -> None:
        event, world = flight.event, self._world
        world.current.carries_news = True
        if isinstance(event, sentry_double.Event):
            body = world.sentry.hook_body(event)
            if body is not None:
                headers = {
                    RESOURCE_HEADER: event.resource,
                    SIGNATURE_HEADER: sign(body, SENTRY_SECRET).decode(),
                }
                headers[TIMESTAMP_HEADER] = str(world.now)
                if _post(sentry_webhook.handle, headers, body, services) == 202 and event.comment_id:
                    world.witness.comments.taken(event)
            return
        ado = (flight.place or world.places[HERE]).ado
        body = ado.hook_body(event)
        status = _post(ado_webhook.handle, {"Shared-Secret": ADO_SECRET}, body, services)
        if status == 202:
            world.witness.comments.taken_from_ado(event)
        if status == 503 and flight.attempts < MOST_DELIVERIES:
            again = Flight(world.now + REDELIVERED_AFTER, event, flight.place, flight.attempts + 1)
            self.flying.append(again)
        elif status not in _ANSWERS and world.is_connected:
            world.witness.against(Law.SETTLED, f"a genuine event was answered with {status}")
        organization = world.organization()
        knows_who_is_there = organization is not None and bool(organization.connection.ado.ids)
        if status == 202 and knows_who_is_there and ado.catalog.organization not in world.been_at:
            problem = f"a delivery of {ado.catalog.organization}, which is not connected, was taken"
            world.witness.against(Law.CONNECTION, problem)
        if status == 503 and not world.current.was_troubled:
            world.witness.against(Law.SETTLED, "a genuine event was answered with 503, and nothing was wrong")

    # Messages

    def was_put(self, name: str, number: int, message: Message) -> None:
        """Note whether a message is about something that somebody changed and that was not told before."""
        task = self._world.current
        # Who links or copies wants both sides to agree; that they are shown, the row remembers.
        is_news = task.carries_news or (task.is_wish and not message.again)
        if task.is_reconciler:
            is_news = isinstance(message, InboundMessage) and message.work_item_id in self.untold
            if isinstance(message, InboundMessage):
                self.untold.discard(message.work_item_id)
        if is_news:
            self._news.add((name, number))
        self._partitions[name, number] = task.partition or self._world.partition()
        match message:
            case InboundMessage():
                self._about[name, number] = str(message.work_item_id)
            case _:
                self._about[name, number] = message.issue_id

    def take_up(self, name: str, number: int) -> None:
        queue = self._world.queues[name].real
        received = queue.receive_one(number)
        handler = inbound_sync.handle if name == "inbound" else outbound_sync.handle
        self._world.start(name, lambda services: self._handle(name, queue, received, handler, services))

    def _handle(
        self, name: str, queue: MemoryQueue, received: Received, handler: Handler, services: Services
    ) -> None:
        world = self._world
        world.current.carries_news = (name, received.id) in self._news
        world.current.partition = self._partitions[name, received.id]
        world.current.about = self._about[name, received.id]
        if world.is_traced:
            world.say(
                world.current.name, f"takes {received.body.decode()} (delivery {received.dequeue_count})"
            )
        message = func.QueueMessage(id=str(received.id), body=received.body)
        try:
            handler(message, services)
        except Exception as error:  # noqa: BLE001  # what the host does with any of them is the same
            world.note(error)
            world.say(world.current.name, f"gives it back: {error}")
            if received.dequeue_count < MOST_DEQUEUES:
                self._settle(lambda: queue.release(received, GIVEN_BACK_FOR))
                return
            self._give_up(name, received)
        self._settle(lambda: queue.delete(received))

    def _give_up(self, name: str, received: Received) -> None:
        world, body = self._world, received.body.decode()
        world.say(world.current.name, "gives up: the message goes to the poison queue")
        self.poison.append(body)
        self.lost_until = world.now + MESSAGES_COUNT_FOR
        if (name, received.id) not in self._news:
            world.witness.against(Law.NEWS, f"a message that nobody's change caused is in poison: {body}")

    def _settle(self, call: Callable[[], None]) -> None:
        world = self._world
        if not world.outages.is_reachable(STORAGE, world.now):
            world.say(world.current.name, "cannot tell the queue; the message comes back by itself")
            return
        try:
            call()
        except ReceiptLost:
            self._world.say(self._world.current.name, "comes too late: somebody else has the message")


def _post(handler: Any, headers: dict[str, str], body: bytes, services: Services) -> int:
    request = func.HttpRequest(
        method="POST", url="/api/", headers=headers, route_params={"organization": SLUG}, body=body
    )
    return int(handler(request, services).status_code)
