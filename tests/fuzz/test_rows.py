"""The tables as a parser: any row may be damaged, and whatever is read beside it goes on."""

import json
import logging
from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions import (
    activity,
    ado_webhook,
    copy_link,
    doctor,
    events,
    explain,
    health,
    hook_watchdog,
    inbound_sync,
    issue_links,
    org_config,
    organizations,
    outbound_sync,
    reconcile,
    sentry_components,
    sentry_webhook,
    status,
)
from shared.domain.configuration import Configuration
from shared.domain.errors import SyncError
from shared.domain.messages import InboundMessage, Message, OutboundMessage, encode
from shared.domain.model import IssueStatus, Side
from shared.flows.linking import link
from shared.sentry.hook import sign
from shared.settings import Settings
from shared.store.idempotency import comment_of, creation_of
from shared.store.submissions import Submission
from shared.store.tables import LARGEST_TEXT, Replace
from tests.doubles.ado import BASE_URL
from tests.doubles.services import ADO_SECRET, KNOWN, SENTRY_SECRET, SETTINGS
from tests.fuzz.conftest import fuzzed
from tests.fuzz.damage import TEXTS, body_like, odd
from tests.fuzz.oracle import bounded
from tests.unit.scene import ISSUE, ITEM, SLUG, STATE, Scene
from tests.unit.workers import Workers

OTHER, OTHERS_ISSUE, OTHERS_ITEM = "other", "300", 33
Row = tuple[str, str, str]


class Lived(Scene):
    """A scene in which every store has written: two links, a rotation, an examination, refusals, traffic."""

    def __init__(self) -> None:
        super().__init__()
        services = self.services
        services.settings = Settings({**SETTINGS.environment, **PREVIOUS})
        services._ado, services._sentry = self.ado, self.sentry
        self.link("200", 32)
        other = services.organizations.add(OTHER, Configuration(ado_url=BASE_URL, back_links=False), KNOWN)
        self.ado.add_item("Fix logout", OTHERS_ITEM)
        self.sentry.add_issue(issue_id=OTHERS_ISSUE)
        link(services, other, OTHERS_ISSUE, OTHERS_ITEM, None)
        self.inbound(self.ado.edit(ITEM, **{STATE: "Closed"}))
        services.submissions.add(SLUG, "signature", Submission(self.now, ISSUE, ITEM))
        services.idempotency.note(SLUG, comment_of("501", ITEM), "commented")
        services.idempotency.claim(SLUG, creation_of("200"), self.now)
        services.foreign.note(SLUG)
        services.ledger.count_nobodys("nobody", Side.ADO)
        services.scopes.announce_end(f"{SLUG}=gone")
        services.rotations.left_over(["ADO_WEBHOOK_SECRET_PREVIOUS"], self.now)
        self.run_timers()
        for handle in (doctor.handle, events.handle):
            self.ask(handle)
        # What a service accepts later takes them away.
        services.organizations.note_refusal(SLUG, "sentry")
        services.forbidden.note(SLUG, "ado", "item 31")

    def run_timers(self) -> None:
        reconcile.handle_timer(self.services)
        hook_watchdog.handle_timer(self.services)

    def rows(self) -> list[Row]:
        """Return table, partition and key of each row that is not only the other organization's."""
        found = [
            (name, partition, key)
            for name, table in self.services._named.items()
            for partition, rows in table._rows.items()  # type: ignore[attr-defined]  # it is the double
            for key in rows
        ]
        return sorted(each for each in found if OTHER not in each)

    def ask(self, handle: Any, method: str = "GET", content: Any = None, **route: str) -> func.HttpResponse:
        body = b"" if content is None else json.dumps(content).encode()
        signature = sign(b"" if method == "GET" else body, SENTRY_SECRET).decode()
        request = func.HttpRequest(
            method,
            "/",
            headers={
                "Shared-Secret": ADO_SECRET,
                "Sentry-Hook-Resource": "issue",
                "Sentry-Hook-Signature": signature,
                "Sentry-App-Signature": signature,
                "If-Match": "*",
            },
            params={},
            route_params={"organization": SLUG, **route},
            body=body,
        )
        answer: func.HttpResponse = handle(request, self.services)
        assert answer.status_code < 500 or answer.status_code in {502, 503}, answer.get_body()
        answer.get_body().decode()
        return answer

    def work(self, handle: Callable[[Any, Any], None], message: Message) -> None:
        """Handle a message as a worker does: an error of ours gives it back to the queue."""
        try:
            handle(func.QueueMessage(body=encode(message)), self.services)
        except SyncError:
            return


PREVIOUS = {"ADO_WEBHOOK_SECRET_PREVIOUS": "the-secret-of-last-year"}
ONE = {"issue_id": ISSUE, "work_item_id": str(ITEM)}
HOOK = {"action": "resolved", "data": {"issue": {"id": ISSUE}}}
FORM = {"issueId": 200, "fields": {"project": "Fabrikam-Fiber", "work_item": str(ITEM)}}

