"""What a service hook delivery proves and says: who sent it, how every shape is read, what damage does."""

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from shared.ado.hook import (
    Foreign,
    Uninteresting,
    WorkItemEvent,
    parse,
    verify_secret,
)
from shared.domain.comments import InboundComments, SaidInAdo
from shared.domain.connection import Identity
from shared.domain.errors import Malformed, Unauthenticated
from shared.domain.model import Assignee, Person, Stranger, WorkItem
from tests.unit.damage import damaged

PAYLOADS = Path(__file__).parents[2] / "payloads" / "ado"
RESOLVED = "workitem.updated.active-to-resolved.v1.0"
ASSIGNED = "workitem.updated.assigned.v1.0"
DELETED = "workitem.deleted.active.v1.0"
STATE, ASSIGNED_TO = "System.State", "System.AssignedTo"
SECRET = "s3cret"
ANN = Person("ann@corp.example")
TEST, IGNORED = Uninteresting("test"), Uninteresting("ignored")
NOTHING = Uninteresting("nothing-to-sync", work_item_id=31)

Json = dict[str, Any]


def load(name: str) -> Json:
    content: Json = json.loads((PAYLOADS / f"{name}.json").read_bytes())
    return content


def read(delivery: Any) -> WorkItemEvent | Uninteresting:
    """Read a delivery for what it says; whose it is has tests of its own."""
    event = parse(json.dumps(delivery).encode())
    assert not isinstance(event, Foreign)
    return replace(event, origin=Identity()) if isinstance(event, WorkItemEvent) else event


def snapshot_of(delivery: Any) -> WorkItem | None:
    event = read(delivery)
    assert isinstance(event, WorkItemEvent)
    return event.snapshot


def put(delivery: Json, path: str, value: Any) -> Json:
    """Set one value, by a path with slashes; MISSING takes it away."""
    *parents, last = path.split("/")
    node = delivery
    for name in parents:
        node = node[name]
    if value is MISSING:
        node.pop(last, None)
    else:
        node[last] = value
    return delivery


MISSING = object()
SNAPSHOT = WorkItem(
    id=31,
    rev=3,
    project_id="b7d1b3a0-5c3e-4c7e-9a8f-2f6c8e0a1d05",
    work_item_type="Bug",
    state="Resolved",
    assignee=ANN,
    title="Fix login",
    area_path="Fabrikam-Fiber",
    reasons=("Moved to state Resolved",),
)


def updated(rev: int, state: str, assignee: Assignee) -> WorkItemEvent:
    return WorkItemEvent("updated", 31, rev, _at(rev, state, assignee))


def _at(rev: int, state: str, assignee: Assignee) -> WorkItem:
    reasons = (f"Moved to state {state}",)
    return replace(SNAPSHOT, rev=rev, state=state, assignee=assignee, reasons=reasons)


READ_AS = {
    "workitem.commented.active.v1.0": IGNORED,
    "workitem.created.open.v1.0": IGNORED,
    "workitem.deleted.active.v1.0": WorkItemEvent("deleted", 31, 5, None),
    "workitem.deleted.test-button.v1.0": TEST,
    "workitem.restored.active.v1.0": WorkItemEvent("restored", 31, 6, None),
    "workitem.restored.test-button.v1.0": TEST,
    "workitem.updated.active-to-resolved.v1.0": updated(3, "Resolved", ANN),
    "workitem.updated.assigned.v1.0": updated(2, "New", ANN),
    "workitem.updated.assigned.v3.1": updated(2, "Active", ANN),
    "workitem.updated.assigned.v5.1": updated(2, "Active", ANN),
    # A change of project, so that the project named beside the snapshot may be either of the two.
    "workitem.updated.created-as-done.v1.0": WorkItemEvent("updated", 31, 1, None),
    "workitem.updated.link-only.v1.0": NOTHING,
    "workitem.updated.minimal.v1.0": WorkItemEvent("updated", 31, 3, None),
    "workitem.updated.new-to-active.v1.0": updated(2, "Active", None),
    "workitem.updated.none.v1.0": Uninteresting("unusable", "cannot read resource"),
    "workitem.updated.reassigned.v1.0": updated(3, "Active", Person("bob@corp.example")),
    "workitem.updated.resolved-to-active.v1.0": updated(4, "Active", ANN),
    "workitem.updated.server.v1.0": updated(3, "Resolved", Stranger("assignee-unreadable", "fabrikam\\ann")),
    "workitem.updated.test-button.v1.0": TEST,
    "workitem.updated.title-only.v1.0": NOTHING,
    "workitem.updated.unassigned.v1.0": updated(4, "Active", None),
}


