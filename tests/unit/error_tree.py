"""Every error of the tree, and a sample of each."""

from shared.domain.errors import (
    Busy,
    FeedLost,
    InvalidConfiguration,
    InvalidList,
    MissingSetting,
    NotAssignable,
    NotTrusted,
    SyncError,
    Throttled,
    Unauthorized,
    Undecidable,
    Untried,
    Upstream,
)


def _below(kind: type[SyncError]) -> list[type[SyncError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in _below(child))]


EVERY_ERROR = _below(SyncError)


def an_error(kind: type[SyncError], service: str = "ado") -> SyncError:
    """Make an error of a kind; what is ours to tell, or the vendor's, is ``secret words of a vendor``."""
    detail = "secret words of a vendor"
    if issubclass(kind, InvalidConfiguration):
        return kind({"people": detail})
    if issubclass(kind, InvalidList):
        return kind("line 3 is wrong", {"line 3": detail})
    if issubclass(kind, Untried):
        return kind(Unauthorized(service, "HTTP 400", quoted=detail))
    if issubclass(kind, MissingSetting):
        return kind("SENTRY_TOKEN", detail)
    if issubclass(kind, Undecidable):
        return kind(detail, kind="unknown-state")
    if issubclass(kind, NotAssignable):
        return kind(service, "HTTP 400", kind="assignee-not-found", quoted=detail)
    if issubclass(kind, FeedLost):
        return kind(service, detail, kind="feed-forbidden")
    if issubclass(kind, Busy):
        return kind(detail, retry_after=5.0)
    if issubclass(kind, Throttled):
        return kind(service, detail, retry_after=17.2)
    if issubclass(kind, NotTrusted):
        return kind(service, "HTTP 400", kind="unsupported-version", advice="it is too old", quoted=detail)
    if issubclass(kind, Upstream):
        return kind(service, "HTTP 400", quoted=detail)
    return kind(detail)
