"""Linking many pairs in one request: each pair gets an outcome, and a repeated request continues the work."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from shared.domain.decoding import decode
from shared.domain.errors import (
    AlreadyLinked,
    Forbidden,
    Malformed,
    NotFound,
    Refused,
    Rejected,
    SyncError,
    Undecidable,
)
from shared.domain.ids import issue_id_from, work_item_id_from
from shared.flows.linking import link
from shared.services import Services
from shared.store.organizations import UNKNOWN_ORGANIZATION, Organization

MOST_PAIRS = 10_000
_TIME_LIMIT = 60.0  # seconds; an HTTP answer must arrive within 230
# What is wrong with one pair alone.
_FINAL = (NotFound, Forbidden, Refused, Undecidable)
LINKED, ALREADY_LINKED, NOT_YET = "linked", "already-linked", "not-yet"


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    issue_id: str
    work_item_id: int


class Linked(msgspec.Struct, frozen=True):
    """The result of one pair; ``outcome`` is LINKED, ALREADY_LINKED, NOT_YET, or the kind of an error.

    A result that is not final may be another one when the same list is sent again.
    """

    pair: Pair
    outcome: str
    is_final: bool = True


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
        # One line more than there may be, and the header: the rest is not read.
        filled = islice(filter(None, reader), MOST_PAIRS + 2)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in filled]
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
        found = f"more than {MOST_PAIRS}" if count else "none"
        raise Rejected(f"a request may hold 1 to {MOST_PAIRS} links, this one holds {found}")


def _pair(issue_id: str, work_item_id: str, where: str) -> Pair:
    return Pair(
        issue_id_from(issue_id, f"issue_id of {where}"),
        work_item_id_from(work_item_id, f"work_item_id of {where}"),
    )


def link_all(services: Services, organization: Organization, pairs: Sequence[Pair]) -> Iterator[Linked]:
    """Yield a result for each pair in order; pairs left over after a minute are ``not-yet``.

    One scan of the table finds the existing links, before the minute begins. So each request makes progress
    at any speed of the table, and a second request with the same list reaches the pairs that are left. All
    pairs share the organization's back-off.
    """
    wanted = {(pair.issue_id, pair.work_item_id) for pair in pairs}
    linked = services.links.linked_among(organization.scope, wanted)
    services.end_refusals(organization.slug)
    run = _Run(services, organization, services.clock() + _TIME_LIMIT)
    for pair in pairs:
        if (pair.issue_id, pair.work_item_id) in linked:
            yield Linked(pair, ALREADY_LINKED)
        else:
            result = run.link(pair)
            if result.outcome == LINKED:
                linked.add((pair.issue_id, pair.work_item_id))
            yield result


@dataclass
class _Run:
    """One request's work on the pairs that are not linked yet."""

    services: Services
    organization: Organization
    stop_at: float
    _is_over: bool = False

    def link(self, pair: Pair) -> Linked:
        if self._is_over or self.services.clock() > self.stop_at:
            return Linked(pair, NOT_YET, is_final=False)
        try:
            return Linked(pair, self._link(pair))
        except SyncError as error:
            # The next pair would fail in the same way; do not call a failing service ten thousand times.
            is_final = isinstance(error, _FINAL) and error.kind != UNKNOWN_ORGANIZATION
            self._is_over = not is_final
            return Linked(pair, error.kind, is_final)

    def _link(self, pair: Pair) -> str:
        services, organization = self.services, self.organization
        ado = services.ado(organization)
        try:
            link(services, organization, pair.issue_id, pair.work_item_id, None, ado)
        except AlreadyLinked:
            return ALREADY_LINKED
        return LINKED
