"""What becomes of our subscriptions, as tables: which one counts, what goes, what is said."""

import json
import shlex
import subprocess

import pytest
from msgspec.structs import replace

from shared.domain.addresses import AddressPolicy
from shared.domain.comments import InboundComments
from shared.domain.errors import (
    Forbidden,
    MissingSetting,
    Refused,
    Rejected,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.domain.rules.subscribing import (
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
    wanted,
)
from shared.domain.subscriptions import (
    Gap,
    HookEvent,
    HookState,
    Subscription,
    SubscriptionStatus,
    WatchedEvent,
    needed,
)

URL = "https://acme.example/api/ado/fabrikam/webhook"
ENABLED, PROBATION, BY_USER, BY_SYSTEM, INACTIVE, STRANGE = SubscriptionStatus
UPDATED, DELETED, RESTORED, COMMENTED = HookEvent
KEEP, CREATE, REPLACE, LEAVE = Step
State, DISABLED = HookState, HookState.DISABLED_BY_SYSTEM


def one(name: str, status: SubscriptionStatus = ENABLED, **changes: object) -> Subscription:
    """Return a subscription; those whose names begin with ``c`` carry the current secret."""
    made = Subscription(name, UPDATED, status, URL, created_at=float(name[1:]))
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("comments", "events"),
    [
        (InboundComments.OFF, (UPDATED, DELETED, RESTORED)),
        (InboundComments.MARKED, (UPDATED, DELETED, RESTORED, COMMENTED)),
        (InboundComments.ALL, (UPDATED, DELETED, RESTORED, COMMENTED)),
    ],
)
def test_comments_are_subscribed_to_only_where_they_travel(
    comments: InboundComments, events: tuple[HookEvent, ...]
) -> None:
    assert needed(comments) == events


PROJECT = {"projectId": "5650f68f-fd3f-564d-822e-b895cdbc5229"}


@pytest.mark.parametrize(
    ("there", "step", "state", "counts", "go"),
    [
        ([], CREATE, State.MISSING, None, []),
        ([one("c1")], KEEP, State.ENABLED, "c1", []),
        # Twins: the oldest stays, whatever the order of the list.
        ([one("c2"), one("c1")], KEEP, State.ENABLED, "c1", ["c2"]),
        ([one("o1"), one("c2")], KEEP, State.ENABLED, "c2", ["o1"]),
        ([one("c3"), one("o1", PROBATION), one("o2", BY_SYSTEM)], KEEP, State.ENABLED, "c3", ["o1", "o2"]),
        # Another secret, or nobody knows which: it works until the new one does.
        ([one("o1")], REPLACE, State.ENABLED, "o1", ["o1"]),
        ([one("o1"), one("o2")], REPLACE, State.ENABLED, "o1", ["o1", "o2"]),
        # Ours, but changed by somebody: stripped, or confined.
        ([one("c1", is_whole=False)], REPLACE, State.ENABLED, "c1", ["c1"]),
        ([one("c1", filters=PROJECT)], REPLACE, State.PARTIAL, "c1", ["c1"]),
        # What Azure DevOps restricted or disabled.
        ([one("c1", PROBATION)], REPLACE, State.ON_PROBATION, "c1", ["c1"]),
        ([one("c1", BY_SYSTEM)], REPLACE, DISABLED, "c1", ["c1"]),
        ([one("c1", INACTIVE)], REPLACE, State.DISABLED_BY_INACTIVE_IDENTITY, "c1", ["c1"]),
        ([one("c1", BY_SYSTEM), one("o2", PROBATION)], REPLACE, State.ON_PROBATION, "o2", ["c1", "o2"]),
        ([one("c1", BY_SYSTEM), one("o2")], REPLACE, State.ENABLED, "o2", ["c1", "o2"]),
        # What a person disabled is left, and stands in nobody's way who is enabled.
        ([one("c1", BY_USER)], LEAVE, State.DISABLED_BY_USER, "c1", []),
        ([one("o1", BY_USER), one("c2")], KEEP, State.ENABLED, "c2", []),
        ([one("o1", BY_USER), one("o2", BY_SYSTEM)], REPLACE, DISABLED, "o2", ["o2"]),
        ([one("c3", BY_USER), one("c2", BY_USER)], LEAVE, State.DISABLED_BY_USER, "c2", []),
        ([one("o1", BY_USER, filters=PROJECT)], LEAVE, State.DISABLED_BY_USER, "o1", []),
        ([one("o1", BY_USER), one("o2", filters=PROJECT)], LEAVE, State.DISABLED_BY_USER, "o1", []),
        # Those of single projects make way for one of all projects.
        ([one("o1", filters=PROJECT), one("c2")], KEEP, State.ENABLED, "c2", ["o1"]),
        ([one("o1", filters={"areaPath": "\\A\\"})], REPLACE, State.PARTIAL, "o1", ["o1"]),
        ([one("o1", PROBATION, filters=PROJECT)], REPLACE, State.ON_PROBATION, "o1", ["o1"]),
        (
            [one("o1", BY_SYSTEM, filters=PROJECT), one("o2", filters=PROJECT)],
            REPLACE, State.PARTIAL, "o2", ["o1", "o2"],
        ),
        # A status of which we know nothing is no reason to make another one.
        ([one("c1", STRANGE)], LEAVE, State.UNKNOWN, "c1", []),
        ([one("c1", STRANGE), one("c2")], KEEP, State.ENABLED, "c2", ["c1"]),
        ([one("c1", STRANGE), one("o2", BY_SYSTEM)], REPLACE, DISABLED, "o2", ["c1", "o2"]),
    ],
)  # fmt: skip
def test_what_is_done_follows_from_what_there_is(
    there: list[Subscription], step: Step, state: HookState, counts: str | None, go: list[str]
) -> None:
    for order in (there, there[::-1]):
        plan = planned(order, {each.id for each in there if each.id.startswith("c")})
        assert (plan.step, plan.state) == (step, state)
        assert sorted(each.id for each in plan.others) == go
        assert (plan.subscription.id if plan.subscription else None) == counts


