"""People with several addresses, accounts without any, teams, and what is said when somebody is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.errors import Forbidden, NotAssignable, NotFound, Refused
from shared.domain.model import (
    ASSIGNEE_UNREADABLE,
    Health,
    IssueStatus,
    Person,
    SentryIssue,
    Side,
    Stranger,
)
from tests.unit.scene import ANN, BOB, ISSUE, ITEM, Died, Scene

STATE, ASSIGNED_TO = "System.State", "System.AssignedTo"
RESOLVED = IssueStatus.RESOLVED
HOME, CORP = "dora@home.example", "dora@corp.example"
A_TRY = 300.0


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def dora(scene: Scene) -> Scene:
    """Azure DevOps knows her by an address that is not her primary one in Sentry."""
    scene.sentry.add_member(HOME, other_emails=("dora@third.example", CORP))
    scene.ado.add_person("Dora", CORP)
    return scene


def assignees(scene: Scene) -> tuple[object, object]:
    return scene.sentry.get_issue(ISSUE).assignee, scene.ado.item(ITEM).assignee


def reasons(scene: Scene) -> list[str | None]:
    return [each.reason for each in scene.entries()]


# Several addresses.


def test_every_verified_address_is_tried_and_the_one_that_works_is_remembered(dora: Scene) -> None:
    dora.sentry.assign(ISSUE, HOME)
    assert dora.outbound() == ["applied"]
    assert assignees(dora) == (Person(HOME), Person(CORP))
    assert (dora.calls.made.count("update_work_item"), dora.health) == (3, Health())
    dora.sentry.assign(ISSUE, ANN)
    dora.outbound()
    dora.calls.made.clear()
    dora.sentry.assign(ISSUE, HOME)
    dora.outbound()
    assert (assignees(dora), dora.calls.made.count("update_work_item")) == ((Person(HOME), Person(CORP)), 1)
    assert dora.inbound(dora.ado.item(ITEM)) == ["echo"]


def test_an_instance_that_remembers_nothing_pays_with_calls_alone(dora: Scene) -> None:
    dora.sentry.assign(ISSUE, HOME)
    dora.services._names._kept.clear()
    assert dora.outbound() == ["applied"]
    assert assignees(dora) == (Person(HOME), Person(CORP))


def test_a_person_who_is_unknown_under_all_addresses_holds_no_status_up(dora: Scene) -> None:
    dora.sentry.add_member("eve@home.example", other_emails=("eve@corp.example",))
    dora.sentry.assign(ISSUE, "eve@home.example")
    dora.sentry.resolve(ISSUE)
    assert dora.outbound() == ["refused"]
    assert (dora.state, dora.health.reason, dora.row.owed) == ("Closed", "assignee-not-found", Side.ADO)
    dora.ado.add_person("Eve", "eve@corp.example")
    dora.now += A_TRY
    assert dora.outbound() == ["applied"]
    assert (dora.ado.item(ITEM).assignee, dora.health) == (Person("eve@corp.example"), Health())


@pytest.mark.parametrize("on_conflict", [Side.ADO, Side.SENTRY])
def test_one_person_on_both_sides_is_no_conflict(dora: Scene, on_conflict: Side) -> None:
    dora.configure(on_conflict=on_conflict)
    dora.sentry.assign(ISSUE, HOME)
    assert dora.inbound(dora.ado.edit(ITEM, **{ASSIGNED_TO: CORP})) == ["agreed"]
    assert (dora.outcomes(), "update_work_item" in dora.calls.made) == (["agreed"], False)


def test_who_is_already_assigned_there_is_not_assigned_again(dora: Scene) -> None:
    dora.sentry.assign(ISSUE, HOME)
    dora.outbound()
    dora.sentry.assign(ISSUE, ANN)
    dora.outbound()
    dora.sentry.assign(ISSUE, HOME)
    dora.ado.edit(ITEM, **{ASSIGNED_TO: CORP})
    assert dora.inbound() == ["agreed"]


def test_an_alias_may_stand_for_any_of_the_addresses(dora: Scene) -> None:
    dora.ado.add_person("Dora", "d@fabrikam.example")
    dora.configure(people={"d@fabrikam.example": CORP})
    dora.sentry.assign(ISSUE, HOME)
    assert dora.outbound() == ["applied"]
    assert assignees(dora) == (Person(HOME), Person("d@fabrikam.example"))
    dora.sentry.unassign(ISSUE)
    dora.outbound()
    assert dora.inbound(dora.ado.edit(ITEM, **{ASSIGNED_TO: "d@fabrikam.example"})) == ["applied"]
    assert assignees(dora)[0] == Person(HOME)


@pytest.mark.parametrize("wins", list(Side))
def test_who_is_assigned_where_sentry_shows_no_addresses_is_who_was_chosen(scene: Scene, wins: Side) -> None:
    """With enhanced privacy its issues show nobody's address, though its list of members does."""
    scene.configure(on_conflict=wins)
    labels = {ANN: "7", BOB: "8"}

    def hidden(call: Callable[..., SentryIssue]) -> Callable[..., SentryIssue]:
        def answer(*arguments: Any) -> SentryIssue:
            issue = call(*arguments)
            if not isinstance(issue.assignee, Person):
                return issue
            return replace(issue, assignee=Stranger(ASSIGNEE_UNREADABLE, labels[issue.assignee.email]))

        return answer

    sentry = scene.sentry
    for name in ("get_issue", "set_assignee"):
        setattr(sentry, name, hidden(getattr(sentry, name)))
    for person in (ANN, BOB):
        assert scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: person})) == ["applied"]
        assert sentry._issues[ISSUE].assignee == Person(person)
        scene.now += 100.0
        assert scene.outbound() == ["settled"]


