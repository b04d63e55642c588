"""``status``, ``events``, ``links`` and ``explain``: how it does, what arrived, what is linked, and why."""

import re
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any

import typer

from operate.commands.doctor import Silent
from operate.desk import Desk
from operate.errors import NotThere, ProblemFound, WrongUsage
from operate.shown import Screen, moment, plain, seconds

_POLL_EVERY = 5.0  # seconds
_EVENT = ("at", "side", "kind", "issue_id", "work_item_id", "outcome", "reason", "told_by", "took")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def status(desk: Desk) -> None:
    """Show on one screen what needs you, the last events, the delay, hooks and counts.

    Ends with 1 if there are problems.

    Examples:

        sentry-ado status

        sentry-ado status -o json | jq .links
    """
    found = desk.get("status")
    problems = found["problems"]
    if desk.screen.is_for_people:
        _show_status(desk.screen, found)
    else:
        names = ("kind", "side", "since", "detail", "cure")
        desk.screen.rows(names, ([each[name] for name in names] for each in problems), found)
    if problems:
        raise Silent


def _show_status(screen: Screen, found: dict[str, Any]) -> None:
    problems = found["problems"]
    screen.line((f"{found['organization']}  version {found['version']}", "bold"))
    for each in problems:
        screen.line(("✕ ", "bold red"), f"{each['detail']}, since {moment(each['since'])}")
        screen.line("    ", ("mend: ", "bold"), each["cure"])
    if not problems:
        screen.line(("✓ nothing needs you", "green"))
    for side, name in (("ado", "From Azure DevOps"), ("sentry", "From Sentry")):
        screen.line(f"{name:<19}", _door(found[side]))
    hooks = " · ".join(f"{each['event']} {each['state']}" for each in found["ado"]["subscriptions"])
    screen.line(f"{'Subscriptions':<19}", hooks)
    reconciler = found["reconciler"]
    untold = reconciler["untold"]
    screen.line(
        f"{'Reconciler':<19}",
        f"ran {moment(reconciler['last_run'])}, next {moment(reconciler['next_run'])} · "
        f"changes in 24 h that no hook had told: {untold}{' (look at your hooks)' if untold else ''}",
    )
    delay = found["delay"]
    screen.line(
        f"{'Delay, 24 h':<19}",
        ", ".join(f"{name} {seconds(delay[name])}" for name in ("median", "p95", "longest")),
    )
    links = found["links"]
    counts = " · ".join(f"{name} {links[name]}" for name in ("agree", "apart", "pending", "attention"))
    screen.line(f"{'Links':<19}", f"{links['total']} · {counts}")


def _door(door: dict[str, Any]) -> str:
    hours = door["hours"]
    taken, refused = sum(each["taken"] for each in hours), sum(each["refused"] for each in hours)
    nothing = sum(each["nothing_to_do"] for each in hours)
    elsewhere = sum(each["not_linked"] for each in hours)
    return (
        f"last event {moment(door['last_event'])} · 24 h: {taken} taken, {nothing} with nothing to do, "
        f"{elsewhere} not linked, {refused} refused"
    )


def events(
    desk: Desk,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on, and show what comes.")] = False,
    since: Annotated[str | None, typer.Option(metavar="1h", help="How far back: 30m, 1h, 7d.")] = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many at most.")] = 50,
    issue: Annotated[str | None, typer.Option(metavar="FE-1", help="Only about this issue.")] = None,
    item: Annotated[str | None, typer.Option(metavar="31", help="Only about this work item.")] = None,
) -> None:
    """List what arrived about linked things, and what became of it.

    Examples:

        sentry-ado events --since 1h

        sentry-ado events --follow --item 31

        sentry-ado events -n 1000 -o tsv | cut -f6 | sort | uniq -c
    """
    oldest = None if since is None else datetime.now(UTC) - _duration(since)
    wanted_issue, wanted_item = _issue_id(desk, issue), item and item.lstrip("#").upper().removeprefix("AB#")

    def is_wanted(event: dict[str, Any]) -> bool:
        return (wanted_issue is None or event["issue_id"] == wanted_issue) and (
            wanted_item is None or str(event["work_item_id"]) == wanted_item
        )

    def recent() -> Iterator[dict[str, Any]]:
        for event in desk.pages("events", "events"):
            if oldest is not None and datetime.fromisoformat(event["at"]) < oldest:
                return
            if is_wanted(event):
                yield event

    found = list(islice(recent(), number))[::-1]
    if not follow:
        _show_events(desk.screen, found, is_last=True)
        return
    seen: set[str] = set()
    try:
        while True:
            new = [each for each in found if _name_of(each) not in seen]
            seen = {_name_of(each) for each in found}
            _show_events(desk.screen, new, is_last=False)
            time.sleep(_POLL_EVERY)
            found = list(islice(recent(), max(number, 200)))[::-1]
    except KeyboardInterrupt:
        return


