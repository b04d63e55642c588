"""What the app reads from its environment: defaults, who wins, what is missing; and that secrets stay so."""

import os
from collections.abc import Callable

import pytest

from shared.domain.errors import MissingSetting
from shared.settings import RESOURCE_AREAS_URL, Identity, Settings, StorageAccount

COMPLETE = {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "ADO_WEBHOOK_SECRET": "ado-secret",
    "SENTRY_TOKEN": "sentry-token",
    "SENTRY_CLIENT_SECRET": "sentry-secret",
}


def settings(**changes: str) -> Settings:
    return Settings.from_environ({**COMPLETE, **changes})


def without(*names: str) -> Settings:
    return Settings.from_environ({name: value for name, value in COMPLETE.items() if name not in names})


def test_a_later_change_of_the_environment_changes_nothing() -> None:
    environ = dict(COMPLETE)
    read = Settings.from_environ(environ)
    environ["SENTRY_TOKEN"] = "another"
    assert read.sentry_token("acme") == "sentry-token"


def test_secrets_do_not_show() -> None:
    shown = f"{settings()!r} {settings().storage!r} {StorageAccount('AccountKey=c2VjcmV0')!r}"
    assert not [value for value in (*COMPLETE.values(), "AccountKey") if value in shown]


# Storage

BY_IDENTITY = {"AzureWebJobsStorage__accountName": "acmesync"}
TABLES, QUEUES = "https://acmesync.table.core.windows.net", "https://acmesync.queue.core.windows.net"


@pytest.mark.parametrize(
    ("environ", "account"),
    [
        (
            {"AzureWebJobsStorage": "UseDevelopmentStorage=true"},
            StorageAccount("UseDevelopmentStorage=true"),
        ),
        (BY_IDENTITY, StorageAccount(None, TABLES, QUEUES)),
        ({**BY_IDENTITY, "AzureWebJobsStorage": ""}, StorageAccount(None, TABLES, QUEUES)),
        ({**BY_IDENTITY, "AzureWebJobsStorage": "A=b"}, StorageAccount("A=b")),
        (
            {
                "AzureWebJobsStorage__tableServiceUri": "https://t.example",
                "AzureWebJobsStorage__queueServiceUri": "https://q.example",
            },
            StorageAccount(None, "https://t.example", "https://q.example"),
        ),
        # The host asks for the name first, and so do we: or one would write where the other does not look.
        (
            {
                **BY_IDENTITY,
                "AzureWebJobsStorage__tableServiceUri": "https://t.example",
                "AzureWebJobsStorage__queueServiceUri": "https://q.example",
            },
            StorageAccount(None, TABLES, QUEUES),
        ),
        ({**BY_IDENTITY, "AzureWebJobsStorage": "  "}, StorageAccount(None, TABLES, QUEUES)),
    ],
)
def test_storage_is_a_connection_string_or_an_identity_with_addresses(
    environ: dict[str, str], account: StorageAccount
) -> None:
    assert Settings.from_environ(environ).storage == account


NAME, TABLE_URI, QUEUE_URI = (
    f"AzureWebJobsStorage__{each}" for each in ("accountName", "tableServiceUri", "queueServiceUri")
)
GOOD = {TABLE_URI: "https://t.example", QUEUE_URI: "https://q.example"}


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({}, "AzureWebJobsStorage"),
        ({"AzureWebJobsStorage": ""}, "AzureWebJobsStorage"),
        ({TABLE_URI: " ", QUEUE_URI: ""}, "AzureWebJobsStorage"),
        ({TABLE_URI: "https://t.example"}, QUEUE_URI),
        ({QUEUE_URI: "https://q.example"}, TABLE_URI),
        ({**GOOD, TABLE_URI: ""}, TABLE_URI),
        # What people paste into the name.
        ({NAME: "AccountName=acmesync"}, NAME),
        ({NAME: "https://acmesync.blob.core.windows.net"}, NAME),
        ({NAME: "Acme_Sync"}, NAME),
        # The host takes an empty name for a name.
        ({**GOOD, NAME: ""}, NAME),
        # And into the addresses.
        ({**GOOD, TABLE_URI: "acmesync.table.core.windows.net"}, TABLE_URI),
        ({**GOOD, QUEUE_URI: "http://acmesync.queue.core.windows.net"}, QUEUE_URI),
        ({**GOOD, QUEUE_URI: "https://"}, QUEUE_URI),
        ({**GOOD, TABLE_URI: "https://[::1"}, TABLE_URI),
    ],
)
def test_storage_that_is_not_set_or_only_half_or_not_usable_is_named(
    environ: dict[str, str], named: str
) -> None:
    with pytest.raises(MissingSetting) as missing:
        _ = Settings.from_environ(environ).storage
    assert missing.value.name == named
    assert missing.value.detail.startswith(f"{named} ")
    assert not Settings.from_environ(environ).is_storage_by_identity