def test_whoever_may_not_read_members_knows_people_by_one_address(dora: Scene) -> None:
    dora.calls.meet("addresses_of", Forbidden("sentry", "HTTP 403", about="the members"))
    dora.sentry.assign(ISSUE, HOME)
    dora.sentry.resolve(ISSUE)
    assert dora.outbound() == ["refused"]
    assert (dora.state, dora.health.reason) == ("Closed", "assignee-not-found")


def test_a_list_of_members_that_is_not_there_holds_up_nothing(dora: Scene) -> None:
    dora.calls.meet("addresses_of", NotFound("list the members: HTTP 404"))
    dora.sentry.assign(ISSUE, HOME)
    dora.sentry.resolve(ISSUE)
    assert dora.outbound() == ["refused"]
    assert (dora.state, dora.health.reason) == ("Closed", "assignee-not-found")


def test_a_worker_that_dies_after_one_of_the_addresses_was_accepted_is_made_up_for(dora: Scene) -> None:
    dora.link("200")
    dora.sentry.assign(ISSUE, HOME)

    def dies(_item: object) -> None:
        dora.watched_ado.rule = lambda _item: None
        raise Died

    dora.watched_ado.rule = dies
    with pytest.raises(Died):
        dora.outbound()
    dora.now += 120.0
    dora.outbound()
    assert (assignees(dora), dora.row.claim, dora.health) == ((Person(HOME), Person(CORP)), None, Health())
    # What we wrote for one link is no edit for the other.
    dora.outbound("200")
    dora.inbound(dora.ado.item(ITEM))
    assert dora.sentry.get_issue("200").assignee is None


def test_who_goes_by_one_address_on_both_sides_is_looked_up_nowhere(scene: Scene) -> None:
    scene.sentry.assign(ISSUE, ANN)
    assert scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN})) == ["agreed"]
    assert scene.calls.made == ["get_issue"]


def test_nothing_is_remembered_of_a_person_with_one_name(scene: Scene) -> None:
    scene.sentry.assign(ISSUE, ANN)
    assert scene.outbound() == ["applied"]
    observer = scene.services.settler(scene.organization).observer
    assert observer.names.find(observer.scope, ANN) is None


# Accounts without an address.


@pytest.fixture
def account(scene: Scene) -> Scene:
    scene.ado.add_person("Ann Archer", "CORP\\Ann")
    scene.configure(people={"corp\\ann": ANN})
    return scene


def test_an_account_that_people_name_travels_both_ways(account: Scene) -> None:
    assert account.inbound(account.ado.edit(ITEM, **{ASSIGNED_TO: "CORP\\Ann"})) == ["applied"]
    assert account.sentry.get_issue(ISSUE).assignee == Person(ANN)
    account.sentry.unassign(ISSUE)
    account.outbound()
    account.sentry.assign(ISSUE, ANN)
    assert account.outbound() == ["applied"]
    assert account.ado.item(ITEM).assignee == account.row.seen.item.assignee is not None
    assert (account.inbound(account.ado.item(ITEM)), account.health) == (["echo"], Health())


def test_an_account_that_nobody_names_is_a_stranger(account: Scene) -> None:
    account.ado.add_person("Eve", "CORP\\eve")
    assert account.inbound(account.ado.edit(ITEM, **{ASSIGNED_TO: "CORP\\eve"})) == ["skipped"]
    assert reasons(account) == ["assignee-unreadable"]


def test_the_same_person_as_an_account_is_no_conflict(account: Scene) -> None:
    account.sentry.assign(ISSUE, ANN)
    assert account.inbound(account.ado.edit(ITEM, **{ASSIGNED_TO: "CORP\\Ann"})) == ["agreed"]


# Teams.


def test_nobody_in_azure_devops_takes_no_team_off_an_issue(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN}))
    scene.sentry.assign_team(ISSUE, "frontend")
    assert scene.outbound() == ["skipped"]
    team = scene.sentry.get_issue(ISSUE).assignee
    assert scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: ""})) == ["skipped"]
    assert assignees(scene) == (team, None)
    assert [each.reason for each in scene.entries() if each.outcome == "skipped"] == ["team-assignee"] * 2


