"""Strangers at the three open doors: all are told the same for the same work, and cannot fill the log."""

import hmac
import json
import logging
from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest

from functions import ado_webhook, edge, sentry_components, sentry_webhook
from functions.edge import LARGEST_HOOK, HttpHandler
from functions.log import logger_for
from functions.strangers import RefusedStrangers, refused_strangers
from shared.http.pace import BURST, RATE
from shared.sentry.hook import sign
from shared.services import Services
from shared.settings import Settings
from tests.doubles.services import SENTRY_SECRET
from tests.unit.scene import SLUG, Scene

REFERENCE = "@Microsoft.KeyVault(SecretUri=https://vault.vault.azure.net/secrets/ado)"
# Each of them is somebody's, nobody's, or not even a name.
ENVIRONMENT = {
    "ADO_WEBHOOK_SECRET__KNOWN": "a-secret-of-known",
    "SENTRY_CLIENT_SECRET__KNOWN": "a-secret-of-known",
    "ADO_WEBHOOK_SECRET__CHANGING": "a-secret-of-changing",
    "ADO_WEBHOOK_SECRET_PREVIOUS__CHANGING": "the-one-before",
    "SENTRY_CLIENT_SECRET__CHANGING": "a-secret-of-changing",
    "SENTRY_CLIENT_SECRET_PREVIOUS__CHANGING": "the-one-before",
    "ADO_WEBHOOK_SECRET__OFF": "",
    "SENTRY_CLIENT_SECRET__OFF": "",
    "ADO_WEBHOOK_SECRET__VAULT": REFERENCE,
    "SENTRY_CLIENT_SECRET__VAULT": REFERENCE,
    "ADO_WEBHOOK_SECRET__SS": "a-secret-of-ss",
    "SENTRY_CLIENT_SECRET__SS": "a-secret-of-ss",
}
NAMES = ["known", "changing", "off", "vault", "unknown", "KNOWN", "ß", "no slug", "x" * 70, "a\nb"]
PROOFS: dict[str, dict[str, str]] = {
    "none": {},
    "empty": {"Shared-Secret": "", "Sentry-Hook-Signature": "", "Sentry-App-Signature": ""},
    "wrong": {
        "Shared-Secret": "wrong",
        "Sentry-Hook-Signature": "0" * 64,
        "Sentry-App-Signature": "0" * 64,
    },
    "the reference": {
        "Shared-Secret": REFERENCE,
        "Sentry-Hook-Signature": sign(b"{}", REFERENCE).decode(),
        "Sentry-App-Signature": sign(b"{}", REFERENCE).decode(),
    },
    # Spelled otherwise, a name finds no secret of somebody else's.
    "another's": {
        "Shared-Secret": "a-secret-of-ss",
        "Sentry-Hook-Signature": sign(b"{}", "a-secret-of-ss").decode(),
        "Sentry-App-Signature": sign(b"{}", "a-secret-of-ss").decode(),
    },
}
DOORS: dict[str, tuple[HttpHandler, str, dict[str, str]]] = {
    "ado": (ado_webhook.handle, "POST", {}),
    "sentry": (sentry_webhook.handle, "POST", {}),
    "button": (sentry_components.handle, "POST", {"area": "issue-link", "name": "link"}),
    "list": (sentry_components.handle, "GET", {"area": "options", "name": "projects"}),
    "no part": (sentry_components.handle, "GET", {"area": "options", "name": "nothing"}),
}


@pytest.fixture
def services() -> Services:
    return Services(Settings(ENVIRONMENT), later=lambda _seconds, _call: None)


def knock(services: Services, door: str, slug: str, headers: dict[str, str], body: bytes = b"{}") -> Any:
    handle, method, route = DOORS[door]
    request = func.HttpRequest(
        method, "/", headers=headers, route_params={"organization": slug, **route}, body=body
    )
    answered = handle(request, services)
    return answered.status_code, dict(answered.headers), answered.get_body()


