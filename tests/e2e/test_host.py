"""The simulated Functions host, over real HTTP and a real Azurite: it does what Azure's host does."""

import base64
import importlib.util
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from simulator.azurite import Azurite
from simulator.host.app import QueueOptions
from simulator.host.queues import Disposition, decide_disposition
from simulator.host.routes import Route, RouteError, RouteTable, RouteTemplate
from simulator.host.schedule import Schedule, ScheduleError

ROOT = Path(__file__).parents[2]
SAMPLE = Path(__file__).parent / "host_sample"
ENGINES = ["library"]
if importlib.util.find_spec("azure_functions_runtime") is not None:
    ENGINES.append("microsoft")
NEVER = "0 0 0 29 2 *"
PATIENCE_SECONDS = 30.0


def wait_until(is_true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


class RunningHost:
    """A host process with a copy of the sample app, its output, and what the app recorded."""

    def __init__(self, app: Path, *options: str, environ: Mapping[str, str]) -> None:
        self._recordings = Path(environ["RECORDINGS"])
        self._log = (app / f"{uuid.uuid4().hex}.log").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simulator.host", "--port", "0", "--app", str(app), *options],
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.first_line = self._read_line()
        self.url = self.first_line.rpartition(" ")[2].strip()
        self.address = ("127.0.0.1", int(self.url.rpartition(":")[2]))

    def _read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def read_functions(self, number: int) -> list[str]:
        return [self._read_line().strip() for _ in range(number)]

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=PATIENCE_SECONDS, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return requests.post(self.url + path, timeout=PATIENCE_SECONDS, **options)

    def log(self) -> str:
        return Path(self._log.name).read_text(encoding="utf-8")

    def records(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self._all_records() if record["kind"] == kind]

    def kinds(self) -> list[str]:
        return [record["kind"] for record in self._all_records()]

    def _all_records(self) -> list[dict[str, Any]]:
        files = sorted(self._recordings.glob("*.json"))
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]

    def wait_for(self, kind: str, number: int = 1) -> list[dict[str, Any]]:
        wait_until(lambda: len(self.records(kind)) >= number)
        return self.records(kind)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        with self.process, self._log:
            self.process.send_signal(number)
            return self.process.wait(PATIENCE_SECONDS)


StartHost = Callable[..., RunningHost]


@pytest.fixture(scope="module")
def azurite() -> Iterator[Azurite]:
    with Azurite() as running:
        yield running


@pytest.fixture(scope="module")
def start_host(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartHost]:
    """Start hosts with queues of their own; all are ended with the module."""
    started: list[RunningHost] = []

    def start(*options: str, app: Path | None = None, **environ: str) -> RunningHost:
        folder = tmp_path_factory.mktemp("host")
        app = app or shutil.copytree(SAMPLE, folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
        settings = {"SampleStorage": azurite.connection_string, "SCHEDULE": NEVER, "RECORDINGS": str(folder)}
        settings["QUEUE"] = f"q{uuid.uuid4().hex}"
        started.append(RunningHost(app, *options, environ={**settings, **environ}))
        return started[-1]

    yield start
    for host in started:
        if host.process.poll() is None:
            host.stop(signal.SIGKILL)


@pytest.fixture(scope="module", params=ENGINES)
def host(request: pytest.FixtureRequest, start_host: StartHost, tmp_path_factory: Any) -> RunningHost:
    """One host for all tests that only ask over HTTP."""
    app = shutil.copytree(SAMPLE, tmp_path_factory.mktemp("settled") / "app")
    settings = {"SETTING": "from the file", "OTHER_SETTING": "from the file"}
    (app / "local.settings.json").write_text(json.dumps({"Values": settings}), encoding="utf-8")
    switches = {"AzureWebJobs.switched_off.Disabled": "true", "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000"}
    return start_host("--engine", request.param, app=app, SETTING="from the environment", **switches)


@pytest.fixture
def queue(azurite: Azurite) -> Iterator[QueueClient]:
    with closing(connect(azurite, f"q{uuid.uuid4().hex}")) as client:
        client.create_queue()
        yield client


def connect(azurite: Azurite, name: str) -> QueueClient:
    return QueueClient.from_connection_string(azurite.connection_string, name, retry_total=0)


def send(queue: QueueClient, text: str) -> None:
    queue.send_message(base64.b64encode(text.encode()).decode())


def count(queue: QueueClient) -> int:
    return queue.get_queue_properties().approximate_message_count or 0


# HTTP


def test_a_request_arrives_as_azure_delivers_it(host: RunningHost) -> None:
    answer = host.post(
        "/api/Echo/7/a%2Fb%20c/?twice=1&twice=2&empty=&plus=a+b",
        data="käse".encode(),
        headers={"X-Case": "Kept"},
    )
    heard = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert heard["method"] == "POST"
    assert heard["function"] == "echo"
    assert heard["url"] == f"{host.url}/api/Echo/7/a%2Fb%20c/?twice=1&twice=2&empty=&plus=a+b"
    assert heard["headers"]["x-case"] == "Kept"
    assert heard["params"] == {"twice": "1,2", "plus": "a b"}
    assert heard["route_params"] == {"first": "7", "second": "a%2Fb c"}
    assert heard["body"] == "käse"


def test_the_environment_wins_over_the_settings_file(host: RunningHost) -> None:
    heard = host.get("/api/echo/1").json()
    assert (heard["setting"], heard["other_setting"]) == ("from the environment", "from the file")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/echo/1", 200),
        ("GET", "/API/ECHO/1", 200),
        ("GET", "/api/echo/one", 404),  # not an int
        ("PUT", "/api/echo/1", 404),  # not 405
        ("HEAD", "/api/echo/1", 404),  # GET does not imply HEAD
        ("BREW", "/api/echo/1", 404),
        ("GET", "/echo/1", 404),
        ("GET", "/api/echo/1/2/3", 404),
        ("GET", "/", 404),
        ("GET", "/api/switched-off", 404),
        ("GET", "/api/async", 200),
        ("HEAD", "/api/return/text", 200),
    ],
)
def test_only_the_right_path_and_method_reach_a_function(
    host: RunningHost, method: str, path: str, status: int
) -> None:
    answer = requests.request(method, host.url + path, timeout=PATIENCE_SECONDS)
    assert answer.status_code == status
    assert status == 200 or answer.content == b""