@pytest.mark.parametrize(
    ("old", "kept", "at_once"),
    [
        # The kept one was there first: it has delivered, or will, all that the other one did.
        (one("o2"), one("c1"), True),
        # The other one may still deliver what came before the kept one was made.
        (one("o1"), one("c2"), False),
        (one("o1"), one("c1"), False),
        (one("o2"), one("c0"), False),  # Nobody told when it was made.
        (one("o1", PROBATION), one("c2"), True),
        (one("o1", BY_SYSTEM), one("c2"), True),
    ],
)
def test_an_older_one_goes_when_nothing_of_it_can_be_lost(
    old: Subscription, kept: Subscription, at_once: bool
) -> None:
    assert is_superseded(old, kept) is at_once


@pytest.mark.parametrize(
    ("url", "is_it"),
    [
        (URL, True),
        ("HTTPS://ACME.example:443/api/ado/fabrikam/webhook/", True),
        ("https://acme.example./api/ado/fabrikam/webhook", True),
        ("https://acme.example/api/ado/fabrikam/webhook?code=1", False),
        ("https://acme.example/api/ado/fabrikam-2/webhook", False),
        ("https://acme.example/api/ado/fabri/webhook", False),
        ("https://acme.example:8443/api/ado/fabrikam/webhook", False),
        ("http://acme.example/api/ado/fabrikam/webhook", False),
        ("https://acme.example.evil/api/ado/fabrikam/webhook", False),
        ("https://acme.example:99999/api/ado/fabrikam/webhook", False),
        ("https://acme.examplex/api/ado/fabrikam/webhook", False),
        ("https://acme.exampleX./api/ado/fabrikam/webhook", False),
        ("https://acme.example/api/ado/fabrikam/webhookX", False),
        ("", False),
    ],
)
def test_ours_is_what_leads_to_our_address(url: str, is_it: bool) -> None:
    assert is_ours(one("c1", url=url), URL) is is_it


def test_an_address_that_cannot_be_read_is_itself_and_no_other() -> None:
    broken = "https://acme.example:99999/api"
    assert is_ours(one("c1", url=broken), broken)
    assert not is_ours(one("c1", url=f"{broken}/"), broken)


