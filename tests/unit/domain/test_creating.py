"""What a new work item needs and takes, as tables."""

import pytest

from shared.domain.configuration import CreateDefaults
from shared.domain.rules.creating import TypeField, creation_errors, find_field, lacking, problem_with

TITLE = TypeField("System.Title", "Title", required=True)
STATE = TypeField("System.State", "State", required=True)
PRIORITY = TypeField("Common.Priority", "Priority", required=True, has_default=True, allowed=("1", "2"))
IMPACT = TypeField("Custom.Impact", "Customer Impact", required=True, allowed=("Low", "High"))
NOTE = TypeField("Custom.Note", "Note")
SUMMED = TypeField("Custom.Sum", "Sum", read_only=True)
BLOCKED = TypeField("Custom.Blocked", "Blocked", allowed=("true", "false"))
FIELDS = (TITLE, STATE, PRIORITY, IMPACT, NOTE, SUMMED, BLOCKED)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("Custom.Impact", IMPACT),
        ("custom.impact", IMPACT),
        (" customer IMPACT ", IMPACT),
        ("Impact", None),
        ("", None),
    ],
)
def test_a_field_is_found_by_either_name(name: str, field: TypeField | None) -> None:
    assert find_field(FIELDS, name) == field


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ([], [IMPACT]),
        (["custom.impact"], []),
        (["Custom.Note"], [IMPACT]),
    ],
)
def test_what_has_no_default_is_needed(given: list[str], needed: list[TypeField]) -> None:
    assert lacking(FIELDS, given) == needed


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        (IMPACT, "High", None),
        (IMPACT, "high", None),  # Azure DevOps does not mind the case
        (IMPACT, "Huge", "choose one of Low, High"),
        (IMPACT, "", "is required"),
        (PRIORITY, 2, None),
        (PRIORITY, 5, "'5' is no value"),
        (BLOCKED, True, None),
        (NOTE, "anything", None),
        (NOTE, "  ", "must not be empty"),
        (SUMMED, 1, "is read-only"),
    ],
)
def test_a_value_is_one_that_the_field_takes(
    field: TypeField, value: str | int | bool, problem: str | None
) -> None:
    found = problem_with(field, value)
    assert found is None if problem is None else problem in str(found)


@pytest.mark.parametrize(
    ("defaults", "paths"),
    [
        (CreateDefaults({"Custom.Impact": "Low"}), []),
        (CreateDefaults(), ["fields.Custom.Impact"]),
        (CreateDefaults({"Custom.Impact": "Low", "Custom.Nothing": 1}), ["fields.Custom.Nothing"]),
        # A name that people see may be another field's tomorrow.
        (CreateDefaults({"Custom.Impact": "Low", "Note": "x"}), ["fields.Note"]),
        (CreateDefaults({"Custom.Impact": "Low", "System.Title": "x"}), ["fields.System.Title"]),
        (CreateDefaults({"Custom.Impact": "Low", "system.tags": "x"}), ["fields.system.tags"]),
        (CreateDefaults({"Custom.Impact": "Low"}, area_path="Web\\Shop"), []),
        (CreateDefaults({"Custom.Impact": "Low"}, area_path="web\\shop"), []),
        (CreateDefaults({"Custom.Impact": "Low"}, area_path="Nowhere"), ["area_path"]),
    ],
)
def test_defaults_are_refused_by_path(defaults: CreateDefaults, paths: list[str]) -> None:
    found = creation_errors("create.p.Bug", "Bug", defaults, FIELDS, {"area_path": ["Web", "Web\\Shop"]})
    assert list(found) == [f"create.p.Bug.{path}" for path in paths]
