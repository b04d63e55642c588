"""Whose numbers they are: addresses that change, organizations that are renamed, and deliveries of others."""

from collections.abc import Iterator
from typing import Any

import pytest
from azure.data.tables import TableServiceClient, UpdateMode

from simulator.ado import FakeAdo
from simulator.ado.faults import Fault
from simulator.sentry import FakeSentry
from tests.e2e.app import ADO_TOKEN, HOOK_SECRET, SENTRY_TOKEN, SIGNING_KEY, App, Pair, eventually

STATE = "System.State"


@pytest.fixture
def contoso() -> Iterator[FakeAdo]:
    """Another organization, which knows our token, and whose item 1 is about chairs."""
    with FakeAdo("contoso", token=ADO_TOKEN, time_scale=0.01) as there:
        there.add_item("Order new chairs", 1)
        yield there


@pytest.fixture
def linked(pair: Pair) -> tuple[str, int]:
    return pair.connect().linked()


def repoint(pair: Pair, there: FakeAdo, choice: str | None = None) -> Any:
    document = pair.document(ado_url=there.organization_url, ado_search_url=there.search_url)
    params = {"links": choice} if choice else {}
    return pair.ask("PUT", "config", json=document, params=params, headers={"If-Match": "*"})


def stored_url(pair: Pair) -> str:
    return str(pair.ask("GET", "config").json()["config"]["ado_url"])


def problems(pair: Pair) -> list[str]:
    """Return the problems, without those of organizations that other tests left behind."""
    said = pair.app.health()["problems"]
    of_others = (" organization(s) since ", "that are not connected")
    return [each for each in said if not any(words in each for words in of_others)]


def last_delivery(pair: Pair, ado: FakeAdo) -> int | None:
    ado.wait_for_deliveries()
    pair.settle()
    return ado.deliveries[-1].http_status


# An address that changes while links exist


def test_links_hold_a_document_back_that_leads_elsewhere(
    pair: Pair, contoso: FakeAdo, linked: tuple[str, int]
) -> None:
    answer = repoint(pair, contoso)
    assert (answer.status_code, answer.json()["error"]) == (409, "connection-changed")
    assert "1 link(s)" in answer.json()["detail"]
    assert stored_url(pair) == pair.ado.organization_url
    issue_id, work_item_id = linked
    pair.sentry.resolve(issue_id)
    pair.settle()
    assert (pair.state(work_item_id), contoso.item(1).state) == ("Closed", "New")


def test_links_that_are_dropped_write_to_nobody(
    pair: Pair, contoso: FakeAdo, linked: tuple[str, int]
) -> None:
    issue_id, _ = linked
    assert repoint(pair, contoso, "drop").status_code == 200
    assert pair.links() == []
    contoso.subscribe(f"{pair.app.url}/api/{pair.ado_route}", httpHeaders=f"Shared-Secret: {HOOK_SECRET}")
    contoso.edit(1, **{STATE: "Closed"})
    assert last_delivery(pair, contoso) == 202
    pair.app.run_now("reconcile")
    pair.settle()
    assert pair.status(issue_id) == "unresolved"
    contoso.edit(1, **{STATE: "Active"})
    pair.sentry.resolve(issue_id)
    pair.settle()
    assert contoso.item(1).state == "Active"
    # … and the same two numbers can be joined anew, as strangers.
    pair.link(issue_id, 1)
    assert [entry["outcome"] for entry in pair.activity(issue_id, 1)] == ["linked"]


def test_a_place_under_a_new_name_keeps_its_links_and_its_old_name(
    pair: Pair, contoso: FakeAdo, linked: tuple[str, int]
) -> None:
    issue_id, work_item_id = linked
    before = pair.organization.epoch
    assert repoint(pair, contoso, "keep").status_code == 200
    assert pair.organization.epoch == before
    assert [each["work_item_id"] for each in pair.links()] == [work_item_id]
    pair.ado.edit(work_item_id, **{STATE: "Active"})
    assert last_delivery(pair, pair.ado) == 202  # a delivery under the old name is still ours
    pair.sentry.resolve(issue_id)
    pair.settle()
    assert contoso.item(work_item_id).state == "Closed"


@pytest.mark.parametrize("trouble", [Fault(503), Fault(401), Fault(drops=True), Fault(404)])
def test_a_place_that_cannot_be_asked_is_no_place_for_links(
    pair: Pair, contoso: FakeAdo, linked: tuple[str, int], trouble: Fault
) -> None:
    contoso.meet(trouble)
    answer = repoint(pair, contoso)
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    for word in ("1 link(s)", "?links=drop", "?links=keep"):
        assert word in answer.json()["detail"]
    assert stored_url(pair) == pair.ado.organization_url
    contoso.meet(trouble)
    assert repoint(pair, contoso, "keep").status_code == 200
    assert len(pair.links()) == 1


