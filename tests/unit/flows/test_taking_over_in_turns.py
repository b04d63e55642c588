"""Taking links over and rebuilding them, page by page: no list and no batch that fails loses the place."""

from collections.abc import Callable
from typing import Any

import pytest
import responses
from msgspec.structs import replace

from shared.domain.configuration import Configuration
from shared.domain.errors import Refused, SyncError, Throttled, Unauthorized, Unavailable
from shared.flows.adopting import adopt
from shared.flows.pages_of_pairs import PageOfPairs
from shared.flows.rebuilding import rebuild
from tests.doubles.ado import BASE_URL
from tests.unit.flows.taking_over import World, outcomes

Turn = Callable[[str | None], PageOfPairs]
LOOK_UP = "https://app.vssps.visualstudio.com/_apis/resourceareas/79134c72-4a58-4b42-976c-04e7115f32bf"


@pytest.fixture
def world() -> World:
    return World()


def turns(turn: Turn, most: int = 30) -> list[PageOfPairs]:
    """Send the request until nothing is left, as a caller does who loses nothing but an answer in time."""
    pages, continuation = list[PageOfPairs](), None
    while len(pages) < most:
        pages.append(turn(continuation))
        continuation = pages[-1].continuation
        if continuation is None:
            return pages
    raise AssertionError(f"no end after {most} requests: {pages[-1]}")


def all_outcomes(pages: list[PageOfPairs]) -> dict[int, str]:
    return {number: outcome for page in pages for number, outcome in outcomes(page).items()}


def quota(world: World, lists: int, window: float) -> Callable[[int], None]:
    """Return what lets so many lists through in a window, each of which takes a moment."""
    made: list[float] = []

    def verify(_number: int) -> None:
        now = world.clock()
        if len([at for at in made if now - at < window]) >= lists:
            raise Throttled("sentry", "grants no more of these calls", retry_after=window)
        made.append(now)
        world.clock.now += 0.1

    return verify


# Lists that meet an error


@pytest.mark.parametrize("window", [1.0, 30.0])
def test_a_service_that_grants_few_lists_at_once_is_read_to_the_end(world: World, window: float) -> None:
    """A short wait is waited for, a long one is the next request's."""
    world.sentry.show(*[[world.adopted(number)] for number in range(1, 20)])
    world.sentry.before_list = quota(world, 5, window)

    def turn(continuation: str | None) -> PageOfPairs:
        page = world.dry_run(continuation)
        world.clock.now += window
        return page

    pages = turns(turn)
    assert list(all_outcomes(pages)) == list(range(1, 20))
    assert {page.stopped for page in pages} == ({None} if window < 20.0 else {"throttled", None})


TROUBLES = [
    Unavailable("sentry", "HTTP 503"),
    Unauthorized("sentry", "HTTP 401"),
    Throttled("sentry", "HTTP 429", retry_after=60.0),
    Throttled("sentry", "did not answer", retry_after=5.0, silent=True),
]


def failing_at(number: int, error: SyncError) -> Callable[[int], None]:
    def verify(asked: int) -> None:
        if asked == number:
            raise error

    return verify


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_list_that_fails_keeps_what_the_request_has_come_to(world: World, trouble: SyncError) -> None:
    world.sentry.show([world.entered(1)], [world.entered(2)], [world.entered(3)])
    world.sentry.before_list = failing_at(2, trouble)
    page = world.rebuild()
    assert (outcomes(page), page.stopped) == ({1: "linked", 2: "linked"}, trouble.kind)
    # A request that comes to nothing is refused as any other, and the caller has the place.
    with pytest.raises(type(trouble)):
        world.rebuild(page.continuation)
    world.sentry.before_list = failing_at(0, trouble)
    assert outcomes(world.rebuild(page.continuation)) == {3: "linked"}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_pages_without_a_pair_are_not_read_again(world: World, trouble: SyncError) -> None:
    world.sentry.show([], [], [world.adopted(3)])
    world.sentry.before_list = failing_at(2, trouble)
    page = world.adopt()
    assert (page.links, page.stopped) == ((), trouble.kind)
    world.sentry.before_list = failing_at(0, trouble)
    assert outcomes(world.adopt(page.continuation)) == {3: "linked"}


@pytest.mark.parametrize("turn", ["adopt", "rebuild"])
def test_a_request_that_comes_to_nothing_says_all_of_it(world: World, turn: str) -> None:
    world.sentry.before_list = failing_at(0, Unauthorized("sentry", "HTTP 401"))
    with pytest.raises(Unauthorized):
        getattr(world, turn)()


# Batches that get no answer


BAD = [{1}, {250}, {600}, {199, 200, 201}, {37, 450}]


