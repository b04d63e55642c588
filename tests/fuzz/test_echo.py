"""Both services answer everything with what they were sent, credentials included, in whatever shape."""

import itertools
import json
import re
import traceback

import requests
import responses
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import SyncError
from shared.settings import Settings
from tests.fuzz.conftest import fuzzed
from tests.fuzz.damage import damaged
from tests.fuzz.oracle import bounded
from tests.unit.scene import SLUG, Scene
from tests.unit.test_secrets_stay import (
    CALLS,
    ECHOES,
    ENVIRONMENT,
    Wired,
    answer_with,
    answers,
    clean,
)

STATUSES = st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 409, 412, 429, 500, 503])


def echo_of(data: st.DataObject) -> responses.RequestsMock:
    """Answer each request in a shape of its own: damaged, and with the request's credentials all over it."""
    echo = ECHOES[data.draw(st.sampled_from(sorted(ECHOES)))]
    status = data.draw(STATUSES)
    shape = json.dumps(data.draw(damaged(answer_with("{{echo}}"))))

    def answer(asked: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        said = echo(str(asked.headers.get("Authorization", "Bearer nobody-at-all")))
        return status, {"X-Echo": said}, shape.replace("{{echo}}", json.dumps(said)[1:-1])

    mock = responses.RequestsMock(assert_all_requests_are_fired=False)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        mock.add_callback(method, re.compile("https://.*"), answer, content_type="application/json")
    return mock


def wired_up() -> tuple[Scene, Wired]:
    scene = Scene()
    wired = Wired(
        scene.ado, scene.sentry, lambda: scene.now, Settings.from_environ(ENVIRONMENT), pause=lambda _: None
    )
    wired._named, wired._tokens = scene.services._named, itertools.count(1)
    scene.configure(sync_comments=True)
    return scene, wired


@fuzzed
@given(st.data())
def test_no_value_and_no_error_of_any_call_holds_a_secret(data: st.DataObject) -> None:
    scene, wired = wired_up()
    place = data.draw(st.integers(0, len(CALLS) - 1))
    with echo_of(data), bounded():
        ado, sentry = wired.ado_at_once(scene.organization), wired.sentry(scene.organization)
        wired.end_refusals(SLUG)
        try:
            clean(repr(CALLS[place](ado, sentry)), f"the value of call {place}")
        except SyncError as error:
            for text in (repr(error), error.detail, error.quoted, error.told):
                clean(text, f"call {place}")
            clean("".join(traceback.format_exception(error)), f"the traceback of call {place}")


@fuzzed
@given(st.data())
def test_no_answer_and_no_row_holds_a_secret(data: st.DataObject) -> None:
    _, wired = wired_up()
    with echo_of(data):
        for answer in answers(wired):
            wired.end_refusals(SLUG)
            clean(answer.get_body().decode(), "an answer")
            clean(repr(dict(answer.headers)), "the headers of an answer")
            assert answer.status_code != 500, "an odd answer is no bug of ours"
    for table in wired._named.values():
        for row in (row for rows in table._rows.values() for row in rows.values()):  # type: ignore[attr-defined]  # it is the double
            clean(row.key + row.text, "a row")
