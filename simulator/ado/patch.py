"""A work item patch: the document read into values, and the rules that turn old fields into new."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from simulator.ado.catalog import Catalog, Person, Project
from simulator.ado.errors import (
    bad_request,
    broken_rule,
    failed_test,
    rule_error,
    unknown_identity,
    unsupported_value,
)
from simulator.ado.processes import FIELDS, PICKLISTS, Field, WorkItemType, reasons_for
from simulator.ado.text import check_text, check_title, tags_in

Value = str | int | float | bool | Person
Fields = Mapping[str, Value]

NOT_A_PATCH = "You must pass a valid patch document in the body of the request."
_COMMENT_PATH = re.compile("([0-9]+)/attributes/comment")
REMAINING_WORK = "Microsoft.VSTS.Scheduling.RemainingWork"


@dataclass(frozen=True)
class Relation:
    rel: str
    url: str
    attributes: Mapping[str, Any]

    @property
    def joins_work_items(self) -> bool:
        return self.rel.startswith("System.LinkTypes.")

    @property
    def is_hyperlink(self) -> bool:
        return self.rel == "Hyperlink"

    def is_same_as(self, other: "Relation") -> bool:
        """Tell whether both lead to the same, by the same kind of link; comments make no difference."""
        return (self.rel, self.url.casefold()) == (other.rel, other.url.casefold())


@dataclass(frozen=True)
class Patch:
    """What a document asks for; a field set to "" is a field taken away."""

    tests: tuple[tuple[str, Any], ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    tags_replaced: bool = False
    added: tuple[Relation, ...] = ()
    removed: tuple[int, ...] = ()
    commented: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, document: Any) -> "Patch":
        if not isinstance(document, list) or not document:
            raise bad_request(NOT_A_PATCH)
        patch = cls()
        for operation in document:
            patch = patch._with(operation)
        return patch

    def _with(self, operation: Any) -> "Patch":
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise bad_request(NOT_A_PATCH)
        op, path, value = str(operation.get("op", "")).lower(), operation["path"], operation.get("value")
        if op not in {"add", "replace", "remove", "test"}:
            raise bad_request(NOT_A_PATCH)
        root, _, rest = path.lstrip("/").partition("/")
        match (op, root.casefold()):
            case ("test", "rev" | "fields"):
                return replace(self, tests=(*self.tests, (path, value)))
            case (_, "fields"):
                reference_name = field_named(rest).reference_name
                wanted = "" if op == "remove" or value is None else value
                replaced = self.tags_replaced or (op == "replace" and reference_name == "System.Tags")
                return replace(self, fields={**self.fields, reference_name: wanted}, tags_replaced=replaced)
            case ("add", "relations") if rest == "-":
                return replace(self, added=(*self.added, _relation(value)))
            case ("remove", "relations") if rest.isdigit():
                return replace(self, removed=(*self.removed, int(rest)))
            # https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/update#update-a-link
            case ("add" | "replace", "relations") if found := _COMMENT_PATH.fullmatch(rest):
                return replace(self, commented={**self.commented, int(found[1]): str(value)})
            case ("add" | "replace", "id" | "multilinefieldsformat"):
                return self
            case _:
                raise bad_request(NOT_A_PATCH)

    @property
    def texts(self) -> tuple[Any, ...]:
        """Return every text that would be stored."""
        history = self.fields.get("System.History")
        formatted = (history.get("text"),) if isinstance(history, dict) else ()
        links = (value for each in self.added for value in (each.url, each.attributes.get("comment")))
        return (*self.fields.values(), *formatted, *links, *self.commented.values())

    def check(self, rev: int, fields: Fields) -> None:
        """Raise the 412 of the first "test" that does not hold."""
        for path, wanted in self.tests:
            name = path.lstrip("/").partition("/")[2]
            actual = fields.get(field_named(name).reference_name) if name else rev
            if isinstance(actual, Person):
                actual = actual.text
            if isinstance(wanted, bool) or actual != wanted:
                raise failed_test(path, actual, wanted)


def _relation(value: Any) -> Relation:
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("rel"), str)
        or not isinstance(value.get("url"), str)
    ):
        raise bad_request(NOT_A_PATCH)
    return Relation(value["rel"], value["url"], value.get("attributes") or {})


def field_named(name: str) -> Field:
    """Find a field by reference name in any case, or refuse as the service does."""
    try:
        return FIELDS[name.casefold()]
    except KeyError as error:
        raise bad_request(
            f"TF51535: Cannot find field {name}.", "WorkItemTrackingFieldDefinitionNotFoundException"
        ) from error


def revised(catalog: Catalog, old: Fields, patch: Patch, *, rules: bool = True) -> dict[str, Value]:
    """Apply a patch to the fields of a work item; a new one has only its project and type in ``old``.

    ``rules`` is off for bypassRules: then any text is a state or a person.
    """
    check_text(patch.texts)
    new = dict(old)
    for name, value in patch.fields.items():
        _set(catalog, new, name, value, rules=rules)
    if "System.Tags" in patch.fields and not patch.tags_replaced:
        # ADO quirk: "add" merges tags with those already there, "replace" replaces them (REST
        # specification, work item update, examples 9 and 14).
        new["System.Tags"] = f"{old.get('System.Tags', '')};{patch.fields['System.Tags']}"
    _tidy_tags(new)
    project = catalog.project(str(new["System.TeamProject"]))
    new["System.TeamProject"] = project.name
    kind = project.type(str(new["System.WorkItemType"]))
    new["System.WorkItemType"] = kind.name
    if "System.State" not in old:
        _start(new, kind, project)
    if rules:
        _check_paths(new, project)
        _check_state(kind, old, new)
        _check_reason(kind, new, patch)
        _check_picklists(new, patch)
        _check_required(kind, new)
        _check_remaining_work(kind, old, new, patch)
    return new


def _set(catalog: Catalog, new: dict[str, Value], name: str, value: Any, *, rules: bool) -> None:
    known = field_named(name)
    if known.read_only and rules:
        raise broken_rule(name, known.name, "readOnly", "hasValues")
    if value == "":
        new.pop(name, None)
        return
    if known.kind == "identity":
        person = catalog.find_person(value)
        if person is None and rules:
            raise unknown_identity(known.name, value)
        new[name] = person or Person.named(str(value), "")
        return
    if known.kind == "history" and isinstance(value, dict):
        value = value.get("text", "")
    if isinstance(value, dict | list):
        raise rule_error(
            name, f"TF401326: Invalid field status 'InvalidType' for field '{name}'.", "invalidType"
        )
    new[name] = value if known.kind in {"integer", "double", "boolean"} else str(value)


def _tidy_tags(new: dict[str, Value]) -> None:
    tags = tags_in(str(new.get("System.Tags", "")))
    new.pop("System.Tags", None)
    if tags:
        new["System.Tags"] = "; ".join(tags)


def _start(new: dict[str, Value], kind: WorkItemType, project: Project) -> None:
    new.setdefault("System.State", kind.states[0].name)
    new.setdefault("System.AreaPath", project.name)
    new.setdefault("System.IterationPath", project.name)
    new.setdefault("Microsoft.VSTS.Common.Priority", 2)


def _check_paths(new: Fields, project: Project) -> None:
    for name, known in (("System.AreaPath", project.areas), ("System.IterationPath", project.iterations)):
        if str(new.get(name)).casefold() not in {path.casefold() for path in known}:
            raise rule_error(
                name,
                f"TF401347: Invalid tree name given for work item -1, field '{name}'.",
                "invalidTreeName",
            )


def _check_state(kind: WorkItemType, old: Fields, new: dict[str, Value]) -> None:
    wanted = str(new.get("System.State", ""))
    state = kind.find_state(wanted)
    current = old.get("System.State")
    # The same refusal for a state that the type lacks and for one that cannot be reached from here.
    same_type = old.get("System.WorkItemType") == new["System.WorkItemType"]
    allowed = kind.moves_from(str(current)) if current is not None and same_type else kind.states
    if state is None or state not in allowed:
        raise unsupported_value("System.State", "State", wanted)
    new["System.State"] = state.name


def _check_reason(kind: WorkItemType, new: Fields, patch: Patch) -> None:
    state = kind.find_state(str(new["System.State"]))
    wanted = patch.fields.get("System.Reason")
    if state is not None and wanted is not None and wanted not in reasons_for(state):
        raise unsupported_value("System.Reason", "Reason", wanted)


def _check_picklists(new: Fields, patch: Patch) -> None:
    for name in patch.fields:
        allowed, _ = PICKLISTS.get(name, ((), None))
        value = new.get(name)
        if (
            allowed
            and value is not None
            and str(value).casefold() not in {str(each).casefold() for each in allowed}
        ):
            raise unsupported_value(name, field_named(name).name, value)


def _check_required(kind: WorkItemType, new: Fields) -> None:
    for name in kind.required:
        if not str(new.get(name, "")).strip():
            raise broken_rule(name, field_named(name).name, "required", "invalidEmpty")
    check_title(str(new["System.Title"]))


def _check_remaining_work(kind: WorkItemType, old: Fields, new: dict[str, Value], patch: Patch) -> None:
    state = kind.find_state(str(new["System.State"]))
    completed = state is not None and state.category == "Completed"
    if (
        not completed
        or kind.category != "Microsoft.TaskCategory"
        or new["System.State"] == old.get("System.State")
    ):
        return
    # ADO quirk: completing a task empties its remaining work, and refuses even a 0 sent along.
    if patch.fields.get(REMAINING_WORK, "") != "":
        raise broken_rule(REMAINING_WORK, "Remaining Work", "invalidNotEmpty")
    new.pop(REMAINING_WORK, None)
