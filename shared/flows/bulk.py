"""Linking many pairs in one request: each pair gets an outcome, and a repeated request continues the work."""

import codecs
import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import replace

from shared.domain.decoding import convert, decode
from shared.domain.errors import AlreadyLinked, InvalidList, Malformed, Rejected, SyncError
from shared.domain.shapes import faults
from shared.flows.going_on import is_of_one
from shared.flows.linking import link
from shared.flows.naming import issue_name, work_item_named
from shared.sentry.names import is_id
from shared.services import Services
from shared.store.organizations import Organization

MOST_PAIRS = 10_000
_TIME_LIMIT = 60.0  # seconds; an HTTP answer must arrive within 230
LINKED, ALREADY_LINKED, NOT_YET = "linked", "already-linked", "not-yet"
_MOST_NAMED = 20  # wrong places that one answer names
_SEPARATORS = (",", ";", "\t")
_COLUMNS = ("issue_id", "work_item_id")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # what Excel calls Unicode text
_LINE_ENDS_LOST = (
    "line 1 has more than two columns, and is the only one: curl -d @links.csv strips the line ends of a "
    "file; send it with --data-binary @links.csv"
)


class Pair(msgspec.Struct, frozen=True):
    """``issue_id`` may be a short id, until the pair is linked."""

    issue_id: str
    work_item_id: int


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    issue_id: str | int
    work_item_id: str | int


class Linked(msgspec.Struct, frozen=True):
    """The result of one pair; ``outcome`` is LINKED, ALREADY_LINKED, NOT_YET, or the kind of an error.

    A result that is not final may be another one when the same list is sent again.
    """

    pair: Pair
    outcome: str
    is_final: bool = True


def is_csv(body: bytes, content_type: str) -> bool:
    """Tell a list in CSV from JSON, also where a client does not say so: to curl, each body is a form."""
    first, kind = body.removeprefix(codecs.BOM_UTF8).lstrip()[:1], content_type.lower()
    if "csv" in kind:
        return first not in {b"{", b"["}
    return "json" not in kind and first not in {b"", b"{", b"["}


def pairs_from_json(body: bytes, organization: Organization) -> list[Pair]:
    """Read an array of 1 to 10,000 pairs, or raise Rejected naming the wrong ones."""
    try:
        entries = decode(body.removeprefix(codecs.BOM_UTF8), list[Any])
    except Malformed as error:
        raise Rejected(f"the body is not a list of links to make: {error.detail}") from error
    _verify_count(len(entries))
    places = ((f"link {place}", each) for place, each in enumerate(entries, 1))
    return _pairs(organization, places, "must be an object with issue_id and work_item_id")


def pairs_from_csv(body: bytes, organization: Organization) -> list[Pair]:
    """Read 1 to 10,000 lines of ``issue_id,work_item_id`` after an optional header line of these names.

    The separator is a comma, a semicolon or a tab: spreadsheets choose it by their user's language. Raises
    Rejected naming the wrong lines.
    """
    try:
        text = body.decode("utf-16" if body[:2] in _UTF_16 else "utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=None), strict=True, delimiter=_separator_in(text))
        # One line more than there may be, and the header: the rest is not read.
        filled = islice(filter(None, reader), MOST_PAIRS + 2)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in filled]
    except (UnicodeDecodeError, csv.Error) as error:
        problem = "it is no text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise Rejected(f"the body is not CSV: {problem}") from error
    if len(rows) == 1 and len(rows[0][1]) > len(_COLUMNS) and len(text.strip().splitlines()) == 1:
        raise Rejected(_LINE_ENDS_LOST)
    if rows and _is_header(rows[0][1]):
        rows = rows[1:]
    _verify_count(len(rows))
    places = (
        (f"line {line}", dict(zip(_COLUMNS, row, strict=True)) if len(row) == len(_COLUMNS) else None)
        for line, row in rows
    )
    return _pairs(organization, places, f"must have two columns: {','.join(_COLUMNS)}")


def _separator_in(text: str) -> str:
    """Return the separator that makes two columns of the first line with text, or else one that is there."""
    first = next(filter(str.strip, text.splitlines()), "")
    likely = (each for each in _SEPARATORS if first.count(each) == 1)
    return next(itertools.chain(likely, (each for each in _SEPARATORS if each in first)), _SEPARATORS[0])


def _is_header(row: Sequence[str]) -> bool:
    return tuple(cell.lower().replace(" ", "_") for cell in row) == _COLUMNS


