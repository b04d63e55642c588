"""The identity endpoint of an app in Azure: hands out tokens, late or never if a test says so.

https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
"""

import base64
import hmac
import json
import secrets
import threading
import time
from collections.abc import Collection, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

LOOPBACK = "127.0.0.1"
VERSION = "2019-08-01"
# Whoever takes our tokens looks at these (Azurite with --oauth basic), and at no signature.
ISSUER = "https://sts.windows.net/00000000-0000-4000-8000-000000000000/"


class IdentityEndpoint:
    """One endpoint on a port of 127.0.0.1; ``environment`` leads azure-identity to it.

    ``delay`` is in seconds, ``http_status`` other than 200 refuses, ``lifetime`` is how long a token lasts.
    One that ``hangs_up`` gives no answer; a ``page`` is that of a proxy in front of it. With ``client_ids``
    the app has these user-assigned identities and no other: whoever names none, or another one, is refused.
    """

    def __init__(
        self,
        *,
        delay: float = 0.0,
        http_status: int = 200,
        lifetime: int = 86_400,
        client_ids: Collection[str] = (),
    ) -> None:
        self.delay = delay
        self.http_status = http_status
        self.lifetime = lifetime
        self.client_ids = client_ids
        self.hangs_up = False
        self.page = ""
        # Which resource all this is about; empty means every one.
        self.only_for = ""
        self.asked: list[str] = []
        self.clients: list[str | None] = []
        self._header = secrets.token_hex(16)
        self._stopping = threading.Event()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                http_status, body = endpoint.answer(self.path, self.headers.get("X-IDENTITY-HEADER", ""))
                if endpoint.hangs_up and endpoint.only_for in self.path:
                    self.close_connection = True
                    return
                content = endpoint.page.encode() or json.dumps(body).encode()
                self.send_response(http_status)
                self.send_header("Content-Type", "text/html" if endpoint.page else "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
                """Keep quiet; ``asked`` has the resources that tokens were asked for."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def environment(self) -> Mapping[str, str]:
        url = f"http://{LOOPBACK}:{self._server.server_port}/msi/token"
        return {"IDENTITY_ENDPOINT": url, "IDENTITY_HEADER": self._header}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, header: str) -> tuple[int, dict[str, Any]]:
        """Answer one request; only who knows the header, and so runs inside the app, gets a token."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        if not hmac.compare_digest(header.encode(), self._header.encode()):
            return 401, {"statusCode": 401, "message": "Unauthorized"}
        if query.get("api-version") != VERSION or "resource" not in query:
            return 400, {"statusCode": 400, "message": "Bad Request"}
        self.asked.append(query["resource"])
        self.clients.append(query.get("client_id"))
        self._stopping.wait(self.delay)
        if self.client_ids and query.get("client_id") not in self.client_ids:
            return 400, {"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found"}
        if self.http_status != 200 and self.only_for in query["resource"]:
            return self.http_status, {"statusCode": self.http_status, "message": "No token"}
        expires = int(time.time()) + self.lifetime
        return 200, {
            "access_token": _token(query["resource"], expires),
            "expires_on": str(expires),
            "resource": query["resource"],
            "token_type": "Bearer",
            "client_id": query.get("client_id", "system-assigned"),
        }


def _token(resource: str, expires: int) -> str:
    now = int(time.time())
    claims = {"aud": resource, "iss": ISSUER, "iat": now, "nbf": now - 60, "exp": expires}
    parts = ({"typ": "JWT", "alg": "RS256"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])
