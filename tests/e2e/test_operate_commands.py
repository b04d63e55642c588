"""Each command of the operator's, against the app as it is deployed: what it does, prints, and ends with."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from operate.cli import COMMANDS, GROUPS
from shared.version import VERSION
from tests.e2e.app import ADO_TOKEN, SENTRY_TOKEN, App, Pair, eventually
from tests.e2e.operating import Operator, operated, public_app

# Each takes seconds, and there are many; make test-long runs them.
pytestmark = pytest.mark.long

STATE = "System.State"
CAROL = "carol@corp.example"
NAMES = [
    *((name,) for _, name, _ in COMMANDS),
    *((group, name) for _, group, _, commands in GROUPS for name, _ in commands),
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with public_app(tmp_path_factory.mktemp("operate")) as running:
        yield running


@pytest.fixture
def both(app: App) -> Iterator[tuple[Pair, Operator]]:
    with operated(app) as (pair, operator):
        yield pair, operator


# Usage and exit codes.


@pytest.mark.parametrize("name", NAMES, ids=" ".join)
def test_every_command_has_help_with_an_example(app: App, name: tuple[str, ...]) -> None:
    said = Operator(app).run(*name, "--help")
    assert said.code == 0
    assert f"sentry-ado {' '.join(name)}" in said.out
    assert "Example" in said.out
    assert "--org" in said.out


def test_help_lists_the_commands_under_their_headings(app: App) -> None:
    said = Operator(app).run("--help")
    assert said.code == 0
    for heading in ("Set up", "Look", "Mend", "Move"):
        assert heading in said.out
    assert Operator(app).run("--version").out.strip() == VERSION


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense",), "No such command"),
        (("status", "--nonsense"), "No such option"),
        (("links", "-o", "xml"), "xml"),
        (("links", "--apart", "--agree"), "no link is both"),
        (("links", "--attention", "--pending"), "no link is both"),
        (("events", "--since", "yesterday"), "30m, 1h, 7d"),
        (("explain",), "Missing: ISSUE|ITEM"),
        (("explain", "?"), "must be an issue"),
        (("link", "FE-1"), "Missing: ITEM"),
        (("link", "100", "31", "--initial", "both"), "--initial must be ado or sentry"),
        (("copy", "100", "31"), "Missing: --from"),
        (("copy", "100", "31", "--from", "left"), "--from must be ado or sentry"),
        (("unlink", "--attention"), "--yes"),
        (("settings", "edit"), "Missing: KEY"),
        (("settings", "edit", "issue_sync", "maybe"), "issue_sync"),
        (("settings", "apply", "/nowhere.json"), "cannot be read"),
        (("replay", "run"), "Missing: ID"),
        (("replay", "list", "--queue", "both"), "inbound or outbound"),
        (("status", "--org", "nobody"), "nobody"),
        (("hooks", "delete"), "--yes"),
    ],
)
def test_what_cannot_be_meant_ends_with_two(
    both: tuple[Pair, Operator], arguments: tuple[str, ...], said: str
) -> None:
    ended = both[1].run(*arguments)
    assert (ended.code, said in " ".join(ended.all.split())) == (2, True), ended.all
    assert ended.out == "" or "Usage" in ended.out


def test_nothing_is_asked_where_there_is_no_terminal(app: App) -> None:
    nobody = Operator(app)
    assert nobody.run("status", SENTRY_ADO_APP="").code == 2
    assert "--app NAME|URL" in nobody.run("status", SENTRY_ADO_APP="").err
    assert "--key KEY" in nobody.run("status", SENTRY_ADO_KEY="").err
    assert "--org SLUG" in nobody.run("connect", stdin="fabrikam\nyes\n").err


def test_without_an_organization_the_only_one_is_meant(both: tuple[Pair, Operator]) -> None:
    pair, _ = both
    assert Operator(pair.app).run("status", "-o", "json").json["organization"] == pair.slug
    with operated(pair.app) as (other, _):
        said = Operator(pair.app).run("status")
        assert said.code == 2
        assert f"There are: {', '.join(sorted((pair.slug, other.slug)))}." in said.err


@pytest.mark.parametrize(
    ("app_option", "said"),
    [
        ("http://127.0.0.1:9", "nobody answers there"),
        ("https://nowhere.invalid/", "cannot be reached"),
        ("sync-that-is-not-there", "cannot be reached"),
    ],
)
def test_an_app_that_cannot_be_reached_ends_with_three(app: App, app_option: str, said: str) -> None:
    ended = Operator(app, "t").run("status", "--app", app_option)
    assert (ended.code, said in ended.err, ended.out) == (3, True, "")


@pytest.mark.parametrize(
    "app_option", ["http://sync.example/", "https://user:secret@sync.example/", "ftp://a/"]
)
def test_an_address_at_which_no_key_belongs_is_refused(app: App, app_option: str) -> None:
    ended = Operator(app, "t").run("status", "--app", app_option)
    assert ended.code == 2
    assert "secret" not in ended.err


def test_another_service_than_the_app_is_told(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    assert operator.run("doctor", "--app", pair.sentry.url).code == 3


def test_a_key_that_is_not_accepted_ends_with_three(tmp_path: Path) -> None:
    with public_app(tmp_path) as app:
        app.restart(SIMULATOR_FUNCTION_KEY="the-right-one")
        said = Operator(app, "t").run("status")
        assert (said.code, "does not accept this key" in said.err) == (3, True)
        assert Operator(app, "t").run("status", SENTRY_ADO_KEY="the-right-one").code == 2


# Connect.


def test_connect_asks_nothing_that_was_given_and_proves_a_round_trip(app: App) -> None:
    with Pair.beside(app) as pair:
        pair.sentry.webhook_url = f"{app.url}/api/{pair.sentry_route}"
        given = (
            "--org", pair.slug, "--ado-url", pair.ado.organization_url, "--sentry-url", pair.sentry.url,
            "--sentry-organization", pair.sentry.organization, "--yes",
        )  # fmt: skip
        said = Operator(app).run("connect", *given)
        assert said.code == 0, said.all
        assert pair.ask("GET", "config").json()["config"]["ado_url"] == pair.ado.organization_url
        assert len(pair.ado.subscriptions) == 3
        assert "✓ workitem.updated enabled" in said.err
        assert "a test event by" in said.out
        # Once more changes nothing, and is as well.
        again = Operator(app).run("connect", *given, "-o", "json")
        assert (again.code, again.json["problems"], len(pair.ado.subscriptions)) == (0, 0, 3)
        pair.ask("DELETE", "config")


def test_connect_names_what_is_wrong_with_an_answer(app: App) -> None:
    said = Operator(app).run("connect", "--org", "fabrikam", "--ado-url", "ftp://nowhere", "--yes")
    assert said.code == 2
    assert "ado_url" in said.err or "Azure DevOps address" in said.err
    assert app.ask("GET", "organizations/fabrikam/config").status_code == 404
    assert Operator(app).run("connect", "--org", "Not A Slug").code == 2


# Look.


def test_status_tells_what_needs_somebody(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    assert (operator.run("status").code, operator.run("status", "-o", "tsv").rows) == (0, [])
    issue_id, item = pair.linked()
    pair.ado.edit(item, **{"System.AssignedTo": CAROL})
    eventually(lambda: pair.health(issue_id, item)[1] == "assignee-not-found")
    said = operator.run("status")
    assert said.code == 1
    assert CAROL in said.out
    assert "mend: " in said.out
    assert "Links              1 · " in said.out
    assert operator.run("status", "-o", "json").json["links"]["attention"] == 1
    assert [len(row) for row in operator.run("status", "-o", "tsv").rows] == [5]


def test_events_are_listed_and_filtered(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    issue_id, item = pair.linked()
    other, _ = pair.linked()
    pair.sentry.resolve(issue_id)
    pair.settle()
    pair.sentry.resolve(other)
    pair.settle()
    found = operator.run("events", "-o", "json").json["events"]
    assert [each["issue_id"] for each in found if each["outcome"] == "applied"] == [issue_id, other]
    rows = operator.run("events", "--item", str(item), "--since", "1h", "-o", "tsv").rows
    assert {row[4] for row in rows} == {str(item)}
    short_id = pair.sentry.issue(other)["shortId"]
    assert {row[3] for row in operator.run("events", "--issue", short_id, "-o", "tsv").rows} == {other}
    assert len(operator.run("events", "-n", "1", "-o", "tsv").rows) == 1
    assert f"{issue_id} ⇄ #{item}" in operator.run("events").out


def test_links_are_listed_and_filtered(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    issue_id, item = pair.linked()
    other, apart_item = pair.linked()
    pair.sentry.archive(other)
    pair.ado.edit(apart_item, **{STATE: "Closed"})
    pair.settle()
    names = [each["issue_id"] for each in operator.run("links", "-o", "json").json["links"]]
    assert sorted(names) == sorted([issue_id, other])
    [apart] = operator.run("links", "--apart", "-o", "json").json["links"]
    assert apart["issue_id"] == other
    [row] = operator.run("links", "--item", f"#{item}", "-o", "tsv").rows
    assert (row[3], row[6]) == (f"#{item}", "agree")
    assert operator.run("links", "--attention", "-o", "tsv").rows == []
    header, *lines = csv.reader(io.StringIO(operator.run("links", "--csv").out))
    assert (header[0], len(lines)) == ("issue", 2)


def test_a_title_does_nothing_to_a_terminal_or_a_spreadsheet(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    issue_id = pair.sentry.add_issue("TypeError \x1b[2J\x07", announce=False).id
    item = pair.ado.add_item(**{"System.Title": "=cmd|'/c calc'!A1 [red]no markup[/red]"}).id
    pair.link(issue_id, item)
    for arguments in (("links",), ("links", "-o", "tsv"), ("explain", issue_id)):
        assert "\x1b" not in operator.run(*arguments).all
    assert "[red]no markup[/red]" in " ".join(operator.run("links").out.split())
    [_, line] = csv.reader(io.StringIO(operator.run("links", "--csv").out))
    assert line[-1].startswith("'=cmd")


def test_explain_takes_whatever_people_call_it(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    issue_id, item = pair.linked()
    pair.sentry.resolve(issue_id)
    pair.settle()
    short_id = pair.sentry.issue(issue_id)["shortId"]
    url = operator.run("links", "-o", "json").json["links"][0]["url"]
    for name in (short_id, f"AB#{item}", f"#{item}", url, str(item), issue_id):
        said = operator.run("explain", name)
        assert said.code == 0, said.all
        assert f"{short_id} and #{item} are linked. Both sides agree." in said.out
        assert "Next: " in said.out
    assert operator.run("explain", "--item", str(item), "-o", "json").json["work_item"]["id"] == item
    assert operator.run("explain", short_id, "-o", "tsv").rows
    lost = operator.run("explain", "999999")
    assert (lost.code, "never linked" in lost.err) == (1, True)


# Mend.


def test_link_and_unlink_one_pair(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    issue_id, item = pair.sentry.add_issue(announce=False).id, pair.ado.add_item().id
    assert operator.run("link", issue_id, str(item), "--dry-run").code == 0
    assert pair.links() == []
    assert operator.run("link", issue_id, str(item), "--initial", "ado", "-o", "tsv").rows == [
        [issue_id, str(item)]
    ]
    assert operator.run("link", issue_id, str(item)).code == 2
    assert operator.run("unlink", issue_id, str(item), "--dry-run").rows
    assert len(pair.links()) == 1
    assert operator.run("unlink", issue_id, f"#{item}").code == 0
    assert pair.links() == []


def test_link_and_unlink_a_csv(both: tuple[Pair, Operator], tmp_path: Path) -> None:
    pair, operator = both
    pairs = [(pair.sentry.add_issue(announce=False).id, pair.ado.add_item().id) for _ in range(3)]
    file = tmp_path / "links.csv"
    file.write_text(
        "issue_id,work_item_id\n" + "".join(f"{one},{two}\n" for one, two in pairs), encoding="utf-8"
    )
    said = operator.run("link", "--csv", str(file), "-o", "json")
    assert (said.code, {each["outcome"] for each in said.json["links"]}) == (0, {"linked"})
    file.write_text(f"{pairs[0][0]},999999\n", encoding="utf-8")
    assert operator.run("link", "--csv", str(file)).code == 1
    stdin = "".join(f"{one},{two}\n" for one, two in pairs)
    assert operator.run("unlink", "--csv", "-", "--yes", stdin=stdin).code == 0
    assert pair.links() == []


def test_what_a_filter_names_is_unlinked(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    pair.linked()
    issue_id, item = pair.linked()
    pair.ado.edit(item, **{"System.AssignedTo": CAROL})
    eventually(lambda: pair.health(issue_id, item)[1] == "assignee-not-found")
    assert operator.run("unlink", "--reason", "assignee-not-found").code == 2
    assert operator.run("unlink", "--reason", "assignee-not-found", "--yes").code == 0
    assert [each["work_item_id"] for each in pair.links()] != [item]
    assert len(pair.links()) == 1


def test_retry_settles_what_was_mended(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    issue_id, item = pair.linked()
    pair.ado.edit(item, **{"System.AssignedTo": CAROL})
    eventually(lambda: pair.health(issue_id, item)[1] == "assignee-not-found")
    pair.sentry.add_member(CAROL)
    assert operator.run("retry", "--attention").code == 0
    eventually(lambda: pair.issue_assignee(issue_id) == CAROL)
    assert operator.run("retry", issue_id, str(item), "-o", "tsv").rows[0][2] == "settled"
    assert operator.run("retry", "--all").code == 0


def test_copy_makes_both_sides_agree(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    issue_id, item = pair.linked()
    pair.sentry.archive(issue_id)
    pair.ado.edit(item, **{STATE: "Closed"})
    pair.settle()
    assert operator.run("copy", "--apart", "--from", "ado", "--dry-run", "-o", "tsv").rows
    assert pair.status(issue_id) == "ignored"
    assert operator.run("copy", "--apart", "--from", "ado").code == 2
    assert operator.run("copy", "--apart", "--from", "ado", "--yes").code == 0
    eventually(lambda: pair.status(issue_id) == "resolved")


# Hooks.


def test_hooks_are_listed_repaired_and_deleted(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    assert [row[1] for row in operator.run("hooks", "list", "-o", "tsv").rows] == ["enabled"] * 3
    pair.ado.hooks.get(pair.ado.subscriptions[0].id).status = "onProbation"
    assert operator.run("hooks", "repair", "--dry-run").code == 0
    assert operator.run("hooks", "repair", "-o", "json").json["made"] == 1
    assert operator.run("hooks", "delete", "--dry-run").code == 0
    assert len(pair.ado.subscriptions) == 3
    assert operator.run("hooks", "delete", "--yes").code == 0
    assert list(pair.ado.subscriptions) == []
    assert operator.run("hooks", "create").code == 0
    assert len(pair.ado.subscriptions) == 3


def test_without_the_right_to_it_hooks_says_what_to_do_by_hand(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    operator.run("hooks", "delete", "--yes")
    pair.ado.deny("Edit")
    said = operator.run("hooks", "create")
    assert said.code == 1
    assert "curl" in said.out


def test_rotating_the_secret(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    assert "ADO_WEBHOOK_SECRET_PREVIOUS" in operator.run("hooks", "rotate", "--dry-run").err
    before = {each.id for each in pair.ado.subscriptions}
    old, new = "hook-secret", "a-newer-hook-secret"
    pair.app.restart(ADO_WEBHOOK_SECRET=new, ADO_WEBHOOK_SECRET_PREVIOUS=old)
    try:
        said = operator.run("hooks", "rotate", "--yes")
        assert (said.code, new in said.all) == (0, False)
        assert len({each.id for each in pair.ado.subscriptions} - before) == 3
        issue_id, item = pair.linked()
        pair.ado.edit(item, **{STATE: "Closed"})
        eventually(lambda: pair.status(issue_id) == "resolved")
    finally:
        pair.app.restart(ADO_WEBHOOK_SECRET=old, ADO_WEBHOOK_SECRET_PREVIOUS="old-hook-secret")


# Settings.


def config(pair: Pair) -> dict[str, Any]:
    document: dict[str, Any] = pair.ask("GET", "config").json()["config"]
    return document


def test_settings_are_shown_and_edited(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    assert operator.run("settings", "show").json == config(pair)
    assert operator.run("settings", "edit", "issue_sync", "false").code == 0
    assert config(pair)["issue_sync"] is False
    assert (
        operator.run("settings", "edit", "people.ann@corp.example", "ann@home.example", "--dry-run").code == 0
    )
    assert config(pair)["people"] == {}
    assert operator.run("settings", "edit", "people.ann@corp.example", "ann@home.example").code == 0
    assert config(pair)["people"] == {"ann@corp.example": "ann@home.example"}
    assert operator.run("settings", "edit", "people.ann@corp.example", "null").code == 0
    assert config(pair)["people"] == {}
    assert "nothing was changed" in operator.run("settings", "edit", "issue_sync", "false").err


def test_a_document_is_compared_and_applied(both: tuple[Pair, Operator], tmp_path: Path) -> None:
    pair, operator = both
    file = tmp_path / "document.json"
    file.write_text(operator.run("settings", "show").out, encoding="utf-8")
    assert operator.run("settings", "diff", str(file)).code == 0
    file.write_text(json.dumps({**config(pair), "on_conflict": "sentry"}), encoding="utf-8")
    said = operator.run("settings", "diff", str(file), "-o", "json")
    assert (said.code, said.json) == (1, [{"path": "on_conflict", "now": "ado", "then": "sentry"}])
    assert operator.run("settings", "apply", str(file)).code == 2
    assert operator.run("settings", "apply", str(file), "--dry-run").code == 0
    assert config(pair)["on_conflict"] == "ado"
    assert operator.run("settings", "apply", str(file), "--yes").code == 0
    assert config(pair)["on_conflict"] == "sentry"


def test_what_if_names_the_links_that_would_read_differently(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    issue_id, item = pair.linked()
    pair.sentry.resolve(issue_id)
    pair.settle()
    said = operator.run("settings", "what-if", 'done_categories=["Resolved"]', "-o", "json")
    assert said.code == 1
    [found] = said.json
    assert (found["work_item_id"], found["now"], found["then"]) == (item, "resolved", "unresolved")
    assert config(pair)["done_categories"] == ["Resolved", "Completed"]
    assert operator.run("settings", "what-if", "issue_sync=true").code == 0
    said = operator.run("settings", "what-if", "issue_sync=false")
    assert said.code == 1
    assert "Nothing that changes on either side would be carried over." in said.all


def test_what_if_knows_why_work_items_are_done_and_writes_nothing(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    (_, duplicate), _ = pair.linked(), pair.linked()
    pair.ado.edit(duplicate, **{"System.State": "Closed", "System.Reason": "Duplicate"})
    pair.settle()
    before, links = config(pair), pair.links()
    with pair.calls() as calls:
        said = operator.run("settings", "what-if", 'archive_reasons=["duplicate"]', "-o", "json")
    assert said.code == 1
    [found] = said.json
    assert (found["work_item_id"], found["now"], found["then"]) == (duplicate, "resolved", "ignored")
    assert {call.split()[0] for call in (*calls.ado, *calls.sentry)} == {"GET"}
    said = operator.run("settings", "what-if", "resolve_in=next_release")
    assert (
        "would be resolved in the next release, not now; now, where its project has no releases" in said.err
    )
    project = pair.ado.project_id("Fabrikam-Fiber")
    create = {project: {"Bug": {"tags": "sentry"}}}
    said = operator.run("settings", "what-if", f"create={json.dumps(create)}")
    assert (said.code, "A new Bug of Fabrikam-Fiber would get tags = sentry." in said.err) == (1, True)
    wrong = {project: {"Bug": {"fields": {"Custom.Nothing": "1"}}}}
    assert "is no field of Bug" in operator.run("settings", "what-if", f"create={json.dumps(wrong)}").all
    assert (config(pair), pair.links()) == (before, links)


# Move.


def test_what_was_exported_is_imported(both: tuple[Pair, Operator], tmp_path: Path) -> None:
    pair, operator = both
    issue_id, item = pair.linked()
    pair.linked()
    assert operator.run("export", str(tmp_path), "-o", "json").json["count"] == 2
    first = {each.name: each.read_text() for each in tmp_path.iterdir()}
    operator.run("export", str(tmp_path))
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == first
    assert not any(secret in text for text in first.values() for secret in (ADO_TOKEN, SENTRY_TOKEN))
    assert operator.run("import", str(tmp_path), "--dry-run").code == 0
    pair.ask("DELETE", f"links/{issue_id}/{item}")
    operator.run("settings", "edit", "issue_sync", "false")
    said = operator.run("import", str(tmp_path), "--dry-run", "-o", "tsv")
    assert said.code == 1
    assert said.rows == [["change", "issue_sync", "false", "true"], ["link", issue_id, "", str(item)]]
    assert operator.run("import", str(tmp_path)).code == 2
    assert operator.run("import", str(tmp_path), "--yes").code == 0
    assert (len(pair.links()), config(pair)["issue_sync"]) == (2, True)


def test_an_import_connects_what_is_not_there(both: tuple[Pair, Operator], tmp_path: Path) -> None:
    pair, operator = both
    pair.linked()
    operator.run("export", str(tmp_path))
    pair.ask("DELETE", "config")
    said = operator.run("import", str(tmp_path), "--yes")
    assert said.code == 0, said.all
    assert len(pair.links()) == 1


# Replay.


def test_poisoned_messages_are_listed_with_their_reasons_replayed_and_discarded(
    both: tuple[Pair, Operator],
) -> None:
    pair, operator = both
    issue_id, item = pair.linked()
    pair.sentry.webhook_url = None
    pair.sentry.resolve(issue_id)
    message = {"organization": pair.slug, "issue_id": issue_id, "epoch": pair.organization.epoch}
    pair.app.poison("outbound-sync", json.dumps(message).encode())
    pair.app.poison("inbound-sync", b"\xff not a message")
    said = operator.run("replay", "list", "-o", "json", SENTRY_ADO_ORG="")
    assert said.code == 1
    found = {each["queue"]: each for each in said.json["messages"]}
    assert (found["outbound-sync"]["organization"], found["outbound-sync"]["about"]) == (pair.slug, issue_id)
    assert (found["outbound-sync"]["reason"], found["inbound-sync"]["reason"]) == ("cured", "unreadable")
    assert operator.run("replay", "run", "not-an-id", "--yes").code == 2
    assert operator.run("replay", "run", "--about", issue_id).code == 2
    assert operator.run("replay", "run", "--about", issue_id, "--dry-run").code == 0
    assert operator.run("replay", "run", found["outbound-sync"]["id"], "--yes").code == 0
    eventually(lambda: pair.state(item) == "Closed")
    rest = operator.run(
        "replay", "discard", "--reason", "unreadable", "--yes", "-o", "tsv", SENTRY_ADO_ORG=""
    )
    assert (rest.code, rest.rows[0][-1]) == (0, "discarded")
    assert operator.run("replay", "list", SENTRY_ADO_ORG="").code == 0


def test_storage_that_cannot_be_reached_ends_with_three(app: App) -> None:
    dead = (
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=c2VjcmV0LWtleQ==;"
        "QueueEndpoint=http://127.0.0.1:9/a;TableEndpoint=http://127.0.0.1:9/a;"
    )
    said = Operator(app).run("replay", "list", AzureWebJobsStorage=dead)
    assert (said.code, "c2VjcmV0" in said.all) == (3, False)
    assert Operator(app).run("replay", "list", AzureWebJobsStorage="").code == 2
