"""The page of the fake Sentry: issues with their buttons, the form that links them, the hooks sent."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template_string, request, url_for
from werkzeug.wrappers import Response

from simulator.sentry.components import ComponentFailed
from simulator.sentry.directory import OWNER
from simulator.sentry.model import Json, Missing, Refused

if TYPE_CHECKING:
    from simulator.sentry import FakeSentry

SHOWN_DELIVERIES = 25

STYLE = """
:root { color-scheme: light dark; --ink: #2b2233; --faint: #6b5f78; --paper: #faf9fb; --card: #fff;
        --line: #e4dfe9; --accent: #5b3fd6; --good: #1d7a46; --bad: #b3261e; --warm: #9a5b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #efeaf5; --faint: #a89db6; --paper: #17121d;
        --card: #211a29; --line: #3a3145; --accent: #a896ff; --good: #5fd08e; --bad: #ff8a80;
        --warm: #f0b35a; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem }
h1 { font-size: 1.4rem } h1 small { color: var(--faint); font-weight: normal } h2 { font-size: 1.05rem }
a { color: var(--accent) }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem;
        margin: 0 0 1rem }
.row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center }
.title { font-weight: 600; overflow-wrap: anywhere } .faint { color: var(--faint); font-size: .87rem }
.badge { border: 1px solid currentColor; border-radius: 99px; padding: 0 .6rem; font-size: .82rem }
.resolved, .delivered { color: var(--good) } .unresolved, .lost { color: var(--warm) }
.refused, .timeout, .no-answer, .problem { color: var(--bad) } .ignored { color: var(--faint) }
form { display: inline-flex; flex-wrap: wrap; gap: .4rem; margin: 0; align-items: center }
button, select, input, textarea { font: inherit; color: inherit; background: var(--paper);
        padding: .25rem .7rem; border: 1px solid var(--line); border-radius: 7px; max-width: 100% }
button { cursor: pointer } button:hover { border-color: var(--accent) } button:disabled { opacity: .45 }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3rem .6rem .3rem 0;
        border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere }
"""

LAYOUT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ organization }} · Sentry simulator</title><style>{{ style | safe }}</style></head>
<body><main>
<h1><a href="{{ url_for('page.home') }}">{{ organization }}</a> <small>Sentry simulator</small></h1>
{% if problem %}<p class="card problem" role="alert">{{ problem }}</p>{% endif %}
{% macro act(verb, label, issue, off=false) %}
<form method="post" action="{{ url_for('page.act', verb=verb, issue_id=issue.id) }}">
<button {{ 'disabled' if off }}>{{ label }}</button></form>
{% endmacro %}
{% for issue in issues %}<section class="card" aria-label="{{ issue.shortId }}">
<div class="row"><a class="title" href="{{ issue.permalink }}">{{ issue.title }}</a>
<span class="badge {{ issue.status }}">{{ issue.status }}</span>
{% if issue.substatus %}<span class="faint">{{ issue.substatus }}</span>{% endif %}</div>
<p class="faint">{{ issue.shortId }} · id {{ issue.id }} · {{ issue.project.slug }} ·
{% if issue.assignedTo %}assigned to {{ issue.assignedTo.name }}{% else %}unassigned{% endif %}
{% for link in issue.links %} · <a href="{{ link.webUrl }}" rel="noreferrer">{{ link.shown }}</a>
{% endfor %}</p>
<div class="row">
{{ act('resolve', 'Resolve', issue, issue.status == 'resolved') }}
{{ act('unresolve', 'Unresolve', issue, issue.status == 'unresolved') }}
{{ act('archive', 'Archive', issue, issue.status == 'ignored') }}
<form method="post" action="{{ url_for('page.act', verb='regress', issue_id=issue.id) }}">
<input name="release" size="10" placeholder="release"
aria-label="Release of the next event of {{ issue.shortId }}">
<button>New event</button></form>
<form method="post" action="{{ url_for('page.act', verb='assign', issue_id=issue.id) }}">
<select name="to" aria-label="Assignee of {{ issue.shortId }}"><option value="">nobody</option>
{% for choice in assignees %}<option value="{{ choice.value }}"
{{ 'selected' if choice.value == issue.assigned }}>{{ choice.label }}</option>{% endfor %}
</select><button>Assign</button></form>
<form method="post" action="{{ url_for('page.act', verb='comment', issue_id=issue.id) }}">
<input name="text" required aria-label="Comment on {{ issue.shortId }}" placeholder="Say something">
<button>Comment</button></form></div></section>
{% else %}<p class="card">No issues.</p>{% endfor %}
{{ more | safe }}
</main></body></html>"""