@pytest.mark.parametrize("proof", PROOFS)
@pytest.mark.parametrize("door", DOORS)
def test_every_stranger_is_told_the_same_whoever_is_connected(
    services: Services, door: str, proof: str
) -> None:
    told = {repr(knock(services, door, name, PROOFS[proof])) for name in NAMES}
    assert told == {repr(knock(services, door, "known", {}))}
    status, _, body = knock(services, door, "off", PROOFS[proof])
    assert (status, json.loads(body)["error"]) == (401, "unauthenticated")
    for word in (b"SECRET", b"known", b"off", b"KeyVault", b"set"):
        assert word not in body


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of each text that is signed, and -1 for each comparison."""
    done: list[int] = []

    def signed(key: bytes, message: bytes, kind: Any) -> Any:
        done.append(len(message))
        return signature(key, message, kind)

    def compared(one: bytes, other: bytes) -> bool:
        done.append(-1)
        return same(one, other)

    signature, same = hmac.new, hmac.compare_digest
    monkeypatch.setattr(hmac, "new", signed)
    monkeypatch.setattr(hmac, "compare_digest", compared)
    return done


@pytest.mark.parametrize("door", ["sentry", "button"])
def test_a_large_body_costs_the_same_whoever_is_connected(
    services: Services, work: list[int], door: str
) -> None:
    size = 60_000
    for name in NAMES:
        work.clear()
        knock(services, door, name, PROOFS["wrong"], b"x" * size)
        assert work.count(size) == work.count(-1) == 2, name


def test_a_secret_is_compared_as_often_whoever_is_connected(services: Services, work: list[int]) -> None:
    for name in NAMES:
        work.clear()
        knock(services, "ado", name, PROOFS["wrong"])
        assert work.count(-1) == 2, name


def test_nobody_gets_in_by_the_secret_of_nobody(services: Services) -> None:
    for name in ("off", "vault", "unknown"):
        assert knock(services, "ado", name, {"Shared-Secret": edge._NOBODYS})[0] == 401
        signature = sign(b"{}", edge._NOBODYS).decode()
        stolen = {"Sentry-Hook-Signature": signature, "Sentry-App-Signature": signature}
        assert [knock(services, door, name, stolen)[0] for door in ("sentry", "button")] == [401, 401]
    assert len(edge._NOBODYS) == 64


# The log


class Watch:
    """A clock and a timer that run when they are told to."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.due.append((self.now + seconds, call))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        ready, self.due = (
            [each for each in self.due if each[0] <= self.now],
            [each for each in self.due if each[0] > self.now],
        )
        for _, call in ready:
            call()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def watched(watch: Watch) -> Services:
    return Services(Settings(ENVIRONMENT), clock=lambda: watch.now, later=watch.later)


def test_a_thousand_strangers_are_two_lines(
    watched: Services, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1_000):
        knock(watched, "ado", f"made-up-{number}\noutcome=applied", PROOFS["wrong"])
        knock(watched, "sentry", "known", PROOFS["none"])
        knock(watched, "sentry", "known", PROOFS["wrong"], b"x" * (LARGEST_HOOK + 1) if number < 2 else b"{}")
    watch.wait(60.0)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert caplog.messages == [
        "outcome=refused count=1 ado_webhook:no-secret=1",
        (
            "outcome=refused count=2999 ado_webhook:no-secret=999 sentry_webhook:no-proof=1000"
            " sentry_webhook:too-large=2 sentry_webhook:wrong-proof=998"
        ),
    ]
    watch.wait(600.0)
    assert len(caplog.messages) == 2


def test_a_stranger_now_and_then_is_a_line_each(
    watched: Services, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        knock(watched, "list", "known", PROOFS["wrong"])
        watch.wait(61.0)
    assert caplog.messages == ["outcome=refused count=1 sentry_components:wrong-proof=1"] * 3


def test_without_a_thread_left_the_next_stranger_tells_of_those_before(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(_seconds: float, _call: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    strangers = RefusedStrangers(Services(Settings({}), clock=lambda: watch.now, later=none_left))
    for _ in range(3):
        strangers.note("health", "too-large")
    watch.now += 60.0
    strangers.note("health", "too-large")
    assert caplog.messages[-1] == "outcome=refused count=3 health:too-large=3"


def test_each_process_has_one_count(services: Services) -> None:
    assert refused_strangers(services) is refused_strangers(services)


def test_an_errors_own_words_begin_no_line(caplog: pytest.LogCaptureFixture) -> None:
    logger = logger_for("functions.edge")
    try:
        try:
            _ = ENVIRONMENT["first\x1b[31m"]
        except KeyError as error:
            raise ValueError("one\noutcome=applied organization=acme\u2028two") from error
    except ValueError:
        logger.exception("outcome=bug\rx")
    text = logging.Formatter().format(caplog.records[0])
    assert text.startswith("outcome=bug\\rx\n")
    assert [each for each in text.splitlines() if each.startswith("outcome=")] == ["outcome=bug\\rx"]
    assert "ValueError: one\\noutcome=applied organization=acme\\u2028two" in text
    assert "\x1b" not in text
    assert "test_an_errors_own_words_begin_no_line" in text


# The form's pace


@pytest.fixture
def scene() -> Scene:
    return Scene()


def ask(scene: Scene, slug: str = SLUG) -> func.HttpResponse:
    request = func.HttpRequest(
        "GET",
        "/",
        headers={"Sentry-App-Signature": sign(b"", SENTRY_SECRET).decode()},
        route_params={"organization": slug, "area": "options", "name": "work-item-types"},
        body=b"",
    )
    return sentry_components.handle(request, scene.services)


def test_a_person_who_types_is_served_and_a_script_is_not(scene: Scene) -> None:
    for _ in range(8):  # A form opens, and somebody types a word.
        for _ in range(int(BURST)):
            assert ask(scene).status_code == 200
        scene.now += BURST / RATE
    answers = [ask(scene) for _ in range(100)]
    assert [each.status_code for each in answers] == [200] * int(BURST) + [503] * (100 - int(BURST))
    assert json.loads(answers[-1].get_body())["error"] == "busy"
    assert answers[-1].headers["Retry-After"] == "1"


def test_over_time_nobody_gets_more_than_five_a_second(scene: Scene) -> None:
    served = 0
    for _ in range(1_000):
        served += ask(scene).status_code == 200
        scene.now += 0.02
    assert served <= 20 * RATE + BURST + 1
