"""Linking in bulk: what a list may look like, and how far one request gets."""

import json
from collections.abc import Callable, Iterator

import pytest

from shared.ado.client import AdoClient
from shared.domain.configuration import Configuration
from shared.domain.errors import (
    Conflict,
    Forbidden,
    MissingSetting,
    NotFound,
    OrganizationGone,
    Refused,
    Rejected,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
    Undecidable,
)
from shared.domain.model import Ends, IssueLink, IssueSide, IssueStatus, ItemSide, WorkItem
from shared.flows.bulk import MOST_PAIRS, Linked, Pair, link_all, pairs_from_csv, pairs_from_json
from shared.flows.connecting import remove
from shared.store.organizations import Organization
from shared.store.tables import LARGEST_PAGE, Operation, Row
from tests.doubles.ado import BASE_URL, MemoryAdo
from tests.doubles.clock import Clock
from tests.doubles.sentry import MemorySentry
from tests.doubles.services import KNOWN, MemoryServices
from tests.doubles.tables import MemoryTable

MANY = [Pair(str(number), number) for number in range(1, MOST_PAIRS + 1)]


def as_json(pairs: list[Pair]) -> bytes:
    links = [{"issue_id": pair.issue_id, "work_item_id": pair.work_item_id} for pair in pairs]
    return json.dumps(links).encode()


def as_csv(pairs: list[Pair]) -> bytes:
    return "".join(f"{pair.issue_id},{pair.work_item_id}\n" for pair in pairs).encode()


# Lists.

ACME = Organization(
    "acme", Configuration(ado_url="https://dev.azure.com/fabrikam/", sentry_organization="acme"), ""
)


def from_json(body: bytes) -> list[Pair]:
    return pairs_from_json(body, ACME)


def from_csv(body: bytes) -> list[Pair]:
    return pairs_from_csv(body, ACME)


Read = Callable[[bytes], list[Pair]]
WAYS = [(from_json, as_json), (from_csv, as_csv)]


@pytest.mark.parametrize(("read", "write"), WAYS)
@pytest.mark.parametrize("count", [1, 2, MOST_PAIRS])
def test_a_list_is_read_in_its_order(read: Read, write: Callable[[list[Pair]], bytes], count: int) -> None:
    pairs = MANY[:count][::-1]
    assert read(write(pairs)) == pairs


@pytest.mark.parametrize(("read", "write"), WAYS)
@pytest.mark.parametrize(("count", "found"), [(0, "none"), (MOST_PAIRS + 1, "more than 10000")])
def test_a_list_has_one_to_ten_thousand_pairs(
    read: Read, write: Callable[[list[Pair]], bytes], count: int, found: str
) -> None:
    with pytest.raises(Rejected, match=f"this one holds {found}"):
        read(write([*MANY, MANY[0]][:count]))


def test_a_csv_file_is_read_no_further_than_to_its_ten_thousand_and_first_line() -> None:
    header, unreadable = b"issue_id,work_item_id\n", b'"never closed'
    too_many = header + as_csv([*MANY, MANY[0]]) + b"\n" + unreadable
    with pytest.raises(Rejected, match="more than 10000"):
        from_csv(too_many)
    assert from_csv(header + as_csv(MANY)) == MANY


def test_column_names_are_not_a_pair() -> None:
    assert from_csv(b"issue_id , work_item_id\n100,31") == [Pair("100", 31)]
    with pytest.raises(Rejected, match="line 2"):
        from_csv(b"100,31\nissue_id,work_item_id")
    with pytest.raises(Rejected, match="line 1"):
        from_csv(b"work_item_id,issue_id\n31,100")


