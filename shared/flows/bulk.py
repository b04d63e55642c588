"""Linking many pairs in one request: each pair gets an outcome, and a repeated request continues the work."""

import csv
import io
from collections.abc import Iterator, Sequence

import msgspec

from shared.domain.decoding import decode
from shared.domain.errors import AlreadyLinked, Malformed, NotFound, Refused, Rejected, SyncError, Undecidable
from shared.domain.ids import issue_id_from, work_item_id_from
from shared.flows.linking import link
from shared.services import Services
from shared.store.organizations import Organization

MOST_PAIRS = 10_000
_TIME_LIMIT = 60.0  # seconds; an HTTP answer must arrive within 230
LINKED, ALREADY_LINKED, NOT_YET = "linked", "already-linked", "not-yet"


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    issue_id: str
    work_item_id: int


class Linked(msgspec.Struct, frozen=True):
    """The result of one pair; ``outcome`` is LINKED, ALREADY_LINKED, NOT_YET, or the kind of an error."""

    pair: Pair
    outcome: str


def pairs_from_json(body: bytes) -> list[Pair]:
    """Read an array of 1 to 10,000 pairs, or raise Rejected naming the first wrong one."""
    try:
        pairs = decode(body, list[Pair])
    except Malformed as error:
        raise Rejected(f"the body is not a list of links to make: {error.detail}") from error
    _verify_count(len(pairs))
    return [
        _pair(each.issue_id, str(each.work_item_id), f"link {place}") for place, each in enumerate(pairs, 1)
    ]


def pairs_from_csv(body: bytes) -> list[Pair]:
    """Read 1 to 10,000 lines of ``issue_id,work_item_id`` after an optional header line of these names.

    Raises Rejected naming the first wrong line.
    """
    try:
        reader = csv.reader(io.StringIO(body.decode("utf-8-sig")), strict=True)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise Rejected(f"the body is not CSV: {error}") from error
    if rows and rows[0][1] == ["issue_id", "work_item_id"]:
        rows = rows[1:]
    _verify_count(len(rows))
    for line, row in rows:
        if len(row) != 2:
            raise Rejected(f"line {line} must have two columns: issue_id,work_item_id")
    return [_pair(row[0], row[1], f"line {line}") for line, row in rows]


def _verify_count(count: int) -> None:
    if not 0 < count <= MOST_PAIRS:
        raise Rejected(f"a request may hold 1 to {MOST_PAIRS} links, this one holds {count}")


def _pair(issue_id: str, work_item_id: str, where: str) -> Pair:
    return Pair(
        issue_id_from(issue_id, f"issue_id of {where}"),
        work_item_id_from(work_item_id, f"work_item_id of {where}"),
    )


def link_all(services: Services, organization: Organization, pairs: Sequence[Pair]) -> Iterator[Linked]:
    """Yield a result for each pair in order; pairs left over after a minute are ``not-yet``.

    An existing link costs one read of our own table, so a second request with the same list quickly
    reaches the pairs that are left.
    """
    stop_at = services.clock() + _TIME_LIMIT
    for pair in pairs:
        if services.clock() > stop_at:
            yield Linked(pair, NOT_YET)
            continue
        try:
            yield Linked(pair, _link_one(services, organization, pair))
        except (NotFound, Refused, Undecidable) as error:
            yield Linked(pair, error.kind)
        except SyncError as error:
            # The next pair would fail in the same way; do not call a failing service ten thousand times.
            stop_at = 0.0
            yield Linked(pair, error.kind)


def _link_one(services: Services, organization: Organization, pair: Pair) -> str:
    if services.links.exists(organization.slug, pair.issue_id, pair.work_item_id):
        return ALREADY_LINKED
    try:
        link(services, organization, pair.issue_id, pair.work_item_id, None)
    except AlreadyLinked:
        return ALREADY_LINKED
    return LINKED
