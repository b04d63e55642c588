"""What no hook announces is found: by the timer, and at once on demand."""

from collections.abc import Iterator

import pytest

from shared.domain.model import Ends, IssueLink, IssueSide, IssueStatus, ItemSide
from shared.settings import StorageAccount
from shared.store.links import LinkStore
from shared.store.tables import AzureTable, table_service
from simulator.ado.faults import html_page
from simulator.ado.revisions import FeedModes
from tests.e2e.app import App, Pair, eventually, own_app

STATE = "System.State"
ANN = "ann@corp.example"
FEED, BATCH = "GET 200", "POST 200"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A host of these tests' own: its timer reconciles every organization there is."""
    with own_app(tmp_path_factory.mktemp("own")) as (running, _):
        yield running


@pytest.fixture
def unheard(pair: Pair) -> Pair:
    """An organization whose changes no hook announces."""
    assert pair.configure().status_code == 201
    return pair


def reconcile(pair: Pair) -> dict[str, object]:
    """Reconcile the whole organization, and settle what is off."""
    answer = pair.ask("POST", "reconcile")
    assert answer.status_code == 202, answer.text
    pair.rest()
    said: dict[str, object] = answer.json()
    return said


def test_a_change_on_either_side_is_found_on_demand(unheard: Pair) -> None:
    closed, resolved = unheard.linked(), unheard.linked()
    unheard.ado.edit(closed[1], **{STATE: "Closed"})
    unheard.sentry.resolve(resolved[0])
    found = reconcile(unheard)
    # A fast worker may have carried the closed item over by the time at which its issue is compared.
    assert found.pop("issues") in {1, 2}
    assert found == {"outcome": "queued", "links": 2, "drifted": 1, "remaining": False}
    assert unheard.status(closed[0]) == "resolved"
    assert unheard.state(resolved[1]) == "Closed"


def test_the_timer_finds_an_unassign_and_an_unarchiving_which_sentry_never_announces(pair: Pair) -> None:
    assigned, archived = pair.connect().linked(), pair.linked()
    pair.sentry.assign(assigned[0], ANN)
    pair.sentry.archive(archived[0])
    pair.ado.edit(archived[1], **{STATE: "Closed"})
    pair.settle()
    pair.sentry.unassign(assigned[0])
    pair.sentry.unarchive(archived[0])
    pair.settle()
    assert (pair.item_assignee(assigned[1]), pair.state(archived[1])) == (ANN, "Closed")
    pair.app.run_now("reconcile")
    eventually(lambda: pair.item_assignee(assigned[1]) is None)
    eventually(lambda: pair.state(archived[1]) != "Closed")


def test_one_link_is_settled_while_the_caller_waits(unheard: Pair) -> None:
    wanted, other = unheard.linked(), unheard.linked()
    for _, item in (wanted, other):
        unheard.ado.edit(item, **{STATE: "Closed"})
    body = {"issue_id": wanted[0], "work_item_id": wanted[1]}
    with unheard.calls() as calls:
        answer = unheard.ask("POST", "reconcile", json=body)
    assert (answer.status_code, answer.json()) == (200, {"outcome": "applied"})
    assert (unheard.status(wanted[0]), unheard.status(other[0])) == ("resolved", "unresolved")
    assert (calls.ado, calls.sentry) == (["GET 200"], ["GET 200", "PUT 200"])
    assert unheard.ask("POST", "reconcile", json=body).json() == {"outcome": "settled"}


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"issue_id": "100", "work_item_id": 999}, 404, "not-linked"),
        ({"issue_id": "100"}, 400, "bad-request"),
        ({"work_item_id": 31}, 400, "bad-request"),
        ({"issue_id": "abc", "work_item_id": 31}, 400, "bad-request"),
        ({"issue_id": "100", "work_item_id": "FE-1"}, 400, "bad-request"),
        ({"issue_id": 100, "work_item_id": "AB#999"}, 404, "not-linked"),
        ({"issue": "100"}, 400, "bad-request"),
    ],
)
def test_a_link_that_cannot_be_found_is_reported(
    unheard: Pair, body: dict[str, object], status: int, error: str
) -> None:
    answer = unheard.ask("POST", "reconcile", json=body)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_cured_refusal_need_not_wait_for_the_next_try(unheard: Pair) -> None:
    issue_id, work_item_id = unheard.linked()
    one = {"issue_id": issue_id, "work_item_id": work_item_id}
    unheard.ado.edit(work_item_id, **{STATE: "Closed"})
    unheard.ado.fail_next(http_status=401)
    assert unheard.ask("POST", "reconcile", json=one).status_code == 502
    answer = unheard.ask("POST", "reconcile", json=one)
    assert (answer.status_code, answer.json()) == (200, {"outcome": "applied"})


