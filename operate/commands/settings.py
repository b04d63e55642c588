"""``settings``: an organization's document, shown, changed, compared, and tried out."""

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from operate.commands.doctor import Silent
from operate.desk import Desk
from operate.errors import NotThere, WrongUsage
from operate.shown import plain

_ABSENT = object()

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="A document as `settings show` writes it; - is standard input.")
]


def show(desk: Desk) -> None:
    """Print the document, as JSON.

    Example:

        sentry-ado settings show > fabrikam.json
    """
    config = desk.get("config")["config"]
    if desk.screen.output == "tsv":
        desk.screen.rows((), flat(config), config)
    else:
        desk.screen.json(config)


def edit(
    desk: Desk,
    name: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="such as issue_sync, or people.ann@corp.example")
    ] = None,
    value: Annotated[
        str | None, typer.Argument(metavar="[VALUE]", help="a text or JSON; null takes the key away")
    ] = None,
) -> None:
    """Change one key, or the whole document in your editor ($EDITOR).

    Examples:

        sentry-ado settings edit issue_sync false

        sentry-ado settings edit people.ann@corp.example ann@home.example

        sentry-ado settings edit
    """
    document, etag = read(desk)
    if name is None:
        apply_document(desk, _edited(desk, document), document, etag)
        return
    path = path_of(name)
    if value is None:
        current = at(document, path)
        shown = "" if current in (_ABSENT, None) else json.dumps(current, ensure_ascii=False).strip('"')
        value = desk.ask(name, f"VALUE for {name}", default=shown or None)
    _store(desk, patched(document, path, _value(value)), document, etag)


def diff(desk: Desk, file: File) -> None:
    """Compare a file with the document; ends with 1 if they differ.

    Example:

        sentry-ado settings diff fabrikam.json
    """
    document, _ = read(desk)
    changes = list(differences(document, load(file)))
    desk.screen.rows(("path", "now", "in the file"), changes, [_as_json(each) for each in changes])
    if changes:
        raise Silent
    desk.screen.say("No difference.", "green")


def apply(desk: Desk, file: File) -> None:
    """Store a file as the document, after showing what it changes.

    Somebody else's change in between is never overwritten.

    Example:

        sentry-ado settings apply fabrikam.json --yes
    """
    document, etag = read(desk)
    apply_document(desk, load(file), document, etag)


def what_if(
    desk: Desk,
    change: Annotated[str, typer.Argument(metavar="FILE|KEY=VALUE", help="A document, or one changed key.")],
) -> None:
    """Tell what another document would do to the links there are, and to what comes; nothing is stored.

    Named are the links whose work item would count as something else, or get another state, and what would
    become of issues that are resolved, of new work items and of new links. Ends with 1 if there is any.

    Examples:

        sentry-ado settings what-if fabrikam.json

        sentry-ado settings what-if 'done_categories=["Completed"]'

        sentry-ado settings what-if 'archive_reasons=["Duplicate"]'
    """
    from operate.trying import look  # Imported when used: no other command needs the rules.

    document, _ = read(desk)
    key, is_change, value = change.partition("=")
    wanted = patched(document, path_of(key), _value(value)) if is_change else load(Path(change))
    found = look(desk, document, _try(desk, wanted).get("config", wanted))
    names = ("issue", "item", "type", "state", "reads as", "would read as", "would be set differently")
    desk.screen.rows(names, found.rows, found.content)
    for sentence in found.sentences:
        desk.screen.say(sentence)
    if found.content:
        raise Silent


# What the commands share


def read(desk: Desk) -> tuple[dict[str, Any], str]:
    answer = desk.call("GET", "config")
    return answer.json()["config"], answer.headers.get("ETag", "*")


