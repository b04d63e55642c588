"""What is old: of activity and traffic a part is removed in each run, until the day's pass is complete."""

from msgspec.structs import replace

from shared.flows.reconciling.run import Run

_EVERY = 24 * 3600.0  # seconds


def prune(run: Run) -> None:
    """Remove the next part of the expired activity entries; after the last part, pause for a day."""
    now, progress = run.now, run.progress
    if 0.0 <= now - progress.pruned_at <= _EVERY:
        return
    run.services.traffic.prune(run.organization.scope, now)
    run.services.submissions.prune(run.organization.scope, now)
    pruned = run.services.activity.prune(run.organization.scope, now, progress.pruned_until)
    is_last = pruned.continuation is None
    run.pass_over(pruned.unreadable)
    run.progress = replace(
        progress,
        pruned_at=now if is_last else progress.pruned_at,
        pruned_until=pruned.continuation,
        unreadable_entries=progress.unreadable_entries.counted(len(pruned.unreadable), ends=is_last),
    )
