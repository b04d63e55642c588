"""How far the reconciler has come, as any table keeps it."""

from collections.abc import Callable

import pytest

from shared.store.progress import Progress, ProgressStore
from shared.store.tables import Replace, Table

COME_SO_FAR = Progress("000000000000031!100", "100", 1_800_000_000.5, "000000000000031!100!7!99x")


@pytest.fixture
def table(new_table: Callable[[], Table]) -> Table:
    return new_table()


@pytest.fixture
def progress(table: Table) -> ProgressStore:
    return ProgressStore(table)


def test_a_new_organization_begins_at_the_beginning(progress: ProgressStore) -> None:
    assert progress.get("acme") == Progress(None, None, 0.0, None)


def test_another_instance_goes_on_where_the_last_one_stopped(table: Table, progress: ProgressStore) -> None:
    progress.put("acme", COME_SO_FAR)
    assert ProgressStore(table).get("acme") == COME_SO_FAR


def test_the_last_write_wins(progress: ProgressStore) -> None:
    progress.put("acme", COME_SO_FAR)
    progress.put("acme", Progress())
    assert progress.get("acme") == Progress()


def test_organizations_do_not_share_their_progress(progress: ProgressStore) -> None:
    progress.put("acme", COME_SO_FAR)
    assert progress.get("acme-2") == Progress()
    progress.remove("acme-2")
    assert progress.get("acme") == COME_SO_FAR


def test_what_was_removed_begins_anew_and_can_be_removed_twice(progress: ProgressStore) -> None:
    progress.put("acme", COME_SO_FAR)
    for _ in range(2):
        progress.remove("acme")
    assert progress.get("acme") == Progress()


@pytest.mark.parametrize("text", ["", "null", "{", '{"links_after": 7}', "[]"])
def test_what_cannot_be_read_starts_from_the_beginning(
    table: Table, progress: ProgressStore, text: str
) -> None:
    table.apply("progress", Replace("acme", text, None))
    assert progress.get("acme") == Progress()


def test_what_another_version_of_the_app_wrote_can_be_read(table: Table, progress: ProgressStore) -> None:
    table.apply("progress", Replace("acme", '{"issues_after": "7", "later": true}', None))
    assert progress.get("acme") == Progress(issues_after="7")
