"""What becomes of our service hook subscriptions: which one counts, which are made, which go, and when.

Ours are those that lead to our own address. Of no other one anything is changed.
"""

import hashlib
import hmac
import json
import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from shared.domain.addresses import AddressPolicy
from shared.domain.errors import Forbidden, MissingSetting, Rejected, SyncError, Unauthorized
from shared.domain.paths import below
from shared.domain.problems import Problem
from shared.domain.subscriptions import (
    Gap,
    HookEvent,
    HookState,
    Subscription,
    SubscriptionStatus,
    WatchedEvent,
)

USER = "sync"  # of Basic authentication; the app looks at the password alone
# An older subscription goes when the newer one has been there for that long (seconds): Azure DevOps tries a
# delivery for about three minutes. https://learn.microsoft.com/azure/devops/service-hooks/troubleshoot
OVERLAP = 600.0
# What the consumer's descriptor allows for the password of Basic authentication.
_PASSWORD = re.compile(r"\S{1,256}")
_LOSING = frozenset(HookState) - {HookState.ENABLED, HookState.PARTIAL, HookState.UNKNOWN}
_STATES = {
    SubscriptionStatus.ENABLED: HookState.ENABLED,
    SubscriptionStatus.ON_PROBATION: HookState.ON_PROBATION,
    SubscriptionStatus.DISABLED_BY_SYSTEM: HookState.DISABLED_BY_SYSTEM,
    SubscriptionStatus.DISABLED_BY_INACTIVE_IDENTITY: HookState.DISABLED_BY_INACTIVE_IDENTITY,
    SubscriptionStatus.DISABLED_BY_USER: HookState.DISABLED_BY_USER,
    SubscriptionStatus.UNKNOWN: HookState.UNKNOWN,
}
_HOST = re.compile(r"[a-z0-9][a-z0-9.:-]*")
_PORTS = {"https": 443, "http": 80}


class Step(StrEnum):
    """What is done about an event: it is well; its subscription is made, or another one for it; hands off."""

    KEEP = "keep"
    CREATE = "create"
    REPLACE = "replace"
    LEAVE = "leave"


class Plan(msgspec.Struct, frozen=True):
    """``state`` is how the event fares before the step, on account of ``subscription``.

    ``others`` go, once the one that is kept or made makes up for them.
    """

    step: Step
    state: HookState
    subscription: Subscription | None = None
    others: tuple[Subscription, ...] = ()


# Whose a subscription is, and with which secret it was made.


def hook_url(public_url: str, slug: str, policy: AddressPolicy) -> str:
    """Return the address of an organization's webhook, or raise Rejected if nothing can be sent there."""
    try:
        parts = urlsplit(public_url)
        _ = parts.port
    except ValueError as error:
        raise Rejected("PUBLIC_URL must be an address of the form https://…/") from error
    # A name in angle brackets is a sample's.
    named = _HOST.fullmatch(parts.hostname or "")
    if parts.scheme not in _PORTS or not named or "@" in parts.netloc:
        raise Rejected("PUBLIC_URL must be an address of the form https://…/")
    if "?" in public_url or "#" in public_url or not public_url.isprintable() or " " in public_url:
        raise Rejected("PUBLIC_URL must be an address without a query, a fragment or spaces")
    try:
        policy.verify_scheme(public_url)
    except Rejected as error:
        raise Rejected(f"PUBLIC_URL: {error.detail}") from error
    return below(public_url.rstrip("/") + "/", "api", "ado", slug, "webhook")


def is_ours(subscription: Subscription, url: str) -> bool:
    return _place(subscription.url) == _place(url)


