"""What the stores promise, on the double and on Azurite: links, activity and organizations by their keys."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import msgspec
import pytest
from msgspec.structs import replace

from shared.domain.configuration import Configuration
from shared.domain.errors import AlreadyLinked, Conflict, NotFound, StalePrecondition
from shared.domain.model import (
    ActivityEntry,
    BackLinks,
    End,
    EndRecord,
    Ends,
    Intent,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    Remnant,
    Side,
)
from shared.store.activity import KEPT_FOR, ActivityStore
from shared.store.links import LinkStore, StoredEnd, StoredLink
from shared.store.organizations import OrganizationStore, gone
from shared.store.tables import Delete, Operation, Replace, Table
from tests.doubles.tables import MemoryTable, OvertakenTable, RepeatingTable

OPEN = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, "New", IssueStatus.UNRESOLVED))
ADO = Configuration(ado_url="https://dev.azure.com/fabrikam/")
# What could break a key, a filter or a URL, or look like the end of another key.
HOSTILE = [
    "/",
    "\\",
    "#",
    "?",
    "%2F",
    "'",
    "''",
    "\x00",
    "\x7f",
    "\x85",
    "a!b",
    "~",
    "=2F",
    " ",
    "Ä",
    "😀",
    "",
]


@pytest.fixture
def links(new_table: Callable[[], Table]) -> LinkStore:
    return LinkStore(new_table())


@pytest.fixture
def activity(new_table: Callable[[], Table]) -> ActivityStore:
    numbers = itertools.count()
    return ActivityStore(new_table(), lambda: f"{next(numbers):08}")


@pytest.fixture
def organizations(new_table: Callable[[], Table]) -> OrganizationStore:
    return OrganizationStore(new_table())


def link(issue_id: str = "100", work_item_id: int = 31, organization: str = "acme") -> IssueLink:
    return IssueLink(
        organization=organization,
        issue_id=issue_id,
        work_item_id=work_item_id,
        project_id="p",
        work_item_type="Bug",
        seen=OPEN,
    )


def pairs(found: list[StoredLink]) -> list[tuple[str, int]]:
    return [(each.link.issue_id, each.link.work_item_id) for each in found]


def outcomes(activity: ActivityStore, issue_id: str = "100", organization: str = "acme") -> list[str]:
    return [each.outcome for each in activity.page(organization, issue_id, 31, None, 1000).entries]


def test_a_link_is_found_by_both_its_ends(links: LinkStore) -> None:
    stored = links.add(link())
    assert links.get("acme", "100", 31) == stored
    assert links.for_issue("acme", "100") == [stored]
    assert links.for_work_item("acme", 31) == [stored]


def test_what_was_never_linked_is_not_found(links: LinkStore) -> None:
    links.add(link())
    with pytest.raises(NotFound) as refusal:
        links.get("acme", "100", 32)
    assert refusal.value.kind == "not-linked"
    assert str(refusal.value) == "issue '100' and work item 32 are not linked"
    with pytest.raises(NotFound) as refusal:
        links.get("acme", "x" * 41, 32)
    assert str(refusal.value) == f"issue '{'x' * 40}' and work item 32 are not linked"
    assert (links.for_issue("acme", "10"), links.for_work_item("acme", 3)) == ([], [])


def test_many_links_share_an_issue_and_many_a_work_item(links: LinkStore) -> None:
    for issue_id, work_item_id in (("100", 31), ("100", 32), ("101", 31)):
        links.add(link(issue_id, work_item_id))
    assert pairs(links.for_issue("acme", "100")) == [("100", 31), ("100", 32)]
    assert pairs(links.for_work_item("acme", 31)) == [("100", 31), ("101", 31)]


def test_the_other_links_of_an_issue_are_found_without_the_one_to_a_work_item(links: LinkStore) -> None:
    for work_item_id in (31, 32, 33):
        links.add(link(work_item_id=work_item_id))
    for but, others in ((31, [32, 33]), (32, [31, 33]), (33, [31, 32]), (34, [31, 32, 33])):
        found = links.for_issue("acme", "100", but=but)
        assert [each.link.work_item_id for each in found] == others


def test_the_same_two_are_linked_once(links: LinkStore) -> None:
    links.add(link())
    with pytest.raises(AlreadyLinked) as refusal:
        links.add(link())
    assert str(refusal.value) == "issue 100 and work item 31 are linked already"
    assert len(links.for_issue("acme", "100")) == 1


def test_a_link_that_changed_since_it_was_read_is_not_written_over(links: LinkStore) -> None:
    read = links.add(link())
    links.replace(read, replace(read.link, title="first"))
    with pytest.raises(Conflict):
        links.replace(read, replace(read.link, title="second"))
    with pytest.raises(Conflict):
        links.remove(read)
    assert links.get("acme", "100", 31).link.title == "first"


def test_a_removed_link_is_gone_from_both_ends(links: LinkStore) -> None:
    stored = links.add(link())
    links.remove(stored)
    assert (links.for_issue("acme", "100"), links.for_work_item("acme", 31)) == ([], [])
    writes: list[Callable[[], object]] = [
        lambda: links.replace(stored, stored.link),
        lambda: links.remove(stored),
        lambda: links.move(stored, "200"),
        lambda: links.discard("acme", "100", 31),
    ]
    for write in writes:
        with pytest.raises(NotFound) as refusal:
            write()
        assert refusal.value.kind == "not-linked"
        assert str(refusal.value) == "issue '100' and work item 31 are not linked"


def test_a_moved_link_keeps_what_was_seen_and_leaves_nothing_behind(links: LinkStore) -> None:
    stored = links.add(replace(link(), title="kept"))
    moved = links.move(stored, "200")
    assert links.get("acme", "200", 31) == moved
    assert moved.link.title == "kept"
    assert (links.for_issue("acme", "100"), pairs(links.for_work_item("acme", 31))) == ([], [("200", 31)])


def test_a_link_moved_onto_another_one_gives_way_to_it(links: LinkStore) -> None:
    kept = links.add(replace(link("200"), title="kept"))
    assert links.move(links.add(link()), "200") == kept
    assert pairs(links.for_work_item("acme", 31)) == [("200", 31)]
    assert links.for_issue("acme", "100") == []


@pytest.mark.parametrize("shown", [None, BackLinks(merged=("98",))])
@pytest.mark.parametrize("writes", [0, 2])
def test_a_link_onto_which_another_one_is_moved_learns_its_names(
    links: LinkStore, writes: int, shown: BackLinks | None
) -> None:
    kept = links.add(replace(link("200"), back_links=BackLinks(merged=("99",)), title="kept"))
    ends = [StoredEnd(End(Side.SENTRY, str(number)), EndRecord("t")) for number in range(writes)]
    found = links.move(links.add(replace(link(), back_links=shown)), "200", ends)
    names = ("100", "99") if shown is None else ("100", "98", "99")
    assert found.link == replace(kept.link, back_links=BackLinks(due=0.0, merged=names))
    assert links.get("acme", "200", 31) == found
    links.replace(found, kept.link)  # What was returned is as it is stored.


def test_a_link_that_changed_since_it_was_read_is_not_moved(links: LinkStore) -> None:
    read = links.add(link())
    links.replace(read, replace(read.link, title="first"))
    with pytest.raises(Conflict):
        links.move(read, "200")
    assert pairs(links.for_work_item("acme", 31)) == [("100", 31)]
    assert links.for_issue("acme", "200") == []


CLOSE = Intent(Side.ADO, "status", state="Closed", status=IssueStatus.RESOLVED)
ENDS = [End(Side.SENTRY, "100"), End(Side.ADO, "31")]


def written(links: LinkStore, stored: StoredLink, *ends: StoredEnd) -> StoredLink:
    stored, _ = links.replace_with_ends(stored, replace(stored.link, title="written"), ends)
    return stored


@pytest.mark.parametrize("end", [*ENDS, *(End(Side.SENTRY, each) for each in HOSTILE)])
def test_what_we_wrote_to_an_end_is_kept_for_all_its_links(links: LinkStore, end: End) -> None:
    stored = links.add(link())
    first = links.end("acme", end)
    assert first == StoredEnd(end)
    record = EndRecord("t", 7.5, ("100", 31), (CLOSE,), rev=3, at=5.0)
    stored, kept = links.replace_with_ends(stored, stored.link, [replace(first, record=record)])
    assert links.get("acme", "100", 31) == stored
    assert (links.end("acme", end), kept) == (kept[0], (StoredEnd(end, record, kept[0].etag),))
    assert links.end("other", end) == StoredEnd(end)
    assert links.for_issue("acme", "100") == list(links.all("acme"))


@pytest.mark.parametrize("end", ENDS)
def test_an_end_that_changed_since_it_was_read_keeps_the_link_as_it_is(links: LinkStore, end: End) -> None:
    stored, missing = links.add(link()), StoredEnd(end)
    stored = written(links, stored, missing)
    for stale in (missing, replace(missing, etag=stored.etag)):
        with pytest.raises(Conflict):
            written(links, replace(stored, link=replace(stored.link, title="x")), stale)
    assert links.get("acme", "100", 31).link.title == "written"
    fresh = links.end("acme", end)
    written(links, links.get("acme", "100", 31), fresh)
    with pytest.raises(Conflict):
        written(links, links.get("acme", "100", 31), fresh)


def test_a_link_that_changed_since_it_was_read_keeps_its_ends_as_they_are(links: LinkStore) -> None:
    stored = links.add(link())
    links.replace(stored, replace(stored.link, title="first"))
    with pytest.raises(Conflict):
        written(links, stored, StoredEnd(ENDS[0], EndRecord("t")))
    assert links.end("acme", ENDS[0]) == StoredEnd(ENDS[0])


def test_a_new_link_and_the_rows_of_its_ends_are_stored_together(links: LinkStore) -> None:
    end = StoredEnd(ENDS[0], EndRecord("t"))
    links.add(link(), [end])
    with pytest.raises(AlreadyLinked):
        links.add(link(), [links.end("acme", ENDS[0])])
    with pytest.raises(Conflict) as refusal:
        links.add(link("100", 32), [end])
    assert not isinstance(refusal.value, AlreadyLinked)
    assert pairs(links.for_issue("acme", "100")) == [("100", 31)]


@pytest.mark.parametrize("gives_way", [False, True])
def test_a_link_is_moved_together_with_what_was_written_to_its_end(links: LinkStore, gives_way: bool) -> None:
    stored, survivor = links.add(link()), StoredEnd(End(Side.SENTRY, "200"), EndRecord("t"))
    if gives_way:
        links.add(link("200"))
    links.move(stored, "200", [survivor])
    assert links.end("acme", survivor.end).record == survivor.record
    assert pairs(links.for_work_item("acme", 31)) == [("200", 31)]


@pytest.mark.parametrize("one", HOSTILE)
def test_no_issue_id_breaks_a_key_or_reaches_another_one(links: LinkStore, one: str) -> None:
    ids = [f"1{one}", f"{one}1", f"1{one}1", "1", "11"]
    for issue_id in dict.fromkeys(ids):
        links.add(link(issue_id))
    for issue_id in dict.fromkeys(ids):
        assert pairs(links.for_issue("acme", issue_id)) == [(issue_id, 31)]
        links.remove(links.get("acme", issue_id, 31))
    assert links.for_work_item("acme", 31) == []


def test_no_two_odd_ids_are_taken_for_one(links: LinkStore) -> None:
    for one in HOSTILE:
        links.add(link(f"1{one}"))
    assert len(links.for_work_item("acme", 31)) == len(HOSTILE)


def test_a_very_long_id_is_as_good_as_a_short_one(links: LinkStore) -> None:
    long, longer = "/" * 500, "/" * 501
    links.add(link(long))
    assert links.for_issue("acme", longer) == []
    links.add(link(longer))
    assert pairs(links.for_issue("acme", long)) == [(long, 31)]


@pytest.mark.parametrize("other", ["acme2", "acm", "acme!", "acme/", "acme' or PartitionKey ne '", "ACME"])
def test_organizations_never_see_each_other(links: LinkStore, activity: ActivityStore, other: str) -> None:
    for organization in ("acme", other):
        links.add(link(organization=organization))
        activity.add(organization, "100", 31, ActivityEntry(1.0, organization))
    for organization in ("acme", other):
        assert [each.link.organization for each in links.all(organization)] == [organization]
        assert outcomes(activity, organization=organization) == [organization]
    links.remove_some(other, 100)
    activity.remove_some(other, 100)
    assert len(links.for_issue("acme", "100")) == len(outcomes(activity)) == 1
    assert (links.for_issue(other, "100"), outcomes(activity, organization=other)) == ([], [])


def test_pages_show_every_link_once_in_the_order_of_work_items(links: LinkStore) -> None:
    expected = [(str(issue), item) for item in (4, 5, 10, 100) for issue in (10, 9)]
    for issue_id, work_item_id in reversed(expected):
        links.add(link(issue_id, work_item_id))
    seen: list[tuple[str, int]] = []
    continuation, pages = None, 0
    while continuation or not pages:
        page = links.page("acme", continuation, 3)
        seen += pairs(list(page.links))
        continuation, pages = page.continuation, pages + 1
    assert (seen, pages) == (expected, 3)


@pytest.mark.parametrize("limit", [8, 9])
def test_the_last_page_names_no_next_one(links: LinkStore, limit: int) -> None:
    for number in range(8):
        links.add(link(str(number)))
    page = links.page("acme", None, limit)
    assert (len(page.links), page.continuation) == (8, None)


def test_a_page_goes_on_though_its_last_link_was_removed_meanwhile(links: LinkStore) -> None:
    for number in range(4):
        links.add(link(str(number)))
    page = links.page("acme", None, 2)
    links.remove(page.links[-1])
    assert pairs(list(links.page("acme", page.continuation, 2).links)) == [("2", 31), ("3", 31)]


def test_a_walk_passes_every_link_once_from_any_place(links: LinkStore) -> None:
    expected = [(str(issue), item) for item in (9, 31, 400) for issue in (1, 10, 2)]
    for issue_id, work_item_id in reversed(expected):
        links.add(link(issue_id, work_item_id))
    passed = list(links.walk("acme", page_size=2))
    assert [(each.stored.link.issue_id, each.stored.link.work_item_id) for each in passed if each.stored] == (
        expected
    )
    for count, each in enumerate(passed, 1):
        assert [behind.place for behind in links.walk("acme", each.place)] == [
            later.place for later in passed[count:]
        ]
    assert list(links.walk("nobody")) == []


@pytest.mark.parametrize(
    "wanted",
    [[], [1], [31], [7, 31], [31, 32, 31], [30, 33, 99], [1, 39, 1_000_000], [1_000_000], list(range(1, 41))],
)
def test_the_links_of_some_work_items_are_found_among_all(links: LinkStore, wanted: list[int]) -> None:
    for number in range(1, 41):
        links.add(link(str(number), number))
    for number in range(100, 130):
        links.add(link(str(number), 31))
    found = list(links.of_work_items("acme", wanted))
    assert found == [each for each in links.all("acme") if each.link.work_item_id in wanted]
    assert list(links.of_work_items("nobody", wanted)) == []


def test_no_link_is_passed_over_where_one_read_ends_and_the_next_begins(links: LinkStore) -> None:
    issues = [str(number) for number in range(10, 20)] + ["190", "19.", "2"]
    for issue_id in issues:
        links.add(link(issue_id))
    assert set(pairs(list(links.of_work_items("acme", [31])))) == {(each, 31) for each in issues}


def test_more_than_a_transaction_holds_is_removed_whole(links: LinkStore) -> None:
    for number in range(55):
        links.add(link(str(number), 31 + number % 2))
    removed = [links.remove_some("acme", 70) for _ in range(3)]
    assert removed == [70, 40, 0]
    assert list(links.all("acme")) == []
    assert links.for_issue("acme", "1") == []


def test_of_racing_workers_each_link_is_changed_once_a_round(links: LinkStore) -> None:
    links.add(link())

    def count(_: int) -> None:
        while True:
            stored = links.get("acme", "100", 31)
            try:
                links.replace(stored, replace(stored.link, writes=(*stored.link.writes, 1.0)))
            except Conflict:
                continue
            return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(12)))
    assert len(links.get("acme", "100", 31).link.writes) == 12


def test_what_a_link_holds_survives_the_table(links: LinkStore) -> None:
    stored = links.add(replace(link(), title="Größe 😀 " * 9_000, area_path="a\\b'c"))
    assert links.get("acme", "100", 31).link == stored.link


def test_activity_is_newest_first_also_within_one_moment(activity: ActivityStore) -> None:
    activity.add("acme", "100", 31, *(ActivityEntry(10.0, outcome) for outcome in ("b", "c", "c2")))
    activity.add("acme", "100", 31, ActivityEntry(9.5, "a"))
    activity.add("acme", "100", 31, ActivityEntry(10.000001, "d"))
    assert outcomes(activity) == ["d", "c2", "c", "b", "a"]


def test_entries_of_one_moment_do_not_replace_each_other(activity: ActivityStore) -> None:
    for word in ("a", "b", "c"):
        activity.add("acme", "100", 31, ActivityEntry(10.0, word))
    assert sorted(outcomes(activity)) == ["a", "b", "c"]


def test_activity_pages_show_every_entry_once(activity: ActivityStore) -> None:
    activity.add("acme", "100", 31, *(ActivityEntry(float(number), str(number)) for number in range(7)))
    seen: list[str] = []
    continuation, pages = None, 0
    while continuation or not pages:
        page = activity.page("acme", "100", 31, continuation, 3)
        seen += [each.outcome for each in page.entries]
        continuation, pages = page.continuation, pages + 1
    assert (seen, pages) == (["6", "5", "4", "3", "2", "1", "0"], 3)


@pytest.mark.parametrize("one", HOSTILE)
def test_the_activity_of_one_link_is_not_that_of_another(activity: ActivityStore, one: str) -> None:
    for issue_id in dict.fromkeys((f"1{one}", f"1{one}1", "1")):
        activity.add("acme", issue_id, 31, ActivityEntry(1.0, "own"))
        assert outcomes(activity, issue_id) == ["own"]
    assert activity.page("acme", "1", 3, None, 10).entries == ()


def test_only_what_is_older_than_ninety_days_is_pruned(activity: ActivityStore) -> None:
    now = 1_800_000_000.0
    for age in (KEPT_FOR + 1, KEPT_FOR + 1e-3, KEPT_FOR - 1e-3, 0.0):
        activity.add("acme", "100", 31, ActivityEntry(now - age, str(age)))
    assert activity.prune("acme", now).removed == 2
    assert len(outcomes(activity)) == 2


def test_an_entry_survives_the_table(activity: ActivityStore) -> None:
    entry = ActivityEntry(
        1.5,
        "refused",
        direction="outbound",
        field="status",
        before="ä'",
        after="😀",
        rev=7,
        reason="r" * 40_000,
    )
    activity.add("acme", "100", 31, entry)
    assert activity.page("acme", "100", 31, None, 10).entries == (entry,)


def test_an_organization_is_known_by_its_slug(organizations: OrganizationStore) -> None:
    added = organizations.add("acme", ADO)
    assert organizations.get("acme") == added
    organizations.add("4711", ADO)
    assert list(organizations.slugs()) == ["4711", "acme"]
    organizations.recent("acme")


@pytest.mark.parametrize("slug", ["other", "ACME", "acme/", "-acme", "", "acme'", "x" * 64, "../acme"])
def test_any_other_slug_is_unknown(organizations: OrganizationStore, slug: str) -> None:
    organizations.add("acme", ADO)
    for read in (organizations.get, organizations.recent):
        with pytest.raises(NotFound) as refusal:
            read(slug)
        assert refusal.value.kind == "unknown-organization"
        assert str(refusal.value) == f"no organization {slug[:63]!r} is connected here"


def test_a_document_is_replaced_only_as_it_was_read(organizations: OrganizationStore) -> None:
    read = organizations.add("acme", ADO)
    with pytest.raises(Conflict):
        organizations.add("acme", ADO)
    changed = organizations.replace(read, replace(ADO, issue_sync=False))
    for change in (lambda: organizations.replace(read, ADO), lambda: organizations.remove(read)):
        with pytest.raises(StalePrecondition, match=r"^the document was changed by somebody else meanwhile$"):
            change()
    assert organizations.get("acme") == changed


def test_a_removed_organization_is_unknown_at_once(organizations: OrganizationStore) -> None:
    removed = organizations.add("acme", ADO)
    for service in ("ado", "sentry", gone("ado"), gone("sentry"), "document"):
        organizations.note_refusal("acme", service)
    organizations.remove(removed)
    assert organizations.refused_by("acme") == []
    organizations.remove(removed)
    with pytest.raises(NotFound):
        organizations.recent("acme")
    with pytest.raises(StalePrecondition):
        organizations.replace(removed, ADO)
    assert organizations.refusals() == {}


def test_a_document_longer_than_a_property_is_kept_whole(organizations: OrganizationStore) -> None:
    people = {f"person{number}@corp.example": f"person{number}@home.example" for number in range(3_000)}
    added = organizations.add("acme", replace(ADO, people=people))
    assert len(msgspec.json.encode(added.configuration)) > 64 * 1024
    assert organizations.get("acme").configuration.people == people


def test_refusals_are_counted_by_service(organizations: OrganizationStore) -> None:
    for slug, service in (("4711", "ado"), ("4711", "sentry"), ("other", "ado"), ("4711", "ado")):
        organizations.note_refusal(slug, service)
    assert organizations.refusals() == {"ado": 2, "sentry": 1}
    organizations.note_acceptance("4711", "ado")
    organizations.note_acceptance("other", "sentry")
    assert organizations.refusals() == {"ado": 1, "sentry": 1}


def test_what_a_service_accepts_ends_that_it_knew_nobody_there(organizations: OrganizationStore) -> None:
    for service in ("ado", gone("ado"), gone("sentry")):
        organizations.note_refusal("4711", service)
    organizations.note_acceptance("4711", "ado")
    assert organizations.refused_by("4711") == [gone("sentry")]


def test_a_cure_ends_what_says_that_nobody_is_there_and_no_other_refusal(
    organizations: OrganizationStore,
) -> None:
    for service in ("ado", gone("ado"), gone("sentry")):
        organizations.note_refusal("4711", service)
    organizations.note_refusal("other", gone("ado"))
    organizations.note_cure("4711")
    assert organizations.refused_by("4711") == ["ado"]
    assert organizations.refused_by("other") == [gone("ado")]


def test_what_both_services_refused_is_forgotten_of_one_organization(
    organizations: OrganizationStore,
) -> None:
    for slug in ("4711", "other"):
        for service in ("ado", "sentry", gone("ado"), gone("sentry"), "document"):
            organizations.note_refusal(slug, service)
    organizations.forget_refusals("4711")
    assert organizations.refused_by("4711") == ["document"]
    assert len(organizations.refused_by("other")) == 5
    organizations.note_refusal("4711", "ado")
    assert set(organizations.refused_by("4711")) == {"ado", "document"}


# azure-data-tables repeats a request after a 503, although the first one may have landed.


def test_entries_whose_insert_was_repeated_are_written_once(new_table: Callable[[], Table]) -> None:
    activity = ActivityStore(RepeatingTable(new_table()), iter("abc").__next__)
    activity.add("acme", "100", 31, ActivityEntry(1.0, "a"), ActivityEntry(1.0, "b"))
    activity.add("acme", "100", 31, ActivityEntry(1.0, "c"))
    assert sorted(outcomes(activity)) == ["a", "b", "c"]


def test_an_insert_that_did_not_land_is_no_entry(new_table: Callable[[], Table]) -> None:
    table = RepeatingTable(new_table())

    def lose(_partition: str, *_operations: Operation) -> list[str]:
        raise Conflict("the table is being deleted")

    table.apply = lose  # type: ignore[assignment,method-assign]  # for this test
    with pytest.raises(Conflict):
        ActivityStore(table, lambda: "a").add("acme", "100", 31, ActivityEntry(1.0, "a"))


SHOWN = replace(link(), back_links=BackLinks(merged=("99",)))


@pytest.mark.parametrize("linked_at", [0.0, 5.0])
def test_of_two_who_follow_one_merge_one_does(new_table: Callable[[], Table], linked_at: float) -> None:
    links = LinkStore(new_table())
    stored = links.add(replace(SHOWN, linked_at=linked_at))
    links.move(stored, "200")
    with pytest.raises(NotFound):
        links.move(stored, "200")


def test_of_a_removal_that_was_repeated_what_is_left_says_whose_it_was(
    new_table: Callable[[], Table],
) -> None:
    table = new_table()
    links = LinkStore(table)
    stored = links.add(SHOWN)
    LinkStore(RepeatingTable(table)).remove(stored, SHOWN.remnant(5.0))
    assert [each.remnant for each in links.remnants("acme")] == [SHOWN.remnant(5.0)]
    with pytest.raises(NotFound):
        links.remove(stored, SHOWN.remnant(6.0))  # That of somebody else.


@pytest.mark.parametrize("linked_at", [0.0, 5.0])
def test_an_unlinking_that_was_repeated_is_one_though_the_work_item_has_another_link(
    new_table: Callable[[], Table], linked_at: float
) -> None:
    """Links of an older version do not say when they were made."""
    table = new_table()
    links = LinkStore(table)
    links.add(replace(link(), linked_at=linked_at))
    links.add(replace(link("200"), linked_at=linked_at and 6.0))
    LinkStore(RepeatingTable(table)).discard("acme", "100", 31)
    assert pairs(links.for_work_item("acme", 31)) == [("200", 31)]


def test_an_unlinking_that_was_repeated_is_one(new_table: Callable[[], Table]) -> None:
    table = new_table()
    LinkStore(table).add(link())
    LinkStore(RepeatingTable(table)).discard("acme", "100", 31)
    assert list(table.scan("acme", "", "~")) == []


BOTH = ["issue!100!0000000000000031", "item!0000000000000031!100"]


def halves(table: Table) -> list[str]:
    return [row.key for row in table.scan("acme", "i", "j")]


@pytest.mark.parametrize("reads", range(7))
def test_no_unlinking_leaves_half_a_link_that_is_stored_meanwhile(
    new_table: Callable[[], Table], reads: int
) -> None:
    """Whoever unlinks reads two rows, one after the other; between the two somebody stores both."""
    table = new_table()
    store = LinkStore(table)
    overtaken = OvertakenTable(table, lambda: store.add(link()), *[lambda: None] * reads)
    with suppress(NotFound):
        LinkStore(overtaken).discard("acme", "100", 31)
    assert halves(table) in ([], BOTH)


def test_half_a_link_that_somebody_else_removes_meanwhile_is_removed(new_table: Callable[[], Table]) -> None:
    table = new_table()
    LinkStore(table).add(link())
    table.apply("acme", Delete(BOTH[1]))
    overtaken = OvertakenTable(table, lambda: table.apply("acme", Delete(BOTH[0])), *[lambda: None] * 2)
    LinkStore(overtaken).discard("acme", "100", 31)
    assert halves(table) == []


def test_half_a_link_that_is_made_whole_meanwhile_is_removed_whole(new_table: Callable[[], Table]) -> None:
    table = new_table()
    store = LinkStore(table)
    store.add(link())
    table.apply("acme", Delete(BOTH[0]))
    overtaken = OvertakenTable(table, lambda: store.mend("acme", "100", 31), *[lambda: None] * 2)
    LinkStore(overtaken).discard("acme", "100", 31)
    assert halves(table) == []


def test_a_link_that_is_never_left_alone_is_not_removed(new_table: Callable[[], Table]) -> None:
    table = new_table()
    LinkStore(table).add(link())

    def lose(_partition: str, *_operations: Operation) -> list[str]:
        raise Conflict("somebody changed it")

    overtaken = OvertakenTable(table)
    overtaken.apply = lose  # type: ignore[assignment]  # for this test
    with pytest.raises(Conflict, match=r"^lost 5 races in a row$"):
        LinkStore(overtaken).discard("acme", "100", 31)
    assert halves(table) == BOTH


@pytest.mark.parametrize(("issue_id", "half"), [("100", "issue!100"), ("200", "item!0000000000000031!200")])
def test_half_a_link_keeps_none_from_following_a_merge(
    new_table: Callable[[], Table], issue_id: str, half: str
) -> None:
    """The row of the index is missing for the link itself, or is all there is of one in its place."""
    table = new_table()
    links = LinkStore(table)
    stored = links.add(link())
    if issue_id != "100":
        links.add(link(issue_id))
    [key] = [row.key for row in table.scan("acme", "", "~") if row.key.startswith(half)]
    table.apply("acme", Delete(key))
    with pytest.raises(Conflict):
        links.move(stored, "200")
    links.move(links.get("acme", "100", 31), "200")
    assert pairs(links.for_issue("acme", "200")) == pairs(links.for_work_item("acme", 31)) == [("200", 31)]


@pytest.mark.parametrize("reads", range(7))
@pytest.mark.parametrize("half", ["item", "issue"])
@pytest.mark.parametrize("is_linked_anew", [True, False])
def test_no_mending_undoes_what_is_done_meanwhile(
    new_table: Callable[[], Table], half: str, reads: int, *, is_linked_anew: bool
) -> None:
    """Somebody unlinks what is half a link, and may link again, between two calls of whoever mends it."""
    table = new_table()
    store = LinkStore(table)
    store.add(link())
    table.apply("acme", *[Delete(key) for key in halves(table) if key.startswith(half)])

    def meanwhile() -> None:
        with suppress(NotFound):  # It was mended before, or removed.
            store.discard("acme", "100", 31)
        if is_linked_anew:
            store.add(link())

    overtaken = OvertakenTable(table, meanwhile, *[lambda: None] * reads)
    is_linked = LinkStore(overtaken).mend("acme", "100", 31)
    assert halves(table) in ([], BOTH)
    assert is_linked <= (halves(table) == BOTH)


@pytest.mark.parametrize("reads", range(3))
def test_no_mending_writes_over_what_becomes_of_the_link_meanwhile(
    new_table: Callable[[], Table], reads: int
) -> None:
    table = new_table()
    store = LinkStore(table)
    stored = store.add(link())
    table.apply("acme", *[Delete(key) for key in halves(table) if key.startswith("issue")])
    changed = replace(stored.link, title="Crash")
    overtaken = OvertakenTable(table, lambda: store.replace(stored, changed), *[lambda: None] * reads)
    LinkStore(overtaken).mend("acme", "100", 31)
    assert store.mend("acme", "100", 31)
    assert store.get("acme", "100", 31).link == changed


@pytest.mark.parametrize("reads", range(4))
def test_whatever_else_is_unlinked_meanwhile_stays_so(new_table: Callable[[], Table], reads: int) -> None:
    table = new_table()
    store = LinkStore(table)
    stored = store.add(link())
    overtaken = OvertakenTable(table, lambda: store.remove(stored), *[lambda: None] * reads)
    with suppress(NotFound):
        LinkStore(overtaken).discard("acme", "100", 31, left())
    assert halves(table) == []


# What ended links may have left on their ends


def left(issue_id: str = "100", work_item_id: int = 31, due: float = 5.0) -> Remnant:
    return Remnant(issue_id, work_item_id, due, "a reason", ("99",), 9.0)


def remnants(links: LinkStore) -> list[Remnant]:
    return [each.remnant for each in links.remnants("acme")]


def test_what_an_ended_link_may_have_left_is_kept_whole(links: LinkStore) -> None:
    assert links.find_remnant("acme", "100", 31) is None
    links.leave("acme", left())
    links.leave("acme", left("101", 7))
    links.leave("contoso", left("102"))
    found = links.find_remnant("acme", "100", 31)
    assert found is not None
    assert found.remnant == left()
    assert remnants(links) == [left("101", 7), left()]
    assert links.find_remnant("acme", "102", 31) is None


def test_a_link_leaves_its_remnant_in_the_moment_in_which_it_ends(links: LinkStore) -> None:
    links.remove(links.add(link()), left())
    assert (pairs(list(links.all("acme"))), remnants(links)) == ([], [left()])
    links.remove(links.add(link("101")))
    assert remnants(links) == [left()]
    links.add(link("102"))
    links.discard("acme", "102", 31, left("102"))
    assert (pairs(list(links.all("acme"))), remnants(links)) == ([], [left(), left("102")])
    links.add(link("103"))
    links.discard("acme", "103", 31)
    assert len(remnants(links)) == 2


def test_a_remnant_is_replaced_only_as_it_was_read(links: LinkStore) -> None:
    links.leave("acme", left())
    read = links.find_remnant("acme", "100", 31)
    assert read is not None
    links.replace_remnant("acme", read, left(due=6.0))
    assert remnants(links) == [left(due=6.0)]
    for late in (left(due=7.0), None):
        with pytest.raises(Conflict):
            links.replace_remnant("acme", read, late)
    assert remnants(links) == [left(due=6.0)]
    again = links.find_remnant("acme", "100", 31)
    assert again is not None
    links.replace_remnant("acme", again, None)
    assert links.find_remnant("acme", "100", 31) is None
    with pytest.raises(NotFound):
        links.replace_remnant("acme", again, None)


def test_a_remnant_that_cannot_be_read_says_at_least_that_there_is_one(
    new_table: Callable[[], Table],
) -> None:
    table = new_table()
    links = LinkStore(table)
    links.leave("acme", left())
    [row] = table.scan("acme", "", "~")
    table.apply("acme", Replace(row.key, "{", None))
    found = links.find_remnant("acme", "100", 31)
    assert found is not None
    assert found.remnant == Remnant("100", 31, 0.0)
    assert remnants(links) == []
    links.replace_remnant("acme", found, None)
    assert links.find_remnant("acme", "100", 31) is None


@pytest.mark.parametrize(("limit", "pages"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (4, [3])])
def test_a_page_of_links_that_is_the_last_says_so(links: LinkStore, limit: int, pages: list[int]) -> None:
    for item in (31, 32, 33):
        links.add(link(work_item_id=item))
    found = [links.page("acme", None, limit)]
    while found[-1].continuation is not None:
        found.append(links.page("acme", found[-1].continuation, limit))
    assert [len(page.links) for page in found] == pages


def test_a_link_that_somebody_else_removes_meanwhile_leaves_its_remnant_all_the_same() -> None:
    class Raced(MemoryTable):
        """A table in which somebody removes the row by issue just before a transaction."""

        raced = False

        def apply(self, partition: str, *operations: Operation) -> list[str]:
            if self.raced and len(operations) > 1:
                self.raced = False
                super().apply(partition, Delete("issue!100!0000000000000031"))
            return super().apply(partition, *operations)

    for remnant in (left(), None):
        table = Raced()
        links = LinkStore(table)
        links.add(link())
        assert [row.key for row in table.scan("acme", "issue", "issue~")] == ["issue!100!0000000000000031"]
        table.raced = True
        links.discard("acme", "100", 31, remnant)
        assert pairs(list(links.all("acme"))) == []
        assert remnants(links) == ([] if remnant is None else [remnant])


def test_organizations_are_listed_whatever_their_slugs(organizations: OrganizationStore) -> None:
    for slug in ("4711", "acme", "z-9"):
        organizations.add(slug, ADO)
    assert [each.slug for each in organizations.all()] == ["4711", "acme", "z-9"]
    assert list(organizations.scopes()) == ["4711", "acme", "z-9"]
