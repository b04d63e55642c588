"""Looking after the service hook subscriptions in Azure DevOps: each event has one, enabled, with our secret.

A new one is made before an older one goes, so that no event falls between the two; what comes twice does no
harm. A crash between any two steps leaves a subscription too many, which the next look removes.
"""

from collections.abc import Sequence
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from shared.domain.errors import Busy, Forbidden, MissingSetting, Rejected, SyncError, Unauthorized
from shared.domain.ports import AdoHooks
from shared.domain.rules.subscribing import (
    OVERLAP,
    Plan,
    Step,
    by_hand,
    has_ended_gap,
    hook_url,
    is_ours,
    is_superseded,
    mark_of,
    planned,
    problem_of,
    seen,
    verify_password,
)
from shared.domain.subscriptions import (
    HookEvent,
    HookRecord,
    HookState,
    Subscription,
    SubscriptionStatus,
    WatchedEvent,
    needed,
)
from shared.flows.reconciling import reconcile
from shared.services import Services
from shared.store.hooks import Turn
from shared.store.organizations import Organization

# A look is some twenty calls. It changes nothing any more where the change might come after its turn.
_TURN = 120.0  # seconds
_LONGEST_CALL = 30.0  # seconds
_WATCH_ALL_FOR = 200.0  # seconds; host.json ends a function after a few minutes
_RECONCILE_FOR = 20.0  # seconds
_WAIT_FOR_TURN = 10  # seconds
_MOST_BROKEN = 3


class Watched(msgspec.Struct, frozen=True):
    """What became of one look. ``is_news`` says that its problem was not known before."""

    record: HookRecord
    made: int = 0
    removed: int = 0
    has_ended_gap: bool = False
    is_news: bool = False


def watch_all(services: Services) -> dict[str, Watched | Exception]:
    """Look after the subscriptions of every organization, those first that were looked at longest ago.

    Returns what became of each by slug; one that the time did not suffice for is absent.
    """
    stop_at = services.clock() + _WATCH_ALL_FOR
    looked_at = services.hooks.last_looks()
    results: dict[str, Watched | Exception] = {}
    for slug in sorted(services.organizations.slugs(), key=lambda each: looked_at.get(each, 0.0)):
        if services.clock() > stop_at:
            break
        try:
            results[slug] = watch(services, services.organizations.get(slug))
        except Exception as error:  # noqa: BLE001  # even a bug; the caller logs it
            results[slug] = error
    return results


def watch(services: Services, organization: Organization) -> Watched:
    """Look after an organization's subscriptions; raise Busy if somebody else does at this moment.

    Whatever goes wrong is in the record. Where events were lost, the organization is reconciled at once.
    """
    turn = services.hooks.take(organization.scope, _TURN)
    look = _Look(services, organization, turn)
    record = turn.record
    try:
        record = look.take()
    finally:
        services.hooks.end(turn, record)
    if look.made and not _is_connected(services, organization):
        # It was disconnected meanwhile: nobody else knows of what was made just now.
        unsubscribe(services, organization)
        services.hooks.forget(organization.scope)
        return look.watched(record)
    if look.is_worth_reconciling:
        reconcile(services, organization, run_for=_RECONCILE_FOR)
    return look.watched(record)


def _is_connected(services: Services, organization: Organization) -> bool:
    now = services.organizations.find(organization.slug)
    return now is not None and now.scope == organization.scope


