"""``export`` and ``import``: an organization's document and links as files that belong in git."""

import csv
import io
import json
from pathlib import Path
from typing import Annotated

import typer

from operate.commands.doctor import Silent
from operate.commands.mending import link_all, show_results
from operate.commands.settings import apply_document, differences, existing, load
from operate.desk import Desk
from operate.errors import WrongUsage

_NAMES = ("issue_id", "work_item_id")

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Where SLUG.json and SLUG.links.csv are.")]


def export(desk: Desk, folder: Folder = Path()) -> None:
    """Write document and links as SLUG.json and SLUG.links.csv, in an order that stays.

    No secret is in them.

    Example:

        sentry-ado export backup/ --org fabrikam && git -C backup commit -am "Links of today"
    """
    config = desk.get("config")["config"]
    with desk.waiting("Reading links …"):
        pairs = sorted({(each["work_item_id"], each["issue_id"]) for each in desk.pages("links", "links")})
    document, links = _files(desk, folder)
    written = {"organization": desk.org, "document": str(document), "links": str(links), "count": len(pairs)}
    if not desk.dry_run:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            document.write_text(
                json.dumps(config, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8"
            )
            with links.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(_NAMES)
                writer.writerows((issue_id, work_item_id) for work_item_id, issue_id in pairs)
        except OSError as error:
            raise WrongUsage(f"{folder} cannot be written to: {error.strerror}") from None
    desk.screen.rows(tuple(written), [tuple(written.values())], written)


def import_(desk: Desk, folder: Folder = Path()) -> None:
    """Store SLUG.json as the document, and make the links of SLUG.links.csv that are not there.

    Links that are there and not in the file stay. With --dry-run, the differences are shown; it ends with
    1 if there are any.

    Examples:

        sentry-ado import backup/ --org fabrikam --dry-run

        sentry-ado import backup/ --org fabrikam --yes
    """
    document_file, links_file = _files(desk, folder)
    wanted = load(document_file)
    document, etag = existing(desk)
    pairs = _pairs(links_file)
    there = (
        set()
        if etag is None
        else {(each["issue_id"], str(each["work_item_id"])) for each in desk.pages("links", "links")}
    )
    missing = [each for each in pairs if each not in there]
    if desk.dry_run:
        rows = [
            *(("change", path, now, then) for path, now, then in differences(document, wanted)),
            *(("link", one, None, two) for one, two in missing),
        ]
        content = [dict(zip(("what", "name", "now", "then"), each, strict=True)) for each in rows]
        desk.screen.rows(("what", "name", "now", "then"), rows, content)
        if rows:
            raise Silent
        desk.screen.say("No difference.", "green")
        return
    apply_document(desk, wanted, document, etag)
    if missing:
        desk.confirm(f"Make {len(missing)} link(s)?")
        _make(desk, missing)
    else:
        desk.screen.say("Every link of the file is there.")


def _make(desk: Desk, missing: list[tuple[str, str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(missing)
    with desk.waiting(f"Making {len(missing)} link(s) …"):
        results = link_all(desk, text.getvalue().encode())
    show_results(desk, results)
    if results.failed:
        raise results.problem()


def _files(desk: Desk, folder: Path) -> tuple[Path, Path]:
    slug = "".join(each for each in desk.org if each.isalnum() or each == "-")
    return folder / f"{slug}.json", folder / f"{slug}.links.csv"


def _pairs(file: Path) -> list[tuple[str, str]]:
    if not file.exists():
        return []
    rows = csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig")))
    pairs = []
    for number, row in enumerate(rows, 1):
        if not row or tuple(row[:2]) == _NAMES:
            continue
        if len(row) < 2:
            raise WrongUsage(f"{file}: line {number} must be an issue and a work item, between a comma")
        pairs.append((row[0].strip(), row[1].strip()))
    return pairs
