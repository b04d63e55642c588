"""A real Chromium for tests of pages: found by what people see, watched for what it logs and whom it asks."""

import base64
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium.common.exceptions import NoAlertPresentException, StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from tests.e2e.app import eventually

PACKAGES = ("chromium", "chromium-driver")  # as Debian calls them
_FLAGS = (
    "headless=new",
    "no-sandbox",  # Chromium's sandbox refuses to start for root, which containers run tests as.
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "disable-dev-shm-usage",
    "lang=en",
)
# Whatever a person can put the focus on, in XPath, by the words it is labelled with.
_LABELLED = """
//*[self::input or self::select or self::textarea or self::button or self::summary][
  @aria-label = {0} or @id = //label[normalize-space() = {0}]/@for
  or ancestor::label[normalize-space() = {0}]
  or (self::button or self::summary) and normalize-space() = {0}
][not(ancestor-or-self::*[@hidden])]
"""


def missing() -> str | None:
    """Return why there can be no browser here, or None."""
    if find_chromium() and shutil.which("chromedriver"):
        return None
    return f"no browser: install Debian's {' and '.join(PACKAGES)}"


def find_chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One browser with one tab."""

    def __init__(self, driver: Chrome) -> None:
        self._driver = driver

    @classmethod
    @contextmanager
    def started(cls, folder: Path) -> Iterator["Browser"]:
        options = ChromeOptions()
        options.binary_location = find_chromium() or ""
        for flag in (*_FLAGS, f"user-data-dir={folder}"):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # A dialog that nobody expects stays open, for the test to see.
        options.unhandled_prompt_behavior = "ignore"
        driver = Chrome(options, ChromeService(shutil.which("chromedriver")))
        try:
            yield cls(driver)
        finally:
            driver.quit()

    def open(self, url: str, *, width: int = 1100, height: int = 900) -> None:
        """Open a page in a view of this size, and forget what was logged before."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        # From elsewhere: an address that differs only behind its # would not be loaded again.
        self._driver.get("about:blank")
        self.complaints()
        self.hosts_asked()
        self._driver.get(url)

    def reload(self) -> None:
        self._driver.refresh()

    def forget(self) -> None:
        """Forget what a page keeps for the tab, and leave it."""
        self.run("if (location.protocol.startsWith('http')) sessionStorage.clear()")
        self._driver.get("about:blank")

    def prefer(self, scheme: str) -> None:
        """Ask pages for ``light`` or ``dark`` colors, as the system's setting does."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def save_downloads_in(self, folder: Path) -> None:
        self._driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)}
        )

    def picture(self, *, height: int) -> bytes:
        """Return what is shown, from the top, as a PNG."""
        size = self.run("return [window.innerWidth, window.devicePixelRatio]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": height, "scale": 1}
        asked = {"captureBeyondViewport": True, "clip": clip}
        answer = self._driver.execute_cdp_cmd("Page.captureScreenshot", asked)
        return base64.b64decode(answer["data"])

    @contextmanager
    def sending(self, headers: Mapping[str, str]) -> Iterator[None]:
        """Add headers to every request, as a proxy would."""
        self._driver.execute_cdp_cmd("Network.enable", {})
        self._driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": dict(headers)})
        try:
            yield
        finally:
            self._driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {}})

    @contextmanager
    def offline(self) -> Iterator[None]:
        """Let no request of the page through."""
        nothing = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self._driver.execute_cdp_cmd("Network.enable", {})
        self._driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **nothing})
        try:
            yield
        finally:
            limits = dict.fromkeys(nothing, -1) | {"latency": 0}
            self._driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **limits})

    @property
    def address(self) -> str:
        return self._driver.current_url

    @property
    def source(self) -> str:
        return self._driver.page_source

    @property
    def text(self) -> str:
        return self._driver.find_element(By.TAG_NAME, "body").text

    def run(self, script: str, *arguments: object) -> Any:
        return self._driver.execute_script(script, *arguments)

    def dialog(self) -> str | None:
        """Return what a dialog of a script (``alert`` and its kin) says, if one is open."""
        try:
            return self._driver.switch_to.alert.text
        except NoAlertPresentException:
            return None

    def complaints(self) -> list[str]:
        """Return what the browser logged since the last call: errors of scripts, violations of the policy.

        An answer that is an error is logged too, and is no fault of the page.
        """
        entries = self._driver.get_log("browser")  # type: ignore[no-untyped-call]  # selenium's own
        return [entry["message"] for entry in entries if entry["source"] != "network"]

    def hosts_asked(self) -> set[str]:
        """Return every host on a network that was asked for anything since the last call."""
        entries = self._driver.get_log("performance")  # type: ignore[no-untyped-call]  # selenium's own
        events = [json.loads(entry["message"])["message"] for entry in entries]
        sent = [each["params"] for each in events if each["method"] == "Network.requestWillBeSent"]
        addresses = [urlsplit(each["request"]["url"]) for each in sent]
        return {each.netloc for each in addresses if each.scheme not in {"about", "blob", "chrome", "data"}}

    # What people see.

    def find(self, selector: str) -> WebElement | None:
        """Return the first element that is shown, if any."""
        return next((each for each in self.find_all(selector)), None)

    def find_all(self, selector: str) -> list[WebElement]:
        return [each for each in self._driver.find_elements(By.CSS_SELECTOR, selector) if _is_shown(each)]

    def control(self, label: str, *, inside: str = "") -> WebElement:
        """Wait for the control with this label to be shown, and return it."""
        path = _LABELLED.format(_quoted(label))
        found: list[WebElement] = []

        def is_there() -> bool:
            scope: Any = self.find(inside) if inside else self._driver
            at = scope.find_elements(By.XPATH, f".{path.strip()}") if scope else []
            found[:] = [each for each in at if _is_shown(each)]
            return bool(found)

        eventually(is_there)
        return found[0]

    def read(self, text: str) -> None:
        """Wait until this can be read on the page, or fail with what can."""
        try:
            eventually(lambda: text in self._text_now())
        except AssertionError as error:
            raise AssertionError(f"{text!r} is not to be read:\n{self._text_now()}") from error

    def _text_now(self) -> str:
        try:
            return self.text
        except StaleElementReferenceException:
            return ""

    # What people do.

    def press(self, label: str, *, inside: str = "") -> None:
        self.press_element(self.control(label, inside=inside))

    def press_option(self, text: str) -> None:
        """Wait for an offer of an open list, and take it."""
        path = f"//*[@role='option'][normalize-space() = {_quoted(text)}]"
        eventually(lambda: self._driver.find_elements(By.XPATH, path))
        self.press_element(self._driver.find_element(By.XPATH, path))

    def press_element(self, element: WebElement) -> None:
        # As a person scrolls: what is pressed is not to lie under the bar at the bottom.
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def fill(self, label: str, text: str, *, inside: str = "") -> WebElement:
        field = self.control(label, inside=inside)
        field.clear()
        field.send_keys(text)
        return field

    def choose(self, label: str, option: str, *, inside: str = "") -> None:
        Select(self.control(label, inside=inside)).select_by_visible_text(option)

    def type(self, *keys: str) -> None:
        """Type on the keyboard, wherever the focus is."""
        ActionChains(self._driver, duration=0).send_keys(*keys).perform()

    @property
    def focused(self) -> WebElement:
        return self._driver.switch_to.active_element


def _is_shown(element: WebElement) -> bool:
    try:
        return element.is_displayed()
    except StaleElementReferenceException:
        return False  # The page has replaced it meanwhile.


def _quoted(text: str) -> str:
    """Write a text as an XPath expression, which has no escapes."""
    if "'" not in text:
        return f"'{text}'"
    return "concat({})".format(', "\'", '.join(f"'{part}'" for part in text.split("'")))
