"""What people do, and what happens to the services around us, as one table of actions."""

import dataclasses
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import azure.functions as func
import msgspec
from msgspec.structs import replace

from functions import org_config, reconcile
from shared.domain.comments import InboundComments
from shared.domain.configuration import Configuration, DoneWhen, ProjectMapping
from shared.domain.errors import NotFound, Refused
from shared.domain.model import Category, Side
from shared.flows.copying import copy_one
from shared.flows.linking import link, unlink
from shared.services import Services
from shared.store.keys import escaped, number
from shared.store.tables import Delete, Replace
from tests.simulation.forms import Form
from tests.simulation.host import MESSAGES_COUNT_FOR
from tests.simulation.laws import Law
from tests.simulation.places import HERE, MOVED, SPELLED_OTHERWISE, THERE
from tests.simulation.rules import rules_of
from tests.simulation.schedule import Action

if TYPE_CHECKING:
    from tests.simulation.world import World, WorldServices

_NOTHING: Mapping[str, str] = {}
UNREADABLE = '{"of": "another version"}'
_ADDRESSES = {"here": HERE, "spelled-otherwise": SPELLED_OTHERWISE, "moved": MOVED, "there": THERE}
_STORED_ANSWERS = frozenset({200, 201, 204, 400, 404, 409, 412, 428, 502, 503})


