"""Paths below a service's address: a name stays one segment of them, or is refused."""

from unittest.mock import Mock
from urllib.parse import unquote

import pytest

from shared.domain import paths
from shared.domain.errors import Rejected, Unavailable
from shared.domain.paths import answered, below, is_segment, verify_path

BASE = "https://dev.azure.com/fabrikam/"
DOTS = "a name must not be empty, and must not consist of dots"
UNFIT = "a name must have at most 512 printable characters"


@pytest.mark.parametrize(
    ("segments", "path"),
    [
        ([], ""),
        (["_apis", "projects"], "_apis/projects"),
        (["Web Shop", "_apis"], "Web%20Shop/_apis"),
        (["a/b"], "a%2Fb"),
        (["50%?#"], "50%25%3F%23"),
        (["Bücher"], "B%C3%BCcher"),
        (["$Bug"], "$Bug"),  # a new work item is posted to the name of its type behind a dollar sign
        (["...X"], "...X"),
        (["X"], "X"),
        (["x" * 512], "x" * 512),
    ],
)
def test_each_name_stays_one_segment(segments: list[str], path: str) -> None:
    assert below(BASE, *segments) == BASE + path


@pytest.mark.parametrize(
    ("segment", "problem"),
    [
        ("", DOTS),
        (".", DOTS),
        ("..", DOTS),
        (".. ", DOTS),
        ("a/../b", DOTS),
        ("a\\..\\b", DOTS),
        ("/a", DOTS),
        # However often it was quoted.
        ("%2e%2e", DOTS),
        ("%252e%252E", DOTS),
        ("a%2f..%2fb", DOTS),
        ("..%255cb", DOTS),
        ("x" * 513, UNFIT),
        ("%" + "25" * 9 + "2e", "must not be quoted 10 times or more"),
        ("a\nb", UNFIT),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(segment: str, problem: str) -> None:
    with pytest.raises(Rejected) as raised:
        below(BASE, "_apis", segment)
    assert raised.value.detail == problem


def test_a_name_without_end_is_refused_by_its_length_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    unquoting = Mock(side_effect=unquote)
    monkeypatch.setattr(paths, "unquote", unquoting)
    assert not is_segment("%" + "25" * 30_000 + "41")
    assert unquoting.call_count == 0
    assert not is_segment("%" + "25" * 200 + "41")
    assert unquoting.call_count == 10


@pytest.mark.parametrize("path", ["", "/a", "/a/b", "/a.b/..c", "a/b", "/Web%20Shop"])
def test_a_path_that_leads_straight_down_is_allowed(path: str) -> None:
    verify_path(path)


@pytest.mark.parametrize(
    "path",
    ["/", "//a", "/a//b", "/a/", "/..", "/a/../b", "/a/./b", "/a/%2e%2E/b", "/a/..%2fb", "/a\\..\\b", ".."],
)
def test_a_path_with_gaps_or_steps_is_refused(path: str) -> None:
    with pytest.raises(Rejected) as raised:
        verify_path(path)
    assert raised.value.detail == "must not contain empty segments, . or .."


@pytest.mark.parametrize("service", ["ado", "sentry"])
def test_a_name_that_a_service_answers_and_that_can_be_none_is_told_of_that_service(service: str) -> None:
    assert answered(service, "Web Shop", "the project's name") == "Web Shop"
    with pytest.raises(Unavailable) as raised:
        answered(service, "..", "the project's name")
    assert (raised.value.service, raised.value.detail) == (service, "the project's name cannot be read")
