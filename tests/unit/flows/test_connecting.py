"""Storing an organization's document: what it takes along, and what it leaves behind."""

import pytest

from shared.domain.errors import Conflict
from shared.flows.connecting import find_organization, remove, store
from shared.store.organizations import Organization
from tests.unit.scene import ISSUE, ITEM, SLUG, Died, Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_removal_that_was_cut_short_can_be_asked_for_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its links would join other work items and other issues once another organization gets the slug."""
    organization = scene.organization

    def die(_slug: str) -> None:
        raise Died

    for victim in (scene.services.links, scene.services.activity):
        monkeypatch.setattr(victim, "remove_all", die)
        with pytest.raises(Died):
            remove(scene.services, organization)
        monkeypatch.undo()
        assert find_organization(scene.services, SLUG) is not None
    remove(scene.services, organization)
    store(scene.services, SLUG, organization.configuration, None)
    assert scene.issue_ids == []
    assert scene.services.activity.page(SLUG, ISSUE, ITEM, None, 1).entries == ()


def test_a_link_made_while_its_organization_is_removed_goes_with_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed_document = scene.services.organizations.remove

    def link_first(organization: Organization) -> None:
        scene.link("200", 32)
        removed_document(organization)

    monkeypatch.setattr(scene.services.organizations, "remove", link_first)
    remove(scene.services, scene.organization)
    assert scene.issue_ids == []


def test_the_second_to_connect_a_slug_takes_nothing_from_the_first(scene: Scene) -> None:
    with pytest.raises(Conflict):
        store(scene.services, SLUG, scene.organization.configuration, None)
    assert scene.issue_ids == [ISSUE]


def test_a_document_that_is_replaced_keeps_its_links(scene: Scene) -> None:
    store(scene.services, SLUG, scene.organization.configuration, scene.organization)
    assert scene.issue_ids == [ISSUE]
