"""Reports whether the app can do its work, and names what it lacks, without any secret."""

import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import azure.functions as func

from functions.edge import answer, api_boundary, name_of, sentence_of
from shared.domain.errors import OrganizationGone, SyncError
from shared.domain.rules.problems import (
    CHANGES_UNTOLD,
    DELIVERIES_REFUSED,
    MISSING_SETTING,
    ORGANIZATION_NOT_FOUND,
    PART_FAILED,
    UNAUTHORIZED,
)
from shared.flows.watching import nobodys, troubles_in_short
from shared.http.trouble import (
    EXPIRED_CERTIFICATE,
    NO_TLS,
    OTHER_NAME,
    UNKNOWN_AUTHORITY,
    UNKNOWN_NAME,
    UNSUPPORTED_VERSION,
    UNUSABLE_CERTIFICATE,
)
from shared.services import Services
from shared.settings import STORAGE
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
    "hooks": "the service hook subscriptions in Azure DevOps are not in order",
}
_SERVICES = frozenset({"ado", "sentry"})
# What an organization's own problems are called here, by their kind.
_SHOWN = {
    UNAUTHORIZED: "{service} does not accept our credentials",
    ORGANIZATION_NOT_FOUND: "{service} knows no organization of the name or at the address in the document",
    MISSING_SETTING: "a setting for {service} is missing",
    DELIVERIES_REFUSED: "deliveries from {service} are refused, as their secret or signature is wrong,",
    CHANGES_UNTOLD: "the reconciler found changes in {service} that no hook told: look at the hooks,",
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


# What will not cure itself, by the kind of the error.
_CURES = {
    UNKNOWN_AUTHORITY: "name the authority's certificate in REQUESTS_CA_BUNDLE",
    EXPIRED_CERTIFICATE: "renew the certificate of that server, or set its clock",
    OTHER_NAME: "use the name that the certificate is for",
    UNUSABLE_CERTIFICATE: "replace the certificate of that server",
    NO_TLS: "check scheme and port of the address",
    UNKNOWN_NAME: "check the address, and the app's DNS servers",
    UNSUPPORTED_VERSION: "Azure DevOps Server 2020 or a newer one is needed",
}


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
    notes: list[str] = []
    if services.trust.problem:
        problems.append(services.trust.problem)
    if not any(error.name.startswith(STORAGE) for error in missing):
        found, notes = _in_storage(services)
        problems += found
    stood_in_for = (error.detail for error in services.settings.stood_in_for())
    problems += [each for each in stood_in_for if each not in problems]
    content = {"status": "degraded" if problems else "ok", "version": VERSION, "problems": problems}
    return {**content, "notes": notes} if notes else content


def _in_storage(services: Services) -> tuple[list[str], list[str]]:
    """Return what storage tells of problems and notes, and what is wrong with itself, tables and queues."""
    try:
        problems, notes = _noted(services)
    except SyncError as error:
        problems, notes = [f"the tables cannot be used: {sentence_of(error)}"], []
    try:
        for queue in (services.inbound, services.outbound):
            queue.verify()
    except SyncError as error:
        problems.append(f"the queues cannot be used: {sentence_of(error)}")
    return problems, notes


def _noted(services: Services) -> tuple[list[str], list[str]]:
    """Return what keeps us from our work, and what only makes it dearer."""
    by_scope = services.progress.told()
    told = [*by_scope.values(), *services.hooks.told()]
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
        elif service in _GONE:
            name = name_of(_GONE[service])
            yield (
                f"{name} knows no organization at the address in the document of {count} organization(s): it "
                "may have been renamed or deleted"
            )
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
    since: dict[tuple[str, str], list[float]] = {}
    for organization in itertools.islice(services.organizations.all(), _MOST_LOOKED_AT):
        for each in troubles_in_short(services, organization, told.get(organization.scope, Told())):
            # A refusal that a worker has met as well is told once, and so is an organization that is gone.
            is_told = (each.kind == UNAUTHORIZED and refusing[str(each.side)] > 0) or (
                each.kind == ORGANIZATION_NOT_FOUND and refusing[gone(str(each.side))] > 0
            )
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
            # What both services said when they were asked who they are is told with the troubles; of an
            # organization that is gone the refusals tell, once for all that fails for it.
            is_told = part in _SERVICES or problem.kind == OrganizationGone.kind
            if problem.is_note is are_notes and not is_told:
                since.setdefault((part, problem.kind), []).append(problem.since)
    for (part, kind), moments in sorted(since.items()):
        begun = _minute(min(moments))
        what = (_WAYS if are_notes else _PARTS).get(part, part)
        cure = f" ({_CURES[kind]})" if kind in _CURES else ""
        yield f"{what} for {len(moments)} organization(s) since {begun}: {kind}{cure}"