def test_of_two_matching_routes_the_first_function_by_name_wins(host: RunningHost) -> None:
    assert host.get("/api/overlap/exact").text == "a exact"
    assert host.post("/api/overlap/exact").text == "b"


@pytest.mark.parametrize("what", ["error", "none", "dict", "bytes", "bad-header"])
def test_what_a_function_may_not_return_is_an_empty_500(host: RunningHost, what: str) -> None:
    answer = host.get(f"/api/return/{what}")
    assert (answer.status_code, answer.content) == (500, b"")


def test_what_a_function_returns_is_answered(host: RunningHost) -> None:
    text = host.get("/api/return/text")
    assert (text.status_code, text.text) == (200, "text")
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    response = host.get("/api/return/response")
    assert (response.status_code, response.content) == (418, b"\x00\xff")
    assert response.headers["X-Answer"] == "42"
    assert response.headers["Content-Type"] == "image/x"
    assert response.cookies["a"] == "b"
    assert host.get("/api/return/empty").status_code == 204


def test_a_chunked_body_arrives_empty_and_is_not_taken_for_a_request(host: RunningHost) -> None:
    first = (
        b"POST /api/echo/1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    )
    second = b"GET /api/return/text HTTP/1.1\r\nConnection: close\r\n\r\n"
    with socket.create_connection(host.address) as connection, connection.makefile("rb") as answers:
        connection.sendall(first + second)
        heard = answers.read()
    assert heard.count(b"HTTP/1.1 200") == 2
    assert b'"body": ""' in heard


def test_a_body_over_the_limit_is_refused(host: RunningHost) -> None:
    assert host.post("/api/echo/1", data=b"x" * 1000).status_code == 200
    answer = host.post("/api/echo/1", data=b"x" * 1001)
    assert (answer.status_code, answer.content) == (413, b"")


def test_without_keys_every_level_is_open(host: RunningHost) -> None:
    assert host.get("/api/keyed").text == "keyed"
    assert host.get("/api/mastered").text == "mastered"


def test_with_keys_every_level_asks_for_its_own(start_host: StartHost) -> None:
    host = start_host("--master-key", "M", SIMULATOR_FUNCTION_KEY="F")
    table = [
        ("/api/keyed", {}, 401),
        ("/api/keyed?code=F", {}, 200),
        ("/api/keyed?code=M", {}, 200),
        ("/api/keyed", {"x-functions-key": "F"}, 200),
        ("/api/keyed?code=F", {"x-functions-key": "wrong"}, 401),  # the header wins
        ("/api/keyed", {"x-functions-key": "M"}, 200),
        ("/api/mastered", {"x-functions-key": "F"}, 401),
        ("/api/mastered", {"x-functions-key": "M"}, 200),
        ("/api/async", {}, 200),
        ("/admin/host/status", {}, 200),
    ]
    answers = [host.get(path, headers=headers) for path, headers, _ in table]
    assert [answer.status_code for answer in answers] == [status for _, _, status in table]
    assert answers[0].content == b""
    assert host.post("/admin/functions/tick", json={}).status_code == 401
    assert host.post("/admin/functions/tick", json={}, headers={"x-functions-key": "M"}).status_code == 202
    assert "code=" not in host.log()


# Administration and timers


def test_a_host_that_serves_says_so(host: RunningHost) -> None:
    answer = host.get("/admin/host/status")
    assert (answer.status_code, answer.json()) == (200, {"state": "Running"})


def test_other_functions_are_run_on_demand(host: RunningHost) -> None:
    text = f"by hand {uuid.uuid4()}"
    assert host.post("/admin/functions/on_message", json={"input": text}).status_code == 202
    wait_until(lambda: text in [record["content"] for record in host.records("message")])
    before = len(host.records("tick"))
    assert host.post("/admin/functions/TICK", json={"input": ""}).status_code == 202
    wait_until(lambda: len(host.records("tick")) > before)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/admin/functions/echo", b"{}", 400),  # HTTP functions have an address of their own
        ("/admin/functions/tick", b"", 400),
        ("/admin/functions/tick", b"[]", 400),
        ("/admin/functions/tick", b'{"input": 5}', 400),
        ("/admin/functions/nobody", b"{}", 404),
    ],
)
def test_what_cannot_be_run_on_demand_is_refused(
    host: RunningHost, path: str, body: bytes, status: int
) -> None:
    assert host.post(path, data=body).status_code == status