def load(file: Path) -> dict[str, Any]:
    try:
        text = typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise WrongUsage(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}"
        ) from None
    try:
        document = json.loads(text)
    except ValueError as error:
        raise WrongUsage(f"{file} is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise WrongUsage(f"{file} holds no document: a JSON object")
    return document


def apply_document(desk: Desk, wanted: dict[str, Any], document: dict[str, Any], etag: str | None) -> None:
    """Store a document under the version that was read, after showing what changes; None is for a new one."""
    changes = list(differences(document, wanted))
    if not changes:
        desk.screen.say("The document says so already; nothing was changed.")
        return
    for path, now, then in changes:
        desk.screen.say(f"  {path}: {plain(now) or '-'} → {plain(then) or '-'}")
    if not desk.dry_run:
        desk.confirm(f"Store {len(changes)} change(s) for {desk.org}?")
    _store(desk, wanted, document, etag)


def _store(desk: Desk, wanted: dict[str, Any], document: dict[str, Any], etag: str | None) -> None:
    if wanted == document:
        desk.screen.say("The document says so already; nothing was changed.")
        return
    if desk.dry_run:
        _tell_changes(desk, {**_try(desk, wanted), "config": wanted}, before=document)
        return
    headers = {} if etag is None else {"If-Match": etag}
    answer = desk.call("PUT", "config", body=json.dumps(wanted).encode(), headers=headers)
    _tell_changes(desk, answer.json(), before=document)


def _try(desk: Desk, wanted: dict[str, Any]) -> dict[str, Any]:
    """Have the app check a document without storing it, if its version can; return what it says."""
    if not desk.can_try:
        desk.screen.say("! This version of the app checks no document without storing it.", "yellow")
        return {}
    query, body = {"dry_run": "1"}, json.dumps(wanted).encode()
    content: dict[str, Any] = desk.call(
        "PUT", "config", query=query, body=body, headers={"If-Match": "*"}
    ).json()
    return content


def _tell_changes(desk: Desk, answer: dict[str, Any], before: dict[str, Any]) -> None:
    for warning in answer.get("warnings") or []:
        desk.screen.say(
            f"! {plain(warning if isinstance(warning, str) else warning.get('detail', warning))}", "yellow"
        )
    changed = answer.get("changed")
    if changed is None:
        changed = [path for path, _, _ in differences(before, answer.get("config", before))]
    if not desk.screen.is_for_people:
        desk.screen.rows((), ((path,) for path in changed), answer)
        return
    what = ", ".join(changed) if changed else "nothing"
    desk.screen.say(f"{'Would change' if desk.dry_run else 'Changed'}: {what}")


def existing(desk: Desk) -> tuple[dict[str, Any], str | None]:
    """Return the document and its version; an empty one and None if nothing is connected there."""
    try:
        return read(desk)
    except NotThere as error:
        if error.kind != "unknown-organization":
            raise
        return {}, None


def path_of(key: str) -> list[str]:
    """Return the keys on the way to a value; an address, or the name of a field, is one key with its dots."""
    first, _, rest = key.strip().partition(".")
    if not first:
        raise WrongUsage("KEY is empty")
    if not rest:
        return [first]
    place, is_field, field = rest.partition(".fields.")
    if first == "create" and is_field:
        return [first, *place.split(".", 1), "fields", field]
    return [first, *([rest] if first == "people" else rest.split("."))]


def at(document: Any, path: list[str]) -> Any:
    for name in path:
        if not isinstance(document, dict) or name not in document:
            return _ABSENT
        document = document[name]
    return document


def patched(document: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """Return a document with one value changed, or taken away if it is None."""
    first, *rest = path
    changed = {**document}
    if rest:
        inner = changed.get(first)
        changed[first] = patched(inner if isinstance(inner, dict) else {}, rest, value)
    elif value is None:
        changed.pop(first, None)
    else:
        changed[first] = value
    return changed


def _value(text: str) -> Any:
    """Return what a person typed: JSON where it is some, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def flat(document: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value of a document with its path."""
    if isinstance(document, dict) and document:
        for name, value in document.items():
            yield from flat(value, f"{path}.{name}" if path else name)
    else:
        yield path, json.dumps(document, ensure_ascii=False)


def differences(now: dict[str, Any], then: dict[str, Any]) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield each path at which two documents differ, with both values as JSON; None is absent."""
    before, after = dict(flat(now)) if now else {}, dict(flat(then)) if then else {}
    for path in sorted({*before, *after}):
        if before.get(path) != after.get(path):
            yield path, before.get(path), after.get(path)


def _as_json(change: tuple[str, str | None, str | None]) -> dict[str, Any]:
    path, now, then = change
    return {"path": path, "now": now and json.loads(now), "then": then and json.loads(then)}


def _edited(desk: Desk, document: dict[str, Any]) -> dict[str, Any]:
    """Let a person edit the document as a file."""
    if not desk.is_attended:
        raise WrongUsage("Missing: KEY and VALUE. Without a terminal there is no editor.")
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{desk.org}.json"
        file.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        command = [*shlex.split(editor), str(file)]
        if subprocess.run(command, check=False).returncode != 0:  # noqa: S603  # a person's own editor
            raise WrongUsage(f"{editor} failed; nothing was changed. Set EDITOR to another one.")
        return load(file)