def test_another_sentry_is_another_connection(pair: Pair, linked: tuple[str, int]) -> None:
    with FakeSentry(token=SENTRY_TOKEN, client_secret=SIGNING_KEY) as other:
        answer = pair.configure(sentry_url=other.url)
        assert (answer.status_code, answer.json()["error"]) == (409, "connection-changed")
        other_id = pair.ask("PUT", "config", json=pair.document(), params={"links": "anything"})
        assert (other_id.status_code, other_id.json()["error"]) == (400, "bad-request")


def test_without_links_a_document_leads_anywhere(pair: Pair, contoso: FakeAdo) -> None:
    pair.connect()
    before = pair.organization.epoch
    assert repoint(pair, contoso).status_code == 200
    assert pair.organization.epoch != before


# A name that changes


def test_a_renamed_organization_goes_on(pair: Pair, linked: tuple[str, int]) -> None:
    issue_id, work_item_id = linked
    pair.ado.rename("fabrikam-fiber")
    pair.ado.edit(work_item_id, **{STATE: "Closed"})
    assert last_delivery(pair, pair.ado) == 202
    assert pair.configure().status_code == 200
    pair.settle()
    pair.app.run_now("reconcile")
    eventually(lambda: pair.status(issue_id) == "resolved")
    pair.sentry.unresolve(issue_id)
    pair.settle()
    assert pair.state(work_item_id) == "New"


def test_nor_does_it_matter_what_it_answers_when_it_is_asked_who_it_is(pair: Pair) -> None:
    """That deliveries carry the same id is an assumption; without it they are known by their address."""
    pair.ado.instance_id = "99999999-0000-0000-0000-000000000000"
    issue_id, work_item_id = pair.connect().linked()
    pair.ado.edit(work_item_id, **{STATE: "Closed"})
    pair.settle()
    assert pair.status(issue_id) == "resolved"
    pair.ado.rename("fabrikam-fiber")
    pair.ado.edit(work_item_id, **{STATE: "Active"})
    assert last_delivery(pair, pair.ado) == 202
    assert pair.configure().status_code == 200
    assert len(pair.links()) == 1
    assert problems(pair) == []


def test_a_renamed_organization_of_sentry_goes_on(pair: Pair, linked: tuple[str, int]) -> None:
    issue_id, work_item_id = linked
    pair.sentry.rename("acme-inc")
    assert pair.configure().status_code == 200
    pair.sentry.resolve(issue_id)
    pair.settle()
    assert pair.state(work_item_id) == "Closed"


# Deliveries of others


def test_a_subscription_with_somebody_elses_address_is_told_and_nothing_is_believed(
    pair: Pair, contoso: FakeAdo, linked: tuple[str, int]
) -> None:
    issue_id, _ = linked
    contoso.subscribe(f"{pair.app.url}/api/{pair.ado_route}", httpHeaders=f"Shared-Secret: {HOOK_SECRET}")
    contoso.edit(1, **{STATE: "Closed"})
    assert last_delivery(pair, contoso) == 200
    answer = pair.deliver(dict(contoso.deliveries[-1].body)).json()
    assert (answer["outcome"], "contoso" in answer["detail"]) == ("ignored", True)
    assert pair.status(issue_id) == "unresolved"
    [problem] = problems(pair)
    assert "another Azure DevOps organization" in problem
    pair.ask("DELETE", "config")
    assert problems(pair) == []


def test_a_collection_of_a_server_is_known_by_itself_and_not_by_its_server(app: App) -> None:
    with Pair.beside(app, is_server=True) as pair:
        issue_id, work_item_id = pair.connect().linked()
        pair.ado.edit(work_item_id, **{STATE: "Closed"})
        pair.settle()
        assert pair.status(issue_id) == "resolved"
        body = dict(pair.ado.deliveries[-1].body)
        other = {"id": "0d0d0d0d-0000-0000-0000-000000000000", "baseUrl": f"{pair.ado.url}/other/"}
        containers = {**body["resourceContainers"], "collection": other}  # type: ignore[dict-item]
        assert pair.deliver({**body, "resourceContainers": containers}).json()["outcome"] == "ignored"
        pair.ask("DELETE", "config")


# A slug that is used again


def test_a_slug_that_is_used_again_begins_anew(pair: Pair, contoso: FakeAdo, linked: tuple[str, int]) -> None:
    issue_id, work_item_id = linked
    with pair.ado.held_deliveries():
        pair.ado.edit(work_item_id, **{STATE: "Closed"})
        assert pair.ask("DELETE", "config").status_code == 204
        document = pair.document(ado_url=contoso.organization_url)
        assert pair.ask("PUT", "config", json=document).status_code == 201
        assert pair.links() == []
        pair.link(issue_id, 1)
    pair.settle()
    assert pair.status(issue_id) == "unresolved"
    assert [entry["outcome"] for entry in pair.activity(issue_id, 1)] == ["linked"]


