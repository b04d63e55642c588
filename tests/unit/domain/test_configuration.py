"""An organization's document: its defaults, its way into storage, every error by its path and all at once."""

import json
from typing import Any

import msgspec
import pytest

from shared.domain.addresses import AddressPolicy
from shared.domain.configuration import (
    HALF_A_MAPPING,
    Configuration,
    CreateDefaults,
    DoneWhen,
    ProjectMapping,
    StatusMapping,
    Submitted,
)
from shared.domain.errors import InvalidConfiguration
from shared.domain.model import Category, Side
from shared.domain.ports import UNSET

DEPLOYED = AddressPolicy()
REASON = "must have 1 to 255 printable characters"
SMALLEST = {"ado_url": "https://dev.azure.com/fabrikam/"}
PROJECT = "b7d1b3a0-5c3e-4c7e-9a8f-2f6c8e0a1d05"
WHOLE = {
    "ado_url": "https://dev.azure.com/fabrikam/",
    "ado_account_id": None,
    "ado_search_url": None,
    "sentry_url": "https://sentry.io/",
    "sentry_organization": "acme",
    "issue_sync": True,
    "sync_status_forward": True,
    "sync_status_reverse": True,
    "sync_forward_assignment": True,
    "sync_reverse_assignment": True,
    "sync_comments": False,
    "sync_comments_reverse": "off",
    "done_categories": ["Resolved", "Completed"],
    "status_mapping": {
        PROJECT: {
            "on_resolve": "Closed",
            "on_unresolve": "Active",
            "done_states": ["Closed"],
            "types": {"Task": {"on_resolve": "Done", "on_unresolve": "To Do"}},
        }
    },
    "people": {"ann@corp.example": "ann@home.example"},
    "on_conflict": "ado",
    "done_when": "all",
    "archive_reasons": [],
    "resolve_in": "now",
    "create": {},
    "back_links": True,
}


def configured(**changes: Any) -> Configuration:
    return Configuration.from_json(json.dumps({**SMALLEST, **changes}).encode(), DEPLOYED)


def errors_of(body: bytes) -> dict[str, str]:
    with pytest.raises(InvalidConfiguration) as refusal:
        Configuration.from_json(body, DEPLOYED)
    for problem in refusal.value.errors.values():
        assert not any(mark in problem for mark in ("Expected", "got `", "Invalid enum")), problem
    return refusal.value.errors


def errors(**changes: Any) -> dict[str, str]:
    return errors_of(json.dumps({**SMALLEST, **changes}).encode())


def test_the_smallest_document_has_the_documented_defaults() -> None:
    expected = {**WHOLE, "sentry_organization": None, "status_mapping": {}, "people": {}}
    assert json.loads(configured().to_json()) == expected


def test_the_whole_document_is_read_to_the_letter() -> None:
    configuration = configured(**WHOLE)
    assert configuration.status_mapping == {
        PROJECT: ProjectMapping("Closed", "Active", ("Closed",), {"Task": StatusMapping("Done", "To Do")})
    }
    assert configuration.done_categories == (Category.RESOLVED, Category.COMPLETED)
    assert configuration.people == {"ann@corp.example": "ann@home.example"}
    assert configuration.on_conflict is Side.ADO
    assert configuration.done_when is DoneWhen.ALL
    assert configured(done_when="any").done_when is DoneWhen.ANY
    switched = configured(
        **{key: not value for key, value in WHOLE.items() if isinstance(value, bool)}, on_conflict="sentry"
    )
    for key, value in WHOLE.items():
        if isinstance(value, bool):
            assert getattr(switched, key) is not value
    assert switched.on_conflict is Side.SENTRY


@pytest.mark.parametrize("changes", [{}, WHOLE, {"done_categories": ["Removed"], "people": {"A@B": "c@d"}}])
def test_a_stored_document_is_read_back_as_it_was(changes: dict[str, Any]) -> None:
    configuration = configured(**changes)
    assert Configuration.from_stored(configuration.to_json()) == configuration


def test_a_document_stored_before_a_key_existed_is_read() -> None:
    assert Configuration.from_stored(json.dumps(SMALLEST)) == configured()


# What is no document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"ado_url"',
        b"{",
        b"\xff",
        b'{"ado_url": "\\ud800"}',
        b"[" * 100_000,
        b'{"people":' * 5_000,
    ],
    ids=["empty", "null", "list", "text", "cut off", "no UTF-8", "half a character", "deep", "deeper"],
)
def test_a_body_that_is_not_a_json_object_is_refused(body: bytes) -> None:
    assert errors_of(body) == {"$": "must be a JSON object"}


