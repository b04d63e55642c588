"""The configuration document of one organization: its shape, its defaults, and all its errors at once."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from shared.domain.addresses import (
    AddressPolicy,
    is_bare_host,
    may_name_project,
    normalized_ado_url,
    normalized_sentry_url,
)
from shared.domain.decoding import decode
from shared.domain.errors import InvalidConfiguration, Malformed, Rejected
from shared.domain.model import Category, Side
from shared.domain.names import address_in, name_in
from shared.domain.paths import verify_segment

DEFAULT_SENTRY_URL = "https://sentry.io/"
HALF_A_MAPPING = "Resolve and unresolve status are required."
_MAY_BE_DONE = frozenset({Category.RESOLVED, Category.COMPLETED, Category.REMOVED})
USUALLY_DONE = (Category.RESOLVED, Category.COMPLETED)
_LONGEST_TEXT = 1024
_LONGEST_PROBLEM = 200  # characters; it may quote what was sent


class StatusMapping(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a project, or one of its work item types, spells the two statuses.

    The app writes the ``on_…`` states; both are set or neither. ``done_states`` count as resolved.
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

    @classmethod
    def from_json(cls, body: bytes, policy: AddressPolicy) -> "Configuration":
        """Parse a submitted document, or raise InvalidConfiguration with every error under its path."""
        try:
            document = decode(body, dict[str, Any])
        except Malformed as error:
            raise InvalidConfiguration({"$": "must be a JSON object"}) from error
        errors: dict[str, str] = {}
        values = _convert_fields(cls, document, "", errors)
        values["status_mapping"] = _mappings(document.get("status_mapping", {}), errors)
        values["people"] = _people(values.get("people", {}), errors)
        _check_done_categories(values, errors)
        _check_addresses(values, policy, errors)
        _check_sentry_organization(values.get("sentry_organization"), errors)
        if errors:
            raise InvalidConfiguration(errors)
        return cls(**values)

    @staticmethod
    def names_page(body: bytes) -> bool:
        """Tell whether a submitted document has a page's address for a Server, whose base is not certain."""
        url = decode(body, dict[str, Any]).get("ado_url")
        return isinstance(url, str) and may_name_project(url)

    @classmethod
    def from_stored(cls, text: str) -> "Configuration":
        """Read a document that any version of this app stored; unknown keys are ignored."""
        return msgspec.json.decode(text, type=cls)

    def to_json(self) -> str:
        return msgspec.json.encode(self).decode()

    @property
    def is_located(self) -> bool:
        """Tell whether it says where Azure DevOps is, not only whose account it is."""
        return self.ado_url is not None and not is_bare_host(self.ado_url)

    def project_mapping(self, project_id: str) -> ProjectMapping | None:
        return self.status_mapping.get(project_id.lower())

    @property
    def ado_people(self) -> Mapping[str, str]:
        """Sentry address → ADO address, for people whose addresses differ."""
        return {sentry: ado for ado, sentry in self.people.items()}


def _convert_fields(
    struct: type[msgspec.Struct], document: Mapping[str, Any], path: str, errors: dict[str, str]
) -> dict[str, Any]:
    """Convert each key on its own, so that one bad value does not hide the next."""
    fields = {each.name: each.type for each in msgspec.structs.fields(struct)}
    values: dict[str, Any] = {}
    for key, value in document.items():
        if key not in fields:
            errors[f"{path}{_shown(key)}"] = "is not a known key"
        elif key not in {"status_mapping", "types"}:
            try:
                values[key] = msgspec.convert(value, fields[key])
            except msgspec.ValidationError as error:
                problem, _, where = str(error).partition(" - at `$")
                errors[f"{path}{key}{where.removesuffix('`')}"] = problem[:_LONGEST_PROBLEM]
            else:
                if isinstance(value, str) and not (0 < len(value) <= _LONGEST_TEXT and value.isprintable()):
                    errors[f"{path}{key}"] = f"must have 1 to {_LONGEST_TEXT} printable characters"
    return values


def _mappings(document: object, errors: dict[str, str]) -> dict[str, ProjectMapping]:
    if not isinstance(document, dict):
        errors["status_mapping"] = "Expected `object`"
        return {}
    mappings = {}
    for project_id, entry in document.items():
        path = f"status_mapping.{_shown(project_id)}"
        values = _mapping(ProjectMapping, entry, path, errors)
        types = entry.get("types", {}) if isinstance(entry, dict) else {}
        if not isinstance(types, dict):
            errors[f"{path}.types"] = "Expected `object`"
            types = {}
        values["types"] = {
            name: StatusMapping(**_mapping(StatusMapping, each, f"{path}.types.{_shown(name)}", errors))
            for name, each in types.items()
        }
        if project_id.lower() in mappings:
            errors[path] = "names a project a second time"
        mappings[project_id.lower()] = ProjectMapping(**values)
    return mappings


def _mapping(struct: type[StatusMapping], entry: object, path: str, errors: dict[str, str]) -> dict[str, Any]:
    if not isinstance(entry, dict):
        errors[path] = "Expected `object`"
        return {}
    values = _convert_fields(struct, entry, f"{path}.", errors)
    if bool(entry.get("on_resolve")) != bool(entry.get("on_unresolve")):
        errors[path] = HALF_A_MAPPING
    return values


def _people(people: Mapping[str, str], errors: dict[str, str]) -> dict[str, str]:
    """Return the aliases lower-cased; refuse duplicates, which would make the reverse direction ambiguous."""
    aliases: dict[str, str] = {}
    taken: dict[str, str] = {}
    for ado, sentry in people.items():
        path = f"people.{_shown(ado)}"
        ado_name, sentry_address = name_in(ado), address_in(sentry)
        ado_address = ado_name or ado
        if ado_name is None:
            errors[path] = r"must be an e-mail address, or DOMAIN\user: a bare name may be anybody's"
        elif sentry_address is None:
            errors[path] = "must map to an e-mail address"
        elif ado_address in aliases:
            errors[path] = "names an Azure DevOps person a second time"
        elif sentry_address in taken:
            errors[path] = f"{sentry_address} already stands for {taken[sentry_address]}"
        aliases[ado_address] = sentry_address or sentry
        taken.setdefault(sentry_address or sentry, ado_address)
    return aliases


def _check_done_categories(values: Mapping[str, Any], errors: dict[str, str]) -> None:
    categories = values.get("done_categories")
    if categories is None:
        return
    if not categories:
        errors["done_categories"] = "must name at least one category"
    elif strange := [each for each in categories if each not in _MAY_BE_DONE]:
        errors["done_categories"] = f"{strange[0].value} cannot mean done"


def _check_addresses(values: dict[str, Any], policy: AddressPolicy, errors: dict[str, str]) -> None:
    account, ado_url = values.get("ado_account_id"), values.get("ado_url")
    if ado_url is None and account is None:
        errors.setdefault("ado_url", "give the address, or ado_account_id")
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


def _shown(key: str) -> str:
    """Return a key in a form fit for an error: printable, and at most 80 characters."""
    return "".join(character if character.isprintable() else "�" for character in key)[:80]
