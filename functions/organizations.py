"""Lists what is connected, and what is wrong with it. docs/api.md#organizations."""

from typing import Any

import azure.functions as func

from functions.edge import answer, api_boundary, shown_at, verify_parameters
from functions.shown import shown_trouble
from shared.domain.rules.problems import Trouble
from shared.flows.watching import nobodys, troubles, troubles_in_short
from shared.services import Services
from shared.store.organizations import Organization
from shared.store.progress import Told
from shared.version import VERSION

# So many are judged by all that is known of each, which takes some six calls; more of them by their doors.
_MOST_JUDGED_WHOLE = 50


@api_boundary
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    verify_parameters(request)
    services.ledger.flush()
    told = services.progress.told()
    connected = list(services.organizations.all())
    judge = troubles if len(connected) <= _MOST_JUDGED_WHOLE else troubles_in_short
    return answer(
        {
            "version": VERSION,
            "organizations": [
                _shown(each, judge(services, each, told.get(each.scope, Told()))) for each in connected
            ],
            "not_connected": [
                {"organization": each.slug, "side": each.side.value, "last_event": shown_at(each.at)}
                for each in nobodys(services)
            ],
        }
    )


def _shown(organization: Organization, problems: list[Trouble]) -> dict[str, Any]:
    configuration = organization.configuration
    return {
        "organization": organization.slug,
        "ado_url": configuration.ado_url,
        "sentry_url": configuration.sentry_url,
        "sentry_organization": configuration.sentry_organization or organization.slug,
        "issue_sync": configuration.issue_sync,
        "problems": [shown_trouble(each) for each in problems],
    }
