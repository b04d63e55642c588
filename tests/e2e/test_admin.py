"""The admin page in a real browser: what an administrator does there, what a stranger's texts cannot do."""

import dataclasses
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from selenium.common.exceptions import JavascriptException
from selenium.webdriver.common.keys import Keys

from simulator.ado.processes import BASIC
from tests.e2e.app import SECRETS, App, Pair, eventually
from tests.e2e.browser import Browser, missing

KEY = "a/function+key=="
FABRIKAM = "Fabrikam-Fiber"
STATE = "System.State"
NARROW = 400
MARKUP = "<img src=x onerror=alert(1)>"
SWITCHES = [
    "Sync issues and work items",
    "Sync Sentry status to Azure DevOps",
    "Sync Sentry assignment to Azure DevOps",
    "Sync Sentry comments to Azure DevOps",
    "Sync Azure DevOps state to Sentry",
    "Sync Azure DevOps assignment to Sentry",
]
COMMENTS = SWITCHES[3]


@pytest.fixture(scope="module")
def keyed(app: App, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A second host on the same storage, which demands a key and leaves the queues to the first."""
    log = tmp_path_factory.mktemp("keyed") / "host.log"
    names = ("inbound_sync", "outbound_sync")
    own = {f"AzureWebJobs.{name}.Disabled": "true" for name in names} | {"SIMULATOR_FUNCTION_KEY": KEY}
    with App(log, {**SECRETS, **own}, storage=app.storage) as running:
        yield running


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if reason := missing():
        pytest.skip(reason)
    with Browser.started(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


class Page:
    """The admin page of a test's own organization."""

    def __init__(self, browser: Browser, keyed: App, pair: Pair) -> None:
        self.browser = browser
        self.pair = pair
        self.url = f"{keyed.url}/api/organizations/{pair.slug}/admin"

    def open(self, *, width: int = 1100) -> Browser:
        self.browser.open(f"{self.url}?code={KEY.replace('+', '%2B')}", width=width)
        eventually(lambda: self.browser.find("#save"))
        return self.browser

    def saved(self) -> None:
        self.browser.press("Save")
        self.browser.read("Saved.")

    @property
    def config(self) -> dict[str, object]:
        config: dict[str, object] = self.pair.ask("GET", "config").json()["config"]
        return config

    def project(self, name: str = FABRIKAM) -> str:
        """Return the selector of a mapped project's card."""
        return f'fieldset[data-path="status_mapping.{self.pair.ado.project_id(name)}"]'


@pytest.fixture
def page(chromium: Browser, keyed: App, pair: Pair) -> Iterator[Page]:
    """Whatever a test does there, the browser has nothing to complain of and asks nobody but the app."""
    page = Page(chromium, keyed, pair)
    yield page
    assert chromium.dialog() is None
    assert chromium.complaints() == []
    assert chromium.hosts_asked() <= {urlsplit(keyed.url).netloc}


@pytest.fixture
def connected(page: Page) -> Page:
    page.pair.connect()
    return page


def problem(browser: Browser, label: str, *, inside: str = "") -> str:
    """Return what is said to be wrong with a control, where assistive technology finds it."""
    control = browser.control(label, inside=inside)
    assert control.get_attribute("aria-invalid") == "true"
    last = str(control.get_attribute("aria-describedby")).split()[-1]
    return str(browser.run("return document.getElementById(arguments[0]).textContent", last))


# The answer.


def test_the_page_is_the_same_for_everybody_and_runs_nothing_but_its_own_script(pair: Pair) -> None:
    answers = [pair.app.ask("GET", f"organizations/{slug}/admin") for slug in (pair.slug, "nobody-yet")]
    assert answers[0].status_code == 200
    assert answers[0].content == answers[1].content
    headers = answers[0].headers
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(each.split(" ", 1) for each in headers["Content-Security-Policy"].split("; "))
    for name in ("script-src", "style-src"):
        assert policy.pop(name).startswith("'sha256-")
    assert policy == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


@pytest.mark.parametrize("slug", ["Fabrikam", "-a", "a" * 64, "a_b", "%3Cimg%3E"])
def test_what_no_organization_can_be_called_has_no_page(pair: Pair, slug: str) -> None:
    answer = pair.app.ask("GET", f"organizations/{slug}/admin")
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown-organization")


def test_a_stranger_does_not_get_the_page(keyed: App, pair: Pair) -> None:
    assert keyed.ask("GET", f"organizations/{pair.slug}/admin").status_code == 401


# The key.


def test_the_key_is_gone_from_the_address_and_is_kept_nowhere(connected: Page) -> None:
    browser = connected.open()
    browser.read("No links.")
    assert browser.address == connected.url
    assert KEY not in browser.source
    assert "code=" not in browser.source
    assert browser.run("return localStorage.length + sessionStorage.length + document.cookie.length") == 0


def test_a_key_is_asked_for_until_it_is_the_right_one(connected: Page) -> None:
    browser = connected.browser
    # As behind a proxy that adds the key, and then no longer does.
    with browser.sending({"x-functions-key": KEY}):
        browser.open(connected.url)
        browser.read("No links.")
    browser.press("Refresh")
    browser.read("The app asks for a function key")
    browser.type("wrong", Keys.ENTER)
    browser.read("The key was not accepted.")
    browser.fill("Function key", KEY)
    browser.press("Use this key")
    eventually(lambda: browser.find("dialog") is None)
    browser.read("No links.")
    connected.saved()
    assert KEY not in browser.source


def test_a_key_may_be_refused(connected: Page) -> None:
    browser = connected.browser
    with browser.sending({"x-functions-key": KEY}):
        browser.open(connected.url)
        browser.read("No links.")
    browser.press(COMMENTS)
    browser.press("Save")
    browser.read("The app asks for a function key")
    browser.type(Keys.ESCAPE)
    eventually(lambda: browser.find("dialog") is None)
    browser.read("The app asks for a function key.")
    assert browser.control(COMMENTS).is_selected()


# The document.


def test_a_new_organization_is_connected(page: Page) -> None:
    browser = page.open()
    browser.read("Connect a new organization")
    assert browser.find("#links") is None
    browser.fill("Azure DevOps address", page.pair.ado.organization_url)
    browser.fill("Sentry address", page.pair.sentry.url)
    browser.fill("Sentry organization", "acme")
    browser.press("Connect")
    browser.read("Connected.")
    browser.read("No links.")
    stored = page.config
    assert (stored["ado_url"], stored["sentry_organization"]) == (page.pair.ado.organization_url, "acme")


def test_every_error_is_at_its_field_and_the_first_has_the_focus(page: Page) -> None:
    browser = page.open()
    browser.fill("Azure DevOps address", "ftp://example.com")
    browser.fill("Sentry address", "nowhere")
    browser.press("Connect")
    browser.read("Nothing was saved: correct 2 errors.")
    assert "https" in problem(browser, "Azure DevOps address")
    assert problem(browser, "Sentry address")
    assert browser.focused == browser.control("Azure DevOps address")
    assert page.pair.ask("GET", "config").status_code == 404


def test_an_error_goes_away_once_it_was_put_right(page: Page) -> None:
    browser = page.open()
    browser.press("Connect")
    browser.read("Nothing was saved: correct one error.")
    browser.fill("Azure DevOps address", page.pair.ado.organization_url)
    browser.press("Connect")
    browser.read("Connected.")
    assert browser.find("[aria-invalid], .error") is None


def test_the_switches_stand_in_the_order_of_the_fields_with_their_help(connected: Page) -> None:
    browser = connected.open()
    assert [each.text for each in browser.find_all(".switch label")] == SWITCHES
    browser.read("A comment on an issue is added to the discussion of its work items.")


def test_a_switch_is_saved(connected: Page) -> None:
    browser = connected.open()
    before = connected.config
    browser.press(COMMENTS)
    browser.read("Not saved yet.")
    connected.saved()
    assert connected.config == {**before, "sync_comments": True}
    assert connected.open().control(COMMENTS).is_selected()


def test_a_switch_that_is_out_of_order_says_why_until_the_reason_is_gone(connected: Page) -> None:
    connected.pair.configure(issue_sync=False)
    browser = connected.open()
    browser.read("Issue sync is switched off for this organization")
    assert not browser.control(COMMENTS).is_enabled()
    browser.press(SWITCHES[0])
    browser.press(COMMENTS)
    connected.saved()
    assert (connected.config["issue_sync"], connected.config["sync_comments"]) == (True, True)


def test_categories_and_the_winner_of_a_conflict_are_chosen(connected: Page) -> None:
    browser = connected.open()
    browser.press("Resolved", inside='[data-path="done_categories"]')
    browser.press("Sentry wins")
    browser.press("with the first of them")
    connected.saved()
    assert (connected.config["done_categories"], connected.config["on_conflict"]) == (["Completed"], "sentry")
    assert connected.config["done_when"] == "any"


def test_an_error_of_a_group_is_shown_in_it(connected: Page) -> None:
    browser = connected.open()
    for category in ("Resolved", "Completed"):
        browser.press(category, inside='[data-path="done_categories"]')
    browser.press("Save")
    browser.read("Must name at least one category")
    assert browser.focused == browser.control("Resolved", inside='[data-path="done_categories"]')


# States.


def test_a_project_and_one_of_its_types_are_mapped(connected: Page) -> None:
    browser = connected.open()
    browser.choose("Choose the states of another project", FABRIKAM)
    browser.press("Add project")
    card = connected.project()
    bug = f'{card} details[data-path$=".types.Bug"]'
    browser.choose("When resolved, set", "Closed (Completed)", inside=card)
    assert browser.focused == browser.control("When resolved, set", inside=card)
    browser.choose("When unresolved, set", "Active (In progress)", inside=card)
    browser.press("Bug as in the project", inside=card)
    browser.choose("When resolved, set", "Resolved (Resolved)", inside=bug)
    browser.choose("When unresolved, set", "New (Proposed)", inside=bug)
    browser.press("Closed", inside=bug)
    connected.saved()
    assert connected.config["status_mapping"] == {
        connected.pair.ado.project_id(FABRIKAM): {
            "on_resolve": "Closed",
            "on_unresolve": "Active",
            "types": {"Bug": {"on_resolve": "Resolved", "on_unresolve": "New", "done_states": ["Closed"]}},
        }
    }
    browser.read("Resolved / New")


def mapped(page: Page, **mapping: object) -> Page:
    page.pair.configure(status_mapping={page.pair.ado.project_id(FABRIKAM): mapping})
    return page


def test_a_mapping_is_changed_and_taken_away(connected: Page) -> None:
    browser = mapped(connected, on_resolve="Closed", on_unresolve="Active").open()
    browser.choose("When unresolved, set", "New (Proposed)", inside=connected.project())
    connected.saved()
    assert list(connected.config["status_mapping"].values()) == [  # type: ignore[attr-defined]  # an object here
        {"on_resolve": "Closed", "on_unresolve": "New"}
    ]
    browser.press(f"Remove {FABRIKAM}")
    connected.saved()
    assert connected.config["status_mapping"] == {}
    browser.choose("Choose the states of another project", FABRIKAM)


def test_half_a_mapping_is_refused_where_it_stands(connected: Page) -> None:
    browser = mapped(connected, on_resolve="Closed", on_unresolve="Active").open()
    browser.choose("When unresolved, set", "by category", inside=connected.project())
    browser.press("Save")
    browser.read("Resolve and unresolve status are required.")
    assert browser.find(f"{connected.project()} > .error") is not None
    assert browser.focused == browser.control("When resolved, set", inside=connected.project())


def take_away(page: Page, state: str) -> None:
    """Let somebody remove a state of bugs from the project's process."""
    catalog = page.pair.ado.catalog
    project = catalog.project(FABRIKAM)
    fewer = tuple(each for each in project.type("Bug").states if each.name != state)
    kinds = tuple(
        dataclasses.replace(kind, states=fewer) if kind.name == "Bug" else kind
        for kind in project.process.types
    )
    process = dataclasses.replace(project.process, types=kinds)
    catalog.projects[project.id] = dataclasses.replace(project, process=process)


def test_a_state_that_is_gone_meanwhile_is_refused_at_its_field(connected: Page) -> None:
    bug = {"on_resolve": "Resolved", "on_unresolve": "Active"}
    browser = mapped(connected, types={"Bug": bug}).open()
    inside = f'{connected.project()} details[data-path$=".types.Bug"]'
    browser.press("Bug Resolved / Active")  # closes it
    take_away(connected, "Resolved")
    browser.press("Save")
    browser.read("Nothing was saved: correct one error.")
    assert problem(browser, "When resolved, set", inside=inside) == "'Resolved' is no state of Bug"
    assert browser.focused == browser.control("When resolved, set", inside=inside)


def test_an_error_about_one_of_several_states_is_shown_with_them(connected: Page) -> None:
    browser = mapped(connected, types={"Bug": {"done_states": ["Resolved"]}}).open()
    take_away(connected, "Resolved")
    browser.press("Save")
    browser.read("Nothing was saved: correct one error.")
    states = f'{connected.project()} [data-path$=".types.Bug.done_states"]'
    error = browser.find(f"{states} > .error")
    assert error is not None
    assert error.text == "'Resolved' is no state of Bug"
    assert browser.focused == browser.control("New", inside=states)


def test_a_mapped_state_that_azure_devops_does_not_have_is_shown_as_such(connected: Page) -> None:
    bug = {"on_resolve": "Closed", "on_unresolve": "Active", "done_states": ["Resolved"]}
    mapped(connected, types={"Bug": bug})
    project = connected.pair.ado.catalog.project(FABRIKAM)
    connected.pair.ado.catalog.projects[project.id] = dataclasses.replace(project, process=BASIC)
    browser = connected.open()
    browser.read("Closed (not a state in Azure DevOps)")
    inside = f'{connected.project()} details[data-path$=".types.Bug"]'
    assert browser.control("Resolved", inside=inside).is_selected()


def test_the_rest_can_be_saved_while_azure_devops_cannot_be_asked(connected: Page) -> None:
    connected.pair.ado.fail_next(20, http_status=503)
    browser = connected.open()
    browser.read("Projects and states cannot be listed.")
    assert browser.find("#add-project") is None
    browser.press(COMMENTS)
    connected.saved()
    assert connected.config["sync_comments"] is True


def test_a_mapping_that_cannot_be_checked_is_not_saved_and_not_lost(connected: Page) -> None:
    mapped(connected, on_resolve="Closed", on_unresolve="Active")
    before = connected.config
    browser = connected.open()
    connected.pair.ado.fail_next(20, http_status=503)
    browser.press(COMMENTS)
    browser.press("Save")
    browser.read("Azure DevOps cannot be reached")
    assert browser.control(COMMENTS).is_selected()
    assert connected.config == before


# People.


def test_people_are_added_and_removed(connected: Page) -> None:
    connected.pair.configure(people={"ann@corp.example": "ann@home.example"})
    browser = connected.open()
    browser.press("Remove person")
    browser.press("Add person")
    browser.type("Bob@corp.example", Keys.TAB, "bob@home.example")
    connected.saved()
    assert connected.config["people"] == {"bob@corp.example": "bob@home.example"}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [("ann@a.example", "ann@b.example"), ("", "ann@c.example")],
            r"Must be an e-mail address, or DOMAIN\user: a bare name may be anybody's",
        ),
        (
            [("ann@a.example", "ann@b.example"), ("bob@a.example", "ann@b.example")],
            "ann@b.example already stands for ann@a.example",
        ),
        (
            [("ann@a.example", "ann@b.example"), ("Ann@a.example", "ann@c.example")],
            "Names an Azure DevOps person a second time",
        ),
        # One key of a document cannot be there twice: the app would never see the first.
        (
            [("ann@a.example", "ann@b.example"), ("ann@a.example", "ann@c.example")],
            "Names an Azure DevOps person a second time",
        ),
    ],
)
def test_people_who_cannot_be_told_apart_are_refused_in_their_row(
    connected: Page, rows: list[tuple[str, str]], sentence: str
) -> None:
    browser = connected.open()
    for ado, sentry in rows:
        browser.press("Add person")
        browser.type(ado, Keys.TAB, sentry)
    browser.press("Save")
    browser.read(sentence)
    assert browser.find("#people > div > .error") is not None
    assert connected.config["people"] == {}


