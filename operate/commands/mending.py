"""``link``, ``unlink``, ``retry`` and ``copy``: one pair, a CSV, or all that match a filter."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from operate.client import segment
from operate.commands.doctor import Silent
from operate.commands.looking import (
    Agree,
    Apart,
    Attention,
    Pending,
    Project,
    Reason,
    Search,
    filters,
)
from operate.desk import Desk
from operate.errors import Ended, WrongUsage
from operate.repeating import LINKED, Results, Turn, repeat

_CSV = {"Content-Type": "text/csv; charset=utf-8"}
_PAIR = ("issue_id", "work_item_id", "outcome")
_NOT_YET = "not-yet"

OneIssue = Annotated[
    str | None, typer.Argument(metavar="ISSUE", help="A number, FE-1, or its page's address.")
]
OneItem = Annotated[str | None, typer.Argument(metavar="ITEM", help="31, #31, AB#31, or its page's address.")]
Csv = Annotated[
    Path | None,
    typer.Option("--csv", metavar="FILE", help="Lines of an issue and a work item, between a comma."),
]


def link(
    desk: Desk,
    issue: OneIssue = None,
    item: OneItem = None,
    initial: Annotated[
        str | None,
        typer.Option(metavar="ado|sentry", help="The side that the other one is made to agree with."),
    ] = None,
    csv: Csv = None,
) -> None:
    """Link an issue and a work item, or each pair of a CSV file.

    Examples:

        sentry-ado link FE-1 31 --initial ado

        sentry-ado link --csv links.csv --dry-run
    """
    if csv is not None:
        _link_all(desk, csv)
        return
    issue, item = _pair(desk, issue, item)
    if initial not in {None, "ado", "sentry"}:
        raise WrongUsage("--initial must be ado or sentry")
    if desk.dry_run:
        desk.screen.say(f"Would link {issue} and {item}.")
        return
    body = {"issue_id": issue, "work_item_id": item, **({"initial": initial} if initial else {})}
    made = desk.call("POST", "links", json=body).json()
    desk.screen.rows(_PAIR[:2], [[made[name] for name in _PAIR[:2]]], made)
    desk.screen.say(f"Linked: {made['issue_id']} ⇄ #{made['work_item_id']}", "green")


def _link_all(desk: Desk, file: Path) -> None:
    body = _read(file)
    lines = [each for each in body.decode("utf-8", "replace").splitlines() if each.strip()]
    if desk.dry_run:
        desk.screen.say(f"Would send {len(lines)} line(s).")
        return
    with desk.waiting(f"Linking {len(lines)} pair(s) …"):
        results = link_all(desk, body)
    show_results(desk, results)
    desk.screen.say(f"{len(results.links) - results.failed} linked, {results.failed} not")
    if results.failed:
        raise results.problem()


def link_all(desk: Desk, body: bytes) -> Results:
    """Link the pairs of a CSV, as far as they can be linked. Each line has its result, in its order.

    What has a final outcome is not sent again: a list may begin with more lines that cannot be linked than
    are tried in a minute.
    """
    results = Results()
    left: list[int] | None = None

    def turn() -> Turn:
        nonlocal left
        if left is None:
            answer = desk.call("POST", "links", body=body, headers=_CSV).json()
            left = list(range(len(answer["links"])))
        else:
            again = [{name: results.links[line][name] for name in _PAIR[:2]} for line in left]
            answer = desk.call("POST", "links", json=again).json()
        links = answer["links"]
        results.links |= dict(zip(left, links, strict=True))
        open_ones = _open_ones(links, answer["remaining"])
        has_moved = len(open_ones) < len(left)
        left = [left[place] for place in open_ones]
        return Turn(is_last=not left, stopped=None if has_moved or not left else links[0]["outcome"])

    repeat(results, turn)
    return results


def _open_ones(links: list[dict[str, Any]], remaining: int) -> list[int]:
    """Return the places of the pairs that may still be linked: those not tried, and what stopped it.

    That is the last trouble: behind it none was tried.
    """
    places = [place for place, each in enumerate(links) if each["outcome"] == _NOT_YET]
    troubles = [place for place, each in enumerate(links) if each["outcome"] not in LINKED | {_NOT_YET}]
    return sorted(places + troubles[-1:]) if remaining > len(places) else places


def unlink(
    desk: Desk,
    issue: OneIssue = None,
    item: OneItem = None,
    csv: Csv = None,
    attention: Attention = False,
    pending: Pending = False,
    apart: Apart = False,
    agree: Agree = False,
    reason: Reason = None,
    project: Project = None,
    search: Search = None,
) -> None:
    """Remove a link, each pair of a CSV file, or all links that match a filter.

    Neither the issue nor the work item is changed.

    Examples:

        sentry-ado unlink FE-1 31

        sentry-ado unlink --reason work-item-gone --yes
    """
    query = filters(
        attention=attention, pending=pending, apart=apart, agree=agree, reason=reason, project=project,
        search=search,
    )  # fmt: skip
    if csv is not None:
        lines = _read(csv).decode("utf-8-sig", "replace").splitlines()
        pairs = [
            (one.strip(), two.strip())
            for one, _, two in (each.partition(",") for each in lines if each.strip())
        ]
        pairs = [each for each in pairs if each != ("issue_id", "work_item_id")]
    else:
        pairs = _chosen(desk, query, issue, item)
    if desk.dry_run:
        _tell(desk, [(*each, "would unlink") for each in pairs])
        return
    if query or csv is not None or desk.is_attended:
        desk.confirm(f"Remove {len(pairs)} link(s) of {desk.org}?")
    _for_each(
        desk, pairs, "Unlinking", "DELETE", "unlinked", lambda one, two: (f"links/{_path(one, two)}", None)
    )


def retry(
    desk: Desk,
    issue: OneIssue = None,
    item: OneItem = None,
    attention: Attention = False,
    pending: Pending = False,
    apart: Apart = False,
    agree: Agree = False,
    reason: Reason = None,
    project: Project = None,
    search: Search = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All links: both sides are looked at whole.")
    ] = False,
) -> None:
    """Sync a link now, all that match a filter, or all.

    Examples:

        sentry-ado retry FE-1 31

        sentry-ado retry --reason assignee-not-found

        sentry-ado retry --all
    """
    query = filters(
        attention=attention, pending=pending, apart=apart, agree=agree, reason=reason, project=project,
        search=search,
    )  # fmt: skip
    if everything:
        if desk.dry_run:
            desk.screen.say("Would look at all links.")
            return
        with desk.waiting("Looking at both sides …"):
            found = desk.call("POST", "reconcile", json={}).json()
        desk.screen.rows(("name", "value"), found.items(), found)
        return
    pairs = _chosen(desk, query, issue, item)
    if desk.dry_run:
        _tell(desk, [(*each, "would retry") for each in pairs])
        return

    def of(one: str, two: str) -> tuple[str, Any]:
        return "reconcile", {"issue_id": one, "work_item_id": int(two) if two.isdigit() else two}

    _for_each(desk, pairs, "Syncing", "POST", "done", of)


def copy(
    desk: Desk,
    issue: OneIssue = None,
    item: OneItem = None,
    side: Annotated[
        str | None, typer.Option("--from", metavar="ado|sentry", help="The side that is right.")
    ] = None,
    attention: Attention = False,
    pending: Pending = False,
    apart: Apart = False,
    agree: Agree = False,
    reason: Reason = None,
    project: Project = None,
    search: Search = None,
) -> None:
    """Make both sides of a link agree, by copying one over the other; or of all that match a filter.

    Examples:

        sentry-ado copy FE-2 32 --from ado

        sentry-ado copy --apart --from sentry --dry-run
    """
    side = side or desk.choose("Which side is right?", ["ado", "sentry"], "--from ado|sentry")
    if side not in {"ado", "sentry"}:
        raise WrongUsage("--from must be ado or sentry")
    query = filters(
        attention=attention, pending=pending, apart=apart, agree=agree, reason=reason, project=project,
        search=search,
    )  # fmt: skip
    pairs = _chosen(desk, query, issue, item)
    if desk.dry_run:
        _tell(desk, [(*each, f"would copy from {side}") for each in pairs])
        return
    if not query:

        def of(one: str, two: str) -> tuple[str, Any]:
            return f"links/{_path(one, two)}/copy", {"from": side}

        _for_each(desk, pairs, "Copying", "POST", "done", of)
        return
    desk.confirm(f"Copy {len(pairs)} link(s) from {side} over to the other side?")
    with desk.progress("Copying", len(pairs)) as step:
        results = _copy_all(desk, query, side, step)
    show_results(desk, results)
    if results.stopped:
        raise results.problem()


def _copy_all(desk: Desk, query: dict[str, str], side: str, step: Callable[[], None]) -> Results:
    """Copy one side of all links that the query names over, as far as they can be copied."""
    results = Results()
    continuation = None

    def turn() -> Turn:
        nonlocal continuation
        page = desk.call(
            "POST", "links/copy", query={**query, "continuation": continuation}, json={"from": side}
        ).json()
        known = len(results.links)
        results.add(page["links"])
        for _ in range(len(results.links) - known):
            step()
        if not page["remaining"]:
            return Turn(is_last=True)
        before, continuation = continuation, page["continuation"]
        # A link that keeps a request from going on is the last one it names, and the first one of the next.
        return Turn(is_last=False, stopped=page["links"][-1]["outcome"] if continuation == before else None)

    repeat(results, turn)
    return results


def _chosen(desk: Desk, query: dict[str, str], issue: str | None, item: str | None) -> list[tuple[str, str]]:
    """Return the links that a filter names; without one, the link that is named, or asked for."""
    if not query:
        return [_pair(desk, issue, item)]
    return [(each["issue_id"], str(each["work_item_id"])) for each in desk.pages("links", "links", **query)]


def _pair(desk: Desk, issue: str | None, item: str | None) -> tuple[str, str]:
    one = issue or desk.ask("Issue", "ISSUE, such as FE-1")
    return one, item or desk.ask("Work item", "ITEM, such as 31")


def _path(issue: str, item: str) -> str:
    return f"{segment(issue)}/{segment(item.removeprefix('#'))}"


def _for_each(
    desk: Desk, pairs: list[tuple[str, str]], what: str, method: str, done: str, path_and_body: Any
) -> None:
    """Send a request for each pair; one that is refused keeps the others from nothing."""
    results: list[tuple[object, ...]] = []
    has_failed = False
    with desk.progress(what, len(pairs)) as step:
        for one, two in pairs:
            path, body = path_and_body(one, two)
            try:
                answer = desk.call(method, path, json=body)
                content = answer.json() if answer.content else {}
                results.append(
                    (one, two, content.get("outcome", done) if isinstance(content, dict) else done)
                )
            except Ended as ended:
                if len(pairs) == 1:
                    raise
                has_failed = True
                results.append((one, two, ended.sentence))
            step()
    _tell(desk, results)
    if has_failed:
        raise Silent


def _tell(desk: Desk, results: Iterable[tuple[object, ...]]) -> None:
    rows = list(results)
    desk.screen.rows(_PAIR, rows, {"links": [dict(zip(_PAIR, each, strict=True)) for each in rows]})


def show_results(desk: Desk, results: Results) -> None:
    _tell(desk, (tuple(each[name] for name in _PAIR) for each in results.links.values()))


def _read(file: Path) -> bytes:
    try:
        return typer.get_binary_stream("stdin").read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise WrongUsage(f"{file} cannot be read: {error.strerror}") from None
