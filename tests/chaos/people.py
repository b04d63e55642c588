"""What people do in the storm, on both sides at once, and what of it the app has said that it took."""

import json
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.e2e.app import Pair

PEOPLE = ("ann@corp.example", "bob@corp.example")
STATES = ("New", "Active", "Resolved", "Closed")
DUPLICATE = "Duplicate"
RULES = ("New errors", "Many users", "Regressions")
# How often each is done. Edits are the most of it.
_WEIGHTS = {
    "state": 5,
    "assigned-to": 4,
    "status": 5,
    "assign": 3,
    "unassign": 2,
    "title": 3,
    "duplicate": 2,
    "regress": 2,
    "comment": 4,
    "edit-comment": 2,
    "delete-comment": 1,
    "comment-item": 4,
    "edit-item-comment": 1,
    "fire": 4,
    "link-or-unlink": 3,
}


@dataclass
class Said:
    """A comment that a person made in Sentry; ``text`` is what it says now, "" once it is deleted."""

    comment_id: int
    issue_id: str
    text: str


@dataclass
class People:
    """``links`` are edited and commented on, ``movable`` linked and parted; rules fire for all ``issues``."""

    pair: Pair
    chance: random.Random
    links: list[tuple[str, int]]
    movable: list[tuple[str, int]]
    unlinked: list[str]
    done: Counter[str] = field(default_factory=Counter)
    silent: set[str] = field(default_factory=set)
    said: dict[int, Said] = field(default_factory=dict)
    said_in_ado: dict[int, tuple[str, int]] = field(default_factory=dict)

    def do_something(self) -> None:
        what = self.chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        self.done[what] += 1
        issue_id, work_item_id = self.chance.choice(self.links)
        sentry, ado = self.pair.sentry, self.pair.ado
        match what:
            case "state":
                ado.edit(work_item_id, **{"System.State": self.chance.choice(STATES)})
            case "duplicate":
                ado.edit(work_item_id, **{"System.State": "Closed", "System.Reason": DUPLICATE})
            case "assigned-to":
                ado.edit(work_item_id, **{"System.AssignedTo": self.chance.choice((*PEOPLE, ""))})
            case "title":
                ado.edit(work_item_id, **{"System.Title": f"Title {self.chance.random()}"})
            case "status":
                self._set_status(issue_id)
            case "assign":
                sentry.assign(issue_id, self.chance.choice(PEOPLE))
                self.silent.discard(issue_id)
            case "unassign":
                # Sentry quirk: nothing is sent when an issue is unassigned.
                sentry.unassign(issue_id)
                self.silent.add(issue_id)
            case "regress":
                sentry.regress(issue_id, release="web@1.4.0", environment="production")
            case "fire":
                sentry.fire_rules(self.chance.choice(self.unlinked))
            case "link-or-unlink":
                self._link_or_unlink(*self.chance.choice(self.movable))
            case _:
                self._say(what, issue_id, work_item_id)

    def _set_status(self, issue_id: str) -> None:
        # Sentry quirk: nothing is sent when an issue is taken out of the archive.
        was_archived = self.pair.status(issue_id) == "ignored"
        self.chance.choice((self.pair.sentry.resolve, self.pair.sentry.unresolve))(issue_id)
        is_silent = was_archived and self.pair.status(issue_id) == "unresolved"
        (self.silent.add if is_silent else self.silent.discard)(issue_id)

    def _say(self, what: str, issue_id: str, work_item_id: int) -> None:
        sentry, ado = self.pair.sentry, self.pair.ado
        number = sum(self.done.values())
        mine = [each for each in self.said.values() if each.issue_id == issue_id and each.text]
        there = [number for number, (_, item) in self.said_in_ado.items() if item == work_item_id]
        match what:
            case "comment":
                text = f"Seen again, {number}."
                comment_id = sentry.comment(issue_id, text, actor=PEOPLE[0])
                self.said[comment_id] = Said(comment_id, issue_id, text)
            case "edit-comment" if mine:
                mine[-1].text = f"Seen again, {number}, edited."
                sentry.edit_comment(mine[-1].comment_id, mine[-1].text, actor=PEOPLE[0])
            case "delete-comment" if mine:
                mine[-1].text = ""
                sentry.delete_comment(mine[-1].comment_id, actor=PEOPLE[0])
            case "comment-item":
                comment_id = ado.comment(work_item_id, f"<div>Seen there, {number}.</div>").id
                self.said_in_ado[comment_id] = issue_id, work_item_id
            case "edit-item-comment" if there:
                ado.edit_comment(work_item_id, there[-1], f"<div>Seen there, {number}, edited.</div>")

    def _link_or_unlink(self, issue_id: str, work_item_id: int) -> None:
        # Whoever is answered by nobody does not know what came of it; the app does.
        with suppress(requests.ConnectionError, requests.Timeout):
            if self.chance.random() < 0.5:
                self.pair.post_link(issue_id, work_item_id)
            else:
                self.pair.ask("DELETE", f"links/{issue_id}/{work_item_id}")

    # What the app has said that it took.

    def acknowledged(self, issue_id: str, work_item_id: int) -> bool:
        """Tell whether the app has accepted news of how both ends stand now."""
        rev = self.pair.ado.item(work_item_id).rev
        announced = any(
            each.http_status in {200, 202} and _is_about(each.body, work_item_id, rev)
            for each in self.pair.ado.deliveries
        )
        deliveries = (each for each in self.pair.sentry.deliveries if each.resource == "issue")
        answers = [each.status for each in deliveries if each.issue_id == issue_id]
        return announced and answers[-1:] == [202] and issue_id not in self.silent

    def comments_taken(self) -> dict[int, list[str]]:
        """Return which of its hooks the app took of each comment, the last one last; "" is one it did not."""
        taken: dict[int, list[str]] = {}
        for each in self.pair.sentry.deliveries:
            if each.resource == "comment":
                comment_id = json.loads(each.body)["data"]["comment_id"]
                taken.setdefault(comment_id, []).append(each.action if each.status == 202 else "")
        return taken

    def comments_taken_in_ado(self) -> set[int]:
        return {
            int(each.body["resource"]["commentVersionRef"]["commentId"])  # type: ignore[index]  # JSON
            for each in self.pair.ado.deliveries
            if each.event_type == "workitem.commented" and each.http_status == 202
        }

    def rules_taken(self) -> set[str]:
        """Return the issues for which a rule fired and the app took it."""
        alerts = (each for each in self.pair.sentry.deliveries if each.resource == "event_alert")
        return {each.issue_id for each in alerts if each.status == 202 and each.issue_id}


def _is_about(body: Mapping[str, Any], work_item_id: int, rev: int) -> bool:
    resource = body["resource"]
    return (resource.get("workItemId"), resource.get("rev")) == (work_item_id, rev)
