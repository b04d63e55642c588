"""What applies to every request: credentials, API versions, faults, error bodies and headers."""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Flask, Response, g, jsonify, request
from werkzeug.wrappers import Response as PlainResponse

from simulator.ado.catalog import Person, guid
from simulator.ado.errors import Refused, Unroutable, bad_request, unauthorized
from simulator.ado.faults import HTML, SIGN_IN, Fault
from simulator.ado.items import Wish
from simulator.ado.organization import Call, Organization
from simulator.ado.render import Renderer, Urls
from simulator.ado.scopes import is_within

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# https://learn.microsoft.com/rest/api/azure/devops: these have no release without "-preview".
COMMENTS = frozenset({"list_comments", "add_comment", "get_comment", "edit_comment", "delete_comment"})
PREVIEW_ONLY = COMMENTS | {"connection_data", "resource_area"}
# Asked without credentials: the page of the simulator, and the address of an organization.
OPEN_TO_ALL = frozenset({"page", "edit_on_page", "resource_area", "static"})
VERSION = re.compile(r"(?P<number>\d+\.\d+)(?P<preview>-preview(\.\d+)?)?")
# Those that ever were more than a preview.
# https://learn.microsoft.com/azure/devops/integrate/concepts/rest-api-versioning#supported-versions
RELEASES = (1.0, 2.0, 2.1, 2.2, 3.0, 3.1, 3.2, 4.0, 4.1, 5.0, 5.1, 6.0, 7.0, 7.1)
# Released later than the rest of their version.
# https://github.com/MicrosoftDocs/vsts-rest-api-specs/tree/master/specification/search
RELEASED_IN = {"search_work_items": 7.0}


def connect(app: Flask, organization: Organization) -> None:
    """Put the checks before and the error bodies behind every route of an app."""
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it; the base class does not

    @app.before_request
    def check() -> Response | None:
        if request.endpoint in OPEN_TO_ALL:
            return None
        if request.endpoint is None:
            raise Unroutable(request.path)
        segment = str((request.view_args or {}).get("organization", ""))
        if segment.casefold() != organization.name.casefold():
            # What the service answers for an organization that does not exist was not confirmed.
            raise Unroutable(request.path)
        g.person = _authenticated(organization)
        if g.person is None:
            return _refuse_stranger()
        if not is_within(organization.scopes, request.method, request.path):
            # ADO quirk: a scope that a token lacks is a 401 as well
            # (azure-devops-migration-tools pull request 2057, azure-repos-vscode issue 20).
            raise unauthorized()
        _check_version(organization.newest_version)
        return None

    @app.errorhandler(Refused)
    def refuse(refused: Refused) -> tuple[Response, int]:
        return jsonify(refused.to_json()), refused.http_status

    @app.errorhandler(Unroutable)
    @app.errorhandler(404)
    @app.errorhandler(405)
    def lead_nowhere(_: Exception) -> Response:
        text = f"The controller for path '{request.path}' was not found or does not implement IController."
        answer = Response(text, 404, content_type="text/plain; charset=utf-8")
        answer.headers["X-TFS-ServiceError"] = quote(text)
        return answer

    @app.after_request
    def add_headers(answer: Response) -> Response:
        person = g.get("person")
        answer.headers["ActivityId"] = answer.headers["X-VSS-E2EID"] = guid(
            "activity", len(organization.calls)
        )
        if person is not None:
            answer.headers["X-VSS-UserData"] = f"{person.id}:{person.unique_name}"
        version = _asked_version()
        if answer.mimetype == "application/json" and version:
            answer.headers["Content-Type"] = f"application/json; charset=utf-8; api-version={version}"
        return answer