# Whom the app signs in as

IN_AZURE = {"IDENTITY_ENDPOINT": "http://169.254.130.2:8081/msi/token"}
CLIENT, CREDENTIAL = "AzureWebJobsStorage__clientId", "AzureWebJobsStorage__credential"


@pytest.mark.parametrize(
    ("environ", "storage", "ado"),
    [
        ({}, Identity(), Identity()),
        (IN_AZURE, Identity("", is_managed=True), Identity("", is_managed=True)),
        (
            {**IN_AZURE, "AZURE_CLIENT_ID": " both "},
            Identity("both", is_managed=True),
            Identity("both", is_managed=True),
        ),
        # What the host needs for a user-assigned identity is enough for storage.
        (
            {CLIENT: "storage", CREDENTIAL: "ManagedIdentity"},
            Identity("storage", is_managed=True),
            Identity(),
        ),
        (
            {**IN_AZURE, CLIENT: "storage", "AZURE_CLIENT_ID": "ado"},
            Identity("storage", is_managed=True),
            Identity("ado", is_managed=True),
        ),
        # A service principal, or a kind of credential that somebody chose, is left to the library.
        ({**IN_AZURE, "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}, Identity("c"), Identity("c")),
        ({**IN_AZURE, "AZURE_TOKEN_CREDENTIALS": "dev"}, Identity(), Identity()),
        (
            {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"},
            Identity("", is_managed=True),
            Identity("", is_managed=True),
        ),
    ],
)
def test_in_azure_the_app_is_its_managed_identity_and_nobody_else(
    environ: dict[str, str], storage: Identity, ado: Identity
) -> None:
    read = Settings.from_environ(environ)
    assert (read.storage_identity, read.ado_identity) == (storage, ado)


REAL = (
    "DefaultEndpointsProtocol=https;AccountName=acmesync;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"
)


@pytest.mark.parametrize(
    ("environ", "local"),
    [
        ({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}, True),
        ({"AzureWebJobsStorage": "usedevelopmentstorage=True"}, True),
        ({"AzureWebJobsStorage": "A=b;TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;C=d"}, True),
        ({"AzureWebJobsStorage": "A=b;TableEndpoint=http://localhost:10002/devstoreaccount1"}, True),
        ({"AzureWebJobsStorage": "A=b;TableEndpoint=https://acmesync.table.core.windows.net"}, False),
        ({"AzureWebJobsStorage": REAL}, False),
        (BY_IDENTITY, False),
        ({}, False),
    ],
)
def test_a_local_run_is_one_whose_storage_is_local(environ: dict[str, str], local: bool) -> None:
    assert Settings.from_environ(environ).addresses.loopback is local


# Plain settings


def test_what_is_not_set_has_a_default() -> None:
    bare = Settings.from_environ({})
    assert bare.table_prefix == settings(TABLE_PREFIX="").table_prefix == "sync"
    assert bare.resource_areas_url == settings(ADO_RESOURCE_AREAS_URL="").resource_areas_url
    assert bare.resource_areas_url == RESOURCE_AREAS_URL
    assert bare.addresses.private_hosts == frozenset()


@pytest.mark.parametrize(
    ("text", "threads"),
    [("32", 32), ("1", 1), ("100", 100), *((odd, None) for odd in ("", "0", "-4", "x", "٣"))],
)
def test_there_are_as_many_threads_as_the_worker_makes_of_it(text: str, threads: int | None) -> None:
    # What the worker cannot read leaves it at Python's own number.
    given = settings(PYTHON_THREADPOOL_THREAD_COUNT=text)
    assert given.threads == (threads or min(32, (os.cpu_count() or 1) + 4))


def test_what_is_set_is_taken() -> None:
    given = settings(
        TABLE_PREFIX="acme",
        ADO_RESOURCE_AREAS_URL="http://127.0.0.1:9/areas/",
        ALLOWED_PRIVATE_HOSTS=" TFS.corp.example, ,sentry.corp.example,",
        PUBLIC_URL="https://acme.azurewebsites.net",
    )
    assert given.table_prefix == "acme"
    assert given.resource_areas_url == "http://127.0.0.1:9/areas"
    assert given.addresses.private_hosts == {"tfs.corp.example", "sentry.corp.example"}
    assert given.public_url == "https://acme.azurewebsites.net/"
    assert settings(PUBLIC_URL="https://acme.azurewebsites.net/").public_url == given.public_url


@pytest.mark.parametrize("environ", [{}, {"PUBLIC_URL": ""}])
def test_a_public_address_that_is_not_set_is_missing(environ: dict[str, str]) -> None:
    with pytest.raises(MissingSetting) as missing:
        _ = Settings.from_environ(environ).public_url
    assert missing.value.name == "PUBLIC_URL"


# Secrets, for all organizations or for one

SECRETS: list[tuple[str, Callable[[Settings, str], tuple[str, ...]]]] = [
    ("ADO_WEBHOOK_SECRET", Settings.ado_webhook_secrets),
    ("SENTRY_CLIENT_SECRET", Settings.sentry_client_secrets),
]


@pytest.mark.parametrize(("name", "read"), SECRETS)
@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        ({"": "new"}, ("new",)),
        ({"": "new", "_PREVIOUS": "old"}, ("new", "old")),
        ({"": "new", "_PREVIOUS": ""}, ("new",)),
        # One for the organization wins, and takes the general previous one out of play.
        ({"": "new", "__ACME_EU": "own"}, ("own",)),
        ({"": "new", "_PREVIOUS": "old", "__ACME_EU": "own"}, ("own",)),
        ({"": "new", "_PREVIOUS": "old", "__ACME_EU": "own", "_PREVIOUS__ACME_EU": "was"}, ("own", "was")),
        ({"__ACME_EU": "own"}, ("own",)),
        # The previous one may be given for one organization as well, and wins even when it is empty.
        ({"": "new", "_PREVIOUS": "old", "_PREVIOUS__ACME_EU": "was"}, ("new", "was")),
        ({"": "new", "_PREVIOUS": "old", "_PREVIOUS__ACME_EU": ""}, ("new",)),
        # The secret of another organization does not count.
        ({"": "new", "__ACME": "other", "_PREVIOUS__ACME": "was"}, ("new",)),
    ],
)
def test_a_secret_is_the_organizations_own_or_the_general_one(
    name: str,
    read: Callable[[Settings, str], tuple[str, ...]],
    given: dict[str, str],
    accepted: tuple[str, ...],
) -> None:
    environ = {f"{name}{suffix}": value for suffix, value in given.items()}
    assert read(Settings.from_environ(environ), "acme-eu") == accepted


@pytest.mark.parametrize(("name", "read"), SECRETS)
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, ""),
        ({"": ""}, ""),
        ({"__ACME": "other"}, ""),
        ({"_PREVIOUS": "old"}, ""),  # a previous one alone proves nothing
        ({"": "new", "_PREVIOUS": "old", "__ACME_EU": ""}, "__ACME_EU"),  # an empty one refuses everybody
        ({"": "new", "__ACME_EU": "", "_PREVIOUS__ACME_EU": "was"}, "__ACME_EU"),
    ],
)
def test_an_empty_or_absent_secret_is_missing_by_its_name(
    name: str, read: Callable[[Settings, str], tuple[str, ...]], given: dict[str, str], named: str
) -> None:
    environ = {f"{name}{suffix}": value for suffix, value in given.items()}
    with pytest.raises(MissingSetting) as missing:
        read(Settings.from_environ(environ), "acme-eu")
    assert missing.value.name == f"{name}{named}"
    assert missing.value.detail.startswith(f"{name}{named} is not set: ")


