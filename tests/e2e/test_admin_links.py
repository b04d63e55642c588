"""Links on the admin page: both sides' values, filters, what can be done to them, and linking by hand."""

import csv
import io
import re
from pathlib import Path

import pytest

from tests.e2e.admin import ASSIGNEE, CAROL, STATE, Page
from tests.e2e.app import eventually

# Each takes seconds, and there are many; make test-long runs them.
pytestmark = pytest.mark.long

# A line.


def test_a_line_shows_both_sides_and_whether_they_agree(connected: Page) -> None:
    pair = connected.pair
    issue_id, item = pair.linked()
    pair.ado.edit(item, **{ASSIGNEE: "ann@corp.example", STATE: "Active"})
    pair.settle()
    browser = connected.open()
    browser.read("1 link.")
    line = browser.find(f"{connected.line(issue_id, item)} .line")
    assert line is not None
    shown = line.text.split("\n")
    assert shown[0].startswith(f"{connected.short_id(issue_id)} TypeError")
    assert re.fullmatch(r"\d\d:\d\d", shown.pop()), "when it was last synced"
    assert shown[1:] == [
        "unresolved · ann@corp.example", "⇄", f"#{item} Fix login", "Active · ann@corp.example", "agree",
    ]  # fmt: skip
    assert line.rect["height"] <= 45
    [issue, work_item] = line.find_elements("css selector", "a")
    assert issue.get_attribute("href") == pair.sentry.issue(issue_id)["permalink"]
    assert str(work_item.get_attribute("href")).endswith(f"/_workitems/edit/{item}")


def test_a_line_tells_why_a_work_item_is_done(connected: Page) -> None:
    connected.pair.configure(archive_reasons=["Duplicate"])
    _, item = connected.pair.linked()
    connected.pair.ado.edit(item, **{STATE: "Closed", "System.Reason": "Duplicate"})
    connected.pair.settle()
    connected.open().read("Closed (Duplicate)")


def paused(page: Page) -> tuple[str, int]:
    """Return a link whose work item was closed while the sync was off, which is on again."""
    issue_id, item = page.pair.linked()
    page.pair.configure(issue_sync=False)
    page.pair.ado.edit(item, **{STATE: "Closed"})
    page.pair.settle()
    page.pair.configure()
    page.pair.settle()
    return issue_id, item


def test_what_a_pause_left_apart_is_not_called_good(connected: Page) -> None:
    issue_id, item = paused(connected)
    browser = connected.open()
    browser.read("inbound off")
    badge = browser.find(f"{connected.line(issue_id, item)} .badge")
    assert badge is not None
    assert badge.text == "apart"
    assert "good" not in str(badge.get_attribute("class"))
    browser.press(f"Details: {connected.names(issue_id, item)}")
    browser.read("Left apart: the status, since changes in Azure DevOps were not to travel to Sentry.")
    connected.act(f"Sync now: {connected.names(issue_id, item)}")
    browser.read("Sync now: nothing had to be changed. Both sides are left apart")
    assert browser.find("#links .good[role=status]") is None


@pytest.mark.parametrize(
    ("side", "ends"), [("ado", ("resolved", "Closed")), ("sentry", ("unresolved", "New"))]
)
def test_either_side_is_copied_over(connected: Page, side: str, ends: tuple[str, str]) -> None:
    issue_id, item = paused(connected)
    issue, work_item = connected.short_id(issue_id), f"#{item}"
    browser = connected.open()
    browser.press(f"Details: {connected.names(issue_id, item)}")
    label = f"← Copy: {work_item} to {issue}" if side == "ado" else f"Copy →: {issue} to {work_item}"
    connected.act(label)
    browser.read("one side was changed.")
    assert browser.find("#links .good[role=status]") is not None
    assert (connected.pair.status(issue_id), connected.pair.state(item)) == ends
    browser.read("agree")


def test_all_that_were_left_apart_are_copied_after_a_question(connected: Page) -> None:
    issue_id, _ = paused(connected)
    connected.pair.linked()
    browser = connected.open()
    assert browser.find("#copy-to-sentry") is None
    browser.choose("Show", "left apart")
    browser.read("1 link that the filter names.")
    browser.press("Copy all → Sentry")
    browser.press("Cancel")
    assert connected.pair.status(issue_id) == "unresolved"
    browser.press("Copy all → Sentry")
    browser.press("Copy all")
    browser.read("Copied: 1 applied.")
    assert connected.pair.status(issue_id) == "resolved"


# What a line opens to.


