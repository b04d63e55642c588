"""The functions, one module each, imported when it is first called; what they all stand on, at once.

An instance runs a few of them: Azure starts the HTTP functions on one, and each queue's on others
(https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan#per-function-scaling).
"""

import gc
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions import activity as activity
    from functions import admin as admin
    from functions import ado_webhook as ado_webhook
    from functions import adopt as adopt
    from functions import copy_link as copy_link
    from functions import doctor as doctor
    from functions import events as events
    from functions import explain as explain
    from functions import health as health
    from functions import hook_watchdog as hook_watchdog
    from functions import inbound_sync as inbound_sync
    from functions import issue_links as issue_links
    from functions import openapi as openapi
    from functions import org_config as org_config
    from functions import organizations as organizations
    from functions import outbound_sync as outbound_sync
    from functions import rebuild as rebuild
    from functions import reconcile as reconcile
    from functions import search as search
    from functions import sentry_components as sentry_components
    from functions import sentry_webhook as sentry_webhook
    from functions import status as status

# What is imported is never garbage. The collector would walk through all of it again and again meanwhile,
# which takes as long as importing our own modules (docs/performance.md).
gc.disable()
import shared.services  # noqa: E402, F401  # and with it all libraries

gc.freeze()
gc.enable()


def __getattr__(name: str) -> ModuleType:
    """Import the module of a function; from then on it is an attribute like any other."""
    try:
        return import_module(f"functions.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"functions.{name}":
            raise
        raise AttributeError(f"there is no function {name}", name=name) from error