OPERATIONS: dict[str, Callable[[Lived], object]] = {
    "links": lambda scene: scene.ask(issue_links.handle),
    "one link": lambda scene: scene.ask(issue_links.handle, **ONE),
    "link": lambda scene: scene.ask(issue_links.handle, "POST", {"issue_id": "200", "work_item_id": ITEM}),
    "unlink": lambda scene: scene.ask(issue_links.handle, "DELETE", **ONE),
    "activity": lambda scene: scene.ask(activity.handle, **ONE),
    "copy": lambda scene: scene.ask(copy_link.handle, "POST", {"from": "ado"}, **ONE),
    "copy all": lambda scene: scene.ask(issue_links.handle, "POST", {"from": "ado"}, issue_id="copy"),
    "explain": lambda scene: scene.ask(explain.handle),
    "status": lambda scene: scene.ask(status.handle),
    "events": lambda scene: scene.ask(events.handle),
    "organizations": lambda scene: scene.ask(organizations.handle),
    "doctor": lambda scene: scene.ask(doctor.handle),
    "health": lambda scene: scene.ask(health.handle),
    "hooks": lambda scene: scene.ask(hook_watchdog.handle),
    "look after hooks": lambda scene: scene.ask(hook_watchdog.handle, "POST"),
    "config": lambda scene: scene.ask(org_config.handle),
    "patch": lambda scene: scene.ask(org_config.handle, "PATCH", {"on_conflict": "sentry"}),
    "put": lambda scene: scene.ask(org_config.handle, "PUT", {"ado_url": BASE_URL}),
    "reconcile": lambda scene: scene.ask(reconcile.handle, "POST"),
    "reconcile one": lambda scene: scene.ask(reconcile.handle, "POST", {**ONE}),
    "ado hook": lambda scene: scene.ask(ado_webhook.handle, "POST", {"eventType": "workitem.updated"}),
    "sentry hook": lambda scene: scene.ask(sentry_webhook.handle, "POST", HOOK),
    "form": lambda scene: scene.ask(sentry_components.handle, "POST", FORM, area="issue-link", name="link"),
    "inbound": lambda scene: scene.work(inbound_sync.handle, InboundMessage(SLUG, ITEM, 9)),
    "outbound": lambda scene: scene.work(outbound_sync.handle, OutboundMessage(SLUG, ISSUE)),
    "outbound, two": lambda scene: scene.work(outbound_sync.handle, OutboundMessage(SLUG, "200")),
    "timers": lambda scene: scene.run_timers(),
}
ROWS = Lived().rows()
TEXTS_OF = {
    (name, partition, key): table._rows[partition][key].text  # type: ignore[attr-defined]  # it is the double
    for scene in [Lived()]
    for name, table in scene.services._named.items()
    for partition in table._rows  # type: ignore[attr-defined]
    for key in table._rows[partition]  # type: ignore[attr-defined]
}


def texts_like(text: str) -> st.SearchStrategy[str]:
    """Return what a text may have become: of another type, of the same type and odd, or no JSON at all."""
    try:
        value = json.loads(text)
    except ValueError:
        return TEXTS
    broken = body_like(value).map(lambda body: body.decode("utf-8", "replace")[:LARGEST_TEXT])
    return st.one_of(odd(value).map(json.dumps), odd(value).flatmap(odd).map(json.dumps), broken)


@fuzzed
@given(data=st.data())
def test_a_damaged_row_stops_nobody_else(data: st.DataObject, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    caplog.set_level(logging.INFO)
    scene = Lived()
    for _ in range(data.draw(st.integers(1, 2))):
        table, partition, key = data.draw(st.sampled_from(ROWS))
        where = data.draw(st.just(key) | st.sampled_from([f"{key}!", f"{key}x", f"x{key}", key[:-1], "!"]))
        text = data.draw(texts_like(TEXTS_OF.get((table, partition, key), "")))
        scene.services._table(table).apply(partition, Replace(where, text, None))
    chosen = data.draw(st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=4, max_size=9))
    with bounded():
        for name in chosen:
            OPERATIONS[name](scene)
        scene.ado.edit(OTHERS_ITEM, **{STATE: "Closed"})
        Workers(scene).live(900.0)
    assert scene.sentry.get_issue(OTHERS_ISSUE).status is IssueStatus.RESOLVED
    assert "outcome=bug" not in caplog.text
    caplog.text.encode()


def test_every_store_has_rows_to_damage() -> None:
    kept = {(table, partition) for table, partition, _ in ROWS}
    partitions = ("examined", "forbidden", "foreign", "hooks", "over", "progress", "refusals", "rotations")
    assert kept >= {("organizations", each) for each in ("organizations", *partitions)}
    assert kept >= {("traffic", SLUG), ("traffic", "=nobodys"), ("activity", SLUG)}
    assert {key.partition("!")[0] for table, _, key in ROWS if table == "links"} >= {
        "item",
        "issue",
        "deed",
        "seen",
    }
