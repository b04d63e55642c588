"""The host around a scene: it runs the reconciler, hands messages to workers, and counts the poison."""

from dataclasses import dataclass, field

import azure.functions as func

from functions import inbound_sync, outbound_sync, reconcile
from tests.unit.scene import Scene

EVERY = 300.0  # seconds between two runs of the reconciler
GIVEN_BACK_FOR, MOST_DEQUEUES = 30.0, 5  # visibilityTimeout and maxDequeueCount in host.json


@dataclass
class Workers:
    """One worker for both queues, on the scene's clock."""

    scene: Scene
    handled: int = 0
    poison: list[bytes] = field(default_factory=list)
    longest: float = 0.0

    def live(self, seconds: float) -> None:
        """Let time go by: messages are handled as they become visible, and the reconciler runs."""
        end = self.scene.now + seconds
        while self.scene.now < end:
            next_run = (self.scene.now // EVERY + 1) * EVERY
            self.work(until=min(next_run, end))
            if self.scene.now >= next_run:
                reconcile.handle_timer(self.scene.services)

    def work(self, *, until: float) -> None:
        """Handle whatever becomes visible before this moment, and let it come."""
        services = self.scene.services
        queues = ((services.inbound, inbound_sync.handle), (services.outbound, outbound_sync.handle))
        while moments := [moment for queue, _ in queues for moment in queue.moments() if moment < until]:
            self.scene.now = max(self.scene.now, min(moments))
            for queue, handle in queues:
                while received := queue.receive():
                    began = self.scene.now
                    try:
                        handle(func.QueueMessage(body=received.body), services)
                    except Exception:  # noqa: BLE001  # what the host does with any of them is the same
                        if received.dequeue_count < MOST_DEQUEUES:
                            queue.release(received, GIVEN_BACK_FOR)
                        else:
                            self.poison.append(received.body)
                            queue.delete(received)
                    else:
                        queue.delete(received)
                    self.handled += 1
                    self.longest = max(self.longest, self.scene.now - began)
        self.scene.now = max(self.scene.now, until)
