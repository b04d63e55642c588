"""Services echo our credentials: nothing of them gets into an error, a log, a row, a message, an answer."""

import base64
import html
import itertools
import json
import logging
import re
import textwrap
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, unquote

import azure.functions as func
import pytest
import requests
import responses
from msgspec.structs import replace

from functions import (
    activity,
    health,
    inbound_sync,
    issue_links,
    org_config,
    outbound_sync,
    reconcile,
    search,
    sentry_components,
)
from shared.ado.client import AdoClient
from shared.ado.comments import add_comment, delete_comment, edit_comment, find_comment_with, get_comment
from shared.ado.creation import NewWorkItem, create_work_item, find_created, patch_for
from shared.ado.location import find_base_url
from shared.domain.errors import SyncError
from shared.domain.messages import InboundMessage, Message, OutboundMessage, encode
from shared.domain.model import IssueStatus, Person
from shared.domain.secrecy import spellings_of
from shared.sentry.client import SentryClient
from shared.sentry.hook import sign
from shared.services import Services
from shared.settings import Settings
from tests.doubles.services import MemoryServices
from tests.unit.scene import ISSUE, ITEM, SLUG, Scene

PAT = "q7xW9zk4-ado-pat+of/somebody"
TOKEN = "sntryi_Zm9vYmFyYmF6-token"
CLIENT_SECRET = "client-secret-of-sentry"
ENVIRONMENT = {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true;AccountKey=a2V5LW9mLXN0b3JhZ2U=",
    "ADO_WEBHOOK_SECRET": "secret-of-hooks",
    "SENTRY_CLIENT_SECRET": CLIENT_SECRET,
    "ADO_PAT": "pat-of-everybody",
    "ADO_PAT__FABRIKAM": PAT,
    "SENTRY_TOKEN": TOKEN,
}
# Every whole spelling, and the beginnings that would show if somebody cut before cleaning.
NEVER = [*spellings_of([PAT, TOKEN, CLIENT_SECRET, "secret-of-hooks"]), PAT[:12], TOKEN[:14]]

STATUSES = [200, 400, 403, 404, 409, 412, 500]
Echo = Callable[[str], str]


def _decoded(header: str) -> str:
    kind, _, parameter = header.partition(" ")
    return base64.b64decode(parameter).decode().removeprefix(":") if kind == "Basic" else parameter


def _by_number(text: str, form: str) -> str:
    """Return a text whose marks are written by their numbers."""
    return "".join(each if each.isalnum() else form.format(ord(each)) for each in text)


ECHOES: dict[str, Echo] = {
    "header": lambda header: header,
    "parameter": lambda header: header.partition(" ")[2],
    "decoded": _decoded,
    "quoted": lambda header: quote(header, safe=""),
    "decoded-quoted": lambda header: quote(_decoded(header), safe=""),
    "encoded": lambda header: base64.b64encode(_decoded(header).encode()).decode(),
    "far": lambda header: f"{'y' * 285} {_decoded(header)}",
    "capitals": lambda header: _decoded(header).upper(),
    "HTML": lambda header: _by_number(_decoded(header), "&#{};"),
    "HTML-encoded": lambda header: _by_number(header, "&#{};"),
    "quoted-twice": lambda header: quote(quote(_decoded(header), safe=""), safe=""),
    "wrapped": lambda header: "\r\n".join(textwrap.wrap(header.partition(" ")[2], 7)),
    "JSON-in-JSON": lambda header: _by_number(_decoded(header), "\\u{:04X}"),
    "settings": lambda header: f"{CLIENT_SECRET} secret-of-hooks {PAT} {TOKEN}",
}


class Wired(MemoryServices):
    """Tables and queues in memory, and the real clients of both services."""

    ado = Services.ado
    ado_at_once = Services.ado_at_once
    sentry = Services.sentry


