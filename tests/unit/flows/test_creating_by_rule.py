"""One work item for an issue, however many rules fire, whoever dies, and whatever becomes of the issue."""

from collections.abc import Callable

import pytest

from shared.ado.creation import NewWorkItem
from shared.domain.errors import Busy, NotFound, Refused, Rejected, Throttled, Unauthorized, Unavailable
from shared.domain.messages import OutboundMessage, RuleAction
from shared.domain.model import IssueStatus, Person
from shared.domain.rules.back_links import Mark
from shared.flows.creating import create_and_link
from shared.flows.creating_by_rule import ALREADY_CREATED, ALREADY_LINKED, CREATED, create_by_rule
from shared.flows.linking import unlink
from shared.store.idempotency import rule_of
from shared.store.tables import Replace
from tests.unit.scene import ANN, ASSIGNED_TO, BOB, SLUG, STATE, Died, Scene

NEW, MERGED = "200", "201"
RULE = "New errors"
CREATE = "POST $Bug"


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    for issue_id in (NEW, MERGED):
        scene.sentry.add_issue(issue_id=issue_id)
    return scene


def fire(scene: Scene, issue_id: str = NEW, rule: str = RULE, project: str = "Fabrikam-Fiber") -> str:
    action = RuleAction(rule, scene.ado.catalog.project(project).id, "Bug")
    message = OutboundMessage(SLUG, issue_id, epoch=scene.organization.epoch, action=action)
    [outcome] = create_by_rule(message, scene.services)
    return outcome


def fire_again(scene: Scene, issue_id: str = NEW, rule: str = RULE) -> str:
    """Have the message come back as the queue brings it, when no dead worker's claim holds any more."""
    scene.now += 61.0
    return fire(scene, issue_id, rule)


def pairs(scene: Scene) -> list[tuple[str, int]]:
    links = (scene.services.links.for_issue(scene.organization.scope, each) for each in (NEW, MERGED))
    return [(each.link.issue_id, each.link.work_item_id) for found in links for each in found]


def die_at(scene: Scene, call: str, *, lands: bool = False) -> None:
    scene.calls.meet(call, Died(), lands=lands)
    with pytest.raises(Died):
        fire(scene)


def test_the_first_rule_creates_and_every_other_finds_the_link(scene: Scene) -> None:
    assert [fire(scene), fire(scene), fire(scene, rule="Many users")] == [
        CREATED,
        ALREADY_LINKED,
        ALREADY_LINKED,
    ]
    [made] = scene.ado.created()
    assert pairs(scene) == [(NEW, made)]


@pytest.mark.parametrize("lands", [True, False])
@pytest.mark.parametrize("error", [Died(), Unavailable("ado", "no answer")])
def test_a_lost_answer_makes_no_second_item(scene: Scene, error: BaseException, *, lands: bool) -> None:
    scene.calls.meet(CREATE, error, lands=lands)
    with pytest.raises((Died, Throttled)):
        fire(scene)
    with pytest.raises(Busy):
        fire(scene, rule="Many users")  # It may still be on its way.
    assert fire_again(scene) == CREATED
    [made] = scene.ado.created()
    assert pairs(scene) == [(NEW, made)]


@pytest.mark.parametrize("call", ["get_work_item", CREATE])
def test_what_was_begun_before_a_merge_is_finished_after_it(scene: Scene, call: str) -> None:
    die_at(scene, call, lands=True)
    scene.sentry.merge(NEW, into=MERGED)
    assert fire_again(scene) == CREATED
    [made] = scene.ado.created()
    assert pairs(scene) == [(MERGED, made)]
    assert fire_again(scene, MERGED) == ALREADY_LINKED


def test_what_it_was_merged_into_may_have_an_item_of_its_own_and_both_are_linked(scene: Scene) -> None:
    die_at(scene, CREATE, lands=True)
    scene.sentry.merge(NEW, into=MERGED)
    assert fire(scene, MERGED) == CREATED  # Nothing tells that another issue was merged into this one.
    assert fire_again(scene) == CREATED
    first, second = scene.ado.created()
    assert sorted(pairs(scene)) == [(MERGED, first), (MERGED, second)]


