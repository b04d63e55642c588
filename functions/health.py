"""Reports whether the app can do its work, and names what it lacks, without any secret."""

import azure.functions as func

from functions.edge import answer, api_boundary, name_of
from shared.domain.errors import SyncError
from shared.services import Services


@api_boundary
def handle(_request: func.HttpRequest, services: Services) -> func.HttpResponse:
    problems = [error.detail for error in services.settings.missing()]
    if not problems:
        try:
            refusals = services.organizations.refusals()
        except SyncError:
            return _answer(["Azure Storage cannot be reached, or refuses us"])
        problems = [
            f"{name_of(service)} does not accept our credentials for {count} organization(s)"
            for service, count in refusals.items()
        ]
    return _answer(problems)


def _answer(problems: list[str]) -> func.HttpResponse:
    return answer({"status": "degraded" if problems else "ok", "problems": problems})
