"""Traces a schedule: who did what when, each of our calls, and how both sides stand."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields

import msgspec

from shared.domain.errors import NotFound
from shared.domain.model import ActivityEntry, Assignee, IssueLink, Person, Stranger
from tests.simulation.schedule import Action, Schedule
from tests.simulation.world import World


@dataclass
class Trace:
    """The lines of one run; reads that change nothing are left out unless ``whole`` keeps them."""

    whole: bool = False
    lines: list[str] = field(default_factory=list)

    def add(self, at: float, who: str, text: str) -> None:
        if self.whole or not text.startswith(("reads ", "writes ", "puts ", "    Replace organizations")):
            self.lines.append(f"{at:10.2f}  {who:15} {_readable(text)}")


def traced(schedule: Schedule, *, whole: bool = False) -> str:
    """Run a schedule once more and return its trace from the beginning to the verdict."""
    trace = Trace(whole)
    world = World(schedule, trace.add)
    complaints = world.run()
    return "\n".join(
        [
            _beginning(schedule),
            "",
            *trace.lines,
            "",
            *_how_it_stands(world),
            "",
            *(f"VIOLATION: {each}" for each in complaints),
        ]
    )


def _beginning(schedule: Schedule) -> str:
    links = ", ".join(f"issue {issue} with work item {item}" for issue, item in schedule.links)
    settings = ", ".join(schedule.settings) or "all settings as usual"
    return f"Schedule {schedule.seed}. Linked: {links}. {schedule.workers} worker(s); {settings}."


def _how_it_stands(world: World) -> Iterable[str]:
    for issue_id in world.schedule.issues:
        try:
            issue = world.sentry.get_issue(issue_id)
            merged = f" (merged into {issue.issue_id})" if issue.issue_id != issue_id else ""
            yield f"Sentry issue {issue_id}{merged}: {issue.status}, {_person(issue.assignee)}"
        except NotFound:
            yield f"Sentry issue {issue_id}: deleted"
    for work_item_id in (*world.schedule.items, *world.ado.created()):
        item = world.ado.item(work_item_id)
        deleted = ", deleted" if world.ado.is_deleted(work_item_id) else ""
        yield (
            f"Work item {work_item_id} ({item.work_item_type}): {item.state}, {_person(item.assignee)},"
            f" rev {item.rev}{deleted}"
        )
    for link in world.links():
        yield f"Link {link.issue_id} with {link.work_item_id}: {_link(link)}"


def _readable(text: str) -> str:
    """Put a stored row into words; its JSON is for machines."""
    start = text.find("{")
    if text.startswith("takes {"):
        return _message(text)
    if not text.startswith("    ") or start < 0:
        return text
    if " activity " in text:
        return f"    records: {_entry(msgspec.json.decode(text[start:], type=ActivityEntry))}"
    if " links item!" in text:
        link = msgspec.json.decode(text[start:], type=IssueLink)
        return f"    stores link {link.issue_id} with {link.work_item_id}: {_link(link)}"
    return text


def _message(text: str) -> str:
    body, _, delivery = text.removeprefix("takes ").rpartition(" (")
    content = msgspec.json.decode(body)
    about = (
        f"issue {content['issue_id']}" if "issue_id" in content else f"work item {content['work_item_id']}"
    )
    snapshot = content.get("snapshot")
    stands = f", rev {content['rev']} is {snapshot['state']}" if snapshot else ""
    return f"takes a message about {about}{stands} ({delivery}"


def _entry(entry: ActivityEntry) -> str:
    what = " ".join(str(each) for each in (entry.outcome, entry.direction, entry.field) if each)
    change = f", {entry.before} to {entry.after}" if entry.before or entry.after else ""
    return f"{what}{change}{f', because {entry.reason}' if entry.reason else ''}"


def _link(link: IssueLink) -> str:
    seen = link.seen
    issue = f"{seen.issue.status}, {_person(seen.issue.assignee)}"
    words = [f"has seen {issue} and {seen.item.state}, {_person(seen.item.assignee)} at rev {seen.item.rev}"]
    if link.health.word != "settled":
        words.append(f"{link.health.word} ({link.health.reason})")
    if link.claim is not None:
        writes = ", ".join(
            f"{each.side} {each.field} {each.state or each.status or _person(each.assignee)}"
            for each in link.claim.intents
        )
        words.append(f"worker {link.claim.token[-3:]} announces {writes}")
    return "; ".join(words)


def _person(assignee: Assignee) -> str:
    match assignee:
        case Person(email):
            return email
        case Stranger(reason, label):
            return f"{label or 'somebody'} ({reason})"
        case _:
            return "nobody"


def spelled(schedule: Schedule) -> str:
    """Return a schedule as Python, to become a test."""
    actions = "".join(f"        {_action(each)},\n" for each in schedule.actions)
    parts = [
        f"    actions=(\n{actions}    ),\n" if name == "actions" else f"    {name}={value!r},\n"
        for name, value in ((each.name, getattr(schedule, each.name)) for each in fields(schedule))
    ]
    return f"Schedule(\n{''.join(parts)})"


def _action(action: Action) -> str:
    given = {name: value for name, value in vars(action).items() if value and name != "what"}
    return (
        f"Action({', '.join([repr(action.what), *(f'{name}={value!r}' for name, value in given.items())])})"
    )
