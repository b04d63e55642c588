"""What Sentry's built-in Azure DevOps integration calls for the same flows: the baseline of the counts.

Written down from reading the source of getsentry/sentry, release 24.9, ``src/sentry/integrations/vsts``; each
flow is its healthy case, in the order of its calls. It runs inside Sentry and asks Sentry nothing.
"""

from collections.abc import Callable
from math import ceil

# It lists projects and people page by page; the list of projects it gives up after ten pages.
_PAGE = 100
_MOST_PAGES = 10
# For its form it reads the states of a few projects, of one work item type each, or of up to three.
_PROJECTS_WITH_STATES = 6


def _all_projects(projects: int) -> int:
    """Every outbound status begins with a walk through the projects: it knows its own by name only."""
    return min(_MOST_PAGES, max(1, ceil(projects / _PAGE)))


def _get_projects_then_patch(projects: int) -> int:
    get_work_item, patch = 1, 1
    return get_work_item + _all_projects(projects) + patch


def _get_people_then_patch(_projects: int) -> int:
    """All pages of the people of the organization, even after the right one is found; here there is one."""
    get_people, patch = 1, 1
    return get_people + patch


def _read_configuration(projects: int) -> int:
    return _all_projects(projects) + min(projects, _PROJECTS_WITH_STATES)


def _always(calls: int) -> Callable[[int], int]:
    return lambda _projects: calls


# By the number of projects. What the built-in has no counterpart for is left out: it reconciles nothing, and
# it does not notice a lost race, since it writes without comparing revisions.
CALLS: dict[str, Callable[[int], int]] = {
    "status, outbound": _get_projects_then_patch,
    "status, inbound": _always(1),
    "status, inbound, nothing cached": _always(1),
    "assignee, outbound": _get_people_then_patch,
    "assignee, outbound, to nobody": _always(1),
    "assignee, inbound": _always(0),
    "comment": _always(1),
    "search": _always(1),
    "configuration, read": _read_configuration,
    "configuration, stored": _always(0),
    "link": _always(1),
}
