"""The page for a person: work items to move and to assign, and the service hook deliveries that follow."""

from typing import Any

from flask import Flask, redirect, render_template_string, request
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response

from simulator.ado.errors import Refused
from simulator.ado.items import WorkItem, instant
from simulator.ado.organization import ANN, Organization

MOST_DELIVERIES = 30

# Jinja escapes every value of a template that is rendered from a string.
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ name }} · simulated Azure DevOps</title>
<style>
  :root { color-scheme: light dark; --line: #8884; --accent: #0067c0; }
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
  h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
  p { margin: .25rem 0; opacity: .75; }
  table { border-collapse: collapse; width: 100%; }
  th, td { border-bottom: 1px solid var(--line); padding: .45rem .6rem; text-align: left; }
  th { font-weight: 600; font-size: .85rem; opacity: .75; }
  form { display: flex; gap: .4rem; }
  select, button { font: inherit; padding: .2rem .5rem; border: 1px solid var(--line); border-radius: 6px; }
  button { background: var(--accent); color: white; border-color: transparent; cursor: pointer; }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
  .number { font-variant-numeric: tabular-nums; } .problem { color: #c42b1c; opacity: 1; font-weight: 600; }
</style>
</head>
<body>
<h1>{{ name }}</h1>
<p>A simulated Azure DevOps organization. You are Ann.</p>
<p role="alert" class="problem">{{ problem }}</p>
<main id="live">
<h2>Work items</h2>
<table>
<thead><tr><th scope="col">Id</th><th scope="col">Title</th><th scope="col">Project</th>
<th scope="col">State</th><th scope="col">Assignee</th><th scope="col">Rev</th>
<th scope="col">Last change</th></tr></thead>
<tbody>
{% for item, states, changed in items %}
<tr>
<td class="number">{{ item.id }}</td><td>{{ item.title }}</td>
<td>{{ item.project }} · {{ item.fields["System.WorkItemType"] }}</td>
<td><form method="post" action="/edit">
<input type="hidden" name="id" value="{{ item.id }}">
<input type="hidden" name="field" value="System.State">
<select name="value" aria-label="State of {{ item.title }}">
{% for state in states %}
<option{% if state == item.state %} selected{% endif %}>{{ state }}</option>{% endfor %}
</select><button aria-label="Set the state of {{ item.title }}">Set</button></form></td>
<td><form method="post" action="/edit">
<input type="hidden" name="id" value="{{ item.id }}">
<input type="hidden" name="field" value="System.AssignedTo">
<select name="value" aria-label="Assignee of {{ item.title }}"><option value="">Nobody</option>
{% for person in people %}<option value="{{ person.id }}"
{%- if person == item.fields.get("System.AssignedTo") %} selected{% endif %}>{{ person.name }}</option>
{% endfor %}
</select><button aria-label="Assign {{ item.title }}">Assign</button></form></td>
<td class="number">{{ item.rev }}</td><td>{{ changed }} by {{ item.latest.by.name }}</td>
</tr>
{% else %}<tr><td colspan="7">There are no work items yet.</td></tr>{% endfor %}
</tbody>
</table>
<h2>Service hook subscriptions</h2>
<table>
<thead><tr><th scope="col">Event</th><th scope="col">Receiver</th><th scope="col">Status</th></tr></thead>
<tbody>
{% for hook in subscriptions %}
<tr><td>{{ hook.event_type }}</td><td>{{ hook.url }}</td><td>{{ hook.status }}</td></tr>
{% else %}<tr><td colspan="3">Nobody has subscribed.</td></tr>{% endfor %}
</tbody>
</table>
<h2>Deliveries, newest first</h2>
<table>
<thead><tr><th scope="col">Event</th><th scope="col">Notification</th><th scope="col">Attempt</th>
<th scope="col">Receiver</th><th scope="col">Answer</th></tr></thead>
<tbody>
{% for one in deliveries %}
<tr><td>{{ one.event_type }}</td><td class="number">{{ one.notification_id }}</td>
<td class="number">{{ one.attempt }}</td><td>{{ one.url }}</td>
<td>{{ one.http_status or "no answer" }}</td></tr>
{% else %}<tr><td colspan="5">Nothing has been delivered.</td></tr>{% endfor %}
</tbody>
</table>
</main>
<script>
  // The lists are read again every two seconds, but never under somebody's fingers.
  setInterval(async () => {
    const live = document.getElementById("live");
    if (live.contains(document.activeElement)) return;
    const page = await fetch(location.pathname).then((answer) => answer.text()).catch(() => null);
    if (page === null || live.contains(document.activeElement)) return;
    live.replaceWith(new DOMParser().parseFromString(page, "text/html").getElementById("live"));
  }, 2000);
</script>
</body>
</html>
"""


def add_page(app: Flask, organization: Organization) -> None:
    def row(work_item: WorkItem) -> tuple[WorkItem, list[str], str]:
        kind = organization.catalog.project(work_item.project).type(
            str(work_item.fields["System.WorkItemType"])
        )
        return (
            work_item,
            [state.name for state in kind.moves_from(work_item.state)],
            instant(work_item.latest.at),
        )

    def page(problem: str = "") -> Any:
        return render_template_string(
            PAGE,
            name=organization.name,
            problem=problem,
            items=[row(work_item) for work_item in organization.work_items.all()],
            people=organization.catalog.people,
            subscriptions=organization.subscriptions,
            deliveries=organization.deliveries[: -MOST_DELIVERIES - 1 : -1],
        )

    @app.get("/", endpoint="page")
    def show() -> Any:
        return page()

    @app.post("/edit")
    def edit_on_page() -> Any:
        # The page asks for no password, so it takes orders from itself only.
        origin = request.headers.get("Origin")
        if origin not in {None, request.host_url.rstrip("/")}:
            raise Forbidden
        form = request.form
        if form.get("field") not in {"System.State", "System.AssignedTo", "System.History"}:
            raise Forbidden
        reason = {"System.Reason": form["reason"]} if form.get("reason") else {}
        try:
            organization.edit(
                form.get("id", 0, type=int), actor=ANN, **{form["field"]: form.get("value", "")}, **reason
            )
        except Refused as refused:
            return page(refused.message), refused.http_status
        answer: Response = redirect("/", 303)
        return answer
