"""Whether a request about many things goes on after one of them failed, or all would fail alike."""

from collections.abc import Callable
from typing import TypeVar

from shared.domain.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    SyncError,
    Throttled,
    Unavailable,
    Undecidable,
)
from shared.domain.model import Side
from shared.services import Services
from shared.store.organizations import UNKNOWN_ORGANIZATION, Organization

_OF_ONE = (NotFound, Conflict, Undecidable, Refused, Forbidden)
# What a service may ask us to wait (seconds) so that we wait, and do not leave the rest for later.
_LONGEST_PAUSE = 20.0

Answer = TypeVar("Answer")


def is_of_one(services: Services, organization: Organization, error: SyncError) -> bool:
    """Tell whether an error is about one thing alone, so that the next ones are worth trying.

    No usable answer may be about one thing or about all. The service is asked then who it is: if it says so,
    it is not away, and that one thing keeps nobody from the others.
    """
    if error.kind == UNKNOWN_ORGANIZATION:
        return False
    if isinstance(error, Unavailable):
        return says_who_it_is(services, organization, error.service)
    return isinstance(error, _OF_ONE)


def says_who_it_is(services: Services, organization: Organization, service: str) -> bool:
    """Ask a service who it is, also one that was just left without an answer and is to be left alone."""
    try:
        match service:
            case Side.ADO:
                services.ado_at_once(organization).instance_id()
            case Side.SENTRY:
                services.sentry_at_once(organization).organization_id()
            case _:  # Storage: nothing can be done without it.
                return False
    except SyncError:
        return False
    services.end_silence(organization.slug, service)
    return True


def ask_patiently(services: Services, stop_at: float, call: Callable[[], Answer]) -> Answer:
    """Make a call to a service; if that asks for a short wait, wait and make it once more."""
    try:
        return call()
    except Throttled as error:
        if error.silent or error.retry_after > min(_LONGEST_PAUSE, stop_at - services.clock()):
            raise
        services.pause(error.retry_after)
        return call()
