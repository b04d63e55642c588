"""What deploys the app is in order; and whoever misspells something in it is told, before Azure is."""

import re
import shutil
from pathlib import Path

import pytest

from tests.infra import agreement, models, rules, snapshot, surroundings, templates
from tests.infra.agreement import assignments
from tests.infra.package import ROOT
from tests.infra.rules import Rule, findings

MAIN, FOUNDATION, APP, WATCH = (f"infra/{each}.bicep" for each in ("main", "foundation", "app", "watch"))
PARAMETERS = "infra/main.parameters.json"
QUERY = "infra/queries/hook-turned-away.kql"
GITHUB, AZURE = surroundings.GITHUB, surroundings.AZURE_PIPELINES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the app and of what deploys it, to break."""
    without = shutil.ignore_patterns("__pycache__")
    for name in ("infra", "functions", "shared"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=without)
    for name in ("azure.yaml", "function_app.py", "host.json", "requirements.txt", ".funcignore"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def plant(folder: Path, name: str, right: str, wrong: str) -> None:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert right in text, f"{name} no longer holds {right!r}"
    path.write_text(text.replace(right, wrong, 1), encoding="utf-8")


# A misspelling, and what the rule for its kind says of it.
PLANTED: dict[Rule, list[tuple[str, str, str, str]]] = {
    templates.syntax: [
        (APP, "resource site ", "resource site: ", "cannot be parsed"),
    ],
    templates.names: [
        (APP, "serverFarmId: plan.id", "serverFarmId: plans.id", "plans is not declared"),
        (FOUNDATION, "queue 'queues' = [for name", "queue 'queues' = [for nam", "name is not declared"),
        (MAIN, "toLower(uniqueString", "tolower(uniqueString", "tolower is no function"),
    ],
    templates.keys: [
        (WATCH, "alert.window", "alert.windows", "alert has no 'windows'"),
        (FOUNDATION, "roles['Key Vault Secrets User']", "roles['Key Vault User']", "no 'Key Vault User'"),
        (FOUNDATION, "= ['Storage Queue Data", "= ['Storage Queues Data", "roles has no"),
    ],
    templates.properties: [
        # at the top and deep down; of single resources, of those in loops, of nested ones
        (APP, "httpsOnly", "httpOnly", "is httpsOnly meant?"),
        (APP, "perInstanceConcurrency", "perInstanceConcurency", "is perInstanceConcurrency meant?"),
        (APP, "keyVaultReferenceIdentity:", "keyVaultIdentity:", "has no keyVaultIdentity"),
        (APP, "{ allow: false }", "{ alow: false }", "is allow meant?"),
        (APP, "instanceCount", "instances", "has no instances"),
        (FOUNDATION, "allowSharedKeyAccess", "allowSharedKeysAccess", "is allowSharedKeyAccess meant?"),
        (FOUNDATION, "principalType: 'S", "principalTyp: 'S", "is principalType meant?"),
        (FOUNDATION, "tenantId: tenant", "tenant: tenant", "is tenantId meant?"),
        (WATCH, "failedLocationCount", "failedLocations", "is failedLocationCount meant?"),
        (WATCH, "minFailingPeriodsToAlert", "minFailingPeriods", "is minFailingPeriodsToAlert meant?"),
        (WATCH, "ContentMatch", "contentMatch", "is ContentMatch meant?"),
        (WATCH, "emailReceivers", "emailReceiver", "is emailReceivers meant?"),
        # what can only be read
        (APP, "httpsOnly: true", "defaultHostName: 'x'", "defaultHostName can only be read"),
        # values that are known, at once or by the choices of a parameter
        (FOUNDATION, "'StorageV2'", "'StorageV3'", "cannot be 'StorageV3'"),
        (FOUNDATION, "'Standard_GZRS'", "'Standard_ZGRS'", "cannot be 'Standard_ZGRS'"),
        (APP, "'UserAssignedIdentity'", "'UserAssigned'", "is UserAssignedIdentity meant?"),
        (WATCH, "WebtestLocationAvailabilityCriteria", "WebTestAvailability", "has no kind"),
        # what is read of a resource or a module
        (APP, "identity.properties.clientId", "identity.properties.clientID", "is clientId meant?"),
        (FOUNDATION, "primaryEndpoints.blob}", "primaryEndpoint.blob}", "is primaryEndpoints meant?"),
        (MAIN, "foundation.outputs.vaultUri", "foundation.outputs.vaultUrl", "is vaultUri meant?"),
        # types and API versions
        (APP, "serverfarms@2025-05-01", "serverfarms@2025-05-02", "is Microsoft.Web/serverfarms@2025-05-01"),
        (FOUNDATION, "storageAccounts@2024-01-01", "storageAccounts@2024-10-01", "know no Microsoft.St"),
        (WATCH, "Insights/webtests@", "Insights/webtest@", "is Microsoft.Insights/webtests@2022-06-15"),
        (FOUNDATION, "'queueServices'", "'queueService'", "know no Microsoft.Storage"),
        (APP, "name: 'appsettings'", "name: 'appsetting'", "know no Microsoft.Web/sites/config"),
    ],
    templates.descriptions: [
        (MAIN, "@description('What principalId is.')", "", "principalType has no description"),
    ],
    templates.modules: [
        (MAIN, "'app.bicep'", "'br/public:avm/res/web/site:0.1.0'", "is no file beside this one"),
        (MAIN, "    vaultUri: foundation", "    vault: foundation", "app.bicep does not ask for vault"),
        (MAIN, "    vaultUri: foundation", "    vault: foundation", "app.bicep is not given vaultUri"),
    ],
    templates.parameters_file: [
        (PARAMETERS, '"alertEmail"', '"alertMail"', "alertEmail is missing"),
        (PARAMETERS, '"alertEmail"', '"alertMail"', "alertMail is no parameter"),
        (PARAMETERS, "MEMORY=2048", "MEMORY=4096", "the default of instanceMemory"),
        (PARAMETERS, "${ALERT_EMAIL}", "${ALERT_EMAIL=}", "alertEmail has a default"),
    ],
    templates.loaded_files: [
        (WATCH, "queries/defect.kql", "queries/defects.kql", "queries/defects.kql is not there"),
        (WATCH, "queries/defect.kql", "queries/workers.kql", "defect.kql: nothing uses it"),
    ],
    agreement.settings: [
        (APP, "AzureWebJobsStorage__accountName:", "AzureWebJobsStorage__account:", "is AzureWebJobsSt"),
        (APP, "PUBLIC_URL:", "PUBLIC_URI:", "is PUBLIC_URL meant?"),
        (APP, "PUBLIC_URL:", "PUBLIC_URI:", "PUBLIC_URL is not given"),
        (APP, "  AZURE_CLIENT_ID: identity.properties.clientId\n", "", "AZURE_CLIENT_ID is not given"),
        (APP, "  PUBLIC_URL:", "  FUNCTIONS_WORKER_RUNTIME: 'x'\n  PUBLIC_URL:", "plan refuses the setting"),
        (MAIN, "'ADO_WEBHOOK_SECRET,", "'ADO_WEBHOOKS_SECRET,", "is ADO_WEBHOOK_SECRET meant?"),
    ],
    agreement.storage: [
        (FOUNDATION, "'inbound-sync-poison'", "'inbound-sync-poisoned'", "queues differ in"),
        (FOUNDATION, "'synclinks'", "'synclink'", "tables differ in"),
        (FOUNDATION, "var tables", "var table", "no variable tables"),
    ],
    agreement.roles: [
        (
            FOUNDATION,
            "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
            "b7e6dc6d-f1e8-4753-8033-0f276bb0955c",
            "no role",
        ),
        (FOUNDATION, "'Key Vault Secrets User': '", "'Key Vault Secret User': '", "no Key Vault Secret User"),
    ],
    agreement.queries: [
        (QUERY, '"ado_webhook"', '"ado_webhooks"', "is ado_webhook meant?"),
        (QUERY, "resultCode in", "resultcode in", "is resultCode meant?"),
        ("infra/queries/outcomes.kql", "summarize lines", "sumarize lines", "is summarize meant?"),
    ],
    agreement.health: [
        (WATCH, '"status": "ok"', '"status":"ok"', "is not what health answers"),
        (WATCH, "api/health", "api/healthy", "is no route of the app"),
    ],
    surroundings.azd_schema: [
        ("azure.yaml", "postprovision:", "postprovison:", "postprovison"),
        ("azure.yaml", "host: function", "host: functions", "host"),
    ],
    surroundings.github_schema: [
        (GITHUB, "permissions: {}", "permission: {}", "permission"),
    ],
    surroundings.pipelines_schema: [
        (AZURE, "inlineScript: |", "inlineScripts: |", "azure-pipelines.yml"),
    ],
    surroundings.azd: [
        ("azure.yaml", "  api:", "  app:", "the service app is not in both"),
        (
            "azure.yaml",
            "hooks/postprovision.sh",
            "hooks/postprovison.sh",
            "infra/hooks/postprovison.sh is not there",
        ),
    ],
    surroundings.hooks: [
        ("infra/hooks/postprovision.sh", "$FUNCTION_APP_ID", "$FUNCTION_ID", "is FUNCTION_APP_ID meant?"),
        (
            "infra/hooks/postprovision.ps1",
            "$env:KEY_VAULT_NAME",
            "$env:VAULT_NAME",
            "is KEY_VAULT_NAME meant?",
        ),
    ],
    surroundings.workflow: [
        (GITHUB, "@a457da9ea143d694b1b9c7c869ebb04ebe844ef5", "@v2", "unpinned-uses"),
    ],
    surroundings.supply_chain: [
        (
            GITHUB,
            "requirements.txt --require-hashes",
            "requirements-dev.txt --require-hashes",
            "deploys without --req",
        ),
        (GITHUB, "make components", "make check", "deploys without make components"),
        (
            AZURE,
            "publish: .local/components.cdx.json",
            "publish: main.json",
            "without .local/components.cdx.json",
        ),
    ],
    surroundings.pipelines: [
        (GITHUB, "ALERT_EMAIL:", "ALERT_MAIL:", "is ALERT_EMAIL meant?"),
        (AZURE, "AZURE_LOCATION:", "AZURE_LOCATIONS:", "is AZURE_LOCATION meant?"),
    ],
    surroundings.package: [
        (".funcignore", "azure.yaml\n", "", "azure.yaml: would be uploaded"),
        (".funcignore", "docs\n", "docs\nshared\n", "shared: would not be uploaded"),
    ],
    surroundings.doctor: [
        ("host.json", '"version": "2.0"', '"version": "3.0"', "host.json version"),
    ],
}


# These start a process, which takes seconds; make test-long plants what they find.
SLOW = {
    surroundings.doctor,
    surroundings.azd_schema,
    surroundings.github_schema,
    surroundings.pipelines_schema,
}


@pytest.mark.parametrize(
    ("rule", "name", "right", "wrong", "said"),
    [
        pytest.param(
            rule, *row, id=f"{rule.__name__}-{row[3]}", marks=[pytest.mark.long] if rule in SLOW else []
        )
        for rule, rows in PLANTED.items()
        for row in rows
    ],
)
def test_a_misspelling_is_found(
    folder: Path, rule: Rule, name: str, right: str, wrong: str, said: str
) -> None:
    plant(folder, name, right, wrong)
    found = list(rule(folder))
    assert [each for each in found if said in each], found


def test_a_template_that_cannot_be_parsed_is_all_that_is_said(folder: Path) -> None:
    plant(folder, APP, "resource site ", "resource site: ")
    [finding] = findings(folder)
    assert "cannot be parsed" in finding


def test_every_rule_is_applied_and_finds_something() -> None:
    assert set(PLANTED) == {templates.syntax, *rules.RULES}


def test_a_query_that_nothing_uses_is_found(folder: Path) -> None:
    (folder / "infra" / "queries" / "old.kql").write_text("requests\n", encoding="utf-8")
    assert list(templates.loaded_files(folder)) == ["infra/queries/old.kql: nothing uses it"]


def test_the_models_are_those_of_the_locked_libraries(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not models.is_stale()
    monkeypatch.setattr(models, "fingerprint", lambda: "of another lock file")
    assert list(templates.properties(folder)) == [
        "tests/infra/models.json is not of requirements-models.txt; run `make models`"
    ]


def test_the_models_are_of_every_resource_that_the_templates_declare() -> None:
    resources = [each for template in templates.templates(ROOT) for each in template.resources.values()]
    assert set(snapshot.declared()) == {(each.type, each.version) for each in resources}
    assert len(resources) > 20


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Web/sites/{name}", "Microsoft.Web/sites"),
        (
            "/subscriptions/{s}/providers/Microsoft.Web/sites/{name}/config/appsettings",
            "Microsoft.Web/sites/config/appsettings",
        ),
        ("/{scope}/providers/Microsoft.Authorization/locks/{name}", "Microsoft.Authorization/locks"),
        ("/subscriptions/{s}/resourcegroups/{g}", "Microsoft.Resources/resourceGroups"),
        ("/subscriptions/{s}", ""),
    ],
)
def test_an_address_tells_the_kind_of_resource(address: str, kind: str) -> None:
    assert snapshot._kind_of(address) == kind


def test_each_may_do_what_it_needs_and_no_more() -> None:
    assert assignments(ROOT) == {
        ("app", "Storage Blob Data Owner", "storage"),
        ("app", "Storage Queue Data Contributor", "storage"),
        ("app", "Storage Table Data Contributor", "storage"),
        ("app", "Key Vault Secrets User", "vault"),
        ("app", "Monitoring Metrics Publisher", "component"),
        ("operator", "Storage Queue Data Contributor", "storage"),
        ("operator", "Storage Table Data Contributor", "storage"),
        ("operator", "Key Vault Secrets Officer", "vault"),
    }


def test_the_app_is_reached_by_https_alone() -> None:
    text = (ROOT / "infra" / "app.bicep").read_text(encoding="utf-8")
    assert re.findall(r"^ *httpsOnly: (\w+)$", text, re.MULTILINE) == ["true"]
