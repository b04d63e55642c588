"""What is stored of connections: who they are, how they change, which are over, and what was not theirs."""

import json
import re
from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from shared.domain.configuration import Configuration
from shared.domain.connection import NOBODY, Connection, Identity, scope_of
from shared.domain.errors import NotFound, StalePrecondition, Unreadable
from shared.domain.model import ActivityEntry, Ends, IssueLink, IssueSide, IssueStatus, ItemSide
from shared.store.activity import ActivityStore
from shared.store.foreign import ForeignStore
from shared.store.links import LinkStore
from shared.store.organizations import OrganizationStore
from shared.store.scopes import EndedScope, ScopeStore
from shared.store.tables import Replace, Table
from tests.doubles.clock import Clock
from tests.doubles.tables import OvertakenTable, UnwritableTable

OPEN = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, "New", IssueStatus.UNRESOLVED))
ADO = Configuration(ado_url="https://dev.azure.com/fabrikam/")
CONNECTION = Connection("e1", Identity(("a",)), Identity(("sentry.io#1",)), 5.0)
LEARNED = Identity(delivered=("c",))


@pytest.fixture
def organizations(table: Table, clock: Clock) -> OrganizationStore:
    return OrganizationStore(table, clock)


# Documents and connections


def test_a_connection_is_stored_beside_its_document(organizations: OrganizationStore) -> None:
    added = organizations.add("acme", ADO, CONNECTION)
    found = organizations.get("acme")
    assert (found, found.scope, found.connection) == (added, "acme~e1", CONNECTION)
    assert found.ado.places == ("dev.azure.com/fabrikam",)
    assert found.sentry.places == ("sentry.io/acme",)


def test_what_is_learned_changes_no_document_and_no_etag(organizations: OrganizationStore) -> None:
    added = organizations.add("acme", ADO, CONNECTION)
    learned = organizations.learn(added, LEARNED)
    assert learned == organizations.get("acme")
    assert (learned.version, learned.epoch, learned.ado.ids) == (added.version, "e1", ("a",))
    assert learned.ado.delivered == ("c",)
    changed = organizations.replace(added, replace(ADO, issue_sync=False))
    assert (changed.ado.delivered, changed.configuration.issue_sync) == (("c",), False)


def test_two_who_learn_at_once_are_both_heard(table: Table, clock: Clock) -> None:
    one = OrganizationStore(table, clock)
    added = one.add("acme", ADO, CONNECTION)
    overtaken = OvertakenTable(table, lambda: one.learn(added, Identity(delivered=("d",))))
    learned = OrganizationStore(overtaken, clock).learn(added, LEARNED)
    assert set(learned.ado.delivered) == {"c", "d"}
    assert one.get("acme") == learned


def test_who_answers_is_noted_though_somebody_learns_at_the_same_time(table: Table, clock: Clock) -> None:
    one = OrganizationStore(table, clock)
    added = one.add("acme", ADO, CONNECTION)
    overtaken = OvertakenTable(table, lambda: one.learn(added, LEARNED))
    OrganizationStore(overtaken, clock).note_who_answers(added, "ado", taken=True)
    found = one.get("acme")
    assert (found.connection.taken, found.ado.delivered) == (("ado",), ("c",))


def test_a_document_that_is_never_left_alone_is_not_replaced(table: Table, clock: Clock) -> None:
    other = OrganizationStore(table, clock)
    added = other.add("acme", ADO, CONNECTION)

    def learn(number: int) -> None:
        other.learn(added, Identity(delivered=(str(number),)))

    learn(0)
    overtaken = OvertakenTable(table, *(lambda number=number: learn(number) for number in range(1, 6)))
    with pytest.raises(StalePrecondition, match=r"^the document keeps changing$"):
        OrganizationStore(overtaken, clock).replace(added, replace(ADO, issue_sync=False))
    assert other.get("acme").configuration == ADO


def test_a_refusal_is_noted_every_five_minutes_and_told_for_half_an_hour(table: Table, clock: Clock) -> None:
    organizations = OrganizationStore(table, clock)
    organizations.note_refusal("acme", "ado")
    written = table.get("refusals", "acme!ado")
    clock.now += 299.0
    organizations.note_refusal("acme", "ado")
    assert table.get("refusals", "acme!ado") == written
    clock.now += 1.0
    organizations.note_refusal("acme", "ado")
    assert table.get("refusals", "acme!ado") != written
    clock.now += 1799.0
    assert organizations.refusals() == {"ado": 1}
    clock.now += 1.0
    assert organizations.refusals() == {}


