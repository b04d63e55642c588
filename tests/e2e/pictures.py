"""Takes the pictures of the admin page in docs/images, of a running app: `python -m tests.e2e.pictures`."""

import tempfile
import time
from pathlib import Path

from simulator.azurite import Azurite
from tests.e2e.admin import ASSIGNEE, CAROL, NARROW, STATE, Page
from tests.e2e.app import ROOT, SECRETS, App, Pair
from tests.e2e.browser import Browser

IMAGES = ROOT / "docs" / "images"
ISSUES = (
    ("TypeError: cannot read properties of undefined", "Fix login"),
    ("TimeoutError: payment gateway did not answer", "Checkout times out"),
    ("KeyError: 'currency'", "Prices without a currency"),
    ("IntegrityError: duplicate key value", "Orders are stored twice"),
    ("ConnectionResetError: peer reset", "Exports break off"),
    ("ValueError: bad postcode", "Addresses abroad are refused"),
)
WIDE = (1240, 1000)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            Azurite(folder / "storage") as azurite,
            App(folder / "host.log", SECRETS, storage=azurite.connection_string) as app,
            Pair.beside(app) as pair,
            Browser.started(folder / "chromium") as browser,
        ):
            pair.slug = "fabrikam"
            _play(pair)
            _take(Page(browser, app, pair))


def _play(pair: Pair) -> None:
    """Let people do what leaves one link of each kind."""
    pair.connect()
    links = []
    for issue, title in ISSUES:
        issue_id = pair.sentry.add_issue(title=issue, announce=False).id
        work_item_id = pair.ado.add_item(title, project="Fabrikam-Fiber", kind="Bug").id
        pair.link(issue_id, work_item_id)
        links.append((issue_id, work_item_id))
    pair.ask("POST", "reconcile")
    pair.ado.edit(links[0][1], **{STATE: "Active", ASSIGNEE: "ann@corp.example"})
    pair.sentry.archive(links[1][0])
    pair.sentry.resolve(links[2][0])
    pair.sentry.assign(links[5][0], "bob@corp.example")
    for _, item in links[3:5]:
        pair.ado.edit(item, **{ASSIGNEE: CAROL})
    pair.settle()


def _take(page: Page) -> None:
    browser = page.browser
    for name, scheme, (width, height) in (
        ("wide", "light", WIDE),
        ("dark", "dark", WIDE),
        ("narrow", "light", (NARROW, 1000)),
    ):
        browser.prefer(scheme)
        page.open(width=width)
        browser.read("One thing needs you")
        # Only people move the focus to what they look at.
        browser.run("document.activeElement.blur(); scrollTo(0, 0)")
        if name == "dark":
            browser.press(f"Details: FE-2 and #{page.pair.links()[1]['work_item_id']}")
            browser.read("What comes next")
            browser.run("document.activeElement.blur(); scrollTo(0, 0)")
        time.sleep(0.3)  # until what was pressed has faded
        shown = min(height, browser.run("return document.documentElement.scrollHeight"))
        (IMAGES / f"admin-{name}.png").write_bytes(browser.picture(height=shown))


if __name__ == "__main__":
    main()