# Somebody else.


def test_a_conflict_is_told_and_theirs_can_be_loaded(connected: Page) -> None:
    browser = connected.open()
    browser.press(COMMENTS)
    connected.pair.configure(on_conflict="sentry", people={"ann@a.example": "ann@b.example"})
    browser.press("Save")
    browser.read("Somebody else changed this document in the meantime. They changed: people, conflicts.")
    browser.press("Load theirs")
    browser.read("You now see their version.")
    assert not browser.control(COMMENTS).is_selected()
    assert browser.control("Sentry wins").is_selected()
    assert connected.config["sync_comments"] is False


def test_a_conflict_can_be_ended_by_saving_mine(connected: Page) -> None:
    browser = connected.open()
    browser.press(COMMENTS)
    connected.pair.configure(on_conflict="sentry")
    browser.press("Save")
    browser.press("Keep editing mine")
    assert browser.control(COMMENTS).is_selected()
    connected.saved()
    assert (connected.config["sync_comments"], connected.config["on_conflict"]) == (True, "ado")


def test_an_organization_that_somebody_disconnected_meanwhile_can_be_connected_again(connected: Page) -> None:
    browser = connected.open()
    browser.press(COMMENTS)
    connected.pair.ask("DELETE", "config")
    browser.press("Save")
    browser.read("They disconnected the organization.")
    browser.press("Keep editing mine")
    browser.press("Save")
    browser.read("Connected.")
    assert connected.config["sync_comments"] is True


