"""Looking after the subscriptions: from nothing to three, healed, replaced, respected; never doubled."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import azure.functions as func
import pytest

from functions import health, hook_watchdog, org_config
from shared.domain.comments import InboundComments
from shared.domain.configuration import Configuration
from shared.domain.errors import Busy, Forbidden, SyncError, Unauthorized, Unavailable
from shared.domain.model import IssueStatus
from shared.domain.ports import AdoHooks
from shared.domain.subscriptions import HookEvent, Subscription
from shared.flows.reconciling import reconcile
from shared.flows.subscribing import Watched, unsubscribe, watch, watch_all
from shared.settings import Settings
from shared.store.organizations import Organization
from shared.store.tables import Replace
from tests.doubles.ado import BASE_URL
from tests.doubles.services import ADO_SECRET, KNOWN, SETTINGS
from tests.doubles.subscriptions import MemorySubscriptions
from tests.unit.rounds import at_rest, deliver
from tests.unit.scene import ITEM, SLUG, STATE, Died, Scene

PUBLIC_URL = "https://acme.example/"
URL = f"{PUBLIC_URL}api/ado/{SLUG}/webhook"
QUARTER = 900.0  # seconds
UPDATED, DELETED, RESTORED, COMMENTED = HookEvent
ALWAYS = (UPDATED, DELETED, RESTORED)
EVENTS = sorted(ALWAYS)


def settings(**changes: str) -> Settings:
    return Settings({**SETTINGS.environment, "PUBLIC_URL": PUBLIC_URL, **changes})


@pytest.fixture
def scene() -> Scene:
    scene = at_rest(Scene())
    scene.services.settings = settings()
    return scene


@pytest.fixture
def hooks(scene: Scene) -> MemorySubscriptions:
    return scene.services.ado_hooks


def look(scene: Scene, *, after: float = QUARTER) -> Watched:
    scene.now += after
    return watch(scene.services, scene.organization)


def there(hooks: MemorySubscriptions, url: str = URL) -> list[str]:
    """Return the events for which there is an enabled subscription of the whole organization, sorted."""
    kept = [each for each in hooks.subscriptions if each.url == url]
    assert all(each.status == "enabled" and not each.project_id for each in kept)
    return sorted(each.event_type for each in kept)


def secrets(hooks: MemorySubscriptions) -> set[str | None]:
    return {each.consumer_inputs.get("basicAuthPassword") for each in hooks.subscriptions}


def id_of(hooks: MemorySubscriptions, event: str = UPDATED) -> str:
    [found] = [each.id for each in hooks.subscriptions if each.event_type == event and each.url == URL]
    return found


def states(watched: Watched) -> list[str]:
    return [watched.record.events[event].state.value for event in ALWAYS]


ENABLED = ["enabled"] * 3


# What there is afterwards.


@pytest.mark.parametrize("wanted", [InboundComments.MARKED, InboundComments.ALL])
def test_comments_are_subscribed_to_while_they_travel(
    scene: Scene, hooks: MemorySubscriptions, wanted: InboundComments
) -> None:
    look(scene)
    scene.configure(sync_comments_reverse=wanted)
    watched = look(scene)
    assert (watched.made, there(hooks)) == (1, sorted([*EVENTS, COMMENTED]))
    assert watched.record.events[COMMENTED].state.value == "enabled"
    scene.configure(sync_comments_reverse=InboundComments.OFF)
    watched = look(scene)
    assert (watched.removed, there(hooks)) == (1, EVENTS)
    assert COMMENTED not in watched.record.events
    again = look(scene)
    assert (again.made, again.removed) == (0, 0)


def test_from_nothing_to_three_and_then_nothing_changes(scene: Scene, hooks: MemorySubscriptions) -> None:
    watched = look(scene)
    assert (there(hooks), secrets(hooks)) == (EVENTS, {ADO_SECRET})
    assert (watched.made, watched.removed, states(watched), watched.record.problem) == (3, 0, ENABLED, None)
    # Nobody knows that there were any before, so nothing is said to be lost.
    assert all(each.gap is None for each in watched.record.events.values())
    before = [each.id for each in hooks.subscriptions]
    again = look(scene)
    assert (again.made, again.removed, [each.id for each in hooks.subscriptions]) == (0, 0, before)


@pytest.mark.parametrize("status", ["onProbation", "disabledBySystem", "disabledByInactiveIdentity"])
def test_what_azure_devops_restricted_or_disabled_is_made_anew(
    scene: Scene, hooks: MemorySubscriptions, status: str
) -> None:
    look(scene)
    broken, seen_at = id_of(hooks), scene.now
    hooks.set_subscription_status(broken, status)
    watched = look(scene)
    assert there(hooks) == EVENTS
    assert id_of(hooks) != broken
    assert (watched.made, watched.removed, watched.has_ended_gap) == (1, 1, True)
    gap = watched.record.events[UPDATED].gap
    assert gap is not None
    assert (gap.since, gap.until) == (seen_at, scene.now)
    assert watched.record.events[DELETED].gap is None


def test_the_history_of_deliveries_tells_since_when(scene: Scene, hooks: MemorySubscriptions) -> None:
    look(scene)
    scene.now += 60.0
    hooks.notify(id_of(hooks), "succeeded")
    scene.now += 60.0
    hooks.notify(id_of(hooks), "failed")
    failed_at = scene.now
    hooks.set_subscription_status(id_of(hooks), "onProbation")
    gap = look(scene).record.events[UPDATED].gap
    assert gap is not None
    assert gap.since == failed_at


def test_one_that_a_person_deleted_is_made_anew_and_what_was_lost_is_found_at_once(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    look(scene)
    hooks.unsubscribe(id_of(hooks))
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    watched = look(scene)
    assert (there(hooks), watched.made, watched.has_ended_gap) == (EVENTS, 1, True)
    deliver(scene)
    assert scene.status is IssueStatus.RESOLVED


def test_one_that_came_back_by_itself_has_ended_a_gap_as_well(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    look(scene)
    hooks.deny("Edit")
    hooks.set_subscription_status(id_of(hooks), "onProbation")
    assert states(look(scene)) == ["on-probation", "enabled", "enabled"]
    hooks.set_subscription_status(id_of(hooks), "enabled")
    assert look(scene).has_ended_gap


@pytest.mark.parametrize("older", [True, False])
def test_a_twin_is_removed_whoever_made_it(scene: Scene, hooks: MemorySubscriptions, older: bool) -> None:
    if older:
        hooks.subscribe(URL, UPDATED)
    look(scene)
    if not older:
        scene.now += 1.0
        hooks.subscribe(URL, UPDATED)
        look(scene, after=1.0)
    assert (there(hooks), secrets(hooks)) == (EVENTS, {ADO_SECRET})


def test_one_with_a_header_gives_way_to_one_with_basic_authentication(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    for event in ALWAYS:
        hooks.subscribe(URL, event, httpHeaders=f"Shared-Secret:{ADO_SECRET}")
    watched = look(scene)
    assert (there(hooks), secrets(hooks), watched.made, watched.removed) == (EVENTS, {ADO_SECRET}, 3, 3)
    assert not any("httpHeaders" in each.consumer_inputs for each in hooks.subscriptions)
    # They worked, as far as anybody can tell.
    assert not any(each.gap for each in watched.record.events.values())


def test_those_of_single_projects_give_way_to_one_of_all(scene: Scene, hooks: MemorySubscriptions) -> None:
    for project in ("Fabrikam-Fiber", "Scrum Team"):
        hooks.subscribe(URL, UPDATED, project=project)
    look(scene)
    assert there(hooks) == EVENTS


def test_those_of_others_are_never_touched(scene: Scene, hooks: MemorySubscriptions) -> None:
    others = [
        hooks.subscribe("https://acme.example/api/ado/fabrikam-2/webhook", UPDATED),
        hooks.subscribe("https://acme.example/api/ado/fabrikam/webhook/more", UPDATED),
        hooks.subscribe("https://elsewhere.example/api/ado/fabrikam/webhook", UPDATED),
        hooks.subscribe(URL, "workitem.created"),  # ours, and nothing that we ask for
    ]
    hooks.set_subscription_status(others[0], "disabledBySystem")
    for _ in range(3):
        look(scene)
    assert {each.id for each in hooks.subscriptions} > set(others)
    assert len(hooks.subscriptions) == 3 + len(others)


def test_two_organizations_at_one_account_leave_each_other_alone(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    scene.services.organizations.add("other", Configuration(ado_url=BASE_URL), KNOWN)
    for _ in range(3):
        scene.now += QUARTER
        assert all(isinstance(each, Watched) for each in watch_all(scene.services).values())
        assert there(hooks) == EVENTS
        assert there(hooks, f"{PUBLIC_URL}api/ado/other/webhook") == EVENTS
    assert len(hooks.subscriptions) == 6


def test_the_form_that_somebody_changed_is_put_right(scene: Scene, hooks: MemorySubscriptions) -> None:
    look(scene)
    [changed] = [each for each in hooks.subscriptions if each.event_type == UPDATED]
    changed.consumer_inputs["resourceDetailsToSend"] = "none"
    assert look(scene).made == 1
    [now] = [each for each in hooks.subscriptions if each.event_type == UPDATED]
    assert (now.consumer_inputs["resourceDetailsToSend"], now.resource_version) == ("all", "1.0")


# What a person wants.


def test_what_a_user_disabled_is_left_and_reported(scene: Scene, hooks: MemorySubscriptions) -> None:
    look(scene)
    disabled = id_of(hooks)
    hooks.set_subscription_status(disabled, "disabledByUser")
    for _ in range(2):
        watched = look(scene)
        assert (watched.made, watched.removed) == (0, 0)
        assert states(watched) == ["disabled-by-user", "enabled", "enabled"]
    assert id_of(hooks) == disabled
    problem = watched.record.problem
    assert problem is not None
    assert (problem.kind, problem.is_note, problem.since) == ("disabled-by-user", False, scene.now - QUARTER)
    assert "workitem.updated" in problem.detail
    hooks.set_subscription_status(disabled, "enabled")
    watched = look(scene)
    assert (states(watched), watched.record.problem, watched.has_ended_gap) == (ENABLED, None, True)


# A new secret.


def test_a_new_secret_is_given_to_new_ones_before_the_old_ones_go(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    look(scene)
    scene.services.settings = settings(ADO_WEBHOOK_SECRET="new", ADO_WEBHOOK_SECRET_PREVIOUS=ADO_SECRET)
    order = Noted(hooks)
    scene.services.watched_hooks = cast("AdoHooks", order)
    watched = look(scene)
    assert (there(hooks), secrets(hooks)) == (EVENTS, {"new"})
    assert order.made == ["create", "remove"] * 3
    # It worked all the time; what the old ones may have had on their way is looked for nevertheless.
    assert not any(each.gap for each in watched.record.events.values())
    assert watched.has_ended_gap
    assert look(scene).made == 0


def test_an_old_one_stays_until_it_has_delivered_what_it_took(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    look(scene)
    old = id_of(hooks)
    on_its_way = hooks.notify(old)
    scene.services.settings = settings(ADO_WEBHOOK_SECRET="new", ADO_WEBHOOK_SECRET_PREVIOUS=ADO_SECRET)
    look(scene)
    assert old in {each.id for each in hooks.subscriptions}
    assert len(hooks.subscriptions) == 4
    on_its_way.result = "succeeded"
    assert look(scene, after=1.0).removed == 1
    assert there(hooks) == EVENTS


def test_an_old_one_does_not_stay_for_what_it_will_never_deliver(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    look(scene)
    hooks.notify(id_of(hooks))
    scene.services.settings = settings(ADO_WEBHOOK_SECRET="new")
    look(scene)
    look(scene, after=500.0)
    assert len(hooks.subscriptions) == 4
    look(scene, after=200.0)
    assert there(hooks) == EVENTS


def test_a_lost_record_costs_new_ones_for_old_ones_and_no_event(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    look(scene)
    scene.services.hooks.forget(scene.organization.scope)
    watched = look(scene)
    assert (there(hooks), watched.made, watched.removed) == (EVENTS, 3, 3)


def test_no_secret_is_stored(scene: Scene) -> None:
    look(scene)
    rows = scene.services._table("organizations").scan("hooks", "", "~")
    [text] = [row.text for row in rows]
    assert ADO_SECRET not in text
    assert "mark" in text


# What goes wrong.


class Noted:
    """The subscriptions, with the order of what is changed; ``meet`` has calls fail, once each."""

    def __init__(self, real: MemorySubscriptions) -> None:
        self.real = real
        self.made: list[str] = []
        self.troubles: dict[str, list[tuple[BaseException, bool]]] = {}

    def meet(self, name: str, error: BaseException, *, lands: bool = False, times: int = 1) -> None:
        self.troubles.setdefault(name, []).extend([(error, lands)] * times)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.real, name)

        def call(*arguments: Any) -> Any:
            if name in {"create", "remove"}:
                self.made.append(name)
            error, lands = self.troubles[name].pop(0) if self.troubles.get(name) else (None, True)
            result = method(*arguments) if lands else None
            if error is not None:
                raise error
            return result

        return call


@pytest.fixture
def noted(scene: Scene, hooks: MemorySubscriptions) -> Noted:
    noted = Noted(hooks)
    scene.services.watched_hooks = cast("AdoHooks", noted)
    return noted


@pytest.mark.parametrize(
    ("error", "is_note"),
    [
        (Unavailable("ado", "HTTP 500"), False),
        (Forbidden("ado", "HTTP 403", about="subscriptions"), True),
        (Unauthorized("ado", "HTTP 401"), True),
    ],
)
def test_a_list_that_fails_is_unknown_and_never_none(
    scene: Scene, hooks: MemorySubscriptions, noted: Noted, error: SyncError, is_note: bool
) -> None:
    noted.meet("web_hooks", error)
    watched = look(scene)
    assert (states(watched), hooks.subscriptions) == (["unknown"] * 3, [])
    assert watched.record.problem is not None
    assert (watched.record.problem.kind, watched.record.problem.is_note) == (error.kind, is_note)
    assert look(scene).made == 3
    noted.meet("web_hooks", error)
    watched = look(scene)
    assert (states(watched), watched.made) == (["unknown"] * 3, 0)
    # What was known is known again.
    watched = look(scene)
    assert (states(watched), watched.made, watched.removed, watched.has_ended_gap) == (ENABLED, 0, 0, False)


def test_one_that_the_list_hides_is_not_made_again(
    scene: Scene, hooks: MemorySubscriptions, noted: Noted
) -> None:
    look(scene)
    noted.real.web_hooks = list  # type: ignore[method-assign]  # nothing is shown
    watched = look(scene)
    assert (states(watched), watched.made, there(hooks)) == (ENABLED, 0, EVENTS)
    noted.meet("find", Forbidden("ado", "HTTP 403", about="subscriptions"))
    watched = look(scene)
    assert (states(watched), watched.made) == (["unknown", "enabled", "enabled"], 0)


def test_one_that_was_given_another_address_is_not_ours_any_more(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    look(scene)
    [given_away] = [each for each in hooks.subscriptions if each.event_type == UPDATED]
    given_away.consumer_inputs["url"] = "https://elsewhere.example/"
    watched = look(scene)
    assert (watched.made, watched.removed, len(hooks.subscriptions)) == (1, 0, 4)


def test_without_the_right_to_make_them_people_are_told_how(scene: Scene, hooks: MemorySubscriptions) -> None:
    hooks.deny("Edit")
    watched = look(scene)
    problem = watched.record.problem
    assert problem is not None
    assert (states(watched), problem.kind, problem.is_note) == (["missing"] * 3, "forbidden", False)
    assert "by hand" in problem.detail
    assert watched.is_news
    assert not look(scene).is_news
    # A person makes them, as they are told to: nothing is lost, and the rest is a note.
    for event in ALWAYS:
        hooks.subscribe(URL, event, basicAuthUsername="sync", basicAuthPassword=ADO_SECRET)
    watched = look(scene)
    assert (states(watched), watched.made, watched.removed) == (ENABLED, 0, 0)
    assert watched.record.problem is not None
    assert watched.record.problem.is_note
    hooks.allow()
    watched = look(scene)
    assert (there(hooks), watched.made, watched.record.problem) == (EVENTS, 3, None)


def test_without_the_right_to_remove_there_is_no_more_than_a_few(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    look(scene)
    hooks.deny("Delete")
    for _ in range(10):
        for each in hooks.subscriptions:
            hooks.set_subscription_status(each.id, "onProbation")
        watched = look(scene)
    assert len(hooks.subscriptions) <= 12
    assert watched.record.problem is not None
    assert watched.record.problem.kind == "forbidden"
    hooks.allow()
    look(scene)
    assert there(hooks) == EVENTS


def test_a_twin_that_may_not_be_removed_is_a_note(scene: Scene, hooks: MemorySubscriptions) -> None:
    look(scene)
    hooks.subscribe(URL, UPDATED)
    hooks.deny("Delete")
    watched = look(scene)
    assert (states(watched), watched.made) == (ENABLED, 0)
    assert watched.record.problem is not None
    assert watched.record.problem.is_note


@pytest.mark.parametrize("lands", [True, False])
def test_one_that_may_or_may_not_have_been_made_ends_as_one(
    scene: Scene, hooks: MemorySubscriptions, noted: Noted, lands: bool
) -> None:
    noted.meet("create", Unavailable("ado", "timed out"), lands=lands)
    watched = look(scene)
    assert watched.record.problem is not None
    assert watched.record.problem.kind == "unavailable"
    watched = look(scene)
    assert (there(hooks), watched.record.problem) == (EVENTS, None)


@pytest.mark.parametrize("name", ["create", "remove", "web_hooks", "is_idle"])
@pytest.mark.parametrize("lands", [True, False])
def test_a_crash_at_any_step_leaves_nothing_that_the_next_looks_do_not_put_right(
    scene: Scene, hooks: MemorySubscriptions, noted: Noted, name: str, lands: bool
) -> None:
    look(scene)
    scene.services.settings = settings(ADO_WEBHOOK_SECRET="new", ADO_WEBHOOK_SECRET_PREVIOUS=ADO_SECRET)
    noted.meet(name, Died(), lands=lands)
    with pytest.raises(Died):
        look(scene)
    # No event is without a subscription at any moment.
    assert {each.event_type for each in hooks.subscriptions} >= set(EVENTS)
    look(scene)
    look(scene)
    assert (there(hooks), secrets(hooks)) == (EVENTS, {"new"})


def test_a_failure_of_one_event_does_not_stop_the_others(
    scene: Scene, hooks: MemorySubscriptions, noted: Noted
) -> None:
    noted.meet("create", Unavailable("ado", "HTTP 500"))
    watched = look(scene)
    assert states(watched) == ["missing", "enabled", "enabled"]


@pytest.mark.parametrize(
    ("changes", "kind", "is_note"),
    [
        ({"PUBLIC_URL": ""}, "missing-setting", True),
        ({"PUBLIC_URL": "http://acme.example/"}, "bad-request", False),
        ({"PUBLIC_URL": "acme"}, "bad-request", False),
        ({"ADO_WEBHOOK_SECRET": ""}, "missing-setting", False),
        ({"ADO_WEBHOOK_SECRET": "two words"}, "bad-request", False),
        ({"ADO_WEBHOOK_SECRET__FABRIKAM": ""}, "missing-setting", False),
    ],
)
def test_without_a_setting_nothing_is_asked_and_people_are_told(
    scene: Scene, hooks: MemorySubscriptions, noted: Noted, changes: dict[str, str], kind: str, is_note: bool
) -> None:
    scene.services.settings = settings(**changes)
    noted.meet("web_hooks", Died())
    watched = look(scene)
    problem = watched.record.problem
    assert problem is not None
    assert (problem.kind, problem.is_note, hooks.subscriptions) == (kind, is_note, [])
    assert "words" not in problem.detail


# Two at once.


def test_two_at_once_are_one_after_the_other(scene: Scene, hooks: MemorySubscriptions, noted: Noted) -> None:
    seen: list[type[Exception]] = []

    class Interrupted(Noted):
        def __getattr__(self, name: str) -> Callable[..., Any]:
            if name == "create":
                with pytest.raises(Busy) as busy:
                    watch(scene.services, scene.organization)
                seen.append(busy.type)
            return super().__getattr__(name)

    interrupted = Interrupted(hooks)
    scene.services.watched_hooks = cast("AdoHooks", interrupted)
    look(scene)
    assert (there(hooks), len(seen)) == (EVENTS, 3)


def test_one_whose_turn_is_over_changes_nothing_any_more(scene: Scene, hooks: MemorySubscriptions) -> None:
    """It hung for minutes, and the next one has done its work."""

    class Slow(Noted):
        def web_hooks(self) -> list[Subscription]:
            listed = self.real.web_hooks()
            scene.now += 200.0
            scene.services.watched_hooks = None
            watch(scene.services, scene.organization)
            return listed

    slow = Slow(hooks)
    scene.services.watched_hooks = cast("AdoHooks", slow)
    look(scene)
    assert there(hooks) == EVENTS
    # The word of the one whose turn it was counts.
    record = scene.services.hooks.get(scene.organization.scope)
    assert record.problem is None
    assert look(scene).made == 0


def test_a_turn_that_nobody_gave_back_ends(scene: Scene, hooks: MemorySubscriptions, noted: Noted) -> None:
    noted.meet("web_hooks", Died())
    scene.services.hooks.take(scene.organization.scope, 120.0)
    with pytest.raises(Busy):
        look(scene, after=60.0)
    with pytest.raises(Died):
        look(scene, after=61.0)


# One organization's trouble is nobody else's.


def test_the_timer_goes_on_behind_one_that_fails(
    scene: Scene, hooks: MemorySubscriptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.services.organizations.add("broken", Configuration(ado_url=BASE_URL), KNOWN)
    real = scene.services.subscriptions

    def one_breaks(organization: Organization) -> AdoHooks:
        if organization.slug == "broken":
            raise ZeroDivisionError("a bug")
        return real(organization)

    monkeypatch.setattr(scene.services, "subscriptions", one_breaks)
    results = watch_all(scene.services)
    assert isinstance(results["broken"], ZeroDivisionError)
    assert isinstance(results[SLUG], Watched)
    assert there(hooks) == EVENTS
    hook_watchdog.handle_timer(scene.services)


def test_those_that_were_looked_at_longest_ago_come_first(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.services.organizations.add("other", Configuration(ado_url=BASE_URL), KNOWN)
    look(scene)
    real, asked = scene.services.subscriptions, list[str]()

    def slow(organization: Organization) -> AdoHooks:
        asked.append(organization.slug)
        scene.now += 250.0
        return real(organization)

    monkeypatch.setattr(scene.services, "subscriptions", slow)
    assert list(watch_all(scene.services)) == ["other"]
    assert list(watch_all(scene.services)) == [SLUG]
    assert asked == ["other", SLUG]


# Disconnecting.


def delete(scene: Scene) -> func.HttpResponse:
    request = func.HttpRequest(
        "DELETE", "/api", headers={}, params={}, route_params={"organization": SLUG}, body=b""
    )
    return org_config.handle(request, scene.services)


def test_disconnecting_removes_the_subscriptions_in_whatever_state(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    look(scene)
    hooks.set_subscription_status(id_of(hooks, UPDATED), "disabledByUser")
    hooks.set_subscription_status(id_of(hooks, DELETED), "disabledBySystem")
    hooks.subscribe(URL, "workitem.created", project="Scrum Team")
    other = hooks.subscribe("https://elsewhere.example/")
    answer = delete(scene)
    assert (answer.status_code, answer.get_body()) == (204, b"")
    assert [each.id for each in hooks.subscriptions] == [other]
    assert scene.services.organizations.find(SLUG) is None
    assert scene.services.hooks.told() == []


@pytest.mark.parametrize("name", ["web_hooks", "remove"])
@pytest.mark.parametrize(
    "error", [Forbidden("ado", "HTTP 403", about="subscriptions"), Unavailable("ado", "HTTP 500")]
)
def test_what_cannot_be_removed_is_told_and_holds_nothing_up(
    scene: Scene, hooks: MemorySubscriptions, noted: Noted, name: str, error: SyncError
) -> None:
    look(scene)
    noted.meet(name, error)
    answer = delete(scene)
    assert answer.status_code == 200
    warning = json.loads(answer.get_body())["warnings"]["subscriptions"]
    assert URL in warning
    assert error.kind in warning
    assert scene.services.organizations.find(SLUG) is None
    # The failure of one did not stop the others.
    assert len(hooks.subscriptions) == (1 if name == "remove" else 3)


def test_those_that_the_list_hides_are_removed_or_told(
    scene: Scene, hooks: MemorySubscriptions, noted: Noted
) -> None:
    look(scene)
    [given_away] = [each for each in hooks.subscriptions if each.event_type == UPDATED]
    given_away.consumer_inputs["url"] = "https://elsewhere.example/"
    noted.real.web_hooks = list  # type: ignore[method-assign]  # nothing is shown
    noted.meet("find", Forbidden("ado", "HTTP 403", about="subscriptions"))
    answer = delete(scene)
    assert answer.status_code == 200
    # One was refused, one is somebody else's by now, one is gone; in the order of their ids.
    assert len(hooks.subscriptions) in {1, 2}
    assert given_away in hooks.subscriptions


def test_without_an_address_of_ours_there_is_nothing_to_remove(scene: Scene, noted: Noted) -> None:
    scene.services.settings = settings(PUBLIC_URL="")
    noted.meet("web_hooks", Died())
    assert delete(scene).status_code == 204


def test_a_look_that_is_under_way_leaves_nothing_behind_a_disconnection(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    """Whoever disconnects waits for its turn in vain, and goes on."""
    waited: list[float] = []
    scene.services.pause = waited.append

    class Interrupted(Noted):
        def web_hooks(self) -> list[Subscription]:
            listed = self.real.web_hooks()
            if scene.services.organizations.find(SLUG) is not None:
                scene.services.watched_hooks = None
                assert delete(scene).status_code == 204
            return listed

    interrupted = Interrupted(hooks)
    organization = scene.organization
    scene.services.watched_hooks = cast("AdoHooks", interrupted)
    watch(scene.services, organization)
    assert len(waited) == 10
    assert hooks.subscriptions == []
    assert scene.services.hooks.told() == []


def test_an_epoch_that_is_over_leaves_no_record(scene: Scene, hooks: MemorySubscriptions) -> None:
    look(scene)
    assert unsubscribe(scene.services, scene.organization) == ""
    assert hooks.subscriptions == []


# What is not wanted any more.


def unwanted(scene: Scene, hooks: MemorySubscriptions) -> str:
    """Return the id of a subscription that we made while comments travelled; they do so no more."""
    scene.configure(sync_comments_reverse=InboundComments.ALL)
    look(scene)
    scene.configure(sync_comments_reverse=InboundComments.OFF)
    return id_of(hooks, COMMENTED)


def test_what_is_not_wanted_any_more_goes_at_the_next_look_that_can(
    scene: Scene, hooks: MemorySubscriptions, noted: Noted
) -> None:
    unwanted(scene, hooks)
    noted.meet("web_hooks", Unavailable("ado", "503"))
    look(scene)
    noted.meet("remove", Unavailable("ado", "503"))
    assert look(scene).removed == 0
    assert there(hooks) == sorted([*EVENTS, COMMENTED])
    watched = look(scene)
    assert (watched.removed, there(hooks), watched.record.problem) == (1, EVENTS, None)


def test_what_is_wanted_again_has_lost_nothing(scene: Scene, hooks: MemorySubscriptions) -> None:
    unwanted(scene, hooks)
    look(scene)
    scene.configure(sync_comments_reverse=InboundComments.ALL)
    watched = look(scene)
    assert (watched.made, watched.has_ended_gap) == (1, False)
    assert watched.record.events[COMMENTED].gap is None


def test_one_of_comments_that_a_person_made_or_disabled_is_left_alone(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    scene.configure(sync_comments_reverse=InboundComments.OFF)
    look(scene)
    hooks.create(COMMENTED, URL, "theirs")
    assert look(scene).removed == 0
    assert there(hooks) == sorted([*EVENTS, COMMENTED])
    hooks.remove(id_of(hooks, COMMENTED))
    disabled = unwanted(scene, hooks)
    hooks.set_subscription_status(disabled, "disabledByUser")
    assert look(scene).removed == 0
    assert hooks.find(disabled) is not None


# What is told.


def ask(scene: Scene, method: str) -> dict[str, Any]:
    request = func.HttpRequest(
        method, "/api", headers={}, params={}, route_params={"organization": SLUG}, body=b""
    )
    answer = hook_watchdog.handle(request, scene.services)
    assert answer.status_code == 200
    told: dict[str, Any] = json.loads(answer.get_body())
    return told


def problems(scene: Scene) -> tuple[str, list[str], list[str]]:
    request = func.HttpRequest("GET", "/api/health", headers={}, params={}, route_params={}, body=b"")
    told = json.loads(health.handle(request, scene.services).get_body())
    return told["status"], told["problems"], told.get("notes", [])


def test_the_answer_tells_how_each_event_fares(scene: Scene, hooks: MemorySubscriptions) -> None:
    assert [each["state"] for each in ask(scene, "GET")["subscriptions"]] == ["unknown"] * 3
    made = ask(scene, "POST")
    assert (made["made"], made["removed"], made["problem"], made["by_hand"]) == (3, 0, None, [])
    told = ask(scene, "GET")
    assert [each["event"] for each in told["subscriptions"]] == list(ALWAYS)
    assert [each["id"] for each in told["subscriptions"]] == [id_of(hooks, event) for event in ALWAYS]
    assert told["checked_at"] == told["subscriptions"][0]["seen_enabled_at"]
    assert datetime.fromisoformat(told["checked_at"]).timestamp() == scene.now
    assert told["checked_at"].endswith(".000+00:00")  # as every other answer says it
    assert ADO_SECRET not in json.dumps(told)


def test_a_body_that_nobody_needs_is_bounded(scene: Scene, noted: Noted) -> None:
    noted.meet("web_hooks", Died())
    request = func.HttpRequest(
        "POST", "/api", headers={}, params={}, route_params={"organization": SLUG}, body=b" " * 65_537
    )
    assert hook_watchdog.handle(request, scene.services).status_code == 413


def test_the_answer_has_the_commands_for_what_is_missing(scene: Scene, hooks: MemorySubscriptions) -> None:
    hooks.deny("Edit")
    hooks.subscribe(URL, DELETED, basicAuthUsername="sync", basicAuthPassword=ADO_SECRET)
    told = ask(scene, "POST")
    assert told["problem"]["kind"] == "forbidden"
    assert len(told["by_hand"]) == 2
    assert all(URL in each and "$ADO_WEBHOOK_SECRET" in each for each in told["by_hand"])
    assert ADO_SECRET not in json.dumps(told)


def test_health_is_red_for_what_is_lost_and_notes_what_people_do(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    look(scene)
    assert problems(scene) == ("ok", [], [])
    hooks.set_subscription_status(id_of(hooks), "disabledByUser")
    look(scene)
    status, [problem], notes = problems(scene)
    assert (status, notes) == ("degraded", [])
    assert "service hook subscriptions" in problem
    assert problem.endswith("disabled-by-user")
    hooks.set_subscription_status(id_of(hooks), "enabled")
    hooks.deny("View")
    look(scene)
    status, told, [note] = problems(scene)
    assert (status, told) == ("ok", [])
    assert "people look after the service hook subscriptions" in note
    hooks.allow()
    look(scene)
    assert problems(scene) == ("ok", [], [])


def test_the_reconciler_neither_clears_nor_repeats_the_problem(
    scene: Scene, hooks: MemorySubscriptions
) -> None:
    look(scene)
    hooks.set_subscription_status(id_of(hooks), "disabledByUser")
    look(scene)
    reconcile(scene.services, scene.organization)
    assert len(problems(scene)[1]) == 1


def test_a_row_that_cannot_be_read_is_no_record(scene: Scene, hooks: MemorySubscriptions) -> None:
    look(scene)
    table = scene.services._table("organizations")
    [row] = table.scan("hooks", "", "~")
    table.apply("hooks", Replace(row.key, "{", row.etag))
    assert scene.services.hooks.told() == []
    assert look(scene).made == 3
    assert there(hooks) == EVENTS