def test_timers_run_at_startup_and_on_time(start_host: StartHost) -> None:
    host = start_host(SCHEDULE="*/1 * * * * *")
    assert host.wait_for("startup") == [{"kind": "startup", "past_due": False}]
    assert host.wait_for("tick", 2)[0] == {"kind": "tick", "past_due": False}


# Queues


def test_a_handled_message_is_deleted(start_host: StartHost, queue: QueueClient) -> None:
    host = start_host(QUEUE=queue.queue_name)
    send(queue, "hello")
    record = host.wait_for("message")[0]
    assert (record["content"], record["dequeue_count"]) == ("hello", 1)
    assert record["id"]
    wait_until(lambda: count(queue) == 0)


def test_a_message_moves_to_the_poison_queue_after_the_last_attempt(
    start_host: StartHost, queue: QueueClient
) -> None:
    host = start_host(QUEUE=queue.queue_name)
    send(queue, "fail always")
    send(queue, "return something")  # a queue function that returns a value has failed
    poison = {record["content"] for record in host.wait_for("poison", 2)}
    assert poison == {"fail always", "return something"}
    attempts = sorted((record["content"], record["dequeue_count"]) for record in host.records("message"))
    assert attempts == [(content, number) for content in sorted(poison) for number in (1, 2)]
    wait_until(lambda: count(queue) == 0)


def test_text_that_is_not_base64_is_poison_at_once(
    start_host: StartHost, azurite: Azurite, queue: QueueClient
) -> None:
    queue.send_message("not base64!")
    host = start_host(**{"QUEUE": queue.queue_name, "AzureWebJobs.on_poison.Disabled": "1"})
    wait_until(lambda: count(queue) == 0)
    with closing(connect(azurite, f"{queue.queue_name}-poison")) as poison:
        assert [message.content for message in poison.peek_messages()] == ["not base64!"]
    assert host.records("message") == []


def test_what_fails_in_a_poison_queue_stays_there_unseen(
    start_host: StartHost, azurite: Azurite, queue: QueueClient
) -> None:
    host = start_host(QUEUE=queue.queue_name)
    with closing(connect(azurite, f"{queue.queue_name}-poison")) as poison:
        wait_until(lambda: _exists(poison))
        send(poison, "fail-again")
        host.wait_for("poison")
        wait_until(lambda: "fail-again" in host.log())
        assert count(poison) == 1
        assert poison.peek_messages() == []


