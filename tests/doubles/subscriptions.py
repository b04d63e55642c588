"""Azure DevOps' service hook subscriptions in memory: what the watchdog asks, and what people do to them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

from shared.domain.errors import Forbidden, NotFound, Refused
from shared.domain.rules.subscribing import wanted
from shared.domain.subscriptions import HookEvent, Subscription, SubscriptionStatus
from simulator.ado.catalog import Catalog, default_catalog
from simulator.ado.errors import Refused as RefusedByFake
from simulator.ado.hooks import Hooks, Notification
from simulator.ado.hooks import Subscription as Kept


class MemorySubscriptions:
    """The subscriptions of one organization, by the rules of ``simulator.ado.hooks``.

    The methods of ``AdoHooks`` are what our own account does; the others are what people do, by the names
    that ``simulator.ado`` has for them.
    """

    def __init__(self, clock: Callable[[], float], catalog: Catalog | None = None) -> None:
        catalog = catalog or default_catalog("fabrikam", projects=5)
        self._catalog = catalog
        self.service = catalog.add_person("Sync Service", "subscriber@corp.example")
        self._hooks = Hooks(
            catalog, cast("Any", None), self._keep, lambda: datetime.fromtimestamp(clock(), UTC)
        )
        self.unfinished: list[Notification] = []

    def _keep(self, notification: Notification) -> None:
        self.unfinished.append(notification)

    # What the watchdog asks.

    def web_hooks(self) -> list[Subscription]:
        with _translated():
            return [_told(each) for each in self._hooks.visible(self.service)]

    def find(self, subscription_id: str) -> Subscription | None:
        try:
            with _translated():
                return _told(self._allowed(subscription_id, "View"))
        except NotFound:
            return None

    def create(self, event: HookEvent, url: str, secret: str) -> Subscription:
        with _translated():
            self._hooks.verify(self.service, "Edit")
            return _told(self._hooks.add(wanted(event, url, secret), self.service))

    def remove(self, subscription_id: str) -> None:
        try:
            with _translated():
                self._hooks.remove(self._allowed(subscription_id, "Delete").id)
        except NotFound:
            return

    def is_idle(self, subscription_id: str) -> bool:
        with _translated():
            kept = self._allowed(subscription_id, "View")
        return all(each.result != "pending" for each in self._hooks.notifications(kept.id))

    def failing_since(self, subscription_id: str) -> float | None:
        with _translated():
            kept = self._allowed(subscription_id, "View")
        told = self._hooks.notifications(kept.id)
        moments = {
            result: [each.created_at.timestamp() for each in told if each.result == result]
            for result in ("succeeded", "failed")
        }
        good = max(moments["succeeded"], default=0.0)
        return min((at for at in moments["failed"] if at > good), default=None)

    def _allowed(self, subscription_id: str, right: str) -> Kept:
        kept = self._hooks.get(subscription_id)
        self._hooks.verify(self.service, right, kept.project_id)
        return kept

    # What people do, and what a test sees.

    @property
    def subscriptions(self) -> list[Kept]:
        return list(self._hooks)

    def subscribe(
        self, url: str, event_type: str = "workitem.updated", *, project: str = "", **inputs: str
    ) -> str:
        filters = {"projectId": self._catalog.project(project).id} if project else {}
        body = {**wanted(event_type, url, "by-hand"), "publisherInputs": filters}
        body["consumerInputs"] = {"url": url, **inputs}
        return self._hooks.add(body, self.service).id

    def unsubscribe(self, subscription_id: str) -> None:
        self._hooks.remove(subscription_id)

    def set_subscription_status(self, subscription_id: str, status: str) -> None:
        self._hooks.get(subscription_id).status = status

    def deny(self, right: str, *, project: str = "") -> None:
        where = self._catalog.project(project).id if project else ""
        self._hooks.denied.add((self.service.id, right, where))

    def allow(self) -> None:
        self._hooks.denied.clear()

    def list_only_what_may_be_viewed(self) -> None:
        self._hooks.is_list_refused = False

    def notify(self, subscription_id: str, result: str = "pending") -> Notification:
        """Give a subscription something to deliver, or something that it has delivered or failed to."""
        notification = self._hooks.notify(self._hooks.get(subscription_id), {"id": "event"})
        notification.result = result
        return notification


def _told(kept: Kept) -> Subscription:
    inputs = kept.consumer_inputs
    known = {each.value: each for each in SubscriptionStatus}
    return Subscription(
        id=kept.id,
        event=kept.event_type,
        status=known.get(kept.status, SubscriptionStatus.UNKNOWN),
        url=kept.url,
        filters={name: value for name, value in kept.publisher_inputs.items() if value},
        is_whole=kept.resource_version == "1.0" and inputs.get("resourceDetailsToSend") in {None, "", "all"},
        created_at=kept.created_at.timestamp(),
    )


@contextmanager
def _translated() -> Iterator[None]:
    """Say what the client makes of each refusal."""
    try:
        yield
    except RefusedByFake as refused:
        if refused.http_status == 403:
            about = "the service hook subscriptions"
            raise Forbidden("ado", "HTTP 403", about=about, quoted=refused.message) from None
        if refused.http_status == 404:
            raise NotFound("HTTP 404", quoted=refused.message) from None
        raise Refused("ado", "HTTP 400", quoted=refused.message) from None
