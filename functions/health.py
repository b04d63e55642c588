"""Reports whether the app can do its work, and names what it lacks, without any secret."""

from collections.abc import Iterator

import azure.functions as func

from functions.edge import answer, api_boundary, name_of
from shared.domain.errors import SyncError
from shared.services import Services
from shared.store.organizations import DOCUMENT


@api_boundary
def handle(_request: func.HttpRequest, services: Services) -> func.HttpResponse:
    problems = [error.detail for error in services.settings.missing()]
    if not problems:
        try:
            problems = list(_noted(services))
        except SyncError:
            problems = ["Azure Storage cannot be reached, or refuses us"]
    return answer({"status": "degraded" if problems else "ok", "problems": problems})


def _noted(services: Services) -> Iterator[str]:
    for service, count in services.organizations.refusals().items():
        if service == DOCUMENT:
            yield f"the stored document of {count} organization(s) cannot be read"
        else:
            yield f"{name_of(service)} does not accept our credentials for {count} organization(s)"
    for service, count in services.forbidden.counts().items():
        yield (
            f"{name_of(service)} forbids everything that we ask about single things for {count} "
            "organization(s): a permission is missing"
        )
    if foreign := services.foreign.counts():
        yield (
            f"{sum(foreign.values())} deliveries to {len(foreign)} organization(s) were ignored lately: they "
            "come from another Azure DevOps organization than the one that is connected there"
        )