@pytest.mark.parametrize("bad", BAD)
def test_one_work_item_keeps_nobody_from_the_others(world: World, bad: set[int]) -> None:
    for number in range(1, 601):
        world.hyperlink(number)
    world.ado.unanswered = frozenset(bad)
    pages = turns(world.rebuild)
    assert world.linked == sorted({*range(1, 601)} - bad)
    assert {
        (each.issue_id, each.outcome) for page in pages for each in page.links if each.work_item_id in bad
    } == {("", "unavailable")}
    assert world.ado.batches <= 3 + 2 * 8 * len(bad)


def test_one_work_item_keeps_no_link_from_being_taken_over(world: World) -> None:
    world.sentry.show([world.adopted(number) for number in range(1, 101)], [world.adopted(101)])
    world.ado.unanswered = frozenset({31})
    dry = all_outcomes(turns(world.dry_run))
    assert dry == dict.fromkeys(range(1, 102), "would-link") | {31: "unavailable"}
    turns(world.adopt)
    assert world.linked == sorted({*range(1, 102)} - {31})


@pytest.mark.parametrize("bad", [*BAD[:2], {64}, {*range(1, 65)}])
def test_however_long_a_batch_takes_to_fail_there_is_an_end(world: World, bad: set[int]) -> None:
    for number in range(1, 65):
        world.hyperlink(number)
    world.ado.unanswered = frozenset(bad)
    world.ado.before_batch = lambda: world.pause(30.0)
    began: list[float] = []

    def turn(continuation: str | None) -> PageOfPairs:
        began.append(world.clock())
        page = world.rebuild(continuation)
        assert world.clock() - began[-1] < 200.0
        return page

    turns(turn, most=80)
    assert world.linked == sorted({*range(1, 65)} - bad)


def test_a_service_that_does_not_say_who_it_is_is_asked_no_further(world: World) -> None:
    for number in range(1, 401):
        world.hyperlink(number)
    world.ado.unanswered = frozenset({250})
    world.ado.instance_id = away  # type: ignore[method-assign]
    page = world.rebuild()
    assert (len(page.links), page.stopped, world.ado.batches) == (200, "unavailable", 2)
    with pytest.raises(Unavailable):
        world.rebuild(page.continuation)


def away() -> str:
    raise Unavailable("ado", "HTTP 503")


def test_a_batch_that_is_refused_is_not_halved(world: World) -> None:
    world.sentry.show([], [world.adopted(1), world.adopted(2)])

    def refuse() -> None:
        raise Refused("ado", "HTTP 400")

    world.ado.before_batch = refuse
    assert (world.adopt().stopped, world.ado.batches) == ("refused", 1)


# What cannot be read


def test_what_cannot_be_read_is_counted(world: World) -> None:
    world.sentry.show([world.adopted(1)], [], unreadable=3)
    assert world.dry_run().unreadable == 6
    hiding = replace(world.adopted(2), hides_integration_issues=True)
    world.sentry.show([hiding, replace(world.adopted(3), hides_entries=True)])
    assert (world.dry_run().unreadable, world.rebuild().unreadable) == (1, 1)


def test_what_cannot_be_read_is_counted_once(world: World) -> None:
    """A page that a request does not end is counted by the one that does."""
    world.sentry.show([world.entered(1), world.entered(2)], [world.entered(3)], unreadable=2)
    world.ado.get_work_item = slow(world)  # type: ignore[method-assign]
    pages = turns(world.rebuild)
    assert len(pages) == 4
    assert sum(page.unreadable for page in pages) == 4


def slow(world: World) -> Any:
    real = world.ado.get_work_item

    def get_work_item(work_item_id: int) -> Any:
        world.pause(61.0)
        return real(work_item_id)

    return get_work_item


# An address that nobody has looked up


@responses.activate
@pytest.mark.parametrize("flow", ["adopt", "rebuild"])
def test_the_address_is_looked_up_first(world: World, flow: str) -> None:
    account = world.ado.catalog.account_id
    responses.get(LOOK_UP, json={"id": "79134c72", "name": "core", "locationUrl": BASE_URL})
    world.services.organizations.add(
        "later", Configuration(ado_account_id=account, sentry_organization="acme", back_links=False)
    )
    later = world.services.organizations.get("later")
    if flow == "adopt":
        world.sentry.show([world.adopted(1)])
        page = adopt(world.services, later, None, is_dry_run=False)
    else:
        world.sentry.show([world.entered(1)])
        page = rebuild(world.services, later, None)
    assert outcomes(page) == {1: "linked"}
    assert world.services.organizations.get("later").configuration.ado_url == BASE_URL
