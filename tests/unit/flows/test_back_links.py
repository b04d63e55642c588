"""Back-links while workers die, lose races and lose answers, and while people unlink and link again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from shared.ado.creation import NewWorkItem
from shared.domain.configuration import Configuration
from shared.domain.errors import Busy, Forbidden, NotFound, SyncError, Throttled, Unavailable
from shared.domain.messages import OutboundMessage
from shared.domain.model import BackLinks, Claim, ExternalIssue, Remnant, SentryIssue
from shared.domain.rules.back_links import Mark
from shared.flows.back_links import LOST_AFTER, look_at_pair
from shared.flows.creating import create_and_link, link_by_form
from shared.flows.linking import link, unlink
from shared.flows.rebuilding import rebuild
from shared.flows.reconciling import reconcile
from shared.store.organizations import Organization
from shared.store.tables import Replace
from tests.doubles.ado import BASE_URL, MemoryAdo
from tests.doubles.sentry import MemorySentry
from tests.doubles.services import KNOWN, MemoryServices
from tests.unit.overtaken import Overtaken

SLUG, ISSUE, ITEM = "fabrikam", "100", 31
OURS = str(Mark.LINKED)


class Killed(BaseException):
    """The worker died."""


class Ado(MemoryAdo):
    """Azure DevOps, where something happens right after a change of hyperlinks has landed."""

    then: Callable[[], object] = staticmethod(lambda: None)
    instead: Callable[[], object] = staticmethod(lambda: None)

    def call(self, method: str, *args: Any, **sent: Any) -> Any:
        if method == "PATCH":
            self.instead()
        answer = super().call(method, *args, **sent)
        if method == "PATCH":
            self.then()
        return answer


class Sentry(MemorySentry):
    """Sentry, where a change of an entry meets something before or after it has landed, once."""

    def __init__(self) -> None:
        super().__init__()
        self.meets: tuple[BaseException, bool] | None = None
        self.meanwhile: Callable[[], object] = lambda: None

    def get_issue_with_entries(self, issue_id: str) -> SentryIssue:
        happens, self.meanwhile = self.meanwhile, lambda: None
        happens()
        return super().get_issue_with_entries(issue_id)

    def put_entry(self, *arguments: str) -> ExternalIssue:
        with self._meeting():
            return super().put_entry(*arguments)

    def remove_entry(self, entry: ExternalIssue, issue_id: str) -> None:
        happens, self.meanwhile = self.meanwhile, lambda: None
        happens()
        with self._meeting():
            super().remove_entry(entry, issue_id)

    @contextmanager
    def _meeting(self) -> Iterator[None]:
        met, self.meets = self.meets, None
        if met is None or met[1]:
            yield
        if met is not None:
            raise met[0]


class World:
    """One organization, with an issue and a work item that are linked."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.ado, self.sentry = Ado(clock=lambda: self.now), Sentry()
        self.services, self.table = MemoryServices(self.ado, self.sentry, lambda: self.now), Overtaken()
        self.services._named["links"] = self.table
        self.services.organizations.add(
            SLUG, Configuration(ado_url=BASE_URL, sentry_organization="acme"), KNOWN
        )
        self.ado.add_item("Fix login", ITEM)
        self.sentry.add_issue(issue_id=ISSUE)
        self.link()

    @property
    def organization(self) -> Organization:
        return self.services.organizations.get(SLUG)

    def link(self, item: int = ITEM) -> None:
        link(self.services, self.organization, ISSUE, item, None)

    def unlink(self) -> None:
        unlink(self.services, self.organization, ISSUE, ITEM)

    def look(self, item: int = ITEM) -> str:
        [outcome] = look_at_pair(OutboundMessage(SLUG, ISSUE, shown_on=item), self.services)
        return outcome

    def reconcile(self) -> list[bytes]:
        """Run the reconciler, and return the messages about back-links that it puts."""
        self._take_all()
        reconcile(self.services, self.organization)
        self.now += 300.0  # They come a few at a time.
        return [body for body in self._take_all() if b"shown_on" in body]

    def _take_all(self) -> list[bytes]:
        found = []
        while (received := self.services.outbound.receive()) is not None:
            self.services.outbound.delete(received)
            found.append(received.body)
        return found

    @property
    def owed(self) -> float | None:
        back_links = self.services.links.get(SLUG, ISSUE, ITEM).link.back_links
        assert back_links is not None
        return back_links.due

    @property
    def shown(self) -> list[str]:
        return [comment for _, comment in self.ado.hyperlinks(ITEM)]

    def failures(self) -> list[str | None]:
        page = self.services.activity.page(SLUG, ISSUE, ITEM, None, 100)
        return [entry.reason for entry in page.entries if entry.outcome == "failed"]