def test_every_payload_file_has_its_value() -> None:
    assert {path.stem for path in PAYLOADS.glob("*.json")} == READ_AS.keys()


@pytest.mark.parametrize("name", READ_AS)
def test_a_payload_is_read_as_exactly_one_value(name: str) -> None:
    assert read(load(name)) == READ_AS[name]


# Who sent it


def basic(credentials: str | bytes) -> dict[str, str]:
    raw = credentials.encode() if isinstance(credentials, str) else credentials
    return {"Authorization": f"Basic {base64.b64encode(raw).decode()}"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Shared-Secret": SECRET},
        basic(f"anybody:{SECRET}"),
        basic(f":{SECRET}"),
        {"Authorization": basic(f"ado:{SECRET}")["Authorization"].replace("Basic", "basic")},
        # One right proof of the two is enough: a subscription may send both while they are changed.
        {"Shared-Secret": "wrong", **basic(f"ado:{SECRET}")},
        {"Shared-Secret": SECRET, **basic("ado:wrong")},
    ],
)
def test_the_secret_is_taken_from_its_header_or_as_the_password_of_any_user(headers: dict[str, str]) -> None:
    verify_secret(headers, [SECRET])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Shared-Secret": ""},
        {"Shared-Secret": "wrong"},
        {"Shared-Secret": SECRET[:-1]},
        {"Shared-Secret": SECRET + " "},
        {"Shared-Secret": SECRET.upper()},
        {"Shared-Secret": "sécret"},
        {"Shared-Secret": "s\udce9cret"},
        basic("ado:wrong"),
        basic(f"{SECRET}:"),
        basic(SECRET),  # without a colon there is no password
        basic(b"ado:\xff\xfe"),
        {"Authorization": f"Bearer {SECRET}"},
        {"Authorization": "Basic"},
        {"Authorization": "Basic %%%"},
        {"Authorization": "Basic YWRv OnMzY3JldA=="},
        {"Authorization": "Basic YWRvOnMzY3JldA"},  # its padding is gone
        {"Authorization": "Basic é"},
        {"Authorization": f"Basic {SECRET}"},
    ],
)
def test_a_delivery_without_the_right_secret_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        verify_secret(headers, [SECRET])
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("secret", ["current", "previous"])
def test_two_secrets_are_accepted_during_a_rotation(secret: str) -> None:
    verify_secret({"Shared-Secret": secret}, ["current", "previous"])
    verify_secret(basic(f"ado:{secret}"), ["current", "previous"])


@pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
@pytest.mark.parametrize("headers", [{}, {"Shared-Secret": ""}, basic("ado:"), basic("")])
def test_an_empty_secret_refuses_every_delivery(secrets: list[str], headers: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated):
        verify_secret(headers, secrets)


def test_an_empty_previous_secret_admits_no_delivery() -> None:
    with pytest.raises(Unauthenticated):
        verify_secret({"Shared-Secret": ""}, [SECRET, ""])


@pytest.mark.parametrize("secret", ["pässwörd", "ключ", "a:b:c", "\U0001f511"])
def test_a_secret_may_hold_any_character(secret: str) -> None:
    verify_secret({"Shared-Secret": secret}, [secret])
    verify_secret(basic(f"ado:{secret}"), [secret])


