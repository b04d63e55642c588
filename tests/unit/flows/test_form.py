"""The form of an organization's configuration, as org_config describes it."""

from typing import Any

import pytest

from shared.domain.configuration import Configuration, ProjectMapping
from shared.domain.model import Category, State
from shared.flows.form import SWITCHED_OFF, ProjectStates, described_fields

CONFIGURATION = Configuration(ado_url="https://dev.azure.com/fabrikam/")
WEB = ProjectStates(
    "p1",
    "Web Shop",
    {"Bug": (State("New", Category.PROPOSED), State("Closed", Category.COMPLETED), State("Odd", None))},
)
API = ProjectStates("p2", "API")


def fields(
    configuration: Configuration = CONFIGURATION, unreachable: str | None = None
) -> dict[str, dict[str, Any]]:
    return {field["name"]: field for field in described_fields(configuration, [WEB, API], unreachable)}


def test_the_fields_come_in_the_order_of_the_contract() -> None:
    assert [(name, field["type"], field["default"]) for name, field in fields().items()] == [
        ("sync_status_forward", "boolean", True),
        ("status_mapping", "choice_mapper", {}),
        ("sync_forward_assignment", "boolean", True),
        ("sync_comments", "boolean", False),
        ("sync_status_reverse", "boolean", True),
        ("sync_reverse_assignment", "boolean", True),
    ]


def test_every_field_is_described_in_full() -> None:
    keys = ["name", "type", "label", "help", "disabled", "disabled_reason", "default"]
    for name, field in fields().items():
        assert list(field) == [*keys, "projects"] if name == "status_mapping" else keys
        assert field["label"]
        assert field["help"].endswith(".")
        assert (field["disabled"], field["disabled_reason"]) == (False, None)


def test_a_default_is_that_of_the_document_whatever_is_configured() -> None:
    other = Configuration(sync_status_forward=False, sync_comments=True)
    assert [field["default"] for field in fields(other).values()] == [
        field["default"] for field in fields().values()
    ]


def test_the_choice_mapper_lists_projects_with_the_states_asked_for() -> None:
    assert fields()["status_mapping"]["projects"] == [
        {
            "id": "p1",
            "name": "Web Shop",
            "types": {
                "Bug": [
                    {"name": "New", "category": "Proposed"},
                    {"name": "Closed", "category": "Completed"},
                    {"name": "Odd", "category": None},
                ]
            },
            "by_category": {"Bug": {"resolved": "Closed", "unresolved": "New"}},
        },
        {"id": "p2", "name": "API", "types": None, "by_category": None},
    ]


def test_what_is_written_by_category_needs_no_mapping_and_may_be_nothing() -> None:
    mapping = ProjectMapping(on_resolve="Closed", on_unresolve="New")
    configuration = Configuration(status_mapping={"p1": mapping}, done_categories=(Category.REMOVED,))
    [project, _] = fields(configuration)["status_mapping"]["projects"]
    assert project["by_category"] == {"Bug": {"resolved": None, "unresolved": "New"}}


OFF = Configuration(issue_sync=False)


@pytest.mark.parametrize(
    ("configuration", "unreachable", "mapper_reason", "other_reason"),
    [
        (CONFIGURATION, None, None, None),
        # When Azure DevOps cannot be asked, the rest of the form still works.
        (CONFIGURATION, "it is down.", "it is down.", None),
        (OFF, None, SWITCHED_OFF, SWITCHED_OFF),
        (OFF, "it is down.", SWITCHED_OFF, SWITCHED_OFF),
    ],
)
def test_a_field_that_cannot_be_used_says_why(
    configuration: Configuration,
    unreachable: str | None,
    mapper_reason: str | None,
    other_reason: str | None,
) -> None:
    for name, field in fields(configuration, unreachable).items():
        reason = mapper_reason if name == "status_mapping" else other_reason
        assert (field["disabled"], field["disabled_reason"]) == (reason is not None, reason)
