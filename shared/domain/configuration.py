"""The configuration document of one organization: its shape, its defaults, and all its errors at once."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from shared.domain.addresses import (
    AddressPolicy,
    is_bare_host,
    is_whole,
    may_name_project,
    normalized_ado_url,
    normalized_sentry_url,
)
from shared.domain.comments import InboundComments
from shared.domain.decoding import convert, decode_document, decoder
from shared.domain.errors import InvalidConfiguration, Malformed, Rejected
from shared.domain.merging import changed_paths, merged
from shared.domain.model import Category, ResolveIn, Side
from shared.domain.names import address_in, name_in
from shared.domain.paths import is_segment, verify_segment
from shared.domain.shapes import below, faults, listed, quoted, shown

DEFAULT_SENTRY_URL = "https://sentry.io/"
HALF_A_MAPPING = "Resolve and unresolve status are required."
_MAY_BE_DONE = frozenset({Category.RESOLVED, Category.COMPLETED, Category.REMOVED})
USUALLY_DONE = (Category.RESOLVED, Category.COMPLETED)
_LONGEST_TEXT = 1024
_LONGEST_NAME = 255  # characters of a value that Azure DevOps keeps as one line


class _Archiving(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    on_archive: str | None = None


class StatusMapping(_Archiving, frozen=True, omit_defaults=True):
    """How a project, or one of its work item types, spells the statuses.

    The app writes the ``on_…`` states; the first two are both set or neither. ``done_states`` count as
    resolved, and ``on_archive`` counts as archived.
    """

    on_resolve: str | None = None
    on_unresolve: str | None = None
    done_states: tuple[str, ...] = ()


class ProjectMapping(StatusMapping, frozen=True, omit_defaults=True):
    """A project's mapping, and the mappings of single types, which take precedence over it."""

    types: dict[str, StatusMapping] = {}

    def for_type(self, work_item_type: str) -> tuple[StatusMapping, ...]:
        """Return the mappings that apply to a type, the most specific first."""
        own = self.types.get(work_item_type)
        return (own, self) if own is not None else (self,)


class DoneWhen(StrEnum):
    """Which of its partners have to be done for an end of several links to become done."""

    ALL = "all"
    ANY = "any"