class _Look:
    """One look at an organization's subscriptions, and what is done about them."""

    def __init__(self, services: Services, organization: Organization, turn: Turn) -> None:
        self._services = services
        self._organization = organization
        self._turn = turn
        self._known = turn.record
        self._needed = needed(organization.configuration.sync_comments_reverse)
        self._events: dict[str, WatchedEvent] = {}
        self._error: SyncError | None = None
        self.made = self.removed = 0
        self.is_worth_reconciling = False

    def take(self) -> HookRecord:
        unneeded = [
            event for event in HookEvent if event not in self._needed and self._was(event).subscription_id
        ]
        self._events = {event: self._known.events[event] for event in unneeded}
        try:
            url, secret, listed, hooks = self._gathered()
        except SyncError as error:
            self._error = error
            for event in self._needed:
                self._see(event, HookState.UNKNOWN)
        else:
            for event in self._needed:
                self._look_after(event, url, secret, listed, hooks)
            for event in unneeded:
                self._give_up(event, url, hooks)
        return self._record()

    def watched(self, record: HookRecord) -> Watched:
        problem, known = record.problem, self._known.problem
        is_news = problem is not None and (known is None or known.kind != problem.kind)
        return Watched(record, self.made, self.removed, self.is_worth_reconciling, is_news)

    def _gathered(self) -> tuple[str, str, list[Subscription], AdoHooks]:
        """Return all that the decisions need: our address, the current secret, and what there is of ours."""
        settings, slug = self._services.settings, self._organization.slug
        url = hook_url(settings.public_url, slug, settings.addresses)
        secret = settings.ado_webhook_secrets(slug)[0]
        verify_password(secret)
        hooks = self._services.subscriptions(self._organization)
        return url, secret, [each for each in hooks.web_hooks() if is_ours(each, url)], hooks

    def _look_after(
        self, event: HookEvent, url: str, secret: str, listed: Sequence[Subscription], hooks: AdoHooks
    ) -> None:
        was = self._was(event)
        mark = mark_of(secret, self._organization.scope)
        current = {was.subscription_id} if was.mark == mark else set()
        try:
            ours = self._with_unlisted(was, [each for each in listed if each.event == event], url, hooks)
        except SyncError as error:
            self._fail(error)
            self._see(event, HookState.UNKNOWN)
            return
        plan = planned(ours, current)
        self._see(event, plan.state, self._failing_since(plan, hooks))
        if plan.step is Step.KEEP and plan.subscription is not None:
            self._note(event, plan.subscription, mark, was.made_at)
            self._clear(event, plan.subscription, plan.others, hooks)
        elif plan.step in {Step.CREATE, Step.REPLACE}:
            self._make(event, url, secret, plan, hooks)

    def _give_up(self, event: HookEvent, url: str, hooks: AdoHooks) -> None:
        """Remove what we made for an event that nobody wants any more; what a user disabled is left alone.

        It is remembered until it is gone: nothing else tells it from one that somebody made by hand.
        """
        try:
            found = hooks.find(self._events[event].subscription_id)
            if found is not None and is_ours(found, url):
                if found.status is SubscriptionStatus.DISABLED_BY_USER:
                    return
                self._verify_turn()
                hooks.remove(found.id)
                self.removed += 1
            del self._events[event]
        except SyncError as error:
            self._fail(error)

    def _with_unlisted(
        self, was: WatchedEvent, ours: list[Subscription], url: str, hooks: AdoHooks
    ) -> list[Subscription]:
        """Add the one that we made, if it is there and not listed: a list shows what we may view."""
        if not was.subscription_id or any(each.id == was.subscription_id for each in ours):
            return ours
        found = hooks.find(was.subscription_id)
        return ours if found is None or not is_ours(found, url) else [*ours, found]

    def _failing_since(self, plan: Plan, hooks: AdoHooks) -> float | None:
        broken = {
            HookState.ON_PROBATION,
            HookState.DISABLED_BY_SYSTEM,
            HookState.DISABLED_BY_INACTIVE_IDENTITY,
        }
        if plan.subscription is None or plan.state not in broken:
            return None
        with suppress(SyncError):  # It only makes the answer more exact.
            return hooks.failing_since(plan.subscription.id)
        return None

    def _make(self, event: HookEvent, url: str, secret: str, plan: Plan, hooks: AdoHooks) -> None:
        broken = [each for each in plan.others if each.status is not SubscriptionStatus.ENABLED]
        if len(broken) >= _MOST_BROKEN and not self._discard(broken, hooks):
            return  # Where we may make but not remove, there would be another one each time.
        try:
            self._verify_turn()
            made = hooks.create(event, url, secret)
        except SyncError as error:
            self._fail(error)
            return
        self.made += 1
        self._see(event, HookState.ENABLED)
        self._note(event, made, mark_of(secret, self._organization.scope), self._services.clock())
        if plan.others:
            # What the older one had taken and not delivered yet goes with it.
            self.is_worth_reconciling = True
        self._clear(event, made, plan.others, hooks)

    def _clear(
        self, event: HookEvent, kept: Subscription, others: Sequence[Subscription], hooks: AdoHooks
    ) -> None:
        """Remove what the kept one makes up for; what still has something to deliver goes next time."""
        age = self._services.clock() - self._events[event].made_at
        for old in others:
            try:
                self._verify_turn()
                if is_superseded(old, kept) or age > OVERLAP or hooks.is_idle(old.id):
                    hooks.remove(old.id)
                    self.removed += 1
            except SyncError as error:
                self._fail(error)

    def _discard(self, broken: Sequence[Subscription], hooks: AdoHooks) -> bool:
        """Remove what delivers nothing, and tell whether all of it is gone."""
        try:
            for each in broken:
                self._verify_turn()
                hooks.remove(each.id)
                self.removed += 1
        except SyncError as error:
            self._fail(error)
            return False
        return True

    def _verify_turn(self) -> None:
        left = self._turn.ends - self._services.clock()
        if left <= _LONGEST_CALL:
            raise Busy("the look took longer than its turn", retry_after=1.0)

    def _was(self, event: HookEvent) -> WatchedEvent:
        return self._events.get(event) or self._known.events.get(event, WatchedEvent())

    def _see(self, event: HookEvent, state: HookState, failing_since: float | None = None) -> None:
        was = self._was(event)
        self._events[event] = seen(was, state, self._services.clock(), failing_since=failing_since)
        self.is_worth_reconciling |= has_ended_gap(was, self._events[event])

    def _note(self, event: HookEvent, kept: Subscription, mark: str, made_at: float) -> None:
        noted = replace(self._events[event], subscription_id=kept.id, mark=mark, made_at=made_at)
        self._events[event] = noted

    def _fail(self, error: SyncError) -> None:
        """Keep the first failure, or the first one that is more than a right that we lack."""
        rights = Forbidden | Unauthorized
        if self._error is None or (isinstance(self._error, rights) and not isinstance(error, rights)):
            self._error = error

    def _record(self) -> HookRecord:
        now = self._services.clock()
        states = {event: self._events[event].state for event in self._needed}
        problem = problem_of(states, self._error, _cure(self._error), now)
        problem = problem and problem.after(self._known.problem)
        return HookRecord(now, self._events, problem)