# Links.


def test_a_work_item_is_searched_for_and_linked(connected: Page) -> None:
    issue_id = connected.pair.sentry.add_issue(announce=False).id
    work_item_id = connected.pair.ado.add_item("Repair the checkout").id
    browser = connected.open()
    browser.fill("Sentry issue", f"https://sentry.example/organizations/acme/issues/{issue_id}/?project=1")
    browser.fill("Work item", "checkout")
    browser.press_option(f"({work_item_id}) Repair the checkout")
    browser.press("Link")
    browser.read(f"Linked issue {issue_id} and work item {work_item_id}.")
    browser.read("One link.")
    assert [each["work_item_id"] for each in connected.pair.links()] == [work_item_id]


def test_one_side_is_copied_over_at_once_where_that_is_chosen(connected: Page) -> None:
    issue_id = connected.pair.sentry.add_issue(announce=False).id
    work_item_id = connected.pair.ado.add_item(**{STATE: "Closed"}).id
    browser = connected.open()
    browser.fill("Sentry issue", issue_id)
    browser.fill("Work item", f"#{work_item_id}")
    browser.press("copy the work item to the issue")
    browser.press("Link")
    browser.read("Linked issue")
    assert connected.pair.status(issue_id) == "resolved"


def test_what_was_chosen_is_forgotten_once_something_else_is_typed(connected: Page) -> None:
    issue_id = connected.pair.sentry.add_issue(announce=False).id
    first, second = (connected.pair.ado.add_item(title).id for title in ("Repair it", "Another"))
    browser = connected.open()
    browser.fill("Sentry issue", issue_id)
    browser.fill("Work item", "repair")
    browser.press_option(f"({first}) Repair it")
    browser.fill("Work item", f"#{second}")
    browser.press("Link")
    browser.read(f"Linked issue {issue_id} and work item {second}.")


