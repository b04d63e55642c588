"""What reaches the host is ours alone: it prints what is raised, and all that led to it, past our filters."""

import base64
import logging
import traceback
from collections.abc import Callable

import azure.functions as func
import pytest

from functions import hook_watchdog, inbound_sync, outbound_sync, reconcile
from functions.edge import Bug
from shared.domain.errors import SyncError, Unavailable
from shared.domain.messages import InboundMessage, Message, OutboundMessage, encode
from shared.settings import Settings
from shared.store.tables import Table
from tests.unit.scene import ISSUE, ITEM, SLUG, Scene

PAT, SECRET = "pat/of+the-tests/who-looks", "hook secret of the tests"
# As they are, and as they come back to us: in a header, in an address, in a JSON text.
SPELLINGS = (
    PAT,
    base64.b64encode(f":{PAT}".encode()).decode(),
    "Bearer eyJhbGciOi.of-somebody",
    "hook%20secret%20of%20the%20tests",
    f"line\n{SECRET}\nline",
)
SILENT = ("eyJhbGciOi", "hook%20secret", SECRET, PAT, "b2YrdGhlLXRlc3Rz")


class Broken:
    """A table whose client fails in a way that nobody expected, in words that it was given."""

    def __init__(self, words: str) -> None:
        self._words = words

    def get(self, *_: object, **__: object) -> None:
        raise ValueError(self._words)

    scan = apply = get


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    environment = {**scene.services.settings.environment, "ADO_PAT": PAT, "ADO_WEBHOOK_SECRET": SECRET}
    scene.services.settings = Settings(environment)
    return scene


def bug(words: str) -> ValueError:
    return ValueError(f"it said {words}")


def caused(words: str) -> SyncError:
    """An error of ours that was made of one that quotes what it should not."""
    try:
        try:
            raise bug(words)
        except ValueError as error:
            raise Unavailable("ado", "GET /_apis/wit/workitems/31: HTTP 500") from error
    except SyncError as error:
        return error


def met(words: str) -> SyncError:
    """An error of ours that was raised while another one was dealt with."""
    error = Unavailable("ado", "GET /_apis/wit/workitems/31: HTTP 500")
    error.__context__ = bug(words)
    return error


HANDLERS: dict[str, Callable[[Scene], None]] = {
    "inbound": lambda scene: work(scene, inbound_sync.handle, InboundMessage(SLUG, ITEM, 9)),
    "outbound": lambda scene: work(scene, outbound_sync.handle, OutboundMessage(SLUG, ISSUE)),
    "reconcile": lambda scene: reconcile.handle_timer(scene.services),
    "watchdog": lambda scene: hook_watchdog.handle_timer(scene.services),
}


def work(scene: Scene, handle: Callable[..., None], message: Message) -> None:
    handle(func.QueueMessage(body=encode(message)), scene.services)


def clean(text: str) -> None:
    for each in SILENT:
        assert each not in text, text


def logged(caplog: pytest.LogCaptureFixture) -> str:
    formatter = logging.Formatter()
    return "\n".join(formatter.format(each) for each in caplog.records)


@pytest.mark.parametrize("words", SPELLINGS)
@pytest.mark.parametrize("name", ["inbound", "outbound"])
@pytest.mark.parametrize("made", [bug, caused, met])
def test_a_message_that_fails_tells_the_host_nothing_of_anybody_elses_words(
    scene: Scene, caplog: pytest.LogCaptureFixture, made: Callable[[str], Exception], name: str, words: str
) -> None:
    scene.sentry.resolve(ISSUE)
    for call in ("get_work_item", "update_work_item", "get_issue"):
        scene.calls.meet(call, made(words))
    with pytest.raises((Bug, SyncError)) as raised:
        HANDLERS[name](scene)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    clean("".join(traceback.format_exception(raised.value)))
    clean(logged(caplog))


@pytest.mark.parametrize("words", SPELLINGS)
@pytest.mark.parametrize("name", HANDLERS)
@pytest.mark.parametrize("table", ["organizations", "links"])
def test_a_bug_goes_to_the_log_without_secrets_and_to_the_host_without_words(
    scene: Scene, caplog: pytest.LogCaptureFixture, table: str, name: str, words: str
) -> None:
    services = scene.services
    broken: Table = Broken(words)  # type: ignore[assignment]  # it has the methods
    services._named[table] = broken
    for store in ("organizations", "links", "progress", "hooks", "idempotency"):
        vars(services).pop(store, None)
    told: list[Bug] = []
    try:
        HANDLERS[name](scene)
    except Bug as error:
        told = [error]
    clean("".join(traceback.format_exception(told[0])) if told else "")
    assert [str(each) for each in told] in ([], ["ValueError: see outcome=bug in the log"])
    said = logged(caplog)
    clean(said)
    # The watchdog asks for no link.
    assert ("outcome=bug" in said and "Traceback" in said) or (name, table) == ("watchdog", "links")