@pytest.fixture
def world() -> World:
    return World()


def meet(error: BaseException) -> Callable[[], object]:
    def happens() -> None:
        raise error

    return happens


def test_a_link_is_owed_until_it_shows_on_both_ends(world: World) -> None:
    assert world.owed == world.now + LOST_AFTER
    assert world.look() == "shown"
    assert (world.shown, world.sentry.entry(ISSUE)) == ([OURS], world.ado.web_url(_project(world), ITEM))
    assert world.owed is None
    assert world.look() == "settled"


def _project(world: World) -> str:
    return world.ado.item(ITEM).project_id


def test_a_worker_that_dies_after_its_write_leaves_one_hyperlink(world: World) -> None:
    world.ado.then = meet(Killed())
    with pytest.raises(Killed):
        world.look()
    world.ado.then = lambda: None
    assert world.owed is not None
    assert world.look() == "shown"
    assert world.shown == [OURS]


def test_a_worker_that_dies_while_it_takes_away_leaves_the_note_of_it(world: World) -> None:
    world.look()
    world.unlink()
    world.ado.then = meet(Killed())
    with pytest.raises(Killed):
        world.look()
    world.ado.then = lambda: None
    assert world.look() == "taken-away"
    assert (world.shown, world.sentry.entry(ISSUE)) == ([], None)
    assert world.look() == "not-linked"


@pytest.mark.parametrize("lands", [True, False])
@pytest.mark.parametrize("trouble", [Killed(), Unavailable("sentry", "timed out")])
@pytest.mark.parametrize("is_linked", [True, False])
def test_a_crash_or_a_lost_answer_at_the_entry_leaves_what_is_to_be_there(
    world: World, trouble: BaseException, is_linked: bool, lands: bool
) -> None:
    if not is_linked:
        world.look()
        world.unlink()
    world.sentry.meets = (trouble, lands)
    if isinstance(trouble, Killed):
        with pytest.raises(Killed):
            world.look()
    else:
        assert world.look() == "not-yet"
    world.now += LOST_AFTER
    assert len(world.reconcile()) == 1  # the row remembers
    assert world.look() == ("shown" if is_linked else "taken-away")
    url = world.ado.web_url(_project(world), ITEM)
    assert (world.shown, world.sentry.entry(ISSUE)) == (([OURS], url) if is_linked else ([], None))
    assert world.look() == ("settled" if is_linked else "not-linked")


@pytest.mark.parametrize("lands", [True, False])
@pytest.mark.parametrize("is_linked", [True, False])
def test_a_lost_answer_at_the_hyperlink_leaves_what_is_to_be_there(
    world: World, is_linked: bool, lands: bool
) -> None:
    if not is_linked:
        world.look()
        world.unlink()
    happens = meet(Unavailable("ado", "timed out"))
    if lands:
        world.ado.then = happens
    else:
        world.ado.instead = happens
    assert world.look() == "not-yet"
    world.ado.then = world.ado.instead = lambda: None
    assert world.look() == ("shown" if is_linked else "taken-away")
    assert (world.shown, world.sentry.entry(ISSUE) is not None) == ([OURS] * is_linked, is_linked)


def test_messages_that_come_again_or_late_change_nothing(world: World) -> None:
    assert [world.look(), world.look()] == ["shown", "settled"]
    rev = world.ado.item(ITEM).rev
    world.unlink()
    assert [world.look(), world.look()] == ["taken-away", "not-linked"]
    world.link()
    # The message of the unlinking, late: the two are linked by now.
    assert [world.look(), world.look()] == ["shown", "settled"]
    assert (world.shown, world.ado.item(ITEM).rev) == ([OURS], rev + 2)


def test_a_lost_message_is_put_again_by_the_reconciler(world: World) -> None:
    assert world.reconcile() == []
    world.now += LOST_AFTER
    assert len(world.reconcile()) == 1
    assert world.reconcile() == []  # one is on its way
    world.look()
    world.unlink()
    world.now += LOST_AFTER
    assert len(world.reconcile()) == 1  # also without any link


