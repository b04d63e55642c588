"""What the end-to-end tests share: one app for the session, a pair of fakes for each test, the host's log."""

from collections.abc import Generator, Iterator
from urllib.parse import urlsplit

import pytest

from simulator.ado import FakeAdo
from simulator.azurite import Azurite
from tests.doubles.clock import ShiftedClock
from tests.e2e.admin import KEY, Page
from tests.e2e.app import ADO_TOKEN, SECRETS, App, Pair, app_folder
from tests.e2e.browser import Browser, missing

_LAST_WORDS = 8000  # characters of the host's log that a failure shows


@pytest.fixture(scope="session")
def account() -> Iterator[FakeAdo]:
    """The one Azure DevOps organization that the app can find by its account's id."""
    with FakeAdo(token=ADO_TOKEN) as ado:
        yield ado


@pytest.fixture(scope="session")
def app(account: FakeAdo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One host for all tests that leave it running: starting one takes longer than most tests."""
    folder = tmp_path_factory.mktemp("app")
    own = {"ADO_WEBHOOK_SECRET__OWN_SECRET": "own-hook-secret", "ADO_WEBHOOK_SECRET__EMPTY_SECRET": ""}
    own["TRUSTED_HOSTS"] = "tfs.trusted.example"
    # A run at its own time would meet the faults and the calls that a test counts.
    own["AzureWebJobs.reconcile.Disabled"] = "true"
    own["ADO_RESOURCE_AREAS_URL"] = account.resource_areas_url
    own |= {"SENTRY_CLIENT_SECRET__OWN_SECRET": "own-key", "SENTRY_CLIENT_SECRET__EMPTY_SECRET": ""}
    with (
        Azurite() as azurite,
        App(
            folder / "host.log",
            {**SECRETS, **own},
            folder=app_folder(folder / "app"),
            storage=azurite.connection_string,
        ) as running,
    ):
        yield running


@pytest.fixture
def pair(app: App) -> Iterator[Pair]:
    with Pair.beside(app) as pair:
        yield pair
        # An answer is looked at as it comes. What is kept is looked at here, before it is gone.
        assert app.leaked() == []
    app.clear(pair.slug)


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture(scope="module")
def bystander(app: App) -> Iterator[Pair]:
    """One connected organization for all the tests of a module that change nothing."""
    with Pair.beside(app) as pair:
        yield pair.connect()
    app.clear(pair.slug)


@pytest.fixture(scope="session")
def keyed(app: App, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A second host on the same storage, which demands a key and leaves the queues to the first."""
    log = tmp_path_factory.mktemp("keyed") / "host.log"
    names = ("inbound_sync", "outbound_sync")
    own = {f"AzureWebJobs.{name}.Disabled": "true" for name in names} | {"SIMULATOR_FUNCTION_KEY": KEY}
    with App(log, {**SECRETS, **own}, storage=app.storage) as running:
        yield running


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if reason := missing():
        pytest.skip(reason)
    with Browser.started(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser, keyed: App, pair: Pair) -> Iterator[Page]:
    """Whatever a test does there, the browser has nothing to complain of and asks nobody but the app."""
    page = Page(chromium, keyed, pair)
    yield page
    assert chromium.dialog() is None
    assert chromium.complaints() == []
    assert chromium.hosts_asked() <= {urlsplit(keyed.url).netloc}
    chromium.forget()


@pytest.fixture
def connected(page: Page) -> Page:
    page.pair.connect()
    return page


_log_before: pytest.StashKey[int] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the host's log of a test beside the failure that it may explain."""
    report = yield
    running = next((each for each in map(_app_of, getattr(item, "funcargs", {}).values()) if each), None)
    if running is not None:
        if report.when == "setup":
            item.stash[_log_before] = running.log_size()
        if report.failed:
            said = _without_storage(running.log(item.stash.get(_log_before, 0)))
            report.sections.append(("the host's log", said[-_LAST_WORDS:]))
    return report


def _app_of(fixture: object) -> App | None:
    if isinstance(fixture, Pair):
        return fixture.app
    return fixture if isinstance(fixture, App) else None


def _without_storage(log: str) -> str:
    """Leave out the storage client's log of each request."""
    entries = f"\n{log}".split("\n[")
    return "\n[".join(entry for entry in entries if not entry.startswith("azure."))
