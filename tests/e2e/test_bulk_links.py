"""Linking many pairs in one request: JSON and CSV, an answer for each, and going on where it stopped."""

import json
from typing import Any

import pytest
import requests

from simulator.ado.faults import throttled
from tests.e2e.app import Pair

Pairs = list[tuple[str, int]]


@pytest.fixture
def connected(pair: Pair) -> Pair:
    return pair.connect()


def some(pair: Pair, count: int) -> Pairs:
    """Make issues and work items, and return them in pairs that nobody has linked yet."""
    issues = [pair.sentry.add_issue(announce=False).id for _ in range(count)]
    return [(issue_id, pair.ado.add_item().id) for issue_id in issues]


def post(pair: Pair, pairs: Pairs) -> requests.Response:
    links = [{"issue_id": issue_id, "work_item_id": work_item_id} for issue_id, work_item_id in pairs]
    return pair.ask("POST", "links", json=links)


def post_csv(pair: Pair, text: str | bytes, content_type: str = "text/csv") -> requests.Response:
    content = text.encode() if isinstance(text, str) else text
    return pair.ask("POST", "links", data=content, headers={"Content-Type": content_type})


def outcomes(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [link["outcome"] for link in answer.json()["links"]]


def linked(pair: Pair) -> Pairs:
    return [(link["issue_id"], link["work_item_id"]) for link in pair.links()]


def test_every_pair_is_linked_and_answered_in_its_order(connected: Pair) -> None:
    pairs = some(connected, 3)[::-1]
    answer = post(connected, pairs)
    assert answer.status_code == 200
    assert answer.json() == {
        "links": [
            {"issue_id": issue_id, "work_item_id": work_item_id, "outcome": "linked"}
            for issue_id, work_item_id in pairs
        ],
        "remaining": 0,
    }
    assert sorted(linked(connected)) == sorted(pairs)


def test_pairs_that_are_linked_sync(connected: Pair) -> None:
    [(issue_id, work_item_id)] = pairs = some(connected, 1)
    post(connected, pairs)
    connected.sentry.resolve(issue_id)
    connected.settle()
    assert connected.state(work_item_id) == "Closed"


def test_a_list_sent_again_links_the_rest(connected: Pair) -> None:
    pairs = some(connected, 3)
    post(connected, pairs[:2])
    with connected.calls() as calls:
        assert outcomes(post(connected, pairs)) == ["already-linked", "already-linked", "linked"]
    # What is there already costs no call.
    assert (calls.ado, calls.sentry) == (["GET 200"], ["GET 200"])


def test_a_pair_named_twice_is_linked_once(connected: Pair) -> None:
    [pair] = some(connected, 1)
    assert outcomes(post(connected, [pair, pair])) == ["linked", "already-linked"]
    assert linked(connected) == [pair]


def test_a_pair_that_cannot_be_linked_stops_no_other(connected: Pair) -> None:
    first, second, third = some(connected, 3)
    connected.ado.fail_next(http_status=400, path=f"workitems/{second[1]}$")
    wrong: Pairs = [("999999", first[1]), (first[0], 404), second]
    answer = post(connected, [first, *wrong, third])
    expected = ["linked", "issue-not-found", "work-item-not-found", "refused", "linked"]
    assert outcomes(answer) == expected
    assert answer.json()["remaining"] == 0
    assert linked(connected) == [first, third]


@pytest.mark.parametrize(("status", "word", "asked"), [(401, "unauthorized", 1), (503, "unavailable", 2)])
def test_a_service_that_is_down_is_not_asked_for_each_pair(
    connected: Pair, status: int, word: str, asked: int
) -> None:
    """No answer about a pair may be about that pair alone, so the service is asked who it is."""
    first, *rest = some(connected, 4)
    post(connected, [first])
    connected.ado.fail_next(asked, http_status=status)
    with connected.calls() as calls:
        answer = post(connected, [first, *rest])
    assert outcomes(answer) == ["already-linked", word, "not-yet", "not-yet"]
    assert answer.json()["remaining"] == 3
    assert len(calls.ado) == asked
    # Sending the list again asks it again.
    assert outcomes(post(connected, [first, *rest])) == ["already-linked", "linked", "linked", "linked"]


def test_a_pair_without_an_answer_stops_no_other_while_the_service_says_who_it_is(connected: Pair) -> None:
    pairs = some(connected, 4)
    for _, number in pairs[:2]:
        connected.ado.fail_next(5, http_status=500, path=f"workitems/{number}$")
    answer = post(connected, pairs)
    assert outcomes(answer) == ["unavailable", "unavailable", "linked", "linked"]
    assert answer.json()["remaining"] == 0


def test_being_asked_to_wait_ends_a_request(connected: Pair) -> None:
    pairs = some(connected, 2)
    connected.ado.meet(throttled(1))
    assert outcomes(post(connected, pairs)) == ["throttled", "not-yet"]


# CSV.


@pytest.mark.parametrize(
    "write",
    [
        "{0},{1}\n{2},{3}\n",
        "{0},{1}\r\n{2},{3}",
        "issue_id,work_item_id\n{0},{1}\n{2},{3}\n",
        "\ufeffissue_id,work_item_id\r\n{0},{1}\r\n\r\n{2},{3}\r\n\r\n",
        '"{0}","{1}"\n {2} , {3} \n',
    ],
)
def test_csv_is_read_as_spreadsheets_write_it(connected: Pair, write: str) -> None:
    pairs = some(connected, 2)
    text = write.format(*pairs[0], *pairs[1])
    assert outcomes(post_csv(connected, text)) == ["linked", "linked"]
    assert linked(connected) == pairs


@pytest.mark.parametrize("content_type", ["text/csv; charset=utf-8", "TEXT/CSV", "application/csv"])
def test_csv_is_recognized_by_its_type(connected: Pair, content_type: str) -> None:
    [(issue_id, work_item_id)] = some(connected, 1)
    assert outcomes(post_csv(connected, f"{issue_id},{work_item_id}", content_type)) == ["linked"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1 to 10000"),
        ("issue_id,work_item_id\n", "1 to 10000"),
        ("100", "line 1 "),
        ("100,31,32", "line 1 "),
        ("issue_id,work_item_id\n100;31", "line 2 "),
        ("issue_id,work_item_id100,31101,32", "--data-binary @links.csv"),
        ("100;31101;32", "--data-binary @links.csv"),
        ("100,31\n\n101,x\n", "line 3"),
        ("100,31\n100,0\n", "line 2"),
        ("100,31\nJAVASCRIPT,31\n", "line 2"),
        ("100,31\nhttps://other.sentry.io/issues/100/,31\n", "line 2"),
        ("100,31\n100,https://dev.azure.com/contoso/_workitems/edit/31\n", "line 2"),
        ("100,31\n,31\n", "line 2"),
        ("100,31\n100,=31\n", "line 2"),
        ('100,"31', "not CSV"),
        (b"\xff\xfe1", "not CSV"),
        (b"\xe4,31", "not CSV"),
    ],
)
def test_csv_that_cannot_be_read_is_refused_by_its_line(
    connected: Pair, text: str | bytes, said: str
) -> None:
    answer = post_csv(connected, text)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad-request")
    assert said in answer.json()["detail"]
    assert connected.links() == []


