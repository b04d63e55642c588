"""The admin page in a real browser: who gets in, what stands on top, tabs, and how it keeps up to date."""

import re

import pytest
from selenium.common.exceptions import JavascriptException
from selenium.webdriver.common.keys import Keys

from shared.domain.comments import InboundComments
from shared.domain.model import Side
from shared.domain.rules.problems import Trouble
from shared.domain.subscriptions import HookRecord, HookState, WatchedEvent, needed
from shared.services import Services
from shared.settings import Settings
from tests.e2e.admin import ASSIGNEE, CAROL, COMMENTS, KEY, STATE, Page
from tests.e2e.app import SIGNING_KEY, App, Pair, eventually
from tests.e2e.browser import Browser

pytestmark = pytest.mark.long

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


def test_a_stranger_gets_the_page_and_nothing_that_it_shows(keyed: App, pair: Pair) -> None:
    pair.connect(people={"ann@corp.example": "ann@home.example"})
    answer = keyed.ask("GET", f"organizations/{pair.slug}/admin")
    assert answer.status_code == 200
    assert not re.search("corp\\.example|127\\.0\\.0\\.1|" + pair.slug, answer.text)
    for path in ("config", "links", "status", "events", "hooks"):
        assert keyed.ask("GET", f"organizations/{pair.slug}/{path}").status_code == 401


# The key.


def kept(browser: Browser) -> str | None:
    """Return the key that the tab keeps, and make sure that nothing else is kept."""
    assert browser.run("return localStorage.length + document.cookie.length") == 0
    assert browser.run("return sessionStorage.length") <= 1
    key: str | None = browser.run("return sessionStorage.getItem(sessionStorage.key(0))")
    return key