@pytest.mark.parametrize(
    ("environ", "token"),
    [
        ({"ADO_PAT": "pat"}, "pat"),
        ({"ADO_PAT": "pat", "ADO_PAT__ACME_EU": "own"}, "own"),
        ({"ADO_PAT": "pat", "ADO_PAT__ACME": "other"}, "pat"),
        ({"ADO_PAT": " pat\n"}, "pat"),
        ({"ADO_PAT": ""}, None),
        ({"ADO_PAT": " \n"}, None),
        ({}, None),
    ],
)
def test_without_a_personal_access_token_the_app_signs_in_by_itself(
    environ: dict[str, str], token: str | None
) -> None:
    assert Settings.from_environ(environ).ado_pat("acme-eu") == token


UNRESOLVED = "@Microsoft.KeyVault(SecretUri=https://vault.example/secrets/name)"


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        # An organization whose token somebody took away gets no more than it had.
        ({"ADO_PAT": "pat", "ADO_PAT__ACME_EU": ""}, "ADO_PAT__ACME_EU"),
        ({"ADO_PAT__ACME_EU": " "}, "ADO_PAT__ACME_EU"),
        ({"ADO_PAT": "pat", "ADO_PAT__ACME_EU": UNRESOLVED}, "ADO_PAT__ACME_EU"),
        ({"ADO_PAT": UNRESOLVED}, "ADO_PAT"),
        ({"ADO_PAT": "<your token>"}, "ADO_PAT"),
    ],
)
def test_the_apps_own_identity_does_not_stand_in_for_a_token_that_is_none(
    environ: dict[str, str], name: str
) -> None:
    read = Settings.from_environ(environ)
    with pytest.raises(MissingSetting) as missing:
        read.ado_pat("acme-eu")
    assert missing.value.name == name


