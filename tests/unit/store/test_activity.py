"""What activity keeps of moments that two links share, and up to which moment it keeps anything."""

import itertools

import pytest

from shared.domain.model import ActivityEntry, End, Side
from shared.store.activity import KEPT_FOR, UNLINKED, ActivityStore
from tests.doubles.tables import MemoryTable

NOW = 1_800_000_000.0


@pytest.fixture
def activity() -> ActivityStore:
    numbers = itertools.count()
    return ActivityStore(MemoryTable(), lambda: f"{next(numbers):08}")


def test_links_of_one_end_that_are_over_at_one_moment_are_all_told(activity: ActivityStore) -> None:
    for issue_id, work_item_id in (("100", 31), ("100", 32), ("101", 31)):
        activity.add("acme", issue_id, work_item_id, ActivityEntry(NOW, UNLINKED))
    for end, partners in ((End(Side.SENTRY, "100"), ["31", "32"]), (End(Side.ADO, "31"), ["100", "101"])):
        assert [each.partner for each in activity.ended("acme", end)] == partners


def test_an_entry_is_kept_for_ninety_days_to_the_moment(activity: ActivityStore) -> None:
    activity.add("acme", "100", 31, ActivityEntry(NOW, "applied"))
    assert activity.prune("acme", NOW + KEPT_FOR).removed == 0
    assert activity.prune("acme", NOW + KEPT_FOR + 1e-3).removed == 1
