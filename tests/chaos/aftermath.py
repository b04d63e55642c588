"""What has to hold once the storm is over: both ends agree, everything once, and shown on both ends."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator

from shared.domain.rules.back_links import Mark
from simulator.ado.items import WorkItem
from tests.chaos.people import DUPLICATE, People
from tests.e2e.app import Pair

_FROM_SENTRY = re.compile(r"#event_([0-9]+)")
_FROM_ADO = re.compile(r"#comment-([0-9]+)")
_DONE = frozenset({"Resolved", "Closed"})


def agree(pair: Pair, issue_id: str, work_item_id: int) -> bool:
    status, item = pair.status(issue_id), pair.ado.item(work_item_id)
    if item.state not in _DONE:
        same_status = status == "unresolved"
    elif DUPLICATE in _reasons_since_open(item):
        # Whoever resolves an issue finds an item that is done, for whatever reason. And an issue that we
        # archived comes back when its item is open again, not when it is done for another reason.
        same_status = status in {"ignored", "resolved"}
    else:
        same_status = status == "resolved"
    return same_status and pair.issue_assignee(issue_id) == pair.item_assignee(work_item_id)


def _reasons_since_open(item: WorkItem) -> set[object]:
    """Return why an item is done, and was since it was open last."""
    done = itertools.takewhile(
        lambda each: each.fields.get("System.State") in _DONE, reversed(item.revisions)
    )
    names = ("System.Reason", "Microsoft.VSTS.Common.ResolvedReason")
    return {each.fields.get(name) for each in done for name in names}


def faults(people: People, *, reconciled: bool) -> Iterator[str]:
    """Say what is lost, twice, or not shown. What only the reconciler finds is asked for once it has run."""
    yield from _comments_in_ado(people)
    yield from _comments_in_sentry(people)
    yield from _created(people)
    if reconciled:
        yield from _shown(people)


def _comments_in_ado(people: People) -> Iterator[str]:
    taken = people.comments_taken()
    for issue_id, work_item_id in people.links:
        shown = [each.text for each in people.pair.ado.item(work_item_id).comments]
        times = Counter(number for text in shown for number in set(_FROM_SENTRY.findall(text)))
        yield from (
            f"comment {number} is {each} times on {work_item_id}"
            for number, each in times.items()
            if each > 1
        )
        if any(_FROM_ADO.search(text) for text in shown):
            yield f"a comment of Azure DevOps came back to {work_item_id}"
        for said in people.said.values():
            hooks = taken.get(said.comment_id, [])
            if said.issue_id != issue_id or not hooks or hooks[0] != "created":
                continue
            copies = [text for text in shown if str(said.comment_id) in _FROM_SENTRY.findall(text)]
            if said.text and not copies:
                yield f"comment {said.comment_id} never reached {work_item_id}"
            if not hooks[-1]:
                continue  # What became of it last, nobody told.
            if said.text and copies and said.text not in copies[0]:
                yield f"comment {said.comment_id} was edited, and {work_item_id} shows {copies[0]}"
            if not said.text and copies:
                yield f"comment {said.comment_id} was deleted, and is on {work_item_id}"


def _comments_in_sentry(people: People) -> Iterator[str]:
    taken = people.comments_taken_in_ado()
    for issue_id, work_item_id in people.links:
        with people.pair.sentry.issues.lock:
            shown = [each.text for each in people.pair.sentry.issues.comments(issue_id)]
        times = Counter(number for text in shown for number in set(_FROM_ADO.findall(text)))
        yield from (
            f"comment {number} is {each} times on issue {issue_id}"
            for number, each in times.items()
            if each > 1
        )
        if any(_FROM_SENTRY.search(text) for text in shown):
            yield f"a comment of Sentry came back to issue {issue_id}"
        for comment_id, ends in people.said_in_ado.items():
            if ends == (issue_id, work_item_id) and comment_id in taken and str(comment_id) not in times:
                yield f"comment {comment_id} of {work_item_id} never reached issue {issue_id}"


def _created(people: People) -> Iterator[str]:
    pair = people.pair
    links = Counter(str(each["issue_id"]) for each in pair.links())
    with pair.ado.lock:
        made = [each for each in pair.ado.work_items.all() if each.revisions[0].by == pair.ado.service]
    shown = Counter(
        relation.url.rstrip("/").rpartition("/")[2]
        for item in made
        for relation in item.relations
        if relation.is_hyperlink
    )
    for issue_id in people.unlinked:
        if shown[issue_id] > 1:
            yield f"{shown[issue_id]} work items were created for issue {issue_id}"
        if links[issue_id] != shown[issue_id]:
            yield f"issue {issue_id} has {links[issue_id]} links, and {shown[issue_id]} items made for it"
        if issue_id in people.rules_taken() and not links[issue_id]:
            yield f"a rule fired for issue {issue_id}, and nothing came of it"
    if len(made) > len(people.unlinked):
        yield f"{len(made)} work items were created for {len(people.unlinked)} issues"


def _shown(people: People) -> Iterator[str]:
    """Say which link is not shown once on its work item and on its issue's page, or which parted one is."""
    pair = people.pair
    linked = {(str(each["issue_id"]), int(each["work_item_id"])) for each in pair.links()}
    for issue_id, work_item_id in {*linked, *people.movable}:
        wanted = int((issue_id, work_item_id) in linked)
        marks = [
            relation
            for relation in pair.ado.item(work_item_id).relations
            if relation.is_hyperlink
            and relation.url.rstrip("/").rpartition("/")[2] == issue_id
            and relation.attributes.get("comment") in {str(Mark.LINKED), str(Mark.CREATED)}
        ]
        if len(marks) != wanted:
            yield f"{work_item_id} shows issue {issue_id} {len(marks)} times, not {wanted}"
        entries = [
            each
            for each in pair.sentry.external_issues(issue_id)
            if int(each["webUrl"].rpartition("/")[2]) == work_item_id
        ]
        if len(entries) != wanted:
            yield f"issue {issue_id} shows {work_item_id} {len(entries)} times, not {wanted}"