def test_what_a_rule_made_shows_its_issue_once_after_a_merge(scene: Scene) -> None:
    scene.configure(back_links=True)
    die_at(scene, CREATE, lands=True)
    scene.sentry.merge(NEW, into=MERGED)
    fire_again(scene)
    [made] = scene.ado.created()
    [(url, comment)] = scene.ado.hyperlinks(made)
    assert (NEW in url, comment) == (True, str(Mark.CREATED))
    [stored] = scene.services.links.for_issue(scene.organization.scope, MERGED)
    assert stored.link.back_links is not None
    assert stored.link.back_links.merged == (NEW,)


def test_nobody_brings_back_what_a_person_unlinked(scene: Scene) -> None:
    fire(scene)
    [made] = scene.ado.created()
    unlink(scene.services, scene.organization, NEW, made)
    assert [fire(scene), fire_again(scene, rule="Many users")] == [ALREADY_CREATED] * 2
    assert (scene.ado.created(), pairs(scene)) == ([made], [])


@pytest.mark.parametrize("comes_back_first", [True, False])
def test_what_a_dead_worker_linked_stays_unlinked_as_well(scene: Scene, *, comes_back_first: bool) -> None:
    """It died after the link was made and before that was on record."""
    die_at(scene, "get_work_item")
    [made] = scene.ado.created()
    scene.link(NEW, made)  # The last thing that it did.
    if comes_back_first:
        assert fire_again(scene) == CREATED
    unlink(scene.services, scene.organization, NEW, made)
    assert fire_again(scene) == ALREADY_CREATED
    assert (scene.ado.created(), pairs(scene)) == ([made], [])


def test_an_item_that_somebody_deleted_before_it_was_linked_is_not_missed(scene: Scene) -> None:
    die_at(scene, "get_work_item")
    [made] = scene.ado.created()
    scene.ado.delete(made)
    assert [fire_again(scene), fire_again(scene)] == [ALREADY_CREATED] * 2
    assert (scene.ado.created(), pairs(scene)) == ([made], [])


def test_whoever_stood_still_creates_nothing_once_another_may_have(scene: Scene) -> None:
    die_at(scene, CREATE)

    def stand_still() -> None:
        scene.now += 30.0

    scene.now += 61.0
    scene.watched_ado.slow = stand_still
    with pytest.raises(Busy):
        fire(scene)
    scene.watched_ado.slow = lambda: None
    assert scene.ado.created() == []
    assert fire_again(scene) == CREATED


@pytest.mark.parametrize("error", [Unavailable("ado", "HTTP 500"), Unauthorized("ado", "HTTP 401")])
def test_before_anything_can_have_been_created_the_next_need_not_wait(scene: Scene, error: Exception) -> None:
    scene.calls.meet("GET fields", error)
    with pytest.raises(Throttled):
        fire(scene)
    assert fire(scene, rule="Many users") == CREATED


def test_what_cannot_be_created_leaves_the_next_rule_free(scene: Scene) -> None:
    scene.calls.meet(CREATE, Refused("ado", "Rule Error"))
    with pytest.raises(Refused):
        fire(scene)
    with pytest.raises(Rejected):
        fire(scene, project="Basic Board")  # whose process has no bugs
    assert fire(scene) == CREATED


def test_an_outage_while_it_is_linked_does_not_hold_up_the_next(scene: Scene) -> None:
    scene.calls.meet("get_work_item", Unavailable("ado", "HTTP 500"))
    with pytest.raises(Throttled):
        fire(scene)
    assert fire(scene) == CREATED
    assert len(scene.ado.created()) == 1


def test_what_became_of_either_since_is_carried_over_at_once(scene: Scene) -> None:
    scene.sentry.assign(NEW, ANN)
    scene.sentry.resolve(NEW)
    fire(scene)
    [made] = scene.ado.created()
    assert (scene.ado.item(made).state, scene.ado.item(made).assignee) == ("Closed", Person(ANN))


