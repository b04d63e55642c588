"""Seats: how many callers of one kind, and of all, may hold a thread while they wait."""

from collections.abc import Iterator
from contextlib import ExitStack

import azure.functions as func
import pytest

from functions import (
    ado_webhook,
    issue_links,
    org_config,
    reconcile,
    search,
    sentry_components,
    sentry_webhook,
)
from functions.edge import HttpHandler
from shared.domain.errors import Busy
from shared.http.seats import Seats
from shared.sentry.hook import sign
from shared.services import Services
from shared.settings import Settings

SECRET = "a-secret-of-acme"


def fill(seats: Seats, kind: str, held: ExitStack) -> int:
    """Take all seats of a kind that there are; return how many."""
    for taken in range(1000):
        try:
            held.enter_context(seats.seat(kind))
        except Busy:
            return taken
    raise AssertionError("there is no end to the seats")


@pytest.mark.parametrize(
    ("threads", "of_a_kind", "in_all"),
    [(32, 8, 12), (16, 4, 6), (8, 2, 3), (6, 1, 2), (4, 1, 1), (1, 1, 1)],
)
def test_callers_who_wait_hold_a_part_of_the_threads(threads: int, of_a_kind: int, in_all: int) -> None:
    seats = Seats(threads)
    with ExitStack() as held:
        assert fill(seats, "searches", held) == of_a_kind
        assert fill(seats, "forms", held) == in_all - of_a_kind
        assert fill(seats, "links", held) == 0


def test_a_seat_is_free_again_however_its_caller_fared() -> None:
    seats = Seats(4)
    for _ in range(3):
        with pytest.raises(ValueError, match="failed"), seats.seat("searches"):
            raise ValueError("failed")
    with seats.seat("searches"), pytest.raises(Busy) as raised, seats.seat("searches"):
        pass
    assert raised.value.retry_after > 0
    with seats.seat("searches"):
        pass


@pytest.fixture
def crowded() -> Iterator[Services]:
    """Services of which somebody holds the last seat."""
    environment = {"PYTHON_THREADPOOL_THREAD_COUNT": "1", "SENTRY_CLIENT_SECRET": SECRET}
    services = Services(Settings(environment))
    with services.seats.seat("somebody"):
        yield services


@pytest.mark.parametrize(
    "handle",
    [search.handle, sentry_components.handle, reconcile.handle, org_config.handle, issue_links.handle],
)
def test_who_finds_no_seat_is_told_when_to_come_back(crowded: Services, handle: HttpHandler) -> None:
    headers = {sentry_components.SIGNATURE_HEADER: sign(b"", SECRET).decode()}
    request = func.HttpRequest("GET", "/", headers=headers, route_params={"organization": "acme"}, body=b"")
    answer = handle(request, crowded)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert b"busy" in answer.get_body()


def test_a_stranger_takes_no_seat(crowded: Services) -> None:
    request = func.HttpRequest(
        "GET", "/", route_params={"organization": "acme", "area": "options", "name": "x"}, body=b""
    )
    assert sentry_components.handle(request, crowded).status_code == 401


@pytest.mark.parametrize("handle", [ado_webhook.handle, sentry_webhook.handle])
def test_a_webhook_needs_no_seat(crowded: Services, handle: HttpHandler) -> None:
    answer = handle(func.HttpRequest("POST", "/", route_params={"organization": "acme"}, body=b""), crowded)
    assert answer.status_code == 401  # It came as far as the check of its secret.