@pytest.mark.parametrize(
    ("issue", "work_item", "sentence"),
    [
        ("", "31", "Name the Sentry issue."),
        ("100", "", "Choose a work item from the list or type its number."),
        ("100", "login", "Choose a work item from the list or type its number."),
        (
            "abc",
            "31",
            "issue_id must be an issue's number, its short id such as FE-1, or",
        ),
        ("100", "999999", "The work item does not exist, or our credentials may not read it."),
    ],
)
def test_what_cannot_be_linked_is_said(connected: Page, issue: str, work_item: str, sentence: str) -> None:
    browser = connected.open()
    browser.fill("Sentry issue", issue)
    browser.fill("Work item", work_item)
    browser.press("Link")
    browser.read(sentence)


def test_nothing_found_is_said(connected: Page) -> None:
    browser = connected.open()
    browser.fill("Work item", "no such words")
    browser.read("No work items found.")


def test_the_history_of_a_link_opens_with_one_press_newest_first(connected: Page) -> None:
    issue_id, work_item_id = connected.pair.linked()
    connected.pair.sentry.resolve(issue_id)
    connected.pair.settle()
    browser = connected.open()
    history = browser.control(f"History: issue {issue_id} and work item {work_item_id}")
    assert history.get_attribute("aria-expanded") == "false"
    history.click()
    browser.read("Linked.")
    entries = [each.text.splitlines()[-1] for each in browser.find_all(".history li")]
    assert entries == ["Azure DevOps: state set from New to Closed, because Sentry changed.", "Linked."]
    history.click()
    eventually(lambda: browser.find(".history") is None)