def test_a_refusal_and_an_acceptance_end_each_other(table: Table, clock: Clock) -> None:
    organizations = OrganizationStore(table, clock)
    for _ in range(2):
        organizations.note_refusal("acme", "ado")
        assert organizations.refusals() == {"ado": 1}
        organizations.note_acceptance("acme", "ado")
        assert organizations.refusals() == {}
    # An acceptance is no news here any more: what another process notes stays until that one is accepted.
    OrganizationStore(table, clock).note_refusal("acme", "ado")
    organizations.note_acceptance("acme", "ado")
    assert organizations.refusals() == {"ado": 1}


def test_nothing_is_learned_of_a_place_that_the_document_has_left(organizations: OrganizationStore) -> None:
    added = organizations.add("acme", ADO, CONNECTION)
    elsewhere = Configuration(ado_url="https://dev.azure.com/contoso/")
    organizations.replace(added, elsewhere, Connection("e2"))
    assert organizations.learn(added, LEARNED).ado.delivered == ()
    with pytest.raises(StalePrecondition):
        organizations.replace(added, ADO)


def test_a_new_connection_learns_nothing_of_the_old_one(organizations: OrganizationStore) -> None:
    added = organizations.add("acme", ADO, CONNECTION)
    organizations.learn(added, LEARNED)
    begun = organizations.replace(added, ADO, Connection("e2"))
    assert (begun.epoch, begun.ado.delivered) == ("e2", ())


def test_each_version_of_a_document_has_its_etag(organizations: OrganizationStore) -> None:
    first = organizations.add("acme", ADO, CONNECTION)
    second = organizations.replace(first, replace(ADO, issue_sync=False))
    third = organizations.replace(second, second.configuration, Connection("e2"))
    assert len({first.version, second.version, third.version}) == 3
    assert organizations.get("acme").version == third.version


def test_a_document_is_removed_though_more_was_learned_but_not_though_it_changed(
    organizations: OrganizationStore,
) -> None:
    added = organizations.add("acme", ADO, CONNECTION)
    changed = organizations.replace(added, replace(ADO, issue_sync=False))
    with pytest.raises(StalePrecondition):
        organizations.remove(added)
    organizations.learn(changed, LEARNED)
    organizations.remove(changed)
    assert organizations.find("acme") is None


@pytest.mark.parametrize("text", ['{"on_conflict": "newest"}', "no JSON", "[]", "null", ""])
def test_a_document_that_cannot_be_read_is_known_to_be_there(
    organizations: OrganizationStore, table: Table, text: str
) -> None:
    organizations.add("acme", ADO)
    table.apply("organizations", Replace("acme", text, None))
    for look in (organizations.get, lambda slug: organizations.recent(slug, within=0.0)):
        with pytest.raises(Unreadable) as raised:
            look("acme")
        assert str(raised.value) == (
            "the stored document of acme cannot be read: a newer version of the app, or somebody by "
            "hand, may have written it; replace it by PUT with If-Match: *, or DELETE it"
        )
    found = organizations.find("acme")
    assert found is not None
    assert not found.is_readable
    assert found.etag == table.get("organizations", "acme").etag
    assert re.fullmatch(r"(acme|acme~[0-9a-f]{16})", found.scope)
    assert organizations.refusals() == {"document": 1}
    organizations.replace(found, ADO)
    assert organizations.refusals() == {}
    assert organizations.get("acme").is_readable


def test_a_document_that_cannot_be_read_is_told_though_nothing_can_be_written(table: Table) -> None:
    table.apply("organizations", Replace("acme", "of another version", None))
    with pytest.raises(Unreadable):
        OrganizationStore(UnwritableTable(table)).get("acme")


def test_what_was_known_of_it_is_read_all_the_same(organizations: OrganizationStore, table: Table) -> None:
    organizations.add("acme", ADO, CONNECTION)
    row = table.get("organizations", "acme")
    text = row.text.replace('"on_conflict":"ado"', '"on_conflict":"newest"')
    table.apply("organizations", Replace("acme", text, None))
    found = organizations.find("acme")
    assert found is not None
    assert (found.is_readable, found.connection) == (False, CONNECTION)
    assert found.ado.places == ("dev.azure.com/fabrikam",)