def _cure(error: SyncError | None) -> str:
    people = (
        "or make them by hand, as docs/permissions.md#subscriptions-made-by-hand says: "
        "GET .../hooks has the commands"
    )
    match error:
        case Forbidden() | Unauthorized():
            rights = "give the app's identity the rights to view, edit and delete subscriptions"
            return f"{rights} of the organization, {people}"
        case MissingSetting(name="PUBLIC_URL"):
            return f"set it, {people}"
        case Rejected():
            return "change the setting"
        case _:
            return ""


def commands(services: Services, organization: Organization, record: HookRecord) -> list[str]:
    """Return what somebody with the right to it can run, for each event that is not delivered to us."""
    well = {HookState.ENABLED, HookState.DISABLED_BY_USER}
    events = [
        event
        for event in needed(organization.configuration.sync_comments_reverse)
        if record.events.get(event, WatchedEvent()).state not in well
    ]
    try:
        url = hook_url(services.settings.public_url, organization.slug, services.settings.addresses)
    except SyncError:
        url = f"https://APP.azurewebsites.net/api/ado/{organization.slug}/webhook"
    ado_url = organization.configuration.ado_url if organization.configuration.is_located else None
    return by_hand(ado_url or "https://dev.azure.com/ORGANIZATION/", url, events)


def unsubscribe(services: Services, organization: Organization) -> str:
    """Remove every subscription to an organization's webhook; return what is left to a person, or "".

    Nothing that goes wrong here keeps the organization from being disconnected.
    """
    settings, scope = services.settings, organization.scope
    try:
        url = hook_url(settings.public_url, organization.slug, settings.addresses)
    except SyncError:
        return ""  # We have made none.
    _wait_for_turn(services, scope)
    try:
        known = {each.subscription_id for each in services.hooks.get(scope).events.values()}
        hooks = services.subscriptions(organization)
        ours = {each.id for each in hooks.web_hooks() if is_ours(each, url)}
    except SyncError as error:
        return _left("those", error, url)
    failed: list[SyncError] = []
    for subscription_id in sorted(ours | known - {""}):
        try:
            if subscription_id in ours or _leads_to(url, hooks.find(subscription_id)):
                hooks.remove(subscription_id)
        except SyncError as error:
            failed.append(error)
    return _left(f"{len(failed)}", failed[0], url) if failed else ""


def _leads_to(url: str, found: Subscription | None) -> bool:
    return found is not None and is_ours(found, url)


def _left(which: str, error: SyncError, url: str) -> str:
    return (
        f"the service hook subscriptions could not all be removed ({error.kind}): "
        f"delete {which} that lead to {url} in Azure DevOps by hand"
    )


def _wait_for_turn(services: Services, scope: str) -> None:
    """Keep others from making what is about to be removed; after a while, go on without."""
    for _ in range(_WAIT_FOR_TURN):
        try:
            services.hooks.take(scope, _TURN)
        except Busy:
            services.pause(1.0)
        except SyncError:
            return
        else:
            return
