"""The organizations table: each connected pair's document and connection, under its slug and an ETag."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec

from shared.domain.addresses import is_whole
from shared.domain.configuration import DEFAULT_SENTRY_URL, Configuration
from shared.domain.connection import NOBODY, Connection, Identity, ado_place, scope_of, sentry_place
from shared.domain.decoding import decode
from shared.domain.errors import Conflict, Malformed, NotFound, StalePrecondition, SyncError, Unreadable
from shared.domain.ids import is_slug
from shared.domain.paths import is_segment
from shared.store.tables import Delete, Insert, Replace, Row, Table, moment_in, remove_rows

UNKNOWN_ORGANIZATION = "unknown-organization"
_PARTITION = "organizations"
_REFUSALS = "refusals"
_REFUSAL_NOTED_EVERY = 300.0  # seconds
_REFUSAL_REPORTED_FOR = 1800.0  # seconds
_KNOWN_FOR = 60.0  # seconds for which a webhook trusts that an organization still exists
_ATTEMPTS = 5
_TAKEN_OVER = Connection()
# What ``refusals`` calls a document that cannot be read, beside the services that refuse us.
DOCUMENT = "document"
# And a service that knows no organization at the address.
_GONE = "-gone"
_BOTH = ("ado", "sentry", f"ado{_GONE}", f"sentry{_GONE}")
_REFUSED_BY = frozenset({*_BOTH, "storage", DOCUMENT})


def gone(service: str) -> str:
    """Return what ``refusals`` calls a service that knows no organization at the address."""
    return f"{service}{_GONE}"


class Organization(msgspec.Struct, frozen=True):
    """One connected pair: an ADO organization and a Sentry organization.

    ``etag`` is that of the row. What is not ``is_readable`` has of its document no more than the addresses,
    as far as they could be made out.
    """

    slug: str
    configuration: Configuration
    etag: str
    connection: Connection = Connection()
    is_readable: bool = True

    @property
    def epoch(self) -> str:
        return self.connection.epoch

    @property
    def scope(self) -> str:
        """Name the connection: links, activity, idempotency records and progress are kept under it."""
        return scope_of(self.slug, self.epoch)

    @property
    def version(self) -> str:
        """Return the document's own ETag, which stays as it is while more is learned of who is there."""
        text = f"{self.scope} {self.configuration.to_json()}"
        return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'

    @property
    def whoever_answers(self) -> "Organization":
        """Return this for asking who is at its addresses, as whoever took one over would be asked."""
        return msgspec.structs.replace(self, connection=msgspec.structs.replace(self.connection, taken=()))

    @property
    def ado(self) -> Identity:
        """Return what is known of Azure DevOps, at the address of the document last."""
        place = ado_place(self.configuration.ado_url or "")
        return self.connection.ado.joined(Identity(places=(place,) if place else ()))

    @property
    def sentry(self) -> Identity:
        configuration = self.configuration
        if not self.is_readable and not configuration.sentry_organization:
            return self.connection.sentry
        place = sentry_place(configuration.sentry_url, configuration.sentry_organization or self.slug)
        return self.connection.sentry.joined(Identity(places=(place,)))


class _Beside(msgspec.Struct, frozen=True):
    """What the row holds beside the document; an older version of the app reads over it."""

    connection: dict[str, msgspec.Raw] = {}


class _Addresses(msgspec.Struct, frozen=True):
    """The part of a document that tells where it leads, whatever the rest of it holds."""

    ado_url: str | None = None
    ado_account_id: str | None = None
    sentry_url: str = DEFAULT_SENTRY_URL
    sentry_organization: str | None = None


def unknown(slug: str) -> NotFound:
    return NotFound(f"no organization {slug[:63]!r} is connected here", kind=UNKNOWN_ORGANIZATION)


def unreadable(slug: str) -> Unreadable:
    return Unreadable(
        f"the stored document of {slug} cannot be read: a newer version of the app, or somebody by hand, may "
        "have written it; replace it by PUT with If-Match: *, or DELETE it"
    )


def verify_slug(slug: str) -> None:
    """Raise NotFound unless ``slug`` matches ``[a-z0-9][a-z0-9-]{0,62}``."""
    if not is_slug(slug):
        raise unknown(slug)


