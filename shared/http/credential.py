"""The app's own identity in Entra: tokens fetched once and ahead, and a hiccup told from a refusal."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from azure.core.exceptions import AzureError, ClientAuthenticationError, DecodeError
from azure.core.pipeline.transport import RequestsTransport

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

_RETRIES: dict[str, Any] = {"retry_total": 2, "retry_backoff_factor": 0.3}
# azure-identity's own are 300 seconds, longer than anybody who waits for a token does.
_PATIENCE = {"connection_timeout": 3, "read_timeout": 5}
# Where a virtual machine has its identity endpoint. Without one nobody answers there: no hiccup, no identity.
# https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
_ON_A_MACHINE = "169.254.169.254"
_NOT_NOW = "the identity endpoint, or Entra, gave no answer or failed: no token this time"
_PASSING = frozenset({408, 429})


class IdentityUnavailable(ClientAuthenticationError):
    """No token this time: the identity endpoint, or Entra, gave no answer or failed.

    Azure's clients try again after any other error. azure-identity has done so already, and somebody waits.
    """


class Witness(RequestsTransport):  # type: ignore[misc]  # azure-core does not say what it is
    """A transport that remembers how the last request of each thread ended.

    azure-identity raises one class of errors for a refusal, a failure and a connection that broke.
    """

    def __init__(self, bundle: str | None = None) -> None:
        # A session of its own from the start: threads that ask at once would make two.
        super().__init__(
            session=requests.Session(), session_owner=False, connection_verify=bundle or True, **_PATIENCE
        )
        self._last = threading.local()

    def send(self, request: Any, **options: Any) -> Any:
        self._last.has_asked = True
        self._last.failed = urlsplit(request.url).hostname != _ON_A_MACHINE
        answer = super().send(request, **options)
        # A page is that of something in between.
        is_page = "html" in (answer.headers.get("Content-Type") or "").lower()
        self._last.failed = answer.status_code >= 500 or answer.status_code in _PASSING or is_page
        return answer

    def forget(self) -> None:
        self._last.has_asked = self._last.failed = False

    @property
    def failed(self) -> bool | None:
        """Whether the last request of this thread failed or had no answer; None if it made none since."""
        return self._last.failed if getattr(self._last, "has_asked", False) else None


def new_credential(client_id: str, *, is_managed: bool, bundle: str | None = None) -> "Credential":
    """Return a managed identity; or a service principal or a developer's login, if there is one."""
    witness = Witness(bundle)

    def make() -> "TokenCredential":
        # Slow to import, and few runs need it.
        from azure.identity import DefaultAzureCredential, ManagedIdentityCredential  # noqa: PLC0415

        options: dict[str, Any] = {**_RETRIES, "transport": witness}
        if is_managed:
            return ManagedIdentityCredential(client_id=client_id or None, **options)
        if client_id:
            options["managed_identity_client_id"] = client_id
        return DefaultAzureCredential(**options)

    return Credential(make, witness)


class Credential:
    """What every client signs in with; threads may share it.

    It is made with the first token. Whoever wants a token that is on its way waits for that one, so that a
    fresh instance asks once for each resource. What was fetched is kept and renewed by azure-identity.
    ``witness`` is the transport of what ``make`` makes.
    """

    def __init__(self, make: "Callable[[], TokenCredential]", witness: Witness | None = None) -> None:
        self._make = make
        self._witness = witness or Witness()
        self._made: TokenCredential | None = None
        self._making = threading.Lock()
        self._hiccups: set[tuple[str, ...]] = set()
        self._under_way: dict[object, Future[AccessToken]] = {}
        self._lock = threading.Lock()

    def get_token(self, *scopes: str, **options: Any) -> "AccessToken":
        """Return a token as azure.core's TokenCredential does; raise the errors of azure.core."""
        wanted = (scopes, *sorted(options.items()))
        with self._lock:
            under_way = self._under_way.get(wanted)
            if under_way is None:
                mine: Future[AccessToken] = Future()
                self._under_way[wanted] = mine
        if under_way is not None:
            return under_way.result()
        try:
            mine.set_result(self._fetched(*scopes, **options))
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[wanted]
        return mine.result()

    def _fetched(self, *scopes: str, **options: Any) -> "AccessToken":
        self._witness.forget()
        try:
            token = self._credential().get_token(*scopes, **options)
        except (AzureError, json.JSONDecodeError) as error:
            if self._is_hiccup(scopes) or isinstance(error, DecodeError | json.JSONDecodeError):
                self._hiccups.add(scopes)
                raise IdentityUnavailable(_NOT_NOW) from None
            self._hiccups.discard(scopes)
            raise
        self._hiccups.discard(scopes)
        return token

    def _is_hiccup(self, scopes: tuple[str, ...]) -> bool:
        # azure-identity quirk: it repeats a failure for five seconds without asking
        # (docs/vendor_quirks.md#storage).
        failed = self._witness.failed
        return scopes in self._hiccups if failed is None else failed

    def fetch_ahead(self, *scopes: str) -> None:
        """Fetch a token for each scope in the background, one after the other.

        An error is left to whoever needs the token: asking again then raises it where it is dealt with.
        """
        threading.Thread(target=self._fetch, args=(scopes,), name="fetch tokens ahead", daemon=True).start()

    def _fetch(self, scopes: tuple[str, ...]) -> None:
        for scope in scopes:
            with suppress(Exception):
                self.get_token(scope)

    def _credential(self) -> "TokenCredential":
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made
