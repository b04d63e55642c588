"""The admin page for everybody: texts of strangers, keyboard alone, small screens, light and dark."""

import itertools

import pytest
from selenium.webdriver.common.keys import Keys

from simulator.ado.processes import BASIC
from tests.e2e.admin import ASSIGNEE, CAROL, COMMENTS, MARKUP, NARROW, Page
from tests.e2e.app import eventually
from tests.e2e.browser import Browser

TABS = ("Links", "Events", "Settings", "Connection")

# Texts of strangers.


def test_markup_in_any_value_stays_text(connected: Page) -> None:
    ado, sentry = connected.pair.ado, connected.pair.sentry
    project = ado.add_project(f"{MARKUP} project", BASIC)
    item = ado.add_item(f"{MARKUP} title", project=project.name, kind="Issue").id
    issue_id = sentry.add_issue(title=f"{MARKUP} issue", announce=False).id
    connected.pair.link(issue_id, item)
    quoted = {'o\'brien+"x"@corp.example': "o'brien&x@home.example"}
    mapping = {project.id: {"on_resolve": "Done", "on_unresolve": "To Do"}}
    connected.pair.configure(people=quoted, status_mapping=mapping)
    ado.edit(item, **{ASSIGNEE: CAROL})
    connected.pair.settle()
    browser = connected.open()
    browser.press(f"Details: {connected.names(issue_id, item)}")
    browser.read(f"“{MARKUP} issue”")
    browser.read(f"{MARKUP} title")
    browser.press("Link by hand")
    browser.fill("Work item", str(item))
    browser.press_option(f"({item}) {MARKUP} title")
    browser.press("Events")
    browser.fill("Issue or work item", MARKUP)
    browser.press("Explain")
    eventually(lambda: browser.find("#why-said.bad"))
    browser.press("Settings")
    browser.read(f"{MARKUP} project")
    addresses = [browser.control(f"{side} address", inside="#people") for side in ("Azure DevOps", "Sentry")]
    assert {addresses[0].get_attribute("value"): addresses[1].get_attribute("value")} == quoted
    browser.press(COMMENTS)
    connected.saved()
    assert connected.config["people"] == quoted
    assert browser.run("return document.querySelectorAll('img, main script, iframe').length") == 0


@pytest.mark.long
def test_an_error_about_markup_stays_text(connected: Page) -> None:
    browser = connected.open("Connection")
    browser.fill("Azure DevOps address", f"https://{MARKUP}/")
    browser.press("Settings")
    browser.press("Add person")
    browser.type(f"{MARKUP}@x", Keys.TAB, MARKUP)
    browser.press("Save")
    browser.read("Nothing was saved: correct")
    assert browser.run("return document.querySelectorAll('img').length") == 0


def test_a_link_leads_nowhere_but_to_the_web(connected: Page) -> None:
    """A service that names another scheme, such as javascript:, gets no link."""
    connected.pair.linked()
    browser = connected.open()
    browser.read("1 link.")
    schemes = browser.run("return [...document.links].map((each) => each.protocol)")
    assert set(schemes) <= {"http:", "https:"}


# Keyboard alone.


def tab_to(browser: Browser, label: str, *, inside: str = "", backwards: bool = False) -> None:
    """Go to a control by the Tab key alone."""
    wanted = browser.control(label, inside=inside)
    keys = (Keys.SHIFT, Keys.TAB, Keys.NULL) if backwards else (Keys.TAB,)
    for _ in range(60):
        if browser.focused == wanted:
            return
        browser.type(*keys)
    pytest.fail(f"the Tab key does not reach {label!r}")


def test_the_first_line_is_a_few_steps_away(connected: Page) -> None:
    """Trouble, counts, tabs, filters: the study counted 39 steps before."""
    issue_id, item = connected.pair.linked()
    browser = connected.open()
    browser.read("1 link.")
    browser.run("document.activeElement.blur(); scrollTo(0, 0)")
    wanted = browser.control(f"Details: {connected.names(issue_id, item)}")
    steps = 0
    for steps in itertools.count():
        if browser.focused == wanted or steps > 30:
            break
        browser.type(Keys.TAB)
    assert steps <= 15
    browser.type(Keys.ENTER)
    browser.read("Linked.")