class OrganizationStore:
    def __init__(self, table: Table, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._clock = clock
        self._known: dict[str, tuple[Organization, float]] = {}
        self._refused: dict[tuple[str, str], float] = {}
        self._accepted: set[tuple[str, str]] = set()

    def get(self, slug: str) -> Organization:
        """Return the organization as it is stored now, or raise NotFound or Unreadable."""
        organization = self.find(slug)
        if organization is None:
            raise unknown(slug)
        if not organization.is_readable:
            with suppress(SyncError):
                self.note_refusal(slug, DOCUMENT)
            raise unreadable(slug)
        return self._remembered(organization)

    def find(self, slug: str) -> Organization | None:
        """Return the organization as it is stored now, be it readable or not, or None."""
        verify_slug(slug)
        try:
            return _organization(slug, self._table.get(_PARTITION, slug))
        except NotFound:
            self._known.pop(slug, None)
            return None

    def recent(self, slug: str, *, within: float = _KNOWN_FOR) -> Organization:
        """Return the organization as it was at most a minute ago, or raise NotFound.

        Only existing organizations are cached: a cached absence would answer 404 to the first events of a
        new organization and put its subscription on probation.
        """
        known = self._known.get(slug)
        if known is not None and self._clock() - known[1] < within:
            return known[0]
        return self.get(slug)

    def _remembered(self, organization: Organization) -> Organization:
        self._known[organization.slug] = (organization, self._clock())
        return organization

    def slugs(self) -> Iterator[str]:
        """Yield every slug, even if only a newer version of the app can read its document."""
        for row in self._table.scan(_PARTITION, "", "~"):
            yield row.key

    def add(
        self, slug: str, configuration: Configuration, connection: Connection = _TAKEN_OVER
    ) -> Organization:
        """Store a new organization, or raise Conflict if the slug is taken."""
        verify_slug(slug)
        [etag] = self._table.apply(_PARTITION, Insert(slug, _text(configuration, connection)))
        return self._remembered(Organization(slug, configuration, etag, connection))

    def replace(
        self, organization: Organization, configuration: Configuration, connection: Connection | None = None
    ) -> Organization:
        """Write over the document that was read, or raise StalePrecondition.

        What was learned meanwhile of who is there is no change of the document, and is kept.
        """
        connection = connection or organization.connection
        for _ in range(_ATTEMPTS):
            try:
                return self._put(organization, configuration, connection)
            except (Conflict, NotFound) as error:
                now = self.find(organization.slug)
                if now is None or now.version != organization.version or now.etag == organization.etag:
                    raise _changed() from error
                if connection.epoch == now.epoch:
                    connection = connection.joined(now.connection.ado, now.connection.sentry)
                organization = now
        raise StalePrecondition("the document keeps changing")

    def learn(
        self, organization: Organization, ado: Identity = NOBODY, sentry: Identity = NOBODY
    ) -> Organization:
        """Add to what is known of who is there, unless the document leads elsewhere by now."""
        for _ in range(_ATTEMPTS):
            now = self.get(organization.slug)
            connection = now.connection.joined(ado, sentry)
            if now.version != organization.version or connection == now.connection:
                return now
            with suppress(Conflict):
                return self._put(now, now.configuration, connection)
        return organization

    def note_who_answers(self, organization: Organization, side: str, *, taken: bool) -> None:
        """Note whether somebody else has taken an address, unless the document leads elsewhere by now."""
        for _ in range(_ATTEMPTS):
            now = self.get(organization.slug)
            if now.version != organization.version or (side in now.connection.taken) is taken:
                return
            with suppress(Conflict):
                self._put(now, now.configuration, now.connection.found(side, taken=taken))
                return

    def _put(
        self, organization: Organization, configuration: Configuration, connection: Connection
    ) -> Organization:
        slug, text = organization.slug, _text(configuration, connection)
        [etag] = self._table.apply(_PARTITION, Replace(slug, text, organization.etag))
        if not organization.is_readable:
            self._forget_refusals(slug, DOCUMENT)
        return self._remembered(Organization(slug, configuration, etag, connection))

    def _delete(self, organization: Organization) -> None:
        for _ in range(_ATTEMPTS):
            try:
                self._table.apply(_PARTITION, Delete(organization.slug, organization.etag))
            except NotFound:
                return
            except Conflict as error:
                now = self.find(organization.slug)
                if now is not None and now.version != organization.version:
                    raise _changed() from error
                organization = now or organization
            else:
                return

    def all(self) -> Iterator[Organization]:
        """Yield every organization, be it readable or not."""
        for row in self._table.scan(_PARTITION, "", "~"):
            yield _organization(row.key, row)

    def scopes(self) -> dict[str, str]:
        """Return the scope of every organization by its slug."""
        return {each.slug: each.scope for each in self.all()}

    def note_refusal(self, slug: str, service: str) -> None:
        """Note that a service does not accept our credentials; ``refusals`` reports it for half an hour."""
        noted_at = self._refused.get((slug, service))
        if noted_at is None or self._clock() - noted_at >= _REFUSAL_NOTED_EVERY:
            self._table.apply(_REFUSALS, Replace(f"{slug}!{service}", str(self._clock()), None))
            self._refused[slug, service] = self._clock()
            self._accepted.discard((slug, service.removesuffix(_GONE)))

    def note_acceptance(self, slug: str, service: str) -> None:
        """Forget a refusal, including one that another process noted; calls storage once for each process."""
        if (slug, service) not in self._accepted:
            self._forget_refusals(slug, service, gone(service))
            self._accepted.add((slug, service))

    def note_cure(self, slug: str) -> None:
        """Forget that services knew no organization there: the document names others now, and was tried."""
        self._forget_refusals(slug, gone("ado"), gone("sentry"))

    def forget_refusals(self, slug: str) -> None:
        """Forget what both services refused: it is not they any more who are asked."""
        self._forget_refusals(slug, *_BOTH)

    def refused_by(self, slug: str) -> list[str]:
        """Return the services that did not accept our credentials for one organization lately."""
        return [service for service, slugs in self._refusing().items() if slug in slugs]

    def _refusing(self) -> dict[str, set[str]]:
        now, found = self._clock(), dict[str, set[str]]()
        for row in self._table.scan(_REFUSALS, "", "~"):
            at, (slug, _, service) = moment_in(row), row.key.rpartition("!")
            if at is not None and service in _REFUSED_BY and abs(now - at) < _REFUSAL_REPORTED_FOR:
                found.setdefault(service, set()).add(slug)
        return found

    def refusals(self) -> Counter[str]:
        """Return, for each service, the number of organizations for which it refuses our credentials."""
        return Counter({service: len(slugs) for service, slugs in self._refusing().items()})

    def _forget_refusals(self, slug: str, *services: str) -> None:
        """Forget them where they are noted; mostly none is, which a read tells for less than a deletion."""
        for service in services:
            self._refused.pop((slug, service), None)
        noted = self._table.scan(_REFUSALS, f"{slug}!", f"{slug}!~")
        keys = {f"{slug}!{service}" for service in services}
        remove_rows(self._table, _REFUSALS, [row.key for row in noted if row.key in keys])

    def remove(self, organization: Organization) -> None:
        """Remove the document that was read, or raise StalePrecondition; one that is gone is as wanted."""
        self._known.pop(organization.slug, None)
        self._delete(organization)
        self._forget_refusals(organization.slug, *_BOTH, DOCUMENT)


def _changed() -> StalePrecondition:
    return StalePrecondition("the document was changed by somebody else meanwhile")


def _text(configuration: Configuration, connection: Connection) -> str:
    document = {**msgspec.to_builtins(configuration), "connection": connection}
    return msgspec.json.encode(document).decode()


def _organization(slug: str, row: Row) -> Organization:
    connection = _connection(row.text)
    if connection is not None:
        with suppress(Malformed):
            configuration = decode(row.text, Configuration)
            if configuration.leads_anywhere:
                return Organization(slug, configuration, row.etag, connection)
    # Where nobody can say which epoch its rows belong to, they are not met again.
    unknown = Connection(epoch=hashlib.sha256(row.text.encode()).hexdigest()[:16])
    return Organization(slug, _addresses(slug, row.text), row.etag, connection or unknown, is_readable=False)


def _connection(text: str) -> Connection | None:
    """Return what can be read of who both sides are, or None if not even their epoch can be.

    Who somebody is, a service tells again; which rows are the organization's own, nobody else knows.
    """
    try:
        members = decode(text, _Beside).connection
        connection = Connection(decode(members.get("epoch", b'""'), str))
    except Malformed:
        return None
    for field in msgspec.structs.fields(Connection):
        if field.name in members:
            with suppress(Malformed):
                told = {field.name: decode(members[field.name], field.type)}
                connection = msgspec.structs.replace(connection, **told)
    return connection


def _addresses(slug: str, text: str) -> Configuration:
    """Return where a document leads that cannot be read, but for sides of which nothing can be made."""
    try:
        found = decode(text, _Addresses)
    except Malformed:
        return Configuration()
    if not is_whole(found.ado_url or ""):
        found = msgspec.structs.replace(found, ado_url=None)
    if not (is_whole(found.sentry_url) and is_segment(found.sentry_organization or slug)):
        found = msgspec.structs.replace(found, sentry_url=DEFAULT_SENTRY_URL, sentry_organization=None)
    return Configuration(**msgspec.structs.asdict(found))
