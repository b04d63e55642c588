"""The rules for what deploys the app. Each reads a folder like this repository's and yields what is wrong."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from functions.edge import answer
from shared.settings import STORAGE, Settings
from shared.store.queues import INBOUND_QUEUE, OUTBOUND_QUEUE
from tests.infra import models
from tests.infra.template import FUNCTIONS, Listing, Literal, Object, Template, Value, line_of, text_of

ROOT = Path(__file__).parents[2]
SCHEMA = Path(__file__).parent / "azure.schema.json"

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
    *(
        "traces",
        "requests",
        "where",
        "project",
        "extend",
        "summarize",
        "by",
        "and",
        "in",
        "has",
        "startswith",
    ),
    *("bin", "count", "extract", "iff", "max", "percentile", "strcat", "sum", "h", "true"),
    *("duration", "itemCount", "message", "name", "operation_Id", "operation_Name", "resultCode", "success"),
    *("timestamp", "url"),
}
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Rule = Callable[[Path], Iterator[str]]


def findings(folder: Path = ROOT) -> list[str]:
    """Return everything that is wrong; a template that cannot be parsed is all that is said of it."""
    unread = list(syntax(folder))
    return unread or list(chain.from_iterable(rule(folder) for rule in RULES))


def templates(folder: Path) -> list[Template]:
    return [Template(path) for path in sorted((folder / "infra").glob("*.bicep"))]


def _at(template: Template, line: int, sentence: str) -> str:
    return f"infra/{template.path.name}:{line}: {sentence}"


def _main(folder: Path) -> Template:
    return Template(folder / "infra" / "main.bicep")


# Templates


def syntax(folder: Path) -> Iterator[str]:
    for template in templates(folder):
        for node in template.broken[:1]:
            yield _at(template, line_of(node), f"cannot be parsed at {text_of(node)[:40]!r}")


def names(folder: Path) -> Iterator[str]:
    for template in templates(folder):
        for node, scope in template.uses():
            if node.type == "call_expression":
                function = text_of(node.named_children[0])
                if function not in FUNCTIONS and "." not in function:
                    yield _at(template, line_of(node), f"{function} is no function that these templates know")
            elif node.type == "identifier" and text_of(node) not in {*template.names, *scope}:
                yield _at(template, line_of(node), f"{text_of(node)} is not declared")


def keys(folder: Path) -> Iterator[str]:
    """What is looked up in an object of the same file is there: a.key, a[key]."""
    for template in templates(folder):
        for node, scope in template.uses():
            if node.type not in {"member_expression", "subscript_expression"}:
                continue
            owner, key = node.named_children[0], node.named_children[-1]
            is_member = node.type == "member_expression"
            wanted = {text_of(key)} if is_member else set(_texts(template.read(key, scope)))
            for thing in template.read(owner, scope):
                there = {each.name for each in thing.properties} if isinstance(thing, Object) else wanted
                for each in sorted(wanted - there):
                    yield _at(template, line_of(node), f"{text_of(owner)} has no {each!r}")


def properties(folder: Path) -> Iterator[str]:
    if models.is_stale():
        yield "tests/infra/models.json is not of requirements-models.txt; run `make models`"
    for template in templates(folder):
        for line, sentence in models.findings(template):
            yield _at(template, line, sentence)


def descriptions(folder: Path) -> Iterator[str]:
    for template in templates(folder):
        for parameter in template.parameters.values():
            if not _texts(parameter.decorators.get("description", ())):
                yield _at(template, line_of(parameter.node), f"{parameter.name} has no description")


def modules(folder: Path) -> Iterator[str]:
    """Every module is a file of this repository, and is given what it asks for."""
    for template in templates(folder):
        for module in template.modules.values():
            path = template.path.parent / module.path
            if ":" in module.path or not path.is_file():
                yield _at(template, line_of(module.node), f"{module.path} is no file beside this one")
                continue
            asked = Template(path).parameters
            given = {each.name for each in module.parameters.properties}
            required = {name for name, each in asked.items() if each.default is None}
            for name in sorted(map(str, (given - set(asked)) | (required - given))):
                told = "does not ask for" if name in given else "is not given"
                yield _at(template, line_of(module.node), f"{module.path} {told} {name}")


def parameters_file(folder: Path) -> Iterator[str]:
    place = "infra/main.parameters.json"
    asked = _main(folder).parameters
    given = json.loads((folder / place).read_text(encoding="utf-8"))["parameters"]
    for name in sorted(set(given) ^ set(asked)):
        yield f"{place}: {name} is {'no parameter of main.bicep' if name in given else 'missing'}"
    for name in sorted(set(given) & set(asked)):
        _, is_given, default = given[name]["value"].strip("${}").partition("=")
        expected = asked[name].default
        if expected is not None and [default] != [_as_text(each) for each in expected]:
            yield f"{place}: the default of {name} is not that of main.bicep"
        if expected is None and is_given:
            yield f"{place}: {name} has a default, and none in main.bicep"


def loaded_files(folder: Path) -> Iterator[str]:
    loaded = set()
    for template in templates(folder):
        for name in re.findall(r"loadTextContent\('([^']+)'\)", text_of(template.root)):
            loaded.add(name)
            if not (folder / "infra" / name).is_file():
                yield f"infra/{template.path.name}: {name} is not there"
    for path in sorted((folder / "infra" / "queries").iterdir()):
        if f"queries/{path.name}" not in loaded:
            yield f"infra/queries/{path.name}: nothing uses it"


# What the templates and the app must agree on


def settings(folder: Path) -> Iterator[str]:
    """The app is given all that it cannot do without, and nothing that nobody reads."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    readable = OF_THE_PLATFORM | set(re.findall(r"^## `(\w+)`$", page, re.MULTILINE))
    required = {each.name for each in Settings.from_environ({}).missing()} | {"PUBLIC_URL"}
    given = {*_own_settings(folder), *_secret_settings(folder)}
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