@pytest.mark.parametrize(
    ("odd", "left"),
    [
        ({"ado_url": "https://[dev/"}, Configuration(sentry_organization="errors")),
        ({"ado_url": "https://dev.azure.com:x/f/"}, Configuration(sentry_organization="errors")),
        ({"ado_url": "https://ev\u2100il.example/"}, Configuration(sentry_organization="errors")),
        ({"ado_search_url": "//[a]b/"}, replace(ADO, sentry_organization="errors")),
        ({"sentry_url": "https://[::/"}, ADO),
        ({"sentry_organization": ".."}, ADO),
    ],
)
def test_a_document_that_leads_nowhere_cannot_be_read_but_replaced_and_removed(
    organizations: OrganizationStore, table: Table, odd: dict[str, str], left: Configuration
) -> None:
    document = msgspec.to_builtins(replace(ADO, sentry_organization="errors"))
    text = json.dumps({**document, **odd, "connection": msgspec.to_builtins(CONNECTION)})
    table.apply("organizations", Replace("acme", text, None))
    organizations.add("contoso", ADO)
    found = organizations.find("acme")
    assert found is not None
    assert (found.is_readable, found.connection, found.configuration) == (False, CONNECTION, left)
    assert [each.slug for each in organizations.all()] == ["acme", "contoso"]
    with pytest.raises(Unreadable):
        organizations.get("acme")
    replaced = organizations.replace(found, ADO)
    assert (replaced.is_readable, replaced.scope) == (True, found.scope)
    organizations.remove(replaced)
    assert organizations.find("acme") is None


def damaged(table: Table, connection: object) -> None:
    """Have the row of acme say this of its connection, and a sound document."""
    document = json.loads(table.get("organizations", "acme").text)
    table.apply("organizations", Replace("acme", json.dumps({**document, "connection": connection}), None))


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        ({"changed_at": 1e12}, replace(CONNECTION, changed_at=0.0)),
        ({"changed_at": "now"}, replace(CONNECTION, changed_at=0.0)),
        ({"ado": {"ids": "x"}}, replace(CONNECTION, ado=NOBODY)),
        ({"ado": None}, replace(CONNECTION, ado=NOBODY)),
        ({"sentry": []}, replace(CONNECTION, sentry=NOBODY)),
        ({"ado": 7, "sentry": {"places": [None]}, "changed_at": -1}, Connection("e1")),
        ({"of_a_newer_version": {}}, CONNECTION),
    ],
)
def test_what_is_damaged_of_a_connection_is_unknown_and_its_rows_are_met_all_the_same(
    organizations: OrganizationStore, table: Table, damage: dict[str, object], left: Connection
) -> None:
    organizations.add("acme", ADO, CONNECTION)
    damaged(table, {**msgspec.to_builtins(CONNECTION), **damage})
    found = organizations.get("acme")
    assert (found.connection, found.scope, found.configuration) == (left, "acme~e1", ADO)
    learned = organizations.learn(found, Identity(("a",)), Identity(("sentry.io#1",)))
    assert learned.connection == organizations.get("acme").connection
    assert learned.connection.is_known


@pytest.mark.parametrize("connection", [{}, {"ado": None}, {"changed_at": 1e12}])
def test_a_connection_that_names_no_epoch_is_of_an_older_version(
    organizations: OrganizationStore, table: Table, connection: object
) -> None:
    organizations.add("acme", ADO, CONNECTION)
    damaged(table, connection)
    assert organizations.get("acme").connection == Connection()


@pytest.mark.parametrize(
    "connection", [{"epoch": 5}, {"epoch": None, "ado": {"ids": ["a"]}}, [], "x", None, 7]
)
def test_where_nobody_can_tell_the_epoch_the_document_cannot_be_read(
    organizations: OrganizationStore, table: Table, connection: object
) -> None:
    organizations.add("acme", ADO, CONNECTION)
    damaged(table, connection)
    with pytest.raises(Unreadable):
        organizations.get("acme")
    assert organizations.refusals() == {"document": 1}
    found = organizations.find("acme")
    assert found is not None
    assert (found.is_readable, found.configuration.ado_url) == (False, ADO.ado_url)
    assert re.fullmatch("acme~[0-9a-f]{16}", found.scope)
    assert [each.scope for each in organizations.all()] == [found.scope]


def test_a_webhook_trusts_for_a_minute_that_an_organization_is_as_it_was(table: Table, clock: Clock) -> None:
    here, elsewhere = OrganizationStore(table, clock), OrganizationStore(table, clock)
    added = here.add("acme", ADO, CONNECTION)
    changed = elsewhere.replace(added, replace(ADO, issue_sync=False))
    clock.now += 59.0
    assert here.recent("acme") == added
    clock.now += 1.0
    assert here.recent("acme") == changed
    elsewhere.remove(changed)
    assert here.recent("acme") == changed
    assert here.find("acme") is None
    with pytest.raises(NotFound):
        here.recent("acme")


# Links and activity of two epochs


def link(epoch: str, issue_id: str = "100", work_item_id: int = 31) -> IssueLink:
    return IssueLink("acme", issue_id, work_item_id, "p", "Bug", OPEN, epoch=epoch)