def test_an_unknown_organization_is_reported(app: App) -> None:
    answer = app.ask("POST", "organizations/nobody/reconcile")
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown-organization")


def test_a_deleted_work_item_is_marked_and_recovers_once_it_is_restored(unheard: Pair) -> None:
    issue_id, item = unheard.linked()
    unheard.ado.delete(item)
    reconcile(unheard)
    assert unheard.health(issue_id, item) == ("attention", "work-item-gone")
    reconcile(unheard)
    assert unheard.outcomes(issue_id, item) == [("failed", None)]
    unheard.ado.restore(item)
    reconcile(unheard)
    assert unheard.health(issue_id, item)[0] == "settled"
    assert unheard.outcomes(issue_id, item)[0] == ("recovered", None)


def test_an_organization_that_cannot_be_asked_does_not_stop_another(app: App, unheard: Pair) -> None:
    issue_id, item = unheard.linked()
    with Pair.beside(app) as dead:
        assert dead.configure().status_code == 201
        dead.linked()
    with Pair.beside(app) as failing:
        assert failing.configure().status_code == 201
        failing.linked()
        failing.ado.meet(html_page(500), 20, path="workitemsbatch")
        unheard.ado.edit(item, **{STATE: "Closed"})
        app.run_now("reconcile")
        eventually(lambda: unheard.status(issue_id) == "resolved")
        assert {each.ask("POST", "reconcile").status_code for each in (dead, failing)} == {503}


def test_two_hundred_and_one_links_at_rest_cost_one_call_and_two_to_look_at_them_all(unheard: Pair) -> None:
    issue_id, first = unheard.linked()
    link_at_rest(unheard, issue_id, 200)
    # Everything is new to the first run, and the next one is told of it again.
    for _ in range(2):
        reconcile(unheard)
    with unheard.calls() as calls:
        said = reconcile(unheard)
    assert said == {"outcome": "queued", "links": 201, "drifted": 0, "issues": 0, "remaining": False}
    # On demand, who is there and what our token may do is asked as well.
    assert (calls.ado, calls.sentry) == (["GET 200", FEED, BATCH, BATCH], ["GET 200"] * 4)
    before = len(unheard.sentry.calls)
    with unheard.calls() as calls:
        unheard.app.run_now("reconcile")
        eventually(lambda: len(unheard.sentry.calls) > before)
    assert calls.ado == [FEED]
    assert unheard.ado.item(first).rev == 1


# What no hook told, through the clients that are used in earnest.


def paths_called(pair: Pair) -> list[str]:
    return [call.path.rpartition("/")[2] for call in pair.ado.calls]


def run_by_timer(pair: Pair) -> None:
    """Have the timer's run go through all organizations, and wait until it is done with this one."""
    said, since = f"outcome=reconciled organization={pair.slug} ", pair.app.log_size()
    pair.app.run_now("reconcile")
    eventually(lambda: said in pair.app.log(since))


def test_the_timer_asks_what_changed_and_not_how_everything_stands(unheard: Pair) -> None:
    pairs = [unheard.linked() for _ in range(3)]
    run_by_timer(unheard)
    assert "workitemsbatch" in paths_called(unheard)
    unheard.rest()
    before = len(unheard.ado.calls)
    unheard.ado.edit(pairs[0][1], **{STATE: "Closed"})
    unheard.ado.edit(pairs[1][1], **{"System.AssignedTo": ANN})
    unheard.ado.delete(pairs[2][1])
    unheard.app.run_now("reconcile")
    eventually(lambda: unheard.status(pairs[0][0]) == "resolved")
    eventually(lambda: unheard.issue_assignee(pairs[1][0]) == ANN)
    eventually(lambda: unheard.health(*pairs[2]) == ("attention", "work-item-gone"))
    called = paths_called(unheard)[before:]
    assert (called[0], "workitemsbatch" in called) == ("workitemrevisions", False)


