"""Looking at an entry on an issue's page in Sentry, and parting a link whose entry a person removed there."""

import re
from collections.abc import Sequence

from msgspec.structs import replace

from shared.domain.model import ExternalIssue
from shared.domain.rules.entries import REMOVED_IN_SENTRY, is_removed, looked_at
from shared.flows.linking import part
from shared.services import Services
from shared.store.links import StoredLink
from shared.store.organizations import Organization

_NUMBER_IN_URL = re.compile(r"/_workitems/edit/([1-9][0-9]{0,9})\Z")


def look_at_entry(
    services: Services, organization: Organization, stored: StoredLink, shown: Sequence[ExternalIssue]
) -> StoredLink | None:
    """Return the link with what is known of its entry now, or None if it was parted.

    Raises Conflict or NotFound if the link changed since it was read.
    """
    link, form = stored.link, stored.link.form
    if form is None:
        return stored
    seen = looked_at(form, _url(services, organization, link.project_id, link.work_item_id), shown)
    if seen != form:
        return services.links.replace(stored, replace(link, form=seen))
    if not form.was_seen or any(each.web_url == form.url for each in shown):
        return stored
    if is_removed(form, shown, [each for each in shown if _is_ours(services, organization, each)]):
        part(services, organization, stored, REMOVED_IN_SENTRY)
        return None
    return stored


def _is_ours(services: Services, organization: Organization, entry: ExternalIssue) -> bool:
    """Tell whether an entry leads to a work item that is linked, by whatever way."""
    number = _NUMBER_IN_URL.search(entry.web_url)
    if number is None:
        return False
    links = (each.link for each in services.links.for_work_item(organization.scope, int(number[1])))
    return any(
        entry.web_url == _url(services, organization, link.project_id, link.work_item_id)
        or (link.form is not None and entry.web_url == link.form.url)
        for link in links
    )


def _url(services: Services, organization: Organization, project_id: str, work_item_id: int) -> str:
    return services.ado_at_once(organization).web_url(project_id, work_item_id)