def test_all_bad_lines_are_named_at_once_and_nothing_is_linked(connected: Pair) -> None:
    [(issue_id, item)] = some(connected, 1)
    text = f"{issue_id},{item}\n{issue_id},x\n\n{issue_id}\n?,-1\n{issue_id},{item},5\n"
    answer = post_csv(connected, text)
    content = answer.json()
    assert (answer.status_code, content["error"]) == (400, "bad-request")
    assert list(content["errors"]) == ["line 2", "line 4", "line 5", "line 6"]
    for place, problem in content["errors"].items():
        assert f"{place} " in problem
        assert problem in content["detail"]
    assert "issue_id of line 5" in content["errors"]["line 5"]
    assert "work_item_id of line 5" in content["errors"]["line 5"]
    assert content["detail"].endswith("nothing was linked")
    assert connected.links() == []


def test_very_many_bad_lines_are_counted_and_not_all_told(connected: Pair) -> None:
    content = post_csv(connected, "x,y\n" * 1_000).json()
    assert list(content["errors"]) == [f"line {number}" for number in range(1, 21)]
    assert "and 980 more are wrong" in content["detail"]


@pytest.mark.parametrize(
    ("write", "encoding", "headers"),
    [
        ("{0};{1}\n{2};{3}\n", "utf-8", {"Content-Type": "text/csv"}),
        ("Issue ID;Work item ID\r\n{0};#{1}\r\n{2};AB#{3}\r\n", "utf-8-sig", {"Content-Type": "text/csv"}),
        ("{0}\t{1}\n{2}\t{3}\n", "utf-16", {"Content-Type": "text/csv"}),
        ("{0},{1}\n{2},{3}\n", "utf-8", {}),
        ("\n{0},{1}\n{2},{3}\n", "utf-8-sig", {"Content-Type": "application/x-www-form-urlencoded"}),
        ("{0},{1}\r{2},{3}\r", "utf-8", {"Content-Type": "text/plain"}),
    ],
)
def test_csv_is_taken_as_programs_of_people_write_and_send_it(
    connected: Pair, write: str, encoding: str, headers: dict[str, str]
) -> None:
    pairs = some(connected, 2)
    body = write.format(*pairs[0], *pairs[1]).encode(encoding)
    assert outcomes(connected.ask("POST", "links", data=body, headers=headers)) == ["linked", "linked"]
    assert sorted(linked(connected)) == sorted(pairs)


