"""A house of its own: old servers, and a certificate authority that nobody else knows."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from simulator.azurite import Azurite
from simulator.certificate import Authority
from simulator.front import TlsFront
from tests.e2e.app import SECRETS, App, Pair, eventually

FABRIKAM = "Fabrikam-Fiber"


@pytest.fixture
def server_2020(app: App) -> Iterator[Pair]:
    with Pair.beside(app, is_server=True, newest_version=6.1) as pair:
        yield pair.connect(sync_comments=True)
        pair.ask("DELETE", "config")
    app.clear()


# Servers of older versions.


def test_all_that_is_done_with_a_server_of_2020_works(server_2020: Pair) -> None:
    pair = server_2020
    issue_id, work_item_id = pair.linked()
    pair.ado.edit(work_item_id, **{"System.AssignedTo": "ann@corp.example"})
    pair.settle()
    assert pair.issue_assignee(issue_id) == "ann@corp.example"
    pair.sentry.resolve(issue_id)
    pair.sentry.comment(issue_id, "fixed")
    pair.settle()
    eventually(lambda: pair.state(work_item_id) == "Closed")
    eventually(lambda: pair.ado.item(work_item_id).comments)
    pair.ado.index.reindex()
    query = {"field": "externalIssue", "query": "login"}
    assert [each["value"] for each in pair.ask("GET", "search", params=query).json()] == [str(work_item_id)]
    fields = {"project": pair.ado.project_id(FABRIKAM), "work_item_type": "Bug", "title": "From the form"}
    new = pair.sentry.add_issue(announce=False).id
    pair.sentry.submit(f"/api/sentry/{pair.slug}/issue-link/create", new, fields)
    assert len(pair.links()) == 2
    config = pair.ask("GET", "config", params={"project": FABRIKAM}).json()
    [mapping] = [each for each in config["fields"] if each["name"] == "status_mapping"]
    assert not mapping["disabled"]
    assert pair.ask("POST", "reconcile").status_code == 202
    pair.settle()
    with pair.ado.lock:
        assert [each for each in pair.ado.calls if each.http_status == 400] == []


@pytest.mark.parametrize("newest", [5.1, 4.1])
def test_an_older_server_is_named_with_its_cure(app: App, newest: float) -> None:
    with Pair.beside(app, is_server=True, newest_version=newest) as pair:
        pair.configure()
        answer = pair.post_link(pair.sentry.add_issue(announce=False).id, pair.ado.add_item().id)
        pair.ask("DELETE", "config")
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    for said in ("version 6.0", str(newest), "Azure DevOps Server 2020"):
        assert said in answer.json()["detail"]


# An authority of the house.


class House:
    """Both services behind TLS, with certificates of the house's own authority."""

    def __init__(self, folder: Path, open_one: ExitStack) -> None:
        self.authority = Authority(folder)
        self._folder = folder
        self._open = open_one

    def app(self, **environ: str) -> Pair:
        """Start an app, and put both services behind a front."""
        azurite = self._open.enter_context(Azurite())
        log = self._folder / f"host-{len(list(self._folder.iterdir()))}.log"
        app = App(log, {**SECRETS, **environ}, storage=azurite.connection_string)
        return self._open.enter_context(Pair.beside(self._open.enter_context(app), is_server=True))

    def document(self, pair: Pair) -> dict[str, Any]:
        certificate = self.authority.issue("127.0.0.1")
        ado, sentry = (
            self._open.enter_context(TlsFront(url, certificate)).url()
            for url in (pair.ado.url, pair.sentry.url)
        )
        moved: Callable[[str], str] = lambda url: url.replace(pair.ado.url, ado)  # noqa: E731
        return pair.document(
            ado_url=moved(pair.ado.organization_url),
            ado_search_url=moved(pair.ado.search_url),
            sentry_url=sentry,
        )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as open_one:
        yield House(tmp_path, open_one)


def test_both_services_are_trusted_by_an_authority_of_the_house(house: House) -> None:
    pair = house.app(REQUESTS_CA_BUNDLE=str(house.authority.path))
    assert pair.ask("PUT", "config", json=house.document(pair)).status_code == 201
    issue_id, work_item_id = pair.linked()
    pair.sentry.resolve(issue_id)
    answer = pair.ask("POST", "reconcile", json={"issue_id": issue_id, "work_item_id": work_item_id})
    assert answer.json() == {"outcome": "applied"}
    assert pair.state(work_item_id) == "Closed"
    assert pair.app.ask("GET", "health").json()["status"] == "ok"


@pytest.mark.parametrize(
    "named", ["", *(pytest.param(each, marks=pytest.mark.long) for each in ("nowhere.pem", "empty.pem"))]
)
def test_without_it_the_certificate_is_named_with_its_cure(house: House, tmp_path: Path, named: str) -> None:
    (tmp_path / "empty.pem").write_text("no certificate", encoding="utf-8")
    pair = house.app(**({"REQUESTS_CA_BUNDLE": str(tmp_path / named)} if named else {}))
    assert pair.ask("PUT", "config", json=house.document(pair)).status_code == 201
    answer = pair.post_link(pair.sentry.add_issue(announce=False).id, pair.ado.add_item().id)
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    for said in ("the certificate of 127.0.0.1", "authority", "REQUESTS_CA_BUNDLE"):
        assert said in answer.json()["detail"]
    problems = pair.app.ask("GET", "health").json()["problems"]
    assert any(each.startswith("REQUESTS_CA_BUNDLE names a file") for each in problems) is bool(named)
