"""What a document, a rule and the form still have to give for a type of work items."""

from dataclasses import replace

import pytest
from msgspec import structs

from shared.domain.configuration import CreateDefaults
from shared.domain.connection import Connection
from shared.domain.errors import InvalidConfiguration, Rejected
from shared.domain.messages import RuleAction
from shared.flows.creatable import choices_needed, verify_action, verify_creations
from tests.unit.scene import Scene

BUG, TASK = "Bug", "Task"
REPRO_STEPS = "Microsoft.VSTS.TCM.ReproSteps"
FILLED_IN = (REPRO_STEPS, "Microsoft.VSTS.Common.Priority")
IMPACT, SEVERITY = "Custom.CustomerImpact", "Microsoft.VSTS.Common.Severity"


def requiring(*fields: str) -> tuple[Scene, str]:
    """Return a scene in whose first project every type requires these fields, and the project's id."""
    scene = Scene()
    project = next(iter(scene.ado.catalog.projects.values()))
    types = tuple(replace(each, required=(*each.required, *fields)) for each in project.process.types)
    process = replace(project.process, types=types)
    scene.ado.catalog.projects[project.id] = replace(project, process=process)
    return scene, project.id


def test_a_type_that_requires_its_text_and_a_priority_can_be_set_up() -> None:
    scene, project = requiring(*FILLED_IN)
    scene.configure(create={project: {BUG: CreateDefaults(tags="sentry")}})
    verify_creations(scene.services, scene.organization)
    assert verify_action(scene.services, scene.organization, RuleAction("New", project, BUG))
    assert choices_needed(scene.services, scene.organization, project, BUG) == []


def test_a_type_that_requires_more_says_what() -> None:
    scene, project = requiring(*FILLED_IN, SEVERITY, IMPACT)
    scene.configure(create={project: {BUG: CreateDefaults(fields={IMPACT: "Low"})}})
    with pytest.raises(InvalidConfiguration) as invalid:
        verify_creations(scene.services, scene.organization)
    assert list(invalid.value.errors) == [f"create.{project}.Bug.fields.{SEVERITY}"]
    with pytest.raises(Rejected, match=r": Severity$"):
        verify_action(scene.services, scene.organization, RuleAction("New", project, BUG))


def test_a_text_that_stands_elsewhere_is_not_filled_in() -> None:
    scene, project = requiring(*FILLED_IN)
    with pytest.raises(Rejected, match=r": Repro Steps$"):
        verify_action(scene.services, scene.organization, RuleAction("New", project, TASK))


def test_what_another_organization_requires_is_read_anew_though_its_projects_have_the_same_ids() -> None:
    scene, project = requiring(*FILLED_IN)
    organization = scene.organization
    assert choices_needed(scene.services, organization, project, BUG) == []
    there, _ = requiring(*FILLED_IN, SEVERITY)
    scene.watched_ado.real = there.ado
    elsewhere = structs.replace(organization, connection=Connection("another"))
    with pytest.raises(Rejected, match=r": Severity$"):
        verify_action(scene.services, elsewhere, RuleAction("New", project, BUG))
