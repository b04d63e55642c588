"""The composition root: builds the collaborators of the functions, each on first use."""

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from azure.core.pipeline.transport import RequestsTransport
from msgspec.structs import replace
from requests.auth import AuthBase

from shared.ado.auth import SCOPE as ADO_SCOPE
from shared.ado.auth import EntraAuth, NoToken, personal_access_token
from shared.ado.client import AdoClient
from shared.ado.fields import FieldCache
from shared.ado.finding import WorkItemFinder
from shared.ado.location import find_base_url
from shared.ado.process import ProcessCache
from shared.ado.subscriptions import Subscriptions
from shared.domain.addresses import origin_of, search_url_for
from shared.domain.configuration import Configuration
from shared.domain.connection import Identity as Known
from shared.domain.errors import MissingSetting, OrganizationGone, StalePrecondition
from shared.domain.ports import AdoHooks, Queue
from shared.domain.secrecy import spellings_of
from shared.http import BackOff, Caller, Presence, Session, new_session
from shared.http.credential import Credential, new_credential
from shared.http.pace import Pace
from shared.http.seats import Seats
from shared.http.trust import Trust, trust_in
from shared.sentry.client import BearerAuth, MemberCache, SentryClient
from shared.settings import Identity, Settings
from shared.settling.names import NameCache
from shared.settling.observing import Observer, UnitOfWork
from shared.settling.partners import Partners
from shared.settling.settler import Settler
from shared.store.activity import ActivityStore
from shared.store.examinations import ExaminationStore
from shared.store.forbidden import ForbiddenStore
from shared.store.foreign import ForeignStore
from shared.store.hooks import HookStore
from shared.store.idempotency import IdempotencyStore
from shared.store.ledger import Later, Ledger, start_later
from shared.store.links import LinkStore
from shared.store.organizations import Organization, OrganizationStore
from shared.store.progress import ProgressStore
from shared.store.queues import INBOUND_QUEUE, OUTBOUND_QUEUE, POISON, AzureQueue, queue_client
from shared.store.rotations import RotationStore
from shared.store.scopes import ScopeStore
from shared.store.submissions import SubmissionStore
from shared.store.tables import SCOPE as STORAGE_SCOPE
from shared.store.tables import AzureTable, Table, table_service
from shared.store.traffic import TrafficStore
from shared.store.transport import new_transport

_ASKED_EVERY = 600.0  # seconds; somebody may have given our token a scope that it lacked

# Seconds after which the rest of a message's links is put back. The link that is begun last may take another
# minute; host.json ends any function after ten.
_UNIT_OF_WORK = 100.0


