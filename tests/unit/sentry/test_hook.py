"""What a Sentry delivery proves and says: its signature, which issue it is about, what damage does."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any, cast

import pytest

from shared.domain.comments import CommentAction, SaidInSentry
from shared.domain.errors import Malformed, Unauthenticated
from shared.domain.messages import OutboundMessage, encode
from shared.sentry.hook import IssueHint, parse, sign, verify_signature
from tests.unit.damage import damaged

PAYLOADS = Path(__file__).parents[2] / "payloads" / "sentry"
SECRET = "s3cret"
HINT = IssueHint("100")
WORDS = "Seen again at 14:02 \N{EN DASH} is <cart> empty?"

READ_AS: dict[str, IssueHint | None] = {
    "comment.created": IssueHint("100", "501", SaidInSentry("created", "Ann Archer", WORDS)),
    "comment.updated": IssueHint(
        "100", "501", SaidInSentry("updated", "Ann Archer", "Seen again at 14:02, the cart is empty.")
    ),
    "event_alert.triggered": None,
    "installation.created": None,
    "issue.archived.legacy": HINT,
    "issue.assigned.team": HINT,
    "issue.assigned.user": HINT,
    "issue.created": None,
    "issue.ignored": HINT,
    "issue.resolved": HINT,
    "issue.unresolved": HINT,
}


def load(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_bytes())


def wire(delivery: Any) -> bytes:
    """Write a body as Sentry does: compact, in ASCII."""
    return json.dumps(delivery, separators=(",", ":")).encode()


def headers(name: str) -> dict[str, str]:
    return {"Sentry-Hook-Resource": name.partition(".")[0]}


def signature_of(body: bytes, secret: str = SECRET) -> str:
    """Sign as Sentry documents it, independently of the code under test."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_every_payload_file_has_its_value() -> None:
    assert {path.stem for path in PAYLOADS.glob("*.json")} == READ_AS.keys()


@pytest.mark.parametrize("name", READ_AS)
def test_a_payload_is_read_as_exactly_one_value(name: str) -> None:
    assert parse(headers(name), wire(load(name))) == READ_AS[name]


# Who sent it


@pytest.mark.parametrize("name", READ_AS)
def test_a_signed_delivery_is_accepted(name: str) -> None:
    body = wire(load(name))
    verify_signature(body, signature_of(body), [SECRET])


def test_a_signature_is_a_plain_hexadecimal_hmac() -> None:
    # printf '{"a":1}' | openssl dgst -sha256 -hmac s3cret
    known = b"5910e62016ef5034272c926c27071992a465c2335cecf41851bda071577f4f6d"
    assert sign(b'{"a":1}', SECRET) == known


@pytest.mark.parametrize("spelled", [str.upper, str.title, lambda text: f" {text}\t"])
def test_letter_case_and_spaces_around_a_signature_are_ignored(spelled: Any) -> None:
    verify_signature(b"{}", spelled(signature_of(b"{}")), [SECRET])


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        " ",
        "wrong",
        signature_of(b"{}", "another secret"),
        signature_of(b"{}", ""),
        signature_of(b"{} "),
        signature_of(b"{}")[:-1],
        signature_of(b"{}") + "0",
        f"sha256={signature_of(b'{}')}",
        "é" * 64,
        "\udce9" * 64,
        "٣" * 64,
    ],
)
def test_a_missing_or_wrong_signature_is_refused(signature: str | None) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        verify_signature(b"{}", signature, [SECRET])
    assert signature_of(b"{}") not in str(refusal.value)


def test_the_raw_bytes_are_signed_and_not_what_they_mean() -> None:
    delivery = load("issue.resolved")
    signature = signature_of(wire(delivery))
    for body in (json.dumps(delivery).encode(), json.dumps(delivery, ensure_ascii=False).encode()):
        assert json.loads(body) == delivery
        with pytest.raises(Unauthenticated):
            verify_signature(body, signature, [SECRET])


def test_one_flipped_bit_breaks_the_signature() -> None:
    body = wire(load("issue.resolved"))
    signature = signature_of(body)
    for place in range(0, len(body), 40):
        flipped = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises(Unauthenticated):
            verify_signature(flipped, signature, [SECRET])