# What it says


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"eventType": "workitem.updated"',
        b"\xff\xfe",
        b'{"eventType": "\xff"}',
        b"null",
        b"31",
        b'"workitem.updated"',
        b'["workitem.updated"]',
        b"{}",
        b'{"eventType": null}',
        b'{"eventType": 5}',
        b'{"eventType": ["workitem.updated"]}',
        b'{"eventtype": "workitem.updated"}',
        b"[" * 100_000,
        b'{"eventType":' * 100_000,
    ],
)
def test_what_no_service_hook_sends_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse(body)


@pytest.mark.parametrize(
    "event_type",
    ["workitem.created", "workitem.commented", "git.push", "build.complete", "", "WorkItem.Updated"],
)
def test_another_kind_of_event_is_ignored_whatever_it_holds(event_type: str) -> None:
    assert read({"eventType": event_type, "resource": {"workItemId": None}}) == IGNORED


@pytest.mark.parametrize("name", [RESOLVED, DELETED])
@pytest.mark.parametrize(
    "event_id",
    [
        "27646e0e-b520-4d2b-9411-bba7524947cd",
        "72da0ade-0709-40ee-beb7-104287bf7e84",
        "1ca023d6-6cff-49dd-b3d1-302b69311810",
        "27646E0E-B520-4D2B-9411-BBA7524947CD",
        "fb2617ed-60df-4518-81fa-749faa6c5cd6",
    ],
)
def test_the_test_button_is_known_by_its_fixed_event_ids(name: str, event_id: str) -> None:
    assert read(put(load(name), "id", event_id)) == TEST


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (RESOLVED, "resource/workItemId"),
        (DELETED, "resource/id"),
    ],
)
@pytest.mark.parametrize("zero", [0, "0", 0.0])
def test_work_item_zero_is_the_test_button_s(name: str, path: str, zero: Any) -> None:
    assert read(put(load(name), path, zero)) == TEST


@pytest.mark.parametrize(
    "junk", [MISSING, None, True, False, -1, 1.5, 31.0, "", "abc", "-3", "+3", "3.0", " 3", "٣", "²", [], {}]
)
@pytest.mark.parametrize(
    ("name", "path", "named"),
    [
        (RESOLVED, "resource/workItemId", "resource.workItemId"),
        (RESOLVED, "resource/rev", "resource.rev"),
        (DELETED, "resource/id", "resource.id"),
        (DELETED, "resource/rev", "resource.rev"),
    ],
)
def test_an_id_or_rev_that_is_not_a_number_is_unusable(name: str, path: str, named: str, junk: Any) -> None:
    assert read(put(load(name), path, junk)) == Uninteresting("unusable", f"cannot read {named}")


@pytest.mark.parametrize("zero", [0, "0", "00"])
def test_there_is_no_revision_zero(zero: Any) -> None:
    unusable = Uninteresting("unusable", "cannot read resource.rev")
    assert read(put(load(RESOLVED), "resource/rev", zero)) == unusable


@pytest.mark.parametrize("huge", [2**53, 2**63, 2**64, 10**30, "9" * 16, "1" * 17, "1" * 100_000])
def test_an_id_that_no_reader_keeps_exact_is_unusable(huge: Any) -> None:
    unusable = Uninteresting("unusable", "cannot read resource.workItemId")
    assert read(put(load(RESOLVED), "resource/workItemId", huge)) == unusable


@pytest.mark.parametrize(
    ("written", "number"), [(13, 13), ("13", 13), ("0013", 13), (2**53 - 1, 2**53 - 1), (1, 1)]
)
def test_an_id_may_be_a_number_or_a_text_of_digits(written: Any, number: int) -> None:
    event = read(put(load(RESOLVED), "resource/workItemId", written))
    assert isinstance(event, WorkItemEvent)
    assert event.work_item_id == number
    assert event.snapshot is not None
    assert event.snapshot.id == number


def test_in_an_update_the_resource_s_own_id_means_nothing() -> None:
    assert read(put(load(RESOLVED), "resource/id", 99)) == READ_AS[RESOLVED]