@pytest.mark.parametrize("ahead", [2 * 86_400.0, 1e11])
def test_what_a_clock_that_was_ahead_put_off_is_looked_at(world: World, ahead: float) -> None:
    links = world.services.links
    stored = links.get(SLUG, ISSUE, ITEM)
    later = BackLinks(due=world.now + ahead)
    claim = Claim("other", world.now + ahead, 1, (), stored.link.seen)
    stored = links.replace(stored, replace(stored.link, back_links=later, claim=claim))
    assert len(world.reconcile()) == 1
    assert world.look() == "shown"
    world.unlink()
    links.leave(SLUG, Remnant(ISSUE, ITEM, world.now + ahead, watched_until=world.now + ahead))
    for _ in range(2):  # The first one waits for whoever may still be at it.
        assert len(world.reconcile()) == 1
        assert world.look() == "taken-away"
    assert links.find_remnant(SLUG, ISSUE, ITEM) is None


def test_a_link_that_ends_while_it_is_shown_shows_no_more(world: World) -> None:
    world.ado.then = world.unlink
    assert world.look() == "taken-away"
    world.ado.then = lambda: None
    assert (world.shown, world.sentry.entry(ISSUE)) == ([], None)


def test_a_pair_that_is_linked_again_while_it_is_taken_away_is_shown(world: World) -> None:
    world.look()
    world.unlink()

    def linked_again() -> None:
        world.ado.then = lambda: None
        world.link()

    world.ado.then = linked_again
    assert world.look() == "shown"
    assert world.shown == [OURS]
    assert world.sentry.entry(ISSUE) is not None


SURVIVOR = "200"


def _created(world: World) -> int:
    """Let the form create a work item for the issue, and return it; another issue stands beside."""
    world.sentry.add_issue(issue_id=SURVIVOR)
    new = NewWorkItem(world.ado.catalog.project("Fabrikam-Fiber").id, "Bug", "Fix login", "")
    made = create_and_link(world.services, world.organization, ISSUE, new).work_item_id
    assert world.look(made) == "shown"
    return made


def _merge(world: World, item: int) -> None:
    """Merge the issue into the other one, and have its link follow."""
    world.sentry.merge(ISSUE, into=SURVIVOR)
    stored = world.services.links.get(SLUG, ISSUE, item)
    world.services.links.move(stored, SURVIVOR)


def _looked(world: World, item: int, issue_id: str = SURVIVOR) -> str:
    [outcome] = look_at_pair(OutboundMessage(SLUG, issue_id, shown_on=item), world.services)
    return outcome


def _marks(world: World, item: int) -> list[str]:
    return [comment for _, comment in world.ado.hyperlinks(item)]


@pytest.mark.parametrize("is_shown", [False, True])
def test_after_a_merge_that_both_issues_were_linked_for_one_hyperlink_shows_it(
    world: World, *, is_shown: bool
) -> None:
    item = _created(world)
    link(world.services, world.organization, SURVIVOR, item, None)
    if is_shown:
        assert _looked(world, item) == "shown"
        assert _marks(world, item) == [str(Mark.CREATED), OURS]
    _merge(world, item)
    assert _looked(world, item, ISSUE) == "handed-over"
    assert world.services.links.find_remnant(SLUG, ISSUE, item) is None
    assert _looked(world, item) == "shown"
    assert _marks(world, item) == [str(Mark.CREATED)]
    assert _looked(world, item) == "settled"


def test_nothing_is_handed_over_while_a_worker_writes_for_the_other_link(world: World) -> None:
    item = _created(world)
    link(world.services, world.organization, SURVIVOR, item, None)
    _merge(world, item)
    links = world.services.links
    stored = links.get(SLUG, SURVIVOR, item)
    claim = Claim("other", world.now + 60.0, 1, (), stored.link.seen)
    links.replace(stored, replace(stored.link, claim=claim))
    with pytest.raises(Busy):
        _looked(world, item, ISSUE)
    assert links.find_remnant(SLUG, ISSUE, item) is not None
    world.now += 61.0
    assert _looked(world, item, ISSUE) == "handed-over"


def test_what_a_late_worker_may_still_write_is_looked_at_after_it_was_handed_over(world: World) -> None:
    item = _created(world)
    link(world.services, world.organization, SURVIVOR, item, None)
    _merge(world, item)
    world.services.links.leave(SLUG, Remnant(ISSUE, item, world.now, watched_until=world.now + 120.0))
    assert _looked(world, item, ISSUE) == "handed-over"
    left = world.services.links.find_remnant(SLUG, ISSUE, item)
    assert left is not None
    assert (left.remnant.due, left.remnant.watched_until) == (world.now + 120.0, 0.0)