@pytest.mark.parametrize(("one", "other"), [("", "e1"), ("e1", "e2"), ("e1", "e11")])
def test_rows_of_one_epoch_are_not_met_in_another(
    new_table: Callable[[], Table], one: str, other: str
) -> None:
    links, activity = LinkStore(new_table()), ActivityStore(new_table(), lambda: "t")
    scopes = [scope_of("acme", each) for each in (one, other)]
    stored = links.add(link(one))
    activity.add(scopes[0], "100", 31, ActivityEntry(1.0, "linked"))
    assert links.for_work_item(scopes[1], 31) == links.for_issue(scopes[1], "100") == []
    assert activity.page(scopes[1], "100", 31, None, 10).entries == ()
    links.add(link(other))
    links.remove(links.replace(stored, replace(stored.link, title="changed")))
    assert [links.count(each) for each in scopes] == [0, 1]


def test_a_link_that_moves_stays_in_its_epoch(new_table: Callable[[], Table]) -> None:
    links = LinkStore(new_table())
    moved = links.move(links.add(link("e1")), "200")
    assert links.for_issue("acme~e1", "200") == [moved]


def test_which_of_many_pairs_are_linked_is_found_by_one_look(new_table: Callable[[], Table]) -> None:
    links = LinkStore(new_table())
    for issue_id, work_item_id in (("100", 31), ("100", 32), ("7", 31), ("9" * 20, 1)):
        links.add(link("", issue_id, work_item_id))
    asked = {("100", 31), ("100", 33), ("1", 31), ("7", 31), ("9" * 20, 1)}
    assert links.linked_among("acme", asked) == {("100", 31), ("7", 31), ("9" * 20, 1)}
    assert links.linked_among("acme", set()) == set()


def test_which_pairs_of_short_id_and_work_item_are_linked_is_found_by_one_look(
    new_table: Callable[[], Table],
) -> None:
    links = LinkStore(new_table())
    for issue_id, work_item_id, short_id in (
        ("100", 31, "FE-1"),
        ("100", 32, "fe-1"),
        ("7", 31, ""),
        ("8", 9, "FE-8"),
    ):
        links.add(replace(link("", issue_id, work_item_id), short_id=short_id))
    asked = {("FE-1", 31), ("FE-1", 32), ("FE-1", 33), ("FE-2", 31), ("", 30)}
    assert links.by_short_id("acme", asked) == {("FE-1", 31): "100", ("FE-1", 32): "100"}
    assert links.by_short_id("acme", {("FE-8", 9)}) == {("FE-8", 9): "8"}
    assert links.by_short_id("acme", set()) == {}


# What is over, and what is not ours


def test_an_end_is_known_until_it_is_forgotten(table: Table, clock: Clock) -> None:
    scopes = ScopeStore(table, clock)
    assert scopes.ended() == []
    for scope in ("4711", "acme~e1"):
        scopes.announce_end(scope)
    assert scopes.ended() == [EndedScope("4711", clock.now), EndedScope("acme~e1", clock.now)]
    for odd in ("no time", "1e300", "-1e300"):
        table.apply("over", Replace("acme~e0", odd, None))
        assert EndedScope("acme~e0", 0.0) in scopes.ended()
    for _ in range(2):
        scopes.forget("acme~e0")
        scopes.forget("4711")
    assert [each.scope for each in ScopeStore(table, clock).ended()] == ["acme~e1"]


def test_foreign_deliveries_are_counted_by_a_row_a_minute(table: Table, clock: Clock) -> None:
    foreign = ForeignStore(table, clock)
    foreign.note("acme")
    written = table.get("foreign", "acme").etag
    for _ in range(50):
        foreign.note("acme")
    assert table.get("foreign", "acme").etag == written
    clock.now += 59.0
    foreign.note("acme")
    assert foreign.counts() == {"acme": 1}
    clock.now += 1.0
    foreign.note("acme")
    assert foreign.counts() == {"acme": 53}
    ForeignStore(table, clock).note("acme")  # another instance of the app
    assert foreign.counts() == {"acme": 54}


def test_they_are_told_for_a_day_and_forgotten_with_their_organization(table: Table, clock: Clock) -> None:
    foreign = ForeignStore(table, clock)
    for slug in ("4711", "other", "other"):
        foreign.note(slug)
    foreign.forget("other")
    foreign.forget("other")
    assert foreign.counts() == {"4711": 1}
    foreign.note("other")  # under the same name, another organization
    assert foreign.counts() == {"4711": 1, "other": 1}
    clock.now += 24 * 3600.0 - 1.0
    assert foreign.counts() == {"4711": 1, "other": 1}
    clock.now += 1.0
    assert foreign.counts() == {}
    foreign.note("4711")
    assert foreign.counts() == {"4711": 1}


def test_a_count_that_cannot_be_read_hides_no_other(table: Table, clock: Clock) -> None:
    foreign = ForeignStore(table, clock)
    foreign.note("acme")
    table.apply("foreign", Replace("odd", "no JSON", None))
    assert foreign.counts() == {"acme": 1}