@pytest.mark.parametrize("secret", ["current", "previous"])
def test_two_secrets_are_accepted_during_a_rotation(secret: str) -> None:
    verify_signature(b"{}", signature_of(b"{}", secret), ["current", "previous"])


@pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
def test_an_empty_secret_refuses_every_delivery(secrets: list[str]) -> None:
    with pytest.raises(Unauthenticated):
        verify_signature(b"{}", signature_of(b"{}", ""), secrets)


def test_an_empty_previous_secret_admits_no_delivery() -> None:
    with pytest.raises(Unauthenticated):
        verify_signature(b"{}", signature_of(b"{}", ""), [SECRET, ""])


@pytest.mark.parametrize("secret", ["pässwörd", "ключ", "\U0001f511"])
def test_a_secret_may_hold_any_character(secret: str) -> None:
    verify_signature(b"{}", signature_of(b"{}", secret), [secret])


# What it says


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"action": "resolved"',
        b"\xff\xfe",
        b"null",
        b'"resolved"',
        b'["resolved"]',
        b"{}",
        b'{"action": null}',
        b'{"action": 5}',
        b"[" * 100_000,
    ],
)
def test_what_is_not_a_sentry_hook_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse({"Sentry-Hook-Resource": "issue"}, body)


@pytest.mark.parametrize("without", [{}, {"Sentry-Hook-Resource": ""}])
def test_a_body_without_its_resource_header_is_malformed(without: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        parse(without, wire(load("issue.resolved")))


@pytest.mark.parametrize(
    ("resource", "action", "hint"),
    [
        ("issue", "resolved", HINT),
        ("issue", "unresolved", HINT),
        ("issue", "assigned", HINT),
        ("issue", "ignored", HINT),
        ("issue", "archived", HINT),
        ("issue", "an-action-of-next-year", HINT),
        ("issue", "created", None),
        ("error", "created", None),
        ("metric_alert", "critical", None),
        ("seer", "root_cause_started", None),
        ("a-resource-of-next-year", "resolved", None),
    ],
)
def test_only_a_change_of_an_issue_is_a_hint(resource: str, action: str, hint: IssueHint | None) -> None:
    delivery = {**load("issue.resolved"), "action": action}
    assert parse({"Sentry-Hook-Resource": resource}, wire(delivery)) == hint


@pytest.mark.parametrize("action", ["created", "updated", "deleted"])
def test_a_comment_brings_its_words_and_its_author(action: str) -> None:
    delivery = {**load("comment.created"), "action": action}
    headers = {"Sentry-Hook-Resource": "comment", "Sentry-Hook-Timestamp": "1770818700"}
    said = SaidInSentry(cast("CommentAction", action), "Ann Archer", WORDS, 1770818700.0)
    assert parse(headers, wire(delivery)) == IssueHint("100", "501", said)


def test_of_a_comment_nothing_else_is_a_hint() -> None:
    delivery = {**load("comment.created"), "action": "pinned"}
    assert parse({"Sentry-Hook-Resource": "comment"}, wire(delivery)) is None


def comment_of(actor: object = None, **data: object) -> SaidInSentry | None:
    delivery = load("comment.created")
    delivery |= {"data": {**delivery["data"], **data}, "actor": actor or delivery["actor"]}
    hint = parse({"Sentry-Hook-Resource": "comment"}, wire(delivery))
    assert hint is not None
    assert (hint.issue_id, hint.comment_id) == ("100", "501")
    return hint.comment


@pytest.mark.parametrize(
    ("actor", "author"),
    [
        ({"type": "user", "id": 7, "name": "Ann Archer"}, "Ann Archer"),
        ({"type": "user", "id": 7, "name": " Ann \n Archer "}, "Ann Archer"),
        ({"type": "user", "id": 7, "name": "x" * 500}, "x" * 200),
        ({"type": "user", "id": 7}, "Somebody"),
        ({"type": "user", "id": 7, "name": ""}, "Somebody"),
        ({"type": "user", "id": 7, "name": 5}, "Somebody"),
        # Whichever integration spoke, it is named as the one that hears of it.
        ({"type": "application", "id": "a5f5f2d4", "name": "Azure DevOps Sync"}, "An integration"),
        ({"type": "application", "id": "sentry", "name": "Sentry"}, "Sentry"),
        ({"name": "Ann"}, "An integration"),
        ("Ann", "An integration"),
        ([], "Ann Archer"),
    ],
)
def test_who_spoke_is_who_is_named(actor: object, author: str) -> None:
    said = comment_of(actor)
    assert said is not None
    assert said.author == author


@pytest.mark.parametrize("text", [None, "", "  ", 5, ["a"], {"text": "a"}])
def test_a_comment_without_words_has_to_be_looked_up(text: object) -> None:
    assert comment_of(comment=text) is None


@pytest.mark.parametrize("text", [None, "", 5])
def test_a_deletion_needs_no_words(text: object) -> None:
    delivery = load("comment.created")
    delivery |= {"action": "deleted", "data": {**delivery["data"], "comment": text}}
    hint = parse({"Sentry-Hook-Resource": "comment"}, wire(delivery))
    assert hint == IssueHint("100", "501", SaidInSentry("deleted", "Ann Archer", ""))


@pytest.mark.parametrize(
    ("stamp", "at"),
    [("1770818700", 1770818700.0), ("soon", 0.0), ("", 0.0), ("nan", 0.0), ("-5", 0.0), ("1e300", 0.0)],
)
def test_when_a_comment_was_told_is_in_the_header(stamp: str, at: float) -> None:
    headers = {"Sentry-Hook-Resource": "comment", "Sentry-Hook-Timestamp": stamp}
    hint = parse(headers, wire(load("comment.created")))
    assert hint is not None
    assert hint.comment is not None
    assert hint.comment.at == at


@pytest.mark.parametrize("letter", ["a", "é", "日", "😀", '"', "\\", "\x01"])
def test_a_long_comment_is_cut_to_what_a_message_carries(letter: str) -> None:
    said = comment_of(comment=letter * 100_000)
    assert said is not None
    assert said.is_cut
    message = OutboundMessage("o" * 63, "1" * 20, "2" * 20, "e" * 16, comment=said)
    assert len(base64.b64encode(encode(message))) < 64 * 1024
    assert letter * 100_000 == said.text + letter * (100_000 - len(said.text))
    assert len(said.text) > 6_000


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("100", HINT),
        (100, HINT),
        ("12345678901234567890", IssueHint("12345678901234567890")),
        (2**63, IssueHint(str(2**63))),
        ("123456789012345678901", None),
        (-100, None),
        (True, None),
        (100.0, None),
        (None, None),
        ("", None),
        ("-100", None),
        ("FE-9", None),
        ("٣", None),
        ("100/../../members", None),
        (["100"], None),
        ({"id": "100"}, None),
    ],
)
def test_an_issue_is_named_by_digits_as_number_or_text(written: Any, hint: IssueHint | None) -> None:
    delivery = load("issue.resolved")
    delivery["data"]["issue"]["id"] = written
    assert parse({"Sentry-Hook-Resource": "issue"}, wire(delivery)) == hint


