"""A previous secret that stays is told after a week, by its setting; on the double and on Azurite."""

import pytest

from shared.store.rotations import REMINDED_AFTER, RotationStore
from shared.store.tables import Replace, Table

NAME, OTHER = "ADO_WEBHOOK_SECRET_PREVIOUS", "SENTRY_CLIENT_SECRET_PREVIOUS__ACME"
NOW = 1_800_000_000.0


@pytest.fixture
def rotations(table: Table) -> RotationStore:
    return RotationStore(table)


def test_nothing_is_left_over_where_nothing_was(rotations: RotationStore) -> None:
    assert rotations.left_over([], NOW) == []


def test_it_is_told_after_a_week(rotations: RotationStore) -> None:
    assert rotations.left_over([NAME], NOW) == []
    assert rotations.left_over([NAME, OTHER], NOW + REMINDED_AFTER - 1) == []
    assert rotations.left_over([NAME, OTHER], NOW + REMINDED_AFTER) == [NAME]


def test_once_it_was_removed_the_next_rotation_begins_anew(rotations: RotationStore) -> None:
    rotations.left_over([NAME], NOW)
    assert rotations.left_over([], NOW + REMINDED_AFTER) == []
    assert rotations.left_over([NAME], NOW + REMINDED_AFTER) == []


@pytest.mark.parametrize("text", ["", "nonsense", "null", '"x"', "-1", "1e300"])
def test_a_damaged_row_reminds_of_nothing(rotations: RotationStore, table: Table, text: str) -> None:
    table.apply("rotations", Replace(NAME, text, None))
    assert rotations.left_over([NAME], NOW) == []
