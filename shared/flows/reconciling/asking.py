"""Hearing from both services once an hour, links or not, so that a trouble is told before it matters."""

from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from shared.domain.errors import SyncError, Throttled
from shared.flows.examining import look_over
from shared.flows.reconciling.run import Part, Run

_EVERY = 3600.0  # seconds


def ask_who_is_there(run: Run) -> None:
    """Ask once an hour, after each change of the document, on request, and while one does not answer.

    A service that has answered another question of this run is not asked: it accepts our credentials. What
    else the sync needs is tried at the same times, and while anything of it is wrong.
    """
    progress = run.progress
    is_due = not 0.0 <= run.now - progress.asked_at < _EVERY
    is_new = run.organization.connection.changed_at > progress.asked_at
    is_broken = any(part in progress.problems for part in (Part.ADO, Part.SENTRY))
    if is_due or is_new or run.everything or _is_ill(run):
        run.attempt(Part.EXAMINATION, _try_the_rest)
    if not (is_due or is_new or is_broken or run.everything):
        return
    run.progress = replace(progress, asked_at=run.now)
    services, organization = run.services, run.organization
    configuration = organization.configuration
    if configuration.ado_url or configuration.ado_account_id:  # Somebody may have damaged the row.
        run.attempt(Part.ADO, lambda _: _ask(run, lambda: services.ado(organization).instance_id(), "ado"))
    run.attempt(
        Part.SENTRY, lambda _: _ask(run, lambda: services.sentry(organization).organization_id(), "sentry")
    )


def _try_the_rest(run: Run) -> None:
    """Keep what is wrong. A service or a storage that does not answer is told by the parts that need it."""
    if not run.is_out_of_time:
        with suppress(SyncError):
            look_over(run.services, run.organization)


def _is_ill(run: Run) -> bool:
    """Tell whether anything was found wrong, or a link fell ill since: a scope or a person may be why."""
    with suppress(SyncError):
        examined = run.services.examinations.get(run.organization.scope)
        return bool(examined.kept) or run.ill_since > examined.at
    return False


def _ask(run: Run, ask: Callable[[], str], service: str) -> None:
    """Ask one service; one that asks us to wait is well, and says who it is another time."""
    if service in run.heard:
        return
    with suppress(Throttled):
        ask()
        run.was_answered(service, allowed=False)