def test_an_item_that_moved_is_known_by_its_new_project(unheard: Pair) -> None:
    issue_id, item = unheard.linked()
    reconcile(unheard)
    unheard.ado.move(item, "Tailored")
    unheard.app.run_now("reconcile")
    eventually(lambda: unheard.links()[0]["project_id"] == unheard.ado.project_id("Tailored"))
    unheard.sentry.resolve(issue_id)
    unheard.app.run_now("reconcile")
    eventually(lambda: unheard.state(item) != "New")


def test_a_revision_that_shows_up_late_is_not_lost(unheard: Pair) -> None:
    issue_id, item = unheard.linked()
    reconcile(unheard)
    unheard.ado.revision_log.lag = 3600.0
    unheard.ado.edit(item, **{STATE: "Closed"})
    run_by_timer(unheard)
    unheard.ado.revision_log.show_all()
    unheard.app.run_now("reconcile")
    eventually(lambda: unheard.status(issue_id) == "resolved")


@pytest.mark.parametrize(
    ("modes", "kind"),
    [
        (FeedModes(lost_token=400), "feed-token-refused"),
        (FeedModes(lost_token=404), "feed-token-refused"),
        (FeedModes(refusal=404), "feed-unsupported"),
        (FeedModes(refusal=403), "feed-forbidden"),
    ],
)
def test_what_the_feed_cannot_tell_is_looked_for_in_the_same_run(
    unheard: Pair, modes: FeedModes, kind: str
) -> None:
    issue_id, item = unheard.linked()
    reconcile(unheard)
    unheard.ado.revision_log.forget_tokens()
    unheard.ado.feed_modes = modes
    for state, status in (("Closed", "resolved"), ("Active", "unresolved"), ("Closed", "resolved")):
        unheard.ado.edit(item, **{STATE: state})
        unheard.app.run_now("reconcile")
        eventually(lambda status=status: unheard.status(issue_id) == status)  # type: ignore[misc]
        unheard.rest()
    said = f"outcome=noted organization={unheard.slug} part=feed kind={kind}"
    # A run goes through the organizations of other tests as well, and tells in its order.
    eventually(lambda: said in unheard.app.log())
    assert unheard.app.log().count(said) == 1
    health = unheard.app.health()
    notes = [each for each in health.get("notes", []) if kind in each]
    assert len(notes) == (0 if kind == "feed-token-refused" else 1)
    # Of this organization alone: the health names those of other tests as well.
    kinds = {each["kind"] for each in unheard.ask("GET", "status").json()["problems"]}
    assert "unauthorized" not in kinds


def test_a_forbidden_project_hides_no_other(unheard: Pair) -> None:
    unheard.sentry.add_project("secret")
    hidden = unheard.sentry.add_issue(project="secret", announce=False).id, unheard.ado.add_item().id
    unheard.link(*hidden)
    others = [unheard.linked() for _ in range(4)]
    unheard.sentry.forbid_project("secret")
    for issue_id, _ in others:
        unheard.sentry.resolve(issue_id)
    unheard.app.run_now("reconcile")
    eventually(lambda: {unheard.state(item) for _, item in others} == {"Closed"})
    eventually(lambda: unheard.health(*hidden) == ("attention", "forbidden"))


def test_what_was_merged_or_deleted_in_sentry_is_found(unheard: Pair) -> None:
    merged, gone = unheard.linked(), unheard.linked()
    survivor = unheard.sentry.add_issue(announce=False).id
    unheard.sentry.merge(merged[0], into=survivor)
    unheard.sentry.delete(gone[0])
    unheard.app.run_now("reconcile")
    eventually(lambda: unheard.health(*gone) == ("attention", "issue-gone"))
    eventually(lambda: [each["issue_id"] for each in unheard.links()] == [survivor, gone[0]])
    unheard.sentry.resolve(survivor)
    unheard.app.run_now("reconcile")
    eventually(lambda: unheard.state(merged[1]) == "Closed")


def link_at_rest(pair: Pair, issue_id: str, count: int) -> None:
    """Link as many new work items to an issue, by writing the rows that linking them would leave."""
    links = LinkStore(
        AzureTable(
            table_service(StorageAccount(connection_string=pair.app.storage)).get_table_client("synclinks")
        )
    )
    issue, epoch = IssueSide(IssueStatus.UNRESOLVED), pair.organization.epoch
    for _ in range(count):
        item = pair.ado.add_item()
        seen = Ends(issue, ItemSide(item.rev, item.state, IssueStatus.UNRESOLVED))
        project_id = pair.ado.project_id(item.project)
        links.add(IssueLink(pair.slug, issue_id, item.id, project_id, "Bug", seen, epoch=epoch))