def _verify_count(count: int) -> None:
    if not 0 < count <= MOST_PAIRS:
        found = f"more than {MOST_PAIRS}" if count else "none"
        raise Rejected(f"a request may hold 1 to {MOST_PAIRS} links, this one holds {found}")


def _pairs(organization: Organization, entries: Iterable[tuple[str, object]], misfit: str) -> list[Pair]:
    """Return each entry as a pair, or raise InvalidList; ``misfit`` says what is wrong with no object."""
    pairs: list[Pair] = []
    errors: dict[str, str] = {}
    for place, entry in entries:
        if not isinstance(entry, dict):
            errors[place] = f"{place} {misfit}"
            continue
        try:
            pairs.append(_pair(organization, entry, place))
        except Rejected as error:
            errors[place] = error.detail
    if not errors:
        return pairs
    named = dict(list(errors.items())[:_MOST_NAMED])
    more = [f"and {len(errors) - len(named)} more are wrong"] if len(errors) > len(named) else []
    raise InvalidList("; ".join([*named.values(), *more, "nothing was linked"]), named)


def _pair(organization: Organization, entry: dict[str, Any], place: str) -> Pair:
    """Return an entry as a pair, or raise Rejected with all that is wrong with it."""
    try:
        named = convert(entry, _Entry)
    except msgspec.ValidationError as error:
        wrong = (f"{path} of {place} {problem}" for path, problem in faults(entry, _Entry).items())
        raise Rejected("; ".join(wrong)) from error
    problems: list[str] = []
    issue, item = "", 0
    try:
        issue = issue_name(organization, named.issue_id, f"issue_id of {place}")
    except Rejected as error:
        problems.append(error.detail)
    try:
        item = work_item_named(organization, named.work_item_id, f"work_item_id of {place}")
    except Rejected as error:
        problems.append(error.detail)
    if problems:
        raise Rejected("; ".join(problems))
    return Pair(issue, item)


def link_all(services: Services, organization: Organization, pairs: Sequence[Pair]) -> Iterator[Linked]:
    """Yield a result for each pair in order; pairs left over after a minute are ``not-yet``.

    One scan of the table finds the existing links by their ids, another one those by short ids, before the
    minute begins. So each request makes progress at any speed of the table, and a second request with the
    same list reaches the pairs that are left. All pairs share the organization's back-off.
    """
    wanted = {(pair.issue_id, pair.work_item_id) for pair in pairs if is_id(pair.issue_id)}
    short = {(pair.issue_id, pair.work_item_id) for pair in pairs if not is_id(pair.issue_id)}
    linked = services.links.linked_among(organization.scope, wanted)
    known = services.links.by_short_id(organization.scope, short)
    services.end_refusals(organization.slug)
    run = _Run(services, organization, services.clock() + _TIME_LIMIT)
    for pair in pairs:
        named = (pair.issue_id, pair.work_item_id)
        if named in linked or named in known:
            yield Linked(replace(pair, issue_id=known.get(named, pair.issue_id)), ALREADY_LINKED)
        else:
            result = run.link(pair)
            if result.outcome == LINKED:
                linked |= {named, (result.pair.issue_id, pair.work_item_id)}
            yield result


class _Run(msgspec.Struct):
    """One request's work on the pairs that are not linked yet."""

    services: Services
    organization: Organization
    stop_at: float
    _is_over: bool = False

    def link(self, pair: Pair) -> Linked:
        if self._is_over or self.services.clock() > self.stop_at:
            return Linked(pair, NOT_YET, is_final=False)
        try:
            pair = self._with_id(pair)
            return Linked(pair, self._link(pair))
        except SyncError as error:
            # Do not call a service that fails for all of them ten thousand times.
            self._is_over = not is_of_one(self.services, self.organization, error)
            return Linked(pair, error.kind, is_final=not self._is_over)

    def _with_id(self, pair: Pair) -> Pair:
        if is_id(pair.issue_id):
            return pair
        issue_id = self.services.sentry(self.organization).find_issue_id(pair.issue_id)
        return replace(pair, issue_id=issue_id)

    def _link(self, pair: Pair) -> str:
        services, organization = self.services, self.organization
        ado = services.ado(organization)
        try:
            link(services, organization, pair.issue_id, pair.work_item_id, None, ado)
        except AlreadyLinked:
            return ALREADY_LINKED
        return LINKED