FORM = "PUBLIC_URL must be an address of the form https://…/"
PLAIN = "PUBLIC_URL must be an address without a query, a fragment or spaces"


@pytest.mark.parametrize(
    ("public_url", "refusal"),
    [
        ("acme.example", FORM),
        ("https://", FORM),
        ("https://:443/", FORM),
        ("https://user:word@acme.example/", FORM),
        ("https://<app>.azurewebsites.net/", FORM),
        ("https://[::1/", FORM),
        ("https://acme.example:99999/", FORM),
        ("https://acme.example/?code=1", PLAIN),
        ("https://acme.example/#top", PLAIN),
        ("https://acme.example/a b", PLAIN),
        ("https://acme.example/a\u00ad", PLAIN),
    ],
)
def test_why_our_address_is_none(public_url: str, refusal: str) -> None:
    with pytest.raises(Rejected) as raised:
        hook_url(public_url, "fabrikam", AddressPolicy())
    assert raised.value.detail == refusal


@pytest.mark.parametrize(
    ("public_url", "leads_to"),
    [
        ("https://acme.example", URL),
        ("https://acme.example/", URL),
        ("https://acme.example/SYNCX/", "https://acme.example/SYNCX/api/ado/fabrikam/webhook"),
        ("https://acme.example/sync//", "https://acme.example/sync/api/ado/fabrikam/webhook"),
        ("http://127.0.0.1:7071", None),
        ("http://acme.example/", None),
        ("acme.example", None),
        ("https://", None),
        ("https://user:word@acme.example/", None),
        ("https://acme.example/?code=1", None),
        ("https://acme.example/#top", None),
        ("https://acme .example/", None),
        ("https://<app>.azurewebsites.net/", None),
        ("https://${APP}.azurewebsites.net/", None),
        ("https://acme.example:port/", None),
        ("@Microsoft.KeyVault(SecretUri=https://v)", None),
    ],
)
def test_our_address_is_below_the_public_one_or_there_is_none(public_url: str, leads_to: str | None) -> None:
    if leads_to is None:
        with pytest.raises(Rejected, match="PUBLIC_URL"):
            hook_url(public_url, "fabrikam", AddressPolicy())
    else:
        assert hook_url(public_url, "fabrikam", AddressPolicy()) == leads_to


def test_loopback_is_an_address_in_a_local_run() -> None:
    local = hook_url("http://127.0.0.1:7071/", "fabrikam", AddressPolicy(loopback=True))
    assert local == "http://127.0.0.1:7071/api/ado/fabrikam/webhook"


def test_a_mark_tells_secrets_and_connections_apart_and_shows_neither() -> None:
    marks = {mark_of(secret, scope) for secret in ("s3cret", "s4cret") for scope in ("a!1", "b!1")}
    assert len(marks) == 4
    assert {len(mark) for mark in marks} == {32}
    assert all("cret" not in mark for mark in marks)
    assert mark_of("s3cret", "a!1") == mark_of("s3cret", "a!1")


@pytest.mark.parametrize("secret", ["two words", "line\nbreak", "x" * 257, ""])
def test_a_secret_that_azure_devops_cannot_send_is_refused(secret: str) -> None:
    with pytest.raises(Rejected) as refusal:
        verify_password(secret)
    assert refusal.value.detail == (
        "ADO_WEBHOOK_SECRET must have 1 to 256 characters and no blanks: Azure DevOps sends no other"
    )


def test_a_usual_secret_can_be_sent() -> None:
    verify_password("9f2c" * 16)


# Looks, one after the other.

WELL = WatchedEvent(HookState.ENABLED, since=100.0, enabled_at=900.0)


def test_events_are_lost_since_it_was_last_well_until_it_is_again() -> None:
    missing = seen(WELL, HookState.MISSING, 1000.0)
    assert (missing.since, missing.gap) == (1000.0, Gap(900.0, 1000.0))
    still = seen(missing, HookState.MISSING, 1900.0)
    assert (still.since, still.gap) == (1000.0, Gap(900.0, 1900.0))
    again = seen(still, HookState.ENABLED, 2800.0)
    assert (again.state, again.since, again.gap) == (HookState.ENABLED, 2800.0, Gap(900.0, 2800.0))
    assert has_ended_gap(still, again)
    later = seen(again, HookState.ENABLED, 3700.0)
    assert (later.since, later.gap) == (2800.0, Gap(900.0, 2800.0))
    assert not has_ended_gap(again, later)