DELIVERIES = """<section class="card"><h2>Hooks</h2>
<form method="post" action="{{ url_for('page.save') }}"><label for="webhook">Webhook URL</label>
<input id="webhook" name="webhook_url" type="url" size="60" value="{{ webhook_url or '' }}">
<button>Save</button></form>
<table><thead><tr><th>Hook<th>Issue<th>Outcome<th>Answer</tr></thead><tbody>
{% for sent in deliveries %}<tr><td>{{ sent.resource }}.{{ sent.action }}<td>{{ sent.issue_id or '' }}
<td class="{{ sent.outcome }}">{{ sent.outcome }}{{ ' ' ~ sent.status if sent.status }}
<td>{{ sent.answer | truncate(300) }}</tr>{% else %}<tr><td colspan="4">None yet.</tr>{% endfor %}
</tbody></table></section>"""

FORMS = """<section class="card"><h2>Comments</h2>
{% for comment in comments %}<p>{{ comment.data.text }}
<span class="faint">{{ comment.user.name if comment.user else 'integration' }},
{{ comment.dateCreated }}</span></p>
{% else %}<p class="faint">None yet.</p>{% endfor %}</section>
<section class="card"><h2>Link Azure DevOps work item</h2>
{% if projects %}<form method="get"><select name="project" aria-label="Project">
{% for option in projects %}<option value="{{ option.value }}" {{ 'selected' if option.value == project }}>
{{ option.label }}</option>{% endfor %}</select>
<input name="query" value="{{ query }}" aria-label="Search" placeholder="Number or words">
<button>Search</button></form>
{% if project %}
<form method="post" action="{{ url_for('page.submit', kind='link', issue_id=issue_id) }}">
<input type="hidden" name="project" value="{{ project }}">
<select name="work_item" required aria-label="Work item">{% for option in work_items %}
<option value="{{ option.value }}">{{ option.label }}</option>{% endfor %}</select>
<button>Link</button></form>
<form method="post" action="{{ url_for('page.submit', kind='create', issue_id=issue_id) }}">
<input type="hidden" name="project" value="{{ project }}">
<input name="work_item_type" value="Task" required aria-label="Work item type">
<input name="title" value="{{ title }}" required aria-label="Title">
<input name="description" aria-label="Description" placeholder="Description"><button>Create</button></form>
{% endif %}{% else %}<p class="faint">No project can be chosen. {{ trouble }}</p>{% endif %}</section>"""


