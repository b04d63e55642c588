"""The admin page of a test's own organization, in a real browser."""

from typing import Any
from urllib.parse import quote

from tests.e2e.app import App, Pair, eventually
from tests.e2e.browser import Browser

KEY = "a/function+key=="
FABRIKAM = "Fabrikam-Fiber"
STATE = "System.State"
ASSIGNEE = "System.AssignedTo"
CAROL = "carol@corp.example"  # is known in Azure DevOps, and not in Sentry
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


class Page:
    """The page, its browser, and the organization behind it."""

    def __init__(self, browser: Browser, keyed: App, pair: Pair) -> None:
        self.browser = browser
        self.pair = pair
        self.url = f"{keyed.url}/api/organizations/{pair.slug}/admin"

    def open(self, tab: str = "Links", *, width: int = 1100) -> Browser:
        """Open the page with the key behind a `#`, at a tab."""
        # The host that works writes down what it has counted; it does so once a minute by itself.
        self.pair.ask("GET", "status")
        self.browser.open(f"{self.url}#key={quote(KEY, safe='')}", width=width)
        eventually(lambda: self.browser.find("#loaded"))
        if self.browser.find("#tab-links"):
            self.browser.press(tab)
        return self.browser

    def saved(self) -> None:
        self.browser.press("Save")
        self.browser.read("Saved")
        assert self.browser.find("#bar") is None

    def act(self, text: str) -> None:
        """Press a button of the line that is open."""
        self.browser.press(text, inside="#links .panel:not([hidden])")

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.pair.ask("GET", "config").json()["config"]
        return config

    def project(self, name: str = FABRIKAM) -> str:
        """Return the selector of a mapped project's card."""
        return f'fieldset[data-path="status_mapping.{self.pair.ado.project_id(name)}"]'

    def names(self, issue_id: str, work_item_id: int) -> str:
        """Return what a link is called on the page."""
        return f"{self.short_id(issue_id)} and #{work_item_id}"

    def short_id(self, issue_id: str) -> str:
        return str(self.pair.sentry.issue(issue_id)["shortId"])

    def line(self, issue_id: str, work_item_id: int) -> str:
        """Return the selector of a link's line."""
        return f'li[data-link="{issue_id}/{work_item_id}"]'

    def lines(self) -> list[str]:
        script = "return [...document.querySelectorAll('#links > li')].map((each) => each.dataset.link)"
        links: list[str] = self.browser.run(script)
        return links


def problem(browser: Browser, label: str, *, inside: str = "") -> str:
    """Return what is said to be wrong with a control, where assistive technology finds it."""
    control = browser.control(label, inside=inside)
    assert control.get_attribute("aria-invalid") == "true"
    last = str(control.get_attribute("aria-describedby")).split()[-1]
    return str(browser.run("return document.getElementById(arguments[0]).textContent", last))