def test_what_a_person_did_with_the_item_meanwhile_counts_too(scene: Scene) -> None:
    die_at(scene, "get_work_item")
    [made] = scene.ado.created()
    scene.ado.edit(made, **{STATE: "Closed", ASSIGNED_TO: BOB})
    scene.sentry.add_member(BOB)
    assert fire_again(scene) == CREATED
    issue = scene.sentry.get_issue(NEW)
    assert (issue.status, issue.assignee) == (IssueStatus.RESOLVED, Person(BOB))


def test_an_archived_issue_stays_archived(scene: Scene) -> None:
    scene.sentry.archive(NEW)
    fire(scene)
    [made] = scene.ado.created()
    assert scene.sentry.get_issue(NEW).status is IssueStatus.IGNORED
    assert scene.ado.item(made).state == "New"


def test_nothing_is_created_for_a_connection_that_has_ended(scene: Scene) -> None:
    """Its records go with it, so nothing tells what was created before."""
    services, organization = scene.services, scene.organization

    def disconnect() -> None:
        scene.watched_ado.slow = lambda: None
        services.organizations.remove(organization)

    scene.watched_ado.slow = disconnect
    with pytest.raises(NotFound):
        fire(scene)
    assert scene.ado.created() == []


def before_it_is_stored(scene: Scene, happens: Callable[[], object]) -> None:
    """Have something happen after both ends were read for a link, and before that is stored."""
    scene.calls.before("get_work_item", lambda: scene.calls.after("get_issue", happens))


@pytest.mark.parametrize("call", ["GET fields", "get_work_item"])
def test_whoever_stood_still_brings_back_nothing_that_a_person_unlinked(scene: Scene, call: str) -> None:
    def link_and_part() -> None:
        scene.now += 61.0
        assert fire(scene, rule="Many users") == CREATED
        [(_, made)] = pairs(scene)
        unlink(scene.services, scene.organization, NEW, made)

    scene.calls.before(call, link_and_part)
    with pytest.raises(Busy):
        fire(scene)
    assert fire(scene) == ALREADY_CREATED
    assert (len(scene.ado.created()), pairs(scene)) == (1, [])


def test_whoever_stood_still_links_nothing_under_an_id_that_the_issue_had(scene: Scene) -> None:
    def merge_and_link() -> None:
        scene.now += 61.0
        scene.sentry.merge(NEW, into=MERGED)
        assert fire(scene) == CREATED

    before_it_is_stored(scene, merge_and_link)
    with pytest.raises(Busy):
        fire(scene)
    [made] = scene.ado.created()
    assert (fire(scene), pairs(scene)) == (ALREADY_LINKED, [(MERGED, made)])


def test_the_link_and_the_mark_that_the_rule_is_done_are_one(scene: Scene) -> None:
    fire(scene)
    [made] = scene.ado.created()
    records, scope = scene.services.idempotency, scene.organization.scope
    assert records.find(scope, rule_of(NEW)) == str(made)
    [entry] = scene.services.activity.page(scope, NEW, made, None, 10).entries
    assert (entry.outcome, entry.reason) == ("linked", f"rule: {RULE}")


def test_an_item_that_a_person_linked_meanwhile_is_marked_as_done(scene: Scene) -> None:
    def link_by_hand() -> None:
        [made] = scene.ado.created()
        scene.link(NEW, made)

    before_it_is_stored(scene, link_by_hand)
    assert fire(scene) == CREATED
    [made] = scene.ado.created()
    assert scene.services.idempotency.find(scene.organization.scope, rule_of(NEW)) == str(made)


def test_what_a_rule_did_for_an_issue_is_done_for_the_one_into_which_it_is_merged(scene: Scene) -> None:
    assert fire(scene) == CREATED
    [made] = scene.ado.created()
    scene.sentry.merge(NEW, into=MERGED)
    scene.outbound(NEW)
    assert pairs(scene) == [(MERGED, made)]
    unlink(scene.services, scene.organization, MERGED, made)
    assert fire_again(scene, MERGED) == ALREADY_CREATED
    assert (scene.ado.created(), pairs(scene)) == ([made], [])


