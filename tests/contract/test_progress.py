"""How far the reconciler has come, as any table keeps it."""

import pytest

from shared.domain.model import HealthWord
from shared.domain.problems import Problem
from shared.domain.rules.apart import Sides
from shared.domain.rules.turns import LastRun
from shared.store.progress import Feed, LinkTally, Look, Mark, Progress, ProgressStore, Tally
from shared.store.tables import Replace, Table

COME_SO_FAR = Progress(
    links_after="000000000000031!100",
    issues_behind="000000000000032!101",
    feed=Feed(1_800_000_000.5, "813;350;1", "814;31;2", "dev.azure.com/fabrikam", 2),
    look=Look("000000000000033!102", again=True, failures=1),
    look_due=1_700_000_000.5,
    pruned_at=1_800_000_000.5,
    pruned_until="000000000000031!100!7!99x",
    everything=True,
    marks={"0123456789ab": Mark(1_800_000_000, 7)},
    problems={"feed": Problem("unavailable", "HTTP 500", 1_800_000_000.5, is_note=True)},
    unreadable_links=Tally(1, 2),
    unreadable_entries=Tally(3, 4),
    last_run=LastRun(1_800_000_000.5, 2.5),
)


@pytest.fixture
def progress(table: Table) -> ProgressStore:
    return ProgressStore(table)


def test_a_new_organization_begins_at_the_beginning(progress: ProgressStore) -> None:
    assert progress.get("acme") == Progress()


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


def test_the_connections_of_an_organization_are_found_by_its_name(
    progress: ProgressStore, table: Table
) -> None:
    scopes = ["acme", "acme~0", "acme~e1", "acme~zz"]
    for scope in (*scopes, "acm", "acme-2", "acme-2~e1", "acme2", "b"):
        progress.put(scope, COME_SO_FAR)
    table.apply("progress", Replace("acme~0", "{", None))
    assert progress.scopes_of("acme") == scopes
    progress.remove("acme~e1")
    assert progress.scopes_of("acme") == ["acme", "acme~0", "acme~zz"]
    assert progress.scopes_of("acme-3") == []


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
    older = '{"issues_after": "7", "links_after": "31!100", "asked": {"0123456789ab": 7}, "later": true}'
    table.apply("progress", Replace("acme", older, None))
    assert progress.get("acme") == Progress(links_after="31!100")


def test_what_others_are_told_comes_without_the_rest(progress: ProgressStore) -> None:
    progress.put("acme", COME_SO_FAR)
    [told] = progress.told().values()
    assert (told.problems, told.last_run) == (COME_SO_FAR.problems, COME_SO_FAR.last_run)


def test_the_last_run_of_an_organization_is_that_of_its_latest_connection(progress: ProgressStore) -> None:
    progress.put("acme", Progress(last_run=LastRun(7.0, 1.0)))
    progress.put("acme~epoch", Progress(last_run=LastRun(8.0, 2.0)))
    progress.put("other", Progress())
    assert progress.last_runs() == {"acme": LastRun(8.0, 2.0), "other": LastRun()}


@pytest.mark.parametrize(
    ("health", "sides", "counted"),
    [
        (HealthWord.SETTLED, Sides.AGREE, LinkTally(11, 21, 30, 40, 51, 60)),
        (HealthWord.SETTLED, Sides.APART, LinkTally(11, 21, 30, 40, 50, 61)),
        (HealthWord.PENDING, None, LinkTally(11, 20, 31, 40, 50, 60)),
        (HealthWord.ATTENTION, None, LinkTally(11, 20, 30, 41, 50, 60)),
    ],
)
def test_a_link_is_counted_by_its_health_and_by_whether_its_sides_agree(
    health: HealthWord, sides: Sides | None, counted: LinkTally
) -> None:
    assert LinkTally(10, 20, 30, 40, 50, 60).counted(health, sides) == counted
