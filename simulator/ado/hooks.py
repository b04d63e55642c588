"""Service hook subscriptions: what may be subscribed to, what matches, and the body that is delivered."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from simulator.ado.catalog import Catalog, Person, guid
from simulator.ado.errors import access_denied, bad_request, no_subscription
from simulator.ado.items import Clock, Event, instant
from simulator.ado.render import Renderer, identity_ref

EVENT_KINDS = ("created", "updated", "deleted", "restored", "commented")
RESOURCE_VERSIONS = ("1.0", "3.1-preview.3", "5.1-preview.3")
MASK = "********"
NOBODY = "00000000-0000-0000-0000-000000000000"
STATUSES = ("enabled", "onProbation", "disabledByUser", "disabledBySystem", "disabledByInactiveIdentity")

# ADO quirk: the published descriptor of the webHooks consumer holds these two expressions, so a header's
# value has no spaces. The lines of httpHeaders are checked one by one here.
BASIC_AUTH = re.compile(r"[\S]{1,256}")
HEADER_LINE = re.compile(r"\S+\s*:\s*\S+")


# https://learn.microsoft.com/azure/devops/organizations/security/namespace-reference: ServiceHooks
RIGHTS = ("View", "Edit", "Delete")


@dataclass
class Subscription:
    id: str
    event_type: str
    resource_version: str
    publisher_inputs: dict[str, str]
    consumer_inputs: dict[str, str]
    created_by: Person
    created_at: datetime
    status: str = "enabled"
    probation_retries: int = 0
    last_probation_retry: datetime | None = None
    last_notification: int = 0

    @property
    def url(self) -> str:
        return self.consumer_inputs["url"]

    @property
    def project_id(self) -> str:
        """Return the project whose rights apply; "" for the organization."""
        return self.publisher_inputs.get("projectId", "").casefold()

    def wants(self, event: Event, project_id: str, changed: frozenset[str]) -> bool:
        """Tell whether an event passes every filter; an empty filter lets all pass."""
        wanted = {name: value for name, value in self.publisher_inputs.items() if value}
        fields = event.work_item.fields
        tags = {tag.strip().casefold() for tag in str(fields.get("System.Tags", "")).split(";")}
        area = f"\\{fields['System.AreaPath']}\\".casefold()
        text = event.comment.text if event.comment else ""
        # How several changedFields are separated is not documented; a comma is what aggregator-cli sends.
        changed_fields = {name.strip().casefold() for name in wanted.get("changedFields", "").split(",")}
        checks = (
            self.event_type == f"workitem.{event.kind}",
            wanted.get("projectId", project_id).casefold() == project_id,
            wanted.get("workItemType", fields["System.WorkItemType"]) == fields["System.WorkItemType"],
            area.startswith(wanted.get("areaPath", "\\").casefold()),
            "tag" not in wanted or wanted["tag"].casefold() in tags,
            "changedFields" not in wanted or bool(changed_fields & changed),
            wanted.get("linksChanged") != "true" or "relations" in changed,
            "commentPattern" not in wanted or re.search(wanted["commentPattern"], text) is not None,
        )
        return all(checks)


@dataclass
class Notification:
    """One event for one subscription; a retry is another attempt of the same notification."""

    subscription: Subscription
    id: int
    body: dict[str, Any]
    created_at: datetime
    attempts: list[int | None] = field(default_factory=list)
    result: str = "pending"

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "subscriptionId": self.subscription.id,
            "eventId": self.body["id"],
            "status": "queued" if self.result == "pending" else "completed",
            "result": self.result,
            "createdDate": instant(self.created_at),
            "modifiedDate": instant(self.created_at),
            "details": {
                "eventType": self.subscription.event_type,
                "event": self.body,
                "requestAttempts": len(self.attempts),
                "errorMessage": None if self.result != "failed" else f"HTTP {self.attempts[-1]}",
            },
        }


class Hooks:
    """The subscriptions of one organization and the history of what they were sent."""

    def __init__(
        self,
        catalog: Catalog,
        renderer: Callable[[], Renderer],
        send: Callable[[Notification], None],
        now: Clock,
    ) -> None:
        self._catalog = catalog
        self._renderer = renderer
        self._send = send
        self.now = now
        self._subscriptions: dict[str, Subscription] = {}
        self._created = 0
        self.history: list[Notification] = []
        self.lost: list[tuple[str, Event]] = []
        self.is_server = False
        # Who lacks which right: the person's id, the right, and the project or "" for the organization.
        self.denied: set[tuple[str, str, str]] = set()
        # No document says whether a list without the right to view anything is refused or empty.
        self.is_list_refused = True

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._subscriptions.values()))

    def verify(self, person: Person, right: str, project_id: str = "") -> None:
        """Refuse a person who lacks a right; one that is lacking everywhere is lacking in each project."""
        if {(person.id, right, ""), (person.id, right, project_id)} & self.denied:
            raise access_denied(person.name, right, project_id)

    def visible(self, person: Person) -> list[Subscription]:
        if self.is_list_refused:
            self.verify(person, "View")
        return [each for each in self if self._may_view(person, each)]

    def _may_view(self, person: Person, subscription: Subscription) -> bool:
        whole, part = (person.id, "View", ""), (person.id, "View", subscription.project_id)
        return not {whole, part} & self.denied

    def deactivate(self, person: Person) -> None:
        """Disable what belongs to somebody who has left, as the service does."""
        for subscription in self:
            if subscription.created_by.id == person.id:
                subscription.status = "disabledByInactiveIdentity"

    def get(self, subscription_id: str) -> Subscription:
        try:
            return self._subscriptions[subscription_id.casefold()]
        except KeyError as error:
            raise no_subscription(subscription_id) from error

    def add(self, wanted: Any, by: Person) -> Subscription:
        self._created += 1
        subscription_id = guid("subscription", self._catalog.organization, self._created)
        subscription = parsed(wanted, subscription_id, by, self.now())
        self._subscriptions[subscription_id] = subscription
        return subscription

    def draft(self, wanted: Any, by: Person) -> Subscription:
        """Make a subscription that exists only for a test; its id is all zeros."""
        return parsed(wanted, NOBODY, by, self.now())

    def replace(self, subscription_id: str, wanted: Any, by: Person) -> Subscription:
        """Replace the whole subscription, masked secrets included if the caller sends a mask back."""
        old = self.get(subscription_id)
        new = parsed(wanted, old.id, by, old.created_at)
        # ADO quirk: a PUT does not revive what the system disabled (Sentry's subscription check).
        by_system = old.status in {"disabledBySystem", "disabledByInactiveIdentity", "onProbation"}
        asked = wanted.get("status", old.status)
        new.status = old.status if by_system or asked not in {"enabled", "disabledByUser"} else asked
        old.event_type, old.resource_version, old.status = new.event_type, new.resource_version, new.status
        old.publisher_inputs, old.consumer_inputs = new.publisher_inputs, new.consumer_inputs
        return old

    def remove(self, subscription_id: str) -> None:
        del self._subscriptions[self.get(subscription_id).id]

    def has(self, subscription: Subscription) -> bool:
        """Tell whether a subscription has not been removed; a draft never is."""
        if subscription.id == NOBODY:
            return True
        return self._subscriptions.get(subscription.id) is subscription

    def announce(self, event: Event) -> None:
        """Queue an event for every subscription that wants it; one on probation loses it."""
        update = event.work_item.updates[-1]
        changed = {name.casefold() for name in update.fields}
        if update.added or update.removed:
            changed.add("relations")
        project_id = self._catalog.project(event.work_item.project).id
        for subscription in self:
            if not subscription.wants(event, project_id, frozenset(changed)):
                continue
            if subscription.status == "enabled":
                self.notify(subscription, self._body(subscription, event, project_id))
            else:
                # ADO quirk: a restricted subscription gets nothing (docs/vendor_quirks.md#service-hooks).
                self.lost.append((subscription.id, event))

    def notify(self, subscription: Subscription, body: Mapping[str, Any]) -> Notification:
        subscription.last_notification += 1
        numbered = {
            "subscriptionId": subscription.id,
            "notificationId": subscription.last_notification,
            **body,
        }
        notification = Notification(subscription, subscription.last_notification, numbered, self.now())
        self.history.append(notification)
        self._send(notification)
        return notification

    def notifications(self, subscription_id: str) -> list[Notification]:
        return [
            notification for notification in self.history if notification.subscription.id == subscription_id
        ]

    def _body(self, subscription: Subscription, event: Event, project_id: str) -> dict[str, Any]:
        inputs, version, renderer = (
            subscription.consumer_inputs,
            subscription.resource_version,
            self._renderer(),
        )
        known = version in RESOURCE_VERSIONS
        # ADO quirk: a version that does not exist was seen to be delivered as null, for git.push 2.0.
        resource = renderer.resource(event, version) if known else None
        message = renderer.message(event)
        return {
            "id": guid(
                "event",
                self._catalog.organization,
                event.kind,
                event.work_item.id,
                len(event.work_item.updates),
            ),
            "eventType": f"workitem.{event.kind}",
            "publisherId": "tfs",
            "message": chosen(message, inputs.get("messagesToSend", "")),
            "detailedMessage": chosen(message, inputs.get("detailedMessagesToSend", "")),
            "resource": reduced(resource, inputs.get("resourceDetailsToSend", "")),
            "resourceVersion": version if known else None,
            "resourceContainers": renderer.containers(project_id, is_server=self.is_server),
            "createdDate": f"{self.now():%Y-%m-%dT%H:%M:%S.%f}0Z",
        }


def parsed(wanted: Any, subscription_id: str, by: Person, at: datetime) -> Subscription:
    """Read a subscription from a request, or refuse it with the reason."""
    if not isinstance(wanted, dict):
        raise bad_request("Value cannot be null. Parameter name: subscription")
    fixed = (("publisherId", "tfs"), ("consumerId", "webHooks"), ("consumerActionId", "httpRequest"))
    for name, value in fixed:
        if wanted.get(name) != value:
            raise bad_request(f"The {name} '{wanted.get(name)}' is not known.", "SubscriptionInputException")
    event_type = str(wanted.get("eventType"))
    if event_type.removeprefix("workitem.") not in EVENT_KINDS:
        raise bad_request(f"The event type '{event_type}' is not known.", "SubscriptionInputException")
    publisher_inputs, consumer_inputs = (
        wanted.get("publisherInputs") or {},
        wanted.get("consumerInputs") or {},
    )
    _check_inputs({**publisher_inputs, **consumer_inputs})
    _check_consumer(consumer_inputs)
    # ADO quirk: no version means the latest released one; all the later ones are previews.
    version = str(wanted.get("resourceVersion") or "1.0")
    return Subscription(
        subscription_id, event_type, version, dict(publisher_inputs), dict(consumer_inputs), by, at
    )


def _check_inputs(inputs: Mapping[str, Any]) -> None:
    for name, value in inputs.items():
        if not isinstance(value, str):
            raise bad_request(f"The input '{name}' must be a string.", "SubscriptionInputException")


def _check_consumer(inputs: Mapping[str, str]) -> None:
    # The real service takes only https and no loopback or special-range address. This one exists to
    # deliver to a developer's own machine, so any http(s) address will do.
    if not re.match(r"https?://[^/\s]+", inputs.get("url", "")):
        raise bad_request("The input 'url' must be a valid URL.", "SubscriptionInputException")
    for name in ("basicAuthUsername", "basicAuthPassword"):
        if inputs.get(name) and not BASIC_AUTH.fullmatch(inputs[name]):
            raise bad_request(f"The input '{name}' is not valid.", "SubscriptionInputException")
    for line in inputs.get("httpHeaders", "").splitlines():
        if not HEADER_LINE.fullmatch(line):
            raise bad_request("The input 'httpHeaders' is not valid.", "SubscriptionInputException")


def chosen(message: dict[str, str], kind: str) -> dict[str, str] | None:
    """Reduce a message to the forms that were asked for; all when nothing was."""
    if kind in {"", "all"}:
        return message
    return {kind: message[kind]} if kind in message else None


def reduced(resource: dict[str, Any] | None, details: str) -> dict[str, Any] | None:
    """Reduce a resource; "minimal" is only documented as "key fields like URL and ID"."""
    if resource is None or details == "none":
        return None
    if details != "minimal":
        return resource
    return {name: resource[name] for name in ("id", "workItemId", "rev", "url") if name in resource}


def subscription_json(subscription: Subscription, catalog: Catalog, renderer: Renderer) -> dict[str, Any]:
    """Spell a subscription as it is read back: secrets masked, and two inputs that nobody sent."""
    inputs = dict(subscription.consumer_inputs)
    # ADO quirk: basicAuthPassword is confidential and read back as a mask; httpHeaders is not.
    if inputs.get("basicAuthPassword"):
        inputs["basicAuthPassword"] = MASK
    injected = {"hostId": catalog.account_id, "tfsSubscriptionId": guid("tfs", subscription.id)}
    by = identity_ref(renderer.urls)(subscription.created_by)
    at = instant(subscription.created_at)
    return {
        "id": subscription.id,
        "url": f"{renderer.urls.base}/_apis/hooks/subscriptions/{subscription.id}",
        "status": subscription.status,
        "publisherId": "tfs",
        "eventType": subscription.event_type,
        "resourceVersion": subscription.resource_version,
        "eventDescription": "Any work item",
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "actionDescription": f"To host {subscription.url.split('/')[2]}",
        "probationRetries": subscription.probation_retries,
        **(
            {"lastProbationRetryDate": instant(subscription.last_probation_retry)}
            if subscription.last_probation_retry
            else {}
        ),
        "createdBy": by,
        "createdDate": at,
        "modifiedBy": by,
        "modifiedDate": at,
        "publisherInputs": {**subscription.publisher_inputs, **injected},
        "consumerInputs": inputs,
    }
