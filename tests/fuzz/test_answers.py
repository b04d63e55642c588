"""Answers of both services, damaged on the way: each is a value of its type or an error that says so.

One answer of a flow is another than the service gave: its body, its status or one of its headers.
"""

import io
import logging
from typing import NamedTuple

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPResponse

from functions import issue_links, reconcile
from tests.fuzz.conftest import fuzzed
from tests.fuzz.damage import DAMAGE, TEXTS, Damage
from tests.fuzz.flows import FLOWS, SLUG, connected, everything_can_be_read
from tests.fuzz.oracle import bounded

HEADERS = ("Retry-After", "Link", "Content-Type", "Content-Encoding", "Date", "X-MS-ContinuationToken")
LIMITS = (
    "X-Sentry-Rate-Limit-Remaining",
    "X-Sentry-Rate-Limit-Reset",
    "X-Sentry-Rate-Limit-ConcurrentRemaining",
)
STATUSES = (200, 201, 203, 204, 206, 302, 400, 401, 403, 404, 409, 410, 412, 418, 429, 500, 503)


class Fault(NamedTuple):
    """What becomes of an answer: its body is damaged, or it has another status, or another header."""

    damages: list[Damage]
    status: int | None
    header: tuple[str, str] | None

    def strike(self, answer: requests.Response) -> None:
        body = answer.raw.read(decode_content=True)
        for each in self.damages:
            body = each.done_to(body)
        answer.status_code = self.status or answer.status_code
        if self.header is not None:
            answer.headers[self.header[0]] = self.header[1]
        answer.raw = HTTPResponse(io.BytesIO(body), preload_content=False)


WORDS = st.sampled_from(["text/html", "gzip", "9" * 40, "-1", "inf", '<x>; rel="next"']) | TEXTS
HEADER = st.tuples(
    st.sampled_from([*HEADERS, *LIMITS]), WORDS.map(lambda text: text.encode("ascii", "ignore").decode())
)
FAULTS = st.one_of(
    st.builds(Fault, st.lists(DAMAGE, min_size=1, max_size=2), st.none(), st.none()),
    st.builds(Fault, st.lists(DAMAGE, min_size=1, max_size=2), st.none(), st.none()),
    st.builds(Fault, st.lists(DAMAGE, max_size=1), st.sampled_from(STATUSES), st.none()),
    st.builds(Fault, st.lists(DAMAGE, max_size=1), st.none(), HEADER),
)


@fuzzed
@given(st.sampled_from(sorted(FLOWS)), st.integers(0, 6), FAULTS)
def test_a_damaged_answer_is_an_error_of_ours_and_leaves_nothing_that_cannot_be_read(
    caplog: pytest.LogCaptureFixture, name: str, spared: int, fault: Fault
) -> None:
    caplog.clear()
    caplog.set_level(logging.INFO)
    with connected() as scene:
        wire = scene.services.wire
        wire.spared, wire.damage = spared, fault.strike
        with bounded():
            FLOWS[name](scene)
        everything_can_be_read(scene.services)
        # What was answered once is believed no longer than until the next answer.
        wire.spared = -1
        scene.services.end_refusals(SLUG)
        FLOWS[name](scene)
        reconcile.handle_timer(scene.services)
        assert scene.ask(issue_links.handle).status_code == 200
        everything_can_be_read(scene.services)
    assert "outcome=bug" not in caplog.text
    caplog.text.encode()


def test_every_flow_works_as_long_as_no_answer_is_damaged() -> None:
    for name, flow in FLOWS.items():
        with connected() as scene:
            scene.services.wire.spared = 0
            flow(scene)
            # Unlinking asks nobody: what shows on the ends goes later.
            assert scene.services.wire.spared < 0 or name == "unlink"