class People:
    """``meant_to_keep`` says whether anybody called another address the same place under a new name.

    ``all_was_announced`` says whether hooks told of all that was done since the last rest.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self.meant_to_keep = False
        self.all_was_announced = True
        self._comments = 0
        form = Form(world)
        self._table: dict[str, Callable[[Action], None]] = {
            "resolve": self._change_issue,
            "unresolve": self._change_issue,
            "archive": self._change_issue,
            "regress": self._change_issue,
            "assign-issue": self._change_issue,
            "set-state": self._change_item,
            "assign-item": self._change_item,
            "rename": self._change_item,
            "comment": self._comment,
            "edit-comment": self._edit_comment,
            "delete-comment": self._delete_comment,
            "comment-item": self._comment_item,
            "edit-item-comment": self._edit_item_comment,
            "delete-item-comment": self._delete_item_comment,
            "fire": self._fire,
            "merge": self._merge,
            "delete-issue": lambda action: world.sentry.delete(action.issue),
            "delete-item": self._delete_item,
            "restore-item": self._restore_item,
            "restore-backup": self._restore_backup,
            "join": self._join,
            "disable-type": lambda action: self._disable_type(action.item),
            "restrict": self._restrict,
            "new-state": lambda _: self._list_states(frozenset()),
            "know-states": lambda _: self._list_states(frozenset()),
            "forget-state": lambda action: self._list_states(frozenset({action.value})),
            "configure": lambda action: self._store(self.configured(action.value)),
            "repoint": self._repoint,
            "disconnect": lambda _: self._ask("DELETE"),
            "connect": self._connect,
            "edit-there": self._edit_there,
            "link": self._link,
            "unlink": self._unlink,
            "copy": self._copy,
            "form-link": form.link,
            "form-create": form.create,
            "form-again": form.again,
            "remove-entry": form.remove_entry,
            "reconcile": lambda _: world.start("reconciler", reconcile.handle_timer),
            "wait": lambda action: world.wait(float(action.value)),
            "pass": lambda action: world.let_pass(float(action.value)),
            "rest": lambda _: world.come_to_rest(),
            "calm": lambda _: None,
            "outage": self._begin_outage,
            "lose-tokens": self._lose_tokens,
            "refuse-feed": self._refuse_feed,
            "lag": self._lag,
            "forbid": self._keep_from,
            "garble": self._keep_from,
            "allow": self._allow,
            "damage": self._damage,
            "mend": self._mend,
        }

    def do(self, action: Action) -> None:
        world = self._world
        world.say("person", " ".join(str(each) for each in vars(action).values() if each))
        if action.what in {"merge", "delete-issue"}:
            self.all_was_announced = False
        if action.what not in _LEAVES_ALL_ALONE:
            world.unheard.upset(world.now + world.ado.revision_log.lag)
        if action.what not in _LEAVES_LINKS_ALONE:
            world.witness.something_else_happened(joined=action.what == "join")
        try:
            self._table[action.what](action)
        except (NotFound, Refused, ValueError):
            world.say("person", "… cannot")

    # Edits

    def _change_issue(self, action: Action) -> None:
        sentry = self._world.sentry
        before = sentry.get_issue(action.issue)
        issue_id = before.issue_id
        if action.what != "assign-issue":
            getattr(sentry, action.what)(issue_id)
        elif action.value == "team":
            sentry.assign_team(issue_id, "frontend")
        elif action.value:
            sentry.assign(issue_id, action.value)
        else:
            sentry.unassign(issue_id)
        self._world.witness.person_changed_issue(before, sentry.get_issue(issue_id))

    def _change_item(self, action: Action) -> None:
        ado = self._world.ado
        before = ado.get_work_item(action.item)
        if action.what == "rename":
            after = ado.edit(action.item, **{"System.Title": f"Title {before.rev}"})
        else:
            name = "System.AssignedTo" if action.what == "assign-item" else "System.State"
            state, _, reason = action.value.partition(":")
            why = {"System.Reason": reason} if reason else {}
            after = ado.edit(action.item, **{name: state}, **why)
        self._world.witness.person_changed_item(before, after)

    def _comment(self, action: Action) -> None:
        issue = self._world.sentry.get_issue(action.issue)
        text = f"Seen again {self._number()}"
        comment_id = self._world.sentry.comment(issue.issue_id, text)
        self._world.witness.comments.said(comment_id, issue.issue_id, text)

    def _edit_comment(self, action: Action) -> None:
        """Edit the latest comment of a person on the issue, as far as there is one."""
        issue_id = self._world.sentry.get_issue(action.issue).issue_id
        if comment_id := self._latest_comment(issue_id):
            text = f"Seen again {self._number()}"
            self._world.sentry.edit_comment(comment_id, text)
            self._world.witness.comments.edited(comment_id, issue_id, text)

    def _delete_comment(self, action: Action) -> None:
        issue_id = self._world.sentry.get_issue(action.issue).issue_id
        if comment_id := self._latest_comment(issue_id):
            self._world.sentry.delete_comment(comment_id)
            self._world.witness.comments.taken_away(comment_id, issue_id)

    def _latest_comment(self, issue_id: str) -> str | None:
        return max(self._world.sentry.comments_of_people(issue_id), key=int, default=None)

    def _comment_item(self, action: Action) -> None:
        text = f"<div>Seen there {self._number()}</div>"
        comment_id = self._world.ado.comment(action.item, text)
        self._world.witness.comments.said_in_ado(comment_id, action.item, text)

    def _edit_item_comment(self, action: Action) -> None:
        """Edit a comment in Azure DevOps, of which nobody hears."""
        ado = self._world.ado
        for comment_id in ado.comments_of_people(action.item)[-1:]:
            ado.edit_comment(action.item, comment_id, f"<div>Seen there {self._number()}</div>")

    def _delete_item_comment(self, action: Action) -> None:
        ado = self._world.ado
        for comment_id in ado.comments_of_people(action.item)[-1:]:
            ado.delete_comment(action.item, comment_id)

    def _number(self) -> str:
        """Return the next of many numbers, none of which begins with another one."""
        self._comments += 1
        return f"{self._comments:03d}"

    def _fire(self, action: Action) -> None:
        """Let an event happen for which one rule fires, or for which all of them do at once."""
        sentry = self._world.sentry
        sentry.rules = [each for each in rules_of(self._world.ado) if action.value in {"", each.name}]
        sentry.fire_rules(action.issue)

    def _edit_there(self, action: Action) -> None:
        """Somebody of the other organization edits their own work item, numbered like one of ours."""
        ado = self._world.places[THERE].ado
        before = ado.get_work_item(action.item)
        after = ado.edit(action.item, **{"System.State": action.value})
        if ado is self._world.ado:
            self._world.witness.person_changed_item(before, after)

    # Ends that come and go

    def _merge(self, action: Action) -> None:
        issues = self._world.schedule.issues
        into = issues[(issues.index(action.issue) + 1) % len(issues)]
        self._world.sentry.merge(action.issue, into=into)
        self._world.witness.facts.survivors.add(self._world.sentry.get_issue(into).issue_id)
        self._world.witness.something_else_changed()

    def _delete_item(self, action: Action) -> None:
        self._world.ado.delete(action.item)
        self._world.witness.comments.deleted(action.item)

    def _restore_item(self, action: Action) -> None:
        if self._world.ado.is_deleted(action.item):
            self._world.ado.restore(action.item)

    def _restore_backup(self, action: Action) -> None:
        ado, witness = self._world.ado, self._world.witness
        before = ado.get_work_item(action.item)
        if before.rev < 2:
            raise ValueError("there is nothing to go back to")
        rev = before.rev - before.rev // 2
        witness.facts.forget_after(action.item, rev)
        after = ado.restore_backup(action.item, rev)
        self._world.host.untold.add(action.item)
        # What is on its way tells of revisions that are no more; the look an hour later makes up for it.
        self._world.host.lost_until = self._world.now + 2 * MESSAGES_COUNT_FOR
        witness.person_changed_item(before, after)

    def _join(self, _action: Action) -> None:
        self._world.sentry.add_member("carol@corp.example")
        self._world.ado.add_person("Dave", "dave@corp.example")
        self._world.witness.something_else_changed()

    def _disable_type(self, work_item_id: int) -> None:
        """Somebody forbids new work items of this one's type; those there are live on."""
        kind, project = self._world.schedule.kind_of(work_item_id)
        self._world.ado.disable_type(project, kind)

    def _restrict(self, action: Action) -> None:
        """Somebody draws a workflow: a few moves out of each state, and none but these."""
        kind, project = self._world.schedule.kind_of(action.item)
        names = [each.name for each in self._world.ado.catalog.project(project).type(kind).states]
        chance = random.Random(action.value)
        moves = {
            each: tuple(chance.sample(names, chance.randint(0, 2))) for each in names if chance.random() < 0.9
        }
        self._world.ado.restrict(project, kind, moves)

    def _list_states(self, unlisted: frozenset[str]) -> None:
        facts, ado = self._world.witness.facts, self._world.ado
        facts.listed_at |= dict.fromkeys(ado.unlisted - unlisted, self._world.now)
        ado.unlisted = unlisted
        facts.forgotten |= unlisted

    # Links

    def _link(self, action: Action) -> None:
        initial = cast("Any", action.value or None)

        def work(services: "WorldServices") -> None:
            link(services, services.organizations.get(self._world.slug), action.issue, action.item, initial)

        for place in self._world.places.values():
            self._world.witness.connections.asked_for(place.organization, action.item)
        self._world.start("link", work)

    def _unlink(self, action: Action) -> None:
        def work(services: "WorldServices") -> None:
            organization = services.organizations.get(self._world.slug)
            try:
                unlink(services, organization, action.issue, action.item)
            finally:
                self._world.witness.forms.unlinked(action.issue, action.item)

        self._world.start("unlink", work)

    def _copy(self, action: Action) -> None:
        """Have one side of a link copied over to the other, whatever stands there."""

        def work(services: "WorldServices") -> None:
            self._world.current.copies = action.value
            organization = services.organizations.get(self._world.slug)
            copy_one(services, organization, action.issue, action.item, Side(action.value))

        self._world.start("copy", work)

    # The document

    def _store(
        self,
        configuration: Configuration,
        params: Mapping[str, str] = _NOTHING,
        headers: Mapping[str, str] = _NOTHING,
    ) -> None:
        whatever = {"If-Match": "*"} if self._world.organization() else {}
        self._ask("PUT", msgspec.json.encode(configuration), params, {**whatever, **headers})

    def _repoint(self, action: Action) -> None:
        where, choice = action.value.split()
        address, current = _ADDRESSES[where], self._world.organization()
        if choice == "keep" and (current is None or self._world.places[address].ado is not self._world.ado):
            raise ValueError("it is not the same place")
        self.meant_to_keep |= choice == "keep"
        params = {} if choice == "refuse" else {"links": choice}
        headers = {"If-Match": current.version} if current and choice == "keep" else {}
        self._store(replace(self._world.configuration(), ado_url=address), params, headers)

    def _connect(self, action: Action) -> None:
        self._store(replace(self._world.configuration(), ado_url=_ADDRESSES[action.value]))

    def _ask(
        self,
        method: str,
        body: bytes = b"",
        params: Mapping[str, str] = _NOTHING,
        headers: Mapping[str, str] = _NOTHING,
    ) -> None:
        request = func.HttpRequest(
            method=method,
            url="/api/",
            headers=headers,
            params=params,
            route_params={"organization": self._world.slug},
            body=body,
        )

        def work(services: Services) -> None:
            status = org_config.handle(request, services).status_code
            self._world.say(self._world.current.name, f"answers {status}")
            if status not in _STORED_ANSWERS:
                self._world.witness.against(Law.APART, f"{method} of the document was answered with {status}")

        self._world.start("configuring", work)

    def configured(self, setting: str) -> Configuration:
        """Return the document with one more setting."""
        configuration = self._world.configuration()
        name, _, value = setting.partition("=")
        if name == "on_conflict":
            return replace(configuration, on_conflict=Side(value))
        if name == "done":
            return replace(configuration, done_categories=tuple(Category(each) for each in value.split(",")))
        if name == "mapping":
            project = self._world.ado.catalog.project("CMMI Works").id
            mapping = ProjectMapping(on_resolve="Resolved", on_unresolve="Active")
            return replace(configuration, status_mapping={project: mapping} if value == "on" else {})
        if name == "archive_reasons":
            return replace(configuration, archive_reasons=(value,) if value else ())
        if name == "on_archive":
            project = self._world.ado.catalog.project("Fabrikam-Fiber").id
            mapping = ProjectMapping(on_archive=value or None)
            return replace(configuration, status_mapping={project: mapping})
        if name == "done_when":
            return replace(configuration, done_when=DoneWhen(value))
        if name == "sync_comments_reverse":
            return replace(configuration, sync_comments_reverse=InboundComments(value))
        return replace(configuration, **{name: value == "on"})

    # What goes wrong

    def _begin_outage(self, action: Action) -> None:
        service, how, lasts = action.value.split()
        self._world.outages.begin(service, how, self._world.now, float(lasts))

    def _lose_tokens(self, action: Action) -> None:
        """The feed knows none of its tokens any more, and answers them with the status ``value``."""
        ado = self._world.ado
        ado.feed_modes = dataclasses.replace(ado.feed_modes, lost_token=int(action.value))
        ado.revision_log.forget_tokens()

    def _refuse_feed(self, action: Action) -> None:
        """The feed is refused from now on with the status ``value``, or allowed again."""
        ado = self._world.ado
        ado.feed_modes = dataclasses.replace(ado.feed_modes, refusal=int(action.value) or None)

    def _lag(self, action: Action) -> None:
        """The feed shows a revision that many seconds after it was written."""
        self._world.ado.revision_log.lag = float(action.value)

    def _keep_from(self, action: Action) -> None:
        self._world.witness.facts.bad[_end_of(action)] = action.what

    def _allow(self, action: Action) -> None:
        self._world.witness.facts.bad.pop(_end_of(action), None)

    def _damage(self, action: Action) -> None:
        table, partition, key = self._row_of(action)
        self._world.plain[table].apply(partition, Replace(key, UNREADABLE, None))
        self._world.witness.passed_over((action.issue, action.item) if action.value == "link" else None)

    def _mend(self, action: Action) -> None:
        table, partition, key = self._row_of(action)
        with suppress(NotFound):
            self._world.plain[table].apply(partition, Delete(key))
        if action.value == "link":
            with suppress(NotFound):
                issue_key = f"issue!{escaped(action.issue)}!{number(action.item)}"
                self._world.plain[table].apply(partition, Delete(issue_key))

    def _row_of(self, action: Action) -> tuple[str, str, str]:
        """Return the table, the partition and the key of a row that somebody writes over or makes up."""
        links, item = self._world.partition(), number(action.item)
        return {
            "link": ("links", links, f"item!{item}!{escaped(action.issue)}"),
            "issue": ("links", links, f"issue!{escaped(action.issue)}!no-number"),
            "deed": ("links", links, f"deed!comment-1-on-{action.item}"),
            "activity": ("activity", links, f"{item}!{escaped(action.issue)}!no-moment"),
            "progress": ("organizations", "progress", links),
            "refusals": ("organizations", "refusals", f"{self._world.slug}!ado"),
            "document": ("organizations", "organizations", "zeta"),
        }[action.value]


# After these there is nothing new to be found.
_LEAVES_ALL_ALONE = frozenset({"reconcile", "wait", "pass", "rest", "calm"})
# After these a link does what it does because of an edit, and for nothing else.
_LEAVES_LINKS_ALONE = frozenset(
    {
        "resolve",
        "unresolve",
        "archive",
        "regress",
        "assign-issue",
        "set-state",
        "assign-item",
        "rename",
        "comment",
        "edit-comment",
        "delete-comment",
        "comment-item",
        "edit-item-comment",
        "delete-item-comment",
        "lose-tokens",
        "refuse-feed",
        "lag",
        *_LEAVES_ALL_ALONE,
    }
)


def _end_of(action: Action) -> str:
    return f"issue {action.issue}" if action.issue else f"item {action.item}"
