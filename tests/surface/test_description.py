"""The description is that of the app as it is, and the app serves it."""

import json
from collections.abc import Iterator
from dataclasses import replace

import azure.functions as func
import pytest
import requests
import schemathesis

from functions import openapi, sentry_components
from tests.doubles.services import MemoryServices
from tests.surface.description import FILE, Binding, bindings, description, differences, text
from tests.surface.holding import faults_of, operation_of
from tests.surface.operations import OPERATIONS
from tests.unit.scene import Scene


def test_every_route_and_method_is_described_and_nothing_else() -> None:
    assert differences(bindings()) == []


def test_the_file_is_what_the_code_says() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run `make openapi`"


@pytest.mark.parametrize(
    ("bound", "complaint"),
    [
        (
            Binding("new", "organizations/{organization}/new", frozenset({"GET"}), is_open=False),
            "new GET",
        ),
        (Binding("health", "health", frozenset({"GET", "HEAD"}), is_open=True), "health HEAD"),
        (Binding("health", "healthy", frozenset({"GET"}), is_open=True), "health GET health: no function"),
        (Binding("health", "health", frozenset({"GET"}), is_open=False), "health: say in"),
        (
            Binding("status", "organizations/{organization}/status", frozenset({"GET"}), is_open=True),
            "status: say",
        ),
    ],
)
def test_a_difference_is_named(bound: Binding, complaint: str) -> None:
    others = [each for each in bindings() if each.function != bound.function]
    [said] = differences([*others, bound])
    assert said.startswith(complaint)


def test_a_line_that_no_function_takes_is_named() -> None:
    gone = replace(OPERATIONS[0], function="gone")
    assert [each.partition(":")[0] for each in differences(bindings(), [*OPERATIONS, gone])] == [
        "gone POST ado/{organization}/webhook"
    ]


def test_it_keeps_to_the_standard() -> None:
    schemathesis.openapi.from_dict(description()).validate()


def test_the_parts_of_the_form_are_those_that_are_served() -> None:
    described = {
        (each.method, each.path.split("/")[2] + "/" + name)
        for each in OPERATIONS
        if each.function == "sentry_components"
        for name in each.segments["name"]["enum"]
    }
    assert described == set(sentry_components._SERVED)


def test_it_is_served() -> None:
    scene = Scene()
    services: MemoryServices = scene.services
    answer = openapi.handle(func.HttpRequest("GET", "/api/openapi.json", body=b""), services)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert json.loads(answer.get_body()) == description()


def answered(method: str, path: str, status: int, content: object, **headers: str) -> Iterator[str]:
    answer = requests.Response()
    answer.request = requests.Request(method, f"http://127.0.0.1/api/{path}").prepare()
    answer.status_code, answer._content = status, b"" if content is None else json.dumps(content).encode()
    answer.headers.update({"Content-Type": "application/json", **headers})
    return faults_of(answer)


FINE = {"status": "ok", "version": "1", "problems": []}


@pytest.mark.parametrize(
    ("status", "content", "is_fine"),
    [
        (200, FINE, True),
        (200, {**FINE, "secret": "x"}, False),
        (200, {"status": "ok", "version": "1"}, False),
        (200, {**FINE, "version": 1}, False),
        (200, None, False),
        (500, None, False),
        (201, FINE, False),
    ],
)
def test_an_answer_that_is_not_described_is_noticed(status: int, content: object, *, is_fine: bool) -> None:
    assert (list(answered("GET", "health", status, content)) == []) is is_fine


def test_the_most_fixed_path_is_the_one_that_is_meant() -> None:
    found = operation_of("POST", "/organizations/a/links/copy")
    assert found is not None
    assert found["summary"] == "Copy one side of many links over to the other"
    assert list(answered("GET", "organizations/a/nothing", 404, None)) == []
    assert list(answered("GET", "organizations/a/nothing", 200, None)) != []


def test_a_503_says_when_to_ask_again() -> None:
    refusal = {"error": "busy", "detail": "x"}
    assert list(answered("GET", "organizations", 503, refusal)) != []
    assert list(answered("GET", "organizations", 503, refusal, **{"Retry-After": "3"})) == []