def test_a_line_opens_to_its_history_and_an_explanation(connected: Page) -> None:
    issue_id, item = connected.pair.linked()
    connected.pair.sentry.resolve(issue_id)
    connected.pair.settle()
    browser = connected.open()
    toggle = browser.control(f"Details: {connected.names(issue_id, item)}")
    assert toggle.get_attribute("aria-expanded") == "false"
    toggle.click()
    browser.read("Linked.")
    browser.read("What comes next:")
    entries = [each.text[6:] for each in browser.find_all(".history li")]
    assert entries == [
        "Azure DevOps: state set from New to Closed, because Sentry changed. Told by the hook.",
        "Linked.",
    ]
    assert toggle.get_attribute("aria-expanded") == "true"
    toggle.click()
    eventually(lambda: browser.find(".history") is None)


def test_a_link_is_synced_now(connected: Page) -> None:
    issue_id, item = connected.pair.linked()
    connected.pair.sentry.webhook_url = None  # The hook is lost.
    connected.pair.sentry.resolve(issue_id)
    browser = connected.open()
    names = connected.names(issue_id, item)
    browser.press(f"Details: {names}")
    connected.act(f"Sync now: {names}")
    browser.read("Sync now: one side was changed.")
    assert connected.pair.state(item) == "Closed"
    browser.read("state set from New to Closed")
    browser.read("Closed · nobody")


def test_how_a_link_stands_is_shown_even_after_a_failure(connected: Page) -> None:
    issue_id, item = connected.pair.linked()
    with connected.pair.ado.held_deliveries():
        connected.pair.ado.delete(item)
        browser = connected.open()
        browser.read("agree")
        names = connected.names(issue_id, item)
        browser.press(f"Details: {names}")
        connected.act(f"Sync now: {names}")
        browser.read("The work item does not exist, or our credentials may not read it.")
        browser.read("attention")
        browser.read("work item gone")
        browser.read("Next try")
    assert browser.find("#links .good[role=status]") is None


def test_a_change_that_the_other_side_refuses_is_not_called_good(connected: Page) -> None:
    issue_id, item = connected.pair.linked()
    connected.pair.ado.edit(item, **{ASSIGNEE: CAROL})
    connected.pair.settle()
    browser = connected.open()
    names = connected.names(issue_id, item)
    browser.press(f"Details: {names}")
    connected.act(f"Sync now: {names}")
    browser.read("It needs attention: no user there has this e-mail address")
    assert browser.find("#links .good[role=status]") is None


def test_a_link_is_removed_after_a_second_thought(connected: Page) -> None:
    issue_id, item = connected.pair.linked()
    browser = connected.open()
    names = connected.names(issue_id, item)
    browser.press(f"Details: {names}")
    connected.act(f"Unlink: {names}")
    browser.press("Cancel")
    assert len(connected.pair.links()) == 1
    connected.act(f"Unlink: {names}")
    browser.press("Unlink", inside="dialog[open]")
    browser.read(f"Unlinked {names}.")
    assert connected.pair.links() == []
    assert browser.find("#links > li") is None


# Many.


def test_filters_are_the_servers(connected: Page) -> None:
    pair = connected.pair
    well, sick = pair.linked(), pair.linked(project="Basic Board", kind="Issue")
    pair.ado.edit(sick[1], **{ASSIGNEE: CAROL})
    pair.settle()
    browser = connected.open()
    browser.read("2 links.")
    good, bad = ("{}/{}".format(*each) for each in (well, sick))

    def names(*wanted: str) -> None:
        eventually(lambda: connected.lines() == list(wanted))

    browser.choose("Show", "needs attention")
    names(bad)
    browser.read("1 link that the filter names.")
    browser.choose("Show", "agree")
    names(good)
    browser.choose("Show", "all")
    browser.choose("Why", "No user there has this e-mail address and can be assigned")
    names(bad)
    browser.choose("Why", "any reason")
    browser.choose("Project", "Basic Board")
    names(bad)
    browser.choose("Project", "all")
    for text, wanted in ((connected.short_id(well[0]), good), (f"#{well[1]}", good), ("carol", bad)):
        browser.fill("Search", text)
        names(wanted)
    browser.fill("Search", "nobody of this name")
    browser.read("No links that the filter names.")


def test_links_are_shown_page_by_page(connected: Page) -> None:
    issue_id = connected.pair.sentry.add_issue(announce=False).id
    pairs = [{"issue_id": issue_id, "work_item_id": connected.pair.ado.add_item().id} for _ in range(101)]
    assert connected.pair.ask("POST", "links", json=pairs).json()["remaining"] == 0
    browser = connected.open()
    browser.read("100 links, and there are more.")
    browser.press("Show more")
    browser.read("101 links.")
    assert len(set(connected.lines())) == 101
    browser.press("Refresh")
    browser.read("updated just now")
    assert len(connected.lines()) == 101


