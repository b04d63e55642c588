"""Storing an organization's document: what it takes along, and what it leaves behind."""

import pytest

from shared.connecting import remove, store
from tests.unit.scene import ISSUE, ITEM, SLUG, Died, Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_removal_that_was_cut_short_leaves_nothing_to_who_comes_next(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its links would be links between other work items and other issues by then."""
    organization = scene.organization

    def die(_slug: str) -> None:
        raise Died

    monkeypatch.setattr(scene.services.links, "remove_all", die)
    with pytest.raises(Died):
        remove(scene.services, organization)
    monkeypatch.undo()
    store(scene.services, SLUG, organization.configuration, None)
    assert scene.issue_ids == []
    assert scene.services.activity.page(SLUG, ISSUE, ITEM, None, 1).entries == ()


def test_a_document_that_is_replaced_keeps_its_links(scene: Scene) -> None:
    store(scene.services, SLUG, scene.organization.configuration, scene.organization)
    assert scene.issue_ids == [ISSUE]