# One thing wrong

UNKNOWN = "is not a known key"
TEXT = "must have 1 to 1024 printable characters"
OBJECT = "must be an object"
PERSON = '"Ann" is no e-mail address'
NAME = "is no e-mail address, and no DOMAIN\\user: a bare name may be anybody's"
MAPPED = "must map to an e-mail address"
CATEGORIES = "Resolved, Completed or Removed"


@pytest.mark.parametrize(
    ("changes", "path", "problem"),
    [
        ({"ado_ulr": "https://dev.azure.com/x/"}, "ado_ulr", UNKNOWN),
        ({"": 1}, "", UNKNOWN),
        ({"ado_url": 5}, "ado_url", "must be a text or null"),
        ({"ado_url": ""}, "ado_url", TEXT),
        ({"ado_url": "https://dev.azure.com/" + "x" * 1024}, "ado_url", TEXT),
        ({"ado_url": "http://dev.azure.com/fabrikam/"}, "ado_url", "must start with https://"),
        (
            {"ado_url": "https://dev.azure.com/"},
            "ado_url",
            "names no organization: https://dev.azure.com/{organization}/",
        ),
        (
            {"ado_url": "dev.azure.com"},
            "ado_url",
            "must be a URL of the form https://…/",
        ),  # a bare host needs an account id
        (
            {"ado_url": "https://169.254.169.254/"},
            "ado_url",
            "169.254.169.254: link-local and metadata addresses are never allowed",
        ),
        (
            {"ado_url": "http://127.0.0.1:9000/fabrikam/"},
            "ado_url",
            "loopback addresses are for local runs only",
        ),
        ({"ado_url": None}, "ado_url", "give the address or the account id (ado_account_id)"),
        ({"ado_account_id": "a" * 1025}, "ado_account_id", TEXT),
        ({"ado_account_id": ""}, "ado_account_id", TEXT),
        (
            {"ado_search_url": "https://10.0.0.1/"},
            "ado_search_url",
            "10.0.0.1: a private address needs the host name in ALLOWED_PRIVATE_HOSTS",
        ),
        ({"sentry_url": "sentry.io"}, "sentry_url", "must be a URL of the form https://…/"),
        ({"sentry_url": None}, "sentry_url", "must be a text"),
        ({"sentry_organization": ""}, "sentry_organization", TEXT),
        ({"issue_sync": "true"}, "issue_sync", "must be true or false"),
        ({"issue_sync": 1}, "issue_sync", "must be true or false"),
        ({"sync_comments": None}, "sync_comments", "must be true or false"),
        ({"sync_comments_reverse": True}, "sync_comments_reverse", 'must be "off", "marked" or "all"'),
        ({"sync_comments_reverse": "some"}, "sync_comments_reverse", 'must be "off", "marked" or "all"'),
        ({"sync_comments_reverse": "All"}, "sync_comments_reverse", 'must be "off", "marked" or "all"'),
        ({"done_categories": []}, "done_categories", f"must name at least one category: {CATEGORIES}"),
        ({"done_categories": None}, "done_categories", f"must be a list of {CATEGORIES}"),
        ({"done_categories": "Resolved"}, "done_categories", f"must be a list of {CATEGORIES}"),
        (
            {"done_categories": ["Resolved", "Complete"]},
            "done_categories[1]",
            f"must be {CATEGORIES}",
        ),
        (
            {"done_categories": ["InProgress"]},
            "done_categories",
            f"InProgress cannot mean done: choose among {CATEGORIES}".replace(" or ", " and "),
        ),
        (
            {"done_categories": ["Completed", "Proposed"]},
            "done_categories",
            f"Proposed cannot mean done: choose among {CATEGORIES}".replace(" or ", " and "),
        ),
        ({"on_conflict": "both"}, "on_conflict", 'must be "ado" or "sentry"'),
        ({"done_when": "most"}, "done_when", 'must be "all" or "any"'),
        ({"status_mapping": []}, "status_mapping", OBJECT),
        ({"status_mapping": None}, "status_mapping", OBJECT),
        ({"status_mapping": {"p": None}}, "status_mapping.p", OBJECT),
        ({"status_mapping": {"p": {"on_resolved": "x"}}}, "status_mapping.p.on_resolved", UNKNOWN),
        (
            {"status_mapping": {"p": {"done_states": "Closed"}}},
            "status_mapping.p.done_states",
            "must be a list",
        ),
        (
            {"status_mapping": {"p": {"done_states": ["Closed", 5]}}},
            "status_mapping.p.done_states[1]",
            "must be a text",
        ),
        ({"status_mapping": {"p": {"types": []}}}, "status_mapping.p.types", OBJECT),
        ({"status_mapping": {"p": {"types": {"Bug": 5}}}}, "status_mapping.p.types.Bug", OBJECT),
        ({"status_mapping": {"p": {"types": {"Bug": {"x": 5}}}}}, "status_mapping.p.types.Bug.x", UNKNOWN),
        (
            {"status_mapping": {"p": {"types": {"Bug": {"types": {}}}}}},
            "status_mapping.p.types.Bug.types",
            UNKNOWN,
        ),
        (
            {"status_mapping": {PROJECT: {}, PROJECT.upper(): {}}},
            f"status_mapping.{PROJECT.upper()}",
            "names a project a second time",
        ),
        ({"people": []}, "people", OBJECT),
        ({"people": {"ann@corp.example": 5}}, "people.ann@corp.example", MAPPED),
        ({"people": {"ann@corp.example": None}}, "people.ann@corp.example", MAPPED),
        ({"people": {"ann@corp.example": "Ann"}}, "people.ann@corp.example", PERSON),
        ({"people": {"Ann": "ann@home.example"}}, "people.Ann", f'"Ann" {NAME}'),
        (
            {"people": {"": ""}},
            "people.",
            r"must be an e-mail address, or DOMAIN\user: a bare name may be anybody's",
        ),
        ({"people": {"ann@corp.example": " "}}, "people.ann@corp.example", MAPPED),
        ({"archive_reasons": "Duplicate"}, "archive_reasons", "must be a list"),
        ({"archive_reasons": ["Won't fix", " "]}, "archive_reasons[1]", REASON),
        ({"archive_reasons": ["x" * 256]}, "archive_reasons[0]", REASON),
        ({"archive_reasons": ["Won't\nfix"]}, "archive_reasons[0]", REASON),
        ({"archive_reasons": ["A", "B", " b"]}, "archive_reasons[2]", "names 'b' a second time"),
    ],
)
def test_one_thing_wrong_is_named_by_its_path(changes: dict[str, Any], path: str, problem: str) -> None:
    assert errors(**changes) == {path: problem}