@pytest.mark.parametrize("junk", [[], "", 0, False, "System.State", ["System.State"]])
def test_changes_of_an_unknown_shape_are_unusable(junk: Any) -> None:
    delivery = put(load(RESOLVED), "resource/fields", junk)
    assert read(delivery) == Uninteresting("unusable", "cannot read resource.fields")


@pytest.mark.parametrize("field", [STATE, ASSIGNED_TO, "System.TeamProject"])
@pytest.mark.parametrize("junk", [None, "Resolved", [], 0, True])
def test_a_change_that_concerns_us_in_an_unknown_shape_is_unusable(field: str, junk: Any) -> None:
    delivery = put(load(RESOLVED), f"resource/fields/{field}", junk)
    assert read(delivery) == Uninteresting("unusable", f"cannot read resource.fields['{field}']")


def test_a_change_that_does_not_concern_us_may_have_any_shape() -> None:
    delivery = put(load(RESOLVED), "resource/fields/System.Title", 5)
    assert read(delivery) == READ_AS[RESOLVED]


@pytest.mark.parametrize(
    ("fields", "relations", "interesting"),
    [
        (None, None, True),  # stripped of its details: it may be anything
        (None, {"added": []}, False),
        ({}, None, False),
        ({}, {"added": []}, False),
        ({"System.Title": {}}, None, False),
        ({STATE: {}}, None, True),
        ({ASSIGNED_TO: {}}, None, True),
        ({"System.TeamProject": {}}, None, True),
        ({STATE: {}}, {"added": []}, True),
    ],
)
def test_an_update_counts_if_it_may_have_moved_state_assignee_or_project(
    fields: Any, relations: Any, interesting: bool
) -> None:
    delivery = put(put(load(RESOLVED), "resource/fields", fields), "resource/relations", relations)
    assert isinstance(read(delivery), WorkItemEvent) is interesting


# Its snapshot


def with_assignee(identity: Any) -> Json:
    delivery = put(load(ASSIGNED), f"resource/revision/fields/{ASSIGNED_TO}", identity)
    return put(delivery, f"resource/fields/{ASSIGNED_TO}/newValue", identity)


@pytest.mark.parametrize(
    ("identity", "assignee"),
    [
        ("Ann <ann@corp.example>", ANN),
        ("Ann <Ann@Corp.Example>", ANN),
        ("Ann (Ops) <x> [y] <ann@corp.example>", ANN),
        ("<ann@corp.example>", ANN),
        ({"displayName": "Ann", "uniqueName": "ann@corp.example", "id": "1"}, ANN),
        ({"displayName": "Ann", "uniqueName": "", "mailAddress": "ann@corp.example"}, ANN),
        ({"name": "Ann <ann@corp.example>", "uniqueName": "Ann <ann@corp.example>"}, ANN),
        (None, None),
        ("", None),
        ("Ann", Stranger("assignee-unreadable", "ann")),
        # A bare address is a name that looks like one: only brackets say that it is an address.
        ("ann@corp.example", Stranger("assignee-unreadable", "ann@corp.example")),
        ("Ann <ann@corp.example> (gone)", Stranger("assignee-unreadable", "ann <ann@corp.example> (gone)")),
        # No mail address is that long.
        (
            f"Ann <{'a' * 242}@corp.example>",
            Stranger("assignee-unreadable", f"{'a' * 242}@corp.example"[:254]),
        ),
        ("Ann <>", Stranger("assignee-unreadable", "ann")),
        ("Ann <@>", Stranger("assignee-unreadable", "@")),
        ("Ann <ann at corp@example>", Stranger("assignee-unreadable", "ann at corp@example")),
        ("Ann <CORP\\ann>", Stranger("assignee-unreadable", "corp\\ann")),
        ("Ann <CORP\\ann@corp>", Stranger("assignee-unreadable", "corp\\ann@corp")),
        (
            {"displayName": "Ann", "uniqueName": "CORP\\ann"},
            Stranger("assignee-unreadable", "corp\\ann"),
        ),
        # A service principal has no unique name.
        ({"displayName": "Bot", "uniqueName": "", "id": "7"}, Stranger("assignee-unreadable", "bot")),
        ({"id": "7"}, Stranger("assignee-unreadable", "7")),
        ({}, Stranger("assignee-unreadable", "")),
        (31, Stranger("assignee-unreadable", "31")),
    ],
)
def test_an_assignee_is_read_in_every_spelling_and_never_guessed(identity: Any, assignee: Assignee) -> None:
    snapshot = snapshot_of(with_assignee(identity))
    assert snapshot is not None
    assert snapshot.assignee == assignee


