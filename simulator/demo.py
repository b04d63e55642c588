"""The demo: people change work items and issues, and each change arrives on the other side, or it fails."""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from simulator.hands import Hands, HandsError, Json
from simulator.stack import Stack, StackError

_WATCHED_FOR = 1.0  # seconds in which nothing may change; a change usually takes a third of that
_POLL_EVERY = 0.02
_LOG_LINES = 40
_SHOWN_LINK = ("100", 31)


@dataclass(frozen=True)
class Step:
    """A person does something; from then on ``observe`` must return ``wanted``.

    ``holds`` is for what must not change: it is observed for a while instead of until it is there.
    """

    action: str
    do: Callable[[Hands], object]
    effect: str
    observe: Callable[[Hands], object]
    wanted: object
    holds: bool = False


class StepFailed(Exception):
    """A change did not arrive, or one did that should not have."""


def _save_a_rule_and_fail(at: Hands) -> None:
    at.sentry.save_rule("Fabrikam-Fiber", "Bug")
    at.sentry.report("KeyError: 'street'")


def _unassign_and_reconcile(at: Hands) -> None:
    at.sentry.assign("101", None)
    at.app.reconcile("101", 32)


def _shown_on_both(issue_id: str, work_item_id: int, at: Hands) -> tuple[list[str], list[str]]:
    """Return the issues that a work item's hyperlinks lead to, and what the issue's page names."""
    issues = [url.rstrip("/").rpartition("/")[2] for url in at.ado.hyperlinks(work_item_id)]
    return issues, at.sentry.linked(issue_id)