@pytest.mark.parametrize("text", ["a", "a" * 1024])
def test_a_text_may_have_one_character_and_a_thousand(text: str) -> None:
    assert configured(ado_account_id=text).ado_account_id == text


@pytest.mark.parametrize(
    "mapping",
    [
        {"on_resolve": "Closed"},
        {"on_unresolve": "Active"},
        {"on_resolve": "Closed", "on_unresolve": None},
        {"on_resolve": None, "on_unresolve": "Active", "done_states": ["Closed"]},
    ],
)
def test_half_a_mapping_is_refused_for_a_project_and_for_a_type(mapping: dict[str, Any]) -> None:
    assert errors(status_mapping={"p": mapping}) == {"status_mapping.p": HALF_A_MAPPING}
    assert errors(status_mapping={"p": {"types": {"Bug": mapping}}}) == {
        "status_mapping.p.types.Bug": HALF_A_MAPPING
    }
    assert HALF_A_MAPPING == "Resolve and unresolve status are required."


@pytest.mark.parametrize(
    "mapping", [{}, {"done_states": ["Closed"]}, {"on_resolve": "Closed", "on_unresolve": "Active"}]
)
def test_a_mapping_with_both_states_or_neither_is_taken(mapping: dict[str, Any]) -> None:
    read = configured(status_mapping={"p": {**mapping, "types": {"Bug": mapping}}}).status_mapping["p"]
    assert (read.on_resolve, read.on_unresolve) == (mapping.get("on_resolve"), mapping.get("on_unresolve"))
    assert read.done_states == tuple(mapping.get("done_states", ()))
    assert read.types["Bug"].on_resolve == mapping.get("on_resolve")


def test_reasons_are_kept_as_they_are_but_for_the_space_around_them() -> None:
    reasons = ["Duplicate ", "x", "y" * 255]
    assert configured(archive_reasons=reasons).archive_reasons == ("Duplicate", "x", "y" * 255)
    assert configured().archive_reasons == ()