def test_links_are_downloaded_as_they_are_filtered_and_start_no_formula(
    connected: Page, tmp_path: Path
) -> None:
    pair = connected.pair
    formula = '=HYPERLINK("http://evil.example","a, b")'
    item = pair.ado.add_item(formula).id
    issue_id = pair.sentry.add_issue(title="+1,2\nsecond", announce=False).id
    pair.link(issue_id, item)
    left_out = pair.linked()
    browser = connected.open()
    browser.save_downloads_in(tmp_path)
    browser.fill("Search", f"#{item}")
    browser.read("1 link that the filter names.")
    browser.press("Download CSV")
    browser.read("1 link in links.csv.")
    eventually((tmp_path / "links.csv").exists)
    text = (tmp_path / "links.csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["work_item_id"] for row in rows] == [str(item)] != [str(left_out[1])]
    [row] = rows
    assert row["work_item_title"] == f"'{formula}"
    assert row["issue_title"].startswith("'+1,2")
    assert (row["issue_status"], row["work_item_state"], row["sides"]) == ("unresolved", "New", "agree")


def test_all_are_synced_now_and_the_result_is_told(connected: Page) -> None:
    connected.pair.linked()
    browser = connected.open()
    browser.press("Sync all now")
    browser.read("Looked at 1 link.")
    assert browser.find("#links-said.good") is None


# Linking by hand.


def open_form(page: Page) -> None:
    page.open().press("Link by hand")


def test_a_work_item_is_searched_for_and_linked(connected: Page) -> None:
    issue_id = connected.pair.sentry.add_issue(announce=False).id
    item = connected.pair.ado.add_item("Repair the checkout").id
    open_form(connected)
    browser = connected.browser
    browser.fill(
        "Sentry issue",
        f"{connected.pair.sentry.url.rstrip('/')}/organizations/acme/issues/{issue_id}/?project=1",
    )
    browser.fill("Work item", "checkout")
    browser.press_option(f"({item}) Repair the checkout")
    browser.press("Link")
    browser.read(f"Linked issue {issue_id} and work item {item}.")
    browser.read("1 link.")
    assert [each["work_item_id"] for each in connected.pair.links()] == [item]


def test_ids_are_taken_as_people_have_them(connected: Page) -> None:
    issue_id = connected.pair.sentry.add_issue(announce=False).id
    item = connected.pair.ado.add_item().id
    open_form(connected)
    browser = connected.browser
    browser.fill("Sentry issue", connected.short_id(issue_id).lower())
    browser.fill("Work item", f"{connected.pair.ado.organization_url}Fabrikam-Fiber/_workitems/edit/{item}")
    browser.press("Link")
    browser.read(f"Linked issue {issue_id} and work item {item}.")


def test_one_side_is_copied_over_at_once_where_that_is_chosen(connected: Page) -> None:
    issue_id = connected.pair.sentry.add_issue(announce=False).id
    item = connected.pair.ado.add_item(**{STATE: "Closed"}).id
    open_form(connected)
    browser = connected.browser
    browser.fill("Sentry issue", issue_id)
    browser.fill("Work item", f"#{item}")
    browser.press("copy the work item to the issue")
    browser.press("Link")
    browser.read("Linked issue")
    assert connected.pair.status(issue_id) == "resolved"


def test_what_was_chosen_is_forgotten_once_something_else_is_typed(connected: Page) -> None:
    issue_id = connected.pair.sentry.add_issue(announce=False).id
    first, second = (connected.pair.ado.add_item(title).id for title in ("Repair it", "Another"))
    open_form(connected)
    browser = connected.browser
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
        ("abc", "31", "issue_id must be an issue's number, its short id such as FE-1, or"),
        ("100", "999999", "The work item does not exist, or our credentials may not read it."),
    ],
)
def test_what_cannot_be_linked_is_said(connected: Page, issue: str, work_item: str, sentence: str) -> None:
    open_form(connected)
    browser = connected.browser
    browser.fill("Sentry issue", issue)
    browser.fill("Work item", work_item)
    browser.press("Link")
    browser.read(sentence)


def test_nothing_found_is_said(connected: Page) -> None:
    open_form(connected)
    connected.browser.fill("Work item", "no such words")
    connected.browser.read("No work items found.")
