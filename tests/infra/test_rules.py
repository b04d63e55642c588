"""What deploys the app is in order; and whoever misspells something in it is told, before Azure is."""

import shutil
from pathlib import Path

import pytest

from tests.infra import models, rules, snapshot
from tests.infra.rules import ROOT, Rule, assignments, findings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of what deploys the app, to break."""
    shutil.copytree(ROOT / "infra", tmp_path / "infra")
    shutil.copy(ROOT / "azure.yaml", tmp_path)
    return tmp_path


def plant(folder: Path, name: str, right: str, wrong: str) -> None:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert right in text, f"{name} no longer holds {right!r}"
    path.write_text(text.replace(right, wrong, 1), encoding="utf-8")


def test_what_deploys_the_app_is_in_order(folder: Path) -> None:
    assert findings(folder) == []


# A misspelling, and what the rule for its kind says of it.
PLANTED: dict[Rule, list[tuple[str, str, str, str]]] = {
    rules.syntax: [
        ("infra/app.bicep", "resource site ", "resource site: ", "cannot be parsed"),
    ],
    rules.names: [
        ("infra/app.bicep", "serverFarmId: plan.id", "serverFarmId: plans.id", "plans is not declared"),
        (
            "infra/foundation.bicep",
            "queue 'queues' = [for name",
            "queue 'queues' = [for nam",
            "name is not declared",
        ),
        ("infra/main.bicep", "toLower(uniqueString", "tolower(uniqueString", "tolower is no function"),
    ],
    rules.keys: [
        ("infra/watch.bicep", "alert.window", "alert.windows", "alert has no 'windows'"),
        (
            "infra/foundation.bicep",
            "roles['Key Vault Secrets User']",
            "roles['Key Vault User']",
            "no 'Key Vault User'",
        ),
        ("infra/foundation.bicep", "= ['Storage Queue Data", "= ['Storage Queues Data", "roles has no"),
    ],
    rules.properties: [
        # at the top and deep down; of single resources, of those in loops, of nested ones
        ("infra/app.bicep", "httpsOnly", "httpOnly", "is httpsOnly meant?"),
        (
            "infra/app.bicep",
            "perInstanceConcurrency",
            "perInstanceConcurency",
            "is perInstanceConcurrency meant?",
        ),
        ("infra/app.bicep", "keyVaultReferenceIdentity:", "keyVaultIdentity:", "has no keyVaultIdentity"),
        ("infra/app.bicep", "{ allow: false }", "{ alow: false }", "is allow meant?"),
        ("infra/app.bicep", "instanceCount", "instances", "has no instances"),
        (
            "infra/foundation.bicep",
            "allowSharedKeyAccess",
            "allowSharedKeysAccess",
            "is allowSharedKeyAccess meant?",
        ),
        ("infra/foundation.bicep", "principalType: 'S", "principalTyp: 'S", "is principalType meant?"),
        ("infra/foundation.bicep", "tenantId: tenant", "tenant: tenant", "is tenantId meant?"),
        ("infra/watch.bicep", "failedLocationCount", "failedLocations", "is failedLocationCount meant?"),
        (
            "infra/watch.bicep",
            "minFailingPeriodsToAlert",
            "minFailingPeriods",
            "is minFailingPeriodsToAlert meant?",
        ),
        ("infra/watch.bicep", "ContentMatch", "contentMatch", "is ContentMatch meant?"),
        ("infra/watch.bicep", "emailReceivers", "emailReceiver", "is emailReceivers meant?"),
        # what can only be read
        ("infra/app.bicep", "httpsOnly: true", "defaultHostName: 'x'", "defaultHostName can only be read"),
        # values that are known, at once or by the choices of a parameter
        ("infra/foundation.bicep", "'StorageV2'", "'StorageV3'", "cannot be 'StorageV3'"),
        ("infra/foundation.bicep", "'Standard_GZRS'", "'Standard_ZGRS'", "cannot be 'Standard_ZGRS'"),
        ("infra/app.bicep", "'UserAssignedIdentity'", "'UserAssigned'", "is UserAssignedIdentity meant?"),
        ("infra/watch.bicep", "WebtestLocationAvailabilityCriteria", "WebTestAvailability", "has no kind"),
        # what is read of a resource or a module
        (
            "infra/app.bicep",
            "identity.properties.clientId",
            "identity.properties.clientID",
            "is clientId meant?",
        ),
        (
            "infra/foundation.bicep",
            "primaryEndpoints.blob}",
            "primaryEndpoint.blob}",
            "is primaryEndpoints meant?",
        ),
        (
            "infra/main.bicep",
            "foundation.outputs.vaultUri",
            "foundation.outputs.vaultUrl",
            "is vaultUri meant?",
        ),
        # types and API versions
        (
            "infra/app.bicep",
            "serverfarms@2025-05-01",
            "serverfarms@2025-05-02",
            "is Microsoft.Web/serverfarms@2025-05-01",
        ),
        (
            "infra/foundation.bicep",
            "storageAccounts@2024-01-01",
            "storageAccounts@2024-10-01",
            "know no Microsoft.St",
        ),
        (
            "infra/watch.bicep",
            "Insights/webtests@",
            "Insights/webtest@",
            "is Microsoft.Insights/webtests@2022-06-15",
        ),
        ("infra/foundation.bicep", "'queueServices'", "'queueService'", "know no Microsoft.Storage"),
        (
            "infra/app.bicep",
            "name: 'appsettings'",
            "name: 'appsetting'",
            "know no Microsoft.Web/sites/config",
        ),
    ],
    rules.descriptions: [
        ("infra/main.bicep", "@description('What principalId is.')", "", "principalType has no description"),
    ],
    rules.modules: [
        (
            "infra/main.bicep",
            "'app.bicep'",
            "'br/public:avm/res/web/site:0.1.0'",
            "is no file beside this one",
        ),
        (
            "infra/main.bicep",
            "    vaultUri: foundation",
            "    vault: foundation",
            "app.bicep does not ask for vault",
        ),
        (
            "infra/main.bicep",
            "    vaultUri: foundation",
            "    vault: foundation",
            "app.bicep is not given vaultUri",
        ),
    ],
    rules.parameters_file: [
        ("infra/main.parameters.json", '"alertEmail"', '"alertMail"', "alertEmail is missing"),
        ("infra/main.parameters.json", '"alertEmail"', '"alertMail"', "alertMail is no parameter"),
        ("infra/main.parameters.json", "MEMORY=2048", "MEMORY=4096", "the default of instanceMemory"),
        ("infra/main.parameters.json", "${ALERT_EMAIL}", "${ALERT_EMAIL=}", "alertEmail has a default"),
    ],
    rules.loaded_files: [
        (
            "infra/watch.bicep",
            "queries/defect.kql",
            "queries/defects.kql",
            "queries/defects.kql is not there",
        ),
        ("infra/watch.bicep", "queries/defect.kql", "queries/workers.kql", "defect.kql: nothing uses it"),
    ],
    rules.settings: [
        (
            "infra/app.bicep",
            "AzureWebJobsStorage__accountName:",
            "AzureWebJobsStorage__account:",
            "is AzureWebJobsSt",
        ),
        ("infra/app.bicep", "PUBLIC_URL:", "PUBLIC_URI:", "is PUBLIC_URL meant?"),
        ("infra/app.bicep", "PUBLIC_URL:", "PUBLIC_URI:", "PUBLIC_URL is not given"),
        (
            "infra/app.bicep",
            "  AZURE_CLIENT_ID: identity.properties.clientId\n",
            "",
            "AZURE_CLIENT_ID is not given",
        ),
        (
            "infra/app.bicep",
            "  PUBLIC_URL:",
            "  FUNCTIONS_WORKER_RUNTIME: 'x'\n  PUBLIC_URL:",
            "plan refuses the setting",
        ),
        ("infra/main.bicep", "'ADO_WEBHOOK_SECRET,", "'ADO_WEBHOOKS_SECRET,", "is ADO_WEBHOOK_SECRET meant?"),
    ],
    rules.storage: [
        ("infra/foundation.bicep", "'inbound-sync-poison'", "'inbound-sync-poisoned'", "queues differ in"),
        ("infra/foundation.bicep", "'synclinks'", "'synclink'", "tables differ in"),
        ("infra/foundation.bicep", "var tables", "var table", "no variable tables"),
    ],
    rules.roles: [
        (
            "infra/foundation.bicep",
            "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
            "b7e6dc6d-f1e8-4753-8033-0f276bb0955c",
            "no role",
        ),
        (
            "infra/foundation.bicep",
            "'Key Vault Secrets User': '",
            "'Key Vault Secret User': '",
            "no Key Vault Secret User",
        ),
    ],
    rules.queries: [
        ("infra/queries/hook-turned-away.kql", '"ado_webhook"', '"ado_webhooks"', "is ado_webhook meant?"),
        ("infra/queries/hook-turned-away.kql", "resultCode in", "resultcode in", "is resultCode meant?"),
        ("infra/queries/outcomes.kql", "summarize lines", "sumarize lines", "is summarize meant?"),
    ],
    rules.health: [
        ("infra/watch.bicep", '"status": "ok"', '"status":"ok"', "is not what health answers"),
        ("infra/watch.bicep", "api/health", "api/healthy", "is no route of the app"),
    ],
    rules.azd: [
        ("azure.yaml", "postprovision:", "postprovison:", "postprovison"),
        ("azure.yaml", "host: function", "host: functions", "host"),
        ("azure.yaml", "  api:", "  app:", "the service app is not in both"),
        (
            "azure.yaml",
            "hooks/postprovision.sh",
            "hooks/postprovison.sh",
            "infra/hooks/postprovison.sh is not there",
        ),
    ],
    rules.hooks: [
        ("infra/hooks/postprovision.sh", "$FUNCTION_APP_ID", "$FUNCTION_ID", "is FUNCTION_APP_ID meant?"),
        (
            "infra/hooks/postprovision.ps1",
            "$env:KEY_VAULT_NAME",
            "$env:VAULT_NAME",
            "is KEY_VAULT_NAME meant?",
        ),
    ],
    rules.pipelines: [
        ("infra/pipelines/github.yml", "permissions: {}", "permission: {}", "permission"),
        ("infra/pipelines/github.yml", "@a457da9ea143d694b1b9c7c869ebb04ebe844ef5", "@v2", "unpinned-uses"),
        ("infra/pipelines/github.yml", "ALERT_EMAIL:", "ALERT_MAIL:", "is ALERT_EMAIL meant?"),
        ("infra/pipelines/azure-pipelines.yml", "inlineScript: |", "inlineScripts: |", "azure-pipelines.yml"),
        (
            "infra/pipelines/azure-pipelines.yml",
            "AZURE_LOCATION:",
            "AZURE_LOCATIONS:",
            "is AZURE_LOCATION meant?",
        ),
    ],
}


@pytest.mark.parametrize(
    ("rule", "name", "right", "wrong", "said"),
    [
        pytest.param(rule, *row, id=f"{rule.__name__}-{row[3]}")
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


def test_every_rule_is_applied_and_finds_something() -> None:
    assert set(PLANTED) == {rules.syntax, *rules.RULES}


def test_a_query_that_nothing_uses_is_found(folder: Path) -> None:
    (folder / "infra" / "queries" / "old.kql").write_text("requests\n", encoding="utf-8")
    assert list(rules.loaded_files(folder)) == ["infra/queries/old.kql: nothing uses it"]


def test_the_models_are_those_of_the_locked_libraries(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not models.is_stale()
    monkeypatch.setattr(models, "fingerprint", lambda: "of another lock file")
    assert list(rules.properties(folder)) == [
        "tests/infra/models.json is not of requirements-models.txt; run `make models`"
    ]


def test_the_models_are_of_every_resource_that_the_templates_declare() -> None:
    resources = [each for template in rules.templates(ROOT) for each in template.resources.values()]
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
