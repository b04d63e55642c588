"""Rules for what the templates and the app must agree on: settings, queues, tables, roles, queries."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from functions.edge import answer
from shared.settings import STORAGE, Settings
from shared.store.queues import INBOUND_QUEUE, OUTBOUND_QUEUE
from tests.infra import models
from tests.infra.package import ROOT
from tests.infra.template import Object, line_of, text_of, texts_of
from tests.infra.templates import at, main_of, templates

# What the host, the worker and Azure's libraries read from the environment of every app like this.
OF_THE_PLATFORM = {
    f"{STORAGE}__credential",
    f"{STORAGE}__clientId",
    "AZURE_CLIENT_ID",
    "AZURE_TOKEN_CREDENTIALS",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "PYTHON_THREADPOOL_THREAD_COUNT",
}
# https://learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations
REFUSED_BY_FLEX_CONSUMPTION = {
    *("ENABLE_ORYX_BUILD", "FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_PROCESS_COUNT"),
    *("FUNCTIONS_WORKER_RUNTIME", "SCM_DO_BUILD_DURING_DEPLOYMENT", "WEBSITE_RUN_FROM_PACKAGE"),
}
# The language of the queries, as far as they use it, and the columns of Application Insights.
KUSTO = {
    *("traces", "requests", "where", "project", "extend", "summarize", "by", "and", "in", "has"),
    *("bin", "count", "extract", "iff", "max", "percentile", "startswith", "strcat", "sum", "h", "true"),
    *("duration", "itemCount", "message", "name", "operation_Id", "operation_Name", "resultCode", "success"),
    *("timestamp", "url"),
}
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def settings(folder: Path) -> Iterator[str]:
    """The app is given all that it cannot do without, and nothing that nobody reads."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    readable = OF_THE_PLATFORM | set(re.findall(r"^## `(\w+)`$", page, re.MULTILINE))
    required = {each.name for each in Settings.from_environ({}).missing()} | {"PUBLIC_URL"}
    given = {*_own_settings(folder), *secret_settings(folder)}
    for name in sorted(given - readable):
        yield f"infra: nobody reads the setting {name}; {models.similar(name, readable)}"
    for name in sorted(given & REFUSED_BY_FLEX_CONSUMPTION):
        yield f"infra: a Flex Consumption plan refuses the setting {name}"
    for name in sorted(each for each in required | OF_THE_PLATFORM if not _is_given(each, given)):
        yield f"infra: the setting {name} is not given"


def _is_given(name: str, given: set[str]) -> bool:
    return name in given or (name == STORAGE and f"{STORAGE}__accountName" in given)


def _own_settings(folder: Path) -> set[str]:
    found = set()
    for template in templates(folder):
        for resource in template.resources.values():
            if resource.type == "Microsoft.Web/sites/config":
                objects = (each for each in resource.body.get("properties") if isinstance(each, Object))
                found |= {str(each.name) for thing in objects for each in thing.properties}
    return found


def secret_settings(folder: Path) -> set[str]:
    default = main_of(folder).parameters["secretSettings"].default or ()
    return {name for text in texts_of(default) for name in text.split(",")}


def storage(folder: Path) -> Iterator[str]:
    """The queues and tables are those that the app uses, so that it need not make them."""
    prefix = Settings.from_environ({}).table_prefix
    code = (ROOT / "shared" / "services.py").read_text(encoding="utf-8")
    expected = {
        "queues": {f"{queue}{end}" for queue in (INBOUND_QUEUE, OUTBOUND_QUEUE) for end in ("", "-poison")},
        "tables": {f"{prefix}{name}" for name in re.findall(r"""self\._table\(["'](\w+)["']\)""", code)},
    }
    for template in templates(folder):
        for name in sorted(set(expected) & set(template.variables)):
            found = set(texts_of(template.read(template.variables[name])))
            for each in sorted(found ^ expected.pop(name)):
                yield at(template, line_of(template.variables[name]), f"{name} differ in {each}")
    for name in expected:
        yield f"infra: no variable {name} names those that the app uses"


