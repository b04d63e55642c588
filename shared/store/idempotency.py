"""Idempotency records: claimed before an action and marked after it, so that a crash in between shows."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress

import msgspec

from shared.domain.claims import CLAIMED_FOR, is_held
from shared.domain.errors import Busy, Conflict, NotFound
from shared.domain.moments import Moment
from shared.store.keys import escaped
from shared.store.tables import Delete, Insert, Replace, Row, Table, apply_once, find_row, readable

_RETRY_AFTER = 5.0  # seconds
_AT_IT_FOR = 15.0  # seconds that somebody who is alive is at it, mostly
_WORK_ITEM_ID = re.compile(r"[0-9]{1,16}")


class IdempotencyRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """``result`` is the action's result once it is done; before that, the claim lasts until ``until``.

    ``since`` is the time of the first claim: from then on the action may have happened. Times are in
    epoch seconds. ``token`` is the claimant's own, so that it knows its claim when it meets it. ``before`` is
    the result that the action is to replace.
    """

    since: Moment
    until: Moment
    result: str | None = None
    token: str = ""
    before: str | None = None

    def is_held(self, now: float) -> bool:
        """Tell whether somebody may be at it."""
        return self.result is None and is_held(self.until, now)

    def free_in(self, now: float) -> float:
        """Return the seconds after which to look again at a claim that somebody holds.

        Most are at it for a moment. Who takes longer is dead, or got no answer: only the claim's end helps.
        """
        has_begun = now - (self.until - CLAIMED_FOR)
        return _RETRY_AFTER if has_begun < _AT_IT_FOR else self.until - now


# Nobody knows what came of it, and nobody is at it any more.
_IN_DOUBT = IdempotencyRecord(since=86_400.0, until=0.0)


class ClaimedRecord(msgspec.Struct, frozen=True):
    """The right to perform an action.

    ``since`` is None for a first claim; otherwise an earlier claimant started then and recorded no result.
    ``before`` is the last result, if there was one before the first of these claims.
    """

    key: str
    etag: str
    since: float | None = None
    before: str | None = None


class IdempotencyStore:
    """Keeps the records beside an organization's links, so that both are removed together."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(
        self, organization: str, name: str, now: float, *, redo: str | None = None
    ) -> ClaimedRecord | str:
        """Return the right to perform the action, or its result; raise Busy while another claim lasts.

        ``redo`` is a result that is no longer valid: if it is the recorded one, the action may be repeated.
        """
        key, partition = _key(name), escaped(organization)
        claimed = IdempotencyRecord(now, now + CLAIMED_FOR, token=secrets.token_hex(8))
        try:
            [etag] = self._table.apply(partition, Insert(key, _text(claimed)))
        except Conflict:
            return self._take_over(partition, key, claimed, now, redo)
        return ClaimedRecord(key, etag)

    def _take_over(
        self, partition: str, key: str, claimed: IdempotencyRecord, now: float, redo: str | None
    ) -> ClaimedRecord | str:
        try:
            row = self._table.get(partition, key)
        except NotFound as error:
            raise _busy() from error
        record = _record(row)
        if record.token == claimed.token:
            # azure-data-tables quirk: it repeats an insert after a 503, and the first one had landed.
            return ClaimedRecord(key, row.etag)
        if record.result is not None and record.result != redo:
            return record.result
        if record.is_held(now):
            raise _busy(record.free_in(now))
        # By a clock that is ahead: nobody knows when it began.
        began = record.since if record.since <= now else _IN_DOUBT.since
        since = began if record.result is None else None
        before = record.before if record.result is None else record.result
        claimed = msgspec.structs.replace(claimed, since=since or claimed.since, before=before)
        try:
            etag = self._replace(partition, key, claimed, row.etag)
        except (Conflict, NotFound) as error:
            raise _busy() from error
        return ClaimedRecord(key, etag, since, before)

    def find(self, organization: str, name: str) -> str | None:
        """Return the result of an action, or None if it has none yet."""
        row = self._find(organization, name)
        return None if row is None else _record(row).result

    def is_unfinished(self, organization: str, name: str) -> bool:
        """Tell whether somebody began an action and recorded no result, be they at it or dead."""
        row = self._find(organization, name)
        return row is not None and _record(row).result is None

    def note(self, organization: str, name: str, result: str) -> None:
        """Record a result without a claim, unless there is a record already."""
        record = IdempotencyRecord(0.0, 0.0, result)
        with suppress(Conflict):
            self._table.apply(escaped(organization), Insert(_key(name), _text(record)))

    def done(self, organization: str, claim: ClaimedRecord, result: str) -> None:
        """Record the result; raise Conflict if another worker took over the claim."""
        record = IdempotencyRecord(0.0, 0.0, result)
        self._replace(escaped(organization), claim.key, record, claim.etag)

    def marks(self, claims: Iterable[ClaimedRecord], result: str) -> list[Replace]:
        """Return how to record the result of these claims together with the action, in one transaction.

        It fails as a whole if another worker took one of them over.
        """
        text = _text(IdempotencyRecord(0.0, 0.0, result))
        return [Replace(claim.key, text, claim.etag) for claim in claims]

    def verify_held(self, organization: str, claims: Iterable[ClaimedRecord]) -> None:
        """Raise Busy if another worker took over one of these claims, or did away with it."""
        for claim in claims:
            try:
                row = self._table.get(escaped(organization), claim.key)
            except NotFound as error:
                raise _busy() from error
            if row.etag != claim.etag:
                raise _busy()

    def _replace(self, partition: str, key: str, record: IdempotencyRecord, etag: str) -> str:
        """Write over the row that was read and return its new ETag; raise Conflict if it changed."""
        [new] = apply_once(self._table, partition, Replace(key, _text(record), etag))
        return new

    def abandon(self, organization: str, claim: ClaimedRecord) -> None:
        """Release a claim whose action certainly did not happen, unless another worker has taken it over.

        What was there before the first of these claims counts again.
        """
        with suppress(Conflict, NotFound):
            if claim.before is not None:
                self.done(organization, claim, claim.before)
            else:
                self._table.apply(escaped(organization), Delete(claim.key, claim.etag))

    def leave(self, organization: str, claim: ClaimedRecord, now: float) -> None:
        """End a claim whose action may have happened: whoever comes next looks for its result at once."""
        since = now - CLAIMED_FOR if claim.since is None else claim.since
        record = IdempotencyRecord(since, 0.0, before=claim.before)
        with suppress(Conflict, NotFound):
            self._replace(escaped(organization), claim.key, record, claim.etag)

    def forgetting(self, organization: str, name: str, result: str) -> list[Delete]:
        """Return how to remove the record together with what it tells of, in one transaction.

        It is removed if it holds this result, so that the action can be repeated.
        """
        row = self._find(organization, name)
        if row is None or _record(row).result != result:
            return []
        return [Delete(row.key, row.etag)]

    def following(self, organization: str, name: str, new_name: str) -> list[Insert | Replace]:
        """Return how to record the result of an action under another name as well, in one transaction.

        Where the action was begun under the other name, its claim is no longer its worker's: whoever takes
        it over looks what came of it, and has this result if nothing did.
        """
        result = self.find(organization, name)
        if result is None:
            return []
        row = self._find(organization, new_name)
        if row is None:
            return [Insert(_key(new_name), _text(IdempotencyRecord(0.0, 0.0, result)))]
        begun = _record(row)
        if begun.result is not None or begun.before is not None:
            return []
        return [Replace(row.key, _text(msgspec.structs.replace(begun, before=result)), row.etag)]

    def _find(self, organization: str, name: str) -> Row | None:
        return find_row(self._table, escaped(organization), _key(name))


