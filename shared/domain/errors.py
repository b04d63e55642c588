"""Every error the core raises, sorted by what the receiver should do next.

SyncError
├── Rejected                  the caller is wrong: say so, change nothing
│   ├── Unauthenticated       it did not prove who it is
│   ├── TooLarge              it sent more than we read
│   ├── Malformed             it sent something we cannot read
│   ├── InvalidConfiguration  the document breaks rules, each named by its path
│   ├── InvalidList           lines or entries of a list are wrong, each named by its place
│   └── PreconditionRequired  it did not say which version of the document it means
├── NotFound                  the thing does not exist (any more)
├── Conflict                  the thing changed since it was read: read it and decide again
│   ├── AlreadyLinked         the link that the caller asked for already exists
│   ├── StalePrecondition     the caller's If-Match names an older version
│   ├── ConnectionChanged     the caller's document leads elsewhere than the existing links
│   ├── SubmittedBefore       the same request came before, and what it led to was undone
│   └── Busy                  others hold the claim, or the threads: try again in a moment
├── Unreadable                what is stored cannot be read: replace it or remove it
├── Undecidable               a fact for a decision is missing: never guess
├── Upstream                  Sentry, Azure DevOps or Storage did not do what we asked
│   ├── Refused               it says that the request is wrong; a retry cannot help
│   │   └── NotAssignable     it knows no such person, or more than one, or cannot let them be assigned
│   ├── Forbidden             it does not let us do this with this one thing
│   ├── OrganizationGone      it knows no organization or collection at the address: nothing in it is gone
│   ├── Untried               it does not let us ask whether a document may be stored: it was not
│   ├── FeedLost              it has no feed of revisions for us, or none from this point on
│   ├── Unauthorized          it does not accept our credentials
│   ├── Throttled             it asks us to wait a known time
│   └── Unavailable           it gave no answer, or no usable one
│       └── NotTrusted        time does not cure it: a certificate, a name, a protocol version
└── MissingSetting            the app lacks a setting that it needs
    └── UnusableSetting       the setting is there, and cannot be used

``kind`` is the kebab-case word that an answer or a link's health carries. One table each gives the
consequences: for HTTP in ``functions/edge.py``, for links and messages in ``shared/domain/failures.py``.
"""

from collections.abc import Mapping
from typing import Self


class SyncError(Exception):
    """The root of the tree; only its subclasses are raised."""

    kind = "error"
    # False if no call was made: a back-off or an earlier answer spoke for the service. That is no attempt.
    asked = True
    # True if it was made for another link of the message, and so cost this one its turn.
    lost_turn = False
    # The links that a message still has to settle, by the ids of their other ends; empty means all of them.
    left: tuple[str, ...] = ()
    # Since when a message that is put back could not be done, if nothing else remembers that.
    failing_since: float = 0.0

    def __init__(self, detail: str, *, quoted: str = "") -> None:
        # The host writes what a queue's function raises to the log: a line's end in it could begin another.
        detail = "".join(each if each.isprintable() else "?" for each in detail)
        super().__init__(detail)
        self.detail = detail
        self.quoted = quoted

    @property
    def told(self) -> str:
        """What a link's health and its activity say: our words, then the vendor's."""
        return f"{self.detail}: {self.quoted}" if self.quoted else self.detail


class Rejected(SyncError):
    """The caller is wrong."""

    kind = "bad-request"


class Unauthenticated(Rejected):
    """The caller did not prove who it is. ``why`` is one of a few words, for the log alone.

    Whoever asks is told the same in every case: another answer would tell who is connected.
    """

    kind = "unauthenticated"

    def __init__(self, detail: str, *, why: str = "wrong-proof") -> None:
        super().__init__(detail)
        self.why = why


class TooLarge(Rejected):
    kind = "too-large"


class Malformed(Rejected):
    kind = "malformed-payload"


class InvalidConfiguration(Rejected):
    """A configuration document breaks rules; ``errors`` maps JSON paths to sentences."""

    kind = "invalid-configuration"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{path}: {problem}" for path, problem in errors.items()))
        self.errors = dict(errors)


class InvalidList(Rejected):
    """Places of a list are wrong; ``errors`` maps each, such as ``line 3``, to what is wrong there."""

    def __init__(self, detail: str, errors: Mapping[str, str]) -> None:
        super().__init__(detail)
        self.errors = dict(errors)


class PreconditionRequired(Rejected):
    """The document is there already, and the caller does not say that it knows."""

    kind = "precondition-required"


class NotFound(SyncError):
    """Something that the caller names does not exist; ``kind`` says what."""

    kind = "not-found"

    def __init__(self, detail: str, *, kind: str = "not-found", quoted: str = "") -> None:
        super().__init__(detail, quoted=quoted)
        self.kind = kind


