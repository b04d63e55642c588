"""Hearing from both services once an hour, links or not, so that a trouble is told before it matters."""

from contextlib import suppress

from msgspec.structs import replace

from shared.domain.errors import SyncError, Throttled
from shared.domain.model import Side
from shared.flows.examining import look_over
from shared.flows.identifying import ask_again
from shared.flows.reconciling.run import Part, Run

_EVERY = 3600.0  # seconds


def ask_who_is_there(run: Run) -> None:
    """Ask once an hour, after each change of the document, on request, and while one does not answer.

    Somebody else may be there by then, who accepts our credentials.
    """
    progress = run.progress
    is_broken = any(part in progress.problems for part in (Part.ADO, Part.SENTRY))
    if not (_is_time(run) or is_broken):
        return
    configuration = run.organization.configuration
    if configuration.ado_url or configuration.ado_account_id:  # Somebody may have damaged the row.
        run.attempt(Part.ADO, lambda _: _ask(run, Side.ADO))
    run.attempt(Part.SENTRY, lambda _: _ask(run, Side.SENTRY))


def try_the_rest(run: Run) -> None:
    """Try what else the sync needs at the same times, and while anything of it is wrong."""
    if _is_time(run) or _is_ill(run):
        run.attempt(Part.EXAMINATION, _try_the_rest)
    if _is_time(run):
        run.progress = replace(run.progress, asked_at=run.now)


def _is_time(run: Run) -> bool:
    asked_at = run.progress.asked_at
    is_new = run.organization.connection.changed_at > asked_at
    return run.everything or is_new or not 0.0 <= run.now - asked_at < _EVERY


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


def _ask(run: Run, side: Side) -> None:
    """Ask one service; one that asks us to wait is well, and says who it is another time."""
    with suppress(Throttled):
        try:
            ask_again(run.services, run.organization, side)
        finally:
            run.look_again()
        run.was_answered(side, allowed=False)