def test_an_endless_name_is_cut_short() -> None:
    snapshot = snapshot_of(with_assignee("A" * 100_000))
    assert snapshot is not None
    assert snapshot.assignee == Stranger("assignee-unreadable", "a" * 254)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        # The snapshot and the change beside it disagree.
        (f"resource/revision/fields/{STATE}", "Active"),
        (f"resource/fields/{STATE}/newValue", "Closed"),
        (f"resource/fields/{STATE}/newValue", MISSING),
        (f"resource/fields/{ASSIGNED_TO}", {"newValue": "Bob <bob@corp.example>"}),
        (f"resource/fields/{ASSIGNED_TO}", {"oldValue": "Ann <ann@corp.example>"}),
        (f"resource/revision/fields/{ASSIGNED_TO}", MISSING),
        ("resource/revision/rev", 2),
        ("resource/revision/rev", 4),
        # The project named beside it may be the old one or the new one.
        ("resource/fields/System.TeamProject", {"oldValue": "A", "newValue": "B"}),
        # It is not whole.
        ("resource/revision", MISSING),
        ("resource/revision", None),
        ("resource/revision/fields", None),
        ("resource/revision/fields", []),
        (f"resource/revision/fields/{STATE}", MISSING),
        (f"resource/revision/fields/{STATE}", ""),
        ("resource/revision/fields/System.WorkItemType", MISSING),
        ("resource/revision/fields/System.WorkItemType", ""),
        ("resource/revision/fields/System.WorkItemType", 7),
        ("resource/revision/fields/System.Title", 5),
        ("resource/revision/fields/System.Title", "x" * 200_000),
        ("resource/revision/fields/System.AreaPath", ["A"]),
        # It is no project's id, and would lead a write elsewhere.
        ("resourceContainers/project/id", ""),
        ("resourceContainers/project/id", "Fabrikam-Fiber"),
        ("resourceContainers/project/id", ".."),
        ("resourceContainers/project/id", "../otherorg/proj"),
        ("resourceContainers/project/id", "_apis/hooks/subscriptions?z="),
        ("resourceContainers/project/id", "b7d1b3a0-5c3e-4c7e-9a8f-2f6c8e0a1d05\n"),
        ("resourceContainers/project/id", "b7d1b3a0-5c3e-4c7e-9a8f-2f6c8e0a1d05/x"),
        ("resourceContainers/project/id", "b7d1b3a05c3e4c7e9a8f2f6c8e0a1d05"),
        ("resourceContainers", MISSING),
        ("resourceContainers", None),
        ("resourceContainers/project", "b7d1b3a0"),
        ("resourceContainers/project/id", None),
    ],
)
def test_a_snapshot_that_is_not_whole_or_is_contradicted_is_left_out(path: str, value: Any) -> None:
    delivery = load(RESOLVED)
    if path == f"resource/revision/fields/{ASSIGNED_TO}":
        delivery["resource"]["fields"][ASSIGNED_TO] = {"newValue": "Ann <ann@corp.example>"}
    assert read(put(delivery, path, value)) == WorkItemEvent("updated", 31, 3, None)