class CreateDefaults(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a new work item of a type gets where the form, or the rule, says nothing else.

    ``fields`` are values by the reference name of the field.
    """

    fields: dict[str, str | int | float | bool] = {}
    area_path: str = ""
    iteration_path: str = ""
    tags: str = ""


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """A valid document (docs/glossary.md#the-document); ``people`` maps lower-cased ADO names."""

    ado_url: str | None = None
    ado_account_id: str | None = None
    ado_search_url: str | None = None
    sentry_url: str = DEFAULT_SENTRY_URL
    sentry_organization: str | None = None
    issue_sync: bool = True
    sync_status_forward: bool = True
    sync_status_reverse: bool = True
    sync_forward_assignment: bool = True
    sync_reverse_assignment: bool = True
    sync_comments: bool = False
    done_categories: tuple[Category, ...] = USUALLY_DONE
    status_mapping: dict[str, ProjectMapping] = {}
    people: dict[str, str] = {}
    on_conflict: Side = Side.ADO
    done_when: DoneWhen = DoneWhen.ALL
    back_links: bool = True
    sync_comments_reverse: InboundComments = InboundComments.OFF
    # What kind of done, and how a new work item looks.
    archive_reasons: tuple[str, ...] = ()
    resolve_in: ResolveIn = ResolveIn.NOW
    create: dict[str, dict[str, CreateDefaults]] = {}

    @classmethod
    def from_json(cls, body: bytes, policy: AddressPolicy) -> "Configuration":
        """Parse a submitted document, or raise InvalidConfiguration with every error under its path."""
        return cls.from_submitted(Submitted.from_json(body), policy)

    @classmethod
    def from_submitted(cls, submitted: "Submitted", policy: AddressPolicy) -> "Configuration":
        """Return a submitted document with its defaults, or raise InvalidConfiguration as ``from_json``."""
        document, errors = submitted.document, dict(submitted.errors)
        values = _convert_fields(cls, document, "", errors)
        values["status_mapping"] = _mappings(document.get("status_mapping", {}), errors)
        values["people"] = _people(document.get("people", {}), errors)
        values["create"] = _creations(document.get("create", {}), errors)
        _check_done_categories(values, errors)
        _check_archive_reasons(values, errors)
        _check_addresses(values, policy, errors)
        _check_sentry_organization(values.get("sentry_organization"), errors)
        if errors:
            raise InvalidConfiguration(errors)
        return cls(**values)

    @classmethod
    def from_stored(cls, text: str) -> "Configuration":
        """Read a document that any version of this app stored; unknown keys are ignored."""
        return decoder(cls).decode(text)

    def changed_from(self, before: "Configuration | None") -> list[str]:
        """Return the paths at which it differs from an earlier document, or from one of defaults alone."""
        return changed_paths((before or Configuration()).to_document(), self.to_document())

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return decoder(dict[str, Any]).decode(self.to_json())

    def to_json(self) -> str:
        return msgspec.json.encode(self).decode()

    @property
    def is_located(self) -> bool:
        """Tell whether it says where Azure DevOps is, not only whose account it is."""
        return self.ado_url is not None and not is_bare_host(self.ado_url)

    @property
    def leads_anywhere(self) -> bool:
        """Tell whether requests can be made of its addresses: somebody may have edited them by hand."""
        addresses = (self.ado_url, self.ado_search_url, self.sentry_url)
        is_named = not self.sentry_organization or is_segment(self.sentry_organization)
        return is_named and all(is_whole(each or "") for each in addresses)

    def project_mapping(self, project_id: str) -> ProjectMapping | None:
        return self.status_mapping.get(project_id.lower())

    def creation(self, project_id: str, work_item_type: str) -> CreateDefaults:
        """Return what a new work item gets by default; the name of its type may be in any case."""
        types = self.create.get(project_id.lower(), {})
        wanted = work_item_type.casefold()
        return next((each for name, each in types.items() if name.casefold() == wanted), CreateDefaults())

    def archives(self, reasons: Iterable[str]) -> bool:
        """Tell whether a work item that is done for one of these reasons archives its issue."""
        wanted = {each.casefold() for each in self.archive_reasons}
        return any(each.strip().casefold() in wanted for each in reasons)

    @property
    def ado_people(self) -> Mapping[str, str]:
        """Sentry address → ADO address, for people whose addresses differ."""
        return {sentry: ado for ado, sentry in self.people.items()}


class Submitted(msgspec.Struct, frozen=True):
    """A document as somebody sent it; ``errors`` are those that only its text shows, by their path."""

    document: Mapping[str, Any]
    errors: Mapping[str, str] = {}

    @classmethod
    def from_json(cls, body: bytes) -> "Submitted":
        try:
            document, repeated = decode_document(body)
        except Malformed as error:
            raise InvalidConfiguration({"$": "must be a JSON object"}) from error
        return cls(document, dict.fromkeys(repeated, "is there twice"))

    def applied_to(self, stored: Configuration) -> "Submitted":
        """Return the document that it makes of a stored one, as a JSON merge patch."""
        errors = dict(self.errors)
        patch = {
            key: _respelled(value, key, _SPELLED[key], errors)
            if key in _SPELLED and isinstance(value, Mapping)
            else value
            for key, value in self.document.items()
        }
        return Submitted(merged(stored.to_document(), patch), errors)

    @property
    def names_page(self) -> bool:
        """Tell whether its address is that of a Server's page, whose base is not certain."""
        url = self.document.get("ado_url")
        return isinstance(url, str) and may_name_project(url)


# How the keys of an object are spelled once they are stored.
_SPELLED: Mapping[str, Callable[[str], str]] = {
    "status_mapping": str.lower,
    "create": str.lower,
    "people": lambda ado: name_in(ado) or ado,
}


def _respelled(
    patch: Mapping[str, Any], path: str, spell: Callable[[str], str], errors: dict[str, str]
) -> dict[str, Any]:
    """Return a patch whose keys are spelled as they are stored, so that it meets what it means."""
    respelled: dict[str, Any] = {}
    for key, value in patch.items():
        if spell(key) in respelled:
            errors[below(path, key)] = "is there a second time, in another spelling"
        respelled[spell(key)] = value
    return respelled


_APART = frozenset(
    {"status_mapping", "types", "people", "create"}
)  # Each of their entries is converted on its own.


def _convert_fields(
    struct: type[msgspec.Struct], document: Mapping[str, Any], path: str, errors: dict[str, str]
) -> dict[str, Any]:
    """Convert each key on its own, so that one bad value does not hide the next."""
    fields = {each.name: each.type for each in msgspec.structs.fields(struct)}
    values: dict[str, Any] = {}
    for key, value in document.items():
        where = below(path, key)
        if key not in fields:
            errors[where] = "is not a known key"
        elif key not in _APART:
            wrong = faults(value, fields[key], where)
            if wrong:
                errors |= wrong
            elif isinstance(value, str) and not (0 < len(value) <= _LONGEST_TEXT and value.isprintable()):
                errors[where] = f"must have 1 to {_LONGEST_TEXT} printable characters"
            else:
                values[key] = _converted(value, fields[key], where, errors)
    return values


def _converted(value: object, kind: Any, path: str, errors: dict[str, str]) -> Any:
    try:
        return convert(value, kind)
    except msgspec.ValidationError:
        errors[path] = "has another value than this key takes"
        return None


def _mappings(document: object, errors: dict[str, str]) -> dict[str, ProjectMapping]:
    mappings = {}
    for project_id, entry in _entries(document, "status_mapping", errors).items():
        path = below("status_mapping", project_id)
        values = _mapping(ProjectMapping, entry, path, errors)
        types = entry.get("types", {}) if isinstance(entry, dict) else {}
        values["types"] = {
            name: StatusMapping(**_mapping(StatusMapping, each, below(f"{path}.types", name), errors))
            for name, each in _entries(types, f"{path}.types", errors).items()
        }
        if project_id.lower() in mappings:
            errors[path] = "names a project a second time"
        mappings[project_id.lower()] = ProjectMapping(**values)
    return mappings


def _mapping(struct: type[StatusMapping], entry: object, path: str, errors: dict[str, str]) -> dict[str, Any]:
    document = _entries(entry, path, errors)
    values = _convert_fields(struct, document, path, errors)
    if bool(document.get("on_resolve")) != bool(document.get("on_unresolve")):
        errors[path] = HALF_A_MAPPING
    return values


def _creations(document: object, errors: dict[str, str]) -> dict[str, dict[str, CreateDefaults]]:
    """Return the defaults of new work items; that Azure DevOps takes them is checked when they are stored."""
    creations: dict[str, dict[str, CreateDefaults]] = {}
    for project_id, types in _entries(document, "create", errors).items():
        path = below("create", project_id)
        if project_id.lower() in creations:
            errors[path] = "names a project a second time"
        kinds = creations.setdefault(project_id.lower(), {})
        for name, entry in _entries(types, path, errors).items():
            where = below(path, name)
            if name.casefold() in {each.casefold() for each in kinds}:
                errors[where] = "names a type a second time"
            values = _entries(entry, where, errors)
            kinds[name] = CreateDefaults(**_convert_fields(CreateDefaults, values, where, errors))
    return creations


def _check_archive_reasons(values: dict[str, Any], errors: dict[str, str]) -> None:
    reasons = tuple(each.strip() for each in values.get("archive_reasons", ()))
    for index, reason in enumerate(reasons):
        path = f"archive_reasons[{index}]"
        if not (0 < len(reason) <= _LONGEST_NAME and reason.isprintable()):
            errors[path] = f"must have 1 to {_LONGEST_NAME} printable characters"
        elif reason.casefold() in {each.casefold() for each in reasons[:index]}:
            errors[path] = f"names {reason!r} a second time"
    if "archive_reasons" in values:
        values["archive_reasons"] = reasons


def _entries(value: object, path: str, errors: dict[str, str]) -> Mapping[str, Any]:
    """Return the entries of an object, or none of something else, which is an error."""
    errors |= faults(value, dict[str, Any], path)
    return value if isinstance(value, dict) else {}


def _people(document: object, errors: dict[str, str]) -> dict[str, str]:
    """Return the aliases lower-cased; refuse duplicates, which would make the reverse direction ambiguous."""
    aliases: dict[str, str] = {}
    taken: dict[str, str] = {}
    for ado, sentry in _entries(document, "people", errors).items():
        path = below("people", ado)
        ado_name, sentry_address = name_in(ado), address_in(sentry) if isinstance(sentry, str) else None
        if ado_name is None:
            errors[path] = (
                f"{_quoted(ado)} is no e-mail address, and no DOMAIN\\user: a bare name may be anybody's"
                if ado.strip()
                else "must be an e-mail address, or DOMAIN\\user: a bare name may be anybody's"
            )
        elif sentry_address is None:
            errors[path] = (
                f"{_quoted(sentry)} is no e-mail address"
                if isinstance(sentry, str) and sentry.strip()
                else "must map to an e-mail address"
            )
        elif ado_name in aliases:
            errors[path] = "names an Azure DevOps person a second time"
        elif sentry_address in taken:
            errors[path] = f"{sentry_address} already stands for {taken[sentry_address]}"
        else:
            taken[sentry_address] = ado_name
        aliases[ado_name or ado] = sentry_address or ""
    return aliases


def _quoted(text: str) -> str:
    return quoted(shown(text))


def _check_done_categories(values: Mapping[str, Any], errors: dict[str, str]) -> None:
    allowed = [each.value for each in Category if each in _MAY_BE_DONE]
    for path in errors:
        if path == "done_categories":
            errors[path] = f"must be a list of {listed(allowed)}"
        elif path.startswith("done_categories["):
            errors[path] = f"must be {listed(allowed)}"
    categories = values.get("done_categories")
    if categories is None:
        return
    if not categories:
        errors["done_categories"] = f"must name at least one category: {listed(allowed)}"
    elif strange := [each for each in categories if each not in _MAY_BE_DONE]:
        errors["done_categories"] = (
            f"{strange[0].value} cannot mean done: choose among {listed(allowed, 'and')}"
        )


def _check_addresses(values: dict[str, Any], policy: AddressPolicy, errors: dict[str, str]) -> None:
    account, ado_url = values.get("ado_account_id"), values.get("ado_url")
    if ado_url is None and account is None:
        errors.setdefault("ado_url", "give the address or the account id (ado_account_id)")
    elif ado_url is not None and account is not None and is_bare_host(ado_url):
        pass  # Looked up on first use; the result is checked like any other address.
    elif ado_url is not None:
        _check_address(values, "ado_url", lambda url: normalized_ado_url(url, policy), errors)
    if values.get("ado_search_url") is not None:
        _check_address(values, "ado_search_url", policy.verify_url, errors)
    if values.get("sentry_url") is not None:
        _check_address(values, "sentry_url", lambda url: normalized_sentry_url(url, policy), errors)


def _check_sentry_organization(slug: str | None, errors: dict[str, str]) -> None:
    if slug is None:
        return
    try:
        verify_segment(slug)
    except Rejected as error:
        errors.setdefault("sentry_organization", error.detail)


def _check_address(
    values: dict[str, Any], key: str, normalize: Callable[[str], str], errors: dict[str, str]
) -> None:
    try:
        values[key] = normalize(values[key])
    except Rejected as error:
        errors.setdefault(key, error.detail)