def _name_of(event: dict[str, Any]) -> str:
    return " ".join(str(event[name]) for name in _EVENT)


def _show_events(screen: Screen, found: list[dict[str, Any]], *, is_last: bool) -> None:
    if not screen.is_for_people:
        rows = ([each[name] for name in _EVENT] for each in found)
        if is_last or screen.output == "tsv":
            screen.rows(_EVENT, rows, {"events": found})
        else:
            for each in found:
                screen.json(each)
        return
    for each in found:
        names = " ⇄ ".join(
            filter(None, (each["issue_id"], f"#{each['work_item_id']}" if each["work_item_id"] else ""))
        )
        reason = f" ({each['reason']})" if each["reason"] else ""
        by = f"  {each['told_by']}" if each["told_by"] else ""
        took = f", {seconds(each['took'])}" if each["took"] is not None else ""
        side = {"ado": "Azure DevOps", "sentry": "Sentry"}.get(each["side"], "-")
        what = f"{each['outcome']}{reason}{by}{took}"
        screen.line(f"{moment(each['at'])}  {side:<12} {each['kind']:<8} {names:<14} {what}")
    if is_last and not found:
        screen.say("Nothing in this time.")


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,4})([mhd])", text.strip())
    if found is None:
        raise WrongUsage("--since is a number with m, h or d behind it: 30m, 1h, 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _issue_id(desk: Desk, issue: str | None) -> str | None:
    """Return an issue's number; the app knows what a short id or an address stands for."""
    if issue is None or issue.isdigit():
        return issue
    return str(desk.get("explain", issue_id=issue)["issue"]["id"])


# Links

_FILTERS = ("health", "sides", "reason", "project", "q", "issue_id", "work_item_id")
_LINK = ("issue", "status", "assigned", "item", "state", "assigned to", "health", "reason", "synced", "title")

Attention = Annotated[bool, typer.Option("--attention", help="Only those that need somebody.")]
Pending = Annotated[bool, typer.Option("--pending", help="Only those that wait to be settled.")]
Apart = Annotated[bool, typer.Option("--apart", help="Only those whose sides differ.")]
Agree = Annotated[bool, typer.Option("--agree", help="Only those whose sides agree.")]
Reason = Annotated[str | None, typer.Option(metavar="REASON", help="Only those with this reason.")]
Project = Annotated[
    str | None, typer.Option(metavar="ID", help="Only those of this project in Azure DevOps.")
]
Issue = Annotated[str | None, typer.Option(metavar="FE-1", help="Only those of this issue.")]
Item = Annotated[str | None, typer.Option(metavar="31", help="Only those of this work item.")]
Search = Annotated[
    str | None, typer.Option("--search", metavar="TEXT", help="Only those that hold this text.")
]


def filters(
    *,
    attention: bool,
    pending: bool,
    apart: bool,
    agree: bool,
    reason: str | None,
    project: str | None,
    search: str | None,
    issue: str | None = None,
    item: str | None = None,
) -> dict[str, str]:
    """Return the query that the options stand for; empty for all links."""
    if attention and pending:
        raise WrongUsage("--attention and --pending: no link is both")
    if apart and agree:
        raise WrongUsage("--apart and --agree: no link is both")
    wanted = {
        "health": "attention" if attention else "pending" if pending else None,
        "sides": "apart" if apart else "agree" if agree else None,
        "reason": reason,
        "project": project,
        "issue_id": issue,
        "work_item_id": item,
        "q": search,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def links(
    desk: Desk,
    attention: Attention = False,
    pending: Pending = False,
    apart: Apart = False,
    agree: Agree = False,
    reason: Reason = None,
    project: Project = None,
    issue: Issue = None,
    item: Item = None,
    search: Search = None,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV with a header, for a spreadsheet.")] = False,
) -> None:
    """List links with how both sides stand.

    Examples:

        sentry-ado links --attention

        sentry-ado links --apart --csv > apart.csv

        sentry-ado links --issue FE-1 -o json
    """
    query = filters(
        attention=attention, pending=pending, apart=apart, agree=agree, reason=reason, project=project,
        issue=issue, item=item, search=search,
    )  # fmt: skip
    with desk.waiting("Reading links …"):
        found = list(desk.pages("links", "links", **query))
    rows = (_row(each) for each in found)
    if csv:
        desk.screen.csv(_LINK, rows)
        return
    desk.screen.rows(_LINK, rows, {"links": found})
    if desk.screen.is_for_people:
        desk.screen.say("1 link" if len(found) == 1 else f"{len(found)} links")


def _row(link: dict[str, Any]) -> tuple[object, ...]:
    issue, item = link["issue"], link["work_item"]
    return (
        issue["short_id"] or link["issue_id"],
        issue["status"],
        issue["assignee"],
        f"#{link['work_item_id']}",
        item["state"],
        item["assignee"],
        link["sides"] or link["health"],
        link["reason"],
        moment(link["synced_at"]),
        link["title"] or issue["title"],
    )


# Explain


def explain(
    desk: Desk,
    thing: Annotated[
        str | None,
        typer.Argument(metavar="ISSUE|ITEM", help="A number, a short id, AB#31, or the address of a page."),
    ] = None,
    issue: Annotated[
        str | None, typer.Option(metavar="FE-1", help="An issue, where a number may be both.")
    ] = None,
    item: Annotated[
        str | None, typer.Option(metavar="31", help="A work item, where a number may be both.")
    ] = None,
) -> None:
    """Tell what happened to an issue or a work item, or why nothing did, and what comes next.

    A bare number is looked up on both sides.

    Examples:

        sentry-ado explain FE-2

        sentry-ado explain AB#31

        sentry-ado explain --item 35 -o json
    """
    if thing is None and issue is None and item is None:
        thing = desk.ask("Issue or work item", "ISSUE|ITEM, such as FE-2 or AB#31")
    found = list(_explained(desk, _queries(thing, issue, item)))
    if not found:
        raise ProblemFound("Neither service knows it, and it was never linked.")
    if desk.screen.is_for_people:
        for each in found:
            _show_explained(desk.screen, each)
        return
    rows = [(sentence,) for each in found for sentence in (*each["sentences"], each["next"])]
    desk.screen.rows(("sentence",), rows, found[0] if len(found) == 1 else {"found": found})


def _queries(thing: str | None, issue: str | None, item: str | None) -> list[dict[str, str]]:
    asked = {name: value for name, value in (("issue_id", issue), ("work_item_id", item)) if value}
    if asked or thing is None:
        return [asked]
    text = thing.strip()
    if text.isdigit():
        return [{"work_item_id": text}, {"issue_id": text}]
    is_item = text.startswith("#") or text.upper().startswith("AB#") or "/_workitems" in text.lower()
    return [{"work_item_id" if is_item else "issue_id": text}]


def _explained(desk: Desk, queries: Iterable[dict[str, str]]) -> Iterator[dict[str, Any]]:
    for query in queries:
        try:
            yield desk.get("explain", **query)
        except NotThere as error:
            if error.kind not in {"issue-not-found", "work-item-not-found"}:
                raise


def _show_explained(screen: Screen, found: dict[str, Any]) -> None:
    issue, item = found["issue"], found["work_item"]
    if issue:
        name = issue["short_id"] or issue["id"]
        screen.line((f"{name}  {issue['title']}", "bold"), f"  {plain(issue['url'])}")
    if item:
        screen.line((f"#{item['id']}  {item['title']}", "bold"), f"  {plain(item['url'])}")
    for sentence in found["sentences"]:
        screen.line("  ", sentence)
    screen.line(("Next: ", "bold"), found["next"])
