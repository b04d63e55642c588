"""What the last examination found is kept by connection: on memory and on Azurite."""

import pytest
from msgspec.structs import replace

from shared.domain.model import Side
from shared.domain.rules.problems import Trouble
from shared.store.examinations import ExaminationStore, Examined
from shared.store.tables import Insert, Table
from tests.doubles.clock import Clock
from tests.doubles.tables import OvertakenTable

SCOPE, OTHER = "fabrikam~e1", "contoso~e2"
CLOCK_OFF = Trouble("clock", Side.ADO, "the clock is off", "Set it.")
SCOPE_MISSING = Trouble("scope-missing", Side.SENTRY, "a scope is missing", "Tick it.")


@pytest.fixture
def examinations(table: Table, clock: Clock) -> ExaminationStore:
    return ExaminationStore(table, clock)


def since(examined: Examined) -> dict[str, float | None]:
    return {each.kind: each.since for each in examined.troubles}


def test_what_was_found_is_kept_with_the_moment_since_which_it_is_known(
    examinations: ExaminationStore, clock: Clock
) -> None:
    assert examinations.get(SCOPE) == Examined()
    first = clock.now
    examinations.note(SCOPE, [CLOCK_OFF])
    clock.now += 3_600.0
    examinations.note(SCOPE, [SCOPE_MISSING, CLOCK_OFF])
    examined = examinations.get(SCOPE)
    assert (examined.at, since(examined)) == (clock.now, {"scope-missing": clock.now, "clock": first})
    assert [(each.side, each.detail, each.cure) for each in examined.troubles] == [
        (each.side, each.detail, each.cure) for each in (SCOPE_MISSING, CLOCK_OFF)
    ]
    examinations.note(SCOPE, [])
    assert examinations.get(SCOPE) == Examined(clock.now)


def test_what_is_found_again_is_kept_once_though_not_all_of_its_kind_could_be_judged(
    examinations: ExaminationStore,
) -> None:
    other = replace(CLOCK_OFF, detail="another clock is off")
    examinations.note(SCOPE, [CLOCK_OFF, other])
    for _ in range(2):
        examinations.note(SCOPE, [CLOCK_OFF], frozenset({CLOCK_OFF.subject}))
        assert [each.detail for each in examinations.get(SCOPE).troubles] == [CLOCK_OFF.detail, other.detail]


def test_what_could_not_be_judged_is_known_still(examinations: ExaminationStore, clock: Clock) -> None:
    """Of one project, and not of the other; a row of an older version says of none what it is about."""
    first = clock.now
    troubles = [
        Trouble("mapping", Side.ADO, f"{each} is broken", "Choose.", about=each) for each in ("p1", "p2")
    ]
    examinations.note(SCOPE, [*troubles, CLOCK_OFF])
    clock.now += 3_600.0
    for _ in range(2):
        examinations.note(SCOPE, [SCOPE_MISSING], frozenset({troubles[1].subject}))
        found = examinations.get(SCOPE).troubles
        assert [(each.subject, each.since) for each in found] == [
            (SCOPE_MISSING.subject, clock.now),
            (troubles[1].subject, first),
        ]
        assert found[1].detail == "p2 is broken"
    examinations.note(SCOPE, [], frozenset({CLOCK_OFF.subject, troubles[0].subject}))
    assert examinations.get(SCOPE) == Examined(clock.now)


def test_all_are_told_by_their_scopes_but_rows_that_cannot_be_read(
    examinations: ExaminationStore, table: Table, clock: Clock
) -> None:
    assert examinations.all() == {}
    examinations.note(SCOPE, [CLOCK_OFF])
    examinations.note(OTHER, [])
    examinations.note("0", [])
    table.apply("examined", Insert("damaged~e3", "{"))
    assert examinations.all() == {
        SCOPE: examinations.get(SCOPE),
        OTHER: Examined(clock.now),
        "0": Examined(clock.now),
    }


@pytest.mark.parametrize("troubles", [[], [CLOCK_OFF]])
def test_a_touch_changes_nothing(
    examinations: ExaminationStore, table: Table, troubles: list[Trouble]
) -> None:
    examinations.touch(OTHER)
    assert examinations.all() == {OTHER: Examined()}
    examinations.note(SCOPE, troubles)
    [before] = list(table.scan("examined", SCOPE, "~"))
    examinations.touch(SCOPE)
    [after] = list(table.scan("examined", SCOPE, "~"))
    assert (after.key, after.text) == (SCOPE, before.text)
    assert after.etag != before.etag  # it was written all the same


@pytest.mark.parametrize("known", [True, False])
def test_what_somebody_finds_during_a_touch_stays(
    examinations: ExaminationStore, table: Table, clock: Clock, *, known: bool
) -> None:
    if known:
        examinations.note(SCOPE, [])
    overtaken = OvertakenTable(table, lambda: examinations.note(SCOPE, [CLOCK_OFF]))
    ExaminationStore(overtaken, clock).touch(SCOPE)
    assert since(examinations.get(SCOPE)) == {"clock": clock.now}


def test_what_somebody_removes_during_a_touch_stays_away(
    examinations: ExaminationStore, table: Table, clock: Clock
) -> None:
    examinations.note(SCOPE, [CLOCK_OFF])
    overtaken = OvertakenTable(table, lambda: examinations.remove(SCOPE))
    ExaminationStore(overtaken, clock).touch(SCOPE)
    assert examinations.all() == {}


def test_what_is_removed_is_gone_alone(examinations: ExaminationStore) -> None:
    for scope in (SCOPE, OTHER):
        examinations.note(scope, [CLOCK_OFF])
    examinations.remove(SCOPE)
    examinations.remove(SCOPE)
    assert list(examinations.all()) == [OTHER]