@pytest.mark.long
def test_a_switch_is_saved_by_keyboard(connected: Page) -> None:
    browser = connected.open("Settings")
    tab_to(browser, COMMENTS)
    browser.type(Keys.SPACE)
    tab_to(browser, "Save")
    browser.type(Keys.ENTER)
    browser.read("Saved: ")
    assert browser.focused.get_attribute("id") == "saved-said"
    assert connected.config["sync_comments"] is True


def active_offer(browser: Browser) -> str:
    """Return the offer of an open list that assistive technology would read out."""
    offer = browser.find(f"#{browser.focused.get_attribute('aria-activedescendant')}")
    assert offer is not None
    assert offer.get_attribute("aria-selected") == "true"
    return offer.text


@pytest.mark.long
def test_a_link_is_made_by_keyboard(connected: Page) -> None:
    issue_id = connected.pair.sentry.add_issue(announce=False).id
    ids = [connected.pair.ado.add_item(f"Repair the checkout {number}").id for number in range(3)]
    browser = connected.open()
    tab_to(browser, "Link by hand")
    browser.type(Keys.ENTER)
    tab_to(browser, "Sentry issue")
    browser.type(issue_id, Keys.TAB, "checkout")
    browser.read("3 found.")
    offers = [each.text for each in browser.find_all("[role=option]")]
    browser.type(Keys.ARROW_DOWN, Keys.ARROW_UP)
    assert active_offer(browser) == offers[-1]
    browser.type(Keys.ARROW_DOWN)
    assert active_offer(browser) == offers[0]
    item = int(offers[0][1:].partition(")")[0])
    assert item in ids
    browser.type(Keys.ENTER)
    eventually(lambda: browser.find("#found") is None)
    browser.type(Keys.ENTER)
    browser.read(f"Linked issue {issue_id} and work item {item}.")


@pytest.mark.long
def test_escape_closes_the_list_and_keeps_the_text(connected: Page) -> None:
    connected.pair.ado.add_item("Repair the checkout")
    browser = connected.open()
    browser.press("Link by hand")
    field = browser.fill("Work item", "checkout")
    browser.read("1 found.")
    browser.type(Keys.ESCAPE)
    assert browser.find("#found") is None
    assert field.get_attribute("value") == "checkout"


@pytest.mark.long
def test_a_link_is_removed_by_keyboard(connected: Page) -> None:
    issue_id, item = connected.pair.linked()
    names = connected.names(issue_id, item)
    browser = connected.open()
    tab_to(browser, f"Details: {names}")
    browser.type(Keys.SPACE)
    tab_to(browser, f"Unlink: {names}")
    browser.type(Keys.ENTER)
    browser.read("Both stay as they are")
    browser.type(Keys.ENTER)  # on Cancel, which has the focus at first
    eventually(lambda: browser.find("dialog") is None)
    assert len(connected.pair.links()) == 1
    browser.type(Keys.ENTER)
    tab_to(browser, "Unlink", inside="dialog[open]")
    browser.type(Keys.SPACE)
    browser.read(f"Unlinked {names}.")
    assert connected.pair.links() == []
    assert browser.focused.get_attribute("id") == "links-title"


# Assistive technology.


