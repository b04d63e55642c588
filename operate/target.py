"""Which app is meant, and its key: an address, or a name whose address and key are asked of ``az``."""

import json
import shutil
import subprocess
from typing import Any
from urllib.parse import urlsplit

from operate.errors import CannotReach, WrongUsage

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_PATIENCE = 120.0  # seconds


def address_of(app: str, group: str | None) -> str:
    """Return the app's base URL, with a slash at its end."""
    if "://" in app:
        return _verified(app)
    if group is not None:
        host = az(
            "functionapp", "show", "--name", app, "--resource-group", group, "--query", "defaultHostName"
        )
        return f"https://{host}/"
    if "." in app:
        return _verified(f"https://{app}")
    return f"https://{app}.azurewebsites.net/"


def _verified(address: str) -> str:
    parts = urlsplit(address)
    if not parts.hostname or parts.scheme not in {"http", "https"}:
        raise WrongUsage("--app is the name of a function app, or its address: https://…")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise WrongUsage("--app: the key would travel in clear text; use https")
    if parts.username or parts.password:
        raise WrongUsage("--app: an address with a password in it is not used")
    return f"{parts.scheme}://{parts.netloc}/"


def key_of(app: str, group: str) -> str:
    """Fetch a host key of the app through ``az``, as whoever is signed in there."""
    name = (urlsplit(app).hostname or app).partition(".")[0]
    named = ("--name", name, "--resource-group", group)
    key = az("functionapp", "keys", "list", *named, "--query", "functionKeys.default")
    if not isinstance(key, str) or not key:
        raise CannotReach(f"az names no key of {name}. Give one with --key.")
    return key


def az(*arguments: str) -> Any:
    """Run ``az`` and return what it answers."""
    command = shutil.which("az")
    if command is None:
        raise CannotReach(
            "The Azure CLI (az) is not installed, so the key cannot be fetched. Give one with --key."
        )
    try:
        done = subprocess.run(  # noqa: S603  # a program that was looked up, and no shell
            [command, *arguments, "--output", "json"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotReach("az did not answer in two minutes. Try: az account show") from None
    if done.returncode != 0:
        raise CannotReach(f"az {' '.join(arguments[:3])} failed: {_why(done.stderr)}")
    try:
        return json.loads(done.stdout or "null")
    except ValueError:
        raise CannotReach(f"az {' '.join(arguments[:3])} gave no readable answer") from None


def _why(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if any("az login" in line for line in lines):
        return "sign in first: az login"
    return next((line for line in lines if line.startswith("ERROR")), "see what it says when you run it")
