"""Comments on their way from Sentry to Azure DevOps: whose they are, where they go, and once each."""

from typing import Any

import pytest

from shared.domain.errors import Busy, Throttled
from shared.domain.messages import OutboundMessage
from shared.flows.commenting import sync_comment
from shared.services import Services
from shared.settings import Settings
from simulator.ado.faults import Fault, dropped, throttled
from simulator.sentry import APPLICATION
from tests.doubles.clock import ShiftedClock
from tests.e2e.app import SECRETS, Pair

ANN, BOB = "ann@corp.example", "bob@corp.example"
COMMENTS = "/comments"


@pytest.fixture
def connected(pair: Pair) -> Pair:
    return pair.connect(sync_comments=True)


def comments(pair: Pair, work_item_id: int) -> list[str]:
    return [comment.text for comment in pair.ado.item(work_item_id).comments]


def comment_and_settle(pair: Pair, issue_id: str, text: str, actor: str = ANN) -> int:
    comment_id = pair.sentry.comment(issue_id, text, actor=actor)
    pair.settle()
    return comment_id


def comment_outcomes(pair: Pair, issue_id: str, work_item_id: int) -> list[str]:
    return [
        outcome
        for outcome, field in pair.outcomes(issue_id, work_item_id)
        if field in {"comment", "comments"}
    ]


# What is carried over.