class Conflict(SyncError):
    """The thing changed since it was read."""

    kind = "conflict"


class AlreadyLinked(Conflict):
    kind = "already-linked"


class StalePrecondition(Conflict):
    kind = "precondition-failed"


class ConnectionChanged(Conflict):
    kind = "connection-changed"


class SubmittedBefore(Conflict):
    """The same request was acted on before, and what it led to was undone since."""

    kind = "submitted-before"


class Busy(Conflict):
    """Another worker holds the claim, or other callers all threads; ``retry_after`` is in seconds."""

    kind = "busy"

    def __init__(self, detail: str, *, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unreadable(SyncError):
    """A document that a newer version of the app, or somebody by hand, has stored."""

    kind = "unreadable-document"


class Undecidable(SyncError):
    """A decision lacks a fact that it needs; ``kind`` becomes the reason on the link."""

    def __init__(self, detail: str, *, kind: str) -> None:
        super().__init__(detail)
        self.kind = kind


class Upstream(SyncError):
    """``service`` is ``ado``, ``sentry`` or ``storage``.

    ``advice`` is a sentence that is safe to show to any caller, or empty.
    """

    def __init__(self, service: str, detail: str, *, advice: str = "", quoted: str = "") -> None:
        super().__init__(detail, quoted=quoted)
        self.service = service
        self.advice = advice

    def unasked(self, *, lost_turn: bool = False) -> Self:
        """Return the same answer for somebody who did not ask again."""
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__, asked=False, lost_turn=lost_turn, left=())
        return twin


class Refused(Upstream):
    kind = "refused"


class NotAssignable(Refused):
    """The service says that the person is the trouble; ``kind`` is a reason such as ASSIGNEE_NOT_FOUND."""

    def __init__(self, service: str, detail: str, *, kind: str, quoted: str = "") -> None:
        super().__init__(service, detail, quoted=quoted)
        self.kind = kind


class Forbidden(Upstream):
    """``about`` names the one thing that our credentials do not reach, such as ``work item 31``."""

    kind = "forbidden"

    def __init__(self, service: str, detail: str, *, about: str = "", quoted: str = "") -> None:
        super().__init__(service, detail, quoted=quoted)
        self.about = about


class OrganizationGone(Upstream):
    """The organization was renamed or deleted, or another one has its place; what was asked for may exist."""

    kind = "organization-gone"


class Untried(Upstream):
    """A document is not stored, as our credentials do not reach what it has to be checked against."""

    kind = "unavailable"

    def __init__(self, cause: Upstream) -> None:
        super().__init__(cause.service, cause.detail, advice=cause.advice, quoted=cause.quoted)
        self.kind = cause.kind
        self.cause = cause


class FeedLost(Upstream):
    """What changed has to be found by a full look; ``kind`` says why, and is one of ``FEED_…``."""

    kind = "feed-lost"

    def __init__(self, service: str, detail: str, *, kind: str) -> None:
        super().__init__(service, detail)
        self.kind = kind


class Unauthorized(Upstream):
    kind = "unauthorized"


class Throttled(Upstream):
    """``retry_after`` is in seconds, as the service asked or as its limits imply.

    ``silent`` says that it asked for nothing: it gave no answer, and is left alone for a while.
    ``may_have_landed`` says that it may have done what it was asked: a 503 can name a wait as well.
    """

    kind = "throttled"

    def __init__(
        self,
        service: str,
        detail: str,
        *,
        retry_after: float,
        silent: bool = False,
        may_have_landed: bool = False,
    ) -> None:
        super().__init__(service, detail)
        self.retry_after = retry_after
        self.silent = silent
        self.may_have_landed = may_have_landed


class Unavailable(Upstream):
    """No usable answer. If the call was a write, it may have landed anyway."""

    kind = "unavailable"


class NotTrusted(Unavailable):
    """We cannot talk to it until a person changes something; ``kind`` says what, ``advice`` how.

    It behaves as no answer does, because the cure may come at any moment.
    """

    def __init__(self, service: str, detail: str, *, kind: str, advice: str, quoted: str = "") -> None:
        super().__init__(service, detail, advice=advice, quoted=quoted)
        self.kind = kind


class MissingSetting(SyncError):
    """``name`` is the environment variable that is missing; ``flaw`` says why what it holds is no value."""

    kind = "missing-setting"

    def __init__(self, name: str, purpose: str, flaw: str | None = None) -> None:
        super().__init__(f"{name} {flaw or 'is not set'}: {purpose}")
        self.name = name


class UnusableSetting(MissingSetting):
    """``problem`` completes a sentence that begins with the setting's name."""

    def __init__(self, name: str, problem: str) -> None:
        SyncError.__init__(self, f"{name} {problem}")
        self.name = name
