"""Azure DevOps' service hook subscriptions of the consumer "Web Hooks": list, find, make, remove.

https://learn.microsoft.com/rest/api/azure/devops/hooks/subscriptions
"""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from shared.ado.answers import Guid, Listed, Name
from shared.ado.client import AdoClient
from shared.domain.decoding import convert
from shared.domain.errors import NotFound, Unavailable
from shared.domain.moments import LAST_MOMENT
from shared.domain.rules.subscribing import wanted
from shared.domain.subscriptions import HookEvent, Subscription, SubscriptionStatus

_SUBSCRIPTIONS = ("_apis", "hooks", "subscriptions")
# A 403 here is about a right of its own, and says nothing about work items.
_ABOUT = "the service hook subscriptions"
_WEB_HOOKS = {"publisherId": "tfs", "consumerId": "webHooks", "consumerActionId": "httpRequest"}
# Inputs that Azure DevOps adds by itself (port-labs/ocean pull request 3778).
_ADDED = frozenset({"hostId", "tfsSubscriptionId"})
_MOST_NOTIFICATIONS = 100
_UNFINISHED = ("queued", "processing", "requestInProgress")


class _ConsumerInputs(msgspec.Struct, frozen=True, rename="camel"):
    """Where it leads, and with how many details. In another shape neither hides the subscription."""

    url: Any = None
    resource_details_to_send: Any = None

    @property
    def address(self) -> str:
        return self.url if isinstance(self.url, str) else ""

    @property
    def has_all_details(self) -> bool:
        # A set would raise for an object or a list.
        return self.resource_details_to_send in (None, "", "all")


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    id: Guid
    event_type: Name
    consumer_id: Name
    publisher_id: Name = "tfs"
    consumer_action_id: Name = "httpRequest"
    status: str | None = None
    resource_version: str | None = None
    publisher_inputs: dict[str, Any] | None = None
    consumer_inputs: _ConsumerInputs | None = None
    created_date: str | None = None


class _Notification(msgspec.Struct, frozen=True, rename="camel"):
    created_date: Annotated[str, Meta(max_length=100)] | None = None


class Subscriptions:
    """Every call raises an Upstream error unless it succeeds; a 403 is Forbidden, and blocks nothing else."""

    def __init__(self, ado: AdoClient) -> None:
        self._ado = ado

    # https://learn.microsoft.com/rest/api/azure/devops/hooks/subscriptions/list
    def web_hooks(self) -> list[Subscription]:
        """Return the web hooks that we may see, of whomever; one that cannot be read hides no other."""
        answer = self._ado.call("GET", _SUBSCRIPTIONS, Listed[Any], about=_ABOUT, params=_WEB_HOOKS)
        return [found for each in answer.value if (found := _read(each)) is not None]

    # https://learn.microsoft.com/rest/api/azure/devops/hooks/subscriptions/get
    def find(self, subscription_id: str) -> Subscription | None:
        with suppress(NotFound):
            return _told(
                self._ado.call("GET", (*_SUBSCRIPTIONS, subscription_id), dict[str, Any], about=_ABOUT)
            )
        return None

    # https://learn.microsoft.com/rest/api/azure/devops/hooks/subscriptions/create
    def create(self, event: HookEvent, url: str, secret: str) -> Subscription:
        """Make a subscription to an event in all projects, and return it."""
        body = wanted(event, url, secret)
        return _told(self._ado.call("POST", _SUBSCRIPTIONS, dict[str, Any], about=_ABOUT, json=body))

    # https://learn.microsoft.com/rest/api/azure/devops/hooks/subscriptions/delete
    def remove(self, subscription_id: str) -> None:
        """Remove a subscription; one that is gone is as wanted."""
        with suppress(NotFound):
            self._ado.call("DELETE", (*_SUBSCRIPTIONS, subscription_id), object, about=_ABOUT)

    def is_idle(self, subscription_id: str) -> bool:
        """Tell whether nothing that a subscription has taken is still on its way to us."""
        return not any(True for status in _UNFINISHED for _ in self._notified(subscription_id, status=status))

    def failing_since(self, subscription_id: str) -> float | None:
        """Return when its deliveries began to fail, as far as its history tells."""
        good = max(self._notified(subscription_id, result="succeeded"), default=0.0)
        failed = (at for at in self._notified(subscription_id, result="failed") if at > good)
        return min(failed, default=None)

    # https://learn.microsoft.com/rest/api/azure/devops/hooks/notifications/list
    def _notified(self, subscription_id: str, **chosen: str) -> Iterator[float]:
        """Yield when each notification was made, 0 for those that do not tell, or cannot be read."""
        path = (*_SUBSCRIPTIONS, subscription_id, "notifications")
        query = {"maxResults": _MOST_NOTIFICATIONS, **chosen}
        answer = self._ado.call("GET", path, Listed[_Notification], about=_ABOUT, params=query)
        for each in answer.value:
            yield _moment(each.created_date)
        yield from itertools.repeat(0.0, answer.value.unreadable)


def _told(content: Mapping[str, Any]) -> Subscription:
    found = _read(content)
    if found is None:
        raise Unavailable("ado", "the answer about a subscription cannot be read")
    return found


def _read(content: Any) -> Subscription | None:
    """Return a web hook that is listed, or None for what is none or cannot be read."""
    try:
        answer = convert(content, _Answer)
    except msgspec.ValidationError:
        return None
    inputs = answer.consumer_inputs or _ConsumerInputs()
    kind = {"publisherId": answer.publisher_id, "consumerId": answer.consumer_id}
    if {**kind, "consumerActionId": answer.consumer_action_id} != _WEB_HOOKS:
        return None
    return Subscription(
        id=answer.id.lower(),
        event=answer.event_type,
        status=_status(answer.status),
        url=inputs.address,
        filters={
            name: str(value)
            for name, value in (answer.publisher_inputs or {}).items()
            if value and name not in _ADDED
        },
        is_whole=answer.resource_version == "1.0" and inputs.has_all_details,
        created_at=_moment(answer.created_date),
    )


def _status(text: str | None) -> SubscriptionStatus:
    # Answers without one are known, of subscriptions that were just made (Sentry's fixtures/vsts.py).
    found = (each for each in SubscriptionStatus if each == (text or SubscriptionStatus.ENABLED))
    return next(found, SubscriptionStatus.UNKNOWN)


def _moment(text: str | None) -> float:
    """Return a date in epoch seconds, or 0 for none and for one that no stored row can hold."""
    try:
        date = datetime.fromisoformat(text or "")
    except ValueError:
        return 0.0
    moment = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    return moment if 0.0 <= moment <= LAST_MOMENT else 0.0