def test_a_comment_is_carried_over_with_its_author_and_the_way_back(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    comment_id = comment_and_settle(connected, issue_id, "It is the cache.")
    [comment] = comments(connected, work_item_id)
    name = connected.sentry.directory.person(ANN).name
    url = f"{connected.sentry.url}/organizations/acme/issues/{issue_id}/activity/#event_{comment_id}"
    assert comment == (
        f'<p>{name} wrote in <a href="{url}">Sentry</a>:</p><blockquote><p>It is the cache.</p></blockquote>'
    )
    assert comment_outcomes(connected, issue_id, work_item_id) == ["commented"]


def test_every_word_of_a_comment_is_text(connected: Pair) -> None:
    connected.sentry.add_member("eve@corp.example", name='<img src=x onerror="alert(1)"> & Co')
    issue_id, work_item_id = connected.linked()
    hostile = "</blockquote><script>alert('1')</script>\n& \"quotes\"\r\n日本語 😀 @ann"
    comment_and_settle(connected, issue_id, hostile, "eve@corp.example")
    [comment] = comments(connected, work_item_id)
    assert "<script" not in comment
    assert "<img" not in comment
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; Co wrote" in comment
    assert "&lt;/blockquote&gt;&lt;script&gt;" in comment
    assert "&amp; &quot;quotes&quot;<br>日本語 😀 @ann" in comment


def test_a_comment_reaches_every_linked_work_item(connected: Pair) -> None:
    issue_id, first = connected.linked()
    second = connected.ado.add_item(project="Scrum Team").id
    connected.link(issue_id, second)
    comment_and_settle(connected, issue_id, "Seen it too.")
    assert [len(comments(connected, each)) for each in (first, second)] == [1, 1]


def test_two_comments_of_one_text_are_two(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    for actor in (ANN, BOB):
        comment_and_settle(connected, issue_id, "+1", actor)
    assert len(comments(connected, work_item_id)) == 2


def test_a_comment_writes_nothing_else_and_does_not_come_back(connected: Pair) -> None:
    issue_id, _ = connected.linked()
    with connected.calls() as calls:
        connected.sentry.comment(issue_id, "Only words.", actor=ANN)
    assert calls.writes == ["POST 200"]
    assert len(connected.sentry.comments(issue_id)) == 1


def test_a_comment_that_an_integration_wrote_is_carried_over_too(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    connected.sentry.comment(issue_id, "Deployed.", actor=APPLICATION)
    connected.settle()
    assert len(comments(connected, work_item_id)) == 1


# What is not.


def test_without_comment_sync_nothing_is_even_queued(pair: Pair) -> None:
    pair.connect()
    issue_id, work_item_id = pair.linked()
    with pair.calls() as calls:
        pair.sentry.comment(issue_id, "Just among us.", actor=ANN)
    assert (calls.ado, calls.sentry) == ([], [])
    assert pair.sentry.deliveries[-1].status == 200
    assert comments(pair, work_item_id) == []


def test_switched_off_after_the_hook_is_switched_off(connected: Pair, services: Services) -> None:
    issue_id, work_item_id = connected.linked()
    message = held(connected, issue_id)
    connected.configure(sync_comments=False)
    assert sync_comment(message, services) == ["skipped"]
    connected.configure(sync_comments=True, issue_sync=False)
    assert sync_comment(message, services) == ["skipped"]
    assert comments(connected, work_item_id) == []


def test_an_edit_edits_and_a_deletion_deletes(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    comment_id = comment_and_settle(connected, issue_id, "First.")
    connected.sentry.edit_comment(comment_id, "Second.", actor=ANN)
    connected.settle()
    [comment] = comments(connected, work_item_id)
    assert "<p>Second.</p>" in comment
    connected.sentry.delete_comment(comment_id, actor=ANN)
    connected.settle()
    assert comments(connected, work_item_id) == []
    told = ["comment-deleted", "comment-edited", "commented"]
    assert comment_outcomes(connected, issue_id, work_item_id) == told


def test_edits_and_a_deletion_at_once_come_to_what_sentry_shows(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    with connected.sentry.hooks.held():
        kept = connected.sentry.comment(issue_id, "First.", actor=ANN)
        gone = connected.sentry.comment(issue_id, "Oops.", actor=ANN)
        connected.sentry.edit_comment(kept, "Second.", actor=ANN)
        connected.sentry.delete_comment(gone, actor=ANN)
    connected.settle()
    [comment] = comments(connected, work_item_id)
    assert "<p>Second.</p>" in comment


# The other way.


@pytest.fixture
def both_ways(pair: Pair) -> Pair:
    return pair.connect(sync_comments=True, sync_comments_reverse="all")


def notes(pair: Pair, issue_id: str) -> list[str]:
    return [each["data"]["text"] for each in pair.sentry.comments(issue_id)]


def test_a_comment_goes_there_and_another_one_back_and_none_twice(both_ways: Pair) -> None:
    issue_id, work_item_id = both_ways.linked()
    both_ways.sentry.comment(issue_id, "Is it the cache?", actor=ANN)
    both_ways.settle()
    both_ways.ado.comment(work_item_id, "<div>No, <b>DNS</b>.</div>", actor=ANN)
    both_ways.settle()
    assert len(comments(both_ways, work_item_id)) == 2
    [answer, question] = notes(both_ways, issue_id)
    assert question == "Is it the cache?"
    assert answer.startswith("**Ann** wrote in [Azure DevOps](")
    assert answer.endswith("\n\n> No, **DNS**.")
    outcomes = comment_outcomes(both_ways, issue_id, work_item_id)
    assert outcomes == ["commented", "commented"]


def test_only_what_is_marked_travels_where_that_is_wanted(pair: Pair) -> None:
    pair.connect(sync_comments_reverse="marked")
    issue_id, work_item_id = pair.linked()
    for text in ("<div>Among us.</div>", "<div>/sentry For all.</div>", "<p>not /sentry this</p>"):
        pair.ado.comment(work_item_id, text, actor=ANN)
    pair.settle()
    [note] = notes(pair, issue_id)
    assert note.endswith("> For all.")


def test_without_comments_from_azure_devops_none_is_even_queued(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    with connected.calls() as calls:
        connected.ado.comment(work_item_id, "<div>/sentry Among us.</div>", actor=ANN)
    assert (calls.ado, calls.sentry, notes(connected, issue_id)) == ([], [], [])


def test_a_token_that_may_not_write_is_told_with_its_words(both_ways: Pair) -> None:
    issue_id, work_item_id = both_ways.linked()
    with both_ways.sentry.hooks.held():
        both_ways.ado.comment(work_item_id, "<div>Hello.</div>", actor=ANN)
        both_ways.sentry.fail_next(1, 403)
        both_ways.settle()
    assert notes(both_ways, issue_id) == []
    assert comment_outcomes(both_ways, issue_id, work_item_id) == ["forbidden"]


def test_a_regression_is_told_once_to_the_item_that_it_reopens(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    connected.sentry.resolve(issue_id)
    connected.settle()
    connected.sentry.regress(issue_id, release="web@1.4.0", environment="production")
    connected.settle()
    assert connected.state(work_item_id) != "Closed"
    [note] = comments(connected, work_item_id)
    for told in (
        "Seen again in",
        "Release: web@1.4.0",
        "Environment: production",
        "Events so far: 2",
        "/events/",
    ):
        assert told in note
    connected.sentry.regress(issue_id, release="web@1.4.1")
    connected.settle()
    assert len(comments(connected, work_item_id)) == 1


# Once each.


@pytest.fixture
def services(connected: Pair, clock: ShiftedClock) -> Services:
    """Act as one more instance of the app, on a clock of its own."""
    return Services(Settings({**SECRETS, "AzureWebJobsStorage": connected.app.storage}), clock)


def held(pair: Pair, issue_id: str, text: str = "Held back.") -> OutboundMessage:
    """Write a comment whose hook gets lost, and return the message it would have become."""
    url, pair.sentry.webhook_url = pair.sentry.webhook_url, None
    comment_id = pair.sentry.comment(issue_id, text, actor=ANN)
    pair.settle()
    pair.sentry.webhook_url = url
    return OutboundMessage(pair.slug, issue_id, str(comment_id), pair.organization.epoch)


def hook(pair: Pair, issue_id: str, comment_id: int) -> dict[str, Any]:
    content = {"comment_id": comment_id, "issue_id": int(issue_id), "comment": "", "project_slug": "web"}
    return {"action": "created", "data": content, "actor": {"type": "user", "id": 1, "name": "Ann"}}


def test_a_hook_that_comes_again_adds_nothing(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    comment_id = comment_and_settle(connected, issue_id, "Once.")
    for _ in range(3):
        answer = connected.deliver_from_sentry(hook(connected, issue_id, comment_id), resource="comment")
        assert answer.status_code == 202
    connected.settle()
    assert len(comments(connected, work_item_id)) == 1
    assert comment_outcomes(connected, issue_id, work_item_id) == ["commented"]


def test_a_comment_deleted_before_it_was_carried_over_stays_where_it_is(
    connected: Pair, services: Services
) -> None:
    issue_id, work_item_id = connected.linked()
    message = held(connected, issue_id)
    connected.sentry.webhook_url = None
    connected.sentry.delete_comment(int(str(message.comment_id)), actor=ANN)
    assert sync_comment(message, services) == ["comment-gone"]
    assert comments(connected, work_item_id) == []
    assert comment_outcomes(connected, issue_id, work_item_id) == ["comment-gone"]


def test_an_answer_that_got_lost_is_looked_into(
    connected: Pair, services: Services, clock: ShiftedClock
) -> None:
    issue_id, work_item_id = connected.linked()
    message = held(connected, issue_id)
    connected.ado.meet(dropped(lands=True), path=COMMENTS)
    with pytest.raises(Throttled) as raised:
        sync_comment(message, services)
    with pytest.raises(Busy):
        sync_comment(message, services)
    clock.ahead = raised.value.retry_after + 1.0
    again = Services(services.settings, clock)  # A process that does not share the back-off of the others.
    for _ in range(2):
        assert sync_comment(message, again) == ["already-commented"]
    assert len(comments(connected, work_item_id)) == 1
    assert comment_outcomes(connected, issue_id, work_item_id) == ["already-commented"]


def test_a_comment_is_not_taken_for_one_whose_number_begins_alike(
    connected: Pair, services: Services, clock: ShiftedClock
) -> None:
    issue_id, work_item_id = connected.linked()
    first = held(connected, issue_id, "Number one")
    for number in range(2, 13):
        last = held(connected, issue_id, f"Number {number}")
    assert str(last.comment_id).startswith(str(first.comment_id))
    assert sync_comment(last, services) == ["commented"]
    connected.ado.meet(dropped(lands=False), path=COMMENTS)
    with pytest.raises(Throttled):
        sync_comment(first, services)
    clock.ahead = 61.0
    assert sync_comment(first, Services(services.settings, clock)) == ["commented"]
    assert len(comments(connected, work_item_id)) == 2


@pytest.mark.parametrize(
    "trouble",
    [Fault(401), Fault(503), throttled(5), dropped(lands=False), Fault(203, {}, "<html>")],
)
def test_a_comment_waits_for_better_times(
    connected: Pair, services: Services, clock: ShiftedClock, trouble: Fault
) -> None:
    """Nothing but its message remembers it, so no failure of a service may use that up."""
    issue_id, work_item_id = connected.linked()
    message = held(connected, issue_id)
    for _ in range(7):
        clock.ahead += 61.0
        connected.ado.meet(trouble, path=COMMENTS)
        with pytest.raises(Throttled) as raised:
            sync_comment(message, services)
        assert raised.value.retry_after <= 300
        connected.ado.faults.clear()
    clock.ahead += 61.0
    again = Services(services.settings, clock)  # A process that does not share the back-off of the others.
    assert sync_comment(message, again) == ["commented"]
    assert len(comments(connected, work_item_id)) == 1


def test_a_comment_that_is_forbidden_is_told_and_waits_for_nothing(
    connected: Pair, services: Services
) -> None:
    issue_id, work_item_id = connected.linked()
    message = held(connected, issue_id)
    body = '{"message": "TF237111: The current user does not have permissions"}'
    connected.ado.meet(Fault(403, {"Content-Type": "application/json"}, body), path=COMMENTS)
    assert sync_comment(message, services) == ["forbidden"]
    entry = connected.activity(issue_id, work_item_id)[0]
    assert (entry["outcome"], entry["field"]) == ("forbidden", "comment")
    assert "TF237111: The current user" in entry["reason"]


def test_a_comment_that_sentry_does_not_show_us_is_told_and_waits_for_nothing(
    connected: Pair, services: Services
) -> None:
    issue_id, work_item_id = connected.linked()
    message = held(connected, issue_id)
    connected.sentry.fail_next(2, 403)  # The issue, and the list of its comments.
    assert sync_comment(message, services) == ["forbidden"]
    assert comment_outcomes(connected, issue_id, work_item_id) == ["forbidden"]


def test_a_comment_waits_for_sentry_too(connected: Pair, services: Services) -> None:
    issue_id, work_item_id = connected.linked()
    message = held(connected, issue_id)
    for status in (401, 503):
        connected.sentry.fail_next(1, status)
        with pytest.raises(Throttled):
            sync_comment(message, Services(services.settings))
    assert sync_comment(message, services) == ["commented"]
    assert len(comments(connected, work_item_id)) == 1


def test_a_work_item_that_is_gone_does_not_keep_a_comment_from_the_others(connected: Pair) -> None:
    issue_id, gone = connected.linked()
    there = connected.ado.add_item().id
    connected.link(issue_id, there)
    connected.ado.delete(gone)
    comment_and_settle(connected, issue_id, "To whom it may concern.")
    assert len(comments(connected, there)) == 1
    assert comment_outcomes(connected, issue_id, there) == ["commented"]
    assert len(comment_outcomes(connected, issue_id, gone)) == 1


def test_a_refused_comment_is_in_the_activity_with_the_words_of_the_refusal(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    body = '{"message": "TF400000: The discussion is closed."}'
    connected.ado.meet(Fault(400, {"Content-Type": "application/json"}, body), path=COMMENTS)
    comment_id = comment_and_settle(connected, issue_id, "Too hot.")
    assert comments(connected, work_item_id) == []
    assert comment_outcomes(connected, issue_id, work_item_id) == ["refused"]
    reason = connected.activity(issue_id, work_item_id)[0]["reason"]
    assert reason.startswith(f"comment-{comment_id}: ")
    assert reason.endswith("TF400000: The discussion is closed.")


def test_one_failing_work_item_does_not_keep_a_comment_from_the_next(
    connected: Pair, services: Services, clock: ShiftedClock
) -> None:
    issue_id, first = connected.linked()
    second = connected.ado.add_item().id
    connected.link(issue_id, second)
    message = held(connected, issue_id)
    connected.ado.fail_next(http_status=500, path=f"/{first}/comments")
    with pytest.raises(Throttled):
        sync_comment(message, services)
    assert [len(comments(connected, each)) for each in (first, second)] == [0, 1]
    clock.ahead = 61.0
    assert sorted(sync_comment(message, services)) == ["already-commented", "commented"]
    assert [len(comments(connected, each)) for each in (first, second)] == [1, 1]
    assert comment_outcomes(connected, issue_id, second) == ["commented"]


def test_a_work_item_that_moved_to_another_project_gets_its_comment(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    with connected.ado.held_deliveries():
        connected.ado.move(work_item_id, "Scrum Team")
        connected.sentry.comment(issue_id, "Where are you?", actor=ANN)
        connected.sentry.hooks.drain(30)
    connected.settle()
    assert len(comments(connected, work_item_id)) == 1


def test_a_comment_whose_issue_was_merged_meanwhile_follows_the_link(
    connected: Pair, services: Services
) -> None:
    issue_id, work_item_id = connected.linked()
    message = held(connected, issue_id)
    into = connected.sentry.add_issue(announce=False).id
    connected.sentry.merge(issue_id, into=into)
    body = {"issue_id": issue_id, "work_item_id": work_item_id}
    assert connected.ask("POST", "reconcile", json=body).status_code == 200
    assert sync_comment(message, services) == ["commented"]
    assert len(comments(connected, work_item_id)) == 1
    assert comment_outcomes(connected, into, work_item_id) == ["commented"]


def test_markdown_arrives_as_what_sentry_shows(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    text = "**Cause**: see [runbook](https://wiki.example/a)\n\n```\nx < y\n```\n\n- one\n- two\n\n![g](https://t/g.gif)"
    comment_and_settle(connected, issue_id, text)
    [comment] = comments(connected, work_item_id)
    assert '<strong>Cause</strong>: see <a href="https://wiki.example/a">runbook</a>' in comment
    assert "<pre><code>x &lt; y\n</code></pre>" in comment
    assert "<li>one</li>\n<li>two</li>" in comment
    assert '<a href="https://t/g.gif">g</a>' in comment
    assert "<img" not in comment


def test_the_colors_of_a_terminal_do_not_keep_a_comment(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    comment_and_settle(connected, issue_id, "log: \x1b[31mERROR \x1b[0mat \u202eline\x85 7")
    [comment] = comments(connected, work_item_id)
    assert "log: ERROR at line  7" in comment


def test_a_comment_of_a_megabyte_arrives_cut(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    comment_and_settle(connected, issue_id, '<b> & "\n' * 120_000)
    [comment] = comments(connected, work_item_id)
    assert "Cut here" in comment
    assert "<b>" not in comment


def test_characters_that_nothing_can_hold_do_not_keep_a_comment(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    comment_and_settle(connected, issue_id, "Bell \x07, form feed \x0c, end \uffff.")
    [comment] = comments(connected, work_item_id)
    assert "Bell  , form feed  , end  ." in comment