@pytest.mark.long
def test_every_control_has_a_name_every_id_is_one_and_every_part_has_a_landmark(connected: Page) -> None:
    connected.pair.linked()
    connected.pair.configure(people={"ann@a.example": "ann@b.example"})
    browser = connected.open()
    browser.read("1 link.")
    browser.find_all(".toggle")[0].click()
    browser.read("Linked.")
    seen = 0
    for tab in TABS:
        browser.press(tab)
        named = "input, select, textarea, button, fieldset, section, form, ul[role], [role=tabpanel], .toggle"
        controls = browser.find_all(named)
        seen += len(controls)
        assert [each.get_attribute("outerHTML") for each in controls if not each.accessible_name] == []
    assert seen > 60
    ids = browser.run("return [...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))
    assert browser.run("return document.querySelectorAll('header, main, footer').length") == 3
    # Messages are read out where they appear.
    assert browser.run("return document.querySelectorAll('[id$=-said]:not([role=status])').length") == 0


# Screens.


def everything_shown(page: Page, width: int) -> Browser:
    """Open a page full of long texts."""
    long = "W" * 120
    ado = page.pair.ado
    item = ado.add_item(long, 100_000_000_000).id
    issue_id = page.pair.sentry.add_issue(title=long, announce=False).id
    page.pair.link(issue_id, item)
    project = ado.add_project(long, BASIC)
    mapping = {project.id: {"on_resolve": "Done", "on_unresolve": "To Do"}}
    page.pair.configure(people={f"{long}@a.example": f"{long}@b.example"}, status_mapping=mapping)
    ado.edit(item, **{ASSIGNEE: CAROL})
    page.pair.settle()
    browser = page.open(width=width)
    browser.read("One thing needs you")
    browser.press(f"Details: {page.names(issue_id, item)}")
    browser.read("Linked.")
    browser.press("Link by hand")
    browser.fill("Work item", long)
    eventually(lambda: browser.find("[role=option]"))
    return browser


@pytest.mark.parametrize("width", [NARROW, pytest.param(1100, marks=pytest.mark.long)])
def test_nothing_sticks_out_of_the_screen(connected: Page, width: int) -> None:
    browser = everything_shown(connected, width)
    outside = """
      const edge = document.documentElement.clientWidth + 1;
      const ends = ".line, pre, [role=tablist]";
      const cut = (each) => each.closest(ends) && !each.matches(ends);
      const all = [...document.querySelectorAll("body *")].filter((each) => !cut(each));
      return all.filter((each) => each.getBoundingClientRect().right > edge).map((each) => each.outerHTML);
    """
    for tab in TABS:
        browser.press(tab)
        for summary in browser.find_all("details:not([open]) > summary"):
            browser.press_element(summary)
        if tab == "Connection":
            browser.fill("Azure DevOps address", f"ftp://{'W' * 120}")
            browser.press("Save")
            browser.read("Nothing was saved: correct")
        page, view = browser.run(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert page <= view <= width, (tab, [each[:300] for each in browser.run(outside)[:3]])
        assert browser.run(outside) == []


# WCAG 2.2 asks for a contrast of 4.5 for text: https://www.w3.org/TR/WCAG22/#contrast-minimum
CONTRASTS = """
  const channel = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  function light(color) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    if (alpha < 255) return null;
    return 0.2126 * channel(red / 255) + 0.7152 * channel(green / 255) + 0.0722 * channel(blue / 255);
  }
  function ground(element) {
    for (let each = element; each; each = each.parentElement) {
      const found = light(getComputedStyle(each).backgroundColor);
      if (found !== null) return found;
    }
    return 1;
  }
  const texts = [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility()
    && [...each.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  const found = texts.map((each) => {
    const [a, b] = [light(getComputedStyle(each).color), ground(each)].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), each.outerHTML.slice(0, 200)];
  });
  return [found.length, found.filter(([contrast]) => contrast < 4.5)];
"""


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read_in_light_and_dark(connected: Page, scheme: str) -> None:
    connected.pair.linked()
    sick = connected.pair.linked()[1]
    connected.pair.ado.edit(sick, **{ASSIGNEE: CAROL})
    connected.pair.settle()
    browser = connected.browser
    browser.prefer(scheme)
    try:
        connected.open()
        browser.read("One thing needs you")
        light = browser.run("return getComputedStyle(document.body).backgroundColor")
        assert (light == "rgb(244, 245, 247)") is (scheme == "light")
        for tab in TABS:
            browser.press(tab)
            texts, pale = browser.run(CONTRASTS)
            assert texts > 40
            assert pale == []
    finally:
        browser.prefer("")
