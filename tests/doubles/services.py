"""The services of the app, wired to the doubles, so that handlers and settling run on them unchanged."""

import itertools
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from shared.ado.process import ProcessCache
from shared.domain.configuration import DEFAULT_SENTRY_URL
from shared.domain.connection import Connection, Identity, sentry_id
from shared.domain.ports import AdoHooks
from shared.services import Services, Waiting, verify_not_taken
from shared.settings import Settings
from shared.store.organizations import Organization, OrganizationStore
from simulator.ado.catalog import default_catalog
from tests.doubles.ado import MemoryAdo
from tests.doubles.queues import MemoryQueue
from tests.doubles.sentry import ORGANIZATION_ID, MemorySentry
from tests.doubles.subscriptions import MemorySubscriptions
from tests.doubles.tables import MemoryTable

if TYPE_CHECKING:
    from shared.ado.client import AdoClient
    from shared.sentry.client import SentryClient
    from shared.store.tables import Table

ADO_SECRET = "ado-webhook-secret"
SENTRY_SECRET = "sentry-client-secret"
# Who is behind the doubles, for a test that wants nobody to be asked.
KNOWN = Connection(
    ado=Identity(ids=(default_catalog("fabrikam", projects=5).account_id,)),
    sentry=Identity(ids=(sentry_id(DEFAULT_SENTRY_URL, ORGANIZATION_ID),)),
)
SETTINGS = Settings(
    {
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        "ADO_WEBHOOK_SECRET": ADO_SECRET,
        "SENTRY_CLIENT_SECRET": SENTRY_SECRET,
        "SENTRY_TOKEN": "sentry-token",
    }
)


def _never(_seconds: float, _call: Callable[[], None]) -> None:
    """Leave what was counted in memory until somebody wants to read it, or a test flushes the ledger."""


class MemoryServices(Services):
    """Everything in memory, on a clock that only a test moves; ``tokens`` name the units of work readably.

    Nobody waits for a pause to end, unless a test says what happens meanwhile. Health is looked at each time.
    """

    keeps_health_for = 0.0

    def __init__(
        self,
        ado: MemoryAdo,
        sentry: MemorySentry,
        clock: Callable[[], float],
        settings: Settings = SETTINGS,
        pause: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        super().__init__(settings, clock, pause=pause, later=_never)
        self.processes = ProcessCache(clock)
        self._ado = ado
        self._sentry = sentry
        # What stands between the app and ``ado_hooks``, if a test wants something to.
        self.watched_hooks: AdoHooks | None = None
        self._named: dict[str, Table] = {}
        self._tokens = itertools.count(1)

    @cached_property
    def organizations(self) -> OrganizationStore:
        return OrganizationStore(self._table("organizations"), self.clock)

    @cached_property
    def inbound(self) -> MemoryQueue:
        return MemoryQueue(self.clock)

    @cached_property
    def outbound(self) -> MemoryQueue:
        return MemoryQueue(self.clock)

    def ado(self, organization: Organization) -> "AdoClient":
        # The double has the methods of the port, which is all that settling and linking use.
        verify_not_taken(organization, "ado")
        return cast("AdoClient", self._ado)

    def ado_at_once(self, organization: Organization) -> "AdoClient":
        return self.ado(organization)

    @cached_property
    def ado_hooks(self) -> MemorySubscriptions:
        return MemorySubscriptions(self.clock)

    def subscriptions(self, organization: Organization) -> AdoHooks:
        return self.watched_hooks or self.ado_hooks

    def sentry(self, organization: Organization) -> "SentryClient":
        verify_not_taken(organization, "sentry")
        return cast("SentryClient", self._sentry)

    def sentry_at_once(self, organization: Organization) -> "SentryClient":
        return self.sentry(organization)

    @property
    def waiting(self) -> list[Waiting]:
        return []

    def try_webhook(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        return 400, {"error": "malformed-payload"}

    def new_token(self) -> str:
        return f"{next(self._tokens):08d}"

    def _table(self, name: str) -> "Table":
        return self._named.setdefault(name, MemoryTable())
