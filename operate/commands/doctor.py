"""``doctor``: the app's own examination, and what only this machine sees: network, clock, key."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from operate.client import Client
from operate.desk import Desk
from operate.errors import PROBLEMS, CannotReach, Ended, WrongUsage
from operate.shown import Screen, Styled

AREAS = {
    "here": "Here",
    "app": "App",
    "ado": "Azure DevOps",
    "sentry": "Sentry",
    "states": "States",
    "people": "People",
}
MARKS: dict[str, Styled] = {
    "fine": ("✓", "green"),
    "problem": ("✕", "bold red"),
    "note": ("!", "yellow"),
    "unknown": ("?", "yellow"),
}
_CLOCK_MAY_BE_OFF = 60.0  # seconds
_COLUMNS = ("area", "check", "standing", "detail", "cure")

Finding = dict[str, Any]


def doctor(desk: Desk) -> None:
    """Check tokens, permissions, hooks, states and people, and say how to mend each.

    Nothing is changed on either side. Ends with 1 if there are problems.

    Examples:

        sentry-ado doctor --app acme-sync -g acme-rg --org fabrikam

        sentry-ado doctor -o json | jq '.findings[] | select(.standing == "problem") | .cure'
    """
    health = _health(desk.client)
    with desk.waiting("Trying everything that the sync needs …"):
        found = desk.get("doctor")
    findings = [*seen_from_here(desk.client, health), *found["findings"]]
    problems = sum(each["standing"] == "problem" for each in findings)
    content = {**found, "problems": problems, "findings": findings}
    if desk.screen.is_for_people:
        show(desk.screen, findings)
        desk.screen.line("")
        desk.screen.line(_verdict(problems))
    else:
        desk.screen.rows(_COLUMNS, ([each[name] for name in _COLUMNS] for each in findings), content)
    if problems:
        raise Silent


class Silent(Ended):
    """All has been said; only the exit code is missing."""

    exit_code = PROBLEMS

    def __init__(self) -> None:
        super().__init__("")


def _health(client: Client) -> dict[str, Any]:
    """Ask what needs no key, so that a wrong address is told from a wrong key."""
    try:
        answer = client.call("GET", "health").json()
    except (WrongUsage, ValueError):
        answer = None
    if not isinstance(answer, dict) or "status" not in answer:
        raise CannotReach(f"{client.url} is not this app. Is --app right?")
    return answer


def seen_from_here(client: Client, health: dict[str, Any]) -> list[Finding]:
    host, is_safe = urlsplit(client.url).hostname, client.url.startswith("https:")
    what = "with a certificate that is trusted here" if is_safe else "without a certificate, on this machine"
    version = f" {health['version']}" if health.get("version") else ""
    findings = [_finding("network", "fine", f"{host} answers, {what}; it accepts the key; version{version}")]
    off = client.clock_ahead
    if off is not None and abs(off) > _CLOCK_MAY_BE_OFF:
        way = "behind" if off > 0 else "ahead of"
        findings.append(
            _finding(
                "clock",
                "problem",
                f"the clock of this machine is {round(abs(off) / 60)} minutes {way} the app's",
                "Set the clock of this machine, or, if it is right, that of the app: both keep time by NTP.",
            )
        )
    elif off is not None:
        findings.append(_finding("clock", "fine", "the clocks of this machine and the app agree"))
    return findings


def _finding(check: str, standing: str, detail: str, cure: str | None = None) -> Finding:
    return {
        "area": "here",
        "check": check,
        "standing": standing,
        "detail": detail,
        "cure": cure,
        "side": None,
    }


def show(screen: Screen, findings: Iterable[Finding]) -> None:
    """Print findings by area, each with its cure below it."""
    last = None
    for each in findings:
        area = AREAS.get(each["area"], each["area"])
        name = f"{area:<13}" if area != last else " " * 13
        last = area
        screen.line((name, "bold"), MARKS.get(each["standing"], ("?", "")), f" {each['detail']}")
        if each["cure"]:
            screen.line(" " * 15, ("mend: ", "bold") if each["standing"] == "problem" else "", each["cure"])


def _verdict(problems: int) -> Styled:
    if not problems:
        return "Everything that was tried works.", "green"
    return ("1 problem." if problems == 1 else f"{problems} problems."), "bold red"
