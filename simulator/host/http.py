"""HTTP triggers and the host's own administration: from a request to an answer, without the network."""

import hmac
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from azure.functions.meta import Datum

from simulator.host.app import HostedFunction, HttpTrigger, TimerTrigger
from simulator.host.engine import InvocationFailed
from simulator.host.queues import queue_datum
from simulator.host.routes import RouteTable
from simulator.host.timers import timer_datum
from simulator.host.work import Work, report


@dataclass(frozen=True)
class Request:
    """What arrived. Header names are lower-cased; `body` is None when it was too large to be taken."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def url(self) -> str:
        return f"http://{self.headers.get('host', '127.0.0.1')}{self.target}"

    def query(self) -> dict[str, str]:
        # Functions quirk: an empty value is dropped, repeated ones are joined with a comma
        # (GrpcMessageConversionExtensions.cs).
        values: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.target.partition("?")[2]):
            values.setdefault(name, []).append(value)
        return {name: ",".join(several) for name, several in values.items()}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @classmethod
    def from_datum(cls, answer: Datum | None) -> "Answer":
        """Read what a function returned, or raise ValueError for what the server could not send."""
        if answer is None:
            raise ValueError("an HTTP function without a return binding has no answer")
        if answer.type == "string":
            return cls(200, (("Content-Type", "text/plain; charset=utf-8"),), answer.value.encode())
        headers = [(name, value.value) for name, value in answer.value["headers"].items()]
        for cookie in answer.value["cookies"] or ():
            headers += [("Set-Cookie", morsel.OutputString()) for morsel in cookie.values()]
        status = int(answer.value["status_code"].value)
        if not 200 <= status <= 999:
            raise ValueError(f"{status} is no status of an answer")
        for name, value in headers:
            if not (value.isascii() and value.isprintable()):
                raise ValueError(f"the header {name} holds what a header may not hold")
        return cls(status, tuple(headers), answer.value["body"].value)


@dataclass(frozen=True)
class Keys:
    """The keys that callers must offer. Without any, everything is open, as under `func start`."""

    function: str | None = field(default=None, repr=False)
    master: str | None = field(default=None, repr=False)

    def admit(self, auth_level: str, request: Request) -> bool:
        if auth_level == "anonymous" or (self.function is None and self.master is None):
            return True
        # Functions quirk: the header wins over the query (AuthenticationLevelHandler.cs).
        offered = request.headers.get("x-functions-key") or request.query().get("code", "")
        accepted = [self.master] if auth_level == "admin" else [self.function, self.master]
        return any(hmac.compare_digest(offered.encode(), key.encode()) for key in accepted if key)


class Site:
    """Everything that can be asked of one host over HTTP."""

    def __init__(self, functions: Iterable[HostedFunction], prefix: str, keys: Keys, work: Work) -> None:
        self._functions = {function.name.casefold(): function for function in functions}
        self._keys = keys
        self._work = work
        enabled = [function for function in functions if not function.is_disabled]
        self._entrances = {
            function.trigger.route: (function, function.trigger)
            for function in enabled
            if isinstance(function.trigger, HttpTrigger)
        }
        self._routes = RouteTable(self._entrances, prefix)

    def answer(self, request: Request) -> Answer:
        if request.path.lower().startswith("/admin/"):
            return self._administer(request)
        found = self._routes.find(request.method, request.path)
        if found is None:
            return Answer(404)
        route, parameters = found
        function, trigger = self._entrances[route]
        if not self._keys.admit(trigger.auth_level, request):
            return Answer(401)
        return Answer(413) if request.body is None else self._run(function, request, parameters)

    def _run(self, function: HostedFunction, request: Request, parameters: Mapping[str, str]) -> Answer:
        try:
            answer = self._work.run(function, _http_datum(request, parameters))
            return Answer.from_datum(answer)
        except InvocationFailed:
            return Answer(500)
        except ValueError as error:
            report(function.name, str(error))
            return Answer(500)

    def _administer(self, request: Request) -> Answer:
        if request.path.lower() == "/admin/host/status":
            return Answer(200, (("Content-Type", "application/json"),), b'{"state": "Running"}')
        if not self._keys.admit("admin", request):
            return Answer(401)
        folder, _, name = request.path.rpartition("/")
        function = self._functions.get(name.casefold())
        if request.method != "POST" or folder.lower() != "/admin/functions" or function is None:
            return Answer(404)
        text = _read_input(request.body or b"")
        if text is None or isinstance(function.trigger, HttpTrigger):
            return Answer(400)
        trigger = function.trigger
        datum = timer_datum(trigger) if isinstance(trigger, TimerTrigger) else queue_datum(text.encode())
        accepted = threading.Event()
        threading.Thread(
            target=self._run_in_background, args=(function, datum, accepted), daemon=True
        ).start()
        # A host that is stopped right after this answer still waits for the run.
        accepted.wait()
        return Answer(202)

    def _run_in_background(self, function: HostedFunction, datum: Datum, accepted: threading.Event) -> None:
        with self._work.piece():
            accepted.set()
            self._work.try_run(function, datum)


def _read_input(body: bytes) -> str | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    text = document.get("input", "") if isinstance(document, dict) else None
    return text if isinstance(text, str) else None


def _http_datum(request: Request, parameters: Mapping[str, str]) -> Datum:
    return Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(request.url, "string"),
            "headers": _strings(request.headers),
            "query": _strings(request.query()),
            "params": _strings(parameters),
            "body": Datum(request.body, "bytes"),
        },
        "http",
    )


def _strings(values: Mapping[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}
