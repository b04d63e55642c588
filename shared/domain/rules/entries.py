"""What an issue's page in Sentry tells of the links that Sentry's form made.

Sentry quirk: it keeps one entry for each issue and integration, and tells nobody when a person removes or
replaces it (docs/vendor_quirks.md#sentry-form).
"""

from collections.abc import Iterable

from msgspec.structs import replace

from shared.domain.model import ExternalIssue, FormEntry, IssueLink

# Why a link ended that nobody removed here.
REPLACED, REMOVED_IN_SENTRY = "replaced", "removed-in-sentry"


def looked_at(form: FormEntry, url: str, shown: Iterable[ExternalIssue]) -> FormEntry:
    """Return what is known of a link's entry after a look; ``url`` is where an entry for it leads."""
    entry = next((each for each in shown if each.web_url in {url, form.url}), None)
    return form if entry is None else replace(form, url=entry.web_url, app=entry.service_type)


def is_removed(form: FormEntry, shown: Iterable[ExternalIssue], ours: Iterable[ExternalIssue]) -> bool:
    """Tell whether a person removed the entry that was seen, or put another one in its place.

    ``ours`` are those of the shown entries that belong to some link. One of them stands there because we
    wrote it, or because issues were merged.
    """
    stays = any(each.web_url == form.url for each in shown)
    return form.was_seen and not stays and not any(each.service_type == form.app for each in ours)


def is_wanted_anew(link: IssueLink, work_item_type: str, url: str, shown: Iterable[ExternalIssue]) -> bool:
    """Tell whether a form that is to create an item for an issue wants another one than the link's.

    It does if Sentry shows the link's entry no more. Where none was seen yet, the first answer may be on its
    way, or lost: then a form with the same type is the first one, submitted twice.
    """
    if link.form is None or any(each.web_url in {url, link.form.url} for each in shown):
        return False
    return link.form.was_seen or work_item_type != link.work_item_type