def _exists(queue: QueueClient) -> bool:
    try:
        queue.get_queue_properties()
    except ResourceNotFoundError:
        return False
    return True


def test_a_message_whose_host_dies_comes_back_when_its_lease_ends(
    start_host: StartHost, queue: QueueClient
) -> None:
    send(queue, "sleep 60")
    first = start_host("--lease", "2", QUEUE=queue.queue_name)
    assert first.wait_for("message")[0]["dequeue_count"] == 1
    first.stop(signal.SIGKILL)
    second = start_host("--lease", "2", QUEUE=queue.queue_name)
    assert second.wait_for("message")[0]["dequeue_count"] == 2


def test_messages_run_side_by_side_up_to_the_bound(start_host: StartHost, queue: QueueClient) -> None:
    for _ in range(10):
        send(queue, "sleep 0.5")
    host = start_host(QUEUE=queue.queue_name)
    host.wait_for("slept", 10)
    running = most = 0
    for kind in host.kinds():
        running += {"message": 1, "slept": -1}.get(kind, 0)
        most = max(most, running)
    assert 4 <= most <= 6  # batchSize 4, newBatchThreshold 2


def test_a_client_that_hangs_up_does_no_harm(host: RunningHost) -> None:
    with socket.create_connection(host.address) as connection:
        connection.sendall(b"POST /api/echo/1 HTTP/1.1\r\nContent-Length: 500\r\n\r\nnot that much")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: "hung up" in host.log())
    assert host.get("/api/async").status_code == 200


@pytest.mark.long
def test_a_lease_is_renewed_while_the_function_runs(start_host: StartHost, queue: QueueClient) -> None:
    host = start_host("--lease", "2", QUEUE=queue.queue_name)
    send(queue, "sleep 5")
    host.wait_for("slept")
    wait_until(lambda: count(queue) == 0)
    assert len(host.records("message")) == 1


@pytest.mark.long
def test_a_host_outlives_its_storage(start_host: StartHost, tmp_path: Path) -> None:
    with Azurite(tmp_path / "storage") as own_azurite:
        own_azurite.stop()  # its ports are known, and nothing answers there
        host = start_host(SampleStorage=own_azurite.connection_string, QUEUE="work")
        wait_until(lambda: outages(host) == 1)
        assert host.get("/api/async").status_code == 200

        own_azurite.start()
        with closing(connect(own_azurite, "work")) as queue:
            wait_until(lambda: _exists(queue))
            send(queue, "before")
            host.wait_for("message")
            wait_until(lambda: count(queue) == 0)
            own_azurite.stop()
            wait_until(lambda: outages(host) == 2)
            own_azurite.start()
            send(queue, "after")
            assert [record["content"] for record in host.wait_for("message", 2)] == ["before", "after"]
        assert outages(host) == 2


def outages(host: RunningHost) -> int:
    return host.log().count("work: cannot be read")


# Start and end


def test_it_says_where_it_listens_and_what_it_runs(start_host: StartHost) -> None:
    host = start_host(**{"QUEUE": "work", "AzureWebJobs.switched_off.Disabled": "true"})
    assert host.first_line == f"listening on {host.url}\n"
    lines = host.read_functions(13)
    assert "echo http GET,POST /api/echo/{first:int}/{second?}" in lines
    assert "return_anything http * /api/return/{what}" in lines
    assert "switched_off http GET /api/switched-off (disabled)" in lines
    assert "on_poison queue work-poison" in lines
    assert f"tick timer {NEVER}" in lines


def test_what_the_app_logs_is_on_stderr(start_host: StartHost) -> None:
    host = start_host("--quiet")
    host.post("/admin/functions/on_message", json={"input": "log hello"})
    host.get("/api/return/error")
    wait_until(lambda: "[sample] INFO message said hello\n" in host.log())
    wait_until(lambda: "[Function.return_anything] ERROR failed: Traceback" in host.log())
    assert "nobody reads this" not in host.log()
    assert "/api/return/error" not in host.log()


def test_a_stopping_host_finishes_what_it_has_in_hand(start_host: StartHost, queue: QueueClient) -> None:
    host = start_host(QUEUE=queue.queue_name)
    send(queue, "sleep 1")
    host.wait_for("message")
    answers: list[str] = []
    asker = threading.Thread(target=lambda: answers.append(host.get("/api/slow?seconds=2").text))
    asker.start()
    host.wait_for("slow-began")
    assert host.stop() == 0
    asker.join()
    assert answers == ["done"]
    assert len(host.records("slept")) == 1
    assert count(queue) == 0
    with pytest.raises(requests.ConnectionError):
        host.get("/admin/host/status")