def answer_with(echo: str) -> dict[str, Any]:
    """Return something that each reader finds its own part of, the echo everywhere that text may be."""
    return {
        "id": ITEM,
        "rev": 9,
        "message": echo,
        "detail": echo,
        "name": echo,
        "title": echo,
        "status": echo,
        "url": f"https://dev.azure.com/fabrikam/11111111-1111-1111-1111-111111111111/_apis/{echo}",
        "locationUrl": f"https://{echo}/",
        "fields": {"System.State": echo, "System.WorkItemType": echo, "System.Title": echo},
        "value": [{"id": ITEM, "name": echo, "fields": {"System.State": echo}}],
        "workItems": [{"id": echo}],
        "results": [{"fields": {"system.id": str(ITEM), "system.title": echo}}],
        echo: [echo],
    }


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def services(scene: Scene) -> Wired:
    wired = Wired(scene.ado, scene.sentry, lambda: scene.now, Settings.from_environ(ENVIRONMENT))
    wired._named, wired._tokens = scene.services._named, itertools.count(1)
    scene.configure(sync_comments=True)
    return wired


@pytest.fixture(params=itertools.product(STATUSES, ECHOES), ids=lambda case: f"{case[0]}-{case[1]}")
def echoing(request: pytest.FixtureRequest) -> Iterator[responses.RequestsMock]:
    status, name = request.param

    def answer(asked: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        header = str(asked.headers.get("Authorization", "Bearer nobody-at-all"))
        return status, {}, json.dumps(answer_with(ECHOES[name](header)))

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in ("GET", "POST", "PUT", "PATCH"):
            mock.add_callback(method, re.compile("https://.*"), answer, content_type="application/json")
        yield mock


def clean(text: str, where: str) -> None:
    read = unquote(unquote(re.sub(r"\\+u00(..)", lambda code: chr(int(code[1], 16)), html.unescape(text))))
    for shown in (text.lower(), read.lower(), re.sub(r"\s|\\+[rn]", "", read).lower()):
        for each in NEVER:
            assert each.lower() not in shown, f"{where}: {text}"


CALLS: list[Callable[[AdoClient, SentryClient], Any]] = [
    lambda ado, _: ado.instance_id(),
    lambda _, sentry: sentry.organization_id(),
    lambda ado, _: ado.get_work_item(ITEM),
    lambda ado, _: ado.find_work_items([ITEM]),
    lambda ado, _: ado.get_revisions("813;350;1"),
    lambda ado, _: ado.find_project_ids(["Web"]),
    lambda ado, _: ado.update_work_item(ITEM, 1, state="Closed", assignee=None),
    lambda ado, _: ado.get_work_item_types("Web"),
    lambda ado, _: ado.creatable_types("Web"),
    lambda ado, _: ado.get_project("Web"),
    lambda ado, _: list(ado.projects()),
    lambda ado, _: ado.places("Web", "areas"),
    lambda ado, _: patch_for(ado, NewWorkItem("Web", "Bug", "t", "d")),
    lambda ado, _: create_work_item(ado, NewWorkItem("Web", "Bug", "t", "d"), []),
    lambda ado, _: find_created(ado, "https://sentry.io/".__eq__, 0.0),
    lambda ado, _: add_comment(ado, "Web", ITEM, "text"),
    lambda ado, _: find_comment_with(ado, "Web", ITEM, "https://sentry.io/"),
    lambda ado, _: edit_comment(ado, "Web", ITEM, 7, "text"),
    lambda ado, _: delete_comment(ado, "Web", ITEM, 7),
    lambda ado, _: get_comment(ado, "Web", ITEM, 7),
    lambda _, sentry: sentry.get_issue(ISSUE),
    lambda _, sentry: sentry.find_issues([ISSUE, "200"]),
    lambda _, sentry: sentry.set_status(ISSUE, IssueStatus.RESOLVED),
    lambda _, sentry: sentry.set_assignee(ISSUE, Person("ann@corp.example")),
    lambda _, sentry: sentry.set_assignee(ISSUE, None),
    lambda _, sentry: sentry.get_comment(ISSUE, "501"),
    lambda _, sentry: sentry.find_comment(ISSUE, "https://dev.azure.com/"),
    lambda _, sentry: sentry.add_comment(ISSUE, "text"),
    lambda _, sentry: sentry.latest_event(ISSUE),
]


def test_no_error_and_no_value_holds_any(
    echoing: responses.RequestsMock, services: Wired, scene: Scene
) -> None:
    ado, sentry = services.ado_at_once(scene.organization), services.sentry(scene.organization)
    for place, call in enumerate(CALLS):
        services.end_refusals(SLUG)
        try:
            clean(repr(call(ado, sentry)), f"the value of call {place}")
        except SyncError as error:
            for text in (str(error), repr(error), error.detail, error.quoted, error.told):
                clean(text, f"call {place}")
            clean("".join(traceback.format_exception(error)), f"the traceback of call {place}")
        except (ValueError, TypeError, AttributeError, LookupError) as bug:
            pytest.fail(f"call {place} let an odd answer through: {bug!r}")
    with pytest.raises(SyncError) as raised:
        find_base_url(services._session, "https://areas.example", "account", services.settings.addresses)
    clean("".join(traceback.format_exception(raised.value)), "the look-up")


def request(method: str, body: Any = b"", /, *, params: dict[str, str] | None = None, **route: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = sign(b"" if method == "GET" else content, CLIENT_SECRET).decode()
    return func.HttpRequest(
        method,
        "/",
        headers={"Sentry-App-Signature": signature},
        params=params or {},
        route_params={"organization": SLUG, **route},
        body=content,
    )


FORM = {"project": "Web", "work_item_type": "Bug", "title": "t", "work_item": str(ITEM)}
OPTIONS = ("projects", "work-items", "work-item-types", "areas", "iterations")


def answers(services: Wired) -> Iterator[func.HttpResponse]:
    words = {"field": "externalIssue", "query": "login"}
    yield search.handle(request("GET", params=words), services)
    yield search.handle(request("GET", params={**words, "query": "31"}), services)
    yield org_config.handle(request("GET"), services)
    for issue_id in (ISSUE, "200"):
        yield issue_links.handle(request("POST", {"issue_id": issue_id, "work_item_id": 32}), services)
    yield issue_links.handle(request("POST", [{"issue_id": "200", "work_item_id": 32}]), services)
    yield reconcile.handle(request("POST"), services)
    yield reconcile.handle(request("POST", {"issue_id": ISSUE, "work_item_id": ITEM}), services)
    for name in OPTIONS:
        chosen = {"dependentData": json.dumps({"project": "Web"}), "query": "x"}
        yield sentry_components.handle(request("GET", params=chosen, area="options", name=name), services)
    for name in ("link", "create"):
        submitted = {"fields": FORM, "issueId": ISSUE}
        yield sentry_components.handle(request("POST", submitted, area="issue-link", name=name), services)
    yield issue_links.handle(request("GET"), services)
    yield activity.handle(request("GET", issue_id=ISSUE, work_item_id=str(ITEM)), services)
    yield health.handle(request("GET"), services)


def work_off(services: Wired, handle: Callable[[Any, Any], None], message: Message) -> None:
    """Handle a message as the host does, which prints what is raised."""
    try:
        handle(func.QueueMessage(body=encode(message)), services)
    except SyncError as error:
        clean("".join(traceback.format_exception(error)), "what the host prints")


def test_no_log_row_message_or_answer_holds_any(
    echoing: responses.RequestsMock, services: Wired, scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    moved = replace(scene.ado.item(ITEM), rev=9, state="Closed")
    for message in (InboundMessage(SLUG, ITEM, 9), InboundMessage(SLUG, ITEM, 9, snapshot=moved)):
        services.end_refusals(SLUG)
        work_off(services, inbound_sync.handle, message)
    for outbound in (OutboundMessage(SLUG, ISSUE), OutboundMessage(SLUG, ISSUE, "501")):
        services.end_refusals(SLUG)
        work_off(services, outbound_sync.handle, outbound)
    reconcile.handle_timer(services)
    for response in answers(services):
        services.end_refusals(SLUG)
        clean(response.get_body().decode(), "an answer")
        clean(repr(dict(response.headers)), "the headers of an answer")
        assert response.status_code != 500, "an odd answer is no bug of ours"
    for table in services._named.values():
        for row in (row for rows in table._rows.values() for row in rows.values()):  # type: ignore[attr-defined]  # it is the double
            clean(row.key + row.text, "a row")
    for queue in (services.inbound, services.outbound):
        for number in queue.visible():
            clean(queue.receive_one(number).body.decode(), "a message")
    ours = [record for record in caplog.records if not record.name.startswith("urllib3")]
    formatter = logging.Formatter()
    clean("\n".join(formatter.format(record) for record in ours), "the log")
    assert not any(record.message == "outcome=bug" for record in ours)
