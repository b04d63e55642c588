"""What either webhook answers to strangers, to vendors, and to deliveries that are not what they seem."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.e2e.app import (
    HOOK_SECRET,
    OLD_HOOK_SECRET,
    OLD_SIGNING_KEY,
    PAYLOADS,
    SIGNING_KEY,
    App,
    Pair,
    payload,
)

STATE_CHANGED = "ado/workitem.updated.active-to-resolved.v1.0.json"
DELETED = "ado/workitem.deleted.active.v1.0.json"
RESOLVED = "sentry/issue.resolved.json"
STRANGER = "who-are-you"
UNKNOWN = "nobody-here"
TOO_MUCH = b"[" + b" " * (2 * 1024 * 1024) + b"]"

# What each file has to be answered with; a new file without a row fails a test.
ADO_OUTCOMES = {
    "workitem.commented.active.v1.0.json": (200, "ignored"),
    "workitem.created.open.v1.0.json": (200, "ignored"),
    "workitem.deleted.active.v1.0.json": (202, "queued"),
    "workitem.deleted.test-button.v1.0.json": (200, "test"),
    "workitem.restored.active.v1.0.json": (202, "queued"),
    "workitem.restored.test-button.v1.0.json": (200, "test"),
    "workitem.updated.active-to-resolved.v1.0.json": (202, "queued"),
    "workitem.updated.assigned.v1.0.json": (202, "queued"),
    "workitem.updated.assigned.v3.1.json": (202, "queued"),
    "workitem.updated.assigned.v5.1.json": (202, "queued"),
    "workitem.updated.created-as-done.v1.0.json": (202, "queued"),
    "workitem.updated.link-only.v1.0.json": (200, "nothing-to-sync"),
    # Stripped of its details by the subscription: the work item has to be asked for.
    "workitem.updated.minimal.v1.0.json": (202, "queued"),
    "workitem.updated.new-to-active.v1.0.json": (202, "queued"),
    # Stripped of its resource: the work item it is about is unknown.
    "workitem.updated.none.v1.0.json": (200, "unusable"),
    "workitem.updated.reassigned.v1.0.json": (202, "queued"),
    "workitem.updated.resolved-to-active.v1.0.json": (202, "queued"),
    "workitem.updated.server.v1.0.json": (202, "queued"),
    "workitem.updated.test-button.v1.0.json": (200, "test"),
    "workitem.updated.title-only.v1.0.json": (200, "nothing-to-sync"),
    "workitem.updated.unassigned.v1.0.json": (202, "queued"),
}
SENTRY_OUTCOMES = {
    "comment.updated.json": (200, "ignored"),
    "event_alert.triggered.json": (200, "ignored"),
    "installation.created.json": (200, "ignored"),
    "issue.archived.legacy.json": (202, "queued"),
    "issue.assigned.team.json": (202, "queued"),
    "issue.assigned.user.json": (202, "queued"),
    "issue.created.json": (200, "ignored"),
    "issue.ignored.json": (202, "queued"),
    "issue.resolved.json": (202, "queued"),
    "issue.unresolved.json": (202, "queued"),
}


# The organization that the payloads were recorded of; all the same whether on Services or on a Server.
RECORDED = "c4a9e7d2-13b6-4d0f-8f57-6b1d9e2c7a03"


@pytest.fixture(scope="module")
def bystander(app: App) -> Iterator[Pair]:
    with Pair.beside(app) as pair:
        pair.ado.instance_id = RECORDED
        yield pair.connect()
        pair.ask("DELETE", "config")
    app.clear()


def said(answer: requests.Response) -> tuple[int, str]:
    """Return the status and the one word that every answer of a webhook carries."""
    content = answer.json()
    return answer.status_code, content.get("outcome") or content["error"]


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def changed(name: str, *path: str, to: object) -> dict[str, Any]:
    """Return a payload with the value at ``path`` replaced."""
    delivery = place = payload(name)
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return delivery


# Who may deliver, and in which order the checks come.


@pytest.mark.parametrize(
    ("body", "secret", "slug", "expected"),
    [
        (TOO_MUCH, STRANGER, UNKNOWN, (413, "too-large")),
        (TOO_MUCH, HOOK_SECRET, None, (413, "too-large")),
        (b"not JSON", STRANGER, UNKNOWN, (401, "unauthenticated")),
        (b"not JSON", HOOK_SECRET, UNKNOWN, (404, "unknown-organization")),
        (b"not JSON", HOOK_SECRET, None, (400, "malformed-payload")),
        (TOO_MUCH[1:-1], HOOK_SECRET, None, (400, "malformed-payload")),  # exactly 2 MiB, and blank
    ],
)
def test_size_comes_before_the_secret_and_the_secret_before_everything_else(
    bystander: Pair, body: bytes, secret: str, slug: str | None, expected: tuple[int, str]
) -> None:
    assert said(bystander.deliver(body, secret=secret, slug=slug)) == expected


@pytest.mark.parametrize("secret", [None, "", STRANGER, HOOK_SECRET[:-1], f"{HOOK_SECRET}s", "sécret"])
def test_a_stranger_is_refused_by_azure_devops_door(bystander: Pair, secret: str | None) -> None:
    encoded = None if secret is None else secret.encode().decode("latin-1")
    answer = bystander.deliver(payload(STATE_CHANGED), secret=encoded)
    assert said(answer) == (401, "unauthenticated")


@pytest.mark.parametrize("credentials", [basic("", HOOK_SECRET), basic("any:user"[:3], HOOK_SECRET)])
def test_the_password_of_basic_authentication_is_as_good_as_the_header(
    bystander: Pair, credentials: dict[str, str]
) -> None:
    answer = bystander.deliver(payload(STATE_CHANGED), secret=None, headers=credentials)
    assert said(answer) == (202, "queued")


@pytest.mark.parametrize(
    "headers",
    [
        basic(HOOK_SECRET, STRANGER),
        basic("", ""),
        {"Authorization": "Basic !"},
        {"Authorization": "Basic"},
        {"Authorization": f"Bearer {HOOK_SECRET}"},
    ],
)
def test_other_credentials_are_refused(bystander: Pair, headers: dict[str, str]) -> None:
    answer = bystander.deliver(payload(STATE_CHANGED), secret=None, headers=headers)
    assert said(answer) == (401, "unauthenticated")


def test_a_rotated_secret_stays_good_under_its_previous_name(bystander: Pair) -> None:
    assert said(bystander.deliver(payload(STATE_CHANGED), secret=OLD_HOOK_SECRET)) == (202, "queued")
    assert said(bystander.deliver_from_sentry(payload(RESOLVED), key=OLD_SIGNING_KEY)) == (202, "queued")


@pytest.mark.parametrize(
    ("slug", "secret", "key", "status"),
    [
        # Past the door every caller gets a 404, since these organizations are not connected.
        ("own-secret", "own-hook-secret", "own-key", 404),
        ("own-secret", HOOK_SECRET, SIGNING_KEY, 401),
        ("own-secret", OLD_HOOK_SECRET, OLD_SIGNING_KEY, 401),
        ("empty-secret", "", "", 401),
        ("empty-secret", HOOK_SECRET, SIGNING_KEY, 401),
    ],
)
def test_an_organizations_own_secret_wins_even_when_it_is_empty(
    pair: Pair, slug: str, secret: str, key: str, status: int
) -> None:
    assert pair.deliver(payload(STATE_CHANGED), secret=secret, slug=slug).status_code == status
    assert pair.deliver_from_sentry(payload(RESOLVED), key=key, slug=slug).status_code == status


@pytest.mark.parametrize("slug", [UNKNOWN, "Fabrikam", "a" * 64, "-a", "a_b", "%C3%BC", "a%20b", "a%23b"])
def test_an_unconnected_slug_is_unknown(pair: Pair, slug: str) -> None:
    assert said(pair.deliver(payload(STATE_CHANGED), slug=slug)) == (404, "unknown-organization")
    assert said(pair.deliver_from_sentry(payload(RESOLVED), slug=slug)) == (404, "unknown-organization")


def test_an_organization_is_known_at_its_first_event(pair: Pair) -> None:
    assert pair.deliver(payload(STATE_CHANGED)).status_code == 404
    pair.ado.instance_id = RECORDED
    pair.configure()
    assert pair.deliver(payload(STATE_CHANGED)).status_code == 202


def test_an_answer_says_nothing_of_the_secret_or_the_body(bystander: Pair) -> None:
    answer = bystander.deliver(b'{"Fix login": ', secret=STRANGER)
    assert not any(word in answer.text for word in (HOOK_SECRET, STRANGER, "Fix login"))


# What Azure DevOps sends.


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"workitem.updated"',
        b"{}",
        b'{"eventType": null}',
        b'{"eventType": 1}',
        b'{"eventType": ["workitem.updated"]}',
        b"[" * 100_000,
        b'{"eventType": "workitem.updated"',
    ],
)
def test_what_no_service_hook_ever_sends_is_malformed(bystander: Pair, body: bytes) -> None:
    assert said(bystander.deliver(body)) == (400, "malformed-payload")


def test_every_payload_file_has_a_row_here() -> None:
    known = {file.name for file in (PAYLOADS / "ado").glob("*.json")}
    assert known == set(ADO_OUTCOMES)
    known = {file.name for file in (PAYLOADS / "sentry").glob("*.json")}
    assert known == {*SENTRY_OUTCOMES, "comment.created.json"}


@pytest.mark.parametrize("name", ADO_OUTCOMES)
def test_every_recorded_service_hook_is_answered_for_what_it_is(bystander: Pair, name: str) -> None:
    assert said(bystander.deliver(payload(f"ado/{name}"))) == ADO_OUTCOMES[name]


@pytest.mark.parametrize("event_type", ["workitem.commented", "build.complete", "git.push", "", "WorkItem"])
def test_another_event_type_is_ignored(bystander: Pair, event_type: str) -> None:
    body = changed(STATE_CHANGED, "eventType", to=event_type)
    assert said(bystander.deliver(body)) == (200, "ignored")


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        (STATE_CHANGED, ("id",), "27646e0e-b520-4d2b-9411-bba7524947cd"),
        (STATE_CHANGED, ("id",), "27646E0E-B520-4D2B-9411-BBA7524947CD"),
        (STATE_CHANGED, ("resource", "workItemId"), 0),
        (STATE_CHANGED, ("resource", "workItemId"), "0"),
        (DELETED, ("resource", "id"), 0),
    ],
)
def test_the_test_button_is_distinguished_from_an_event(
    bystander: Pair, name: str, path: tuple[str, ...], value: object
) -> None:
    assert said(bystander.deliver(changed(name, *path, to=value))) == (200, "test")


@pytest.mark.parametrize(
    "junk", [None, True, False, -1, 1.5, "", "x", "-1", "\u0661", [], {}, 10**20, "9" * 40]
)
@pytest.mark.parametrize(
    ("name", "path"),
    [
        (STATE_CHANGED, ("resource", "workItemId")),
        (STATE_CHANGED, ("resource", "rev")),
        (DELETED, ("resource", "id")),
        (DELETED, ("resource", "rev")),
    ],
)
def test_an_event_without_a_usable_number_is_answered_with_the_place(
    bystander: Pair, name: str, path: tuple[str, ...], junk: object
) -> None:
    answer = bystander.deliver(changed(name, *path, to=junk))
    assert said(answer) == (200, "unusable")
    assert ".".join(path) in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "junk"),
    [
        (("resource",), None),
        (("resource",), "31"),
        (("resource", "fields"), []),
        (("resource", "fields"), "System.State"),
        (("resource", "fields", "System.State"), "Resolved"),
        (("resource", "fields", "System.State"), None),
    ],
)
def test_an_unreadable_shape_is_answered_with_the_place(
    bystander: Pair, path: tuple[str, ...], junk: object
) -> None:
    answer = bystander.deliver(changed(STATE_CHANGED, *path, to=junk))
    assert said(answer) == (200, "unusable")
    assert path[-1] in answer.json()["detail"]


def test_numbers_that_come_as_text_are_read(bystander: Pair) -> None:
    delivery = changed(STATE_CHANGED, "resource", "workItemId", to="31")
    delivery["resource"]["rev"] = "3"
    assert said(bystander.deliver(delivery)) == (202, "queued")


@pytest.mark.parametrize("name", [STATE_CHANGED, DELETED])
def test_a_damaged_service_hook_is_at_worst_malformed(bystander: Pair, name: str) -> None:
    for number, delivery in enumerate(damaged(payload(name))):
        answer = bystander.deliver(delivery)
        status, word = said(answer)
        is_event = isinstance(delivery, dict) and isinstance(delivery.get("eventType"), str)
        assert status in {200, 202} if is_event else (status, word) == (400, "malformed-payload"), (
            number,
            answer.text,
        )


def damaged(value: Any) -> Iterator[Any]:
    """Yield copies of a JSON value, each with one node removed or replaced by some kind of junk."""
    kinds: list[object] = [None, "", 0, True, [], {}]
    for number, put_back in enumerate(places(json.loads(json.dumps(value)))):
        yield put_back(kinds[number % len(kinds)])


def places(value: Any, put_back: Any = lambda broken: broken) -> Iterator[Any]:
    """Yield, for each node, a function that returns the whole value with something else in its place."""
    yield put_back
    if isinstance(value, dict):
        for key, child in value.items():
            rest = {name: each for name, each in value.items() if name != key}
            yield lambda _, rest=rest: put_back(rest)
            yield from places(child, lambda new, rest=rest, key=key: put_back({**rest, key: new}))


# What Sentry sends.


@pytest.mark.parametrize(
    ("body", "key", "slug", "expected"),
    [
        (b"not JSON", STRANGER, UNKNOWN, (401, "unauthenticated")),
        (b"not JSON", SIGNING_KEY, UNKNOWN, (404, "unknown-organization")),
        (b"not JSON", SIGNING_KEY, None, (400, "malformed-payload")),
    ],
)
def test_the_signature_comes_before_everything_else(
    bystander: Pair, body: bytes, key: str, slug: str | None, expected: tuple[int, str]
) -> None:
    assert said(bystander.deliver_from_sentry(body, key=key, slug=slug)) == expected


def test_a_body_that_was_changed_after_it_was_signed_is_refused(pair: Pair) -> None:
    pair.connect()
    pair.sentry.resolve(pair.sentry.add_issue(announce=False).id)
    pair.settle()
    [delivery] = pair.sentry.deliveries
    assert delivery.status == 202
    again = {"data": delivery.body + b" ", "headers": dict(delivery.headers)}
    assert said(pair.app.ask("POST", pair.sentry_route, **again)) == (401, "unauthenticated")


@pytest.mark.parametrize("key", [None, "", STRANGER, HOOK_SECRET])
def test_a_stranger_is_refused_by_sentrys_door(bystander: Pair, key: str | None) -> None:
    answer = bystander.deliver_from_sentry(payload(RESOLVED), key=key)
    assert said(answer) == (401, "unauthenticated")


@pytest.mark.parametrize("body", [b"", b"not JSON", b"\xff", b"[]", b"{}", b'{"action": 1}', b"[" * 100_000])
def test_a_signed_body_that_is_not_a_hook_is_malformed(bystander: Pair, body: bytes) -> None:
    assert said(bystander.deliver_from_sentry(body)) == (400, "malformed-payload")


def test_a_signed_hook_without_a_resource_is_malformed(bystander: Pair) -> None:
    answer = bystander.deliver_from_sentry(payload(RESOLVED), resource="")
    assert said(answer) == (400, "malformed-payload")


@pytest.mark.parametrize("name", SENTRY_OUTCOMES)
def test_every_recorded_sentry_hook_is_answered_for_what_it_is(bystander: Pair, name: str) -> None:
    resource = name.partition(".")[0]
    answer = bystander.deliver_from_sentry(payload(f"sentry/{name}"), resource=resource)
    assert said(answer) == SENTRY_OUTCOMES[name]


def test_a_comment_is_taken_only_where_comments_are_synced(bystander: Pair, pair: Pair) -> None:
    comment = payload("sentry/comment.created.json")
    assert said(bystander.deliver_from_sentry(comment, resource="comment")) == (200, "ignored")
    pair.configure(sync_comments=True)
    assert said(pair.deliver_from_sentry(comment, resource="comment")) == (202, "queued")


@pytest.mark.parametrize("name", ["issue.resolved.json", "comment.created.json"])
def test_a_damaged_sentry_hook_is_at_worst_malformed(bystander: Pair, name: str) -> None:
    for number, delivery in enumerate(damaged(payload(f"sentry/{name}"))):
        answer = bystander.deliver_from_sentry(delivery, resource=name.partition(".")[0])
        status, word = said(answer)
        is_hook = isinstance(delivery, dict) and isinstance(delivery.get("action"), str)
        assert status in {200, 202} if is_hook else (status, word) == (400, "malformed-payload"), (
            number,
            answer.text,
        )