def test_a_link_is_settled_now(connected: Page) -> None:
    issue_id, work_item_id = connected.pair.linked()
    connected.pair.sentry.webhook_url = None  # The hook is lost.
    connected.pair.sentry.resolve(issue_id)
    browser = connected.open()
    both = f"issue {issue_id} and work item {work_item_id}"
    browser.press(f"History: {both}")
    browser.press(f"Settle now: {both}")
    browser.read(f"Settled {both}: applied.")
    assert connected.pair.state(work_item_id) == "Closed"
    browser.read("state set from New to Closed")


def test_the_health_of_a_link_is_shown_with_its_reason_even_after_a_failure(connected: Page) -> None:
    issue_id, work_item_id = connected.pair.linked()
    with connected.pair.ado.held_deliveries():
        connected.pair.ado.delete(work_item_id)
        browser = connected.open()
        browser.read("settled")
        browser.press(f"Settle now: issue {issue_id} and work item {work_item_id}")
        browser.read("The work item does not exist, or our credentials may not read it.")
        browser.read("needs attention")
        browser.read("the work item was deleted, or our credentials may not read it")


def test_only_what_is_not_well_is_listed_where_that_is_asked_for(connected: Page) -> None:
    well, (issue_id, work_item_id) = connected.pair.linked(), connected.pair.linked()
    connected.pair.ado.delete(work_item_id)
    eventually(lambda: connected.pair.health(issue_id, work_item_id)[0] == "attention")
    browser = connected.open()
    browser.read("2 links.")
    browser.press("Only what needs attention or is pending")
    browser.read("One link that need")
    assert [each.get_attribute("data-link") for each in browser.find_all("#links > li")] == [
        f"{issue_id}/{work_item_id}"
    ]
    assert f"{well[0]}/{well[1]}" not in browser.source