CHAPTERS: dict[str, tuple[Step, ...]] = {
    "Connect": (
        Step(
            "An administrator connects fabrikam and acme (PUT …/config)",
            lambda at: at.connect(),
            "the app is healthy",
            lambda at: at.app.health()["status"],
            "ok",
        ),
        Step(
            "… and subscribes the app to work items that are updated, deleted, restored, commented on",
            lambda at: at.subscribe(),
            "Azure DevOps has four subscriptions",
            lambda at: len(at.ado.subscribed_events()),
            4,
        ),
        Step(
            "Ann sets #33 to Done in Azure DevOps, before anything is linked",
            lambda at: at.ado.move(33, "Done"),
            "issue 102 knows nothing of it",
            lambda at: at.sentry.status("102"),
            "unresolved",
        ),
        Step(
            "Three issues and work items are linked: 100 and #31, 101 and #32, 102 and #33",
            lambda at: at.link(),
            "linking alone writes nothing: issue 102 stays unresolved",
            lambda at: at.sentry.status("102"),
            "unresolved",
            holds=True,
        ),
    ),
    "Azure DevOps leads, Sentry follows": (
        Step(
            "Ann moves #31 from New to Active in Azure DevOps",
            lambda at: at.ado.move(31, "Active"),
            "not done yet: issue 100 stays unresolved",
            lambda at: at.sentry.status("100"),
            "unresolved",
            holds=True,
        ),
        Step(
            "Ann resolves #31 in Azure DevOps",
            lambda at: at.ado.move(31, "Resolved"),
            "issue 100 is resolved in Sentry",
            lambda at: at.sentry.status("100"),
            "resolved",
        ),
        Step(
            "Ann closes #31 in Azure DevOps",
            lambda at: at.ado.move(31, "Closed"),
            "done before and after: issue 100 stays resolved",
            lambda at: at.sentry.status("100"),
            "resolved",
            holds=True,
        ),
        Step(
            "Ann reopens #31 in Azure DevOps",
            lambda at: at.ado.move(31, "Active"),
            "issue 100 is unresolved in Sentry",
            lambda at: at.sentry.status("100"),
            "unresolved",
        ),
        Step(
            "Ann assigns #31 to Bob in Azure DevOps",
            lambda at: at.ado.assign(31, "bob@corp.example"),
            "issue 100 is Bob's in Sentry, where his address is another one",
            lambda at: at.sentry.assignee("100"),
            "bob@acme.example",
        ),
        Step(
            "Ann unassigns #31 in Azure DevOps",
            lambda at: at.ado.assign(31, None),
            "issue 100 is nobody's in Sentry",
            lambda at: at.sentry.assignee("100"),
            None,
        ),
    ),
    "Sentry leads, Azure DevOps follows": (
        Step(
            "Olive resolves issue 101 in Sentry",
            lambda at: at.sentry.resolve("101"),
            "#32 is Closed in Azure DevOps",
            lambda at: at.ado.state(32),
            "Closed",
        ),
        Step(
            "Olive unresolves issue 101 in Sentry",
            lambda at: at.sentry.unresolve("101"),
            "#32 is New again, the state it was closed from",
            lambda at: at.ado.state(32),
            "New",
        ),
        Step(
            "Olive assigns issue 101 to Ann in Sentry",
            lambda at: at.sentry.assign("101", "ann@acme.example"),
            "#32 is Ann's in Azure DevOps",
            lambda at: at.ado.assignee(32),
            "ann@corp.example",
        ),
        Step(
            "Olive unassigns issue 101 in Sentry, which sends no hook; the reconciler finds it",
            _unassign_and_reconcile,
            "#32 is nobody's in Azure DevOps",
            lambda at: at.ado.assignee(32),
            None,
        ),
    ),
    "Comments, there and back": (
        Step(
            "Olive comments on issue 101 in Sentry",
            lambda at: at.sentry.comment("101", "Is it the **cache**?"),
            "the discussion of #32 has it, under her name",
            lambda at: at.ado.comments("Fabrikam-Fiber", 32),
            ["Olive Owner wrote in Sentry:Is it the cache?"],
        ),
        Step(
            "Ann answers in the discussion of #32",
            lambda at: at.ado.comment(32, "<div>No, <b>DNS</b>.</div>"),
            "issue 101 has the answer, and none of the two comes back",
            lambda at: at.sentry.comments("101"),
            ["> No, **DNS**.", "Is it the **cache**?"],
        ),
    ),
    "What stays as it is": (
        Step(
            "Olive resolves issue 102 in Sentry",
            lambda at: at.sentry.resolve("102"),
            "#33 is done already and stays Done",
            lambda at: at.ado.state(33),
            "Done",
            holds=True,
        ),
        Step(
            "Olive archives issue 101 in Sentry",
            lambda at: at.sentry.archive("101"),
            "archived is not done: #32 stays New",
            lambda at: at.ado.state(32),
            "New",
            holds=True,
        ),
        Step(
            "Ann closes #32 in Azure DevOps",
            lambda at: at.ado.move(32, "Closed"),
            "archived stays archived: issue 101 is still ignored",
            lambda at: at.sentry.status("101"),
            "ignored",
            holds=True,
        ),
    ),
    "Link from Sentry's own form": (
        Step(
            'Olive opens the form of issue 100 and types "board"',
            lambda _: None,
            "it offers #34",
            lambda at: at.sentry.found("100", "Basic Board", "board"),
            ["(34) Order the board"],
        ),
        Step(
            "Olive links issue 100 to #34 as well",
            lambda at: at.sentry.link("100", "Basic Board", 34),
            "Sentry shows it on the issue",
            lambda at: at.sentry.linked("100"),
            ["Basic Board#34"],
        ),
        Step(
            "Olive creates a Task for issue 102",
            lambda at: at.sentry.create("102", "Fabrikam-Fiber", "Task", "Name the customer"),
            "#37 exists in Azure DevOps",
            lambda at: at.ado.title(37),
            "Name the customer",
        ),
        Step(
            "Olive resolves issue 100 in Sentry",
            lambda at: at.sentry.resolve("100"),
            "both its work items are done: #31 is Closed, #34 is Done",
            lambda at: (at.ado.state(31), at.ado.state(34)),
            ("Closed", "Done"),
        ),
    ),
    "Shown on both sides": (
        Step(
            "An administrator links issue 103 to #35 (POST …/links)",
            lambda at: at.app.link("103", 35),
            "#35 has a hyperlink to the issue, and Sentry shows #35 on the issue",
            lambda at: _shown_on_both("103", 35, at),
            (["103"], ["CMMI Works#35"]),
        ),
        Step(
            "An administrator unlinks them again (DELETE …/links/103/35)",
            lambda at: at.app.unlink("103", 35),
            "neither shows the other any more",
            lambda at: _shown_on_both("103", 35, at),
            ([], []),
        ),
    ),
    "By a rule, and what kind of done": (
        Step(
            "Olive saves an alert rule that creates a Bug, and a new error makes issue 106",
            _save_a_rule_and_fail,
            "#38 is created and linked",
            lambda at: at.app.linked_to("106"),
            [38],
        ),
        Step(
            "Ann closes #38 as a Duplicate in Azure DevOps",
            lambda at: at.ado.move(38, "Closed", "Duplicate"),
            "issue 106 is archived in Sentry",
            lambda at: at.sentry.status("106"),
            "ignored",
        ),
        Step(
            "Ann reopens #38 in Azure DevOps",
            lambda at: at.ado.move(38, "Active"),
            "issue 106 is unresolved in Sentry",
            lambda at: at.sentry.status("106"),
            "unresolved",
        ),
    ),
    "A regression is explained": (
        Step(
            "Olive resolves issue 106 in Sentry",
            lambda at: at.sentry.resolve("106"),
            "#38 is Closed in Azure DevOps",
            lambda at: at.ado.state(38),
            "Closed",
        ),
        Step(
            "The error of issue 106 happens again, in release web@1.4.1",
            lambda at: at.sentry.happen_again("106", "web@1.4.1"),
            "#38 is Active again, and its discussion says why",
            lambda at: (
                at.ado.state(38),
                ["web@1.4.1" in each for each in at.ado.comments("Fabrikam-Fiber", 38)],
            ),
            ("Active", [True]),
        ),
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m simulator.demo", description=__doc__)
    parser.add_argument(
        "--patience", type=float, default=30.0, metavar="SECONDS", help="how long a change may take"
    )
    patience: float = parser.parse_args().patience
    prepare_output()
    started = time.monotonic()
    try:
        interrupt_on_signals()
        print("Starting Azurite, a simulated Azure DevOps, a simulated Sentry and the app …")
        with Stack() as stack:
            print(_line(started, "everything runs, on free ports of this machine"))
            return _play(stack, patience)
    except StackError as error:
        print(f"  ✗ {error}")
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything was stopped.")
        return 130


def prepare_output() -> None:
    """Show each line at once, also through a pipe, and never fail on a terminal without a check mark."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True, errors="replace")


def interrupt_on_signals() -> None:
    """Treat SIGTERM like Ctrl-C, so that either stops everything; also in the background."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def _play(stack: Stack, patience: float) -> int:
    hands = Hands(stack)
    try:
        for chapter, steps in CHAPTERS.items():
            print(f"\n{chapter}")
            for step in steps:
                take(step, hands, patience)
        _print_activity(hands.app.activity(*_SHOWN_LINK))
    except (StepFailed, HandsError) as error:
        print(f"  ✗ {error}\n\nThe app's last words:")
        print("\n".join(stack.host_log.splitlines()[-_LOG_LINES:]))
        return 1
    count = sum(map(len, CHAPTERS.values()))
    print(f"\nAll {count} steps arrived. Stopping everything.")
    return 0


def take(step: Step, hands: Hands, patience: float) -> None:
    """Do what a step says and observe until it shows, or raise StepFailed."""
    started = time.monotonic()
    step.do(hands)
    deadline = started + (_WATCHED_FOR if step.holds else patience)
    while True:
        found = step.observe(hands)
        late = time.monotonic() >= deadline
        if step.holds and found != step.wanted:
            raise StepFailed(f"{step.action} → expected {step.wanted!r} to stay, but it became {found!r}")
        if found == step.wanted and (late or not step.holds):
            break
        if late:
            raise StepFailed(
                f"{step.action} → expected {step.wanted!r}, still {found!r} after {patience:g} s"
            )
        time.sleep(_POLL_EVERY)
    print(_line(started, f"{step.action} → {step.effect}"))


def _line(started: float, text: str) -> str:
    return f"  ✓ {time.monotonic() - started:5.2f} s  {text}"


def _print_activity(activity: list[Json]) -> None:
    issue_id, work_item_id = _SHOWN_LINK
    print(f"\nThe app's activity for issue {issue_id} and #{work_item_id}, newest first (GET …/activity)")
    for entry in activity:
        change = f"{entry['from'] or 'nobody'} → {entry['to'] or 'nobody'}" if entry["field"] else ""
        words = (entry["at"][11:19], entry["outcome"], entry["direction"], entry["field"], change)
        print("    {:9} {:10} {:9} {:9} {}".format(*(word or "" for word in words)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
