"""Rules for what stands around the templates: azd's file, its hooks, the pipelines, the package."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.infra import models
from tests.infra.agreement import secret_settings
from tests.infra.package import PACKED, packed
from tests.infra.template import text_of
from tests.infra.templates import main_of, templates

SCHEMA = Path(__file__).parent / "azure.schema.json"
COMPONENTS = ".local/components.cdx.json"
_AUDIT = "--requirement requirements.txt --require-hashes --disable-pip"
GITHUB, AZURE_PIPELINES = "infra/pipelines/github.yml", "infra/pipelines/azure-pipelines.yml"
_TOOLS = Path(sys.executable).parent
# What a pipeline gives to its own steps.
_OF_PIPELINES = {"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID"}


def azd_schema(folder: Path) -> Iterator[str]:
    yield from _schema(folder, "azure.yaml", "--schemafile", str(SCHEMA))


def github_schema(folder: Path) -> Iterator[str]:
    yield from _schema(folder, GITHUB, "--builtin-schema", "vendor.github-workflows")


def pipelines_schema(folder: Path) -> Iterator[str]:
    # As the checker's own hook for these files does: their schema has patterns that are not Unicode's.
    own = ("--data-transform", "azure-pipelines", "--regex-variant", "nonunicode")
    yield from _schema(folder, AZURE_PIPELINES, "--builtin-schema", "vendor.azure-pipelines", *own)


def azd(folder: Path) -> Iterator[str]:
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
    outputs = set(main_of(folder).outputs) | secret_settings(folder)
    for path in sorted((folder / "infra" / "hooks").iterdir()):
        # In sh whatever has a default is the script's own.
        asked = r"\benv:([A-Z_]+)" if path.suffix == ".ps1" else r"\$\{?([A-Z][A-Z_]+)\b(?!:-)"
        for name in sorted(set(re.findall(asked, path.read_text(encoding="utf-8"))) - outputs):
            yield f"infra/hooks/{path.name}: the templates put out no {name}; {models.similar(name, outputs)}"


def workflow(folder: Path) -> Iterator[str]:
    """The workflow gives nobody more than its steps need, and pins what it uses."""
    quietly = ("--offline", "--quiet", "--no-progress", "--color=never")
    yield from _said(folder, GITHUB, [str(_TOOLS / "zizmor"), *quietly, GITHUB])


def supply_chain(folder: Path) -> Iterator[str]:
    """Before anything is deployed, its packages are looked up, and the list of them is kept."""
    for place in (GITHUB, AZURE_PIPELINES):
        text = (folder / place).read_text(encoding="utf-8")
        for step in (_AUDIT, "make components", COMPONENTS):
            if not 0 <= text.find(step) < text.find("azd deploy"):
                yield f"{place}: deploys without {step}"


def pipelines(folder: Path) -> Iterator[str]:
    """A pipeline sets only what the templates or its own steps read."""
    parameters = (folder / "infra" / "main.parameters.json").read_text(encoding="utf-8")
    known = {*re.findall(r"\$\{(\w+)", parameters), *secret_settings(folder), *_OF_PIPELINES}
    for place in (GITHUB, AZURE_PIPELINES):
        text = (folder / place).read_text(encoding="utf-8")
        for name in sorted(set(re.findall(r"^ +([A-Z][A-Z_]+):", text, re.MULTILINE)) - known):
            yield f"{place}: nothing reads {name}; {models.similar(name, known)}"


def package(folder: Path) -> Iterator[str]:
    """What is uploaded is the app and nothing else."""
    for name in sorted({path.parts[0] for path in packed(folder)} ^ PACKED):
        told = "would not be uploaded" if name in PACKED else "would be uploaded; name it in .funcignore"
        yield f"{name}: {told}"


def doctor(folder: Path) -> Iterator[str]:
    """What is uploaded is well, as the doctor of Azure Functions finds it."""
    with tempfile.TemporaryDirectory() as alone:
        for path in packed(folder):
            target = Path(alone) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / path, target)
        yield from _sick(alone)


def _sick(folder: str) -> Iterator[str]:
    plan = ("--profile", "deploy", "--hosting-plan", "flex-consumption", "--target-python", "3.12")
    doctor = [str(_TOOLS / "azure-functions-doctor"), "doctor", "--format", "json", *plan, "--path", folder]
    done = subprocess.run(doctor, capture_output=True, text=True, check=False)
    for item in (each for result in json.loads(done.stdout)["results"] for each in result["items"]):
        if item["status"] == "fail":
            yield f"the package: {item['label']}: {item['value']}"


def _schema(folder: Path, place: str, *which: str) -> Iterator[str]:
    yield from _said(folder, place, [sys.executable, "-m", "check_jsonschema", *which, place])


def _said(folder: Path, place: str, command: list[str]) -> Iterator[str]:
    """Run a checker; yield what it said if it is not content."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()
        yield f"{place}: " + "\n".join(line[:200] for line in lines)