# A text that stands in for a secret

STAND_INS = [
    UNRESOLVED,
    f"{UNRESOLVED}\n",
    "@microsoft.keyvault(VaultName=v;SecretName=s)",
    "@Microsoft.AppConfiguration(Endpoint=https://acme.azconfig.io; Key=secret)",
    "<your secret>",
    "<ADO_WEBHOOK_SECRET>",
    "changeme",
    "Change-Me!",
    "your-secret",
    "THE-SECRET",
    "9f2c…",
    "…",
    "xxxxxxxx",
    "***",
    "$(AdoWebhookSecret)",
    "${SENTRY_CLIENT_SECRET}",
    "$ADO_PAT",
    "$env:ADO_PAT",
    "{{ secret }}",
    "#{secret}#",
    "%SECRET%",
    "null",
]
READERS: list[tuple[str, Callable[[Settings, str], object]]] = [
    *SECRETS,
    ("SENTRY_TOKEN", Settings.sentry_token),
    ("ADO_PAT", Settings.ado_pat),
]


@pytest.mark.parametrize(("name", "read"), READERS)
@pytest.mark.parametrize("text", STAND_INS)
def test_what_stands_in_for_a_secret_is_no_secret_and_lets_no_general_one_in(
    name: str, read: Callable[[Settings, str], object], text: str
) -> None:
    for environ, named in (
        ({name: text}, name),
        ({name: "general", f"{name}__ACME": text}, f"{name}__ACME"),
    ):
        given = Settings.from_environ(environ)
        with pytest.raises(MissingSetting) as missing:
            read(given, "acme")
        assert missing.value.name == named
        assert missing.value.detail.split(":")[0].startswith(f"{named} is a")
        assert text.strip() not in missing.value.detail
        assert [each.name for each in given.stood_in_for()] == [named]
        assert text not in given.secrets


@pytest.mark.parametrize(
    "text",
    ["@Microsoft", "password", "secret", "x", "a<b>c", "my-todo-list", "50%", "nullable", "$ecret", "$ABC-1"],
)
def test_a_secret_may_look_odd_and_hold_such_words(text: str) -> None:
    given = settings(ADO_WEBHOOK_SECRET=text)
    assert given.ado_webhook_secrets("acme") == (text,)
    assert given.stood_in_for() == []


@pytest.mark.parametrize("around", ["{}\n", " {}", "{}\r\n", "\t{} \n", "\ufeff{}", "{}\u00a0"])
def test_what_surrounds_a_secret_is_no_part_of_it(around: str) -> None:
    given = settings(
        ADO_WEBHOOK_SECRET=around.format("ab c"),
        ADO_WEBHOOK_SECRET_PREVIOUS=around.format("old"),
        SENTRY_CLIENT_SECRET__ACME=around.format("own"),
        SENTRY_TOKEN=around.format("token"),
    )
    assert given.ado_webhook_secrets("acme") == ("ab c", "old")
    assert given.sentry_client_secrets("acme") == ("own",)
    assert given.sentry_token("acme") == "token"
    assert "token" in given.secrets


@pytest.mark.parametrize("text", [UNRESOLVED, "changeme"])
def test_a_previous_secret_that_is_none_lets_nobody_in_and_is_named(text: str) -> None:
    given = settings(ADO_WEBHOOK_SECRET_PREVIOUS=text, SENTRY_CLIENT_SECRET_PREVIOUS__ACME=text)
    assert given.ado_webhook_secrets("acme") == (COMPLETE["ADO_WEBHOOK_SECRET"],)
    assert given.sentry_client_secrets("acme") == (COMPLETE["SENTRY_CLIENT_SECRET"],)
    named = ["ADO_WEBHOOK_SECRET_PREVIOUS", "SENTRY_CLIENT_SECRET_PREVIOUS__ACME"]
    assert [each.name for each in given.stood_in_for()] == named
    assert given.missing() == []