@pytest.mark.parametrize(
    ("path", "value", "change"),
    [
        ("resource/revision/rev", MISSING, {}),
        ("resource/revision/rev", "3", {}),
        ("resource/revision/fields/System.Title", MISSING, {"title": ""}),
        ("resource/revision/fields/System.AreaPath", None, {"area_path": ""}),
        ("resource/revision/fields/System.AreaPath", "A\\B", {"area_path": "A\\B"}),
        ("resourceContainers/project/id", "B7D1B3A0-5C3E-4C7E-9A8F-2F6C8E0A1D05", {}),
        (f"resource/fields/{STATE}/oldValue", MISSING, {}),
        (f"resource/revision/fields/{ASSIGNED_TO}", MISSING, {"assignee": None}),
        # Two spellings of one person agree.
        (f"resource/fields/{ASSIGNED_TO}", {"newValue": {"uniqueName": "ANN@corp.example"}}, {}),
    ],
)
def test_a_snapshot_may_lack_what_the_sync_does_not_need(
    path: str, value: Any, change: dict[str, Any]
) -> None:
    assert snapshot_of(put(load(RESOLVED), path, value)) == replace(SNAPSHOT, **change)


@pytest.mark.parametrize("name", [DELETED, "workitem.restored.active.v1.0"])
def test_a_deletion_or_restoration_brings_no_snapshot(name: str) -> None:
    assert snapshot_of(load(name)) is None


# What damage does


def relevant(delivery: Json) -> Json:
    """Take out what is written for people only, so that the damage is done where it may matter."""
    delivery = copy.deepcopy(delivery)
    for name in ("message", "detailedMessage", "createdDate", "notificationId"):
        delivery.pop(name, None)
    resource = delivery["resource"]
    if isinstance(resource, dict):
        resource.pop("_links", None)
        resource.pop("revisedBy", None)
    return delivery


@pytest.mark.parametrize("name", READ_AS)
def test_a_damaged_delivery_is_at_worst_refused(name: str) -> None:
    for delivery in damaged(relevant(load(name))):
        try:
            value = read(delivery)
        except Malformed:
            assert not isinstance(delivery, dict) or not isinstance(delivery.get("eventType"), str)
            continue
        assert isinstance(value, WorkItemEvent | Uninteresting)


@pytest.mark.parametrize("name", READ_AS)
def test_a_delivery_cut_short_is_malformed(name: str) -> None:
    body = (PAYLOADS / f"{name}.json").read_bytes().rstrip()
    for length in range(0, len(body), max(1, len(body) // 200)):
        with pytest.raises(Malformed):
            parse(body[:length])


def test_whatever_an_event_says_of_a_work_item_is_of_the_right_types() -> None:
    for delivery in damaged(relevant(load(RESOLVED))):
        try:
            event = read(delivery)
        except Malformed:
            continue
        if isinstance(event, WorkItemEvent) and event.snapshot is not None:
            snapshot = event.snapshot
            assert (snapshot.id, snapshot.rev) == (event.work_item_id, event.rev)
            texts = (snapshot.project_id, snapshot.work_item_type, snapshot.state)
            assert all(isinstance(text, str) for text in (*texts, snapshot.title, snapshot.area_path))
            assert isinstance(snapshot.assignee, Person | Stranger | None)


# Whose it is

CONTOSO = {"id": "0B0B0B0B-0000-0000-0000-000000000000", "baseUrl": "https://contoso.visualstudio.com/"}
CLOSED = "workitem.updated.active-to-resolved.v1.0"


def origin_of(containers: Any) -> Identity:
    event = parse(json.dumps({**load(CLOSED), "resourceContainers": containers}).encode())
    assert isinstance(event, WorkItemEvent)
    return event.origin


@pytest.mark.parametrize(
    ("containers", "places", "ids"),
    [
        ({"account": CONTOSO}, ("dev.azure.com/contoso",), (CONTOSO["id"].lower(),)),
        ({"account": {"id": "A"}, "collection": {"id": "C"}, "project": {"id": "P"}}, (), ("a", "c")),
        # A server is that of all its collections, and tells nothing where one of these is named.
        ({"collection": {"id": "C"}, "server": {"id": "S", "baseUrl": "https://tfs/"}}, (), ("c",)),
        ({"server": {"id": "S", "baseUrl": "https://tfs/"}}, ("tfs",), ("s",)),
        ({"project": {"id": "P", "baseUrl": "https://dev.azure.com/contoso/"}}, (), ()),
        ({}, (), ()),
        (None, (), ()),
        ({"account": {"id": 7, "baseUrl": ["x"]}}, (), ()),
        ({"account": {"id": "", "baseUrl": "no address"}}, (), ()),
        ({"account": {"id": "x" * 5_000, "baseUrl": "https://dev.azure.com/" + "x" * 5_000}}, (), ()),
        ({"account": {"id": "a\nb", "baseUrl": "https://["}}, (), ()),
    ],
)
def test_a_delivery_says_whose_it_is(containers: Any, places: tuple[str, ...], ids: tuple[str, ...]) -> None:
    assert origin_of(containers) == Identity(places=places, delivered=ids)


OURS = Identity(("a",), ("dev.azure.com/fabrikam",))


@pytest.mark.parametrize("name", [CLOSED, "workitem.deleted.active.v1.0", "workitem.updated.assigned.v5.1"])
def test_what_another_organization_delivers_is_told_by_whose_it_is(name: str) -> None:
    delivery = {**load(name), "resourceContainers": {"account": CONTOSO}}
    event = parse(json.dumps(delivery).encode(), OURS)
    assert isinstance(event, Foreign)
    assert "dev.azure.com/contoso" in event.detail


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"eventType": "workitem.created"}, "ignored"),
        ({"id": "27646e0e-b520-4d2b-9411-bba7524947cd"}, "test"),
    ],
)
def test_what_nobody_waits_for_is_nobodys(change: Json, word: str) -> None:
    delivery = {**load(CLOSED), **change, "resourceContainers": {"account": CONTOSO}}
    assert parse(json.dumps(delivery).encode(), OURS) == Uninteresting(word)