def _authenticated(organization: Organization) -> Person | None:
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    if scheme.casefold() == "bearer":
        return organization.tokens.get(credential.strip())
    if scheme.casefold() != "basic":
        return None
    try:
        # Any user name will do; the token is the password.
        password = base64.b64decode(credential, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return None
    return organization.tokens.get(password)


def _refuse_stranger() -> Response:
    # ADO quirk: a bad token gets a page to sign in with, and not a 401, unless the caller sends
    # X-TFS-FedAuthRedirect: Suppress or the method is PATCH (azure-devops-auth-samples issue 52).
    suppressed = request.headers.get("X-TFS-FedAuthRedirect", "").casefold() == "suppress"
    if request.method in {"GET", "POST"} and not suppressed:
        return Response(SIGN_IN, 203, content_type=HTML)
    raise unauthorized()


def _asked_version() -> str:
    in_accept = re.search(r"api-version=([^;,\s]+)", request.headers.get("Accept", ""))
    return request.args.get("api-version") or (in_accept[1] if in_accept else "")


def _check_version(newest: float) -> None:
    asked = _asked_version()
    if not asked:
        if request.method == "GET":
            return
        raise bad_request(
            f'No api-version was supplied for the "{request.method}" request. The version must be supplied'
            ' either as part of the Accept header (e.g. "application/json; api-version=1.0") or as a query'
            ' parameter (e.g. "?api-version=1.0").',
            "VssVersionNotSpecifiedException",
        )
    version = VERSION.fullmatch(asked)
    if version is None or not 1.0 <= float(version["number"]) <= newest:
        # The words are those of azure-devops-extension-sample issue 161.
        raise bad_request(
            f"The requested REST API version of {asked} is out of range for this server. The latest REST API"
            f" version this server supports is {newest}.",
            "VssVersionOutOfRangeException",
        )
    is_preview = version["preview"] is not None
    if not is_preview and not _is_released(float(version["number"])):
        raise bad_request(
            f'The requested version "{asked}" of the resource is under preview. The -preview flag must be'
            f' supplied in the api-version for such requests. For example: "{asked}-preview"',
            "VssInvalidPreviewVersionException",
        )


def _is_released(number: float) -> bool:
    endpoint = request.endpoint or ""
    return endpoint not in PREVIEW_ONLY and number in RELEASES and number >= RELEASED_IN.get(endpoint, 0.0)


def renderer(organization: Organization) -> Renderer:
    """Spell URLs with the host that this request was sent to."""
    return Renderer(organization.catalog, Urls(f"{request.host_url}{organization.name}"))


def wish() -> Wish:
    """Read who asks for a write, and its switches.

    suppressNotifications is not among them: whether it silences service hooks is contradicted by users, so it
    silences nothing here, which is the harder case for a client.
    """
    return Wish(g.person, is_switched_on("bypassRules"), is_switched_on("validateOnly"))


def is_switched_on(name: str) -> bool:
    return request.args.get(name, "").casefold() == "true"


def json_body() -> Any:
    return request.get_json(force=True, silent=True)


def listed(values: list[Any]) -> dict[str, Any]:
    return {"count": len(values), "value": values}


def paged(values: list[Any], default: int) -> list[Any]:
    skip = request.args.get("$skip", 0, type=int)
    return values[skip : skip + request.args.get("$top", default, type=int)]


class Gate:
    """The WSGI layer around the app: paths in any case, faults, the lock, and the list of calls."""

    def __init__(self, app: "WSGIApplication", organization: Organization) -> None:
        self._app = app
        self._organization = organization

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = str(environ["PATH_INFO"]).encode("latin-1").decode("utf-8", "replace")
        method = str(environ["REQUEST_METHOD"])
        # ADO quirk: paths are the same in any case; both workItems and workitems are in use.
        environ["PATH_INFO"] = path.lower().encode("utf-8").decode("latin-1")
        if "/_apis/" not in path:
            return self._answer(environ)(environ, start_response)
        with self._organization.lock:
            fault = self._organization.faults.take(method, path) or self._organization.allowance.use()
        answer = self._faulty(fault, environ, method, path) if fault else self._answer(environ)
        self._note(method, path, answer.status_code)
        return answer(environ, start_response)

    def _answer(self, environ: "WSGIEnvironment") -> PlainResponse:
        with self._organization.lock:
            return PlainResponse.from_app(self._app, environ, buffered=True)

    def _faulty(self, fault: Fault, environ: "WSGIEnvironment", method: str, path: str) -> PlainResponse:
        answer = PlainResponse(fault.body)
        if fault.lands:
            answer = self._answer(environ)
        if fault.hang:
            self._organization.stopping.wait(fault.hang)
        if fault.drops:
            self._note(method, path, 0)
            _hang_up(environ)
        if fault.http_status is not None:
            answer = PlainResponse(fault.body, fault.http_status)
        answer.headers.update(fault.headers)
        return answer

    def _note(self, method: str, path: str, http_status: int) -> None:
        with self._organization.lock:
            self._organization.calls.append(Call(method, path, http_status))


def _hang_up(environ: "WSGIEnvironment") -> None:
    """Close the connection under the server, which takes the error for a client that went away."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(2)
    raise ConnectionAbortedError("ordered by a fault")