HELLO = """
@app.route("hello", methods=["GET"])
def hello(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hello")
"""
APP = f"import azure.functions as func\napp = func.FunctionApp()\n{HELLO}"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("import azure", "import azur", "ModuleNotFoundError"),
        ("func.FunctionApp()", "func.FunctionApp(", "SyntaxError"),
        (
            "app = func.FunctionApp()",
            "app = func.FunctionApp()\nsecond = func.FunctionApp()",
            "holds 2",
        ),
        ('"hello", methods', '"administrators", methods', "'admin'"),
        ('"hello", methods', '"{a}-{b}", methods', "neither a literal nor one parameter"),
        ("(req:", "(request:", "request"),
        ("(req: func.HttpRequest)", "(req: func.HttpRequest, more: int = 1)", "more"),
        ("(req: func.HttpRequest)", "(req: func.HttpRequest, context: int)", "context"),
        ("req: func.HttpRequest", "req: dict", "dict"),
        ("-> func.HttpResponse", "-> func.HttpResponse | None", "return"),
        ("-> func.HttpResponse", "-> dict", "return"),
        ("@app.route", '@app.blob_output("out", "a/b", "X")\n@app.route', "'blob'"),
        (
            HELLO,
            '@app.queue_trigger("m", "q", "Missing")\ndef q(m: func.QueueMessage) -> None: ...',
            "no setting Missing",
        ),
        (
            HELLO,
            '@app.timer_trigger("t", "*/5 * * * *")\ndef t(t: func.TimerRequest) -> None: ...',
            "six are needed",
        ),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_an_app_that_azure_would_not_load_is_not_run(
    tmp_path: Path, old: str, new: str, complaint: str, engine: str
) -> None:
    (tmp_path / "host.json").write_text("{}", encoding="utf-8")
    (tmp_path / "function_app.py").write_text(APP.replace(old, new), encoding="utf-8")
    ended = run_host("--app", str(tmp_path), "--engine", engine)
    assert ended.returncode == 1
    assert complaint in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("host_json", "complaint"),
    [
        (None, "host.json"),
        ("[", "host.json"),
        ('{"extensions": {"queues": {"batchSize": 33}}}', "batchSize"),
        ('{"extensions": {"queues": {"visibilityTimeout": "soon"}}}', "'soon'"),
    ],
)
def test_without_a_sound_host_json_nothing_runs(
    tmp_path: Path, host_json: str | None, complaint: str
) -> None:
    (tmp_path / "function_app.py").write_text(APP, encoding="utf-8")
    if host_json is not None:
        (tmp_path / "host.json").write_text(host_json, encoding="utf-8")
    ended = run_host("--app", str(tmp_path))
    assert ended.returncode == 1
    assert complaint in ended.stderr


def test_a_taken_port_is_an_error(host: RunningHost, tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("{}", encoding="utf-8")
    (tmp_path / "function_app.py").write_text(APP, encoding="utf-8")
    port = str(host.address[1])
    ended = run_host("--app", str(tmp_path), "--port", port)
    assert ended.returncode == 1
    assert f"port {port}" in ended.stderr


def run_host(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulator.host", "--port", "0", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


# The pure parts


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("a/{b}", "/a/x", {"b": "x"}),
        ("a/{b}", "/a", None),
        ("a/{b}", "/a//", None),
        ("a/{b?}", "/a", {}),
        ("a/{b?}/{c?}", "/a/x", {"b": "x"}),
        ("a/{b=z}", "/a", {"b": "z"}),
        ("a/{b=z}", "/a/x", {"b": "x"}),
        ("a/{*rest}", "/a/x/y", {"rest": "x/y"}),
        ("a/{*rest}", "/a", {}),
        ("{b:int}", "/2147483647", {"b": "2147483647"}),
        ("{b:int}", "/2147483648", None),
        ("{b:long}", "/-2147483649", {"b": "-2147483649"}),
        ("{b:bool}", "/True", {"b": "True"}),
        ("{b:bool}", "/1", None),
        ("{b:alpha}", "/aZ", {"b": "aZ"}),
        ("{b:alpha}", "/a1", None),
        ("{b:guid}", "/27646e0e-b520-4d2b-9411-bba7524947cd", {"b": "27646e0e-b520-4d2b-9411-bba7524947cd"}),
        ("{b:guid}", "/27646e0e", None),
        ("{b:int?}", "/", {}),
    ],
)
def test_a_template_matches_like_asp_net(template: str, path: str, values: dict[str, str] | None) -> None:
    assert RouteTemplate.parse(template).match(path) == values


