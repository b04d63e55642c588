"""Ids as people have them: a number or a text, a short id, ``AB#31``, the address of either page."""

from collections.abc import Mapping
from itertools import islice
from urllib.parse import unquote

from shared.ado.finding import is_url, is_within_organization, number_in
from shared.domain.errors import Rejected, SyncError
from shared.domain.ids import work_item_id_from
from shared.sentry.names import is_address, is_id, is_short_id, is_within, name_in_address
from shared.services import Services
from shared.store.organizations import Organization

_LONGEST = 1_000  # characters
_MOST_LINKS = 10_000  # that are looked through for a name, which takes about two seconds
Named = str | int | None


def issue_named(services: Services, organization: Organization, text: Named, name: str) -> str:
    """Return an issue's id, or raise Rejected naming the field ``name``, or NotFound for a short id."""
    return _looked_up(services, organization, issue_name(organization, text, name))


def _looked_up(services: Services, organization: Organization, name: str) -> str:
    """Return the id behind a name; of an issue that Sentry does not show, a link may know it."""
    if is_id(name):
        return name
    try:
        return services.sentry_at_once(organization).find_issue_id(name)
    except SyncError:
        for passed in islice(services.links.walk(organization.scope), _MOST_LINKS):
            if passed.stored is not None and passed.stored.link.short_id.upper() == name:
                return passed.stored.link.issue_id
        raise


def issue_name(organization: Organization, text: Named, name: str) -> str:
    """Return the id or the short id that a text is or leads to, or raise Rejected naming the field."""
    wanted, configuration = _plain(text), organization.configuration
    slug = configuration.sentry_organization or organization.slug
    if is_address(wanted):
        if not is_within(wanted, configuration.sentry_url, slug):
            raise Rejected(
                f"{name} is an address outside the connected Sentry organization, {slug} at "
                f"{configuration.sentry_url}"
            )
        wanted = name_in_address(wanted) or ""
        if not wanted:
            raise Rejected(
                f"{name} is the address of a page that shows no single issue: open the issue, and copy that "
                "page's address"
            )
    if is_id(wanted):
        return wanted.lstrip("0") or "0"
    if is_short_id(wanted):
        return wanted.upper()
    raise Rejected(f"{name} must be an issue's number, its short id such as FE-1, or the address of its page")


def work_item_named(organization: Organization, text: Named, name: str) -> int:
    """Return a work item's number, or raise Rejected naming the field ``name``."""
    wanted, base_url = _plain(text), organization.configuration.ado_url or ""
    number = number_in(wanted, base_url)
    if number is not None:
        return work_item_id_from(str(number), name)
    if is_url(wanted) and not is_within_organization(wanted, base_url):
        raise Rejected(
            f"{name} is an address outside the connected Azure DevOps organization, "
            f"{base_url or 'whose own is not known yet'}"
        )
    if is_url(wanted):
        raise Rejected(
            f"{name} is the address of a page that shows no single work item: open the work item, and copy "
            "that page's address"
        )
    raise Rejected(
        f"{name} must be the number of a work item, such as 31, #31 or AB#31, or the address of its page"
    )


def link_named(
    services: Services, organization: Organization, issue: Named, work_item: Named
) -> tuple[str, int]:
    """Return the issue and the work item of a link by what people call them."""
    name = issue_name(organization, issue, "issue_id")
    work_item_id = work_item_named(organization, work_item, "work_item_id")
    return _looked_up(services, organization, name), work_item_id


def link_of(
    services: Services, organization: Organization, named: Mapping[str, str | None]
) -> tuple[str, int]:
    """Return the link that a route, or a query, names by ``issue_id`` and ``work_item_id``."""
    return link_named(services, organization, named.get("issue_id"), named.get("work_item_id"))


def _plain(text: Named) -> str:
    """Return what somebody wrote without what is no part of it.

    A slash cannot stand in a route's segment, and some hosts hand its escape on.
    """
    plain = "" if text is None else str(text).strip()[:_LONGEST]
    is_escaped = "://" not in plain and "%2f" in plain.lower()
    return unquote(plain) if is_escaped else plain