def test_a_line_is_counted_as_an_editor_counts_it() -> None:
    with pytest.raises(Rejected, match="issue_id of line 6"):
        from_csv(b'issue_id,work_item_id\n\n"100",31\n\n\nx,31\n')


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"100,31,5", "two columns"),
        (b"100|31", "two columns"),
        (b"100,", "work_item_id of line 1"),
        (b"100,3.1", "work_item_id of line 1"),
        ("100,٣١".encode(), "work_item_id of line 1"),
        (b"#100,31", "issue_id of line 1"),
        (b'"100', "not CSV"),
        (b"\xe4,31", "not CSV"),
        (b"1" * 200_000 + b",31", "not CSV"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(body: bytes, problem: str) -> None:
    with pytest.raises(Rejected, match=problem):
        from_csv(body)


# One request.


class SlowAdo(MemoryAdo):
    """Takes its time over each work item, and fails over some; one that is ``away`` is that for all."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.takes = 0.0
        self.troubles: dict[int, SyncError] = {}
        self.asked: list[int] = []
        self.away: SyncError | None = None
        self._clock = clock

    def instance_id(self) -> str:
        if self.away is not None:
            raise self.away
        return super().instance_id()

    def get_work_item(self, work_item_id: int) -> WorkItem:
        self._clock.now += self.takes
        self.asked.append(work_item_id)
        if work_item_id in self.troubles:
            raise self.troubles[work_item_id]
        return super().get_work_item(work_item_id)


PAIRS = MANY[:5]


@pytest.fixture
def ado() -> SlowAdo:
    ado = SlowAdo(Clock())
    for pair in PAIRS:
        ado.add_item("Fix login", pair.work_item_id)
    return ado


@pytest.fixture
def services(ado: SlowAdo) -> MemoryServices:
    sentry = MemorySentry()
    for pair in PAIRS:
        sentry.add_issue(issue_id=pair.issue_id)
    return MemoryServices(ado, sentry, ado._clock)


def organization(services: MemoryServices) -> Organization:
    found = services.organizations.find("acme")
    return found or services.organizations.add(
        "acme", Configuration(ado_url=BASE_URL, back_links=False), KNOWN
    )


def run(services: MemoryServices, pairs: list[Pair] = PAIRS) -> list[str]:
    results = list(link_all(services, organization(services), pairs))
    assert [result.pair for result in results] == pairs
    assert all(isinstance(result, Linked) for result in results)
    return [result.outcome for result in results]


def test_each_pair_is_linked(services: MemoryServices) -> None:
    assert run(services) == ["linked"] * 5
    assert [stored.link.issue_id for stored in services.links.all("acme")] == ["1", "2", "3", "4", "5"]


def test_a_request_ends_after_a_minute_and_the_next_goes_on(services: MemoryServices, ado: SlowAdo) -> None:
    ado.takes = 25.0
    assert run(services) == ["linked", "linked", "linked", "not-yet", "not-yet"]
    assert run(services) == ["already-linked"] * 3 + ["linked"] * 2
    assert ado.asked == [1, 2, 3, 4, 5]


def test_what_is_linked_already_is_reported_even_after_the_minute_is_over(
    services: MemoryServices, ado: SlowAdo
) -> None:
    run(services, PAIRS[:3])
    ado.takes = 61.0
    assert run(services, PAIRS) == ["already-linked"] * 3 + ["linked", "not-yet"]


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        (NotFound("gone", kind="work-item-not-found"), "work-item-not-found"),
        (Refused("ado", "no such number"), "refused"),
        (Undecidable("no category", kind="state-without-category"), "state-without-category"),
        (Forbidden("ado", "403", about="work item 2"), "forbidden"),
        (Conflict("the ends of the link keep changing"), "conflict"),
        (Unavailable("ado", "the answer cannot be read"), "unavailable"),
    ],
)
def test_a_pair_that_fails_by_itself_stops_no_other(
    services: MemoryServices, ado: SlowAdo, trouble: SyncError, word: str
) -> None:
    ado.troubles[2] = trouble
    assert run(services) == ["linked", word, "linked", "linked", "linked"]


@pytest.mark.parametrize("odd", [{1}, {5}, {1, 2}, {2, 3, 4}, {1, 2, 3, 4, 5}])
@pytest.mark.parametrize("takes", [0.0, 29.0])
def test_however_many_get_no_usable_answer_a_list_ends_while_the_service_says_who_it_is(
    services: MemoryServices, ado: SlowAdo, odd: set[int], takes: float
) -> None:
    ado.takes = takes
    ado.troubles = {each: Unavailable("ado", "the answer cannot be read") for each in odd}
    left, results = PAIRS, dict[int, Linked]()
    for _ in PAIRS:
        found = list(link_all(services, organization(services), left))
        results |= {each.pair.work_item_id: each for each in found if each.is_final}
        left = [each.pair for each in found if not each.is_final]
        if not left:
            break
    assert [results[number].outcome for number in range(1, 6)] == [
        "unavailable" if number in odd else "linked" for number in range(1, 6)
    ]
    assert ado.asked == [1, 2, 3, 4, 5]


def test_storage_that_fails_stops_a_list(services: MemoryServices, ado: SlowAdo) -> None:
    ado.troubles[2] = Unavailable("storage", "503")
    assert run(services) == ["linked", "unavailable", "not-yet", "not-yet", "not-yet"]


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        (Unauthorized("ado", "401"), "unauthorized"),
        (Throttled("ado", "429", retry_after=5.0), "throttled"),
        (Unavailable("ado", "503"), "unavailable"),
        (Throttled("ado", "no answer a moment ago", retry_after=5.0, silent=True), "throttled"),
        (OrganizationGone("ado", "404"), "organization-gone"),
        (MissingSetting("SENTRY_TOKEN", "we need it"), "missing-setting"),
    ],
)
def test_a_failure_common_to_all_is_met_once(
    services: MemoryServices, ado: SlowAdo, trouble: SyncError, word: str
) -> None:
    ado.troubles, ado.away = {pair.work_item_id: trouble for pair in PAIRS[1:]}, trouble
    assert run(services) == ["linked", word, "not-yet", "not-yet", "not-yet"]
    assert ado.asked == [1, 2]
    ado.troubles.clear()
    assert run(services) == ["already-linked", "linked", "linked", "linked", "linked"]


@pytest.mark.parametrize(
    ("outcome", "trouble"),
    [
        ("unavailable", Unavailable("ado", "503")),
        ("unauthorized", Unauthorized("ado", "401")),
        ("throttled", Throttled("ado", "429", retry_after=5.0)),
    ],
)
def test_what_time_may_cure_is_not_final(
    services: MemoryServices, ado: SlowAdo, outcome: str, trouble: SyncError
) -> None:
    ado.troubles = {5: trouble, 4: NotFound("gone", kind="work-item-not-found")}
    ado.away = trouble
    results = list(link_all(services, organization(services), PAIRS))
    assert [(each.outcome, each.is_final) for each in results] == [
        *[("linked", True)] * 3,
        ("work-item-not-found", True),
        (outcome, False),
    ]


def test_a_pair_that_is_named_twice_is_asked_for_once(services: MemoryServices, ado: SlowAdo) -> None:
    assert run(services, [PAIRS[0], PAIRS[0]]) == ["linked", "already-linked"]
    assert ado.asked == [1]


class SlowTable(MemoryTable):
    """Takes its time over everything, as a table may that many others use as well."""

    def __init__(self, clock: Clock, takes: float) -> None:
        super().__init__()
        self.takes = takes
        self._clock = clock

    def get(self, partition: str, key: str) -> Row:
        self._clock.now += self.takes
        return super().get(partition, key)

    def scan(self, partition: str, start: str, end: str, *, page_size: int = LARGEST_PAGE) -> Iterator[Row]:
        for place, row in enumerate(super().scan(partition, start, end, page_size=page_size)):
            if place % page_size == 0:
                self._clock.now += self.takes
            yield row

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        self._clock.now += self.takes
        return super().apply(partition, *operations)


@pytest.mark.parametrize("takes", [0.008, 1.0, 100.0])
def test_a_list_is_done_in_the_end_however_slow_the_table_is(
    services: MemoryServices, ado: SlowAdo, takes: float
) -> None:
    pairs = MANY[:9_005]
    for pair in pairs[9_000:]:
        ado.add_item("Fix login", pair.work_item_id)
        services._sentry.add_issue(issue_id=pair.issue_id)
    seen = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, "New", IssueStatus.UNRESOLVED))
    table = services._named["links"] = SlowTable(ado._clock, 0.0)
    for pair in pairs[:9_000]:  # what the requests before have linked
        services.links.add(IssueLink("acme", pair.issue_id, pair.work_item_id, "p", "Bug", seen))
    table.takes = takes
    left = [5]
    while left[-1]:
        results = list(link_all(services, organization(services), pairs))
        left.append(sum(not each.is_final for each in results))
        assert left[-1] < left[-2]


def test_an_organization_that_is_removed_meanwhile_gets_no_more_links(services: MemoryServices) -> None:
    results = link_all(services, organization(services), PAIRS)
    assert next(results).outcome == "linked"
    remove(services, organization(services))
    assert [(each.outcome, each.is_final) for each in results] == [
        ("unknown-organization", False),
        *[("not-yet", False)] * 3,
    ]
    assert list(services.links.all("acme")) == []


class OneClient(MemoryServices):
    """Notes each client that is asked for; what they meet is kept by the organization's back-off."""

    def __init__(self, ado: MemoryAdo, sentry: MemorySentry, clock: Clock) -> None:
        super().__init__(ado, sentry, clock)
        self.at_once = 0

    def ado_at_once(self, organization: Organization) -> AdoClient:
        self.at_once += 1
        return super().ado_at_once(organization)


def test_no_pair_forgets_what_the_one_before_was_asked_for(ado: SlowAdo) -> None:
    """A success may ask us to wait before the next call, and the next pair is the next call."""
    sentry = MemorySentry()
    for pair in PAIRS:
        sentry.add_issue(issue_id=pair.issue_id)
    services = OneClient(ado, sentry, ado._clock)
    assert run(services) == ["linked"] * 5
    assert services.at_once == 0
