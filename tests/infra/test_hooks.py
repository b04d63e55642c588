"""What runs after the resources were made: secrets are stored once, read at once, and never shown."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

HOOK = Path(__file__).parents[2] / "infra" / "hooks" / "postprovision.sh"

# Stands for the Azure CLI: a vault that is a folder, and a log of every command line.
AZ = """#!/bin/sh
echo "$*" >> "$AZ_HOME/commands"
name= file=
for each in "$@"; do
    case "$last" in --name) name=$each ;; --file) file=$each ;; esac
    last=$each
done
case "$1 $2 $3" in
    "keyvault secret show") [ -f "$AZ_HOME/$name" ] ;;
    "keyvault secret set") cat "$file" > "$AZ_HOME/$name" ;;
    "keyvault secret list") [ ! -f "$AZ_HOME/forbidden" ] ;;
esac
"""
OUTPUTS = {
    "KEY_VAULT_NAME": "kv-acme",
    "FUNCTION_APP_ID": "/subscriptions/1/sites/acme-sync",
    "SECRET_SETTINGS": "ADO_WEBHOOK_SECRET,SENTRY_TOKEN,SENTRY_CLIENT_SECRET__ACME_EU",
    "IDENTITY_NAME": "id-acme",
    "IDENTITY_OBJECT_ID": "0b1e",
    "SENTRY_WEBHOOK_URL": "https://acme-sync.example/api/sentry/ORGANIZATION/webhook",
    "ADO_WEBHOOK_URL": "https://acme-sync.example/api/ado/ORGANIZATION/webhook",
}


class Vault:
    """The hook beside a stand-in for the Azure CLI."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        az = folder / "bin" / "az"
        az.parent.mkdir()
        az.write_text(AZ, encoding="utf-8")
        az.chmod(0o755)

    def run(self, stdin: int = subprocess.DEVNULL, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "AZ_HOME": str(self.folder), "VAULT_WAIT": "0", "VAULT_TRIES": "3"}
        return subprocess.run(
            ["/bin/sh", str(HOOK)],
            env={**own, **OUTPUTS, **environment},
            stdin=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def secret(self, name: str) -> str | None:
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else None

    @property
    def commands(self) -> list[str]:
        return (self.folder / "commands").read_text(encoding="utf-8").splitlines()

    @property
    def refreshes(self) -> int:
        return sum("configreferences/appsettings/refresh" in each for each in self.commands)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path)


def test_the_secret_for_azure_devops_is_made_once(vault: Vault) -> None:
    assert vault.run().returncode == 0
    made = vault.secret("ado-webhook-secret")
    assert made is not None
    assert len(bytes.fromhex(made)) == 32
    assert vault.refreshes == 1
    assert vault.run().returncode == 0
    assert vault.secret("ado-webhook-secret") == made
    assert vault.refreshes == 2, "somebody may have stored a secret by hand: the app reads it now"


def test_two_apps_do_not_share_a_secret(tmp_path: Path) -> None:
    made = set()
    for name in ("one", "another"):
        (tmp_path / name).mkdir()
        vault = Vault(tmp_path / name)
        vault.run()
        made.add(vault.secret("ado-webhook-secret"))
    assert len(made) == 2


def test_what_the_environment_gives_is_stored_under_the_name_of_its_setting(vault: Vault) -> None:
    done = vault.run(SENTRY_TOKEN="sntryi_1", SENTRY_CLIENT_SECRET__ACME_EU="c1")
    assert done.returncode == 0
    assert vault.secret("sentry-token") == "sntryi_1"
    assert vault.secret("sentry-client-secret--acme-eu") == "c1"


def test_no_secret_is_on_a_command_line_or_in_what_is_said(vault: Vault) -> None:
    done = vault.run(SENTRY_TOKEN="sntryi_1")
    secrets = {"sntryi_1", vault.secret("ado-webhook-secret")}
    said = "\n".join((done.stdout, done.stderr, *vault.commands))
    assert not [each for each in secrets if each is None or each in said]


def test_where_nobody_can_be_asked_what_is_missing_is_named(vault: Vault) -> None:
    done = vault.run()
    assert done.returncode == 0
    assert "SENTRY_TOKEN: missing" in done.stdout
    assert "--name sentry-client-secret--acme-eu" in done.stdout
    assert vault.secret("sentry-token") is None


def test_on_a_terminal_it_asks_and_shows_nothing_of_the_answer(vault: Vault) -> None:
    keyboard, terminal = pty.openpty()
    os.write(keyboard, b"sntryi_typed\n\n")
    done = vault.run(stdin=terminal)
    os.close(terminal)
    assert done.returncode == 0, done.stderr
    assert vault.secret("sentry-token") == "sntryi_typed"
    assert vault.secret("sentry-client-secret--acme-eu") is None
    assert "SENTRY_CLIENT_SECRET__ACME_EU: missing" in done.stdout
    assert "sntryi_typed" not in done.stdout + done.stderr
    os.close(keyboard)


def test_what_comes_next_is_said_with_its_names(vault: Vault) -> None:
    said = vault.run().stdout
    assert [
        each for name, each in OUTPUTS.items() if name.endswith(("_URL", "_ID")) and each not in said
    ] == [OUTPUTS["FUNCTION_APP_ID"]]


def test_without_a_right_to_the_vault_it_says_so_and_stores_nothing(vault: Vault) -> None:
    (vault.folder / "forbidden").touch()
    done = vault.run(SENTRY_TOKEN="sntryi_1")
    assert done.returncode == 1
    assert "No right to read the secrets of kv-acme" in done.stderr
    assert len(vault.commands) == 3
    assert vault.secret("sentry-token") is None
