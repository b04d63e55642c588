"""The organizations table: each connected pair's configuration document, under its slug and an ETag."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec

from shared.domain.configuration import Configuration
from shared.domain.errors import Conflict, NotFound, StalePrecondition
from shared.store.tables import Delete, Insert, Replace, Table

_PARTITION = "organizations"
_REFUSALS = "refusals"
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_REFUSAL_NOTED_EVERY = 300.0  # seconds
_REFUSAL_REPORTED_FOR = 1800.0  # seconds
_KNOWN_FOR = 60.0  # seconds for which a webhook trusts that an organization still exists


class Organization(msgspec.Struct, frozen=True):
    """One connected pair: an ADO organization and a Sentry organization."""

    slug: str
    configuration: Configuration
    etag: str


def unknown(slug: str) -> NotFound:
    return NotFound(f"no organization {slug[:63]!r} is connected here", kind="unknown-organization")


def verify_slug(slug: str) -> None:
    """Raise NotFound unless ``slug`` matches ``[a-z0-9][a-z0-9-]{0,62}``."""
    if not _SLUG.fullmatch(slug):
        raise unknown(slug)


class OrganizationStore:
    def __init__(self, table: Table, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._clock = clock
        self._known: dict[str, tuple[Organization, float]] = {}
        self._refused: dict[tuple[str, str], float] = {}
        self._accepted: set[tuple[str, str]] = set()

    def get(self, slug: str) -> Organization:
        """Return the stored organization, or raise NotFound."""
        verify_slug(slug)
        try:
            row = self._table.get(_PARTITION, slug)
        except NotFound as error:
            self._known.pop(slug, None)
            raise unknown(slug) from error
        return self._remembered(Organization(slug, Configuration.from_stored(row.text), row.etag))

    def recent(self, slug: str) -> Organization:
        """Return the organization as it was at most a minute ago, or raise NotFound.

        Only existing organizations are cached: a cached absence would answer 404 to the first events of a
        new organization and put its subscription on probation.
        """
        organization, at = self._known.get(slug, (None, 0.0))
        return organization if organization and self._clock() - at < _KNOWN_FOR else self.get(slug)

    def _remembered(self, organization: Organization) -> Organization:
        self._known[organization.slug] = (organization, self._clock())
        return organization

    def slugs(self) -> Iterator[str]:
        """Yield every slug, even if only a newer version of the app can read its document."""
        for row in self._table.scan(_PARTITION, "", "~"):
            yield row.key

    def add(self, slug: str, configuration: Configuration) -> Organization:
        """Store a new organization, or raise Conflict if the slug is taken."""
        verify_slug(slug)
        [etag] = self._table.apply(_PARTITION, Insert(slug, configuration.to_json()))
        return self._remembered(Organization(slug, configuration, etag))

    def replace(self, organization: Organization, configuration: Configuration) -> Organization:
        """Replace the document that was read, or raise StalePrecondition if it changed or is gone."""
        try:
            [etag] = self._table.apply(
                _PARTITION, Replace(organization.slug, configuration.to_json(), organization.etag)
            )
        except (Conflict, NotFound) as error:
            raise StalePrecondition("somebody else changed the document in the meantime") from error
        return self._remembered(Organization(organization.slug, configuration, etag))

    def note_refusal(self, slug: str, service: str) -> None:
        """Note that a service does not accept our credentials; ``refusals`` reports it for half an hour."""
        noted_at = self._refused.get((slug, service), 0.0)
        if self._clock() - noted_at > _REFUSAL_NOTED_EVERY:
            self._table.apply(_REFUSALS, Replace(f"{slug}!{service}", str(self._clock()), None))
            self._refused[slug, service] = self._clock()
            self._accepted.discard((slug, service))

    def note_acceptance(self, slug: str, service: str) -> None:
        """Forget a refusal, including one that another process noted; calls storage once for each process."""
        self._refused.pop((slug, service), None)
        if (slug, service) not in self._accepted:
            self._forget_refusal(slug, service)
            self._accepted.add((slug, service))

    def refusals(self) -> Counter[str]:
        """Return, for each service, the number of organizations for which it refuses our credentials."""
        oldest = self._clock() - _REFUSAL_REPORTED_FOR
        rows = self._table.scan(_REFUSALS, "", "~")
        return Counter(row.key.rpartition("!")[2] for row in rows if float(row.text) > oldest)

    def _forget_refusal(self, slug: str, service: str) -> None:
        with suppress(NotFound):
            self._table.apply(_REFUSALS, Delete(f"{slug}!{service}"))

    def remove(self, organization: Organization) -> None:
        self._known.pop(organization.slug, None)
        with suppress(NotFound):  # Somebody else has removed it already.
            self._table.apply(_PARTITION, Delete(organization.slug))
        for service in ("ado", "sentry"):
            self._forget_refusal(organization.slug, service)
