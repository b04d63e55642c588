"""Reports whether the app can do its work, and names what it lacks, without any secret."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import azure.functions as func

from functions.edge import answer, api_boundary, name_of, sentence_of
from shared.domain.errors import OrganizationGone, SyncError
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

# What fails, by the part of the reconciler's runs.
_PARTS = {
    "feed": "what changed in Azure DevOps cannot be read",
    "links": "links that are due are not taken up",
    "full-look": "the linked work items cannot be looked at",
    "issues": "the linked issues cannot be read",
    "activity": "old activity cannot be removed",
    "hooks": "the service hook subscriptions in Azure DevOps are not in order",
}
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
_KEPT_FOR = 10.0  # seconds: whoever asks, and however often, storage is asked this seldom


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
    return look is None or not 0 <= services.clock() - look.at < _KEPT_FOR


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
    content = {"status": "degraded" if problems else "ok", "problems": problems}
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
    told = [*services.progress.told().values(), *services.hooks.told()]
    problems = [*_refusals(services), *_parts(told, are_notes=False), *_unreadable(told)]
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
            # Of an organization that is gone the refusals tell, once for all that fails for it.
            if problem.is_note is are_notes and problem.kind != OrganizationGone.kind:
                since.setdefault((part, problem.kind), []).append(problem.since)
    for (part, kind), moments in sorted(since.items()):
        begun = datetime.fromtimestamp(min(moments), UTC).isoformat(timespec="minutes").replace("+00:00", "Z")
        what = (_WAYS if are_notes else _PARTS).get(part, part)
        cure = f" ({_CURES[kind]})" if kind in _CURES else ""
        yield f"{what} for {len(moments)} organization(s) since {begun}: {kind}{cure}"