def page(sentry: FakeSentry) -> Blueprint:
    """Make the page of one fake; a pressed button acts as the organization's owner."""
    blueprint = Blueprint("page", __name__)

    @blueprint.get("/")
    def home() -> str:
        with sentry.issues.lock:
            shown = [_shown(sentry, issue.id) for issue in sentry.issues.all()]
        recent = sentry.deliveries[: -SHOWN_DELIVERIES - 1 : -1]
        hooks = render_template_string(DELIVERIES, deliveries=recent, webhook_url=sentry.webhook_url)
        return _layout(sentry, shown, hooks)

    @blueprint.get("/organizations/<organization>/issues/<issue_id>/")
    def issue(organization: str, issue_id: str) -> tuple[str, int] | str:  # noqa: ARG001 - part of the permalink
        try:
            shown = _shown(sentry, issue_id)
        except Missing:
            return "No such issue.", 404
        return _layout(sentry, [shown], _forms(sentry, shown))

    @blueprint.post("/act/<verb>/<issue_id>")
    def act(verb: str, issue_id: str) -> Response:
        verbs: dict[str, Callable[[], object]] = {
            "resolve": lambda: sentry.resolve(issue_id),
            "unresolve": lambda: sentry.unresolve(issue_id),
            "archive": lambda: sentry.archive(issue_id),
            "regress": lambda: sentry.regress(issue_id, release=request.form.get("release") or None),
            "assign": lambda: _assign(sentry, issue_id, request.form.get("to", "")),
            "comment": lambda: sentry.comment(issue_id, request.form.get("text", "")),
        }
        return redirect(url_for("page.home", problem=_problem_of(verbs.get(verb, _nothing))), 303)

    @blueprint.post("/rules")
    def save_rule() -> Response:
        uri = _component_uri(sentry, "alert-rule/save")
        problem = _problem_of(lambda: sentry.save_rule(uri, request.form.to_dict()))
        return redirect(url_for("page.home", problem=problem), 303)

    @blueprint.post("/errors")
    def report() -> Response:
        """Take the first event of an error that is a new issue."""
        issue = sentry.add_issue(request.form["title"])
        sentry.fire_rules(issue.id)
        return redirect(url_for("page.home"), 303)

    @blueprint.post("/integration")
    def save() -> Response:
        sentry.webhook_url = request.form.get("webhook_url") or None
        return redirect(url_for("page.home"), 303)

    @blueprint.post("/link/<kind>/<issue_id>")
    def submit(kind: str, issue_id: str) -> Response:
        uri = _component_uri(sentry, f"issue-link/{kind}")
        problem = _problem_of(lambda: sentry.submit(uri, issue_id, request.form.to_dict()))
        where = url_for("page.issue", organization=sentry.organization, issue_id=issue_id, problem=problem)
        return redirect(where, 303)

    return blueprint


def _layout(sentry: FakeSentry, shown: list[Json], more: str) -> str:
    people = [m for m in sentry.directory.listed() if m.user is not None]
    choices = [{"value": f"user:{m.user.id}", "label": m.user.name} for m in people if m.user is not None]
    choices += [{"value": f"team:{t.id}", "label": f"#{t.slug}"} for t in sentry.directory.teams.values()]
    return render_template_string(
        LAYOUT,
        style=STYLE,
        organization=sentry.organization,
        problem=request.args.get("problem"),
        issues=shown,
        assignees=choices,
        more=more,
    )


def _shown(sentry: FakeSentry, issue_id: str) -> Json:
    issue = sentry.issue(issue_id)
    assigned = issue["assignedTo"]
    return {
        **issue,
        "assigned": f"{assigned['type']}:{assigned['id']}" if assigned else "",
        "links": [
            {"webUrl": _safe(link["webUrl"]), "shown": html.unescape(link["displayName"])}
            for link in sentry.external_issues(issue["id"])
        ],
    }


def _forms(sentry: FakeSentry, shown: Json) -> str:
    """Show the comments and the form; options come from the receiver, and so may its refusal."""
    project, query = request.args.get("project", ""), request.args.get("query", "")
    projects: list[Json] = []
    work_items: list[Json] = []
    trouble = ""
    try:
        projects = sentry.load_options(
            _component_uri(sentry, "options/projects"), project_slug=shown["project"]["slug"]
        )
        if project:
            work_items = sentry.load_options(
                _component_uri(sentry, "options/work-items"),
                project_slug=shown["project"]["slug"],
                query=query,
                dependent={"project": project},
            )
    except ComponentFailed as failed:
        trouble = str(failed)
    return render_template_string(
        FORMS,
        issue_id=shown["id"],
        title=shown["title"],
        comments=sentry.comments(shown["id"]),
        projects=projects,
        work_items=work_items,
        project=project,
        query=query,
        trouble=trouble,
    )


def _component_uri(sentry: FakeSentry, name: str) -> str:
    """Name a component of the receiver: they lie beside its webhook."""
    path = urlsplit(sentry.webhook_url or "").path
    return f"{path.rpartition('/')[0]}/{name}"


def _safe(url: str) -> str:
    """Let no link run a script."""
    return url if urlsplit(url).scheme in {"http", "https"} else ""


def _assign(sentry: FakeSentry, issue_id: str, to: str) -> None:
    sentry.issues.update(issue_id, {"assignedTo": to}, sentry.directory.person(OWNER))


def _nothing() -> None:
    raise Missing("no such button")


def _problem_of(action: Callable[[], object]) -> str | None:
    try:
        action()
    except (Missing, Refused, ComponentFailed) as error:
        return str(error)
    return None