def _place(url: str) -> tuple[str, str, int | None, str, str]:
    """Return an address in the spelling that all spellings of it share."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", "", None, url, ""
    return parts.scheme, (parts.hostname or "").rstrip("."), port, parts.path.rstrip("/"), parts.query


def verify_password(secret: str) -> None:
    """Raise Rejected for a secret that Azure DevOps does not take as a password."""
    if not _PASSWORD.fullmatch(secret):
        raise Rejected(
            "ADO_WEBHOOK_SECRET must have 1 to 256 characters and no blanks: Azure DevOps sends no other"
        )


def mark_of(secret: str, scope: str) -> str:
    """Return what tells one secret from the next, and lets nobody find either of them.

    Azure DevOps shows no password again, so this is kept instead of asking which one it has.
    """
    return hmac.new(secret.encode(), f"subscriptions of {scope}".encode(), hashlib.sha256).hexdigest()[:32]


# What is to be done.


def planned(ours: Sequence[Subscription], current: Collection[str]) -> Plan:
    """Decide about one event, by its subscriptions; those named in ``current`` carry the current secret.

    ==================================================  =======  ==========================================
    there is                                            step     and then
    ==================================================  =======  ==========================================
    one that is enabled, whole, of all projects, and    keep     the others go, except those that a user
    carries the current secret; of several the oldest            has disabled
    another one of all projects, that no user disabled  replace  the same
    one of all projects whose status we do not know     leave
    one that a user disabled                            leave
    only some that keep events back                     replace  they go
    nothing                                             create
    ==================================================  =======  ==========================================
    """
    users = [each for each in ours if each.status is SubscriptionStatus.DISABLED_BY_USER]
    live = [each for each in ours if each.status is not SubscriptionStatus.DISABLED_BY_USER]
    wide = sorted((each for each in live if not each.filters), key=_by_age)
    for each in wide:
        if each.status is SubscriptionStatus.ENABLED and each.is_whole and each.id in current:
            return Plan(Step.KEEP, HookState.ENABLED, each, tuple(one for one in live if one.id != each.id))
    strange = [each for each in wide if each.status is SubscriptionStatus.UNKNOWN]
    if strange and len(strange) == len(wide):
        return Plan(Step.LEAVE, HookState.UNKNOWN, strange[0])
    if wide:
        best = _best(wide)
        return Plan(Step.REPLACE, _STATES[best.status], best, tuple(live))
    if users:
        return Plan(Step.LEAVE, HookState.DISABLED_BY_USER, min(users, key=_by_age))
    if live:
        best = _best(live)
        is_partial = best.status is SubscriptionStatus.ENABLED
        return Plan(
            Step.REPLACE, HookState.PARTIAL if is_partial else _STATES[best.status], best, tuple(live)
        )
    return Plan(Step.CREATE, HookState.MISSING)


def _best(subscriptions: Iterable[Subscription]) -> Subscription:
    """Return the one that delivers most; of several the oldest."""
    order = list(SubscriptionStatus)
    return min(subscriptions, key=lambda each: (order.index(each.status), *_by_age(each)))


def _by_age(subscription: Subscription) -> tuple[float, str]:
    return subscription.created_at, subscription.id


def is_superseded(old: Subscription, kept: Subscription) -> bool:
    """Tell whether a subscription can go at once: what it would still deliver, another one delivers too."""
    if old.status is not SubscriptionStatus.ENABLED:
        return True
    return 0.0 < kept.created_at < old.created_at


# What is kept of it.


def seen(
    was: WatchedEvent, state: HookState, now: float, *, failing_since: float | None = None
) -> WatchedEvent:
    """Return what is known of an event after a look; events are lost while nothing is delivered.

    They are lost since ``failing_since``, if that is known, else since it was last seen to be well.
    """
    gap, enabled_at, open_gap = was.gap, was.enabled_at, _open_gap(was)
    begun = open_gap.since if open_gap else failing_since or was.enabled_at
    if begun and (state in _LOSING or (state is HookState.ENABLED and open_gap)):
        gap = Gap(begun, now)
    if state is HookState.ENABLED:
        enabled_at = now
    since = was.since if state is was.state and was.since else now
    return replace(was, state=state, since=since, gap=gap, enabled_at=enabled_at)


def has_ended_gap(was: WatchedEvent, event: WatchedEvent) -> bool:
    """Tell whether events were lost until now, and are delivered again."""
    return event.state is HookState.ENABLED and _open_gap(was) is not None


def _open_gap(event: WatchedEvent) -> Gap | None:
    """Return the gap that goes on: it was not seen to be well since."""
    return event.gap if event.gap is not None and event.gap.until > event.enabled_at else None


def problem_of(
    states: Mapping[HookEvent, HookState], error: SyncError | None, cure: str, now: float
) -> Problem | None:
    """Return why the subscriptions are not in order, or None.

    What the app lacks to look after them is no failure as long as nothing is known to be lost: then people
    look after them.
    """
    losing = [event for event, state in states.items() if state in _LOSING]
    if error is not None:
        lacks_url = isinstance(error, MissingSetting) and error.name == "PUBLIC_URL"
        lacks = lacks_url or isinstance(error, Forbidden | Unauthorized)
        lost = f"; not delivered: {_listed(losing)}" if losing else ""
        detail = f"{error.detail}{lost}; {cure}" if cure else f"{error.detail}{lost}"
        return Problem(error.kind, detail, now, is_note=lacks and not losing)
    if by_user := [event for event in losing if states[event] is HookState.DISABLED_BY_USER]:
        advice = "enable it there, or delete it and the app makes another one"
        return Problem("disabled-by-user", f"a user disabled {_listed(by_user)}: {advice}", now)
    if strange := [event for event, state in states.items() if state is HookState.UNKNOWN]:
        return Problem("unknown-status", f"the status of {_listed(strange)} is a new one", now)
    return None


def _listed(events: Iterable[HookEvent]) -> str:
    return ", ".join(events)


# What people do where the app may not.


def wanted(event: str, url: str, secret: str) -> dict[str, object]:
    """Return a subscription of all projects as Azure DevOps takes it.

    Basic, since a header is shown to whoever may view the subscription. Whole, since a snapshot saves a call.
    https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks
    """
    return {
        "publisherId": "tfs",
        "eventType": event,
        "resourceVersion": "1.0",
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "publisherInputs": {},
        "consumerInputs": {
            "url": url,
            "basicAuthUsername": USER,
            "basicAuthPassword": secret,
            "resourceDetailsToSend": "all",
            "messagesToSend": "none",
            "detailedMessagesToSend": "none",
        },
    }


def by_hand(ado_url: str, url: str, events: Iterable[str]) -> list[str]:
    """Return a command for each subscription, for somebody who has the right to make it.

    ``$ADO_PAT`` and ``$ADO_WEBHOOK_SECRET`` are for their shell to fill in.
    """
    target = shlex.quote(f"{below(ado_url, '_apis', 'hooks', 'subscriptions')}?api-version=6.0")
    head = f"curl -u \":$ADO_PAT\" -H 'Content-Type: application/json' {target}"
    return [f"{head} -d '{_command_body(each, url)}'" for each in events]


def _command_body(event: str, url: str) -> str:
    """Return the body for single quotes, which end around the one variable that the shell fills in."""
    text = json.dumps(wanted(event, url, "SECRET")).replace("'", "%27")
    return text.replace('"SECRET"', '"\'"$ADO_WEBHOOK_SECRET"\'"')
