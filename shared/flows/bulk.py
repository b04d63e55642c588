"""Linking many pairs in one request: each is answered, and what is not done yet is done by asking again."""

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
_WORK_FOR = 60.0  # seconds; an HTTP answer has to come within 230
LINKED, ALREADY_LINKED, NOT_YET = "linked", "already-linked", "not-yet"


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    issue_id: str
    work_item_id: int


class Linked(msgspec.Struct, frozen=True):
    """What became of one pair; ``outcome`` is a word, or the kind of an error."""

    pair: Pair
    outcome: str


def pairs_from_json(body: bytes) -> list[Pair]:
    try:
        pairs = decode(body, list[Pair])
    except Malformed as error:
        raise Rejected(f"the body is no list of links to make: {error.detail}") from error
    _verify_count(len(pairs))
    return [
        _pair(each.issue_id, str(each.work_item_id), f"link {place}") for place, each in enumerate(pairs, 1)
    ]


def pairs_from_csv(body: bytes) -> list[Pair]:
    """Read lines of ``issue_id,work_item_id``; a first line with these names is passed over."""
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
    """Yield what became of each pair, in order, for a minute; the rest is ``not-yet``.

    Links that are there already cost one look at our own table, so asking again with the same list goes
    on where the last request stopped.
    """
    stop_at = services.clock() + _WORK_FOR
    for pair in pairs:
        if services.clock() > stop_at:
            yield Linked(pair, NOT_YET)
            continue
        try:
            yield Linked(pair, _link_one(services, organization, pair))
        except (NotFound, Refused, Undecidable) as error:
            yield Linked(pair, error.kind)
        except SyncError as error:
            # What stopped this one would stop the next as well; nobody is asked ten thousand times.
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
