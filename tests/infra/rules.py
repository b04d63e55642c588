"""All rules for what deploys the app. Each reads a folder like this repository's and yields what is wrong."""

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from tests.infra import agreement, surroundings, templates
from tests.infra.package import ROOT

Rule = Callable[[Path], Iterator[str]]

RULES: tuple[Rule, ...] = (
    *(templates.names, templates.keys, templates.properties, templates.descriptions),
    *(templates.modules, templates.parameters_file, templates.loaded_files),
    *(agreement.settings, agreement.storage, agreement.roles, agreement.queries, agreement.health),
    *(surroundings.azd_schema, surroundings.github_schema, surroundings.pipelines_schema),
    *(surroundings.azd, surroundings.hooks, surroundings.workflow, surroundings.pipelines),
    surroundings.supply_chain,
    *(surroundings.package, surroundings.doctor),
)


def findings(folder: Path = ROOT) -> list[str]:
    """Return everything that is wrong; a template that cannot be parsed is all that is said of it."""
    unread = list(templates.syntax(folder))
    return unread or list(chain.from_iterable(rule(folder) for rule in RULES))