def test_nothing_is_handed_over_to_a_link_that_is_not_to_be_shown(world: World) -> None:
    item = _created(world)
    link(world.services, world.organization, SURVIVOR, item, None)
    stored = world.services.links.get(SLUG, SURVIVOR, item)
    world.services.links.replace(stored, replace(stored.link, back_links=None))
    _merge(world, item)
    assert _looked(world, item, ISSUE) == "taken-away"
    assert _marks(world, item) == [str(Mark.PLAIN)]


def test_the_names_that_an_issue_had_stay_known_for_when_its_link_ends(world: World) -> None:
    item = _created(world)
    _merge(world, item)
    assert _looked(world, item) == "shown"
    assert _marks(world, item) == [str(Mark.CREATED)]
    unlink(world.services, world.organization, SURVIVOR, item)
    assert _looked(world, item) == "taken-away"
    assert _marks(world, item) == [str(Mark.PLAIN)]


@pytest.mark.parametrize("is_taken_away", [False, True])
def test_a_link_that_is_made_again_takes_over_the_names_of_the_one_that_ended(
    world: World, *, is_taken_away: bool
) -> None:
    item = _created(world)
    _merge(world, item)
    _looked(world, item)
    unlink(world.services, world.organization, SURVIVOR, item)

    def linked_again() -> None:
        world.ado.then = lambda: None
        link(world.services, world.organization, SURVIVOR, item, None)

    if is_taken_away:
        world.ado.then = linked_again
    else:
        linked_again()
    assert _looked(world, item) == "shown"
    assert _marks(world, item) == [str(Mark.CREATED)]


def _linked_again(world: World, item: int) -> None:
    """Unlink what a merge has led on, and link it again before anybody looks."""
    _merge(world, item)
    assert _looked(world, item) == "shown"
    unlink(world.services, world.organization, SURVIVOR, item)
    link(world.services, world.organization, SURVIVOR, item, None)


def test_what_is_unlinked_again_before_anybody_looks_shows_no_more(world: World) -> None:
    item = _created(world)
    _linked_again(world, item)
    unlink(world.services, world.organization, SURVIVOR, item)
    for _ in range(2):
        assert _looked(world, item) == "taken-away"
        world.now += 121.0
    assert _marks(world, item) == [str(Mark.PLAIN)]
    rebuild(world.services, world.organization, None)
    assert item not in [each.link.work_item_id for each in world.services.links.all(SLUG)]


def test_what_is_unlinked_again_while_it_is_shown_shows_no_more(world: World) -> None:
    item = _created(world)
    _linked_again(world, item)
    world.sentry.meanwhile = lambda: unlink(world.services, world.organization, SURVIVOR, item)
    assert _looked(world, item) == "taken-away"
    world.now += 121.0
    _looked(world, item)
    assert _marks(world, item) == [str(Mark.PLAIN)]


def test_a_trouble_and_a_lost_race_forget_no_name(world: World) -> None:
    item = _created(world)
    _linked_again(world, item)

    def settled_and_down() -> None:
        stored = world.services.links.get(SLUG, SURVIVOR, item)
        world.services.links.replace(stored, replace(stored.link, title="changed by a worker"))
        raise Unavailable("sentry", "HTTP 502")

    world.sentry.meanwhile = settled_and_down
    assert _looked(world, item) == "not-yet"
    world.now += 400.0
    assert _looked(world, item) == "shown"
    assert _marks(world, item) == [str(Mark.CREATED)]


def test_a_link_that_another_worker_has_shown_before_its_mark_was_taken_away_is_shown_anew(
    world: World,
) -> None:
    """The one reads the item with its mark, the other has the link shown by it, then the mark goes."""
    item = _created(world)
    unlink(world.services, world.organization, ISSUE, item)

    def shown_by_another() -> None:
        world.ado.instead = lambda: None
        link(world.services, world.organization, ISSUE, item, None)
        assert world.look(item) == "shown"
        world.table.is_meant = lambda text: '"due":' in text
        world.table.before = settled

    def settled() -> None:
        stored = world.services.links.get(SLUG, ISSUE, item)
        world.services.links.replace(stored, replace(stored.link, title="changed by a worker"))

    world.ado.instead = shown_by_another
    assert world.look(item) == "shown"
    assert _marks(world, item) == [str(Mark.CREATED)]


