"""Reports whether the app can do its work, and names what it lacks, without any secret."""

import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import azure.functions as func

from functions.edge import answer, api_boundary, name_of, sentence_of
from shared.domain.errors import OrganizationGone, SyncError
from shared.domain.rules.diagnosing import (
    CLOCK,
    HOOK,
    MAPPING,
    POISON,
    SCOPE_MISSING,
    TEST_EVENT,
)
from shared.domain.rules.diagnosing import STORAGE as STORAGE_ROLE
from shared.domain.rules.problems import (
    CHANGES_UNTOLD,
    DELIVERIES_REFUSED,
    FORBIDDEN,
    MISSING_SETTING,
    ORGANIZATION_NOT_FOUND,
    PART_FAILED,
    PEOPLE,
    SUBSCRIPTIONS,
    UNAUTHORIZED,
)
from shared.domain.untrusted import cure_in_passing
from shared.flows.watching import nobodys, troubles_in_short
from shared.services import Services
from shared.settings import STORAGE
from shared.store.examinations import Examined
from shared.store.organizations import DOCUMENT, gone
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
    "events": "what began or ended cannot be put among the events",
    "hooks": "the service hook subscriptions in Azure DevOps are not in order",
}
_SERVICES = frozenset({"ado", "sentry"})
_ASKED_OF_SERVICES = frozenset({"feed", "full-look", "issues"})
_TOLD_BY_REFUSALS = frozenset({UNAUTHORIZED, OrganizationGone.kind})
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
    STORAGE_ROLE: "a role in the storage account is missing: see docs/permissions.md,",
    SUBSCRIPTIONS: (
        "a subscription in {service} is not in order: sentry-ado hooks repair, or enable the one that a "
        "person disabled,"
    ),
    TEST_EVENT: "PUBLIC_URL does not lead to the app: correct it,",
    CHANGES_UNTOLD: "the reconciler found changes in {service} that no hook told: look at the hooks,",
}
# How those are mended of which the name does not say it already.
_MENDED_BY = {
    (UNAUTHORIZED, "ado"): "give ADO_PAT a token that is valid, or the app's identity access",
    (UNAUTHORIZED, "sentry"): "give SENTRY_TOKEN a token that is valid",
    (ORGANIZATION_NOT_FOUND, "ado"): "correct ado_url in the document",
    (ORGANIZATION_NOT_FOUND, "sentry"): "correct sentry_organization in the document",
    (DELIVERIES_REFUSED, "ado"): "give the subscriptions the secret in ADO_WEBHOOK_SECRET",
    (DELIVERIES_REFUSED, "sentry"): "set SENTRY_CLIENT_SECRET to the integration's client secret",
}
# So many organizations are looked at one by one, which takes a call or two each.
_MOST_LOOKED_AT = 100
# What is done in another way, which takes more calls.
_WAYS = {
    "feed": "all linked work items are looked at, as Azure DevOps does not tell what changed,",
    "issues": "linked issues are asked for one by one, as Sentry does not list them,",
    "hooks": "people look after the service hook subscriptions, as the app may not,",
}

_GONE = {gone(service): service for service in ("ado", "sentry")}


class _Look(NamedTuple):
    at: float
    content: dict[str, Any]


_looks: WeakKeyDictionary[Services, _Look] = WeakKeyDictionary()
_looking = threading.Lock()


@api_boundary
def handle(_request: func.HttpRequest, services: Services) -> func.HttpResponse:
    last = _looks.get(services)
    # One looks at a time. The others take what was seen last, however slow storage is, if there is anything.
    if _is_old(last, services) and _looking.acquire(blocking=last is None):
        try:
            last = _looks.get(services)
            if _is_old(last, services):
                last = _looks[services] = _Look(services.clock(), _looked_at(services))
        finally:
            _looking.release()
    return answer(last.content if last is not None else {})


def _is_old(look: _Look | None, services: Services) -> bool:
    return look is None or not 0 <= services.clock() - look.at < services.keeps_health_for


def _looked_at(services: Services) -> dict[str, Any]:
    missing = services.settings.missing()
    problems = [error.detail for error in missing]
    stood_in_for = [error.detail for error in services.settings.stood_in_for()]
    notes: list[str] = []
    if services.trust.problem:
        problems.append(services.trust.problem)
    if not any(error.name.startswith(STORAGE) for error in missing):
        found, notes = _in_storage(services, {*problems, *stood_in_for})
        problems += found
    problems += [each for each in stood_in_for if each not in problems]
    content = {"status": "degraded" if problems else "ok", "version": VERSION, "problems": problems}
    return {**content, "notes": notes} if notes else content


