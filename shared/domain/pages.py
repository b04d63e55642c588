"""Where people see a work item or an issue: the addresses of both pages, made of what is known here."""

from shared.domain.ids import is_guid
from shared.domain.paths import below


def work_item_page(base_url: str, project_id: str, work_item_id: int) -> str:
    """Return the address of a work item's page, which is found without its project as well."""
    project = (project_id,) if is_guid(project_id) else ()
    return below(base_url, *project, "_workitems", "edit", str(work_item_id))


def issue_page(base_url: str, organization: str, issue_id: str) -> str:
    return f"{below(base_url, 'organizations', organization, 'issues', issue_id)}/"
