"""The two queue messages: they survive the queue, and what is not one of them is refused."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.comments import MOST_CARRIED, SaidInAdo, SaidInSentry, carried
from shared.domain.decoding import decode_delivery
from shared.domain.errors import Malformed
from shared.domain.messages import (
    LARGEST_MESSAGE,
    InboundMessage,
    Message,
    OutboundMessage,
    RuleAction,
    decode_inbound,
    decode_outbound,
    encode,
    free_of_secrets,
    parts_of,
)
from shared.domain.model import Assignee, Person, Stranger, WorkItem
from shared.domain.secrecy import REMOVED, freed, spellings_of
from tests.unit.damage import damaged

SNAPSHOT = WorkItem(
    id=31,
    rev=3,
    project_id="b7d1b3a0-5c3e-4c7e-9a8f-2f6c8e0a1d05",
    work_item_type="Bug",
    state="Resolved",
    assignee=Person("ann@corp.example"),
    title="Fix “login” ☃",
    area_path="Fabrikam-Fiber\\Web",
)
INBOUND = InboundMessage("acme", 31, 3, "updated", SNAPSHOT)
OUTBOUND = OutboundMessage("acme", "100", "501")


@pytest.mark.parametrize(
    "message",
    [
        INBOUND,
        InboundMessage("acme", 31, 3),
        InboundMessage("acme", 31, 5, "deleted"),
        InboundMessage("acme", 31, 6, "restored"),
        InboundMessage("acme", 2**53 - 1, 2**53 - 1),
        InboundMessage("acme", 31, 3, again=True, only=("100", "101")),
        InboundMessage("acme", 31, 3, "commented", failing_since=1_800_000_000.0),
    ],
)
def test_an_inbound_message_comes_back_as_it_was_sent(message: InboundMessage) -> None:
    assert decode_inbound(encode(message)) == message


@pytest.mark.parametrize("assignee", [None, Person("ann@corp.example"), Stranger("team-assignee", "45")])
def test_nobody_a_person_and_a_stranger_stay_apart_on_the_queue(assignee: Assignee) -> None:
    sent = InboundMessage("acme", 31, 3, snapshot=replace(SNAPSHOT, assignee=assignee))
    assert decode_inbound(encode(sent)) == sent


@pytest.mark.parametrize(
    "message",
    [
        OUTBOUND,
        OutboundMessage("acme", "100"),
        OutboundMessage("acme", "100", "501", failing_since=1_800_000_000.0),
        OutboundMessage("acme", "100", again=True, only=("31",)),
        OutboundMessage("acme", "100", "501", since=1_800_000_000.5),
    ],
)
def test_an_outbound_message_comes_back_as_it_was_sent(message: OutboundMessage) -> None:
    assert decode_outbound(encode(message)) == message


def test_a_message_holds_only_what_it_needs() -> None:
    assert json.loads(encode(InboundMessage("acme", 31, 3))) == {
        "organization": "acme",
        "work_item_id": 31,
        "rev": 3,
    }
    assert json.loads(encode(OutboundMessage("acme", "100"))) == {"organization": "acme", "issue_id": "100"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        encode(OUTBOUND),
        b'{"organization": "acme", "work_item_id": 31}',
        b'{"organization": "acme", "work_item_id": "31", "rev": 3}',
        b'{"organization": "acme", "work_item_id": 31, "rev": 3.5}',
        b'{"organization": "acme", "work_item_id": 31, "rev": true}',
        b'{"organization": null, "work_item_id": 31, "rev": 3}',
        b'{"organization": "acme", "work_item_id": 31, "rev": 3, "event": "destroyed"}',
        b'{"organization": "acme", "work_item_id": 31, "rev": 3, "snapshot": {"id": 31}}',
    ],
)
def test_what_is_not_an_inbound_message_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_inbound(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"null",
        b"{}",
        encode(INBOUND),
        b'{"organization": "acme", "issue_id": 100}',
        b'{"organization": "acme", "issue_id": "100", "comment_id": 501}',
    ],
)
def test_what_is_not_an_outbound_message_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_outbound(body)


def test_a_message_of_a_newer_version_of_the_app_is_read_for_what_is_known() -> None:
    newer: dict[str, Any] = {**json.loads(encode(INBOUND)), "trace": "00-1"}
    assert decode_inbound(json.dumps(newer).encode()) == INBOUND


def test_a_damaged_message_is_at_worst_refused() -> None:
    for broken in damaged(json.loads(encode(INBOUND))):
        try:
            message = decode_inbound(json.dumps(broken).encode())
        except Malformed:
            continue
        assert isinstance(message, InboundMessage)
        assert encode(message)


FORGED = ["a\noutcome=applied", "100\n", "\u2028", "../x", "", "A", "-acme", "x" * 64, "100 ", "\uff11"]


@pytest.mark.parametrize("text", FORGED)
def test_a_message_that_somebody_put_on_the_queue_names_nothing_that_we_would_not(text: str) -> None:
    inbound: dict[str, Any] = {"organization": "acme", "work_item_id": 31, "rev": 3}
    outbound = {"organization": "acme", "issue_id": "100"}
    for forged in ({"organization": text}, {"only": [text]}):
        with pytest.raises(Malformed):
            decode_inbound(json.dumps({**inbound, **forged}).encode())
        with pytest.raises(Malformed):
            decode_outbound(json.dumps({**outbound, **forged}).encode())
    for forged in ({"issue_id": text}, {"comment_id": text}):
        with pytest.raises(Malformed):
            decode_outbound(json.dumps({**outbound, **forged}).encode())


@pytest.mark.parametrize("epoch", ["a\nb", "a b", "x" * 65, "a=b"])
def test_an_epoch_is_a_word(epoch: str) -> None:
    with pytest.raises(Malformed):
        decode_outbound(json.dumps({"organization": "acme", "issue_id": "100", "epoch": epoch}).encode())


@pytest.mark.parametrize(
    "numbers",
    [{"work_item_id": 0}, {"work_item_id": -1}, {"rev": -1}, {"work_item_id": 2**53}, {"rev": 2**53}],
)
def test_a_number_that_is_none_of_a_work_item_is_refused(numbers: dict[str, int]) -> None:
    content = {"organization": "acme", "work_item_id": 31, "rev": 3, **numbers}
    with pytest.raises(Malformed):
        decode_inbound(json.dumps(content).encode())


@pytest.mark.parametrize("only", [{}, {"only": []}])
def test_a_regression_without_a_work_item_to_tell_is_no_message(only: dict[str, list[str]]) -> None:
    content = {"organization": "acme", "issue_id": "100", "regression": "5"}
    assert decode_outbound(json.dumps({**content, "only": ["31"]}).encode()).only == ("31",)
    with pytest.raises(Malformed, match=r"\ba regression names the work item to tell\b"):
        decode_outbound(json.dumps({**content, **only}).encode())


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        ("7", True),
        ("9007199254740991", True),
        ("rev-9007199254740991", True),
        *((each, False) for each in ("", "²", "٣", "-7", "7\n", "rev-", "rev-x", "9" * 5_000)),
    ],
)
def test_a_comment_goes_by_its_number_or_by_its_revision(key: str, *, is_one: bool) -> None:
    content = {"organization": "acme", "work_item_id": 31, "rev": 3, "event": "commented"}
    body = json.dumps({**content, "comment": {"key": key, "author": "Ann"}}).encode()
    if is_one:
        assert decode_inbound(body).comment == SaidInAdo(key, "Ann")
        return
    with pytest.raises(Malformed):
        decode_inbound(body)


SECRET = "new-pat/W+9"
SPELLINGS = spellings_of([SECRET])


# The last two are what becomes of a NUL, and of half a character, between the letters.
@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        SECRET.upper(),
        "new-\u200bpat/W&#43;9",
        "bmV3LXBhdC9XKzk",
        *(decode_delivery(f'"{gap.join(SECRET)}"'.encode()) for gap in (r"\u0000", r"\ud83d")),
    ],
)
def test_no_message_holds_a_secret_that_people_wrote(spelled: str) -> None:
    words = f'"{spelled}" and more'
    messages: list[Message] = [
        *(
            replace(INBOUND, snapshot=replace(SNAPSHOT, **{name: words}))
            for name in ("title", "area_path", "state")
        ),
        replace(INBOUND, snapshot=replace(SNAPSHOT, assignee=Stranger("assignee-unreadable", words))),
        replace(INBOUND, snapshot=replace(SNAPSHOT, reasons=("Fixed", words))),
        replace(INBOUND, comment=SaidInAdo("7", "Ann", words)),
        OutboundMessage("acme", "100", "5", comment=SaidInSentry("created", words, "text")),
        OutboundMessage("acme", "100", action=RuleAction(words, "p", "Bug")),
    ]
    for message in messages:
        clean = encode(free_of_secrets(message, SPELLINGS)).decode()
        assert REMOVED in clean
        assert "and" in clean
        assert freed(clean, SPELLINGS) == clean


@pytest.mark.parametrize(
    "message", [INBOUND, replace(INBOUND, snapshot=None), OutboundMessage("acme", "100")]
)
def test_a_message_without_any_is_left_as_it_is(message: Message) -> None:
    assert free_of_secrets(message, SPELLINGS) is message
    assert free_of_secrets(message, spellings_of(["acme-fabrikam"])) is message


@pytest.mark.parametrize("size", [30_000, 60_000, 200_000])
def test_a_snapshot_that_does_not_fit_a_message_is_left_out(size: int) -> None:
    large = replace(INBOUND, snapshot=replace(SNAPSHOT, title="x" * size))
    body = encode(large)
    assert len(body) <= LARGEST_MESSAGE
    assert decode_inbound(body) == (large if size < LARGEST_MESSAGE else replace(INBOUND, snapshot=None))


LONGEST, _ = carried("x" * MOST_CARRIED)


@pytest.mark.parametrize(
    "message",
    [
        InboundMessage("acme", 31, 3, "commented", comment=SaidInAdo("7", "Ann", LONGEST)),
        OutboundMessage("acme", "100", "501", comment=SaidInSentry("created", "☃" * 200, LONGEST)),
        replace(INBOUND, snapshot=replace(SNAPSHOT, title="x" * LARGEST_MESSAGE)),
        INBOUND,
    ],
    ids=["comment", "comment-in-sentry", "snapshot", "short"],
)
@pytest.mark.parametrize("name", ["9", "4507000000", "9" * 20])
@pytest.mark.parametrize("count", [1, 700, 5_000])
def test_whatever_a_message_carries_what_is_left_of_it_fits(message: Message, name: str, count: int) -> None:
    left = (*["1"] * (count - 1), name)
    parts = parts_of(replace(message, failing_since=1_800_000_000.5), left)
    assert max(len(encode(part)) for part in parts) <= LARGEST_MESSAGE
    assert tuple(each for part in parts for each in part.only) == left
    assert len(parts) <= 1 + count // 300


@pytest.mark.parametrize("length", range(30_000, 30_060))
def test_however_little_room_is_left_all_names_fit(length: int) -> None:
    message = OutboundMessage("acme", "100", "501", comment=SaidInSentry("created", "Ann", "x" * length))
    left = ["9", *(str(10**19 + number) for number in range(2_000))]
    parts = parts_of(message, left)
    first, *more, last = (len(encode(part)) for part in parts)
    one_more = len(',"10000000000000000000"')
    assert max(first, *more, last) <= LARGEST_MESSAGE < min(more) + one_more
    assert [each for part in parts for each in part.only] == left


def test_a_rest_that_fits_no_message_goes_name_by_name() -> None:
    message = OutboundMessage("acme", "100", "501", comment=SaidInSentry("created", "Ann", "x" * 60_000))
    assert [part.only for part in parts_of(message, ("31", "32"))] == [("31",), ("32",)]


def test_a_message_takes_what_fits_and_no_byte_more() -> None:
    room = LARGEST_MESSAGE - len(encode(replace(INBOUND, snapshot=replace(SNAPSHOT, title=""))))
    fits = replace(INBOUND, snapshot=replace(SNAPSHOT, title="x" * room))
    more = replace(INBOUND, snapshot=replace(SNAPSHOT, title="x" * (room + 1)))
    assert (decode_inbound(encode(fits)), decode_inbound(encode(more)).snapshot) == (fits, None)
