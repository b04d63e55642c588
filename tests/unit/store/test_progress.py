"""What is counted over several runs, and which run of an organization was its last."""

import pytest

from shared.domain.rules.turns import LastRun
from shared.store.progress import Progress, ProgressStore, Tally
from tests.doubles.tables import MemoryTable


@pytest.mark.parametrize(("ends", "tally"), [(True, Tally(5)), (False, Tally(10, 5))])
def test_a_pass_counts_on_until_it_ends_and_is_told_from_then_on(ends: bool, tally: Tally) -> None:
    assert Tally(10, 3).counted(2, ends=ends) == tally


@pytest.mark.parametrize("latest", ["acme", "acme~e1", "acme~e2"])
def test_the_last_run_is_that_of_the_connection_that_ran_last_whatever_it_is_called(latest: str) -> None:
    progress = ProgressStore(MemoryTable())
    for scope in ("acme", "acme~e1", "acme~e2"):
        progress.put(scope, Progress(last_run=LastRun(8.0 if scope == latest else 7.0, 1.0)))
    assert progress.last_runs() == {"acme": LastRun(8.0, 1.0)}
