"""What any table must do: the double in memory, and Azure Table Storage as Azurite speaks it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.domain.errors import Conflict, NotFound, Rejected, SyncError, Unavailable
from shared.store.tables import (
    LARGEST_TEXT,
    Delete,
    Insert,
    Operation,
    Replace,
    Table,
    remove_rows,
)

STALE = "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\""
EVERYTHING = ("", "~")


def keys(table: Table, partition: str = "p", start: str = "", end: str = "~") -> list[str]:
    return [row.key for row in table.scan(partition, start, end)]


def text(table: Table, key: str = "k", partition: str = "p") -> str:
    return table.get(partition, key).text


def test_a_row_is_read_back_with_the_etag_of_its_write(table: Table) -> None:
    [etag] = table.apply("p", Insert("k", "one"))
    row = table.get("p", "k")
    assert (row.key, row.text, row.etag) == ("k", "one", etag)


def test_a_row_that_is_not_there_is_not_found(table: Table) -> None:
    table.apply("p", Insert("k", "one"))
    for partition, key in (("p", "other"), ("other", "k")):
        with pytest.raises(NotFound):
            table.get(partition, key)


@pytest.mark.parametrize(
    "content",
    ["", "x" * 16_000, "y" * 16_001, "z" * 70_000, "😀" * 40_000, "quote ' and \\ and \x00 and \ud7ff"],
    ids=["empty", "a-chunk", "over-a-chunk", "over-64-KiB", "two-words-a-character", "odd"],
)
def test_any_text_comes_back_as_it_was_written(table: Table, content: str) -> None:
    table.apply("p", Insert("k", content))
    assert text(table) == content
    table.apply("p", Replace("k", "short", None))
    assert text(table) == "short"


def test_a_text_at_the_limit_is_stored_and_one_over_it_refused(table: Table) -> None:
    table.apply("p", Insert("k", "😀" * LARGEST_TEXT))
    assert len(text(table)) == LARGEST_TEXT
    with pytest.raises(Rejected):
        table.apply("p", Insert("longer", "x" * (LARGEST_TEXT + 1)))


def test_a_row_cannot_be_inserted_twice(table: Table) -> None:
    table.apply("p", Insert("k", "one"))
    with pytest.raises(Conflict):
        table.apply("p", Insert("k", "two"))
    assert text(table) == "one"


def test_an_etag_that_was_written_over_is_stale(table: Table) -> None:
    [old] = table.apply("p", Insert("k", "one"))
    [new] = table.apply("p", Replace("k", "two", old))
    with pytest.raises(Conflict):
        table.apply("p", Replace("k", "three", old))
    with pytest.raises(Conflict):
        table.apply("p", Delete("k", old))
    assert text(table) == "two"
    table.apply("p", Delete("k", new))


def test_writing_the_same_text_again_makes_a_new_etag(table: Table) -> None:
    [old] = table.apply("p", Insert("k", "one"))
    [new] = table.apply("p", Replace("k", "one", old))
    assert new != old


def test_a_replacement_without_an_etag_writes_over_any_row_or_none(table: Table) -> None:
    for content in ("one", "two"):
        table.apply("p", Replace("k", content, None))
        assert text(table) == content


def test_a_deletion_without_an_etag_removes_whatever_is_there(table: Table) -> None:
    table.apply("p", Insert("k", "one"))
    assert table.apply("p", Delete("k")) == [""]
    assert keys(table) == []


MISSING = [
    pytest.param([Delete("k")], id="delete"),
    pytest.param([Delete("k", STALE)], id="delete-with-an-etag"),
    pytest.param([Replace("k", "one", STALE)], id="replace"),
    pytest.param([Insert("a", ""), Replace("k", "one", STALE)], id="replace-in-a-transaction"),
    pytest.param([Insert("a", ""), Delete("k")], id="delete-in-a-transaction"),
    pytest.param([Insert("a", ""), Delete("k", STALE)], id="delete-with-an-etag-in-a-transaction"),
]


@pytest.mark.parametrize("operations", MISSING)
@pytest.mark.parametrize("fresh", [True, False], ids=["in-a-table-that-is-not-there", "in-a-table"])
def test_a_row_that_is_not_there_cannot_be_changed(
    table: Table, operations: list[Operation], fresh: bool
) -> None:
    if not fresh:
        table.apply("p", Insert("b", ""))
    with pytest.raises(NotFound):
        table.apply("p", *operations)
    assert keys(table) == ([] if fresh else ["b"])


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param([Insert("k", "one")], id="insert"),
        pytest.param([Replace("k", "one", None)], id="replace"),
        pytest.param([Insert("k", "one"), Insert("l", "two")], id="transaction"),
        pytest.param([Replace("k", "one", None), Insert("l", "two")], id="replace-in-a-transaction"),
    ],
)
def test_a_table_is_created_when_it_is_first_missed(table: Table, operations: list[Operation]) -> None:
    etags = table.apply("p", *operations)
    assert all(etags)
    assert text(table) == "one"


def test_a_table_that_is_not_there_is_empty(table: Table) -> None:
    assert keys(table) == []
    with pytest.raises(NotFound):
        table.get("p", "k")
    assert remove_rows(table, "p", ["k"]) == 0


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (Insert("b", ""), Conflict),
        (Replace("b", "", STALE), Conflict),
        (Delete("b", STALE), Conflict),
        (Replace("missing", "", STALE), NotFound),
        (Delete("missing"), NotFound),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_transaction_does_all_or_nothing(
    table: Table, broken: Operation, error: type[SyncError], place: int
) -> None:
    [etag, _] = table.apply("p", Insert("a", "one"), Insert("b", "one"))
    operations: list[Operation] = [Insert("c", "two"), Replace("a", "two", etag), Insert("d", "two")]
    operations.insert(place, broken)
    with pytest.raises(error):
        table.apply("p", *operations)
    assert {key: text(table, key) for key in keys(table)} == {"a": "one", "b": "one"}


def test_a_transaction_answers_with_an_etag_for_each_write(table: Table) -> None:
    [first, second] = table.apply("p", Insert("a", ""), Insert("b", ""))
    etags = table.apply("p", Delete("a", first), Insert("c", ""), Replace("b", "two", second))
    assert etags == ["", table.get("p", "c").etag, table.get("p", "b").etag]


def test_a_transaction_that_names_a_row_twice_is_refused(table: Table) -> None:
    table.apply("p", Insert("b", ""))
    with pytest.raises(Unavailable):
        table.apply("p", Insert("a", ""), Delete("a"))
    assert keys(table) == ["b"]


def test_rows_come_in_the_order_of_their_keys_between_two_bounds(table: Table) -> None:
    ordered = ["!", "-", "0!a", "10", "9", "=2F", "A", "a", "a!", "a-", "b", "}"]
    table.apply("p", *(Insert(key, key) for key in reversed(ordered)))
    assert keys(table) == ordered
    assert keys(table, start="9", end="a!") == ["9", "=2F", "A", "a"]
    assert keys(table, start="a") == ["a", "a!", "a-", "b", "}"]
    assert [row.text for row in table.scan("p", "9", "=")] == ["9"]


def test_bounds_may_hold_quotes_and_blanks(table: Table) -> None:
    table.apply("p", Insert("it's", ""), Insert("it''s", ""), Insert("z", ""))
    assert keys(table, start="it's", end="it's a @end") == ["it's"]


def test_more_rows_than_a_page_come_all_and_once(table: Table) -> None:
    expected = [f"{number:05}" for number in range(1_100)]
    for at in range(0, len(expected), 100):
        table.apply("p", *(Insert(key, "") for key in expected[at : at + 100]))
    assert keys(table) == expected


def test_a_row_that_goes_while_others_are_read_does_no_harm(table: Table) -> None:
    table.apply("p", *(Insert(key, "") for key in "abcd"))
    seen = []
    for row in table.scan("p", *EVERYTHING):
        seen.append(row.key)
        table.apply("p", Delete(row.key))
    assert seen == list("abcd")
    assert keys(table) == []


def test_rows_are_removed_in_batches_and_missing_ones_passed_over(table: Table) -> None:
    names = [f"{number:03}" for number in range(205)]
    for at in range(0, 200, 100):
        table.apply("p", *(Insert(key, "") for key in names[at : at + 100]))
    assert remove_rows(table, "p", names) == 200
    assert keys(table) == []


def test_partitions_do_not_see_each_other(table: Table) -> None:
    table.apply("p", Insert("k", "mine"))
    table.apply("q", Insert("k", "theirs"))
    table.apply("p", Delete("k"))
    assert (keys(table, "p"), keys(table, "q")) == ([], ["k"])


def test_of_racing_writers_with_one_etag_exactly_one_wins(table: Table) -> None:
    [etag] = table.apply("p", Insert("k", "start"))

    def write(name: int) -> int:
        try:
            table.apply("p", Replace("k", str(name), etag))
        except Conflict:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8))) == 1
    assert text(table) != "start"


def test_of_racing_transactions_that_share_a_row_exactly_one_wins(table: Table) -> None:
    table.apply("p", Insert("there", ""))

    def write(name: int) -> int:
        try:
            table.apply("p", Insert("k", str(name)), Insert(f"own{name}", ""))
        except Conflict:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8))) == 1
    assert len(keys(table)) == 3


def test_racing_writers_to_a_table_that_is_not_there_all_succeed(table: Table) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: table.apply("p", Insert(f"k{name}", "")), range(8)))
    assert len(keys(table)) == 8
