"""What a new work item needs: the fields of its type, what is given, and what is lacking or wrong."""

from collections.abc import Collection, Mapping

import msgspec

from shared.domain.configuration import CreateDefaults

Value = str | int | float | bool

_TITLE = "System.Title"
PRIORITY = "Microsoft.VSTS.Common.Priority"
_DESCRIPTION, _REPRO_STEPS = "System.Description", "Microsoft.VSTS.TCM.ReproSteps"
# What is said in another way, by the key of the document or of the form that says it.
_SAID_ELSEWHERE = {
    "system.areapath": "area_path",
    "system.iterationpath": "iteration_path",
    "system.tags": "tags",
}
# What nobody can choose: the title is the issue's, and the rest is where the document names the type.
_FOLLOWS = frozenset({"system.title", "system.teamproject", "system.workitemtype"})
_MOST_SHOWN = 12  # allowed values in one error


class TypeField(msgspec.Struct, frozen=True):
    """A field of a work item type. ``allowed`` is empty where any value is; ``name`` is what people see."""

    reference_name: str
    name: str
    required: bool = False
    has_default: bool = False
    read_only: bool = False
    allowed: tuple[str, ...] = ()

    @property
    def is_needed(self) -> bool:
        """Tell whether a new work item lacks something without it.

        Azure DevOps fills in the system fields that every type requires.
        """
        is_of_system = self.reference_name.startswith("System.") and self.reference_name != _TITLE
        return self.required and not self.has_default and not is_of_system

    def allows(self, value: Value) -> bool:
        return not self.allowed or _text(value).casefold() in {each.casefold() for each in self.allowed}


def find_field(fields: Collection[TypeField], name: str) -> TypeField | None:
    """Find a field by its reference name, or by the name that people see, in any case."""
    wanted = name.strip().casefold()
    by_reference = (each for each in fields if each.reference_name.casefold() == wanted)
    by_name = (each for each in fields if each.name.casefold() == wanted)
    return next(by_reference, None) or next(by_name, None)


def body_of(fields: Collection[TypeField], work_item_type: str) -> str:
    """Return the field that holds the text of a new work item, and the link to its issue."""
    # ADO quirk: a bug's form shows its repro steps and hides its description.
    shows_steps = work_item_type == "Bug" and any(each.reference_name == _REPRO_STEPS for each in fields)
    return _REPRO_STEPS if shows_steps else _DESCRIPTION


def filled_in(fields: Collection[TypeField], work_item_type: str) -> tuple[str, ...]:
    """Return the fields that get a value without a default: title and text, and priority from the level."""
    return (_TITLE, body_of(fields, work_item_type), PRIORITY)


def lacking(fields: Collection[TypeField], given: Collection[str]) -> list[TypeField]:
    """Return the fields that a new work item still needs."""
    known = {each.casefold() for each in given}
    return [each for each in fields if each.is_needed and each.reference_name.casefold() not in known]


def problem_with(field: TypeField, value: Value) -> str | None:
    """Say why a field cannot be given a value, or return None."""
    if field.read_only:
        return f"{field.name} is read-only"
    if isinstance(value, str) and not value.strip():
        return f"{field.name} is required: give a value" if field.is_needed else "must not be empty"
    if not field.allows(value):
        shown = ", ".join(field.allowed[:_MOST_SHOWN])
        more = ", …" if len(field.allowed) > _MOST_SHOWN else ""
        return f"{_text(value)!r} is no value of {field.name}: choose one of {shown}{more}"
    return None


def creation_errors(
    path: str,
    work_item_type: str,
    defaults: CreateDefaults,
    fields: Collection[TypeField],
    places: Mapping[str, Collection[str]],
) -> dict[str, str]:
    """Return what is wrong with the defaults of a type, by path.

    ``places`` are the known paths by the key of the document that names one.
    """
    errors: dict[str, str] = {}
    for name, value in defaults.fields.items():
        where, key = f"{path}.fields.{name}", name.strip().casefold()
        field = next((each for each in fields if each.reference_name.casefold() == key), None)
        if key in _SAID_ELSEWHERE:
            errors[where] = f"is said by {_SAID_ELSEWHERE[key]}"
        elif key in _FOLLOWS:
            errors[where] = "follows from the issue, or from where this stands"
        elif field is None:
            errors[where] = f"is no field of {work_item_type}, by its reference name"
        elif (problem := problem_with(field, value)) is not None:
            errors[where] = problem
    for field in lacking(fields, (*defaults.fields, *filled_in(fields, work_item_type))):
        where = f"{path}.fields.{field.reference_name}"
        errors.setdefault(where, f"{field.name} is required and has no default: give a value")
    for key, known in places.items():
        value = getattr(defaults, key)
        if value and value.casefold() not in {each.casefold() for each in known}:
            errors[f"{path}.{key}"] = f"{value!r} is no path of the project"
    return errors


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
