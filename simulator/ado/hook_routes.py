"""The REST routes of service hooks: subscriptions, their history, and the "Test" button."""

from typing import Any

from flask import Flask, Response, g, request

from simulator.ado.canned import CANNED_IDS, canned_event
from simulator.ado.errors import bad_request
from simulator.ado.hooks import NOBODY, RESOURCE_VERSIONS, Notification, Subscription, subscription_json
from simulator.ado.http import json_body, listed, renderer
from simulator.ado.organization import Organization

Json = dict[str, Any]
HOOKS = "/<organization>/_apis/hooks"


def add_hook_routes(app: Flask, organization: Organization) -> None:
    hooks = organization.hooks

    def spelled(subscription: Subscription) -> Json:
        return subscription_json(subscription, organization.catalog, renderer(organization))

    def allowed(subscription_id: str, right: str) -> Subscription:
        """Return a subscription, unless whoever asks lacks a right to it."""
        subscription = hooks.get(subscription_id)
        hooks.verify(g.person, right, subscription.project_id)
        return subscription

    @app.get(f"{HOOKS}/subscriptions")
    def list_subscriptions(**_: str) -> Json:
        filters = {
            name: request.args[name]
            for name in ("publisherId", "eventType", "consumerId", "consumerActionId")
            if name in request.args
        }
        spelled_out = [spelled(subscription) for subscription in hooks.visible(g.person)]
        return listed(
            [one for one in spelled_out if all(one[name] == value for name, value in filters.items())]
        )

    @app.post(f"{HOOKS}/subscriptions")
    def add_subscription(**_: str) -> Json:
        wanted = json_body()
        hooks.verify(g.person, "Edit", project_of(wanted))
        return spelled(hooks.add(wanted, g.person))

    @app.get(f"{HOOKS}/subscriptions/<subscription_id>")
    def get_subscription(subscription_id: str, **_: str) -> Json:
        return spelled(allowed(subscription_id, "View"))

    @app.put(f"{HOOKS}/subscriptions/<subscription_id>")
    def replace_subscription(subscription_id: str, **_: str) -> Json:
        allowed(subscription_id, "Edit")
        return spelled(hooks.replace(subscription_id, json_body(), g.person))

    @app.delete(f"{HOOKS}/subscriptions/<subscription_id>")
    def remove_subscription(subscription_id: str, **_: str) -> Response:
        hooks.remove(allowed(subscription_id, "Delete").id)
        answer = Response(status=204)
        del answer.headers["Content-Type"]
        return answer

    @app.post(f"{HOOKS}/subscriptionsquery")
    def query_subscriptions(**_: str) -> Json:
        query = json_body()
        if not isinstance(query, dict):
            raise bad_request("Value cannot be null. Parameter name: query")
        names = ("publisherId", "eventType", "consumerId", "consumerActionId")
        found = [
            one
            for one in map(spelled, hooks.visible(g.person))
            if all(not query.get(name) or query[name] == one[name] for name in names)
            and passes(one["publisherInputs"], query.get("publisherInputFilters"))
            and passes(one["consumerInputs"], query.get("consumerInputFilters"))
        ]
        return {**query, "results": found}

    @app.get(f"{HOOKS}/subscriptions/<subscription_id>/notifications")
    def list_notifications(subscription_id: str, **_: str) -> Json:
        subscription = allowed(subscription_id, "View")
        found = [one.to_json() for one in reversed(hooks.notifications(subscription.id))]
        for name in ("status", "result"):
            if name in request.args:
                found = [one for one in found if one[name].casefold() == request.args[name].casefold()]
        return listed(found[: request.args.get("maxResults", 100, type=int)])

    @app.get(f"{HOOKS}/subscriptions/<subscription_id>/notifications/<int:notification_id>")
    def get_notification(subscription_id: str, notification_id: int, **_: str) -> Json:
        subscription = hooks.get(subscription_id)
        found = [one for one in hooks.notifications(subscription.id) if one.id == notification_id]
        if not found:
            raise bad_request(f"Notification {notification_id} does not exist.")
        return found[0].to_json()

    @app.post(f"{HOOKS}/testnotifications")
    def send_test(**_: str) -> Json:
        """Send the canned event to a subscription that exists, or to one that is only being filled in."""
        wanted = json_body()
        if not isinstance(wanted, dict):
            raise bad_request("Value cannot be null. Parameter name: testNotification")
        return test_notification(wanted).to_json()

    def test_notification(wanted: Json) -> Notification:
        if wanted.get("subscriptionId") not in {None, NOBODY}:
            subscription = hooks.get(str(wanted["subscriptionId"]))
        else:
            subscription = hooks.draft(wanted.get("details"), g.person)
        return hooks.notify(subscription, canned_event(subscription.event_type))

    @app.get(f"{HOOKS}/publishers/tfs/eventtypes")
    def list_event_types(**_: str) -> Json:
        return listed([event_type_json(event_type) for event_type in CANNED_IDS])

    @app.get(f"{HOOKS}/publishers/tfs/eventtypes/<event_type>")
    def get_event_type(event_type: str, **_: str) -> Json:
        if event_type not in CANNED_IDS:
            raise bad_request(f"The event type '{event_type}' is not known.")
        return event_type_json(event_type)


def project_of(wanted: Any) -> str:
    """Return the project that a wanted subscription is confined to, "" for the whole organization."""
    inputs = wanted.get("publisherInputs") if isinstance(wanted, dict) else None
    return str(inputs.get("projectId") or "").casefold() if isinstance(inputs, dict) else ""


def event_type_json(event_type: str) -> Json:
    return {"id": event_type, "publisherId": "tfs", "supportedResourceVersions": list(RESOURCE_VERSIONS)}


def passes(inputs: dict[str, str], filters: Any) -> bool:
    """Tell whether inputs meet any of the filters; a filter is met when all its conditions hold."""
    return not filters or any(
        all(_holds(inputs, condition) for condition in one.get("conditions", [])) for one in filters
    )


def _holds(inputs: dict[str, str], condition: Json) -> bool:
    actual, wanted = inputs.get(condition["inputId"], ""), str(condition.get("inputValue", ""))
    if not condition.get("caseSensitive"):
        actual, wanted = actual.casefold(), wanted.casefold()
    return (actual == wanted) == (str(condition.get("operator", "equals")).casefold() == "equals")
