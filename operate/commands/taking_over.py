"""``adopt``, ``rebuild`` and ``back-link``: each repeats one request until nothing is left."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from operate.commands.settings import apply_document, existing, load
from operate.desk import Desk
from operate.repeating import Results, Turn, repeat

_NAMES = ("issue_id", "work_item_id", "outcome")


@dataclass
class _Found(Results):
    unreadable: int = 0

    def problems(self) -> Iterator[str]:
        if self.failed:
            yield f"{self.failed} of {len(self.links)} are not linked; the outcome says why."
        if self.unreadable:
            yield f"{self.unreadable} issues or work items cannot be read; what they link is not in the list."


Integration = Annotated[
    str | None,
    typer.Option(help="The name under which Sentry's integration knows the organization, if it is another."),
]
Document = Annotated[
    Path | None,
    typer.Option("--document", help="The document to store first, where the tables are gone."),
]


def adopt(desk: Desk, integration: Integration = None) -> None:
    """Take over the links of Sentry's own Azure DevOps integration.

    With --dry-run, say what would be linked, and what not and why. Nothing is written to any status or
    assignee. Interrupted, it can be started again.

    Examples:

        sentry-ado adopt --dry-run

        sentry-ado adopt --yes
    """
    first = _asked(desk, "adopt", {"dry_run": "1", "integration": integration})
    labels = ", ".join(each["label"] for each in first["switch_off_in_sentry"])
    desk.screen.say(
        "Two writers would undo each other. In Sentry, under Settings, Integrations, Azure DevOps, these "
        f"must be off: {labels}."
    )
    if not desk.dry_run:
        desk.confirm("Are they off, and are the links to be taken over?")
    dry = "1" if desk.dry_run else None
    _show(desk, _all(desk, "adopt", {"dry_run": dry, "integration": integration}, "Taking over links …"))


def rebuild(desk: Desk, document: Document = None) -> None:
    """The tables are gone: make the links anew from what shows them in Sentry and in Azure DevOps.

    Nothing is written to any status or assignee. Interrupted, it can be started again.

    Examples:

        sentry-ado rebuild --org fabrikam

        sentry-ado rebuild --org fabrikam --document backup/fabrikam.json --yes
    """
    if document is not None:
        apply_document(desk, load(document), *existing(desk))
    if desk.dry_run:
        desk.screen.say("The links would be made anew from the entries in Sentry and the items' hyperlinks.")
        return
    _show(desk, _all(desk, "rebuild", {}, "Making links anew …"))


def back_link(desk: Desk) -> None:
    """Have all links show on both their ends that do not yet, such as those of an older version.

    Example:

        sentry-ado back-link --org fabrikam
    """
    if desk.dry_run:
        desk.screen.say("A hyperlink would be left on each work item, and an entry on each issue's page.")
        return
    queued, continuation = 0, None
    with desk.waiting("Looking at links …"):
        while True:
            answer = _asked(desk, "links/back-link", {"continuation": continuation})
            queued, continuation = queued + answer["queued"], answer["continuation"]
            if continuation is None:
                break
    desk.screen.rows(("queued",), [(queued,)], {"queued": queued})


def _all(desk: Desk, path: str, query: dict[str, Any], what: str) -> _Found:
    """Repeat a request until nothing is left, or a service keeps it from going on."""
    found = _Found()
    continuation = None

    def turn() -> Turn:
        nonlocal continuation
        answer = _asked(desk, path, {**query, "continuation": continuation})
        found.add(answer["links"])
        found.unreadable += answer.get("unreadable", 0)  # An older app does not count them.
        before, continuation = continuation, answer["continuation"]
        return Turn(continuation is None, answer["stopped"] if continuation == before else None)

    with desk.waiting(what):
        repeat(found, turn)
    return found


def _asked(desk: Desk, path: str, query: dict[str, Any]) -> Any:
    return desk.call("POST", path, query=query).json()


def _show(desk: Desk, found: _Found) -> None:
    """Show each pair once, by the last that became of it; raise ProblemFound if anything is left."""
    rows = [tuple(each[name] for name in _NAMES) for each in found.links.values()]
    desk.screen.rows(_NAMES, rows, list(found.links.values()))
    if not rows:
        desk.screen.say("There is nothing to link.")
    problems = list(found.problems())
    if problems or found.stopped:
        raise found.problem(*problems)