def test_links_are_shown_page_by_page(connected: Page) -> None:
    issue_id = connected.pair.sentry.add_issue(announce=False).id
    pairs = [{"issue_id": issue_id, "work_item_id": connected.pair.ado.add_item().id} for _ in range(101)]
    assert connected.pair.ask("POST", "links", json=pairs).json()["remaining"] == 0
    browser = connected.open()
    browser.read("100 links, and there are more.")
    browser.press("Show more")
    browser.read("101 links.")
    assert len({each.get_attribute("data-link") for each in browser.find_all("#links > li")}) == 101


def test_a_link_is_removed_after_a_second_thought(connected: Page) -> None:
    issue_id, work_item_id = connected.pair.linked()
    browser = connected.open()
    both = f"issue {issue_id} and work item {work_item_id}"
    browser.press(f"Unlink: {both}")
    browser.press("Cancel")
    assert len(connected.pair.links()) == 1
    browser.press(f"Unlink: {both}")
    browser.press("Unlink", inside="dialog[open]")
    browser.read(f"Unlinked {both}.")
    assert connected.pair.links() == []
    assert browser.find("#links > li") is None


def test_disconnecting_takes_the_name_of_the_organization(connected: Page) -> None:
    connected.pair.linked()
    browser = connected.open()
    label = f"Type {connected.pair.slug} to confirm"
    browser.fill(label, "something else")
    browser.press("Disconnect")
    browser.read(f"Type {connected.pair.slug} first.")
    browser.fill(label, connected.pair.slug)
    browser.press("Disconnect")
    browser.read("Connect a new organization")
    assert connected.pair.ask("GET", "config").status_code == 404