class Services:
    """Everything with a connection or a cache. Threads may share it; nothing opens before its first use."""

    # Seconds for which an answer of ``health`` is given again: anybody may ask for it.
    keeps_health_for = 10.0

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        credential: Credential | None = None,
        pause: Callable[[float], None] = time.sleep,
        later: Later = start_later,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.pause = pause
        self.seats = Seats(settings.threads)
        self.form_pace = Pace(clock)
        self.processes = ProcessCache()
        self.fields = FieldCache()
        self._given_credential = credential
        self._members = MemberCache()
        self._presence = Presence()
        self._names = NameCache()
        self._back_offs: dict[tuple[str, str, str], BackOff] = {}
        # The base URL found for each version (slug, ETag) of a document, for callers that hold that version.
        self._located: dict[tuple[str, str], str] = {}
        # The check of a document's mapping that took longer than one request, by slug.
        self.unfinished_checks: dict[str, UnfinishedCheck] = {}
        self._asked_at: dict[str, float] = {}
        self.later = later

    @cached_property
    def organizations(self) -> OrganizationStore:
        return OrganizationStore(self._table("organizations"), self.clock)

    @cached_property
    def forbidden(self) -> ForbiddenStore:
        return ForbiddenStore(self._table("organizations"), self.clock)

    @cached_property
    def scopes(self) -> ScopeStore:
        return ScopeStore(self._table("organizations"), self.clock)

    @cached_property
    def foreign(self) -> ForeignStore:
        return ForeignStore(self._table("organizations"), self.clock)

    @cached_property
    def examinations(self) -> ExaminationStore:
        return ExaminationStore(self._table("organizations"), self.clock)

    @cached_property
    def hooks(self) -> HookStore:
        return HookStore(self._table("organizations"), self.clock)

    @cached_property
    def rotations(self) -> RotationStore:
        return RotationStore(self._table("organizations"))

    @cached_property
    def progress(self) -> ProgressStore:
        return ProgressStore(self._table("organizations"))

    @cached_property
    def links(self) -> LinkStore:
        return LinkStore(self._table("links"))

    @cached_property
    def idempotency(self) -> IdempotencyStore:
        return IdempotencyStore(self._table("links"))

    @cached_property
    def submissions(self) -> SubmissionStore:
        return SubmissionStore(self._table("links"))

    @cached_property
    def activity(self) -> ActivityStore:
        return ActivityStore(self._table("activity"), self.new_token)

    @cached_property
    def traffic(self) -> TrafficStore:
        return TrafficStore(self._table("traffic"), self.new_token)

    @cached_property
    def ledger(self) -> Ledger:
        instance = secrets.token_hex(8)
        return Ledger(lambda: self.traffic, self._scopes, self.clock, instance, self.later)

    def _scopes(self) -> dict[str, str]:
        return self.organizations.scopes()

    @cached_property
    def inbound(self) -> Queue:
        return self._queue(INBOUND_QUEUE)

    @cached_property
    def outbound(self) -> Queue:
        return self._queue(OUTBOUND_QUEUE)

    @property
    def waiting(self) -> list["Waiting"]:
        """Return the queues of which an examination tells: those that are worked on, and their poison."""
        names = (INBOUND_QUEUE, OUTBOUND_QUEUE)
        return [Waiting(name, self._azure_queue(name), self._azure_queue(name + POISON)) for name in names]

    def try_webhook(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Deliver something to ourselves as a service would; return the status and what was answered.

        Raises an Upstream error if nothing comes back.
        """
        caller = Caller("app", self._session, None, {"Accept": "application/json"}, lambda _: "")
        return caller.deliver(url, headers, body)

    def ado(self, organization: Organization) -> AdoClient:
        """Return a client that respects the organization's back-off; may first look up its address."""
        return self._ado_client(
            organization, self._back_off(organization, "ado", self._ado_url(organization))
        )

    def ado_at_once(self, organization: Organization) -> AdoClient:
        """Return a client that ignores the back-off, for a person who waits and may have fixed a refusal."""
        return self._ado_client(organization, BackOff())

    def subscriptions(self, organization: Organization) -> AdoHooks:
        """Return the organization's subscriptions, whose refusals block no other call."""
        return Subscriptions(self.ado_at_once(organization))

    def finder(self, organization: Organization) -> WorkItemFinder:
        base_url = self._ado_url(organization)
        search_url = organization.configuration.ado_search_url or search_url_for(base_url)
        # A refusal by the search service must not block calls for the work items themselves.
        index = AdoClient(search_url, self._session, self._ado_auth(organization), BackOff())
        return WorkItemFinder(self.ado_at_once(organization), index, base_url)

    def _ado_client(self, organization: Organization, back_off: BackOff) -> AdoClient:
        verify_not_taken(organization, "ado")
        auth = self._ado_auth(organization)
        return AdoClient(self._ado_url(organization), self._session, auth, back_off, self._presence)

    def _ado_auth(self, organization: Organization) -> AuthBase:
        try:
            pat = self.settings.ado_pat(organization.slug)
        except MissingSetting as error:
            return NoToken(error)
        return personal_access_token(pat) if pat else EntraAuth(self._ado_credential)

    def known_ado_url(self, organization: Organization) -> str | None:
        """Return the base URL as far as it is known without looking it up, to show where something is."""
        configuration = organization.configuration
        looked_up = self._located.get((organization.slug, organization.etag))
        return looked_up or (configuration.ado_url if configuration.is_located else None)

    def _ado_url(self, organization: Organization) -> str:
        """Return the base URL; one that is looked up is stored in the document and used at once."""
        version = (organization.slug, organization.etag)
        if version in self._located:
            return self._located[version]
        configuration = self.located(organization.configuration)
        url = configuration.ado_url or ""
        if configuration != organization.configuration:
            with suppress(StalePrecondition):  # Another writer stored it, or chose a different one.
                self.organizations.replace(organization, configuration)
            self._located[version] = url
        return url

    def with_address(self, organization: Organization) -> Organization:
        """Return the organization with the address of its work items, which nobody may have looked up yet."""
        url = self._ado_url(organization)
        return replace(organization, configuration=replace(organization.configuration, ado_url=url))

    def located(self, configuration: Configuration) -> Configuration:
        """Return the configuration with its base URL, looked up by the account's id if it is missing."""
        if configuration.is_located:
            return configuration
        areas, account = self.settings.resource_areas_url, configuration.ado_account_id or ""
        url = find_base_url(self._session, areas, account, self.settings.addresses)
        return replace(configuration, ado_url=url)

    def sentry(self, organization: Organization) -> SentryClient:
        url = organization.configuration.sentry_url
        return self._sentry_client(organization, self._back_off(organization, "sentry", url))

    def sentry_at_once(self, organization: Organization) -> SentryClient:
        """Return a client for somebody who waits for the answer and may have just cured a refusal."""
        return self._sentry_client(organization, BackOff())

    def _sentry_client(self, organization: Organization, back_off: BackOff) -> SentryClient:
        verify_not_taken(organization, "sentry")
        configuration = organization.configuration
        return SentryClient(
            configuration.sentry_url,
            configuration.sentry_organization or organization.slug,
            self._session,
            BearerAuth(self.settings.sentry_token(organization.slug)),
            back_off,
            self._members,
            self._presence,
        )

    def settler(self, organization: Organization) -> Settler:
        slug, configuration = organization.slug, organization.configuration
        ado, sentry = self.ado(organization), self.sentry(organization)
        return Settler(
            organization=slug,
            scope=organization.scope,
            configuration=configuration,
            ado=ado,
            sentry=sentry,
            observer=Observer(
                slug,
                organization.scope,
                configuration,
                ado,
                sentry,
                self.processes,
                self.links,
                self.clock,
                self._names,
            ),
            partners=self.partners(organization),
            links=self.links,
            idempotency=self.idempotency,
            activity=self.activity,
            clock=self.clock,
        )

    def partners(self, organization: Organization) -> Partners:
        slug, epoch, scope = organization.slug, organization.epoch, organization.scope
        return Partners(slug, epoch, scope, self.links, lambda: self.inbound, lambda: self.outbound)

    def may_ask_who_is_at(self, scope: str) -> bool:
        """Tell whether it is time to ask who is there once more; each instance of the app keeps its own."""
        now = self.clock()
        if now - self._asked_at.get(scope, 0.0) < _ASKED_EVERY:
            return False
        self._asked_at[scope] = now
        return True

    def new_unit_of_work(self) -> UnitOfWork:
        return UnitOfWork(self.new_token(), deadline=self.end_of_turn())

    def end_of_turn(self) -> float:
        """Return the moment after which a message that comes in now begins nothing more."""
        return self.clock() + _UNIT_OF_WORK

    def new_token(self) -> str:
        return secrets.token_hex(8)

    @cached_property
    def _session(self) -> Session:
        return new_session(
            self.settings.addresses, self.settings.secrets, self.settings.threads, self.trust.bundle
        )

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """Return what no text that leaves the app may hold."""
        return spellings_of(self.settings.secrets)

    @cached_property
    def trust(self) -> Trust:
        return trust_in(self.settings.ca_bundle)

    @cached_property
    def _ado_credential(self) -> Credential:
        return self._given_credential or self._credential_of(self.settings.ado_identity)

    @cached_property
    def _storage_credential(self) -> Credential:
        """Return the same one as for Azure DevOps, unless the host signs in to storage as somebody else."""
        identity = self.settings.storage_identity
        same = self._given_credential is not None or identity == self.settings.ado_identity
        return self._ado_credential if same else self._credential_of(identity)

    def _credential_of(self, identity: Identity) -> Credential:
        return new_credential(identity.client_id, is_managed=identity.is_managed, bundle=self.trust.bundle)

    @cached_property
    def _transport(self) -> RequestsTransport:
        return new_transport(self.settings.threads, self.trust.bundle)

    @cached_property
    def _tables(self) -> Callable[[str], Table]:
        service = table_service(self.settings.storage, self._storage_credential, self._transport)
        return lambda name: AzureTable(service.get_table_client(name))

    def _table(self, name: str) -> Table:
        return self._tables(self.settings.table_prefix + name)

    def _queue(self, name: str) -> Queue:
        return self._azure_queue(name)

    def _azure_queue(self, name: str) -> AzureQueue:
        return AzureQueue(
            queue_client(self.settings.storage, name, self._storage_credential, self._transport)
        )

    def fetch_tokens_ahead(self) -> None:
        """Begin to fetch the tokens that the app will need, if it signs in to storage as an identity.

        The first hook of a fresh instance cannot wait for them: Sentry gives it one second.
        """
        if not self.settings.is_storage_by_identity:
            return
        for_ado = [ADO_SCOPE] if self.settings.is_ado_by_identity else []
        if self._storage_credential is self._ado_credential:
            self._ado_credential.fetch_ahead(STORAGE_SCOPE, *for_ado)
        else:
            self._storage_credential.fetch_ahead(STORAGE_SCOPE)
            self._ado_credential.fetch_ahead(*for_ado)

    def end_refusals(self, slug: str) -> None:
        """End the organization's back-off after refused credentials, in this instance of the app only."""
        for (whose, _, _), back_off in list(self._back_offs.items()):
            if whose == slug:
                back_off.end_refusal()

    def end_silence(self, slug: str, service: str) -> None:
        """End the organization's wait for a service that has answered something else since, likewise."""
        for (whose, what, _), back_off in list(self._back_offs.items()):
            if (whose, what) == (slug, service):
                back_off.answered()

    def _back_off(self, organization: Organization, service: str, url: str) -> BackOff:
        """Return the waits of an organization at a service. At another address it starts without any."""
        return self._back_offs.setdefault((organization.slug, service, origin_of(url)), BackOff())


def verify_not_taken(organization: Organization, side: str) -> None:
    """Raise OrganizationGone if somebody else is at an address: whatever we ask or write is about theirs."""
    if side in organization.connection.taken:
        raise taken(side)


def taken(side: str) -> OrganizationGone:
    return OrganizationGone(side, "another organization answers at this address than the one that was linked")


class UnfinishedCheck(NamedTuple):
    """When a check began, of whose states, and the connection that it keeps under what it has read.

    A document that is not stored yet has another connection at each request; the first one's goes on.
    """

    began: float
    ado: Known
    scope: str


class Waiting(NamedTuple):
    """A queue by its name, and that of the messages which failed too often."""

    name: str
    queue: AzureQueue
    poison: AzureQueue


_building = threading.Lock()


def services() -> Services:
    """Return this process's services, built at the first invocation and not during import.

    An exception during import would remove every function from the app. The first invocations come at once.
    """
    with _building:
        return _built()


@lru_cache(maxsize=1)
def _built() -> Services:
    # At INFO, Azure's clients log twenty lines for each call, including row keys, and every token that they
    # take out of a cache.
    logging.getLogger("azure").setLevel(logging.WARNING)
    # It warns of headers that it cannot read by quoting them.
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
    built = Services(Settings.from_environ(os.environ))
    built.fetch_tokens_ahead()
    return built
