"""What becomes of news that only its message holds: it comes back, later each time, until it is given up.

No link remembers a comment, a note of a regression or what a rule asks for.
"""

from collections.abc import Callable, Iterable, Sequence

from shared.domain.errors import (
    Busy,
    Forbidden,
    MissingSetting,
    NotFound,
    OrganizationGone,
    Refused,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
    Unreadable,
    Upstream,
)
from shared.domain.failures import gravest
from shared.domain.messages import Message
from shared.flows.going_on import says_who_it_is
from shared.services import Services
from shared.store.links import StoredLink
from shared.store.organizations import Organization

# What time or a person cures; the queue's own retries would end in the poison queue.
TROUBLES = (Unauthorized, Unavailable, OrganizationGone, MissingSetting, Unreadable)
_AGAIN_IN = 60.0  # seconds; as long as the claim of a dead worker lasts
_AT_THE_LATEST_IN = 900.0  # seconds
_GIVEN_UP_AFTER = 24 * 3600.0  # seconds
_THE_REST_COMES_IN = 1.0  # seconds


def put_off(services: Services, message: Message, error: SyncError) -> Throttled | Busy:
    """Return the error with which a message comes back: the longer it could not be done, the later."""
    now, since = services.clock(), message.failing_since
    if not 0.0 <= now - since < _GIVEN_UP_AFTER:
        since = now
    delay = min(max(_AGAIN_IN, now - since), _AT_THE_LATEST_IN)
    later: Throttled | Busy = Busy(error.detail, retry_after=delay)
    if isinstance(error, Upstream):
        later = Throttled(error.service, error.detail, retry_after=delay)
    later.left, later.failing_since = error.left, since
    return later


def is_final(services: Services, organization: Organization, message: Message, error: SyncError) -> bool:
    """Tell whether something can never be done: it is gone, refused, or given up.

    What got no usable answer for a day is given up, if its service answers about others. A service that is
    away has a day more.
    """
    if isinstance(error, NotFound | Forbidden | Refused):
        return True
    return (
        isinstance(error, Unavailable)
        and 0.0 < message.failing_since <= services.clock() - _GIVEN_UP_AFTER
        and says_who_it_is(services, organization, error.service)
    )


def left_of(
    message: Message, links: Iterable[StoredLink], name: Callable[[StoredLink], str]
) -> list[StoredLink]:
    """Return the links that an earlier turn left, in their order; all, if one is not there by that name."""
    named = {name(each): each for each in links}
    is_rest = bool(message.only) and named.keys() >= set(message.only)
    return [named[each] for each in (message.only if is_rest else named)]


def carry_to_each(
    services: Services,
    links: Sequence[StoredLink],
    name: Callable[[StoredLink], str],
    carry: Callable[[StoredLink], str],
) -> list[str]:
    """Carry something over to each of these and return the outcomes; raise an error that names what is left.

    What is not begun by the deadline is left, and comes back at once while there is progress. What failed
    has its turn after all the others.
    """
    deadline = services.end_of_turn()
    outcomes: list[str] = []
    errors: list[SyncError] = []
    rest, waiting, failed = list[str](), list[str](), list[str]()
    for place, stored in enumerate(links):
        if place and services.clock() >= deadline:
            rest = [name(each) for each in links[place:]]
            break
        try:
            outcomes.append(carry(stored))
        except SyncError as error:
            errors.append(error)
            (failed if isinstance(error, TROUBLES) else waiting).append(name(stored))
    if not (rest or errors):
        return outcomes
    comes_at_once = Busy("the rest is carried over in a moment", retry_after=_THE_REST_COMES_IN)
    cause = comes_at_once if rest and outcomes else gravest(errors)
    cause.left = (*rest, *waiting, *failed) if len(links) > 1 else ()
    raise cause
