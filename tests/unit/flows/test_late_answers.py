"""What another worker records between an answer and the reading of a row: no end goes back on its account."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from shared.ado.creation import NewWorkItem
from shared.domain.errors import Busy, MissingSetting, NotFound, Refused, Unavailable
from shared.domain.messages import InboundMessage, OutboundMessage
from shared.domain.model import HealthWord, IssueStatus
from shared.flows.creating import create_and_link
from shared.flows.linking import part, unlink
from shared.flows.syncing import sync_inbound, sync_outbound
from shared.services import Services
from shared.settling.settler import Settler
from shared.store.idempotency import creation_of
from shared.store.links import StoredLink
from shared.store.organizations import Organization
from shared.store.tables import Replace
from tests.doubles.services import MemoryServices
from tests.unit.overtaken import Overtaken, scene_on
from tests.unit.scene import ANN, ISSUE, ITEM, SLUG, STATE, Died, Scene

ELSEWHERE = "11111111-1111-1111-1111-111111111111"


@pytest.fixture
def links() -> Overtaken:
    return Overtaken()


@pytest.fixture
def scene(links: Overtaken) -> Scene:
    return scene_on(links)


def test_what_is_recorded_between_two_states_of_one_turn_stands(scene: Scene, links: Overtaken) -> None:
    """The first state is refused; a person closes the item; this worker then knows an item that is open."""
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", Refused("ado", "a rule says no"))
    links.is_meant = lambda text: "passed_over" in text and '"claim"' not in text
    links.after = lambda: scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    sync_inbound(InboundMessage(SLUG, ITEM, 0), scene.services)
    assert (scene.status, scene.state) == (IssueStatus.RESOLVED, "Closed")
    assert scene.outcomes() == ["refused", "agreed"]


def test_a_link_that_moved_is_settled_by_answers_of_its_own(scene: Scene, links: Overtaken) -> None:
    """A worker has asked for the item; the issue is merged, the item closed, and another one settles that."""
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.assign(ISSUE, ANN)

    def overtaken() -> None:
        scene.sentry.merge(ISSUE, into="200")
        scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))

    links.is_meant, links.before = lambda _text: True, overtaken
    sync_inbound(InboundMessage(SLUG, ITEM, 0), scene.services)
    assert (scene.sentry.get_issue("200").status, scene.state) == (IssueStatus.RESOLVED, "Closed")
    assert scene.stored("200").link.seen.item.rev == scene.ado.item(ITEM).rev


def test_the_rest_of_a_message_does_not_believe_an_issue_that_another_worker_saw_later(scene: Scene) -> None:
    scene.link(ISSUE, 32)
    scene.sentry.resolve(ISSUE)

    def other_worker() -> None:
        scene.now += 10.0
        sync_outbound(OutboundMessage(SLUG, ISSUE, only=("32",)), scene.services)

    def reopened_meanwhile() -> None:
        other_worker()
        scene.sentry.unresolve(ISSUE)
        other_worker()

    scene.calls.after("update_work_item", reopened_meanwhile)
    sync_outbound(OutboundMessage(SLUG, ISSUE, only=("31", "32")), scene.services)
    assert scene.status is IssueStatus.UNRESOLVED
    assert scene.ado.item(32).state == "New"
    assert scene.outcomes(ISSUE, 32) == ["applied", "applied"]


def test_many_that_were_left_are_read_a_few_at_a_time_and_all_are_settled(scene: Scene) -> None:
    numbers = range(32, 62)
    for number in numbers:
        scene.link(ISSUE, number)
    scene.sentry.resolve(ISSUE)
    only = tuple(map(str, numbers))
    assert sync_outbound(OutboundMessage(SLUG, ISSUE, only=only), scene.services) == ["applied"] * 30
    assert scene.calls.made.count("get_issue") == 3


def test_storage_that_fails_at_one_row_keeps_no_other_from_its_turn(scene: Scene, links: Overtaken) -> None:
    for number in (32, 33, 34):
        scene.link(ISSUE, number)
    scene.sentry.resolve(ISSUE)
    links.breaks_at = f"item!{32:016}!{ISSUE}"
    with pytest.raises(Unavailable):
        sync_outbound(OutboundMessage(SLUG, ISSUE, only=("33", "32", "34")), scene.services)
    assert [scene.ado.item(number).state for number in (33, 34)] == ["Closed", "Closed"]


def test_the_rest_of_a_message_asks_once_for_an_item_that_it_does_not_believe(scene: Scene) -> None:
    for number in range(200, 220):
        scene.link(str(number))
    item = scene.ado.edit(ITEM, **{STATE: "Closed"})
    elsewhere = replace(item, project_id=ELSEWHERE)
    only = tuple(map(str, range(200, 220)))
    message = InboundMessage(SLUG, ITEM, item.rev, snapshot=elsewhere, only=only)
    assert len(sync_inbound(message, scene.services)) == 20
    assert scene.calls.made.count("get_work_item") == 1


class Tokenless(MemoryServices):
    """Services without a token for Sentry."""

    def settler(self, organization: Organization) -> Settler:
        raise MissingSetting("SENTRY_TOKEN", f"to talk to Sentry for {organization.slug}")


def test_a_row_that_cannot_be_read_keeps_no_other_from_being_told_what_is_missing(
    scene: Scene, links: Overtaken
) -> None:
    scene.link("200")
    links.apply(SLUG, Replace(f"item!{ITEM:016}!{ISSUE}", "{", None))
    services: Services = Tokenless(scene.ado, scene.sentry, lambda: scene.now)
    services.__dict__.update(scene.services.__dict__)
    item = scene.ado.edit(ITEM, **{STATE: "Closed"})
    with pytest.raises(MissingSetting):
        sync_inbound(InboundMessage(SLUG, ITEM, item.rev, snapshot=item, only=(ISSUE, "200")), services)
    health = scene.stored("200").link.health
    assert (health.word, health.reason) == (HealthWord.ATTENTION, "missing-setting")


def new_bug(scene: Scene) -> NewWorkItem:
    project = scene.ado.catalog.project("Fabrikam-Fiber").id
    return NewWorkItem(project=project, work_item_type="Bug", title="Fix login", description="")


def test_a_worker_that_stands_still_behind_its_claim_creates_no_second_item(
    scene: Scene, links: Overtaken
) -> None:
    """The person submits the form again meanwhile."""
    scene.sentry.add_issue(issue_id="200")
    made: list[int] = []

    def stand_still() -> None:
        scene.now += 130.0
        made.append(create_and_link(scene.services, scene.organization, "200", new_bug(scene)).work_item_id)

    links.is_meant, links.after = lambda text: '"token"' in text, stand_still
    with pytest.raises(Busy):
        create_and_link(scene.services, scene.organization, "200", new_bug(scene))
    assert scene.ado.created() == made


def test_a_worker_that_stands_still_before_it_links_brings_nothing_back(scene: Scene) -> None:
    """The person submits the form again meanwhile, and unlinks what came of it."""
    scene.sentry.add_issue(issue_id="200")
    made: list[int] = []

    def stand_still() -> None:
        scene.now += 130.0
        made.append(create_and_link(scene.services, scene.organization, "200", new_bug(scene)).work_item_id)
        unlink(scene.services, scene.organization, "200", made[0])

    scene.calls.before("get_work_item", stand_still)  # as linking begins
    with pytest.raises(Busy):
        create_and_link(scene.services, scene.organization, "200", new_bug(scene))
    assert scene.ado.created() == made
    assert scene.services.links.for_issue(scene.organization.scope, "200") == []


def test_a_worker_that_stands_still_before_it_links_finds_the_link_of_another(scene: Scene) -> None:
    scene.sentry.add_issue(issue_id="200")
    made: list[int] = []

    def stand_still() -> None:
        scene.now += 130.0
        made.append(create_and_link(scene.services, scene.organization, "200", new_bug(scene)).work_item_id)

    scene.calls.before("get_work_item", stand_still)
    assert create_and_link(scene.services, scene.organization, "200", new_bug(scene)).work_item_id == made[0]
    assert scene.ado.created() == made


@pytest.mark.parametrize("lost", [False, True])
def test_what_could_not_be_linked_at_once_is_linked_by_the_next_try(
    scene: Scene, links: Overtaken, lost: bool
) -> None:
    """Nobody has to wait for the end of a claim, nor to look for the item."""
    scene.sentry.add_issue(issue_id="200")

    def fail() -> None:
        raise Unavailable("storage", "HTTP 500")

    links.is_meant = lambda text: '"work_item_id"' in text
    links.before, links.after = (lambda: None, fail) if lost else (fail, lambda: None)
    with pytest.raises(Unavailable):
        create_and_link(scene.services, scene.organization, "200", new_bug(scene))
    del scene.calls.made[:]
    again = create_and_link(scene.services, scene.organization, "200", new_bug(scene))
    assert scene.ado.created() == [again.work_item_id]
    assert "POST wiql" not in scene.calls.made
    assert [
        each.link.work_item_id for each in scene.services.links.for_issue(scene.organization.scope, "200")
    ] == [again.work_item_id]


def unlinked(scene: Scene, stored: StoredLink) -> None:
    unlink(scene.services, scene.organization, stored.link.issue_id, stored.link.work_item_id)


def parted(scene: Scene, stored: StoredLink) -> None:
    part(scene.services, scene.organization, stored, "removed-in-sentry")


@pytest.mark.parametrize("end", [unlinked, parted])
def test_that_an_item_was_created_for_an_issue_ends_with_their_link(
    scene: Scene, links: Overtaken, end: Callable[[Scene, StoredLink], None]
) -> None:
    """Whoever found that without a link would link the two again, which a person has parted."""
    scene.sentry.add_issue(issue_id="200")
    made = create_and_link(scene.services, scene.organization, "200", new_bug(scene))
    stored = scene.stored("200", made.work_item_id)

    def die() -> None:
        raise Died

    links.is_meant, links.after = lambda _text: True, die
    with pytest.raises(Died):
        end(scene, stored)
    assert scene.services.idempotency.find(scene.organization.scope, creation_of("200")) is None
    assert scene.services.links.for_issue(scene.organization.scope, "200") == []


def test_a_link_is_unlinked_though_its_creation_is_begun_anew_at_that_moment(
    scene: Scene, links: Overtaken
) -> None:
    scene.sentry.add_issue(issue_id="200")
    made = create_and_link(scene.services, scene.organization, "200", new_bug(scene))
    records, scope = scene.services.idempotency, scene.organization.scope

    def begin_anew() -> None:
        records.claim(scope, creation_of("200"), scene.now, redo=str(made.work_item_id))

    links.is_meant, links.before = lambda _text: True, begin_anew
    unlink(scene.services, scene.organization, "200", made.work_item_id)
    assert scene.services.links.for_issue(scope, "200") == []
    assert records.is_unfinished(scope, creation_of("200"))


def test_a_link_that_follows_a_merge_as_somebody_unlinks_it_is_not_said_to_be_gone(
    scene: Scene, links: Overtaken
) -> None:
    scene.sentry.add_issue(issue_id="200")

    def follow() -> None:
        scene.sentry.merge(ISSUE, into="200")
        scene.outbound()

    links.is_meant, links.before = lambda _text: True, follow
    with pytest.raises(NotFound):
        unlink(scene.services, scene.organization, ISSUE, ITEM)
    assert scene.stored("200").link.work_item_id == ITEM
    assert scene.services.links.find_remnant(scene.organization.scope, ISSUE, ITEM) is None
    assert "unlinked" not in scene.outcomes()


def test_a_link_is_unlinked_though_storage_repeats_the_removal(scene: Scene, links: Overtaken) -> None:
    """It answers that the rows are not there, which the first of the two has removed."""

    def lost() -> None:
        raise NotFound("no row")

    scene.now += 1.0
    scene.link("200")
    links.is_meant, links.after = lambda _text: True, lost
    unlink(scene.services, scene.organization, "200", ITEM)
    assert scene.outcomes("200")[-1] == "unlinked"
