"""Which links a filter keeps."""

import msgspec

from shared.domain.configuration import Configuration
from shared.domain.model import HealthWord, IssueLink, Person
from shared.domain.rules.apart import REASONS as REASONS_APART
from shared.domain.rules.apart import Sides, apart, sides
from shared.domain.rules.links import CURES

# Every reason that a link may have: of its health, or of a field in which both sides differ.
REASONS = REASONS_APART | CURES.keys()


class Filter(msgspec.Struct, frozen=True):
    """None keeps all. ``reason`` is that of the health, or of a field in which both sides differ.

    ``project`` is the GUID of a project or its name, ``text`` part of a title, a name or an address, or the
    number of either end.
    """

    issue_id: str | None = None
    work_item_id: int | None = None
    health: HealthWord | None = None
    sides: Sides | None = None
    reason: str | None = None
    project: str | None = None
    text: str | None = None

    @property
    def is_empty(self) -> bool:
        return self == Filter()


def matches(link: IssueLink, wanted: Filter, configuration: Configuration) -> bool:
    """Tell whether a filter keeps a link."""
    return (
        wanted.issue_id in {None, link.issue_id}
        and wanted.work_item_id in {None, link.work_item_id}
        and wanted.health in {None, link.health.word}
        and (wanted.sides is None or wanted.sides is sides(link, configuration))
        and (wanted.reason is None or wanted.reason in _reasons(link, configuration))
        and (wanted.project is None or _is_in(link, wanted.project))
        and (wanted.text is None or _holds(link, wanted.text))
    )


def _reasons(link: IssueLink, configuration: Configuration) -> set[str]:
    return {link.health.reason, *(each.reason for each in apart(link, configuration))}


def _is_in(link: IssueLink, project: str) -> bool:
    """Tell whether a work item is in a project: the root of its area path is the project's name."""
    root = link.area_path.partition("\\")[0]
    return project.casefold() in {link.project_id.casefold(), root.casefold()}


def _holds(link: IssueLink, text: str) -> bool:
    wanted = text.strip().casefold()
    people = (link.seen.issue.assignee, link.seen.item.assignee)
    numbers = {link.issue_id, str(link.work_item_id), f"#{link.work_item_id}", f"ab#{link.work_item_id}"}
    texts = (
        link.title,
        link.issue_title,
        link.short_id,
        link.area_path,
        *(each.email if isinstance(each, Person) else each.label for each in people if each is not None),
    )
    return wanted in numbers or any(wanted in each.casefold() for each in texts)
