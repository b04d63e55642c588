"""What the form in Sentry does where a link is there already."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from shared.ado.creation import NewWorkItem
from shared.domain.errors import Forbidden, NotFound, Refused, SyncError, Unavailable
from shared.domain.messages import InboundMessage
from shared.domain.model import BackLinks, IssueStatus, Person
from shared.domain.rules.entries import REMOVED_IN_SENTRY, REPLACED
from shared.flows.back_links import LOST_AFTER
from shared.flows.creating import _take_place, create_and_link, link_by_form
from shared.flows.linking import Initial, part, unlink
from shared.flows.syncing import sync_inbound
from tests.unit.overtaken import Overtaken, scene_on
from tests.unit.scene import BOB, ISSUE, ITEM, SLUG, STATE, Died, Scene

NEW, FIRST, SECOND = "200", 41, 42


@pytest.fixture
def links() -> Overtaken:
    return Overtaken()


@pytest.fixture
def scene(links: Overtaken) -> Scene:
    scene = scene_on(links)
    scene.sentry.add_issue(issue_id=NEW)
    for item in (FIRST, SECOND):
        scene.ado.add_item("Another", item)
    return scene


def linked(scene: Scene) -> list[int]:
    found = scene.services.links.for_issue(scene.organization.scope, NEW)
    return [each.link.work_item_id for each in found]


def settled(scene: Scene, work_item_id: int) -> None:
    item = scene.ado.edit(work_item_id, **{STATE: "Closed"})
    sync_inbound(InboundMessage(SLUG, work_item_id, item.rev, snapshot=item), scene.services)


def create(
    scene: Scene, work_item_type: str = "Bug", initial: Initial | None = None, *, repeats: bool = False
) -> int:
    project = scene.ado.catalog.project("Fabrikam-Fiber").id
    new = NewWorkItem(project, work_item_type, "Fix login", "")
    made = create_and_link(scene.services, scene.organization, NEW, new, initial, repeats=repeats)
    return made.work_item_id


def unlinked_here(scene: Scene, work_item_id: int) -> None:
    unlink(scene.services, scene.organization, NEW, work_item_id)


def removed_in_sentry(scene: Scene, work_item_id: int) -> None:
    part(scene.services, scene.organization, scene.stored(NEW, work_item_id), REMOVED_IN_SENTRY)


def test_a_link_that_is_there_becomes_the_forms(scene: Scene) -> None:
    assert scene.row.form is None
    made = link_by_form(scene.services, scene.organization, ISSUE, ITEM)
    assert made.form is not None
    assert scene.row.form == made.form


def test_a_side_that_is_chosen_is_copied_over_a_link_that_is_there(scene: Scene) -> None:
    scene.configure(issue_sync=False)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.inbound()
    assert scene.status is IssueStatus.UNRESOLVED
    link_by_form(scene.services, scene.organization, ISSUE, ITEM)
    assert scene.status is IssueStatus.UNRESOLVED
    for _ in range(2):  # submitted twice
        link_by_form(scene.services, scene.organization, ISSUE, ITEM, "ado")
        assert (scene.status, scene.state) == (IssueStatus.RESOLVED, "Closed")


def test_an_issue_that_was_merged_is_found_under_its_new_id(scene: Scene) -> None:
    scene.sentry.add_issue(issue_id="200")
    scene.link("200", ITEM)
    scene.sentry.merge(ISSUE, into="200")
    assert link_by_form(scene.services, scene.organization, ISSUE, ITEM).issue_id == "200"


@pytest.mark.parametrize("initial", [None, "sentry"])
@pytest.mark.parametrize("trouble", [Unavailable("ado", "no connection"), Died()])
def test_what_a_form_asks_for_is_done_though_linking_failed_the_first_time(
    scene: Scene, trouble: BaseException, initial: Initial | None
) -> None:
    scene.sentry.add_member(BOB)
    scene.ado.add_person("Bob", BOB)
    scene.sentry.assign(NEW, BOB)
    if initial:
        scene.sentry.resolve(NEW)
    scene.calls.meet("get_work_item", trouble)
    with pytest.raises(type(trouble)):
        create(scene, initial=initial)
    scene.now += 61.0
    made = create(scene, initial=initial)
    assert (scene.ado.created(), linked(scene)) == ([made], [made])
    assert scene.ado.item(made).assignee == Person(BOB)
    assert scene.ado.item(made).state == ("Closed" if initial else "New")


@pytest.mark.parametrize(("repeats", "state"), [(False, "Closed"), (True, "New")])
def test_a_form_that_was_answered_before_copies_nothing_anew(scene: Scene, repeats: bool, state: str) -> None:
    made = create(scene)
    scene.sentry.resolve(NEW)
    scene.now += 5.0
    assert create(scene, initial="sentry", repeats=repeats) == made
    assert scene.ado.item(made).state == state


@pytest.mark.parametrize("end", [unlinked_here, removed_in_sentry])
@pytest.mark.parametrize("trouble", [Unavailable("ado", "no connection"), Died()])
def test_what_was_parted_before_is_not_taken_for_what_is_asked_for_now(
    scene: Scene, end: Callable[[Scene, int], None], trouble: BaseException
) -> None:
    """The first one was created so little before that its date may be of a clock that is behind."""
    first = create(scene)
    scene.now += 60.0
    end(scene, first)
    scene.now += 60.0
    scene.calls.meet("POST $Task", trouble)
    with pytest.raises(type(trouble)):
        create(scene, "Task")
    scene.now += 61.0
    second = create(scene, "Task")
    assert scene.ado.created() == [first, second]
    assert linked(scene) == [second]


def test_the_link_that_a_form_replaces_ends_though_a_worker_settles_it_at_that_moment(
    scene: Scene, links: Overtaken
) -> None:
    link_by_form(scene.services, scene.organization, NEW, FIRST)
    scene.now += 60.0
    links.is_meant = lambda text: text.startswith(f"item!{FIRST:016}!")
    links.before = lambda: settled(scene, FIRST)
    link_by_form(scene.services, scene.organization, NEW, SECOND)
    assert linked(scene) == [SECOND]


def test_the_link_that_a_form_replaces_is_told_to_have_ended_though_storage_repeats_its_removal(
    scene: Scene, links: Overtaken
) -> None:
    scene.configure(back_links=True)
    link_by_form(scene.services, scene.organization, NEW, FIRST)
    scene.now += 60.0
    links.is_meant = lambda text: text.startswith(f"item!{FIRST:016}!")
    links.repeats = True
    link_by_form(scene.services, scene.organization, NEW, SECOND)
    assert linked(scene) == [SECOND]
    assert scene.outcomes(NEW, FIRST) == ["unlinked"]


@pytest.mark.parametrize("end", ["unlinked", "moved", "taken in"])
@pytest.mark.parametrize("is_shown", [True, False])
def test_a_form_tells_nothing_of_a_link_that_somebody_else_ended(
    scene: Scene, end: str, is_shown: bool
) -> None:
    """Whoever unlinks tells of it once the link is gone; whom a merge moves tells another thing."""
    scene.configure(back_links=is_shown)
    link_by_form(scene.services, scene.organization, NEW, FIRST)
    stored = scene.stored(NEW, FIRST)
    scene.now += 60.0
    if end == "taken in":
        scene.link("300", FIRST)
        scene.now += 60.0
    if end == "unlinked":
        scene.services.links.discard(scene.organization.scope, NEW, FIRST)
    else:
        scene.services.links.move(stored, "300")
    with pytest.raises(NotFound):
        part(scene.services, scene.organization, stored, REPLACED)
    assert scene.outcomes(NEW, FIRST) == []


@pytest.mark.parametrize(("moment", "stays"), [("before", FIRST), ("after", SECOND)])
def test_of_two_forms_at_once_the_link_that_is_stored_last_stays(
    scene: Scene, links: Overtaken, moment: str, stays: int
) -> None:
    """The other form comes between the time that this one gives its link and its storing, or its look."""

    def another() -> None:
        scene.now += 1.0
        link_by_form(scene.services, scene.organization, NEW, SECOND)

    links.is_meant = lambda text: f'"work_item_id":{FIRST}' in text
    setattr(links, moment, another)
    link_by_form(scene.services, scene.organization, NEW, FIRST)
    assert linked(scene) == [stays]


@pytest.mark.parametrize("key", [f"item!{FIRST:016}!{NEW}", f"item!{SECOND:016}!{NEW}"])
def test_of_two_forms_that_see_each_other_one_link_stays(scene: Scene, links: Overtaken, key: str) -> None:
    """Right before the one parts the other, or says that it is the latest, the other one looks as well."""
    first = link_by_form(scene.services, scene.organization, NEW, FIRST)
    stored = scene.stored(NEW, FIRST)
    second = scene.services.links.add(replace(stored.link, work_item_id=SECOND)).link
    links.is_meant = lambda text: text == key or '"form":' in text
    links.before = lambda: _take_place(scene.services, scene.organization, second)
    _take_place(scene.services, scene.organization, first)
    assert linked(scene) in ([FIRST], [SECOND])


def test_of_two_forms_at_once_the_one_that_links_last_replaces_the_other(scene: Scene) -> None:
    def another() -> None:
        scene.now += 1.0
        link_by_form(scene.services, scene.organization, NEW, SECOND)
        scene.now += 1.0

    scene.calls.before("get_work_item", another)
    link_by_form(scene.services, scene.organization, NEW, FIRST)
    assert linked(scene) == [FIRST]


@pytest.mark.parametrize("error", [Unavailable("ado", "no connection"), Forbidden("ado", "HTTP 403")])
@pytest.mark.parametrize("times", [1, 2])
def test_a_form_replaces_the_earlier_link_though_a_side_cannot_be_copied(
    scene: Scene, error: SyncError, times: int
) -> None:
    link_by_form(scene.services, scene.organization, NEW, FIRST)
    scene.sentry.resolve(NEW)
    for _ in range(times):
        scene.now += 70.0
        scene.calls.meet("update_work_item", error)
        with pytest.raises(type(error)):
            link_by_form(scene.services, scene.organization, NEW, SECOND, "sentry")
        scene.calls.recover()
    assert linked(scene) == [SECOND]


def test_a_form_replaces_the_link_of_the_issue_into_which_its_own_was_merged(scene: Scene) -> None:
    link_by_form(scene.services, scene.organization, NEW, FIRST)
    scene.sentry.add_issue(issue_id="300")
    scene.sentry.merge("300", into=NEW)
    scene.now += 60.0
    assert link_by_form(scene.services, scene.organization, "300", SECOND).issue_id == NEW
    assert linked(scene) == [SECOND]


def create_for(scene: Scene, issue_id: str) -> int:
    project = scene.ado.catalog.project("Fabrikam-Fiber").id
    new = NewWorkItem(project, "Bug", "Fix login", "")
    return create_and_link(scene.services, scene.organization, issue_id, new).work_item_id


def test_an_issue_gets_one_item_by_whichever_of_its_names(scene: Scene) -> None:
    scene.sentry.add_issue(issue_id="300")
    scene.sentry.merge("300", into=NEW)
    first = create_for(scene, "300")
    assert create_for(scene, NEW) == create_for(scene, "300") == first
    unlinked_here(scene, first)
    assert create_for(scene, "300") != first


@pytest.mark.parametrize("trouble", [Unavailable("ado", "no answer"), Died()])
def test_what_was_begun_before_a_merge_is_found_under_the_old_name(
    scene: Scene, trouble: BaseException
) -> None:
    scene.configure(sentry_organization="acme")
    scene.sentry.add_issue(issue_id="300")
    scene.calls.meet("POST $Bug", trouble, lands=True)
    with pytest.raises(type(trouble)):
        create_for(scene, "300")
    scene.sentry.merge("300", into=NEW)
    scene.now += 61.0
    assert [create_for(scene, "300")] == scene.ado.created()


def test_what_was_done_before_a_merge_is_found_under_the_old_name(scene: Scene) -> None:
    scene.sentry.add_issue(issue_id="300")
    first = create_for(scene, "300")
    scene.sentry.merge("300", into=NEW)
    assert create_for(scene, "300") == first


def test_a_link_that_is_there_learns_the_name_under_which_a_form_asked_for_it(scene: Scene) -> None:
    scene.configure(back_links=True)
    scene.sentry.add_issue(issue_id="300")
    scene.link(NEW, FIRST)
    for name, merged in ((NEW, ()), ("300", ("300",))):
        link_by_form(scene.services, scene.organization, name, FIRST)
        shown = scene.stored(NEW, FIRST).link.back_links
        assert shown is not None
        assert shown.merged == merged
        if name == NEW:
            scene.sentry.merge("300", into=NEW)
    assert shown == BackLinks(due=scene.now + LOST_AFTER, merged=("300",))


def test_what_was_unlinked_after_a_merge_does_not_come_back_by_the_old_name(scene: Scene) -> None:
    scene.sentry.add_issue(issue_id="300")
    first = create_for(scene, "300")
    move(scene, "300", first)
    unlinked_here(scene, first)
    scene.now += 60.0
    assert create_for(scene, "300") != first


def move(scene: Scene, issue_id: str, work_item_id: int) -> None:
    """Merge an issue, and have its link follow."""
    scene.sentry.merge(issue_id, into=NEW)
    scene.services.links.move(scene.stored(issue_id, work_item_id), NEW)


@pytest.mark.parametrize("error", [None, Unavailable("ado", "no connection")])
def test_a_form_that_links_nothing_ends_no_link(scene: Scene, error: SyncError | None) -> None:
    """A merge has brought two links of the form together; a number that nobody has parts neither."""
    scene.sentry.add_issue(issue_id="300")
    link_by_form(scene.services, scene.organization, "300", FIRST)
    scene.now += 10.0
    link_by_form(scene.services, scene.organization, NEW, SECOND)
    move(scene, "300", FIRST)
    if error is not None:
        scene.calls.meet("get_work_item", error)
    with pytest.raises(NotFound if error is None else type(error)):
        link_by_form(scene.services, scene.organization, NEW, 99999 if error is None else ITEM)
    assert sorted(linked(scene)) == [FIRST, SECOND]


@pytest.mark.parametrize("name", [NEW, "300"])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_form_for_a_merged_issue_replaces_the_earlier_link_though_a_side_cannot_be_copied(
    scene: Scene, name: str, *, is_there: bool
) -> None:
    link_by_form(scene.services, scene.organization, NEW, FIRST)
    if is_there:
        scene.link(NEW, SECOND)
    scene.sentry.add_issue(issue_id="300")
    scene.sentry.merge("300", into=NEW)
    scene.sentry.resolve(NEW)
    scene.now += 70.0
    scene.calls.meet("update_work_item", Unavailable("ado", "no connection"))
    with pytest.raises(Unavailable):
        link_by_form(scene.services, scene.organization, name, SECOND, "sentry")
    assert linked(scene) == [SECOND]


@pytest.mark.parametrize("ahead", [2.0, 3600.0])
def test_a_form_replaces_an_earlier_one_from_a_machine_whose_clock_is_ahead(
    scene: Scene, ahead: float
) -> None:
    scene.now += ahead
    link_by_form(scene.services, scene.organization, NEW, FIRST)
    scene.now += 1.0 - ahead
    made = create(scene)
    assert (linked(scene), scene.ado.created()) == ([made], [made])
    link_by_form(scene.services, scene.organization, NEW, SECOND)
    link_by_form(scene.services, scene.organization, NEW, made)
    assert linked(scene) == [made]


@pytest.mark.parametrize("is_merged", [False, True])
def test_a_link_that_is_removed_as_the_form_makes_it_stays_away(
    scene: Scene, links: Overtaken, *, is_merged: bool
) -> None:
    def removed() -> None:
        if is_merged:
            scene.sentry.add_issue(issue_id="300")
            scene.sentry.merge(NEW, into="300")
        unlinked_here(scene, FIRST)

    links.is_meant = lambda text: '"form":' in text and f'"work_item_id":{FIRST}' in text
    links.after = removed
    link_by_form(scene.services, scene.organization, NEW, FIRST)
    assert linked(scene) == []


@pytest.mark.parametrize("has_earlier", [False, True])
@pytest.mark.parametrize("is_left_behind", [False, True])
def test_a_link_that_follows_a_merge_as_the_form_makes_it_replaces_the_earlier_one_there(
    scene: Scene, links: Overtaken, *, has_earlier: bool, is_left_behind: bool
) -> None:
    scene.sentry.add_issue(issue_id="300")
    if is_left_behind:
        link_by_form(scene.services, scene.organization, "300", ITEM)
    if has_earlier:
        link_by_form(scene.services, scene.organization, NEW, SECOND)
    links.is_meant = lambda text: '"form":' in text and f'"work_item_id":{FIRST}' in text
    links.after = lambda: move(scene, "300", FIRST)
    link_by_form(scene.services, scene.organization, "300", FIRST)
    assert linked(scene) == [FIRST]
    assert list(scene.services.links.for_issue(scene.organization.scope, "300")) == []


@pytest.mark.parametrize("lands", [False, True])
@pytest.mark.parametrize("trouble", [Unavailable("ado", "no answer"), Died(), Refused("ado", "TF401320")])
def test_a_link_stays_until_the_item_that_is_wanted_instead_is_linked(
    scene: Scene, trouble: BaseException, *, lands: bool
) -> None:
    first = create(scene)
    scene.calls.meet("POST $Task", trouble, lands=lands)
    with pytest.raises(type(trouble)):
        create(scene, "Task")
    assert linked(scene) == [first]
    if isinstance(trouble, Refused):
        return
    scene.now += 61.0
    second = create(scene, "Task")
    assert (linked(scene), scene.ado.created()) == ([second], [first, second])
