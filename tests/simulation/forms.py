"""Sentry's form as people fill it in, and what Sentry makes of the answer."""

from typing import TYPE_CHECKING, Any

import azure.functions as func
import msgspec

from functions import sentry_components
from functions.sentry_components import SIGNATURE_HEADER
from shared.domain.model import ExternalIssue
from shared.sentry.hook import sign
from tests.doubles.sentry import OUR_APP
from tests.doubles.services import SENTRY_SECRET
from tests.simulation.host import SLUG
from tests.simulation.laws import Law
from tests.simulation.schedule import Action

if TYPE_CHECKING:
    from tests.simulation.world import World, WorldServices

# What Sentry lets an answer take before it tells the person that there was none.
_SENTRY_WAITS = 30.0  # seconds


class Form:
    """``link`` and ``create`` are its two buttons; ``again`` presses the last one once more."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._last: tuple[str, str, bytes, str] | None = None

    def create(self, action: Action) -> None:
        project = self._world.ado.catalog.project("Fabrikam-Fiber")
        title = self._world.sentry.get_issue(action.issue).title
        fields = {"project": project.id, "work_item_type": action.value or "Bug", "title": title}
        self._fill_in("create", action.issue, fields)

    def link(self, action: Action) -> None:
        fields: dict[str, Any] = {"work_item": str(action.item)}
        if action.value:
            fields["initial"] = action.value
        for place in self._world.places.values():
            self._world.witness.connections.asked_for(place.organization, action.item)
        self._fill_in("link", action.issue, fields)

    def again(self, _action: Action) -> None:
        """Send what was sent last once more, as whoever had no answer does."""
        if self._last is None:
            raise ValueError("nothing was sent yet")
        self._send(*self._last)

    def remove_entry(self, action: Action) -> None:
        """Remove the entry on an issue's page; nobody is told."""
        issue_id = self._world.sentry.get_issue(action.issue).issue_id
        self._world.sentry.take_off_page(issue_id)
        self._world.witness.forms.removed(issue_id)

    def _fill_in(self, button: str, issue_id: str, fields: dict[str, Any]) -> None:
        # The page of an issue that was merged shows the one that it became.
        issue_id = self._world.sentry.get_issue(issue_id).issue_id
        body = msgspec.json.encode({"fields": fields, "issueId": int(issue_id)})
        self._last = button, issue_id, body, fields.get("initial", "")
        self._send(*self._last)

    def _send(self, button: str, issue_id: str, body: bytes, copies: str) -> None:
        request = func.HttpRequest(
            method="POST",
            url="/api/",
            headers={SIGNATURE_HEADER: sign(body, SENTRY_SECRET).decode()},
            route_params={"organization": SLUG, "area": "issue-link", "name": button},
            body=body,
        )
        world = self._world

        def work(services: "WorldServices") -> None:
            task = world.current
            task.about, task.copies = issue_id, copies
            sent = world.witness.forms.sent(issue_id, body)
            response = sentry_components.handle(request, services)
            world.say(task.name, f"answers {response.status_code}")
            if response.status_code == 200:
                told = msgspec.json.decode(response.get_body())
                world.witness.forms.acknowledged(sent, int(told["identifier"]))
                if world.now - task.since <= _SENTRY_WAITS:
                    self._show(issue_id, told)
            elif response.status_code == 500:
                world.witness.against(Law.FORM, f"the form's {button} was answered with 500")

        world.start("form", work)

    def _show(self, issue_id: str, told: dict[str, str]) -> None:
        """Store the answer as Sentry does, for the issue that the form was opened on."""
        issue = self._world.witness.facts.find_issue(issue_id)
        if issue is not None:
            name = f"{told['project']}#{told['identifier']}"
            entry = ExternalIssue(f"e{issue.issue_id}", OUR_APP, name, told["webUrl"])
            self._world.sentry.show_on_page(issue.issue_id, entry)
