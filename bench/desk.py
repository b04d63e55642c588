"""The app's functions without a host: webhooks and workers are called in this process."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Any

import azure.functions as func

from bench.deliveries import Delivery
from functions import ado_webhook, inbound_sync, outbound_sync, sentry_webhook
from shared.services import Services
from shared.settings import Settings
from tests.doubles.queues import MemoryQueue
from tests.doubles.tables import MemoryTable

Handler = Callable[[func.HttpRequest, Services], func.HttpResponse]


class Counted:
    """Something whose calls are counted by name; ``asked`` adds up how many things they asked for."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.calls: Counter[str] = Counter()
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.real, name)
        return self._counting(name, attribute) if callable(attribute) else attribute

    def _counting(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **options: Any) -> Any:
            self.calls[name] += 1
            wanted = next(iter((*arguments, *options.values())), None)
            self.asked += len(wanted) if isinstance(wanted, Collection) and not isinstance(wanted, str) else 1
            return call(*arguments, **options)

        return counting


class StoredInMemory(Services):
    """The app with its storage in memory, each call to it counted; the services are called over HTTP."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        super().__init__(settings, clock)
        self.tables: dict[str, Counted] = {}

    @cached_property
    def inbound(self) -> Any:
        return Counted(MemoryQueue(self.clock))

    @cached_property
    def outbound(self) -> Any:
        return Counted(MemoryQueue(self.clock))

    def _table(self, name: str) -> Any:
        return self.tables.setdefault(name, Counted(MemoryTable()))


def ask(
    services: Services,
    handler: Handler,
    method: str,
    *,
    delivery: Delivery | None = None,
    route: Mapping[str, str],
    params: Mapping[str, str] | None = None,
) -> bytes:
    """Call an HTTP function and return the body of its answer, which must be a success."""
    request = func.HttpRequest(
        method,
        "/",
        headers=delivery.headers if delivery else {},
        params=params,
        route_params=dict(route),
        body=delivery.body if delivery else b"",
    )
    answer = handler(request, services)
    body: bytes = answer.get_body()
    if not 200 <= answer.status_code < 300:
        raise RuntimeError(f"HTTP {answer.status_code}: {body[:300]!r}")
    return body


def deliver_from_ado(services: Services, slug: str, delivery: Delivery) -> None:
    ask(services, ado_webhook.handle, "POST", delivery=delivery, route={"organization": slug})


def deliver_from_sentry(services: Services, slug: str, delivery: Delivery) -> None:
    ask(services, sentry_webhook.handle, "POST", delivery=delivery, route={"organization": slug})


def work_off(services: Any) -> None:
    """Let the workers handle every message that can be seen, those included that they put themselves."""
    workers = ((services.inbound, inbound_sync.handle), (services.outbound, outbound_sync.handle))
    while any(_handle_one(services, queue, handle) for queue, handle in workers):
        pass


def _handle_one(services: Any, queue: Any, handle: Callable[[func.QueueMessage, Services], None]) -> bool:
    received = queue.receive()
    if received is None:
        return False
    handle(func.QueueMessage(id=str(received.id), body=received.body), services)
    queue.delete(received)
    return True
