"""What an examination makes of a project or a person about which nothing can be read."""

import json

import azure.functions as func
import pytest
from msgspec.structs import replace

from functions import org_config
from shared.domain.configuration import ProjectMapping
from shared.domain.errors import (
    Forbidden,
    MissingSetting,
    NotFound,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.domain.model import Person, WorkItemTypes
from shared.domain.rules.diagnosing import Standing
from shared.flows.examining import examine, look_over
from tests.doubles.ado import MemoryAdo
from tests.doubles.sentry import MemorySentry
from tests.unit.scene import ANN, CAROL, ISSUE, ITEM, SLUG, Scene

EVE = "eve@corp.example"
HOUR = 3600.0
TROUBLES = [Forbidden("ado", "403"), NotFound("404"), Unavailable("ado", "what?"), Unauthorized("ado", "401")]


class _Ado(MemoryAdo):
    """Tells nothing of some projects, and lists states that are gone."""

    def __init__(self) -> None:
        super().__init__()
        self.untold: dict[str, SyncError] = {}

    def get_work_item_types(self, project_id: str) -> WorkItemTypes:
        if project_id in self.untold:
            raise self.untold[project_id]
        return super().get_work_item_types(project_id)


class _Sentry(MemorySentry):
    """Tells nothing of some people, nor what our token may do."""

    def __init__(self) -> None:
        super().__init__()
        self.untold: dict[str, SyncError] = {}
        self.trouble: SyncError | None = None
        self.given = super().scopes()

    def is_member(self, email: str) -> bool:
        if trouble := self.trouble or self.untold.get(email):
            raise trouble
        return super().is_member(email)

    def scopes(self) -> frozenset[str]:
        if self.trouble:
            raise self.trouble
        return self.given


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.link("200", 32)
    return scene


@pytest.fixture
def ado(scene: Scene) -> _Ado:
    """Three projects are mapped to a state that there is not."""
    ado = _Ado()
    scene.watched_ado.real = ado
    mapping = ProjectMapping(on_resolve="Nope", on_unresolve="Active")
    scene.configure(status_mapping=dict.fromkeys(list(ado.catalog.projects)[:3], mapping))
    return ado


@pytest.fixture
def sentry(scene: Scene) -> _Sentry:
    """Two people whom Sentry does not know are assigned."""
    sentry = _Sentry()
    sentry.add_member(ANN)
    scene.watched_sentry.real = sentry
    for (issue_id, item), address in (((ISSUE, ITEM), CAROL), (("200", 32), EVE)):
        assign(scene, issue_id, item, address)
    return sentry


def assign(scene: Scene, issue_id: str, work_item_id: int, address: str) -> None:
    stored = scene.services.links.get(SLUG, issue_id, work_item_id)
    seen = stored.link.seen
    item = replace(seen.item, assignee=Person(address))
    scene.services.links.replace(stored, replace(stored.link, seen=replace(seen, item=item)))


def looked_over(scene: Scene) -> list[str]:
    """Return what is kept an hour later, each by what it is about."""
    scene.now += HOUR
    look_over(scene.services, scene.organization)
    return kept(scene)


def kept(scene: Scene) -> list[str]:
    troubles = scene.services.examinations.get(scene.organization.scope).troubles
    return sorted(each.about or each.kind for each in troubles if each.kind != "hook")


def unknowns(scene: Scene) -> list[str]:
    found = examine(scene.services, scene.organization)
    return [each.detail for each in found if each.standing is Standing.UNKNOWN]


# Projects


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: each.kind)
def test_a_project_that_cannot_be_read_hides_no_other(scene: Scene, ado: _Ado, trouble: SyncError) -> None:
    first, second, third = scene.organization.configuration.status_mapping
    ado.untold[second] = trouble
    assert looked_over(scene) == sorted([first, third])
    name = ado.catalog.projects[second].name
    assert f"the states of {name} cannot be read ({trouble.kind})" in unknowns(scene)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: each.kind)
