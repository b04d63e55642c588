"""The app's own identity in Entra: one credential for storage and Azure DevOps, with tokens fetched ahead."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

# azure-identity's own are 300 seconds, longer than anybody who waits for a token does.
_PATIENCE = {"connection_timeout": 3, "read_timeout": 5, "retry_total": 2}


def _default() -> "TokenCredential":
    """Return a managed identity, a service principal or a developer's login: what the environment has."""
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415  # slow to import, and few runs need it

    return DefaultAzureCredential(**_PATIENCE)


class Credential:
    """What every client signs in with; threads may share it.

    It is made with the first token. Whoever wants a token that is on its way waits for that one, so that a
    fresh instance asks once for each resource. What was fetched is kept and renewed by azure-identity.
    """

    def __init__(self, make: "Callable[[], TokenCredential]" = _default) -> None:
        self._make = make
        self._made: TokenCredential | None = None
        self._making = threading.Lock()
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
            mine.set_result(self._credential().get_token(*scopes, **options))
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[wanted]
        return mine.result()

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
