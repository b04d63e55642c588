"""``adopt``, ``rebuild`` and ``back-link``, against the app as it is deployed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.app import App, Pair
from tests.e2e.operating import Operator, operated, public_app
from tests.e2e.test_taking_over import wipe


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with public_app(tmp_path_factory.mktemp("operate")) as running:
        yield running


@pytest.fixture
def both(app: App) -> Iterator[tuple[Pair, Operator]]:
    with operated(app) as (pair, operator):
        yield pair, operator


def pairs(pair: Pair) -> list[tuple[str, int]]:
    return sorted((each["issue_id"], each["work_item_id"]) for each in pair.links())


def test_adopt_shows_what_it_would_do_and_names_the_switches(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    issue_id, item = pair.sentry.add_issue(announce=False).id, pair.ado.add_item().id
    pair.sentry.link_by_integration(issue_id, item)
    dry = operator.run("adopt", "--dry-run", "-o", "tsv")
    assert dry.rows == [[issue_id, str(item), "would-link"]]
    assert "Sync Azure DevOps Status to Sentry" in dry.err
    assert pair.links() == []
    assert operator.run("adopt").code == 2  # nobody can be asked
    assert operator.run("adopt", "--yes", "-o", "tsv").rows == [[issue_id, str(item), "linked"]]
    assert pairs(pair) == [(issue_id, item)]


def test_links_come_back_by_one_command(both: tuple[Pair, Operator], tmp_path: Path) -> None:
    pair, operator = both
    linked = pair.linked()
    assert operator.run("back-link", "-o", "tsv").rows == [["1"]]
    pair.settle()
    document = tmp_path / "document.json"
    document.write_text(json.dumps(pair.document(back_links=True)), encoding="utf-8")
    wipe(pair)
    said = operator.run("rebuild", "--org", pair.slug, "--document", str(document), "--yes", "-o", "tsv")
    assert said.code == 0, said.err
    assert pairs(pair) == [linked]
