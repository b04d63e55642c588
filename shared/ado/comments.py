"""The discussion of a work item: adding a comment, and checking whether it is already there."""

import re
from html import escape

from shared.ado.answers import Acknowledged, CommentsAnswer
from shared.ado.client import AdoClient
from shared.ado.text import html_of
from shared.domain.model import SentryComment
from shared.domain.text import one_line

# ADO quirk: the comments API never left preview; the plain version is refused.
_VERSION = {"api-version": "6.0-preview.3"}
_LATEST = 200
_ISSUE = re.compile("/issues/[0-9]+/")


def rendered(comment: SentryComment, url: str) -> str:
    """Return the comment as HTML; the link to ``url`` identifies the comment."""
    author, text = escape(one_line(comment.author)), html_of(comment.text)
    return f'<p>{author} wrote in <a href="{escape(url)}">Sentry</a>:</p><blockquote>{text}</blockquote>'


# https://learn.microsoft.com/rest/api/azure/devops/wit/comments
def add_comment(ado: AdoClient, project_id: str, work_item_id: int, html: str) -> None:
    ado.call(
        "POST",
        _path(project_id, work_item_id),
        Acknowledged,
        about=_about(work_item_id),
        json={"text": html},
        params=_VERSION,
    )


def has_comment_with(ado: AdoClient, project_id: str, work_item_id: int, url: str) -> bool:
    """Tell whether one of the latest 200 comments links to the Sentry comment at ``url``.

    Once its issue is merged into another one, a comment has the other one's address.
    """
    answer = ado.call(
        "GET",
        _path(project_id, work_item_id),
        CommentsAnswer,
        about=_about(work_item_id),
        params={**_VERSION, "$top": _LATEST, "order": "desc"},
    )
    # ADO quirk: links come back as they were sent, or with their ampersands escaped once more.
    # The address of comment 1 is a prefix of the address of comment 12.
    link = re.compile(f"{_ISSUE.sub(_ISSUE.pattern, re.escape(url))}(?![0-9])")
    texts = ((each.text or "").replace("&amp;", "&") for each in answer.comments or ())
    return any(link.search(text) for text in texts)


def _path(project_id: str, work_item_id: int) -> tuple[str, ...]:
    return (project_id, "_apis", "wit", "workItems", str(work_item_id), "comments")


def _about(work_item_id: int) -> str:
    return f"the comments of work item {work_item_id}"
