"""Linking many pairs in one request: each is answered, and what is not done yet is done by asking again."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from shared.domain.decoding import decode
from shared.domain.errors import (
    AlreadyLinked,
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
_WORK_FOR = 60.0  # seconds; an HTTP answer has to come within 230
# What is wrong with one pair, and says nothing of the next.
_FINAL = (NotFound, Refused, Undecidable)
LINKED, ALREADY_LINKED, NOT_YET = "linked", "already-linked", "not-yet"


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    issue_id: str
    work_item_id: int


class Linked(msgspec.Struct, frozen=True):
    """What became of one pair; ``outcome`` is a word, or the kind of an error.

    What is not ``is_final`` may come to something else when the list is sent again.
    """

    pair: Pair
    outcome: str
    is_final: bool = True


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
    """Yield what became of each pair, in order; what a minute is too short for is ``not-yet``.

    Which pairs are linked already is found by one look over the table before the minute begins. So every
    request gets further, however slow the table is, and asking again with the same list goes on where the
    last request stopped. All pairs share one client, and with it what Azure DevOps asked of us.
    """
    wanted = {(pair.issue_id, pair.work_item_id) for pair in pairs}
    linked = services.links.linked_among(organization.scope, wanted)
    services.end_refusals(organization.slug)
    run = _Run(services, organization, services.clock() + _WORK_FOR)
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
            # What stops one pair for a time would stop the next as well; nobody is asked ten thousand times.
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