def test_what_was_wrong_in_a_project_is_not_cured_by_not_being_read(
    scene: Scene, ado: _Ado, trouble: SyncError
) -> None:
    mapped = sorted(scene.organization.configuration.status_mapping)
    assert looked_over(scene) == mapped
    before = scene.services.examinations.get(SLUG).kept
    ado.untold = dict.fromkeys(mapped, trouble)
    assert looked_over(scene) == mapped
    assert {each.since for each in before} == {
        each.since for each in scene.services.examinations.get(SLUG).kept
    }
    ado.untold.clear()
    scene.configure(status_mapping={})
    assert looked_over(scene) == []


def test_what_is_not_mapped_any_more_is_not_kept_for_not_being_read(scene: Scene, ado: _Ado) -> None:
    looked_over(scene)
    ado.untold = dict.fromkeys(ado.catalog.projects, Forbidden("ado", "403"))
    scene.configure(status_mapping={})
    linked = {scene.row.project_id}
    assert set(looked_over(scene)) <= linked


def test_without_a_client_nothing_is_cured(
    scene: Scene, ado: _Ado, sentry: _Sentry, monkeypatch: pytest.MonkeyPatch
) -> None:
    del ado
    sentry.given = frozenset()
    before = looked_over(scene)
    assert {CAROL, EVE, "scope-missing"} < set(before)

    def none(_organization: object) -> None:
        raise MissingSetting("A_TOKEN", "for it")

    monkeypatch.setattr(scene.services, "ado_at_once", none)
    monkeypatch.setattr(scene.services, "sentry_at_once", none)
    assert looked_over(scene) == before


# People


@pytest.mark.parametrize("trouble", [Unavailable("sentry", "?"), Throttled("sentry", "5", retry_after=5.0)])
def test_a_person_about_whom_nothing_is_told_hides_no_other(
    scene: Scene, sentry: _Sentry, trouble: SyncError
) -> None:
    sentry.untold[EVE] = trouble
    assert looked_over(scene) == [CAROL]
    assert f"whether Sentry knows {EVE} cannot be told ({trouble.kind})" in unknowns(scene)
    sentry.untold.clear()
    assert looked_over(scene) == [CAROL, EVE]
    sentry.untold = {CAROL: trouble, EVE: trouble}
    assert looked_over(scene) == [CAROL, EVE]
    sentry.add_member(CAROL)
    assert looked_over(scene) == [CAROL, EVE]
    sentry.untold.clear()
    assert looked_over(scene) == [EVE]


def test_whoever_is_not_asked_for_any_more_is_not_taken_for_cured(
    scene: Scene, sentry: _Sentry, monkeypatch: pytest.MonkeyPatch
) -> None:
    del sentry
    assert looked_over(scene) == [CAROL, EVE]
    monkeypatch.setattr("shared.flows.examining._MOST_PEOPLE", 1)
    assert looked_over(scene) == [CAROL, EVE]


def test_a_scope_that_is_missing_is_not_cured_by_a_silent_sentry(scene: Scene, sentry: _Sentry) -> None:
    sentry.given = frozenset()
    before = looked_over(scene)
    sentry.trouble = Unavailable("sentry", "down")
    assert looked_over(scene) == before
    assert "the scopes of the token cannot be looked at (unavailable)" in unknowns(scene)
    assert kept(scene) == before
    sentry.trouble, sentry.given = None, MemorySentry().scopes()
    assert looked_over(scene) == [CAROL, EVE]


# The form


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: each.kind)
def test_the_form_shows_every_project_and_the_states_of_those_that_can_be_read(
    scene: Scene, ado: _Ado, trouble: SyncError
) -> None:
    first, second, third = scene.organization.configuration.status_mapping
    ado.untold[second] = trouble
    request = func.HttpRequest("GET", "http://x", route_params={"organization": SLUG}, body=b"")
    fields = json.loads(org_config.handle(request, scene.services).get_body())["fields"]
    [mapper] = [each for each in fields if each["name"] == "status_mapping"]
    assert (mapper["disabled"], mapper["disabled_reason"]) == (False, None)
    assert {each["id"] for each in mapper["projects"]} == set(ado.catalog.projects)
    shown = {each["id"] for each in mapper["projects"] if each["types"] is not None}
    assert {first, third} <= shown
    assert second not in shown