def test_its_history_knows_better_since_when() -> None:
    restricted = seen(WELL, HookState.ON_PROBATION, 1000.0, failing_since=950.0)
    assert restricted.gap == Gap(950.0, 1000.0)


def test_one_state_after_another_is_one_gap() -> None:
    restricted = seen(WELL, HookState.ON_PROBATION, 1000.0, failing_since=950.0)
    disabled = seen(restricted, HookState.DISABLED_BY_SYSTEM, 1900.0)
    assert (disabled.since, disabled.gap) == (1900.0, Gap(950.0, 1900.0))


def test_where_nobody_looked_nothing_is_known_to_be_lost() -> None:
    first = seen(WatchedEvent(), HookState.MISSING, 1000.0)
    assert first.gap is None
    made = seen(first, HookState.ENABLED, 1000.0)
    assert (made.enabled_at, made.gap, has_ended_gap(first, made)) == (1000.0, None, False)


@pytest.mark.parametrize("state", [HookState.UNKNOWN, HookState.PARTIAL])
def test_a_look_that_tells_nothing_loses_nothing_of_what_was_known(state: HookState) -> None:
    unclear = seen(WELL, state, 1000.0)
    assert (unclear.state, unclear.enabled_at, unclear.gap) == (state, 900.0, None)
    assert seen(unclear, HookState.MISSING, 1900.0).gap == Gap(900.0, 1900.0)


def test_a_gap_goes_on_behind_a_look_that_told_nothing() -> None:
    unclear = seen(seen(WELL, HookState.MISSING, 1000.0), HookState.UNKNOWN, 1900.0)
    assert seen(unclear, HookState.ENABLED, 2800.0).gap == Gap(900.0, 2800.0)


ALL_WELL = dict.fromkeys(HookEvent, HookState.ENABLED)
UNCLEAR = dict.fromkeys(HookEvent, HookState.UNKNOWN)
NO_RIGHT = Forbidden("ado", "HTTP 403", about="subscriptions")


@pytest.mark.parametrize(
    ("states", "error", "kind", "is_note"),
    [
        (ALL_WELL, None, None, False),
        ({**ALL_WELL, DELETED: HookState.DISABLED_BY_USER}, None, "disabled-by-user", False),
        ({**ALL_WELL, DELETED: HookState.UNKNOWN}, None, "unknown-status", False),
        # People look after them, and as far as we see they do.
        (ALL_WELL, NO_RIGHT, "forbidden", True),
        ({**ALL_WELL, DELETED: HookState.PARTIAL}, NO_RIGHT, "forbidden", True),
        (UNCLEAR, NO_RIGHT, "forbidden", True),
        (UNCLEAR, Unauthorized("ado", "HTTP 401"), "unauthorized", True),
        (UNCLEAR, MissingSetting("PUBLIC_URL", "…"), "missing-setting", True),
        # Nobody does.
        ({**ALL_WELL, DELETED: HookState.MISSING}, NO_RIGHT, "forbidden", False),
        ({**ALL_WELL, DELETED: HookState.ON_PROBATION}, NO_RIGHT, "forbidden", False),
        (UNCLEAR, MissingSetting("ADO_WEBHOOK_SECRET", "…"), "missing-setting", False),
        (UNCLEAR, Rejected("PUBLIC_URL: …"), "bad-request", False),
        (UNCLEAR, Unavailable("ado", "HTTP 500"), "unavailable", False),
        (ALL_WELL, Throttled("ado", "HTTP 429", retry_after=5.0), "throttled", False),
        (ALL_WELL, Refused("ado", "HTTP 400"), "refused", False),
    ],
)  # fmt: skip
def test_what_is_lacking_is_a_failure_only_if_something_is_lost(
    states: dict[HookEvent, HookState], error: SyncError | None, kind: str | None, is_note: bool
) -> None:
    problem = problem_of(states, error, "do this", 1000.0)
    assert (problem.kind if problem else None) == kind
    assert (problem is not None and problem.is_note) is is_note
    if problem is not None and error is not None:
        assert "do this" in problem.detail


