"""The discussion of a work item: adding, editing, removing and finding our comments, reading people's."""

import re
from html import escape

import msgspec

from shared.ado.answers import Acknowledged, CommentAnswer, CommentsAnswer, WholeCommentAnswer
from shared.ado.client import AdoClient
from shared.ado.identity import name_from_identity
from shared.ado.text import html_of
from shared.domain.comments import RegressionFacts, SaidInAdo, author_of, is_ours_in_ado
from shared.domain.errors import Unavailable
from shared.domain.model import SentryComment
from shared.domain.text import one_line

# ADO quirk: the comments API never left preview; the plain version is refused.
_VERSION = {"api-version": "6.0-preview.3"}
_LATEST = 200
_ISSUE = re.compile("/issues/[0-9]+/")


class FoundComment(msgspec.Struct, frozen=True):
    """A comment of ours that is there; an answer may name no id."""

    id: int | None


def rendered(comment: SentryComment, url: str) -> str:
    """Return the comment as HTML; the link to ``url`` identifies the comment."""
    author, text = escape(one_line(comment.author)), html_of(comment.text)
    return f'<p>{author} wrote in <a href="{escape(url)}">Sentry</a>:</p><blockquote>{text}</blockquote>'


def regression_html(issue_url: str, url: str, facts: RegressionFacts) -> str:
    """Return what a reopened work item is told; the link to ``url`` identifies the regression."""
    told = [
        f"Release: {escape(facts.release)}" if facts.release else "",
        f"Environment: {escape(facts.environment)}" if facts.environment else "",
        f"Events so far: {facts.count}" if facts.count else "",
        f'<a href="{escape(facts.event_url)}">The newest event</a>' if facts.event_url else "",
    ]
    rows = "".join(f"<li>{each}</li>" for each in told if each)
    return (
        f'<p>Seen again in <a href="{escape(url)}">Sentry</a>: '
        f'<a href="{escape(issue_url)}">this issue</a> was resolved and has come back.</p>'
        + (f"<ul>{rows}</ul>" if rows else "")
    )


# https://learn.microsoft.com/rest/api/azure/devops/wit/comments
def add_comment(ado: AdoClient, project_id: str, work_item_id: int, html: str) -> int | None:
    """Add a comment and return its id, if the answer names one."""
    return ado.call(
        "POST",
        _path(project_id, work_item_id),
        CommentAnswer,
        about=_about(work_item_id),
        json={"text": html},
        params=_VERSION,
    ).number


def edit_comment(ado: AdoClient, project_id: str, work_item_id: int, comment_id: int, html: str) -> None:
    ado.call(
        "PATCH",
        _path(project_id, work_item_id, comment_id),
        Acknowledged,
        about=_about(work_item_id),
        json={"text": html},
        params=_VERSION,
    )


def delete_comment(ado: AdoClient, project_id: str, work_item_id: int, comment_id: int) -> None:
    ado.call(
        "DELETE",
        _path(project_id, work_item_id, comment_id),
        object,
        about=_about(work_item_id),
        params=_VERSION,
    )


def get_comment(ado: AdoClient, project_id: str, work_item_id: int, comment_id: int) -> SaidInAdo:
    answer = ado.call(
        "GET",
        _path(project_id, work_item_id, comment_id),
        WholeCommentAnswer,
        about=_about(work_item_id),
        missing="comment-not-found",
        params=_VERSION,
    )
    if answer.number != comment_id:
        raise Unavailable("ado", f"comment {comment_id}: the answer is about another one")
    name = author_of(name_from_identity(answer.created_by), "")
    is_markdown = (answer.format or "").lower() == "markdown"
    return SaidInAdo(str(comment_id), name, answer.text, is_markdown=is_markdown)


def find_comment_with(ado: AdoClient, project_id: str, work_item_id: int, url: str) -> FoundComment | None:
    """Return the first of the latest 200 comments that begin with a link to ``url`` of ours, if one does.

    Once its issue is merged into another one, a comment has the other one's address. Raises Unavailable if it
    may be one that cannot be read.
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
    for each in reversed(answer.comments):
        text = each.text.replace("&amp;", "&")
        if is_ours_in_ado(text) and link.search(text.partition("</a>")[0]):
            return FoundComment(each.number)
    if unreadable := answer.comments.unreadable:
        raise Unavailable("ado", f"{unreadable} comments that may be ours cannot be read")
    return None


def words_of(said: SaidInAdo) -> str:
    """Return what somebody said, as Markdown."""
    from shared.ado.html import markdown_of, tidied  # noqa: PLC0415  # no webhook needs its library

    return (tidied if said.is_markdown else markdown_of)(said.text or "")


def _path(project_id: str, work_item_id: int, *comment_id: int) -> tuple[str, ...]:
    return (project_id, "_apis", "wit", "workItems", str(work_item_id), "comments", *map(str, comment_id))


def _about(work_item_id: int) -> str:
    return f"the comments of work item {work_item_id}"