@pytest.mark.parametrize(
    "template",
    ["admin", "Administrators/x", "runtime", "{a}{b}", "{a:regex(x)}", "{a?}/b", "{*rest}/b", "{a"],
)
def test_a_template_that_is_not_understood_is_refused(template: str) -> None:
    with pytest.raises(RouteError):
        RouteTemplate.parse(template)


def test_without_a_prefix_routes_begin_at_the_root() -> None:
    table = RouteTable([Route("f", frozenset({"GET"}), RouteTemplate.parse("a"))], prefix="")
    assert table.find("GET", "/a") is not None
    assert table.find("GET", "/api/a") is None


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("0 */5 * * * *", "2026-11-20T10:00:00", "2026-11-20T10:05:00"),
        ("0 */5 * * * *", "2026-11-20T10:04:59.5", "2026-11-20T10:05:00"),
        ("* * * * * *", "2026-12-31T23:59:59.9", "2027-01-01T00:00:00"),
        ("30 5/20 9-17 * * MON-FRI", "2026-11-20T17:45:30", "2026-11-23T09:05:30"),
        ("0 0 0 29 2 *", "2026-11-20T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 12 13 * fri", "2026-11-20T00:00:00", "2027-08-13T12:00:00"),  # the day and the weekday
        ("0 15,45 * * jan,dec 0", "2026-11-20T00:00:00", "2026-12-06T00:15:00"),
        ("0 0-30/10 8 * * *", "2026-11-20T08:30:00", "2026-11-21T08:00:00"),
    ],
)
def test_a_schedule_comes_next(text: str, after: str, expected: str) -> None:
    found = Schedule.parse(text).after(datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * * *",
        "60 * * * * *",
        "* * * 0 * *",
        "* * * * * 7",
        "a * * * * *",
        "*/0 * * * * *",
        "5-1 * * * * *",
        "1, * * * * *",
        "-1 * * * * *",
        "0 0 0 30 2 *",  # it never comes
        "00:05:00",
    ],
)
def test_what_is_not_a_schedule_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        Schedule.parse(text)


@pytest.mark.parametrize(
    ("queue_name", "dequeue_count", "succeeded", "disposition"),
    [
        ("work", 1, True, Disposition.DELETED),
        ("work", 9, True, Disposition.DELETED),
        ("work", 4, False, Disposition.RELEASED),
        ("work", 5, False, Disposition.POISONED),
        ("work", 6, False, Disposition.POISONED),
        ("work-poison", 1, True, Disposition.DELETED),
        ("work-poison", 1, False, Disposition.LEFT),
        ("work-poison", 9, False, Disposition.LEFT),
    ],
)
def test_the_disposition_of_a_message(
    queue_name: str, dequeue_count: int, succeeded: bool, disposition: Disposition
) -> None:
    assert decide_disposition(queue_name, dequeue_count, QueueOptions(), succeeded=succeeded) is disposition


# Azurite


def test_azurite_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from simulator.azurite import Azurite; import os, signal\n"
        f"azurite = Azurite(Path({str(tmp_path)!r})); azurite.start(); print(azurite.connection_string)\n"
        "import sys; sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    endpoint = next(part for part in killed.stdout.split(";") if part.startswith("QueueEndpoint="))
    assert killed.returncode == -signal.SIGKILL
    wait_until(lambda: not _answers(endpoint.removeprefix("QueueEndpoint=")))


def _answers(url: str) -> bool:
    try:
        requests.get(url, timeout=PATIENCE_SECONDS)
    except requests.ConnectionError:
        return False
    return True


@pytest.mark.long
def test_azurite_keeps_a_folder_and_its_ports_over_a_restart(tmp_path: Path) -> None:
    with Azurite(tmp_path) as own_azurite:
        before = own_azurite.connection_string
        with closing(connect(own_azurite, "kept")) as queue:
            queue.create_queue()
            send(queue, "hello")
            own_azurite.stop()
            own_azurite.start()
            assert own_azurite.connection_string == before
            assert count(queue) == 1