# Texts of strangers.


def test_markup_in_any_value_stays_text(connected: Page) -> None:
    ado, sentry = connected.pair.ado, connected.pair.sentry
    project = ado.add_project(f"{MARKUP} project", BASIC)
    work_item_id = ado.add_item(f"{MARKUP} title", project=project.name, kind="Issue").id
    issue_id = sentry.add_issue(announce=False).id
    connected.pair.link(issue_id, work_item_id)
    quoted = {'"><script>alert(1)</script>"@corp.example': 'o\'brien&"x"@home.example'}
    mapping = {project.id: {"on_resolve": "Done", "on_unresolve": "To Do"}}
    connected.pair.configure(people=quoted, status_mapping=mapping)
    ado.edit(work_item_id, **{"System.AssignedTo": "ann@corp.example"})
    connected.pair.settle()
    browser = connected.open()
    browser.press(f"History: issue {issue_id} and work item {work_item_id}")
    browser.read("assignee set from nobody to ann@corp.example")
    browser.read(f"{MARKUP} title")
    browser.read(f"{MARKUP} project")
    browser.fill("Work item", str(work_item_id))
    browser.press_option(f"({work_item_id}) {MARKUP} title")
    addresses = [browser.control(f"{side} address", inside="#people") for side in ("Azure DevOps", "Sentry")]
    assert {addresses[0].get_attribute("value"): addresses[1].get_attribute("value")} == quoted
    connected.saved()
    assert connected.config["people"] == quoted
    assert browser.run("return document.querySelectorAll('img, main script, iframe').length") == 0


def test_an_error_about_markup_stays_text(connected: Page) -> None:
    browser = connected.open()
    browser.fill("Azure DevOps address", f"https://{MARKUP}/")
    browser.press("Add person")
    browser.type(f"{MARKUP}@x", Keys.TAB, MARKUP)
    browser.press("Save")
    browser.read("Nothing was saved: correct")
    assert browser.run("return document.querySelectorAll('img').length") == 0


@pytest.mark.parametrize(
    "injection",
    [
        "document.getElementById('links').innerHTML = '<img src=x onerror=alert(1)>'",
        "document.body.append(Object.assign(document.createElement('script'), {text: 'alert(1)'}))",
    ],
)
def test_the_browser_itself_refuses_markup_made_of_text(connected: Page, injection: str) -> None:
    browser = connected.open()
    with pytest.raises(JavascriptException, match=r"TrustedHTML|TrustedScript"):
        browser.run(injection)
    assert any("Trusted" in each or "requires" in each for each in browser.complaints())


# Keyboard and small screens.


def tab_to(browser: Browser, label: str, *, inside: str = "", backwards: bool = False) -> None:
    """Go to a control by the Tab key alone."""
    wanted = browser.control(label, inside=inside)
    keys = (Keys.SHIFT, Keys.TAB, Keys.NULL) if backwards else (Keys.TAB,)
    for _ in range(60):
        if browser.focused == wanted:
            return
        browser.type(*keys)
    pytest.fail(f"the Tab key does not reach {label!r}")


def test_a_switch_is_saved_by_keyboard(connected: Page) -> None:
    browser = connected.open()
    tab_to(browser, COMMENTS)
    browser.type(Keys.SPACE)
    tab_to(browser, "Save")
    browser.type(Keys.ENTER)
    browser.read("Saved.")
    assert browser.focused == browser.control("Save")
    assert connected.config["sync_comments"] is True


def active_offer(browser: Browser) -> str:
    """Return the offer of an open list that assistive technology would read out."""
    offer = browser.find(f"#{browser.focused.get_attribute('aria-activedescendant')}")
    assert offer is not None
    assert offer.get_attribute("aria-selected") == "true"
    return offer.text


