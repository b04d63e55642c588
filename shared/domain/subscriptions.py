"""Service hook subscriptions in Azure DevOps: one as it is listed, and what is kept of ours.

``services.hooks.get(organization.scope)`` returns the HookRecord of an organization: what ``hook_watchdog``
saw last, for each event that is needed. Whoever shows or judges it asks Azure DevOps nothing.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from shared.domain.comments import InboundComments
from shared.domain.moments import Moment
from shared.domain.problems import Problem


class HookEvent(StrEnum):
    """An event for which the app needs a subscription, by Azure DevOps' name for it."""

    UPDATED = "workitem.updated"
    DELETED = "workitem.deleted"
    RESTORED = "workitem.restored"
    COMMENTED = "workitem.commented"


def needed(comments: InboundComments) -> tuple[HookEvent, ...]:
    """Return the events that are needed; that of comments, only where comments travel to Sentry."""
    always = (HookEvent.UPDATED, HookEvent.DELETED, HookEvent.RESTORED)
    return always if comments is InboundComments.OFF else (*always, HookEvent.COMMENTED)


class SubscriptionStatus(StrEnum):
    """What Azure DevOps calls the status of a subscription.

    https://learn.microsoft.com/rest/api/azure/devops/hooks/subscriptions/get#subscriptionstatus
    """

    ENABLED = "enabled"
    ON_PROBATION = "onProbation"
    DISABLED_BY_USER = "disabledByUser"
    DISABLED_BY_SYSTEM = "disabledBySystem"
    DISABLED_BY_INACTIVE_IDENTITY = "disabledByInactiveIdentity"
    UNKNOWN = "unknown"  # one that it had not when this was written


class Subscription(msgspec.Struct, frozen=True):
    """A subscription of the consumer "Web Hooks", as it is listed; what is confidential is not read.

    ``filters`` are the inputs that keep some events back, such as a project. ``is_whole`` says that it is
    delivered with all details, in the form that the app reads. ``created_at`` is in epoch seconds, 0 if it
    is not told.
    """

    id: str
    event: str
    status: SubscriptionStatus
    url: str
    filters: Mapping[str, str] = {}
    is_whole: bool = True
    created_at: float = 0.0


class HookState(StrEnum):
    """How an event fares: whether Azure DevOps delivers it to us, and if not, why.

    Of ``PARTIAL`` events it delivers some, such as those of one project. ``UNKNOWN`` means that we could
    not look, and says nothing of the subscription.
    """

    ENABLED = "enabled"
    PARTIAL = "partial"
    ON_PROBATION = "on-probation"
    DISABLED_BY_USER = "disabled-by-user"
    DISABLED_BY_SYSTEM = "disabled-by-system"
    DISABLED_BY_INACTIVE_IDENTITY = "disabled-by-inactive-identity"
    MISSING = "missing"
    UNKNOWN = "unknown"


class Gap(msgspec.Struct, frozen=True):
    """From when until when (epoch seconds) events were not delivered."""

    since: Moment
    until: Moment


class WatchedEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one event's subscription; moments are epoch seconds, 0 for never.

    ``state`` holds since ``since``. ``subscription_id`` is the one that counts; ``mark`` tells which secret
    it was made with, if we made it, and is no secret. ``enabled_at`` is when it was last seen enabled, and
    ``gap`` the last time in which events were lost.
    """

    state: HookState = HookState.UNKNOWN
    since: Moment = 0.0
    subscription_id: str = ""
    mark: str = ""
    made_at: Moment = 0.0
    enabled_at: Moment = 0.0
    gap: Gap | None = None


class HookRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the watchdog saw of an organization's subscriptions at ``checked_at`` (0: it never looked).

    ``events`` goes by HookEvent; a newer version of the app may have added some.
    ``problem`` says why they are not in order, or, as a note, what people have to do because the app may
    not; with the cure in its ``detail``.
    """

    checked_at: Moment = 0.0
    events: Mapping[str, WatchedEvent] = {}
    problem: Problem | None = None