def test_it_is_done_for_that_one_though_it_is_linked_to_the_same_item(scene: Scene) -> None:
    assert fire(scene) == CREATED
    [made] = scene.ado.created()
    scene.link(MERGED, made)
    scene.sentry.merge(NEW, into=MERGED)
    scene.outbound(NEW)
    assert pairs(scene) == [(MERGED, made)]
    unlink(scene.services, scene.organization, MERGED, made)
    assert fire_again(scene, MERGED) == ALREADY_CREATED


def moved(scene: Scene) -> None:
    scene.sentry.merge(NEW, into=MERGED)
    scene.outbound(NEW)


@pytest.mark.parametrize("call", ["GET fields", CREATE])
@pytest.mark.parametrize("trouble", [Died(), Unavailable("ado", "no answer")])
def test_what_a_rule_did_is_done_for_the_other_issue_though_one_had_begun_for_that(
    scene: Scene, call: str, trouble: BaseException
) -> None:
    assert fire(scene) == CREATED
    [made] = scene.ado.created()
    scene.sentry.merge(NEW, into=MERGED)
    scene.calls.meet(call, trouble)
    with pytest.raises(Died if isinstance(trouble, Died) else Throttled):
        fire(scene, MERGED)
    scene.outbound(NEW)
    assert fire_again(scene, MERGED) == ALREADY_LINKED
    assert pairs(scene) == [(MERGED, made)]
    unlink(scene.services, scene.organization, MERGED, made)
    assert fire_again(scene, MERGED) == ALREADY_CREATED
    assert (scene.ado.created(), pairs(scene)) == ([made], [])


def test_what_a_rule_did_is_done_for_the_other_issue_though_one_is_at_it_for_that(scene: Scene) -> None:
    assert fire(scene) == CREATED
    [made] = scene.ado.created()
    scene.calls.before("GET fields", lambda: moved(scene))
    with pytest.raises(Busy):
        fire(scene, MERGED)
    assert fire_again(scene, MERGED) == ALREADY_LINKED
    unlink(scene.services, scene.organization, MERGED, made)
    assert fire_again(scene, MERGED) == ALREADY_CREATED
    assert (scene.ado.created(), pairs(scene)) == ([made], [])


def test_what_a_rule_began_for_the_other_issue_is_found_after_the_merge(scene: Scene) -> None:
    assert fire(scene) == CREATED
    scene.calls.meet(CREATE, Died(), lands=True)
    with pytest.raises(Died):
        fire(scene, MERGED)
    moved(scene)
    assert fire_again(scene, MERGED) == CREATED
    assert pairs(scene) == [(MERGED, each) for each in scene.ado.created()]


def test_whoever_stood_still_behind_its_look_at_the_issue_creates_nothing(scene: Scene) -> None:
    """The issue is linked all along, by the time under the id into which it was merged."""
    scene.link(NEW)

    def stand_still() -> None:
        scene.now += 130.0
        moved(scene)

    scene.calls.after("get_issue", stand_still)
    with pytest.raises(Busy):
        fire(scene)
    assert fire_again(scene) == ALREADY_LINKED
    assert scene.ado.created() == []


def test_an_item_that_was_parted_before_is_not_taken_for_the_rules(scene: Scene) -> None:
    new = NewWorkItem(scene.ado.catalog.project("Fabrikam-Fiber").id, "Bug", "Fix login", "")
    by_form = create_and_link(scene.services, scene.organization, NEW, new)
    unlink(scene.services, scene.organization, NEW, by_form.work_item_id)
    scene.now += 60.0
    die_at(scene, "GET fields")
    assert fire_again(scene) == CREATED
    assert len(scene.ado.created()) == 2


def test_an_issue_whose_link_cannot_be_read_is_linked(scene: Scene) -> None:
    scene.link(NEW)
    links = scene.services._named["links"]
    [row] = [each for each in links.scan(SLUG, "item!", "item!~") if each.key.endswith(f"!{NEW}")]
    links.apply(SLUG, Replace(row.key, "{", None))
    assert fire(scene) == ALREADY_LINKED
    assert scene.ado.created() == []