def test_a_worker_that_dies_as_a_pair_is_linked_again_leaves_one_hyperlink(world: World) -> None:
    item = _created(world)
    _merge(world, item)
    assert _looked(world, item) == "shown"
    unlink(world.services, world.organization, SURVIVOR, item)

    def linked_again() -> None:
        world.ado.then = lambda: None
        link(world.services, world.organization, SURVIVOR, item, None)

    world.ado.then = linked_again
    world.table.is_meant = lambda text: text.startswith("remnant!")
    world.table.before = meet(Killed())
    with pytest.raises(Killed):
        _looked(world, item)
    _looked(world, item)
    assert _marks(world, item) == [str(Mark.CREATED)]


def test_a_remnant_waits_while_the_link_that_may_show_by_it_cannot_be_read(world: World) -> None:
    item = _created(world)
    link(world.services, world.organization, SURVIVOR, item, None)
    _merge(world, item)
    world.table.apply(SLUG, Replace(f"item!{item:016}!{SURVIVOR}", "{", None))
    assert _looked(world, item, ISSUE) == "not-yet"
    left = world.services.links.find_remnant(SLUG, ISSUE, item)
    assert left is not None
    assert left.remnant.due == world.now + 3600.0


@pytest.mark.parametrize("is_looked_at", [False, True])
def test_two_merges_in_a_row_leave_one_hyperlink(world: World, *, is_looked_at: bool) -> None:
    item = _created(world)
    link(world.services, world.organization, SURVIVOR, item, None)
    assert _looked(world, item) == "shown"
    _merge(world, item)
    world.sentry.add_issue(issue_id="300")
    world.sentry.merge(SURVIVOR, into="300")
    if is_looked_at:
        _looked(world, item, ISSUE)
    world.services.links.move(world.services.links.get(SLUG, SURVIVOR, item), "300")
    for issue_id in ("300", ISSUE, "300"):
        _looked(world, item, issue_id)
    assert _marks(world, item) == [str(Mark.CREATED)]


def test_a_link_that_comes_under_the_surviving_issue_as_the_old_name_is_taken_away_keeps_its_mark(
    world: World,
) -> None:
    item = _created(world)
    unlink(world.services, world.organization, ISSUE, item)
    world.sentry.merge(ISSUE, into=SURVIVOR)

    def linked() -> None:
        world.ado.instead = lambda: None
        link(world.services, world.organization, ISSUE, item, None)
        assert _looked(world, item) == "shown"

    world.ado.instead = linked
    assert _looked(world, item, ISSUE) == "handed-over"
    assert _looked(world, item) == "shown"
    assert _marks(world, item) == [str(Mark.CREATED)]


def test_another_link_that_ends_as_it_takes_over_is_looked_at_again(world: World) -> None:
    item = _created(world)
    link(world.services, world.organization, SURVIVOR, item, None)
    _merge(world, item)

    world.table.is_meant = lambda text: f'"issue_id":"{SURVIVOR}"' in text
    world.table.before = lambda: unlink(world.services, world.organization, SURVIVOR, item)
    assert _looked(world, item, ISSUE) == "taken-away"
    assert _looked(world, item) == "taken-away"
    assert _marks(world, item) == [str(Mark.PLAIN)]


def test_a_race_for_the_work_item_is_run_again(world: World) -> None:
    def edited() -> None:
        world.ado.instead = lambda: None
        world.ado.edit(ITEM, **{"System.State": "Active"})

    world.ado.instead = edited
    assert world.look() == "shown"
    assert world.shown == [OURS]
    # What a person did at a rev before ours is still news.
    assert world.services.links.get(SLUG, ISSUE, ITEM).link.seen.item.rev == 1


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unavailable("ado", "HTTP 503"), "not-yet"),
        (Throttled("ado", "no answer", retry_after=30.0, silent=True), "not-yet"),
        (Forbidden("ado", "HTTP 403", about="work item 31"), "refused"),
        (NotFound("gone", kind="work-item-not-found"), "refused"),
    ],
)
def test_what_fails_is_remembered_by_the_row(world: World, error: SyncError, outcome: str) -> None:
    world.ado.instead = meet(error)
    before = world.owed
    assert world.look() == outcome
    assert world.owed != before or world.owed == world.now + LOST_AFTER
    world.look()
    assert len(world.failures()) == (outcome == "refused")  # told once
    world.ado.instead = lambda: None
    assert world.look() == "shown"
    assert world.owed is None


