"""Links that are made anew from what shows them, after the tables were lost."""

from typing import Any

import pytest
from msgspec.structs import replace

from shared.ado.creation import NewWorkItem
from shared.domain.rules.back_links import Mark
from shared.flows.back_links import look_at_all
from shared.flows.creating import create_and_link
from shared.flows.linking import link, unlink
from shared.flows.rebuilding import rebuild
from shared.store.tables import Delete, Replace
from tests.unit.flows.test_back_links import ISSUE, ITEM, World

CREATED, PLAIN = str(Mark.CREATED), str(Mark.PLAIN)


@pytest.fixture
def world() -> World:
    world = World()
    world.unlink()
    configure(world, sentry_organization="acme")
    return world


@pytest.fixture
def linked(world: World) -> World:
    """Return a world in which the link shows on both its ends."""
    world.link()
    assert world.look() == "shown"
    return world


def create(world: World) -> int:
    project = world.ado.catalog.project("Fabrikam-Fiber").id
    new = NewWorkItem(project, "Bug", "Fix it", "")
    return create_and_link(world.services, world.organization, ISSUE, new).work_item_id


def configure(world: World, **changes: Any) -> None:
    document = replace(world.organization.configuration, **changes)
    world.services.organizations.replace(world.organization, document)


def comments(world: World, item: int) -> list[str]:
    return [comment for _, comment in world.ado.hyperlinks(item)]


def lose_everything(world: World) -> None:
    """Lose the links, and let so much time pass that Sentry lists none of them."""
    for stored in list(world.services.links.all(world.organization.scope)):
        world.services.links.remove(stored)
    issue = world.sentry.get_issue_with_entries(ISSUE)
    for entry in issue.external_issues:
        world.sentry.remove_entry(entry, ISSUE)


def rebuilt(world: World) -> list[tuple[str, int]]:
    assert rebuild(world.services, world.organization, None).continuation is None
    linked = world.services.links.all(world.organization.scope)
    return [(each.link.issue_id, each.link.work_item_id) for each in linked]


def test_an_item_that_was_created_while_nothing_was_shown_is_found_once_it_is(world: World) -> None:
    configure(world, back_links=False)
    item = create(world)
    assert comments(world, item) == [PLAIN]
    configure(world, back_links=True)
    assert look_at_all(world.services, world.organization, None).queued == 1
    assert world.look(item) == "shown"
    assert comments(world, item) == [CREATED]
    lose_everything(world)
    assert rebuilt(world) == [(ISSUE, item)]


def test_an_item_that_was_created_and_is_linked_again_is_found(world: World) -> None:
    item = create(world)
    world.look(item)
    unlink(world.services, world.organization, ISSUE, item)
    assert (world.look(item), comments(world, item)) == ("taken-away", [PLAIN])
    link(world.services, world.organization, ISSUE, item, None)
    assert (world.look(item), comments(world, item)) == ("shown", [CREATED])
    lose_everything(world)
    assert rebuilt(world) == [(ISSUE, item)]


def test_an_item_that_was_created_and_shows_no_link_stays_unlinked(world: World) -> None:
    item = create(world)
    world.look(item)
    unlink(world.services, world.organization, ISSUE, item)
    world.look(item)
    assert comments(world, item) == [PLAIN]
    lose_everything(world)
    assert rebuilt(world) == []


# What is left of links whose rows were damaged.


def damage(world: World, *halves: str, text: str | None = None) -> None:
    """Remove these rows of the link, or put a text there that says nothing."""
    table, scope = world.services.links._table, world.organization.scope
    for row in list(table.scan(scope, "", "~")):
        if row.key.partition("!")[0] in halves:
            table.apply(scope, Delete(row.key) if text is None else Replace(row.key, text, row.etag))


@pytest.mark.parametrize("halves", [("item",), ("issue",), ("item", "issue")])
def test_half_a_link_is_no_link(linked: World, halves: tuple[str, ...]) -> None:
    damage(linked, *halves)
    answer = rebuild(linked.services, linked.organization, None)
    assert {each.outcome for each in answer.links} <= {"linked", "already-linked"}
    scope = linked.organization.scope
    assert [each.link.work_item_id for each in linked.services.links.for_issue(scope, ISSUE)] == [ITEM]
    assert [each.link.issue_id for each in linked.services.links.for_work_item(scope, ITEM)] == [ISSUE]
    again = rebuild(linked.services, linked.organization, None)
    assert {each.outcome for each in again.links} == {"already-linked"}


def test_what_is_left_of_a_link_is_kept(linked: World) -> None:
    before = linked.services.links.get(linked.organization.scope, ISSUE, ITEM).link
    linked.now += 60.0
    damage(linked, "issue")
    rebuild(linked.services, linked.organization, None)
    assert linked.services.links.get(linked.organization.scope, ISSUE, ITEM).link == before


@pytest.mark.parametrize("halves", [(), ("issue",)])
def test_a_link_that_cannot_be_read_is_named_and_left_for_somebody_to_delete(
    linked: World, halves: tuple[str, ...]
) -> None:
    damage(linked, *halves)
    damage(linked, "item", text='{"of": "a newer version"}')
    answer = rebuild(linked.services, linked.organization, None)
    assert {each.outcome for each in answer.links} == {"unreadable-link"}
    assert (answer.continuation, answer.stopped) == (None, None)
    unlink(linked.services, linked.organization, ISSUE, ITEM)
    assert rebuilt(linked) == [(ISSUE, ITEM)]