ENABLE_IT = "enable it there, or delete it and the app makes another one"
LOST = {UPDATED: HookState.MISSING, DELETED: HookState.ENABLED, RESTORED: HookState.ON_PROBATION}
BY_PEOPLE = dict.fromkeys((UPDATED, DELETED), HookState.DISABLED_BY_USER)


@pytest.mark.parametrize(
    ("states", "error", "cure", "detail"),
    [
        (LOST, NO_RIGHT, "", "HTTP 403; not delivered: workitem.updated, workitem.restored"),
        (LOST, NO_RIGHT, "do this", "HTTP 403; not delivered: workitem.updated, workitem.restored; do this"),
        (ALL_WELL, NO_RIGHT, "", "HTTP 403"),
        (ALL_WELL, NO_RIGHT, "do this", "HTTP 403; do this"),
        (
            BY_PEOPLE,
            None,
            "do this",
            f"a user disabled workitem.updated, workitem.deleted: {ENABLE_IT}",
        ),
        (
            {**UNCLEAR, RESTORED: HookState.ENABLED, COMMENTED: HookState.MISSING},
            None,
            "",
            "the status of workitem.updated, workitem.deleted is a new one",
        ),
    ],
)
def test_a_problem_names_the_events_that_are_not_delivered(
    states: dict[HookEvent, HookState], error: SyncError | None, cure: str, detail: str
) -> None:
    problem = problem_of(states, error, cure, 1000.0)
    assert problem is not None
    assert (problem.detail, problem.since) == (detail, 1000.0)


def test_a_problem_is_known_since_it_was_first_the_same() -> None:
    first = problem_of(ALL_WELL, NO_RIGHT, "", 1000.0)
    again = problem_of(ALL_WELL, NO_RIGHT, "", 1900.0)
    other = problem_of(ALL_WELL, Unauthorized("ado", "HTTP 401"), "", 1900.0)
    assert first is not None
    assert again is not None
    assert other is not None
    assert (again.after(first).since, other.after(first).since, again.after(None).since) == (1000, 1900, 1900)


# What people run.


def test_what_we_ask_for_is_what_azure_devops_takes() -> None:
    assert wanted("workitem.updated", URL, "s3cret") == {
        "publisherId": "tfs",
        "eventType": "workitem.updated",
        "resourceVersion": "1.0",
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "publisherInputs": {},
        "consumerInputs": {
            "url": URL,
            "basicAuthUsername": "sync",
            "basicAuthPassword": "s3cret",
            "resourceDetailsToSend": "all",
            "messagesToSend": "none",
            "detailedMessagesToSend": "none",
        },
    }


def test_a_quote_in_an_address_does_not_end_the_body() -> None:
    [command] = by_hand("https://dev.azure.com/fabrikam/", "https://acme.example/a'b", [UPDATED])
    assert '"url": "https://acme.example/a%27b"' in command


def test_the_commands_hold_what_we_would_send_and_no_secret() -> None:
    commands = by_hand("https://dev.azure.com/fab's%20rikam/", URL, HookEvent)
    assert len(commands) == 4
    for event, command in zip(HookEvent, commands, strict=True):
        words = shlex.split(command)
        assert words[:3] == ["curl", "-u", ":$ADO_PAT"]
        assert words[5] == "https://dev.azure.com/fab's%20rikam/_apis/hooks/subscriptions?api-version=6.0"
        printed = command.replace("curl ", "printf '%s\\n' ", 1)
        shell = {"ADO_PAT": "pat", "ADO_WEBHOOK_SECRET": "s3cret", "PATH": "/usr/bin:/bin"}
        ran = subprocess.run(
            ["/bin/sh", "-c", printed], env=shell, capture_output=True, text=True, check=True
        )
        arguments = ran.stdout.splitlines()
        assert arguments[1] == ":pat"
        assert json.loads(arguments[-1]) == wanted(event, URL, "s3cret")
