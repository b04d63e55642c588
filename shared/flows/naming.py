"""Ids as people have them: a number or a text, a short id, ``AB#31``, the address of either page."""

from shared.ado.finding import number_in
from shared.domain.errors import Rejected
from shared.domain.ids import work_item_id_from
from shared.sentry.names import is_id, is_short_id, name_in_address
from shared.services import Services
from shared.store.organizations import Organization

_LONGEST = 1_000  # characters


def issue_named(services: Services, organization: Organization, text: str | int, name: str) -> str:
    """Return an issue's id, or raise Rejected naming the field ``name``, or NotFound for a short id."""
    wanted = str(text).strip()[:_LONGEST]
    configuration = organization.configuration
    if not is_id(wanted) and not is_short_id(wanted):
        slug = configuration.sentry_organization or organization.slug
        wanted = name_in_address(wanted, configuration.sentry_url, slug) or ""
    if is_id(wanted):
        return wanted
    if is_short_id(wanted):
        return services.sentry_at_once(organization).find_issue_id(wanted.upper())
    raise Rejected(
        f"{name} must be an issue's number, its short id such as FE-1, or the address of its page in the "
        "connected Sentry organization"
    )


def work_item_named(organization: Organization, text: str | int, name: str) -> int:
    """Return a work item's number, or raise Rejected naming the field ``name``."""
    wanted = str(text).strip()[:_LONGEST]
    number = number_in(wanted, organization.configuration.ado_url or "")
    if number is None:
        raise Rejected(
            f"{name} must be the number of a work item, such as 31, #31 or AB#31, or the address of its page "
            "in the connected organization"
        )
    return work_item_id_from(str(number), name)


def link_named(
    services: Services, organization: Organization, issue: str | int | None, work_item: str | int | None
) -> tuple[str, int]:
    """Return the issue and the work item of a link by what people call them."""
    work_item_id = work_item_named(organization, "" if work_item is None else work_item, "work_item_id")
    return (
        issue_named(services, organization, "" if issue is None else issue, "issue_id"),
        work_item_id,
    )