def test_whose_it_is_comes_before_what_cannot_be_read_of_it() -> None:
    delivery = {**load(CLOSED), "resource": None, "resourceContainers": {"account": CONTOSO}}
    assert isinstance(parse(json.dumps(delivery).encode(), OURS), Foreign)


# Comments

COMMENTED = "workitem.commented.active.v1.0"
SAID = SaidInAdo("2743814", "Ann", "<div>Seen again on <b>Tuesday</b></div>")
HISTORY, ID, BY = (
    "resource/fields/System.History",
    "resource/commentVersionRef/commentId",
    "resource/fields/System.ChangedBy",
)


def commented(*changes: tuple[str, Any], wanted: str = "all") -> WorkItemEvent | Uninteresting | Foreign:
    delivery = load(COMMENTED)
    for path, value in changes:
        put(delivery, path, value)
    return parse(json.dumps(delivery).encode(), comments=InboundComments(wanted))


def said(*changes: tuple[str, Any], wanted: str = "all") -> SaidInAdo | None:
    event = commented(*changes, wanted=wanted)
    assert isinstance(event, WorkItemEvent)
    assert (event.event, event.work_item_id, event.rev, event.snapshot) == ("commented", 31, 4, None)
    return event.comment


def test_a_comment_brings_its_words_its_author_and_its_id() -> None:
    assert said() == SAID


def test_a_comment_is_ignored_while_none_is_wanted_even_that_of_the_test_button() -> None:
    assert commented(wanted="off") == IGNORED
    assert commented(("id", "fb2617ed-60df-4518-81fa-749faa6c5cd6"), wanted="off") == IGNORED
    assert commented(("id", "fb2617ed-60df-4518-81fa-749faa6c5cd6")) == TEST
    assert commented(("resource/id", 0)) == TEST


