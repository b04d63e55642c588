"""Who is meant: the reports of the field about people, and about teams, through real hooks of both sides."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.app import Pair

STATE, ASSIGNED_TO = "System.State", "System.AssignedTo"
ANN, BOB, CAROL = "ann@corp.example", "bob@corp.example", "carol@corp.example"
HOME, CORP = "dora@home.example", "dora@corp.example"


@pytest.fixture
def connected(pair: Pair) -> Pair:
    return pair.connect()


def does(pair: Pair, change: Callable[..., Any], *arguments: Any, **fields: Any) -> None:
    change(*arguments, **fields)
    pair.settle()


def last_reason(pair: Pair, issue_id: str, item: int) -> str:
    return str(pair.activity(issue_id, item)[0]["reason"])


# https://github.com/getsentry/sentry/issues/24323, https://github.com/getsentry/sentry/issues/72426
def test_an_address_that_somebody_only_claims_is_its_owners(connected: Pair) -> None:
    connected.sentry.add_member("mallory@corp.example", unverified_emails=(CAROL,))
    connected.sentry.add_member(CAROL)
    issue_id, item = connected.linked()
    does(connected, connected.ado.edit, item, **{ASSIGNED_TO: CAROL})
    assert connected.issue_assignee(issue_id) == CAROL


def test_an_address_that_is_only_claimed_is_nobodys(connected: Pair) -> None:
    connected.sentry.add_member("mallory@corp.example", unverified_emails=(CAROL,))
    issue_id, item = connected.linked()
    does(connected, connected.ado.edit, item, **{ASSIGNED_TO: CAROL})
    assert connected.issue_assignee(issue_id) is None
    assert connected.health(issue_id, item) == ("attention", "assignee-not-found")


# https://github.com/getsentry/sentry/issues/25345
@pytest.mark.parametrize("older", [{"email": CAROL}, {"email": "c@old.example", "other_emails": (CAROL,)}])
def test_of_two_accounts_of_a_person_the_one_in_a_team_is_meant(connected: Pair, older: Any) -> None:
    connected.sentry.add_member(**older, teams=())
    newer = connected.sentry.add_member(CAROL)
    issue_id, item = connected.linked()
    does(connected, connected.ado.edit, item, **{ASSIGNED_TO: CAROL})
    assert newer.user is not None
    assert connected.sentry.issue(issue_id)["assignedTo"]["id"] == str(newer.user.id)


def test_two_equal_accounts_are_nobody_and_that_is_said(connected: Pair) -> None:
    for _ in range(2):
        connected.sentry.add_member(CAROL)
    issue_id, item = connected.linked()
    does(connected, connected.ado.edit, item, **{ASSIGNED_TO: CAROL, STATE: "Closed"})
    assert (connected.status(issue_id), connected.issue_assignee(issue_id)) == ("resolved", None)
    assert connected.health(issue_id, item) == ("attention", "assignee-ambiguous")
    reasons = [str(each.get("reason")) for each in connected.activity(issue_id, item)]
    assert any("2 accounts have this address" in each for each in reasons)


# https://github.com/getsentry/self-hosted/issues/2772
def test_whoever_has_several_addresses_is_known_by_any_that_is_verified(connected: Pair) -> None:
    connected.sentry.add_member(HOME, other_emails=(CORP,))
    connected.ado.add_person("Dora", CORP)
    issue_id, item = connected.linked()
    does(connected, connected.sentry.assign, issue_id, HOME)
    assert connected.item_assignee(item) == CORP
    does(connected, connected.ado.edit, item, **{ASSIGNED_TO: ""})
    does(connected, connected.ado.edit, item, **{ASSIGNED_TO: CORP})
    assert connected.issue_assignee(issue_id) == HOME
    assert connected.health(issue_id, item) == ("settled", None)


def test_an_address_that_is_not_verified_goes_nowhere(connected: Pair) -> None:
    connected.sentry.add_member(HOME, unverified_emails=(CORP,))
    connected.ado.add_person("Dora", CORP)
    issue_id, item = connected.linked()
    does(connected, connected.sentry.assign, issue_id, HOME)
    assert connected.item_assignee(item) is None
    assert connected.health(issue_id, item) == ("attention", "assignee-not-found")


# https://github.com/getsentry/sentry/issues/66165
def test_unassigning_in_azure_devops_leaves_a_team_on_the_issue(connected: Pair) -> None:
    issue_id, item = connected.linked()
    does(connected, connected.ado.edit, item, **{ASSIGNED_TO: ANN})
    does(connected, connected.sentry.assign_team, issue_id, "frontend")
    does(connected, connected.ado.edit, item, **{ASSIGNED_TO: ""})
    assert connected.sentry.issue(issue_id)["assignedTo"]["type"] == "team"
    newest = connected.activity(issue_id, item)[0]
    assert (newest["outcome"], newest["reason"]) == ("skipped", "team-assignee")


# Accounts of a Server's domain have no address.
@pytest.mark.parametrize("key", ["CORP\\ann", " corp\\ANN ", "Ann Archer <CORP\\Ann>"])
def test_an_account_of_a_domain_is_whom_people_say_it_is(pair: Pair, key: str) -> None:
    pair.connect(people={key: ANN})
    pair.ado.add_person("Ann Archer", "CORP\\Ann")
    issue_id, item = pair.linked()
    does(pair, pair.ado.edit, item, **{ASSIGNED_TO: "CORP\\Ann"})
    assert pair.issue_assignee(issue_id) == ANN
    does(pair, pair.sentry.unassign, issue_id)
    pair.rest()
    does(pair, pair.sentry.assign, issue_id, ANN)
    assert pair.health(issue_id, item) == ("settled", None)
    assert str(pair.item_assignee(item)).lower() == "corp\\ann"


@pytest.mark.parametrize("key", ["Ann Archer", "ann", "\\ann", "CORP\\"])
def test_a_bare_name_is_refused_by_its_path(pair: Pair, key: str) -> None:
    answer = pair.configure(people={key: ANN})
    assert answer.status_code == 400
    assert "DOMAIN\\user" in answer.json()["errors"][f"people.{key}"]


# What is said of a refusal.


def refusing(pair: Pair, message: str) -> None:
    pair.ado.fail_next(1, 400, body={"message": message, "typeKey": "x"}, method="PATCH", path="workitems")


# https://github.com/nkdAgility/azure-devops-migration-tools/issues/1660
@pytest.mark.parametrize("number", ["VS402625: Dates must be increasing", "TF26071: changed by someone else"])
def test_a_race_that_is_answered_like_a_refusal_is_run_again(connected: Pair, number: str) -> None:
    issue_id, item = connected.linked()
    with connected.one_hook(issue_id):
        refusing(connected, number)
        connected.sentry.assign(issue_id, BOB)
        connected.sentry.resolve(issue_id)
    assert (connected.state(item), connected.item_assignee(item)) == ("Closed", BOB)
    assert connected.health(issue_id, item) == ("settled", None)


# https://github.com/bluebasher/WorkItemUpdater/issues/48
def test_a_rule_about_the_assignee_is_told_in_its_own_words(connected: Pair) -> None:
    issue_id, item = connected.linked()
    does(connected, connected.sentry.assign, issue_id, ANN)
    refusing(connected, "TF401320: Rule Error for field Assigned To. Error code: Required, InvalidEmpty.")
    does(connected, connected.sentry.assign, issue_id, BOB)
    assert connected.health(issue_id, item) == ("attention", "refused")
    assert last_reason(connected, issue_id, item).startswith("refused: ")
    assert "TF401320" in last_reason(connected, issue_id, item)
