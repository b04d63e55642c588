"""The fake Azure DevOps: an organization behind a real HTTP server, in-process or alone."""

import argparse
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from werkzeug.serving import WSGIRequestHandler, make_server

from simulator.ado.feed_routes import add_feed_routes
from simulator.ado.hook_routes import add_hook_routes
from simulator.ado.http import Gate, connect
from simulator.ado.item_routes import add_item_routes
from simulator.ado.organization import TOKEN, Organization
from simulator.ado.page import add_page
from simulator.ado.project_routes import add_project_routes
from simulator.alone import is_restored, serve
from simulator.clock import dated
from simulator.kept import Kept
from simulator.routes import web_app

LOOPBACK = "127.0.0.1"


def served(organization: Organization) -> Gate:
    """Build the WSGI application of one organization."""
    app = web_app("simulator.ado")
    connect(app, organization)
    add_item_routes(app, organization)
    add_feed_routes(app, organization)
    add_project_routes(app, organization)
    add_hook_routes(app, organization)
    add_page(app, organization)
    return Gate(app.wsgi_app, organization)


class QuietHandler(WSGIRequestHandler):
    """Logs no request: a line for each would bury the one with the address."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Keep quiet; the page and ``calls`` show the requests."""


class FakeAdo(Organization):
    """An organization that can be reached at ``url`` while the ``with`` block lasts.

    ``url`` is the server, ``organization_url`` what a client is configured with, ``search_url`` stands for
    the search host and ``resource_areas_url`` for the look-up by account.
    """

    def __init__(
        self, name: str = "fabrikam", *, port: int = 0, url: str | None = None, **choices: Any
    ) -> None:
        super().__init__(name, **choices)
        handler = dated(QuietHandler, lambda: self.clock_ahead)
        self._server = make_server(LOOPBACK, port, served(self), threaded=True, request_handler=handler)
        self._thread = threading.Thread(target=self._serve, name="fake-ado", daemon=True)
        self.url = (url or f"http://{LOOPBACK}:{self._server.server_port}").rstrip("/")
        self.primary_url = f"{self.url}/{name}"

    @property
    def organization_url(self) -> str:
        return f"{self.url}/{self.name}/"

    @property
    def search_url(self) -> str:
        return f"{self.url}/_search/{self.name}/"

    @property
    def resource_areas_url(self) -> str:
        return f"{self.url}/_apis/resourceareas"

    def __enter__(self) -> Self:
        self.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self) -> None:
        # The server checks this often whether to stop, and every test stops one.
        self._server.serve_forever(poll_interval=0.005)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="simulator.ado", description="A simulated Azure DevOps organization."
    )
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--url", help="the address others reach this server at, if not the one it listens on")
    parser.add_argument("--organization", default="fabrikam")
    parser.add_argument(
        "--token", default=TOKEN, help="accepted as a personal access token and as a bearer token"
    )
    parser.add_argument("--projects", type=int, default=5, help="how many projects there are at least")
    parser.add_argument(
        "--time-scale", type=float, default=1.0, help="0.01 makes a minute of waiting 0.6 seconds"
    )
    parser.add_argument(
        "--search-lag", type=float, default=3.0, help="seconds until search finds a change (scaled)"
    )
    parser.add_argument(
        "--empty", action="store_true", help="start without the work items of the demonstration"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="go on with what is in it, and keep it there"
    )
    chosen = parser.parse_args(arguments)
    ado = FakeAdo(
        chosen.organization,
        port=chosen.port,
        url=chosen.url,
        token=chosen.token,
        projects=chosen.projects,
        time_scale=chosen.time_scale,
        search_lag=chosen.search_lag,
    )
    kept = kept_in(chosen.keep, ado) if chosen.keep else None
    if not is_restored(kept) and not chosen.empty:
        ado.seed()
    serve(ado, kept)


def kept_in(path: Path, ado: FakeAdo) -> Kept:
    return Kept(
        path,
        ado.lock,
        catalog=ado.catalog,
        work_items=ado.work_items,
        hooks=ado.hooks,
        index=ado.index,
        revision_log=ado.revision_log,
    )