@pytest.mark.parametrize("has_entry", [True, False])
def test_an_entry_that_another_link_has_taken_over_is_put_back(world: World, *, has_entry: bool) -> None:
    """The form links another item as the entry is taken away: Sentry keeps it under the id of the first."""
    other = 41
    world.ado.add_item("Another", other)
    world.look()
    world.unlink()

    def linked_by_form() -> None:
        link_by_form(world.services, world.organization, ISSUE, other)
        if has_entry:
            project = world.ado.catalog.project("Fabrikam-Fiber").id
            world.sentry.put_entry(ISSUE, world.ado.web_url(project, other), project, str(other))
        world.sentry.meanwhile = lambda: None

    world.sentry.meanwhile = lambda: setattr(world.sentry, "meanwhile", linked_by_form)
    assert world.look() == "taken-away"
    assert (world.sentry.entry(ISSUE) or "").endswith(f"/{other}")


def test_an_entry_that_may_not_be_removed_stays_and_is_told_once(world: World) -> None:
    world.look()
    world.sentry.may_remove_entries = False
    world.unlink()
    assert world.look() == "taken-away"
    assert world.sentry.entry(ISSUE) is not None
    assert world.look() == "not-linked"
    assert world.failures() == ["entry-stays"]


def test_a_work_item_that_is_restored_after_its_link_ended_shows_it_no_more(world: World) -> None:
    world.look()
    world.ado.delete(ITEM)
    world.unlink()
    assert world.look() == "taken-away"
    world.now += 7200.0
    assert len(world.reconcile()) == 1
    world.look()
    world.ado.restore(ITEM)
    assert world.shown == [OURS]
    assert world.reconcile() == []
    world.now += 7200.0
    assert len(world.reconcile()) == 1
    assert world.look() == "taken-away"
    assert (world.shown, world.services.links.find_remnant(SLUG, ISSUE, ITEM)) == ([], None)


def test_an_item_that_is_deleted_as_its_hyperlink_is_taken_away_is_looked_at_again(world: World) -> None:
    world.look()
    world.unlink()
    world.ado.instead = meet(NotFound("gone", kind="work-item-not-found"))
    assert world.look() == "taken-away"
    world.ado.instead = lambda: None
    world.look()
    assert world.shown == []


def test_an_entry_that_stays_is_told_once_however_often_a_deleted_item_is_asked_for(world: World) -> None:
    world.look()
    world.sentry.may_remove_entries = False
    world.ado.delete(ITEM)
    world.unlink()
    world.look()
    world.look()
    assert world.failures() == ["entry-stays"]


def test_the_entry_of_another_integration_is_left_alone(world: World) -> None:
    elsewhere = ExternalIssue("7", "other-app", "X#1", "https://elsewhere.example/1")
    world.sentry.show_on_page(ISSUE, elsewhere)
    world.unlink()
    world.look()
    assert world.sentry.entry(ISSUE) == elsewhere.web_url


def test_our_rev_is_no_news_to_any_link_of_the_work_item(world: World) -> None:
    world.sentry.add_issue(issue_id="101")
    link(world.services, world.organization, "101", ITEM, None)
    world.look()
    for stored in world.services.links.for_work_item(SLUG, ITEM):
        assert stored.link.seen.item.rev == world.ado.item(ITEM).rev == 2


def test_nothing_breaks_where_hyperlinks_make_no_revision(world: World) -> None:
    world.ado.hyperlinks_make_revisions = False
    assert world.look() == "shown"
    assert world.ado.item(ITEM).rev == 1
    world.unlink()
    assert world.look() == "taken-away"
    assert world.shown == []


def test_a_message_of_another_connection_changes_nothing(world: World) -> None:
    assert look_at_pair(OutboundMessage(SLUG, ISSUE, epoch="e", shown_on=ITEM), world.services) == [
        "other-connection"
    ]
    assert world.shown == []


@pytest.mark.parametrize(("reasons", "rev"), [(None, 2), (("New",), 2), (("Fixed",), 1)])
def test_our_rev_is_no_news_unless_the_reason_for_the_state_is(
    world: World, reasons: tuple[str, ...] | None, rev: int
) -> None:
    links = world.services.links
    stored = links.get(SLUG, ISSUE, ITEM)
    item = replace(stored.link.seen.item, reasons=reasons)
    links.replace(stored, replace(stored.link, seen=replace(stored.link.seen, item=item)))
    world.look()
    assert links.get(SLUG, ISSUE, ITEM).link.seen.item.rev == rev
