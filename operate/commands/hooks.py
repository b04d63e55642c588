"""``hooks``: the subscriptions in Azure DevOps that tell the app of changes."""

import json
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

from operate.commands.doctor import Silent
from operate.desk import Desk
from operate.errors import ProblemFound, WrongUsage
from operate.shown import moment
from operate.target import az

_COLUMNS = ("event", "state", "since", "id")
_NAME = "ADO_WEBHOOK_SECRET"
_RESTART_TAKES = 180.0  # seconds
_POLL_EVERY = 5.0  # seconds


def list_hooks(desk: Desk) -> None:
    """List the subscriptions as the app saw them last.

    Ends with 1 if one is not enabled.

    Example:

        sentry-ado hooks list
    """
    _show(desk, desk.get("hooks"))


def create(desk: Desk) -> None:
    """Make the subscriptions that are missing, now instead of within 15 minutes.

    Example:

        sentry-ado hooks create --org fabrikam
    """
    _look_after(desk)


def repair(desk: Desk) -> None:
    """Make anew what is on probation, disabled by Azure DevOps, twice there, or has another secret.

    One that a person disabled is left alone.

    Example:

        sentry-ado hooks repair --org fabrikam
    """
    _look_after(desk)


def _look_after(desk: Desk) -> None:
    if desk.dry_run:
        desk.screen.say("Would look after the subscriptions, which stand so now:")
        _show(desk, desk.get("hooks"))
        return
    with desk.waiting("Looking after the subscriptions …"):
        found = desk.call("POST", "hooks").json()
    desk.screen.say(f"{found.get('made', 0)} made, {found.get('removed', 0)} removed")
    _show(desk, found)


def delete(desk: Desk) -> None:
    """Delete the subscriptions that lead to this app.

    While the organization is connected and PUBLIC_URL is set, the app makes them anew within 15 minutes:
    this is for an app that is about to be removed. Disconnecting an organization deletes them as well.

    Example:

        sentry-ado hooks delete --org fabrikam --yes
    """
    if desk.dry_run:
        desk.screen.say("Would delete the subscriptions, which stand so now:")
        _show(desk, desk.get("hooks"))
        return
    desk.confirm(f"Delete the subscriptions of {desk.org} in Azure DevOps?")
    with desk.waiting("Deleting the subscriptions …"):
        left = desk.call("DELETE", "hooks").json()["left"]
    if left:
        raise ProblemFound(left)
    desk.screen.say(
        "Deleted. The app makes them anew within 15 minutes, unless it is stopped or disconnected."
    )


def rotate(desk: Desk) -> None:
    """Change the secret of the subscriptions without losing an event.

    The app accepts the old secret beside the new one until every subscription was made anew. With -g GROUP
    the settings are changed through az; without it, you are told what to set.

    Example:

        sentry-ado hooks rotate --app acme-sync -g acme-rg --org fabrikam
    """
    if desk.dry_run:
        desk.screen.say(_BY_HAND)
        return
    if desk.group:
        desk.confirm(f"Change {_NAME} of {desk.app}? The app restarts, which takes a minute.")
        _change_settings(desk)
    else:
        desk.screen.say(_BY_HAND)
        desk.confirm(f"Is {_NAME} the new secret now, and {_NAME}_PREVIOUS the old one?")
    deadline = time.monotonic() + _RESTART_TAKES
    with desk.waiting("Making the subscriptions anew with the new secret …"):
        while True:
            found = desk.call("POST", "hooks").json()
            if _is_well(found) or time.monotonic() > deadline:
                break
            time.sleep(_POLL_EVERY)
    _show(desk, found)
    desk.screen.say(
        f"Every subscription has the new secret. Remove {_NAME}_PREVIOUS in an hour, when nothing with the "
        "old one is on its way any more."
    )


_BY_HAND = f"""\
1. Make a secret:           python3 -c "import secrets; print(secrets.token_urlsafe(32))"
2. In the app's settings:   {_NAME}_PREVIOUS = the secret of now
                            {_NAME} = the new one (the app restarts by itself)
3. Come back and say yes:   the subscriptions are made anew, one after the other, each before its old one goes
4. An hour later:           remove {_NAME}_PREVIOUS"""


def _change_settings(desk: Desk) -> None:
    """Put the secret of now behind a new one. Neither is on a command line, where others could read it."""
    app = ("--name", desk.app, "--resource-group", desk.group or "")
    if "://" in desk.app:
        raise WrongUsage("--app: with -g, give the name of the function app")
    settings = {
        each["name"]: each["value"] for each in az("functionapp", "config", "appsettings", "list", *app)
    }
    current = settings.get(_NAME) or ""
    if current.startswith("@Microsoft.KeyVault"):
        raise WrongUsage(
            f"{_NAME} is kept in Key Vault: store the new one there as docs/operate.md says, then run this "
            "without -g."
        )
    changed = [
        {"name": f"{_NAME}_PREVIOUS", "value": current, "slotSetting": False},
        {"name": _NAME, "value": secrets.token_urlsafe(32), "slotSetting": False},
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.json"
        with open(
            os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as opened:
            json.dump(changed, opened)
        az(
            "functionapp",
            "config",
            "appsettings",
            "set",
            *app,
            "--settings",
            f"@{file}",
            "--query",
            "[].name",
        )


def _is_well(found: dict[str, Any]) -> bool:
    return all(each["state"] == "enabled" for each in found["subscriptions"])


def _show(desk: Desk, found: dict[str, Any]) -> None:
    screen = desk.screen
    if screen.is_for_people:
        rows = (
            (each["event"], each["state"], moment(each["since"]), each["id"])
            for each in found["subscriptions"]
        )
        screen.rows(_COLUMNS, rows, found)
        if found["problem"]:
            screen.say(found["problem"]["detail"], "red")
        for command in found.get("by_hand", []):
            screen.line(command)
    else:
        rows_of_values = ([each[name] for name in _COLUMNS] for each in found["subscriptions"])
        screen.rows(_COLUMNS, rows_of_values, found)
    if not _is_well(found):
        raise Silent