def _secret_settings(folder: Path) -> set[str]:
    default = _main(folder).parameters["secretSettings"].default or ()
    return {name for text in _texts(default) for name in text.split(",")}


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
            found = set(_texts(template.read(template.variables[name])))
            for each in sorted(found ^ expected.pop(name)):
                yield _at(template, line_of(template.variables[name]), f"{name} differ in {each}")
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
                [guid] = _texts(each.values)
                used.add(guid)
                if told.get(guid) != each.name:
                    yield _at(
                        template, line_of(each.node), f"docs/permissions.md knows no {each.name} {guid}"
                    )
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
                        names_of_roles = _texts(template.read(node.named_children[-1], scope))
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


# Around the templates


def azd(folder: Path) -> Iterator[str]:
    yield from _schema(folder, "azure.yaml", "--schemafile", str(SCHEMA))
    document: Any = YAML(typ="safe").load((folder / "azure.yaml").read_text(encoding="utf-8"))
    for hook in (document.get("hooks") or {}).values():
        for each in hook.values():
            if not (folder / each["run"]).is_file():
                yield f"azure.yaml: {each['run']} is not there"
    tagged = {
        name
        for each in templates(folder)
        for name in re.findall(r"'azd-service-name': '(\w+)'", text_of(each.root))
    }
    for name in sorted(tagged ^ set(document.get("services") or {})):
        yield f"azure.yaml: the service {name} is not in both azure.yaml and the templates"


def hooks(folder: Path) -> Iterator[str]:
    """A hook reads only what the templates put out: azd gives it nothing else by these names."""
    outputs = set(_main(folder).outputs) | _secret_settings(folder)
    for path in sorted((folder / "infra" / "hooks").iterdir()):
        # In sh whatever has a default is the script's own.
        asked = r"\benv:([A-Z_]+)" if path.suffix == ".ps1" else r"\$\{?([A-Z][A-Z_]+)\b(?!:-)"
        for name in sorted(set(re.findall(asked, path.read_text(encoding="utf-8"))) - outputs):
            yield f"infra/hooks/{path.name}: the templates put out no {name}; {models.similar(name, outputs)}"


def pipelines(folder: Path) -> Iterator[str]:
    github, azure = "infra/pipelines/github.yml", "infra/pipelines/azure-pipelines.yml"
    yield from _schema(folder, github, "--builtin-schema", "vendor.github-workflows")
    # As the checker's own hook for these files does: their schema has patterns that are not Unicode's.
    own = ("--data-transform", "azure-pipelines", "--regex-variant", "nonunicode")
    yield from _schema(folder, azure, "--builtin-schema", "vendor.azure-pipelines", *own)
    zizmor = Path(sys.executable).with_name("zizmor")
    yield from _said(
        folder, github, [str(zizmor), "--offline", "--quiet", "--no-progress", "--color=never", github]
    )
    given = set(
        re.findall(r"\$\{(\w+)", (folder / "infra" / "main.parameters.json").read_text(encoding="utf-8"))
    )
    known = given | _secret_settings(folder) | {"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID"}
    for place in (github, azure):
        named = set(
            re.findall(r"^ +([A-Z][A-Z_]+):", (folder / place).read_text(encoding="utf-8"), re.MULTILINE)
        )
        for name in sorted(named - known):
            yield f"{place}: nothing reads {name}; {models.similar(name, known)}"


def _schema(folder: Path, place: str, *which: str) -> Iterator[str]:
    yield from _said(folder, place, [sys.executable, "-m", "check_jsonschema", *which, place])


def _said(folder: Path, place: str, command: list[str]) -> Iterator[str]:
    """Run a checker; yield what it said if it is not content."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()
        yield f"{place}: " + "\n".join(line[:200] for line in lines)


def _texts(values: tuple[Value, ...]) -> list[str]:
    """Return the texts among values, those in lists included."""
    found = []
    for value in values:
        if isinstance(value, Listing):
            found += _texts(value.items)
        elif isinstance(value, Literal) and isinstance(value.value, str):
            found.append(value.value)
    return found


def _as_text(value: Value) -> str:
    assert isinstance(value, Literal)
    return str(value.value).lower() if isinstance(value.value, bool) else str(value.value)


RULES: tuple[Rule, ...] = (
    *(names, keys, properties, descriptions, modules, parameters_file, loaded_files),
    *(settings, storage, roles, queries, health),
    *(azd, hooks, pipelines),
)