def test_an_empty_state_is_no_state() -> None:
    found = errors(status_mapping={"p": {"on_resolve": "", "on_unresolve": ""}})
    assert list(found) == ["status_mapping.p.on_resolve", "status_mapping.p.on_unresolve"]


# A key twice


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (b'{"ado_url": "https://dev.azure.com/a/", "ado_url": "https://dev.azure.com/b/"}', ["ado_url"]),
        (b'{"ado_account_id": "x", "people": {"a@b": "c@d", "a@b": "c@d", "a@b": "e@f"}}', ["people.a@b"]),
        (
            b'{"ado_account_id": "x", "status_mapping": {"p": {"types": {"Bug": {}, "Bug": {}}}}}',
            ["status_mapping.p.types.Bug"],
        ),
        (b'{"ado_account_id": "x", "sync_comments": true, "sync_c\\u006fmments": true}', ["sync_comments"]),
        (
            b'{"ado_account_id": "x", "on_conflict": "both", "issue_sync": 1, "issue_sync": true}',
            ["issue_sync", "on_conflict"],
        ),
    ],
)
def test_a_key_that_is_there_twice_is_an_error_by_its_path(body: bytes, paths: list[str]) -> None:
    found = errors_of(body)
    assert sorted(found) == paths
    assert found[paths[0]] == "is there twice"


def test_one_key_in_two_objects_is_there_once_in_each() -> None:
    mapping = {"on_resolve": "Closed", "on_unresolve": "Active"}
    assert configured(status_mapping={"p": mapping, "q": {**mapping, "types": {"on_resolve": mapping}}})


def test_a_mark_before_the_document_is_no_part_of_it() -> None:
    body = "\ufeff".encode() + json.dumps(SMALLEST).encode()
    assert Configuration.from_json(body, DEPLOYED) == configured()


# A patch


def patched(patch: dict[str, Any], **stored: Any) -> dict[str, Any]:
    submitted = Submitted.from_json(json.dumps(patch).encode()).applied_to(configured(**stored))
    return dict(msgspec.to_builtins(Configuration.from_submitted(submitted, DEPLOYED)))


def test_a_patch_changes_what_it_names_and_leaves_the_rest() -> None:
    before = msgspec.to_builtins(configured(**WHOLE))
    assert patched({}, **WHOLE) == before
    assert patched({"issue_sync": False, "on_conflict": "sentry"}, **WHOLE) == {
        **before,
        "issue_sync": False,
        "on_conflict": "sentry",
    }


def test_null_gives_a_key_its_default_again() -> None:
    assert patched({"sync_comments": None, "people": None}, **{**WHOLE, "sync_comments": True}) == {
        **msgspec.to_builtins(configured(**WHOLE)),
        "sync_comments": False,
        "people": {},
    }


def test_a_patch_meets_entries_in_whatever_spelling_they_are_named() -> None:
    assert patched({"people": {"ANN@Corp.Example": None}}, **WHOLE)["people"] == {}
    assert patched({"people": {" Ann <ann@corp.example> ": "x@y.example"}}, **WHOLE)["people"] == {
        "ann@corp.example": "x@y.example"
    }
    assert patched({"status_mapping": {PROJECT.upper(): None}}, **WHOLE)["status_mapping"] == {}
    changed = patched({"status_mapping": {PROJECT.upper(): {"types": {"Task": None}}}}, **WHOLE)
    assert changed["status_mapping"][PROJECT]["on_resolve"] == "Closed"
    assert "types" not in changed["status_mapping"][PROJECT]


@pytest.mark.parametrize(
    ("patch", "path", "problem"),
    [
        (
            {"people": {"a@b": "c@d", "A@B": None}},
            "people.A@B",
            "is there a second time, in another spelling",
        ),
        ({"ado_url": None}, "ado_url", "give the address or the account id (ado_account_id)"),
        ({"people": []}, "people", "must be an object"),
        ({"status_mapping": {PROJECT: {"on_resolve": None}}}, f"status_mapping.{PROJECT}", HALF_A_MAPPING),
        ({"colour": "red"}, "colour", "is not a known key"),
    ],
)
def test_what_a_patch_makes_of_a_document_has_to_be_one(
    patch: dict[str, Any], path: str, problem: str
) -> None:
    with pytest.raises(InvalidConfiguration) as refusal:
        patched(patch, **WHOLE)
    assert refusal.value.errors == {path: problem}