def test_a_sentry_token_is_the_organizations_own_or_the_general_one() -> None:
    assert settings().sentry_token("acme-eu") == "sentry-token"
    assert settings(SENTRY_TOKEN__ACME_EU="own").sentry_token("acme-eu") == "own"
    assert settings(SENTRY_TOKEN__ACME_EU="own").sentry_token("acme") == "sentry-token"


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (without("SENTRY_TOKEN"), "SENTRY_TOKEN"),
        (settings(SENTRY_TOKEN=""), "SENTRY_TOKEN"),
        (settings(SENTRY_TOKEN__ACME_EU=""), "SENTRY_TOKEN__ACME_EU"),
    ],
)
def test_an_empty_or_absent_sentry_token_is_missing_by_its_name(read: Settings, name: str) -> None:
    with pytest.raises(MissingSetting) as missing:
        read.sentry_token("acme-eu")
    assert missing.value.name == name


# All at once


@pytest.mark.parametrize(
    ("read", "names"),
    [
        (settings(), []),
        (Settings.from_environ({}), list(COMPLETE)),
        (without("SENTRY_TOKEN"), ["SENTRY_TOKEN"]),
        (
            settings(ADO_WEBHOOK_SECRET="", SENTRY_CLIENT_SECRET=""),
            ["ADO_WEBHOOK_SECRET", "SENTRY_CLIENT_SECRET"],
        ),
        (settings(ADO_PAT=""), []),  # Entra stands in
    ],
)
def test_everything_that_is_missing_is_reported_together(read: Settings, names: list[str]) -> None:
    assert [missing.name for missing in read.missing()] == names


def test_a_secret_given_for_single_organizations_is_not_missing() -> None:
    environ = {f"{name}__ACME": value for name, value in COMPLETE.items()}
    environ["AzureWebJobsStorage"] = COMPLETE["AzureWebJobsStorage"]
    assert Settings.from_environ(environ).missing() == []


def test_a_previous_secret_does_not_stand_in_for_a_missing_one() -> None:
    read = Settings.from_environ(
        {"AzureWebJobsStorage": "A=b", "SENTRY_TOKEN": "t", "ADO_WEBHOOK_SECRET_PREVIOUS__ACME": "old"}
    )
    assert [missing.name for missing in read.missing()] == ["ADO_WEBHOOK_SECRET", "SENTRY_CLIENT_SECRET"]


def test_every_secret_of_every_organization_is_known_as_one() -> None:
    environment = {
        "ADO_PAT": "a",
        "ADO_PAT__ACME": "b",
        "SENTRY_TOKEN": "c",
        "SENTRY_TOKEN__ACME_EU": "d",
        "ADO_WEBHOOK_SECRET_PREVIOUS": "e",
        "SENTRY_CLIENT_SECRET__ACME": "f",
        "AZURE_CLIENT_SECRET": "g",
        "AzureWebJobsStorage": "AccountName=x;AccountKey=aa==;SharedAccessSignature=sv=1&sig=2;X=y",
        "PUBLIC_URL": "https://not.secret/",
    }
    secrets = Settings.from_environ(environment).secrets
    assert sorted(secrets) == ["a", "aa==", "b", "c", "d", "e", "f", "g", "sv=1&sig=2"]


def test_hosts_are_trusted_by_name() -> None:
    policy = Settings({"TRUSTED_HOSTS": " TFS.acme.example., errors.acme.example"}).addresses
    assert policy.trusted_hosts == {"tfs.acme.example", "errors.acme.example"}


def test_a_previous_secret_that_is_still_set_is_known_by_its_name() -> None:
    environ = {
        "ADO_WEBHOOK_SECRET": "s",
        "ADO_WEBHOOK_SECRET_PREVIOUS": "old",
        "SENTRY_CLIENT_SECRET_PREVIOUS__ACME": "old",
        "SENTRY_CLIENT_SECRET_PREVIOUS": "",
        "ADO_WEBHOOK_SECRET__NO_PREVIOUS": "s",
        "ADO_WEBHOOK_SECRET_PREVIOUS__GONE": "@Microsoft.KeyVault(SecretUri=https://v)",
    }
    kept = Settings.from_environ(environ).kept_previous
    assert kept == ["ADO_WEBHOOK_SECRET_PREVIOUS", "SENTRY_CLIENT_SECRET_PREVIOUS__ACME"]


@pytest.mark.parametrize("name", ["ACME", "acme!", "\u00df", "a/b", "-acme", "x" * 64, ""])
def test_what_no_organization_is_called_has_no_settings_of_its_own(name: str) -> None:
    given = {f"ADO_WEBHOOK_SECRET__{name.upper()}": "own", "ADO_WEBHOOK_SECRET__ACME": "acme's"}
    with pytest.raises(MissingSetting):
        Settings.from_environ(given).ado_webhook_secrets(name)
