"""Until when a claim holds: a worker's announcement that nobody else is to write, or to do a thing twice."""

from shared.domain.moments import believed

CLAIMED_FOR = 60.0  # seconds; longer than the calls that a claim covers
# Another machine's clock may be ahead of ours by as much.
_BELIEVED_FOR = 2 * CLAIMED_FOR


def believed_end(until: float, now: float) -> float:
    """Return when a claim ends, or 0 for a time up to which nobody can have claimed anything."""
    return believed(until, now, within=_BELIEVED_FOR)


def is_held(until: float, now: float) -> bool:
    """Tell whether whoever claimed something may be at it. No claim lasts longer, whatever a row says."""
    return believed_end(until, now) > now
