"""A time is one that a calendar has, wherever it is read from, and nobody waits for one that nobody set."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.domain.decoding import decode
from shared.domain.errors import Malformed
from shared.domain.messages import decode_inbound, decode_outbound
from shared.domain.model import ActivityEntry, Health, HealthWord, IssueLink
from shared.domain.moments import DAY, HOUR, LAST_MOMENT, believed, is_due
from shared.domain.subscriptions import HookRecord
from shared.domain.traffic import Counts, Delays, Hour
from shared.store.progress import Feed, Look, Mark

LINK = (
    '{{"organization":"acme","issue_id":"100","work_item_id":31,"project_id":"p","work_item_type":"Bug","seen":'
    '{{"issue":{{"status":"resolved"}},"item":{{"rev":1,"state":"New","status":"resolved"}}}},"synced_at":{}}}'
)
NOW = 1_800_000_000.0
NEVER = ("1e300", "9007199254740992.0", "253402300800", "-1", "-1e300", "18446744073709551616")


@pytest.mark.parametrize("number", NEVER)
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Health, '{{"due":{}}}'),
        (ActivityEntry, '{{"at":{},"outcome":"applied"}}'),
        (HookRecord, '{{"events":{{"workitem.deleted":{{"since":{}}}}}}}'),
        (HookRecord, '{{"problem":{{"kind":"x","detail":"x","since":{}}}}}'),
        (Hour, '{{"ado":{{"taken_at":{}}}}}'),
        (IssueLink, LINK),
    ],
)
def test_what_no_calendar_has_is_not_read(kind: type[msgspec.Struct], text: str, number: str) -> None:
    decode(text.format("1800000000.5"), kind)
    with pytest.raises(Malformed):
        decode(text.format(number), kind)


@pytest.mark.parametrize("number", ["-1", "253370764800", "18446744073709551616", "9" * 400])
def test_neither_is_a_whole_second_that_no_calendar_has(number: str) -> None:
    assert decode("[253370764799]", Mark) == Mark(int(LAST_MOMENT))
    with pytest.raises(Malformed):
        decode(f"[{number}]", Mark)


@pytest.mark.parametrize("number", NEVER)
def test_a_message_of_such_a_time_is_dropped(number: str) -> None:
    inbound = f'{{"organization":"acme","work_item_id":31,"rev":2,"told_at":{number}}}'
    outbound = f'{{"organization":"acme","issue_id":"100","since":{number}}}'
    with pytest.raises(Malformed):
        decode_inbound(inbound.encode())
    with pytest.raises(Malformed):
        decode_outbound(outbound.encode())


@pytest.mark.parametrize(
    ("due", "comes"),
    [
        (0.0, True),
        (NOW - 1.0, True),
        (NOW, True),
        (NOW + 0.1, False),
        (NOW + DAY, False),
        (NOW + DAY + 0.1, True),  # noted by a clock that went wrong
        (LAST_MOMENT, True),
    ],
)
def test_nothing_is_put_off_for_longer_than_a_day(due: float, comes: bool) -> None:
    assert is_due(due, NOW) is comes
    assert Health(HealthWord.ATTENTION, due=due).is_due(NOW) is comes


@pytest.mark.parametrize("word", [HealthWord.PENDING, HealthWord.SETTLED])
@pytest.mark.parametrize(("ahead", "comes"), [(0.0, True), (0.1, False), (HOUR, False), (HOUR + 0.1, True)])
def test_a_link_of_which_nothing_is_gone_waits_for_an_hour_at_most(
    word: HealthWord, ahead: float, comes: bool
) -> None:
    assert Health(word, due=NOW + ahead).is_due(NOW) is comes


def test_what_is_never_due_has_no_time() -> None:
    assert not Health().is_due(NOW)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [(NOW - 9.0, NOW - 9.0), (NOW, NOW), (NOW + 5.0, NOW + 5.0), (NOW + 5.1, 0.0), (LAST_MOMENT, 0.0)],
)
def test_a_moment_further_ahead_than_any_is_set_is_long_ago(moment: float, expected: float) -> None:
    assert believed(moment, NOW, within=5.0) == expected


def test_what_is_reckoned_from_the_last_one_is_a_time_as_well() -> None:
    assert datetime.fromtimestamp(LAST_MOMENT, UTC) + timedelta(days=365) <= datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize("number", ["-1", "9007199254740992", "9" * 310, "9" * 5_000])
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Delays, '{{"buckets":{{"5":{}}}}}'),
        (Counts, '{{"taken":{}}}'),
        (Counts, '{{"untold":{}}}'),
        (Feed, '{{"since":5.0,"failures":{}}}'),
        (Look, '{{"failures":{}}}'),
        (Mark, "[5,0,{}]"),
    ],
)
def test_neither_is_a_count_that_nobody_can_have_counted(
    kind: type[msgspec.Struct], text: str, number: str
) -> None:
    decode(text.format("9007199254740991"), kind)
    with pytest.raises(Malformed):
        decode(text.format(number), kind)


@pytest.mark.parametrize("bucket", ["-1", "161", "99999"])
def test_a_delay_is_in_a_bucket_that_there_is(bucket: str) -> None:
    with pytest.raises(Malformed):
        decode(f'{{"buckets":{{"{bucket}":1}}}}', Delays)