def test_a_key_behind_the_hash_is_taken_out_of_the_address(connected: Page) -> None:
    browser = connected.open()
    browser.read("No links.")
    assert browser.address == f"{connected.url}#links"
    assert KEY not in browser.source
    assert kept(browser) == KEY
    asked = browser.run("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert [each for each in asked if "key=" in each or "code=" in each] == []


def test_a_key_in_the_query_is_not_read(connected: Page) -> None:
    browser = connected.browser
    browser.open(f"{connected.url}?code={KEY}")
    browser.read("The app asks for a function key")
    assert browser.address == connected.url
    assert kept(browser) is None


def test_the_page_survives_a_reload_at_the_same_tab(connected: Page) -> None:
    browser = connected.open("Settings")
    browser.reload()
    browser.read("States by project")
    assert browser.address == f"{connected.url}#settings"


def test_a_key_is_asked_for_until_it_is_the_right_one(connected: Page) -> None:
    browser = connected.browser
    browser.open(connected.url)
    browser.read("The app asks for a function key")
    browser.type("wrong", Keys.ENTER)
    browser.read("The app did not accept this key.")
    browser.fill("Function key", f" {KEY} ")
    browser.press("Use this key")
    browser.read("No links.")
    assert KEY not in browser.source
    assert kept(browser) == KEY


def test_nothing_is_shown_to_who_has_no_key_and_the_key_may_be_given_later(connected: Page) -> None:
    browser = connected.browser
    browser.open(connected.url)
    browser.read("The app asks for a function key")
    browser.type(Keys.ESCAPE)
    browser.read("The app asks for a function key.")
    assert browser.find("#loaded") is None
    browser.press("Refresh")
    browser.fill("Function key", KEY)
    browser.type(Keys.ENTER)
    browser.read("No links.")


def test_a_key_that_is_refused_later_loses_nothing_that_was_typed(connected: Page) -> None:
    browser = connected.open("Settings")
    browser.press(COMMENTS)
    # At once: otherwise a look of the page's own may be the first to be refused.
    browser.run("sessionStorage.setItem('function-key', 'renewed'); document.getElementById('save').click()")
    browser.read("The app did not accept this key.")
    browser.type(Keys.ESCAPE)
    browser.read("The app asks for a function key.")
    assert browser.control(COMMENTS).is_selected()


def test_the_key_is_forgotten_when_that_is_asked_for(connected: Page) -> None:
    browser = connected.open()
    browser.press("Forget key")
    browser.read("The app asks for a function key")
    assert kept(browser) is None
    browser.type(Keys.ESCAPE)
    eventually(lambda: browser.find("dialog") is None)


def test_a_gateway_may_add_the_key(connected: Page) -> None:
    browser = connected.browser
    with browser.sending({"x-functions-key": KEY}):
        browser.open(connected.url)
        browser.read("No links.")
        assert kept(browser) is None


@pytest.mark.long
def test_another_organization_is_chosen_from_all(connected: Page) -> None:
    other = f"{connected.pair.slug}-b"
    connected.pair.app.ask("PUT", f"organizations/{other}/config", json=connected.pair.document())
    try:
        browser = connected.open()
        browser.choose("Organization", other)
        eventually(lambda: f"/{other}/admin" in browser.address)
        browser.read("No links.")
        assert kept(browser) == KEY
    finally:
        connected.pair.app.ask("DELETE", f"organizations/{other}/config")


# What needs somebody.


def test_nothing_needs_anybody_where_all_is_well(connected: Page) -> None:
    connected.pair.linked()
    browser = connected.open()
    browser.read("Nothing needs you")
    assert browser.find("#troubles > li") is None


def assigned_to_carol(page: Page, count: int = 2) -> list[tuple[str, int]]:
    links = [page.pair.linked() for _ in range(count)]
    for _, item in links:
        page.pair.ado.edit(item, **{ASSIGNEE: CAROL})
    page.pair.settle()
    return links


def test_one_cause_is_one_problem_with_its_name_its_links_and_its_next_try(connected: Page) -> None:
    assigned_to_carol(connected)
    browser = connected.open()
    browser.read("One thing needs you")
    [shown] = browser.find_all("#troubles > li")
    words = rf"{CAROL} is not known in Sentry since \d\d:\d\d · 2 links · next try \d\d:\d\d"
    assert re.search(words, shown.text)
    assert "Invite them to Sentry" in shown.text
    # Trouble stands above everything else.
    top = browser.run("return document.querySelector('main section').id")
    assert top == "trouble"


def test_a_person_is_mapped_and_the_links_are_tried_again(connected: Page) -> None:
    links = assigned_to_carol(connected)
    connected.pair.sentry.add_member("carol@home.example")
    browser = connected.open()
    browser.press(f"Map to …: {CAROL}")
    browser.read("nobody in Sentry has this address")
    browser.fill("Their address in Sentry", "carol@home.example")
    browser.press("Map, and try again")
    browser.read("Tried 2 links: none needs attention any more.")
    browser.read("Nothing needs you")
    assert connected.config["people"] == {CAROL: "carol@home.example"}
    assert [connected.pair.issue_assignee(issue) for issue, _ in links] == ["carol@home.example"] * 2
    # The form knows of it, so that its next save does not meet a conflict.
    browser.press("Settings")
    assert browser.control("Sentry address", inside="#people").get_attribute("value") == "carol@home.example"
    browser.press(COMMENTS)
    connected.saved()


def test_a_mapping_of_a_person_that_cannot_be_stored_says_why(connected: Page) -> None:
    assigned_to_carol(connected, 1)
    browser = connected.open()
    browser.press(f"Map to …: {CAROL}")
    browser.fill("Their address in Sentry", "carol")
    browser.type(Keys.ENTER)
    browser.read("carol")
    eventually(lambda: browser.find("#trouble-said.bad"))
    assert connected.config["people"] == {}
    assert len(browser.find_all("#troubles > li")) == 1


def test_what_is_tried_again_in_vain_is_not_called_good(connected: Page) -> None:
    assigned_to_carol(connected)
    browser = connected.open()
    browser.press(f"Retry 2: {CAROL} is not known in Sentry")
    browser.read("Tried 2 links: 2 links of 2 still in need of attention.")
    assert browser.find("#trouble-said.good") is None


def test_the_links_of_a_problem_are_shown(connected: Page) -> None:
    [sick] = assigned_to_carol(connected, 1)
    connected.pair.linked()
    browser = connected.open("Events")
    browser.press(f"Show links: {CAROL} is not known in Sentry")
    eventually(lambda: connected.lines() == ["{}/{}".format(*sick)])


@pytest.mark.parametrize("side", ["Azure DevOps", "Sentry"])
def test_a_refused_token_is_told_until_it_is_accepted_again(connected: Page, side: str) -> None:
    pair = connected.pair
    if side == "Sentry":
        pair.sentry.fail_next(1, 401)
        pair.configure(sync_comments=True)
    else:
        accepted = dict(pair.ado.tokens)
        pair.ado.tokens.clear()
        pair.configure(sync_comments=True)
        pair.ado.tokens |= accepted
    browser = connected.open()
    browser.read(f"{side} does not accept our credentials since")
    browser.press(f"Test again: {side} does not accept our credentials")
    browser.read("Tested again: that problem is over.")
    browser.read("Nothing needs you")


def test_a_problem_that_is_still_there_is_not_called_over(connected: Page) -> None:
    connected.pair.ado.tokens.clear()
    connected.pair.configure(sync_comments=True)
    browser = connected.open()
    browser.press("Test again: Azure DevOps does not accept our credentials")
    browser.read("Azure DevOps does not accept our credentials")
    eventually(lambda: browser.find("#trouble-said.good, #trouble-said.warn, #trouble-said.bad"))
    assert browser.find("#trouble-said.good") is None
    assert len(browser.find_all("#troubles > li")) == 1


def test_deliveries_with_a_wrong_proof_are_told(connected: Page) -> None:
    for _ in range(5):
        connected.pair.deliver_from_sentry({"action": "resolved", "data": {}}, key=f"not {SIGNING_KEY}")
    browser = connected.open()
    browser.read("Deliveries from Sentry are refused, 5 in 24 hours")
    browser.read("Set SENTRY_CLIENT_SECRET")
    browser.read("5 refused")


def test_changes_that_no_hook_told_are_told_with_a_look_at_the_hooks(connected: Page) -> None:
    pair = connected.pair
    issue_id, item = pair.linked()
    pair.ask("POST", "reconcile")
    pair.settle()
    for subscription in list(pair.ado.hooks):
        pair.ado.hooks.remove(subscription.id)
    pair.ado.edit(item, **{STATE: "Closed"})
    pair.ask("POST", "reconcile")
    eventually(lambda: pair.status(issue_id) == "resolved")
    pair.settle()
    browser = connected.open()
    browser.read("changes no hook had told in 24 h: 1 (look at your hooks)")
    browser.read("found changes in Azure DevOps that no hook had told")
    browser.press("Repair hooks", inside="#troubles")
    eventually(lambda: browser.find("#trouble-said.warn, #trouble-said.bad, #trouble-said.good"))


# How the sync does.


def test_traffic_delay_and_counts_are_told(connected: Page) -> None:
    issue_id, _ = connected.pair.linked()
    connected.pair.sentry.resolve(issue_id)
    connected.pair.settle()
    browser = connected.open()
    browser.read("24 h: 1 in, 1 acted on, 0 nothing to do, 0 not linked, 0 refused")
    browser.read("24 h: 1 in, 0 acted on, 1 nothing to do, 0 not linked, 0 refused")
    browser.read("median 0.")
    browser.read("updated, deleted, restored ? not looked at")
    browser.read("agree 1 left apart 0 pending 0 attention 0")


def test_what_was_found_after_the_last_look_at_the_subscriptions_is_not_called_enabled(
    connected: Page,
) -> None:
    """An examination looks at them too, and leaves it to the watchdog to write down how they are."""
    pair = connected.pair
    services = Services(Settings({"AzureWebJobsStorage": pair.app.storage}))
    scope = pair.organization.scope
    turn = services.hooks.take(scope, 60.0)
    watched = {event.value: WatchedEvent(HookState.ENABLED) for event in needed(InboundComments.OFF)}
    services.hooks.end(turn, HookRecord(events=watched))
    detail = "workitem.updated: its subscription is on probation"
    services.examinations.note(scope, [Trouble("subscriptions", Side.ADO, detail, "Have it made anew.")])
    browser = connected.open()
    browser.read("updated ✕ not in order · deleted, restored ✓ enabled")
    services.examinations.note(scope, [])
    browser.press("Refresh")
    browser.read("updated, deleted, restored ✓ enabled")


def test_a_count_leads_to_its_links(connected: Page) -> None:
    [(issue_id, item)] = assigned_to_carol(connected, 1)
    connected.pair.linked()
    browser = connected.open("Settings")
    browser.press("attention 1")
    eventually(lambda: connected.lines() == [f"{issue_id}/{item}"])


# Tabs, and what is shown while time passes.


@pytest.mark.long
def test_tabs_are_moved_between_by_arrow_keys_and_named_in_the_address(connected: Page) -> None:
    browser = connected.open()
    browser.press("Links")
    for name in ("events", "settings", "connection", "links"):
        browser.type(Keys.ARROW_RIGHT)
        assert browser.address.endswith(f"#{name}")
        assert browser.focused.get_attribute("id") == f"tab-{name}"
        assert [each.get_attribute("id") for each in browser.find_all("[role=tabpanel]")] == [f"panel-{name}"]
    browser.type(Keys.END)
    assert browser.address.endswith("#connection")
    assert [each.get_attribute("tabindex") for each in browser.find_all("[role=tab]")] == ["-1"] * 3 + ["0"]


@pytest.mark.long
def test_the_page_keeps_itself_fresh_without_losing_the_focus_or_what_is_open(connected: Page) -> None:
    issue_id, item = connected.pair.linked()
    browser = connected.open()
    toggle = browser.control(f"Details: {connected.names(issue_id, item)}")
    toggle.click()
    browser.read("Linked.")
    unlink = browser.control(f"Unlink: {connected.names(issue_id, item)}")
    browser.run("arguments[0].focus()", unlink)
    connected.pair.sentry.resolve(issue_id)
    other = connected.pair.linked()
    connected.pair.settle()
    browser.read("state set from New to Closed")  # by itself, within 15 seconds
    eventually(lambda: len(connected.lines()) == 2)
    assert browser.focused == unlink
    assert browser.find(f"{connected.line(issue_id, item)} .panel") is not None
    assert f"{other[0]}/{other[1]}" in connected.lines()


@pytest.mark.long
def test_a_page_that_cannot_be_brought_up_to_date_says_since_when(connected: Page) -> None:
    browser = connected.open()
    browser.read("No links.")
    with browser.offline():
        browser.read("Not updated since")
        browser.read("The app cannot be reached")
    browser.press("Refresh")
    browser.read("updated just now")


# Events, and why nothing happened.


def test_what_arrived_is_listed_with_what_became_of_it(connected: Page) -> None:
    issue_id, item = connected.pair.linked()
    connected.pair.sentry.resolve(issue_id)
    connected.pair.settle()
    browser = connected.open("Events")
    browser.read("the other side was changed")
    [event] = browser.find_all("#events > li")
    assert f"issue {issue_id} ⇄ #{item}" in event.text
    assert "told by the hook" in event.text


def test_why_nothing_happened_is_explained_for_what_is_not_linked(connected: Page) -> None:
    item = connected.pair.ado.add_item("Audit trail is incomplete").id
    browser = connected.open("Events")
    browser.fill("Issue or work item", f"#{item}")
    browser.type(Keys.ENTER)
    browser.read("Work item #")
    browser.read("not linked")
    browser.fill("Issue or work item", "FE-999")
    browser.press("Explain")
    browser.read("does not exist")
    assert browser.find("#explanation li") is None


def test_a_bare_number_is_a_work_items_or_else_an_issues(connected: Page) -> None:
    issue_id = connected.pair.sentry.add_issue(announce=False).id
    browser = connected.open("Events")
    browser.fill("Issue or work item", issue_id)
    browser.type(Keys.ENTER)
    browser.read(f"Issue {connected.short_id(issue_id)}")


# What a browser refuses by itself.


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