@pytest.mark.parametrize(
    ("by", "author"),
    [
        ("Ann Arbor <ann@corp.example>", "Ann Arbor"),
        ("Ann (IT) [x] <ann@corp.example>", "Ann (IT) [x]"),
        ("Ann <FABRIKAM\\ann>", "Ann"),
        ("Jamal Hartnett", "Jamal Hartnett"),
        ({"displayName": "Ann Arbor", "uniqueName": "ann@corp.example"}, "Ann Arbor"),
        ({"name": "Ann <ann@corp.example>", "uniqueName": "Ann <ann@corp.example>"}, "Ann"),
        ("ann@corp.example", "ann"),
        ("<ann@corp.example>", ""),
        (MISSING, ""),
        (None, ""),
        (7, ""),
    ],
)
def test_the_author_of_a_comment_is_a_name_and_never_an_address(by: Any, author: str) -> None:
    read_as = said((BY, by))
    assert read_as is not None
    assert read_as.author == author


@pytest.mark.parametrize("text", [MISSING, None, "", "  ", 5, "x" * 50_000, "日" * 20_000])
def test_of_a_comment_that_a_message_cannot_carry_the_id_is_enough(text: Any) -> None:
    assert said((HISTORY, text)) == SaidInAdo("2743814", "Ann")


@pytest.mark.parametrize("absent", [MISSING, None])
def test_a_comment_without_an_id_is_known_by_its_revision(absent: Any) -> None:
    assert said((ID, absent)) == SaidInAdo("rev-4", "Ann", SAID.text)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ([(ID, MISSING), (HISTORY, MISSING)], "resource.commentVersionRef.commentId"),
        ([(ID, True)], "resource.commentVersionRef.commentId"),
        ([(ID, 0)], "resource.commentVersionRef.commentId"),
        ([(ID, "seven")], "resource.commentVersionRef.commentId"),
        ([("resource", None)], "resource"),
        ([("resource/id", None)], "resource.id"),
        ([("resource/rev", True)], "resource.rev"),
    ],
)
def test_a_comment_that_cannot_be_told_from_others_is_unusable(
    changes: list[tuple[str, Any]], path: str
) -> None:
    assert commented(*changes) == Uninteresting("unusable", f"cannot read {path}")


@pytest.mark.parametrize("text", ["<div>/sentry tell them</div>", "<p>see /Sentry</p>", MISSING])
def test_what_may_be_marked_is_taken(text: Any) -> None:
    assert said((HISTORY, text), wanted="marked") is not None


@pytest.mark.parametrize("text", ["<div>Hello</div>", "", "sentry/"])
def test_what_is_not_marked_is_nothing_to_sync(text: str) -> None:
    assert commented((HISTORY, text), wanted="marked") == NOTHING


@pytest.mark.parametrize(
    ("told", "is_markdown"), [("Markdown", True), ("markdown", True), ("html", False), (5, False)]
)
def test_a_comment_may_be_markdown(told: Any, is_markdown: bool) -> None:
    read_as = said(("resource/multilineFieldsFormat", {"System.History": told}))
    assert read_as is not None
    assert read_as.is_markdown is is_markdown


# What is read of a delivery, and what is skipped.


def outcome_of(body: bytes) -> Any:
    try:
        return parse(body, comments=InboundComments.ALL, reads_reasons=True)
    except Malformed as error:
        return str(error)


@pytest.mark.parametrize("name", sorted(path.stem for path in PAYLOADS.glob("workitem.*.json")))
def test_what_is_skipped_is_missed_nowhere(name: str) -> None:
    """The same, with one member twice, first in a shape of which nothing can be skipped, is read whole."""
    for delivery in damaged(load(name)):
        if isinstance(delivery, dict) and "resource" in delivery:
            body = json.dumps(delivery).encode()
            assert outcome_of(body) == outcome_of(b'{"resource":[],' + body[1:]), delivery


def test_a_character_cut_in_half_where_nobody_reads_is_no_matter() -> None:
    body = json.dumps(load(RESOLVED)).replace(
        '"detailedMessage": {', '"detailedMessage": {"cut": "\\ud83d", '
    )
    assert "\\ud83d" in body
    assert parse(body.encode()) == parse(json.dumps(load(RESOLVED)).encode())
