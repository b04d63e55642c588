"""Runs of the reconciler around a scene, the workers' part of them, and links by the hundred."""

import azure.functions as func

from functions import inbound_sync, outbound_sync, reconcile
from shared.domain.messages import InboundMessage, OutboundMessage, decode_inbound, decode_outbound
from shared.domain.model import Ends, IssueLink, IssueSide, IssueStatus, ItemSide
from tests.unit.scene import SLUG, Scene

EVERY = 300.0  # seconds between two runs
DAY = 24 * 3600.0


def run(scene: Scene) -> None:
    reconcile.handle_timer(scene.services)


def deliver(scene: Scene) -> None:
    """Let the workers handle what becomes visible until the next run."""
    services, end = scene.services, scene.now + EVERY
    workers = ((services.inbound, inbound_sync.handle), (services.outbound, outbound_sync.handle))
    while moments := [moment for queue, _ in workers for moment in queue.moments() if moment < end]:
        scene.now = max(scene.now, min(moments))
        for queue, handle in workers:
            while received := queue.receive():
                handle(func.QueueMessage(body=received.body), services)
                queue.delete(received)
    scene.now = end


def reconciled(scene: Scene) -> None:
    run(scene)
    deliver(scene)


def at_rest(scene: Scene) -> Scene:
    """Let the first runs be over: everything is new for one, and the next one is told of it again."""
    reconciled(scene)
    reconciled(scene)
    scene.calls.made.clear()
    return scene


def link_many(scene: Scene, count: int, first: int = 1001) -> None:
    """Link as many more issues and work items as they stand."""
    for number in range(first, first + count):
        item = scene.ado.add_item("Fix login", number)
        seen = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, item.state, IssueStatus.UNRESOLVED))
        scene.services.links.add(IssueLink(SLUG, str(number), number, item.project_id, "Bug", seen))
        scene.sentry.add_issue(issue_id=str(number))


def waiting_about_items(scene: Scene) -> list[InboundMessage]:
    """Take what is on the queue for work items, whether it is visible yet or not."""
    queue = scene.services.inbound
    scene.now = max([scene.now, *queue.moments()])
    found = []
    while received := queue.receive():
        found.append(decode_inbound(received.body))
        queue.delete(received)
    return found


def waiting_about_issues(scene: Scene) -> list[OutboundMessage]:
    queue = scene.services.outbound
    scene.now = max([scene.now, *queue.moments()])
    found = []
    while received := queue.receive():
        found.append(decode_outbound(received.body))
        queue.delete(received)
    return found
