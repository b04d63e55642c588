"""Reports whether the app can do its work, and names what it lacks, without any secret."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import azure.functions as func

from functions.edge import answer, api_boundary, name_of
from shared.domain.errors import OrganizationGone, SyncError
from shared.services import Services
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


@api_boundary
def handle(_request: func.HttpRequest, services: Services) -> func.HttpResponse:
    problems = [error.detail for error in services.settings.missing()]
    notes: list[str] = []
    if not problems:
        try:
            problems, notes = _noted(services)
        except SyncError:
            problems = ["Azure Storage cannot be reached, or refuses us"]
    stood_in_for = (error.detail for error in services.settings.stood_in_for())
    problems = [*problems, *(each for each in stood_in_for if each not in problems)]
    content = {"status": "degraded" if problems else "ok", "problems": problems}
    return answer({**content, "notes": notes} if notes else content)


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
        yield f"{what} for {len(moments)} organization(s) since {begun}: {kind}"