def test_a_link_is_made_by_keyboard(connected: Page) -> None:
    issue_id = connected.pair.sentry.add_issue(announce=False).id
    ids = [connected.pair.ado.add_item(f"Repair the checkout {number}").id for number in range(3)]
    browser = connected.open()
    tab_to(browser, "Sentry issue")
    browser.type(issue_id, Keys.TAB, "checkout")
    browser.read("3 found.")
    offers = [each.text for each in browser.find_all("[role=option]")]
    browser.type(Keys.ARROW_DOWN, Keys.ARROW_UP)
    assert active_offer(browser) == offers[-1]
    browser.type(Keys.ARROW_DOWN)
    assert active_offer(browser) == offers[0]
    work_item_id = int(offers[0][1:].partition(")")[0])
    assert work_item_id in ids
    browser.type(Keys.ENTER)
    eventually(lambda: browser.find("#found") is None)
    browser.type(Keys.ENTER)
    browser.read(f"Linked issue {issue_id} and work item {work_item_id}.")


def test_escape_closes_the_list_and_keeps_the_text(connected: Page) -> None:
    connected.pair.ado.add_item("Repair the checkout")
    browser = connected.open()
    field = browser.fill("Work item", "checkout")
    browser.read("1 found.")
    browser.type(Keys.ESCAPE)
    assert browser.find("#found") is None
    assert field.get_attribute("value") == "checkout"


def test_a_link_is_removed_by_keyboard(connected: Page) -> None:
    issue_id, work_item_id = connected.pair.linked()
    browser = connected.open()
    tab_to(browser, f"Unlink: issue {issue_id} and work item {work_item_id}", backwards=True)
    browser.type(Keys.ENTER)
    browser.read("Both stay as they are")
    browser.type(Keys.ENTER)  # on Cancel, which has the focus at first
    eventually(lambda: browser.find("dialog") is None)
    assert len(connected.pair.links()) == 1
    browser.type(Keys.ENTER)
    tab_to(browser, "Unlink", inside="dialog[open]")
    browser.type(Keys.SPACE)
    browser.read("Unlinked issue")
    assert connected.pair.links() == []


def test_every_control_has_a_name_and_every_id_is_one(connected: Page) -> None:
    connected.pair.linked()
    connected.pair.configure(people={"ann@a.example": "ann@b.example"})
    browser = connected.open()
    browser.read("One link.")
    controls = browser.find_all("input, select, button, fieldset, section, ul[role]")
    assert len(controls) > 30
    assert [each.get_attribute("outerHTML") for each in controls if not each.accessible_name] == []
    ids = browser.run("return [...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))


def test_nothing_sticks_out_of_a_narrow_screen(connected: Page) -> None:
    long = "W" * 120
    ado = connected.pair.ado
    work_item_id = ado.add_item(long, 100_000_000_000).id
    issue_id = connected.pair.sentry.add_issue(announce=False).id
    connected.pair.link(issue_id, work_item_id)
    project = ado.add_project(long, BASIC)
    mapping = {project.id: {"on_resolve": "Done", "on_unresolve": "To Do"}}
    connected.pair.configure(people={f"{long}@a.example": f"{long}@b.example"}, status_mapping=mapping)
    browser = connected.open(width=NARROW)
    browser.press(f"History: issue {issue_id} and work item {work_item_id}")
    browser.read("Linked.")
    for summary in browser.find_all("summary"):
        browser.press_element(summary)
    browser.fill("Azure DevOps address", f"ftp://{long}")
    browser.press("Save")
    browser.read("Nothing was saved: correct")
    browser.fill("Work item", "W" * 120)
    eventually(lambda: browser.find("[role=option]"))
    width, view = browser.run(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width <= view <= NARROW
    outside = """
      const edge = document.documentElement.clientWidth + 1;
      const all = [...document.querySelectorAll("main *")];
      return all.filter((each) => each.getBoundingClientRect().right > edge).map((each) => each.outerHTML);
    """
    assert browser.run(outside) == []