@pytest.mark.parametrize("name", ["issue_id", "comment_id"])
@pytest.mark.parametrize("junk", [None, "", True, -1, 1.5, "x", [], {}])
def test_a_comment_without_either_id_is_no_hint(name: str, junk: Any) -> None:
    delivery = load("comment.created")
    delivery["data"][name] = junk
    assert parse({"Sentry-Hook-Resource": "comment"}, wire(delivery)) is None


@pytest.mark.parametrize("junk", [None, [], "issue", 5, True])
def test_a_hook_with_nothing_in_it_is_no_hint(junk: Any) -> None:
    for name in ("issue.resolved", "comment.created"):
        assert parse(headers(name), wire({**load(name), "data": junk})) is None


# What damage does


@pytest.mark.parametrize("name", READ_AS)
def test_a_damaged_delivery_is_at_worst_refused(name: str) -> None:
    for delivery in damaged(load(name)):
        try:
            hint = parse(headers(name), wire(delivery))
        except Malformed:
            assert not isinstance(delivery, dict) or not isinstance(delivery.get("action"), str)
            continue
        assert hint is None or hint.issue_id.isdigit()


@pytest.mark.parametrize("name", READ_AS)
def test_a_delivery_cut_short_is_malformed(name: str) -> None:
    body = wire(load(name))
    for length in range(0, len(body), 7):
        with pytest.raises(Malformed):
            parse(headers(name), body[:length])