@pytest.mark.parametrize("on_conflict", [Side.ADO, Side.SENTRY])
def test_a_team_stays_in_a_conflict_with_nobody(scene: Scene, on_conflict: Side) -> None:
    scene.configure(on_conflict=on_conflict)
    scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN}))
    scene.sentry.assign_team(ISSUE, "frontend")
    team = scene.sentry.get_issue(ISSUE).assignee
    assert scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: ""})) == ["skipped"]
    assert assignees(scene) == (team, None)


def test_a_person_whom_somebody_chose_in_azure_devops_takes_over_from_a_team(scene: Scene) -> None:
    scene.sentry.assign_team(ISSUE, "frontend")
    scene.outbound()
    assert scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: BOB})) == ["applied"]
    assert assignees(scene) == (Person(BOB), Person(BOB))


# What is said.


def test_a_rule_about_the_assignee_is_told_in_its_own_words_and_tried_again(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN}))
    scene.sentry.unassign(ISSUE)
    scene.calls.meet("update_work_item", Refused("ado", "TF401320: Rule Error for field Assigned To."))
    assert scene.outbound() == ["refused"]
    assert (scene.health.reason, scene.row.owed) == ("refused", Side.ADO)
    [refusal] = [each for each in scene.entries() if each.outcome == "refused"]
    assert refusal.reason == "refused: TF401320: Rule Error for field Assigned To."
    # Another look changes neither the reason nor the words.
    scene.ado.edit(ITEM, **{"System.Title": "Renamed"})
    scene.inbound(scene.ado.item(ITEM))
    assert scene.health.detail == "TF401320: Rule Error for field Assigned To."
    scene.now += A_TRY
    assert scene.outbound() == ["applied"]
    assert (assignees(scene), scene.health) == ((None, None), Health())


def test_a_reason_that_only_a_newer_version_knows_keeps_nothing_from_being_settled(scene: Scene) -> None:
    row = scene.stored()
    owed = replace(row.link, owed=Side.ADO, owed_reason="assignee-suspended")
    scene.services.links.replace(row, owed)
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert (scene.state, scene.row.claim) == ("Closed", None)
    assert (scene.health.reason, scene.health.detail) == (
        "assignee-suspended",
        "the other side does not have the assignee",
    )


def test_an_ambiguous_person_is_told_as_such(scene: Scene) -> None:
    several = NotAssignable("sentry", "2 accounts have this address", kind="assignee-ambiguous")
    scene.calls.meet("set_assignee", several)
    assert scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN})) == ["refused"]
    assert (scene.health.reason, scene.row.owed_reason) == ("assignee-ambiguous", "assignee-ambiguous")
    assert reasons(scene) == ["assignee-ambiguous: 2 accounts have this address"]
    # It is owed, and nothing else waits for it.
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert (scene.state, scene.health.reason) == ("Closed", "assignee-ambiguous")
    scene.now += A_TRY
    assert scene.inbound() == ["applied"]
    assert scene.health == Health()


def test_a_link_of_an_older_version_says_what_it_said(scene: Scene) -> None:
    stored = scene.stored()
    scene.services.links.replace(stored, replace(stored.link, owed=Side.SENTRY))
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    assert scene.health.reason == "assignee-not-found"


NOBODY = NotAssignable("ado", "HTTP 400", kind="assignee-not-found", quoted="not in the list of values")


def test_a_refused_unassignment_is_about_nobody(scene: Scene) -> None:
    scene.sentry.assign(ISSUE, ANN)
    scene.outbound()
    scene.sentry.unassign(ISSUE)
    scene.calls.meet("update_work_item", NOBODY)
    assert scene.outbound() == ["refused"]
    assert (scene.health.reason, scene.row.owed) == ("refused", Side.ADO)
    assert "not in the list of values" in scene.health.detail


def test_a_state_that_is_refused_on_account_of_somebody_is_refused(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", NOBODY, NOBODY, NOBODY)
    assert scene.outbound() == ["refused"]
    assert (scene.health.reason, scene.row.owed) == ("refused", None)


def test_a_refused_unassignment_in_sentry_is_about_nobody(scene: Scene) -> None:
    scene.sentry.assign(ISSUE, ANN)
    scene.outbound()
    scene.calls.meet("set_assignee", replace_service(NOBODY, "sentry"))
    assert scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: ""})) == ["refused"]
    assert (scene.health.reason, scene.row.owed, scene.row.apart["assignee"]) == (
        "refused",
        Side.SENTRY,
        "refused",
    )


def replace_service(error: NotAssignable, service: str) -> NotAssignable:
    return NotAssignable(service, error.detail, kind=error.kind, quoted=error.quoted)