def test_a_list_names_issues_and_items_as_people_do(connected: Pair) -> None:
    pairs = some(connected, 3)
    names = [connected.sentry.issue(issue_id)["shortId"] for issue_id, _ in pairs]
    item_page = f"{connected.ado.organization_url}_workitems/edit/{pairs[2][1]}"
    text = (
        f"{names[0]},{pairs[0][1]}\n"
        f"{connected.sentry.url}/organizations/{connected.sentry.organization}/issues/{pairs[1][0]}/,{pairs[1][1]}\n"
        f"{names[2].lower()},{item_page}\n"
    )
    answer = post_csv(connected, text)
    assert outcomes(answer) == ["linked"] * 3
    assert [(each["issue_id"], each["work_item_id"]) for each in answer.json()["links"]] == pairs
    # Sent again, they are known by what is stored: that costs no call.
    with connected.calls() as calls:
        assert outcomes(post_csv(connected, text)) == ["already-linked"] * 3
    assert (calls.ado, calls.sentry) == ([], [])


def test_a_short_id_of_nobody_stops_no_other(connected: Pair) -> None:
    [(issue_id, item), other] = some(connected, 2)
    answer = post_csv(connected, f"NOWHERE-1,{item}\n{other[0]},{other[1]}\n")
    assert outcomes(answer) == ["issue-not-found", "linked"]
    assert answer.json()["remaining"] == 0
    assert linked(connected) == [other]
    assert issue_id


# JSON.

GOOD = {"issue_id": "100", "work_item_id": 31}


@pytest.mark.parametrize(
    "body",
    [
        [],
        [GOOD, None],
        [GOOD, 5],
        [GOOD, []],
        [GOOD, {}],
        [GOOD, {**GOOD, "issue_id": ""}],
        [GOOD, {**GOOD, "issue_id": "../1"}],
        [GOOD, {**GOOD, "work_item_id": 0}],
        [GOOD, {**GOOD, "work_item_id": -31}],
        [GOOD, {**GOOD, "work_item_id": True}],
        [GOOD, {**GOOD, "work_item_id": "FE-1"}],
        [GOOD, {**GOOD, "work_item_id": 10**16}],
        [GOOD, {**GOOD, "initial": "ado"}],
        [GOOD] * 10_001,
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_a_list_with_one_bad_pair_links_nothing(connected: Pair, body: list[Any]) -> None:
    answer = connected.ask("POST", "links", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad-request")
    assert connected.links() == []


@pytest.mark.parametrize("body", [b"[", b"[\xff]", b"  [[[[", b"[" * 100_000])
def test_a_list_that_is_not_json_is_refused(connected: Pair, body: bytes) -> None:
    answer = connected.ask("POST", "links", data=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad-request")


def test_the_bad_one_of_many_is_named(connected: Pair) -> None:
    answer = connected.ask("POST", "links", json=[GOOD, GOOD, {**GOOD, "issue_id": "x"}])
    assert "issue_id of link 3" in answer.json()["detail"]


def test_a_list_of_one_organization_links_nothing_in_another(connected: Pair) -> None:
    pairs = some(connected, 1)
    with Pair.beside(connected.app) as other:
        assert post(other, pairs).status_code == 404
        other.configure()
        post(connected, pairs)
        assert other.links() == []