def test_what_waited_for_the_one_before_is_not_for_the_next(pair: Pair, contoso: FakeAdo) -> None:
    issue_id, work_item_id = pair.connect().linked()
    pair.sentry.fail_next(1, 429, {"Retry-After": "3"}, method="GET", path="*/issues/*")
    pair.ado.edit(work_item_id, **{STATE: "Closed"})
    pair.ado.wait_for_deliveries()
    eventually(lambda: pair.health(issue_id, work_item_id)[0] == "pending")
    assert pair.ask("DELETE", "config").status_code == 204
    document = pair.document(ado_url=contoso.organization_url)
    assert pair.ask("PUT", "config", json=document).status_code == 201
    eventually(lambda: pair.post_link(issue_id, 1).status_code == 201)
    pair.settle()
    assert pair.status(issue_id) == "unresolved"
    assert "other-connection" in pair.app.log()


# What is stored


def write(pair: Pair, text: str) -> None:
    """Write over the stored document, as a newer version of the app or somebody by hand might."""
    with TableServiceClient.from_connection_string(pair.app.storage) as service:
        table = service.get_table_client("syncorganizations")
        row = {"PartitionKey": "organizations", "RowKey": pair.slug, "Text0": text}
        table.upsert_entity(row, mode=UpdateMode.REPLACE)


@pytest.mark.parametrize(
    "text",
    ['{"on_conflict": "newest"}', "no JSON", '{"ado_url": "https://[dev/"}', '{"sentry_url": "//a:b"}'],
)
def test_a_document_that_cannot_be_read_is_told_replaced_and_removed(pair: Pair, text: str) -> None:
    pair.connect()
    write(pair, text)
    answer = pair.ask("GET", "config")
    assert (answer.status_code, answer.json()["error"]) == (503, "unreadable-document")
    assert pair.slug in answer.json()["detail"]
    assert any("cannot be read" in problem for problem in problems(pair))
    # Nobody can say what a patch would make of it, nor whether it was worth keeping.
    for method, status in (("PATCH", 503), ("PUT", 428)):
        assert pair.ask(method, "config", json=pair.document()).status_code == status
    whatever = {"If-Match": "*"}
    answer = pair.ask("PUT", "config", json=pair.document(), headers=whatever)
    assert (answer.status_code, "ado_url" in answer.json()["changed"]) == (200, True)
    assert problems(pair) == []
    assert pair.ask("GET", "config").status_code == 200
    write(pair, text)
    assert pair.ask("DELETE", "config").status_code == 204
    assert pair.ask("GET", "config").status_code == 404


DOCUMENT_OF_BEFORE = (
    '{"ado_url":"URL","ado_account_id":null,"ado_search_url":null,"sentry_url":"SENTRY",'
    '"sentry_organization":"acme","issue_sync":true,"sync_status_forward":true,"sync_status_reverse":true,'
    '"sync_forward_assignment":true,"sync_reverse_assignment":true,"sync_comments":false,'
    '"done_categories":["Resolved","Completed"],"status_mapping":{},"people":{},"on_conflict":"ado"}'
)
LINK_OF_BEFORE = (
    '{"organization":"SLUG","issue_id":"ISSUE","work_item_id":ITEM,"project_id":"PROJECT",'
    '"work_item_type":"Bug","seen":{"issue":{"status":"unresolved","assignee":null},'
    '"item":{"rev":1,"state":"New","status":"unresolved","assignee":null}},"title":"Fix login",'
    '"area_path":"Fabrikam-Fiber","open_state":"New","health":{}}'
)


def test_what_an_older_version_stored_goes_on_where_it_is(pair: Pair, contoso: FakeAdo) -> None:
    issue_id, item = pair.sentry.add_issue(announce=False).id, pair.ado.add_item()
    write(
        pair,
        DOCUMENT_OF_BEFORE.replace("URL", pair.ado.organization_url).replace("SENTRY", f"{pair.sentry.url}/"),
    )
    row = LINK_OF_BEFORE.replace("SLUG", pair.slug).replace("ISSUE", issue_id).replace("ITEM", str(item.id))
    with TableServiceClient.from_connection_string(pair.app.storage) as service:
        table = service.create_table_if_not_exists("synclinks")
        for key, text in (
            (f"item!{item.id:016d}!{issue_id}", row.replace("PROJECT", pair.ado.project_id(item.project))),
            (f"issue!{issue_id}!{item.id:016d}", ""),
        ):
            chunks = {"Text0": text} if text else {}
            table.upsert_entity({"PartitionKey": pair.slug, "RowKey": key, **chunks})
    assert [link["work_item_id"] for link in pair.links()] == [item.id]
    pair.sentry.webhook_url = f"{pair.app.url}/api/{pair.sentry_route}"
    pair.sentry.resolve(issue_id)
    pair.settle()
    assert pair.state(item.id) == "Closed"
    assert pair.organization.connection.is_known
    assert pair.configure(on_conflict="sentry").status_code == 200
    assert repoint(pair, contoso).status_code == 409
    assert pair.organization.scope == pair.slug
    assert repoint(pair, contoso, "drop").status_code == 200
    assert pair.links() == []