def _in_storage(services: Services, told: Set[str]) -> tuple[list[str], list[str]]:
    """Return what storage tells of problems and notes, and what is wrong with itself, tables and queues.

    ``told`` is what the settings have told already.
    """
    try:
        problems, notes = _noted(services, told)
    except SyncError as error:
        problems, notes = [f"the tables cannot be used: {sentence_of(error)}"], []
    try:
        for queue in (services.inbound, services.outbound):
            queue.verify()
    except SyncError as error:
        problems.append(f"the queues cannot be used: {sentence_of(error)}")
    return problems, notes


def _noted(services: Services, settings: Set[str]) -> tuple[list[str], list[str]]:
    """Return what keeps us from our work, and what only makes it dearer."""
    by_scope = services.progress.told()
    told = [*by_scope.values(), *services.hooks.told()]
    problems = [
        *_refusals(services),
        *_troubles(services, by_scope, settings),
        *_parts(told, are_notes=False),
        *_unreadable(told),
    ]
    return problems, [*_parts(told, are_notes=True), *_left_over(services)]


def _left_over(services: Services) -> Iterator[str]:
    for name in services.rotations.left_over(services.settings.kept_previous, services.clock()):
        yield f"{name} has been set for a week, and still opens the door: remove it if its rotation is over"


def _refusals(services: Services) -> Iterator[str]:
    for service, count in services.organizations.refusals().items():
        if service == DOCUMENT:
            yield f"the stored document of {count} organization(s) cannot be read"
        elif service in _GONE:
            name = name_of(_GONE[service])
            cure = _cured_by(ORGANIZATION_NOT_FOUND, _GONE[service])
            yield (
                f"{name} knows no organization at the address in the document of {count} organization(s): it "
                f"may have been renamed or deleted{cure}"
            )
        else:
            cure = _cured_by(UNAUTHORIZED, service)
            yield f"{name_of(service)} does not accept our credentials for {count} organization(s){cure}"
    for service, count in services.forbidden.counts().items():
        yield (
            f"{name_of(service)} forbids everything that we ask about single things for {count} "
            "organization(s): give it the rights of docs/permissions.md"
        )
    if foreign := services.foreign.counts():
        yield (
            f"{sum(foreign.values())} deliveries to {len(foreign)} organization(s) were ignored lately: they "
            "come from another Azure DevOps organization than the one that is connected there: correct "
            "ado_url, or delete its subscriptions"
        )


def _troubles(services: Services, told: Mapping[str, Told], settings: Set[str]) -> Iterator[str]:
    """Say what the doors and the answers of both services show; name no organization, as anybody may ask.

    ``settings`` is what has been said of settings by their names.
    """
    services.ledger.flush()
    refusing = services.organizations.refusals()
    examined = services.examinations.all()
    since: dict[tuple[str, str], list[float]] = {}
    for organization in itertools.islice(services.organizations.all(), _MOST_LOOKED_AT):
        scope = organization.scope
        found = examined.get(scope, Examined()).troubles
        for each in troubles_in_short(services, organization, told.get(scope, Told()), found):
            # A refusal that a worker has met as well is told once, and so is an organization that is gone.
            is_told = (
                (each.kind == UNAUTHORIZED and refusing[str(each.side)] > 0)
                or (each.kind == ORGANIZATION_NOT_FOUND and refusing[gone(str(each.side))] > 0)
                or (each.kind == MISSING_SETTING and each.detail in settings)
            )
            if not is_told and not each.kind.endswith(PART_FAILED):
                since.setdefault((each.kind, str(each.side)), []).append(each.since or services.clock())
    for (kind, side), moments in sorted(since.items()):
        what = _SHOWN.get(kind, "{service} did not answer when it was asked who it is ({kind})")
        told_of = what.format(service=name_of(side) if side in _SERVICES else "the app", kind=kind)
        cure = _cured_by(kind, side)
        yield f"{told_of} for {len(moments)} organization(s) since {_minute(min(moments))}{cure}"
    if slugs := {each.slug for each in nobodys(services)}:
        yield (
            f"deliveries with our secret come for {len(slugs)} organization(s) that are not connected: "
            "delete the subscriptions that GET /api/organizations names"
        )


def _cured_by(kind: str, side: str) -> str:
    return f": {_MENDED_BY[kind, side]}" if (kind, side) in _MENDED_BY else cure_in_passing(kind)


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
            # What both services said when they were asked who they are is told with the troubles; of
            # credentials that are refused, and of an organization that is gone, the refusals tell, once for
            # all that fails for it.
            is_told = part in _SERVICES or (problem.kind in _TOLD_BY_REFUSALS and part in _ASKED_OF_SERVICES)
            if problem.is_note is are_notes and not is_told:
                since.setdefault((part, problem.kind), []).append(problem.since)
    for (part, kind), moments in sorted(since.items()):
        begun = _minute(min(moments))
        what = (_WAYS if are_notes else _PARTS).get(part, part)
        yield f"{what} for {len(moments)} organization(s) since {begun}: {kind}{cure_in_passing(kind)}"
