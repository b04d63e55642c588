"""Things that must be done once: claimed before, marked after, so that a crash between is noticed."""

import msgspec

from shared.errors import Busy, Conflict, NotFound
from shared.store.keys import escaped
from shared.store.tables import Delete, Insert, Replace, Row, Table

_CLAIMED_FOR = 60.0  # seconds; longer than the calls that a claim covers
_COME_BACK_IN = 5.0  # seconds


class Deed(msgspec.Struct, frozen=True, omit_defaults=True):
    """``result`` is what came of it, once it is done; until then it is claimed up to ``until``."""

    until: float
    result: str | None = None


class ClaimedDeed(msgspec.Struct, frozen=True):
    """The right to do it. ``may_be_done``: somebody had it before and did not say what came of it."""

    key: str
    etag: str
    may_be_done: bool


class DeedStore:
    """Rows beside an organization's links, so that they go when it goes."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(self, organization: str, name: str, now: float) -> ClaimedDeed | str:
        """Return the right to do it, or what came of it already; raise Busy while somebody is at it."""
        key, partition = f"deed!{escaped(name)}", escaped(organization)
        claimed = _text(Deed(now + _CLAIMED_FOR))
        try:
            [etag] = self._table.apply(partition, Insert(key, claimed))
        except Conflict:
            return self._take_over(partition, key, claimed, now)
        return ClaimedDeed(key, etag, may_be_done=False)

    def _take_over(self, partition: str, key: str, claimed: str, now: float) -> ClaimedDeed | str:
        try:
            row = self._table.get(partition, key)
            deed = _deed(row)
            if deed.result is not None:
                return deed.result
            if deed.until > now:
                raise Busy("somebody is doing this at the moment", retry_after=_COME_BACK_IN)
            [etag] = self._table.apply(partition, Replace(key, claimed, row.etag))
        except (Conflict, NotFound) as error:
            if isinstance(error, Busy):
                raise
            raise Busy("somebody began this at the same moment", retry_after=_COME_BACK_IN) from error
        return ClaimedDeed(key, etag, may_be_done=True)

    def done(self, organization: str, claim: ClaimedDeed, result: str) -> None:
        self._table.apply(escaped(organization), Replace(claim.key, _text(Deed(0.0, result)), claim.etag))

    def forget(self, organization: str, name: str) -> None:
        """Have it done anew the next time."""
        try:
            self._table.apply(escaped(organization), Delete(f"deed!{escaped(name)}"))
        except NotFound:
            return


def creation_of(issue_id: str) -> str:
    """Return the name of making a work item for an issue: not to be done twice."""
    return f"create-for-{issue_id}"


def _text(deed: Deed) -> str:
    return msgspec.json.encode(deed).decode()


def _deed(row: Row) -> Deed:
    return msgspec.json.decode(row.text, type=Deed)
