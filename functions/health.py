"""Reports whether the app can do its work, and names what it lacks, without any secret."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import azure.functions as func

from functions.edge import answer, api_boundary, name_of
from shared.domain.errors import SyncError
from shared.domain.rules.diagnosing import (
    CLOCK,
    HOOK,
    MAPPING,
    PEOPLE,
    POISON,
    SCOPE_MISSING,
    STORAGE,
    TEST_EVENT,
)
from shared.domain.rules.problems import (
    CHANGES_UNTOLD,
    DELIVERIES_REFUSED,
    FORBIDDEN,
    MISSING_SETTING,
    ORGANIZATION_NOT_FOUND,
    PART_FAILED,
    UNAUTHORIZED,
)
from shared.flows.watching import nobodys, troubles_in_short
from shared.services import Services
from shared.store.examinations import Examined
from shared.store.organizations import DOCUMENT
from shared.store.progress import Told
from shared.version import VERSION

# What fails, by the part of the reconciler's runs.
_PARTS = {
    "feed": "what changed in Azure DevOps cannot be read",
    "links": "links that are due are not taken up",
    "full-look": "the linked work items cannot be looked at",
    "issues": "the linked issues cannot be read",
    "activity": "old activity cannot be removed",
    "examination": "what the sync needs cannot be tried",
}
_SERVICES = frozenset({"ado", "sentry"})
# What an organization's own problems are called here, by their kind.
_SHOWN = {
    UNAUTHORIZED: "{service} does not accept our credentials",
    ORGANIZATION_NOT_FOUND: "{service} knows no organization of the name or at the address in the document",
    MISSING_SETTING: "a setting for {service} is missing",
    DELIVERIES_REFUSED: "deliveries from {service} are refused, as their secret or signature is wrong,",
    CLOCK: "the clocks of the app and {service} differ: set the one that is wrong (NTP),",
    FORBIDDEN: "{service} forbids what the app needs: give it the rights of docs/permissions.md,",
    HOOK: "{service} does not send us its webhooks: tick issue in the integration, with the app's address,",
    MAPPING: "a state of the mapping does not exist or fit any more: map one that there is,",
    PEOPLE: "assignees of work items are nobody in Sentry: invite them, or map their addresses under People,",
    POISON: "messages on a poison queue: look at them with sentry-ado replay,",
    SCOPE_MISSING: "a scope of the token is missing in {service}: add it to the integration's permissions,",
    STORAGE: "a role in the storage account is missing: see docs/permissions.md,",
    TEST_EVENT: "PUBLIC_URL does not lead to the app: correct it,",
    CHANGES_UNTOLD: "the reconciler found changes in {service} that no hook told: look at the hooks,",
}
# So many organizations are looked at one by one, which takes a call or two each.
_MOST_LOOKED_AT = 100
# What is done in another way, which takes more calls.
_WAYS = {
    "feed": "all linked work items are looked at, as Azure DevOps does not tell what changed,",
    "issues": "linked issues are asked for one by one, as Sentry does not list them,",
}


@api_boundary
def handle(_request: func.HttpRequest, services: Services) -> func.HttpResponse:
    """Answer from memory for some seconds: a stranger who asks again and again costs storage nothing."""
    now, known = services.clock(), services.answered_health
    if known is None or not 0.0 <= now - known[0] < services.keeps_health_for:
        known = services.answered_health = (now, _content(services))
    return answer(known[1])


def _content(services: Services) -> dict[str, Any]:
    problems = [error.detail for error in services.settings.missing()]
    notes: list[str] = []
    if not problems:
        try:
            problems, notes = _noted(services)
        except SyncError:
            problems = ["Azure Storage cannot be reached, or refuses us"]
    content = {"status": "degraded" if problems else "ok", "version": VERSION, "problems": problems}
    return {**content, "notes": notes} if notes else content


def _noted(services: Services) -> tuple[list[str], list[str]]:
    """Return what keeps us from our work, and what only makes it dearer."""
    by_scope = services.progress.told()
    told = list(by_scope.values())
    problems = [
        *_refusals(services),
        *_troubles(services, by_scope),
        *_parts(told, are_notes=False),
        *_unreadable(told),
    ]
    return problems, list(_parts(told, are_notes=True))


def _refusals(services: Services) -> Iterator[str]:
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


def _troubles(services: Services, told: Mapping[str, Told]) -> Iterator[str]:
    """Say what the doors and the answers of both services show; name no organization, as anybody may ask."""
    services.ledger.flush()
    refusing = services.organizations.refusals()
    examined = services.examinations.all()
    since: dict[tuple[str, str], list[float]] = {}
    for organization in itertools.islice(services.organizations.all(), _MOST_LOOKED_AT):
        scope = organization.scope
        found = examined.get(scope, Examined()).troubles
        for each in troubles_in_short(services, organization, told.get(scope, Told()), found):
            # A refusal that a worker has met as well is told once.
            is_told = each.kind == UNAUTHORIZED and refusing[str(each.side)] > 0
            if not is_told and not each.kind.endswith(PART_FAILED):
                since.setdefault((each.kind, str(each.side)), []).append(each.since or services.clock())
    for (kind, side), moments in sorted(since.items()):
        what = _SHOWN.get(kind, "{service} did not answer when it was asked who it is ({kind})")
        yield (
            f"{what.format(service=name_of(side), kind=kind)} for {len(moments)} organization(s) since "
            f"{_minute(min(moments))}"
        )
    if slugs := {each.slug for each in nobodys(services)}:
        yield (
            f"deliveries with our secret come for {len(slugs)} organization(s) that are not connected: "
            "delete the subscriptions that GET /api/organizations names"
        )


def _minute(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="minutes").replace("+00:00", "Z")


def _unreadable(told: Sequence[Told]) -> Iterator[str]:
    for what, count in (
        ("links", sum(each.unreadable_links.last for each in told)),
        ("activity", sum(each.unreadable_entries.last for each in told)),
    ):
        if count:
            yield f"{count} stored row(s) of {what} cannot be read; the log names their keys"


def _parts(told: Iterable[Told], *, are_notes: bool) -> Iterator[str]:
    """Say which parts of the reconciler's runs fail, or find a way that costs more, and since when."""
    since: dict[tuple[str, str], list[float]] = {}
    for each in told:
        for part, problem in each.problems.items():
            # What both services said when they were asked who they are is told with the troubles.
            if problem.is_note is are_notes and part not in _SERVICES:
                since.setdefault((part, problem.kind), []).append(problem.since)
    for (part, kind), moments in sorted(since.items()):
        begun = _minute(min(moments))
        what = (_WAYS if are_notes else _PARTS).get(part, part)
        yield f"{what} for {len(moments)} organization(s) since {begun}: {kind}"
