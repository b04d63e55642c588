"""What a new work item needs and takes, as tables."""

import pytest

from shared.domain.configuration import CreateDefaults
from shared.domain.rules.creating import (
    TypeField,
    body_of,
    creation_errors,
    filled_in,
    find_field,
    lacking,
    problem_with,
)

TITLE = TypeField("System.Title", "Title", required=True)
STATE = TypeField("System.State", "State", required=True)
STEPS = TypeField("Microsoft.VSTS.TCM.ReproSteps", "Repro Steps", required=True)
TEXT = TypeField("System.Description", "Description", required=True)
LEVEL = TypeField("Microsoft.VSTS.Common.Priority", "Priority", required=True, allowed=("1", "2"))
PRIORITY = TypeField("Common.Priority", "Priority", required=True, has_default=True, allowed=("1", "2"))
IMPACT = TypeField("Custom.Impact", "Customer Impact", required=True, allowed=("Low", "High"))
NOTE = TypeField("Custom.Note", "Note")
SUMMED = TypeField("Custom.Sum", "Sum", read_only=True)
BLOCKED = TypeField("Custom.Blocked", "Blocked", allowed=("true", "false"))
SIZE = TypeField("Custom.Size", "Size", allowed=tuple("ABCDEFGHIJKL"))  # as many as one error names
LETTER = TypeField("Custom.Letter", "Letter", allowed=tuple("ABCDEFGHIJKLM"))
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
        ([], [TITLE, IMPACT]),
        (["system.title"], [IMPACT]),
        (["custom.impact", "System.Title"], []),
        (["Custom.Note", "System.Title"], [IMPACT]),
    ],
)
def test_what_has_no_default_is_needed(given: list[str], needed: list[TypeField]) -> None:
    assert lacking(FIELDS, given) == needed


@pytest.mark.parametrize(
    ("fields", "kind", "body"),
    [
        ((TITLE, TEXT, STEPS), "Bug", STEPS),
        ((TITLE, TEXT, STEPS), "Task", TEXT),
        ((TITLE, TEXT), "Bug", TEXT),
    ],
)
def test_what_the_app_fills_in_is_not_lacking(
    fields: tuple[TypeField, ...], kind: str, body: TypeField
) -> None:
    assert body_of(fields, kind) == body.reference_name
    every = (*fields, LEVEL, IMPACT)
    left = [each for each in (STEPS, IMPACT) if each in every and each != body]
    assert lacking(every, filled_in(every, kind)) == left
    errors = creation_errors("create.p", kind, CreateDefaults(), every, {})
    assert list(errors) == [f"create.p.fields.{each.reference_name}" for each in left]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        (IMPACT, "High", None),
        (IMPACT, "high", None),  # Azure DevOps does not mind the case
        (IMPACT, "Huge", "'Huge' is no value of Customer Impact: choose one of Low, High"),
        (IMPACT, "", "Customer Impact is required: give a value"),
        (PRIORITY, 2, None),
        (PRIORITY, 5, "'5' is no value of Priority: choose one of 1, 2"),
        (BLOCKED, True, None),
        (NOTE, True, None),
        (PRIORITY, True, "'true' is no value of Priority: choose one of 1, 2"),
        (NOTE, "anything", None),
        (NOTE, "  ", "must not be empty"),
        (SUMMED, 1, "Sum is read-only"),
        (SIZE, "L", None),
        (SIZE, "N", "'N' is no value of Size: choose one of A, B, C, D, E, F, G, H, I, J, K, L"),
        (LETTER, "M", None),
        (LETTER, "N", "'N' is no value of Letter: choose one of A, B, C, D, E, F, G, H, I, J, K, L, …"),
    ],
)
def test_a_value_is_one_that_the_field_takes(
    field: TypeField, value: str | int | bool, problem: str | None
) -> None:
    assert problem_with(field, value) == problem


@pytest.mark.parametrize(
    ("defaults", "errors"),
    [
        (CreateDefaults({"Custom.Impact": "Low"}), {}),
        (
            CreateDefaults(),
            {"fields.Custom.Impact": "Customer Impact is required and has no default: give a value"},
        ),
        (
            CreateDefaults({"Custom.Impact": ""}),
            {"fields.Custom.Impact": "Customer Impact is required: give a value"},
        ),
        (
            CreateDefaults({"Custom.Impact": "Low", "Custom.Nothing": 1}),
            {"fields.Custom.Nothing": "is no field of Bug, by its reference name"},
        ),
        # A name that people see may be another field's tomorrow.
        (
            CreateDefaults({"Custom.Impact": "Low", "Note": "x"}),
            {"fields.Note": "is no field of Bug, by its reference name"},
        ),
        (
            CreateDefaults({"Custom.Impact": "Low", "System.Title": "x"}),
            {"fields.System.Title": "follows from the issue, or from where this stands"},
        ),
        (
            CreateDefaults({"Custom.Impact": "Low", "system.tags": "x"}),
            {"fields.system.tags": "is said by tags"},
        ),
        (CreateDefaults({"Custom.Impact": "Low"}, area_path="Web\\Shop"), {}),
        (CreateDefaults({"Custom.Impact": "Low"}, area_path="web\\shop"), {}),
        (
            CreateDefaults({"Custom.Impact": "Low"}, area_path="Nowhere"),
            {"area_path": "'Nowhere' is no path of the project"},
        ),
    ],
)
def test_defaults_are_refused_by_path(defaults: CreateDefaults, errors: dict[str, str]) -> None:
    found = creation_errors("create.p.Bug", "Bug", defaults, FIELDS, {"area_path": ["Web", "Web\\Shop"]})
    assert found == {f"create.p.Bug.{path}": error for path, error in errors.items()}