def test_what_differs_is_named_by_its_path() -> None:
    small, whole = configured(), configured(**WHOLE)
    assert whole.changed_from(whole) == []
    assert whole.changed_from(small) == [
        "people.ann@corp.example",
        "sentry_organization",
        f"status_mapping.{PROJECT}",
    ]
    assert small.changed_from(None) == ["ado_url"]
    other = configured(**{**WHOLE, "done_categories": ["Completed"], "people": {"ann@corp.example": "a@b"}})
    assert other.changed_from(whole) == ["done_categories", "people.ann@corp.example"]


# Everything wrong


def test_every_error_is_reported_at_once() -> None:
    document = {
        "ado_url": "ftp://dev.azure.com/",
        "sentry_url": "http://sentry.io/",
        "issue_sync": "yes",
        "colour": "red",
        "done_categories": ["Proposed"],
        "status_mapping": {"p": {"on_resolve": "Closed"}, "q": {"types": {"Bug": {"on_unresolve": "New"}}}},
        "people": {"ann": "ann@home.example"},
    }
    assert set(errors_of(json.dumps(document).encode())) == {
        "ado_url",
        "sentry_url",
        "issue_sync",
        "colour",
        "done_categories",
        "status_mapping.p",
        "status_mapping.q.types.Bug",
        "people.ann",
    }


def test_a_key_is_shown_short_and_printable() -> None:
    (path,) = errors(**{"a\n\x1b" + "x" * 500: 1})
    assert path == "a��" + "x" * 77


# Where the two services are


@pytest.mark.parametrize(
    ("changes", "ado_url"),
    [
        (
            {"ado_url": "https://dev.azure.com/fabrikam/Web%20Shop/_boards"},
            "https://dev.azure.com/fabrikam/",
        ),
        ({"ado_url": "https://fabrikam.visualstudio.com"}, "https://fabrikam.visualstudio.com/"),
        ({"ado_url": None, "ado_account_id": "aa1f0c6b"}, None),
        ({"ado_url": "dev.azure.com", "ado_account_id": "aa1f0c6b"}, "dev.azure.com"),  # looked up later
    ],
)
def test_an_organization_is_named_by_its_url_or_its_account(
    changes: dict[str, Any], ado_url: str | None
) -> None:
    assert configured(**changes).ado_url == ado_url


def test_a_url_beside_an_account_is_checked_all_the_same() -> None:
    assert list(errors(ado_url="http://evil.example/", ado_account_id="aa1f0c6b")) == ["ado_url"]


def test_other_urls_get_their_slash() -> None:
    configuration = configured(
        sentry_url="https://de.sentry.io", ado_search_url="https://almsearch.dev.azure.com/x"
    )
    assert configuration.sentry_url == "https://de.sentry.io/"
    assert configuration.ado_search_url == "https://almsearch.dev.azure.com/x/"


@pytest.mark.parametrize("key", ["ado_url", "ado_search_url", "sentry_url"])
def test_an_address_that_nobody_knows_is_refused_by_its_path(key: str) -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        configured(**{key: "https://evil.example/"})
    assert "TRUSTED_HOSTS" in raised.value.errors[key]


@pytest.mark.parametrize("slug", ["..", ".", "../other", "a/../b", " "])
def test_a_slug_that_leads_elsewhere_is_refused(slug: str) -> None:
    problem = "a name must not be empty, and must not consist of dots"
    assert errors(sentry_organization=slug) == {"sentry_organization": problem}


# People


def test_aliases_are_lower_cased_and_lead_both_ways() -> None:
    configuration = configured(people={" Ann@Corp.Example": "ANN@home.example "})
    assert configuration.people == {"ann@corp.example": "ann@home.example"}
    assert configuration.ado_people == {"ann@home.example": "ann@corp.example"}


@pytest.mark.parametrize(
    ("people", "path", "problem"),
    [
        (
            {"ann@corp.example": "ann@home.example", "anna@corp.example": "ann@home.example"},
            "anna@corp.example",
            "ann@home.example already stands for ann@corp.example",
        ),
        (
            {"ann@corp.example": "ann@home.example", "anna@corp.example": "Ann@Home.example"},
            "anna@corp.example",
            "ann@home.example already stands for ann@corp.example",
        ),
        (
            {"ann@corp.example": "a@home.example", "ANN@corp.example": "b@home.example"},
            "ANN@corp.example",
            "names an Azure DevOps person a second time",
        ),
    ],
)
def test_people_who_could_not_be_told_apart_on_the_way_back_are_refused(
    people: dict[str, str], path: str, problem: str
) -> None:
    assert errors(people=people) == {f"people.{path}": problem}


