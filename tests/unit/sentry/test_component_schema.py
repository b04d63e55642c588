"""The schema that goes into Sentry: valid by Sentry's own rules, and served by us under every address."""

import json
import re
import runpy
import sys
from typing import Any

import pytest

from functions.sentry_components import _SERVED
from shared.sentry.component_schema import component_schema

# What Sentry checks before it takes a schema (docs/vendor_quirks.md#sentry-form).
URI = re.compile(r"/(?!/)[^@]*")
KINDS = {
    "select": {"type", "label", "name", "uri", "async", "skip_load_on_open", "depends_on", "options"},
    "text": {"type", "label", "name", "default"},
    "textarea": {"type", "label", "name", "default"},
}


@pytest.fixture
def component() -> dict[str, Any]:
    element, _ = component_schema("fabrikam")["elements"]
    return dict(element)


@pytest.fixture
def rule() -> dict[str, Any]:
    """Return the settings of our action in an alert rule."""
    _, element = component_schema("fabrikam")["elements"]
    assert set(element) == {"type", "title", "settings"}
    assert element["type"] == "alert-rule-action"
    return dict(element["settings"])


def fields_of(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [*part["required_fields"], *part.get("optional_fields", [])]


def test_it_is_one_component_with_both_its_parts(component: dict[str, Any]) -> None:
    assert set(component) == {"type", "link", "create"}
    assert component["type"] == "issue-link"
    for part in (component["link"], component["create"]):
        assert set(part) <= {"uri", "required_fields", "optional_fields"}
        assert part["required_fields"]
        assert part.get("optional_fields", [None])


@pytest.mark.parametrize("name", ["link", "create", "rule"])
def test_every_field_is_one_that_sentry_draws(
    component: dict[str, Any], rule: dict[str, Any], name: str
) -> None:
    fields = fields_of(rule if name == "rule" else component[name])
    names = [field["name"] for field in fields]
    assert len(set(names)) == len(names)
    for at, field in enumerate(fields):
        assert set(field) <= KINDS[field["type"]]
        assert {"type", "label", "name"} <= set(field)
        if field["type"] == "select":
            assert isinstance(field["async"], bool)
            assert ("uri" in field) is not ("options" in field)
            assert all(value and label for value, label in field.get("options", []))
        assert set(field.get("depends_on", [])) <= set(names[:at])
        assert field.get("depends_on", [None])
        assert field.get("default") in {None, "issue.title", "issue.description"}


def test_the_settings_of_a_rule_are_of_a_shape_that_sentry_takes(rule: dict[str, Any]) -> None:
    assert set(rule) == {"type", "uri", "description", "required_fields", "optional_fields"}
    assert rule["type"] == "alert-rule-settings"
    assert len(rule["description"]) <= 140
    names = [field["name"] for field in fields_of(rule)]
    assert names == ["project", "work_item_type", "area_path", "tags"]


def test_every_address_is_one_that_we_serve(component: dict[str, Any], rule: dict[str, Any]) -> None:
    parts = [component["link"], component["create"], rule]
    asked = {("GET", field["uri"]) for part in parts for field in fields_of(part) if "uri" in field}
    pressed = {("POST", part["uri"]) for part in parts}
    assert all(URI.fullmatch(uri) and "?" not in uri for _, uri in asked | pressed)
    served = {(method, f"/api/sentry/fabrikam/{path}") for method, path in _SERVED}
    assert asked | pressed == served


def test_the_fields_have_the_names_that_we_read(component: dict[str, Any]) -> None:
    assert [field["name"] for field in fields_of(component["link"])] == ["project", "work_item", "initial"]
    assert [field["name"] for field in fields_of(component["create"])] == [
        "project",
        "work_item_type",
        "title",
        "description",
        "required_1",
        "required_2",
        "required_3",
        "other_fields",
        "area_path",
        "iteration_path",
        "tags",
        "parent",
        "initial",
    ]


def test_projects_are_loaded_before_anything_is_typed(component: dict[str, Any]) -> None:
    for part in (component["link"], component["create"]):
        project, *others = part["required_fields"]
        assert (project["name"], project["async"]) == ("project", False)
        for field in others:
            if field["type"] == "select":
                assert (field["async"], field["depends_on"]) == (True, ["project"])


@pytest.mark.filterwarnings("ignore:.*found in sys.modules.*:RuntimeWarning")
def test_the_command_prints_what_is_to_be_pasted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["component_schema", "fabrikam"])
    runpy.run_module("shared.sentry.component_schema", run_name="__main__")
    assert json.loads(capsys.readouterr().out) == component_schema("fabrikam")


@pytest.mark.filterwarnings("ignore:.*found in sys.modules.*:RuntimeWarning")
@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_the_command_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["component_schema", *arguments])
    with pytest.raises(SystemExit, match="usage"):
        runpy.run_module("shared.sentry.component_schema", run_name="__main__")
