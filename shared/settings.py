"""The app's settings: environment variables in, a frozen value out; nothing here reads the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from shared.domain.addresses import AddressPolicy, hosts_in, is_loopback_url
from shared.domain.errors import MissingSetting, UnusableSetting
from shared.domain.ids import is_slug
from shared.domain.placeholders import find_flaw, usable

STORAGE = "AzureWebJobsStorage"
RESOURCE_AREAS_URL = "https://app.vssps.visualstudio.com/_apis/resourceareas"

_PURPOSES = {
    STORAGE: "the storage account for tables and queues (or AzureWebJobsStorage__accountName)",
    "ADO_PAT": "the personal access token for Azure DevOps",
    "ADO_WEBHOOK_SECRET": "no Azure DevOps delivery can be trusted without it",
    "SENTRY_TOKEN": "the token of the internal integration in Sentry",
    "SENTRY_CLIENT_SECRET": "no Sentry delivery can be trusted without it",
    "PUBLIC_URL": "where Azure DevOps reaches this app",
}


_NO_ACCOUNT_NAME = "must be the account's name alone: 3 to 24 lower-case letters and digits"
_SECRETS = ("ADO_PAT", "ADO_WEBHOOK_SECRET", "SENTRY_CLIENT_SECRET", "SENTRY_TOKEN")
_PREVIOUS = re.compile(r"(?:ADO_WEBHOOK_SECRET|SENTRY_CLIENT_SECRET)_PREVIOUS(?:__.+)?", re.DOTALL)
_OURS = re.compile(f"({'|'.join(_SECRETS)})(?:_PREVIOUS)?(?:__.+)?", re.DOTALL)


# https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-name
_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")


@dataclass(frozen=True)
class Identity:
    """Whom the app signs in as, if not with a key: a managed identity, or what azure-identity finds.

    An empty ``client_id`` is the identity that Azure made with the app.
    """

    client_id: str = ""
    is_managed: bool = False


@dataclass(frozen=True)
class StorageAccount:
    """Where tables and queues live: a connection string, or the two addresses for an identity."""

    connection_string: str | None = field(default=None, repr=False)
    table_url: str | None = None
    queue_url: str | None = None

    @property
    def on_loopback(self) -> bool:
        """Whether storage is a local emulator, which makes this a local run."""
        if self.connection_string is None:
            return is_loopback_url(self.table_url or "")
        text = self.connection_string
        if "usedevelopmentstorage=true" in text.lower():
            return True
        found = re.search(r"TableEndpoint=([^;]+)", text, re.IGNORECASE)
        return found is not None and is_loopback_url(found[1])


@dataclass(frozen=True)
class Settings:
    """All settings of docs/settings.md; every method raises MissingSetting naming the variable it lacks."""

    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        return cls(dict(environ))

    @property
    def storage(self) -> StorageAccount:
        """Return what the host's trigger reads as well: the same settings in the same order."""
        text = self.environment.get(STORAGE, "")
        if text.strip():
            return StorageAccount(connection_string=text)
        # Functions quirk: the host takes the account's name before an address
        # (docs/vendor_quirks.md#azure-functions).
        account = self.environment.get(f"{STORAGE}__accountName")
        if account is not None:
            if _ACCOUNT_NAME.fullmatch(account) is None:
                raise UnusableSetting(f"{STORAGE}__accountName", _NO_ACCOUNT_NAME)
            return StorageAccount(
                table_url=f"https://{account}.table.core.windows.net",
                queue_url=f"https://{account}.queue.core.windows.net",
            )
        names = {service: f"{STORAGE}__{service}ServiceUri" for service in ("table", "queue")}
        urls = {service: self.environment.get(name, "").strip() for service, name in names.items()}
        if not any(urls.values()):
            raise MissingSetting(STORAGE, _PURPOSES[STORAGE])
        for service, url in urls.items():
            if not url:
                raise MissingSetting(names[service], f"the address of the account's {service}s")
            if not _is_service_url(url):
                raise UnusableSetting(
                    names[service], f"must be an address such as https://NAME.{service}.core.windows.net"
                )
        return StorageAccount(table_url=urls["table"], queue_url=urls["queue"])

    @property
    def storage_identity(self) -> Identity:
        """Return whom the host signs in as to the same account."""
        client_id = self.environment.get(f"{STORAGE}__clientId", "").strip()
        kind = self.environment.get(f"{STORAGE}__credential", "").strip()
        default = self.ado_identity
        return Identity(
            client_id=client_id or default.client_id,
            is_managed=kind.casefold() == "managedidentity" or default.is_managed,
        )

    @property
    def ado_identity(self) -> Identity:
        """Return whom the app signs in as to Azure DevOps: in Azure its managed identity, and nobody's login.

        A kind of credential that somebody chose, or a service principal, is left to azure-identity.
        """
        client_id = self.environment.get("AZURE_CLIENT_ID", "").strip()
        kind = self.environment.get("AZURE_TOKEN_CREDENTIALS", "").strip()
        in_azure = bool(self.environment.get("IDENTITY_ENDPOINT"))
        is_ours = in_azure and not kind and not self.environment.get("AZURE_TENANT_ID")
        is_managed = is_ours or kind.casefold() == "managedidentitycredential"
        return Identity(client_id=client_id, is_managed=is_managed)

    @property
    def ca_bundle(self) -> str:
        """Return the path of the file with further certificate authorities, or an empty text."""
        return self.environment.get("REQUESTS_CA_BUNDLE", "").strip()

    @property
    def is_storage_by_identity(self) -> bool:
        try:
            return self.storage.connection_string is None
        except MissingSetting:
            return False

    @property
    def is_ado_by_identity(self) -> bool:
        """Whether organizations without a token of their own sign in through Entra."""
        value = self.environment.get("ADO_PAT", "")
        return not usable(value) and not find_flaw(value)

    @property
    def table_prefix(self) -> str:
        return self.environment.get("TABLE_PREFIX") or "sync"

    @property
    def threads(self) -> int:
        """Return how many functions run at once: what the worker makes of the same variable."""
        text = self.environment.get("PYTHON_THREADPOOL_THREAD_COUNT", "")
        if text.isascii() and text.isdigit() and int(text) > 0:
            return int(text)
        return min(32, (os.cpu_count() or 1) + 4)

    @property
    def resource_areas_url(self) -> str:
        return (self.environment.get("ADO_RESOURCE_AREAS_URL") or RESOURCE_AREAS_URL).rstrip("/")

    @property
    def public_url(self) -> str:
        return self._required("PUBLIC_URL").rstrip("/") + "/"

    @property
    def addresses(self) -> AddressPolicy:
        try:
            loopback = self.storage.on_loopback
        except MissingSetting:
            loopback = False
        return AddressPolicy(
            private_hosts=hosts_in(self.environment.get("ALLOWED_PRIVATE_HOSTS", "")),
            trusted_hosts=hosts_in(self.environment.get("TRUSTED_HOSTS", "")),
            loopback=loopback,
        )

    @property
    def secrets(self) -> list[str]:
        """Return every secret and token that the environment holds, for whichever organization."""
        account = self.environment.get(STORAGE, "")
        return [
            *(usable(value) for name, value in self.environment.items() if _is_secret(name)),
            *re.findall(r"(?:AccountKey|SharedAccessSignature)=([^;]+)", account, re.IGNORECASE),
        ]

    def ado_webhook_secrets(self, organization: str) -> tuple[str, ...]:
        return self._secrets("ADO_WEBHOOK_SECRET", organization)

    def sentry_client_secrets(self, organization: str) -> tuple[str, ...]:
        return self._secrets("SENTRY_CLIENT_SECRET", organization)

    def ado_pat(self, organization: str) -> str | None:
        """Return the personal access token, or None: sign in through Entra.

        Where a token was meant and is none, the app's own identity does not stand in: it may reach more.
        """
        name = self._name_for("ADO_PAT", organization)
        if name == "ADO_PAT" and self.is_ado_by_identity:
            return None
        return self._secret(name)

    def sentry_token(self, organization: str) -> str:
        return self._secret(self._name_for("SENTRY_TOKEN", organization))

    def missing(self) -> list[MissingSetting]:
        """Return every setting that is required and not set.

        ADO_PAT is not required, because Entra replaces it. A secret that is set only for single organizations
        is not missing.
        """
        absent = []
        try:
            _ = self.storage
        except MissingSetting as error:
            absent.append(error)
        for name in ("ADO_WEBHOOK_SECRET", "SENTRY_TOKEN", "SENTRY_CLIENT_SECRET"):
            given = any(key == name or key.startswith(f"{name}__") for key in self.environment)
            if not given or (name in self.environment and not usable(self.environment[name])):
                absent.append(self._missing(name))
        return absent

    def stood_in_for(self) -> list[MissingSetting]:
        """Return every secret and token that is a reference nobody resolved, or a placeholder.

        Each of them is as good as empty, for all organizations or for the one that it is given for.
        """
        return [
            self._missing(name)
            for name, value in sorted(self.environment.items())
            if _OURS.fullmatch(name) and find_flaw(value)
        ]

    @property
    def kept_previous(self) -> list[str]:
        """Return the names of all previous secrets: each of them still opens what it opened."""
        return sorted(
            name for name, value in self.environment.items() if _PREVIOUS.fullmatch(name) and usable(value)
        )

    def _secrets(self, name: str, organization: str) -> tuple[str, ...]:
        """Return the current and the previous secret; never an empty tuple, never an empty secret.

        The organization's own secret wins even if it is empty, and then the general previous secret does
        not apply.
        """
        chosen = self._name_for(name, organization)
        previous_names = [f"{name}_PREVIOUS{chosen.removeprefix(name) or _suffix(organization)}"]
        if chosen == name:
            previous_names.append(f"{name}_PREVIOUS")
        current = self._secret(chosen)
        given = (self.environment[each] for each in previous_names if each in self.environment)
        previous = usable(next(given, ""))
        return (current, previous) if previous else (current,)

    def _name_for(self, name: str, organization: str) -> str:
        specific = f"{name}{_suffix(organization)}"
        return specific if specific in self.environment else name

    def _secret(self, name: str) -> str:
        value = usable(self.environment.get(name, ""))
        if not value:
            raise self._missing(name)
        return value

    def _missing(self, name: str) -> MissingSetting:
        """Return the error for a secret that is absent, empty, or no secret."""
        ours = _OURS.fullmatch(name)
        purpose = _PURPOSES[ours[1] if ours else name]
        return MissingSetting(name, purpose, find_flaw(self.environment.get(name, "")))

    def _required(self, name: str) -> str:
        value = self.environment.get(name)
        if not value:
            raise MissingSetting(name, _PURPOSES[name])
        return value


def _is_secret(name: str) -> bool:
    # The last is for those of others, such as the one that Azure's own library signs in with.
    return name.startswith(_SECRETS) or name.endswith("SECRET")


def _is_service_url(url: str) -> bool:
    """Tell whether an address has a scheme and a host. Only an emulator on this machine may lack TLS."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and is_loopback_url(url))
        )
    except ValueError:
        return False


def _suffix(organization: str) -> str:
    """Return what an organization's own settings end with; nothing for what no organization can be called.

    A stranger may have chosen it, and the capitals of some letters are those of others.
    """
    return "__" + organization.upper().replace("-", "_") if is_slug(organization) else ""