def test_the_first_person_keeps_the_address() -> None:
    people = {f"{name}@corp.example": "ann@home.example" for name in ("ann", "bob", "cid")}
    assert errors(people=people) == {
        f"people.{name}@corp.example": "ann@home.example already stands for ann@corp.example"
        for name in ("bob", "cid")
    }


# Which mapping applies


def test_the_mapping_of_a_type_comes_before_that_of_its_project() -> None:
    own = StatusMapping("Done", "To Do")
    project = ProjectMapping("Closed", "Active", types={"Task": own})
    assert project.for_type("Task") == (own, project)
    assert project.for_type("Bug") == (project,)


def test_a_project_is_found_by_its_id_in_any_case() -> None:
    configuration = configured(status_mapping={PROJECT.upper(): {"done_states": ["Closed"]}})
    assert configuration.project_mapping(PROJECT) == configuration.project_mapping(PROJECT.upper())
    assert configuration.project_mapping(PROJECT) == ProjectMapping(done_states=("Closed",))
    assert configuration.project_mapping("another") is None


@pytest.mark.parametrize(
    ("project_id", "work_item_type", "area_path"),
    [
        ("6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c", "Bug", "Web"),
        ("6CE954B1-CE1F-45D1-B94D-E6BF2464BA2C", "bUG", "Web"),
        ("6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c", "STRASSE", "Road"),
        ("6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c", "Task", ""),
        ("be3b4ae3-6e4c-4a6f-9d54-0f3f9b2f5f3e", "Bug", ""),
    ],
)
def test_what_a_new_item_gets_by_default_is_said_by_project_and_type(
    project_id: str, work_item_type: str, area_path: str
) -> None:
    types = {"Bug": CreateDefaults(area_path="Web"), "Straße": CreateDefaults(area_path="Road")}
    configuration = Configuration(create={"6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c": types})
    assert configuration.creation(project_id, work_item_type) == CreateDefaults(area_path=area_path)


def test_what_is_left_unchanged_is_shown_by_its_name() -> None:
    assert repr(UNSET) == "UNSET"


# What new work items get.

OTHER_PROJECT = "0f9a2b3c-1111-4222-8333-444455556666"


def test_defaults_of_new_work_items_are_kept_by_project_and_type() -> None:
    bug = {"fields": {"Custom.Impact": "High", "Custom.Rank": 3}, "tags": "sentry"}
    configuration = configured(create={PROJECT.upper(): {"Bug": bug, "Task": {}}, OTHER_PROJECT: {}})
    assert configuration.create == {
        PROJECT: {
            "Bug": CreateDefaults({"Custom.Impact": "High", "Custom.Rank": 3}, tags="sentry"),
            "Task": CreateDefaults(),
        },
        OTHER_PROJECT: {},
    }
    assert configuration.creation(PROJECT.upper(), "bUG").tags == "sentry"
    for project_id, kind in ((PROJECT, "Epic"), (OTHER_PROJECT, "Bug"), ("unknown", "Bug")):
        assert configuration.creation(project_id, kind) == CreateDefaults()


@pytest.mark.parametrize(
    ("create", "told"),
    [
        ([], {"create": "must be an object"}),
        ({PROJECT: []}, {f"create.{PROJECT}": "must be an object"}),
        ({PROJECT: {"Bug": 1}}, {f"create.{PROJECT}.Bug": "must be an object"}),
        ({PROJECT: {}, PROJECT.upper(): {}}, {f"create.{PROJECT.upper()}": "names a project a second time"}),
        ({PROJECT: {"Bug": {}, "BUG": {}}}, {f"create.{PROJECT}.BUG": "names a type a second time"}),
        ({PROJECT: {"Bug": {"tags": 1}}}, {f"create.{PROJECT}.Bug.tags": "must be a text"}),
        ({PROJECT: {"Bug": {"tag": ""}}}, {f"create.{PROJECT}.Bug.tag": "is not a known key"}),
        (
            {PROJECT: {"Bug": {"fields": {"A": []}}}},
            {f"create.{PROJECT}.Bug.fields.A": "must be a text, a whole number, a number, true or false"},
        ),
    ],
)
def test_what_is_wrong_with_defaults_is_told_by_its_path(create: object, told: dict[str, str]) -> None:
    assert errors(create=create) == told