def roles(folder: Path) -> Iterator[str]:
    """Every role is the one that docs/permissions.md tells people about, by name and by number."""
    page = (ROOT / "docs" / "permissions.md").read_text(encoding="utf-8")
    told = {
        guid: name
        for name, guid in re.findall(rf"^\| ([\w ]+?) \| `({GUID.pattern})` \|", page, re.MULTILINE)
    }
    used = set()
    for template in templates(folder):
        for thing in template.read(template.variables["roles"]) if "roles" in template.variables else ():
            assert isinstance(thing, Object)
            for each in thing.properties:
                [guid] = texts_of(each.values)
                used.add(guid)
                if told.get(guid) != each.name:
                    yield at(template, line_of(each.node), f"docs/permissions.md knows no {each.name} {guid}")
        for found in GUID.finditer(text_of(template.root)):
            if found[0] not in told:
                yield f"infra/{template.path.name}: docs/permissions.md knows no role {found[0]}"
    for guid in sorted(set(told) - used):
        yield f"docs/permissions.md: no template uses {told[guid]}"


def assignments(folder: Path) -> set[tuple[str, str, str]]:
    """Return who may do what with which resource: app or operator, role, symbol of the resource."""
    found = set()
    for template in templates(folder):
        looked_up = [(node, scope) for node, scope in template.uses() if node.type == "subscript_expression"]
        for resource in template.resources.values():
            if resource.type == "Microsoft.Authorization/roleAssignments":
                who = "operator" if "principalId: principalId" in text_of(resource.node) else "app"
                for node, scope in looked_up:
                    if resource.node.start_byte <= node.start_byte < resource.node.end_byte:
                        names_of_roles = texts_of(template.read(node.named_children[-1], scope))
                        found |= {(who, role, resource.body.text("scope")) for role in names_of_roles}
    return found


def queries(folder: Path) -> Iterator[str]:
    """Every word of a query is known: the language's, a column, the query's own; every function is ours."""
    ours = set(
        re.findall(r'@app\.function_name\("(\w+)"\)', (ROOT / "function_app.py").read_text(encoding="utf-8"))
    )
    for path in sorted((folder / "infra" / "queries").glob("*.kql")):
        place = f"infra/queries/{path.name}"
        code = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
        quoted = re.findall(r"\bname (?:==|in) (\(.+?\)|\"\w+\")", code)
        for name in sorted({each for text in quoted for each in re.findall(r'"(\w+)"', text)} - ours):
            yield f"{place}: the app has no function {name}; {models.similar(name, ours)}"
        bare = re.sub(r'"[^"]*"', "", code)
        own = set(re.findall(r"(\w+) = ", bare))
        for word in sorted(set(re.findall(r"[A-Za-z_]+", bare)) - KUSTO - own):
            yield f"{place}: {word} is no word that these queries know; {models.similar(word, KUSTO | own)}"


def health(folder: Path) -> Iterator[str]:
    """The web test asks a route that is there, for a text that a healthy app answers."""
    text = (folder / "infra" / "watch.bicep").read_text(encoding="utf-8")
    [wanted] = re.findall(r"ContentMatch: '([^']+)'", text)
    healthy = answer({"status": "ok", "problems": []}).get_body().decode()
    if wanted not in healthy:
        yield f"infra/watch.bicep: {wanted} is not what health answers, {healthy}"
    prefix = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))["extensions"]["http"]["routePrefix"]
    routes = re.findall(r'@app\.route\("([\w/]+)"', (ROOT / "function_app.py").read_text(encoding="utf-8"))
    for asked in re.findall(r"RequestUrl: '\$\{publicUrl\}([^']+)'", text):
        if asked not in {f"{prefix}/{route}" for route in routes}:
            yield f"infra/watch.bicep: {asked} is no route of the app"
