"""The parts of the operator's command that need no app: addresses, documents, and what a terminal gets."""

from pathlib import Path
from typing import Any

import pytest

from operate.commands.settings import differences, patched, path_of
from operate.errors import CannotReach, WrongUsage
from operate.shown import plain, unspreadable
from operate.target import address_of, az, key_of


@pytest.mark.parametrize(
    ("app", "url"),
    [
        ("acme-sync", "https://acme-sync.azurewebsites.net/"),
        ("acme-sync.azurewebsites.net", "https://acme-sync.azurewebsites.net/"),
        ("https://sync.corp.example/api/health?code=x", "https://sync.corp.example/"),
        ("http://127.0.0.1:7071", "http://127.0.0.1:7071/"),
    ],
)
def test_an_app_by_its_name_or_its_address(app: str, url: str) -> None:
    assert address_of(app, None) == url


@pytest.mark.parametrize(
    "app", ["http://sync.corp.example", "https://a:b@sync.example/", "file:///etc", "https://"]
)
def test_a_key_goes_nowhere_else(app: str) -> None:
    with pytest.raises(WrongUsage):
        address_of(app, None)


def test_with_a_group_az_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tmp_path / "asked"
    script = tmp_path / "az"
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {asked}\n'
        'case "$2" in show) echo \'"acme-sync-x1.westeurope-01.azurewebsites.net"\';;\n'
        "keys) echo '\"the-key\"';;\n"
        "*) echo 'ERROR: Please run az login to setup account.' >&2; exit 1;; esac\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert address_of("acme-sync", "acme-rg") == "https://acme-sync-x1.westeurope-01.azurewebsites.net/"
    assert key_of("acme-sync", "acme-rg") == "the-key"
    assert "--name acme-sync --resource-group acme-rg" in asked.read_text()
    with pytest.raises(CannotReach, match="az login"):
        az("account", "list")


def test_without_az_a_key_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotReach, match="--key"):
        key_of("acme-sync", "acme-rg")


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("issue_sync", ["issue_sync"]),
        ("people.ann@corp.example", ["people", "ann@corp.example"]),
        ("status_mapping.6ce9.types.Bug", ["status_mapping", "6ce9", "types", "Bug"]),
        ("create.6ce9.Bug.tags", ["create", "6ce9", "Bug", "tags"]),
        (
            "create.6ce9.Bug 2.0.fields.Microsoft.VSTS.Common.Priority",
            ["create", "6ce9", "Bug 2.0", "fields", "Microsoft.VSTS.Common.Priority"],
        ),
    ],
)
def test_keys_have_dots_and_addresses_do_too(key: str, path: list[str]) -> None:
    assert path_of(key) == path


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        (["a"], 2, {"a": 2, "b": {"c": 1}}),
        (["a"], None, {"b": {"c": 1}}),
        (["b", "c"], None, {"a": 1, "b": {}}),
        (["b", "d"], "x", {"a": 1, "b": {"c": 1, "d": "x"}}),
        (["e", "f"], True, {"a": 1, "b": {"c": 1}, "e": {"f": True}}),
    ],
)
def test_one_value_of_a_document_is_changed(path: list[str], value: Any, changed: dict[str, Any]) -> None:
    document = {"a": 1, "b": {"c": 1}}
    assert patched(document, path, value) == changed
    assert document == {"a": 1, "b": {"c": 1}}


def test_documents_differ_by_path() -> None:
    now, then = {"a": 1, "b": {"c": [1]}, "d": {}}, {"a": 1, "b": {"c": [2]}, "e": None}
    assert list(differences(now, then)) == [("b.c", "[1]", "[2]"), ("d", "{}", None), ("e", None, "null")]
    assert list(differences(now, now)) == []
    assert list(differences({}, {"a": 1})) == [("a", None, "1")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (31, "31"),
        ("a\tb\nc", "a b c"),
        ("\x1b[2Jx\u202e", " [2Jx "),
        ("Zoë 🎉", "Zoë 🎉"),
    ],
)
def test_text_does_nothing_to_a_terminal(value: object, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x"])
def test_text_is_no_formula(text: str) -> None:
    assert unspreadable(text) == f"'{text}"
    assert unspreadable(f"a{text}") == f"a{text}"