def creation_of(issue_id: str) -> str:
    """Return the name of the action that creates a work item for an issue."""
    return f"create-for-{issue_id}"


def rule_of(issue_id: str) -> str:
    """Return the name of what a rule does for an issue: one work item, whatever rules fire, and how often."""
    return f"rule-for-{issue_id}"


def told_of(rule: str, issue_id: str) -> str:
    """Return the name of telling that a rule fired for an issue that was linked by then."""
    return f"told-{hashlib.blake2b(rule.encode(), digest_size=8).hexdigest()}-{issue_id}"


def comment_of(comment_id: str, work_item_id: int) -> str:
    """Return the name of carrying a comment over to a work item: not to be done twice."""
    return f"comment-{comment_id}-on-{work_item_id}"


def regression_of(activity_id: str, work_item_id: int) -> str:
    """Return the name of telling a work item of a regression."""
    return f"regression-{activity_id}-on-{work_item_id}"


def our_comment(comment_id: str) -> str:
    """Return the name under which a comment on an issue is known as one that we wrote."""
    return f"our-comment-{comment_id}"


def comment_in_ado(work_item_id: int, key: str) -> str:
    """Return the name under which a comment on a work item is known: we wrote it, or it is carried over."""
    return f"ado-comment-{work_item_id}-{key}"


def comment_to_issue(work_item_id: int, key: str, issue_id: str) -> str:
    """Return the name of carrying a comment on a work item over to an issue: not to be done twice."""
    return f"ado-comment-{work_item_id}-{key}-on-{issue_id}"


def _key(name: str) -> str:
    return f"deed!{escaped(name)}"  # Stored rows keep this older name.


def _busy(seconds: float = _RETRY_AFTER) -> Busy:
    problem = "this is already in progress; try again in a few seconds, in a minute at the latest"
    return Busy(problem, retry_after=seconds)


def _text(record: IdempotencyRecord) -> str:
    return msgspec.json.encode(record).decode()


def _record(row: Row) -> IdempotencyRecord:
    record = readable(row, IdempotencyRecord) or _IN_DOUBT
    results = (record.result, record.before) if row.key.startswith(_key(creation_of(""))) else ()
    # Somebody has damaged what a creation came to, which is the number of a work item.
    is_damaged = any(each is not None and not _WORK_ITEM_ID.fullmatch(each) for each in results)
    return _IN_DOUBT if is_damaged else record
