"""Who is at the two addresses of a document, whether that is still the same, and whose a delivery is.

A work item's number, and on a server of one's own an issue's as well, means nothing without the organization
that counts it. So whatever names one belongs to a connection, and a connection that becomes another one gets
another epoch.
"""

from enum import StrEnum
from functools import lru_cache
from typing import Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

from shared.domain.moments import Moment

_DEV_AZURE = "dev.azure.com"
_VISUAL_STUDIO = ".visualstudio.com"
_SENTRY = "sentry.io"
_USUAL_PORTS = frozenset({None, 80, 443})
_KEPT = 20  # of each kind; only somebody with our secret can name us more

# What somebody decides about links whose place changes.
Choice = Literal["keep", "drop"]


class Identity(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of who is at an address; also what one look, or one delivery, tells of it.

    ``ids`` are what it answers when it is asked who it is, ``delivered`` what its deliveries call it, and
    ``places`` its addresses in one spelling, the present one last. That the first two are the same for Azure
    DevOps is written nowhere, so nothing depends on it.
    """

    ids: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    delivered: tuple[str, ...] = ()

    def joined(self, other: "Identity") -> "Identity":
        """Return all that both know; the present address is the other's, if it has one."""
        return Identity(
            _joined(self.ids, other.ids),
            _joined(self.places, other.places),
            _joined(self.delivered, other.delivered),
        )


NOBODY = Identity()


class Connection(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who both sides of an organization are, and the ``epoch`` of all that is stored about their numbers.

    Epoch "" is that of an organization which an older version of the app stored: its rows are taken over
    where they are. ``changed_at`` is when (epoch seconds) the document last changed, which may cure what
    links wait for. ``taken`` are the sides, by their names, at whose address somebody else answered last.
    """

    epoch: str = ""
    ado: Identity = Identity()
    sentry: Identity = Identity()
    changed_at: Moment = 0.0
    taken: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Tell whether both sides have said who they are."""
        return bool(self.ado.ids and self.sentry.ids)

    def joined(self, ado: Identity, sentry: Identity) -> "Connection":
        return msgspec.structs.replace(self, ado=self.ado.joined(ado), sentry=self.sentry.joined(sentry))

    def found(self, side: str, *, taken: bool) -> "Connection":
        """Return this with what came of asking one side who it is."""
        others = tuple(each for each in self.taken if each != side)
        return msgspec.structs.replace(self, taken=(*others, side) if taken else others)

    def settled(self, met_ado: Identity, met_sentry: Identity) -> "Connection":
        """Return this with whom somebody found at both addresses, and calls the right ones."""
        connection = self.joined(met_ado, met_sentry)
        for side, met in (("ado", met_ado), ("sentry", met_sentry)):
            if met.ids:
                connection = connection.found(side, taken=False)
        return connection


class Verdict(StrEnum):
    """Whether a document leads to where the stored one led, from harmless to grave."""

    SAME = "same"
    UNKNOWN = "unknown"
    OTHER = "other"


class Consequence(StrEnum):
    """What storing a document means for the links there are."""

    GO_ON = "go-on"  # in the same epoch, with all that is known of both places
    BEGIN_ANEW = "begin-anew"  # in a new epoch, without the links
    REFUSE = "refuse"  # they are links to somewhere else
    WAIT = "wait"  # until somebody can say who is there


def compare(known: Identity, met: Identity) -> Verdict:
    """Tell whether whom a new document leads to is whom the stored one led to.

    An id decides, where there is one on both sides: a name may have been given up and taken by others. A
    document of which nothing at all is known, because nobody can read it, is taken for the same.
    """
    if known == NOBODY:
        return Verdict.SAME
    if known.ids and met.ids:
        return Verdict.SAME if {*met.ids} & {*known.ids} else Verdict.OTHER
    if {*met.ids, *met.delivered} & {*known.ids, *known.delivered}:
        return Verdict.SAME
    if met.places[-1:] == known.places[-1:]:
        return Verdict.SAME
    return Verdict.OTHER if met.ids else Verdict.UNKNOWN


def is_another(known: Identity, told: str) -> bool:
    """Tell whether whoever says who it is, at an address that we know, is another than was there before."""
    return bool(known.ids) and told not in known.ids


def gravest(*verdicts: Verdict) -> Verdict:
    return max(verdicts, key=list(Verdict).index)


def consequence_of(verdict: Verdict, *, has_links: bool, choice: Choice | None) -> Consequence:
    if verdict is Verdict.SAME or choice == "keep":
        return Consequence.GO_ON
    if choice == "drop" or not has_links:
        return Consequence.BEGIN_ANEW
    return Consequence.REFUSE if verdict is Verdict.OTHER else Consequence.WAIT


def is_foreign(known: Identity, origin: Identity) -> bool:
    """Tell whether a delivery names somebody, and nobody whom we know; before we know anybody, nobody is."""
    if not known.ids or not (origin.delivered or origin.places):
        return False
    named = {*origin.delivered} & {*known.ids, *known.delivered}
    return not (named or {*origin.places} & {*known.places})


def teaches(known: Identity, origin: Identity) -> bool:
    """Tell whether a delivery from a known address names ids that are not known yet."""
    return bool({*origin.places} & {*known.places} and {*origin.delivered} - {*known.delivered})


def scope_of(slug: str, epoch: str) -> str:
    """Return the name of everything that is stored about one connection; no slug holds a tilde."""
    return f"{slug}~{epoch}" if epoch else slug


def slug_of(scope: str) -> str:
    return scope.partition("~")[0]


# One spelling for all addresses of one place. Every delivery names the same few.

_remembered = lru_cache(maxsize=1024)


@_remembered
def ado_place(url: str) -> str:
    """Return one spelling for all addresses of an organization or a collection, "" for what is no address.

    https://learn.microsoft.com/azure/devops/extend/develop/work-with-urls
    """
    parts = _split(url)
    if parts is None:
        return ""
    host, segments = _host(parts), [each for each in parts.path.lower().split("/") if each]
    if host.endswith(_VISUAL_STUDIO):
        return f"{_DEV_AZURE}/{host.removesuffix(_VISUAL_STUDIO)}"
    if host == _DEV_AZURE:
        segments = segments[:1]
    return "/".join([host, *segments])


@_remembered
def sentry_server(url: str) -> str:
    """Return one spelling for all addresses of a server: sentry.io, its regions and subdomains are one."""
    parts = _split(url)
    if parts is None:
        return ""
    host = _host(parts)
    if host == _SENTRY or host.partition(".")[2] == _SENTRY:
        return _SENTRY
    return f"{host}{parts.path.rstrip('/')}"


def sentry_place(url: str, organization: str) -> str:
    return f"{sentry_server(url)}/{organization}"


def sentry_id(url: str, organization_id: str) -> str:
    """Return the id of an organization, which every server counts from 1."""
    return f"{sentry_server(url)}#{organization_id}"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.hostname else None


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    return host if parts.port in _USUAL_PORTS else f"{host}:{parts.port}"


def _joined(ours: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
    """Return each once, the later one's last; of very many the oldest are forgotten."""
    return (*(each for each in ours if each not in theirs), *dict.fromkeys(theirs))[-_KEPT:]
