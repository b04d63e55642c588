"""Schedules that once broke a promise, shrunk; each docstring says what went wrong."""

from dataclasses import replace

import pytest

from tests.simulation.schedule import CALM, Action, Schedule
from tests.simulation.trace import traced
from tests.simulation.world import World

ORDERS = 30


def complaints(schedule: Schedule) -> list[str]:
    """Run a schedule in many orders: the one that broke it then does not keep its seed."""
    runs = (World(replace(schedule, seed=order)).run() for order in (schedule.seed, *range(ORDERS)))
    return next((each for each in runs if each), [])


def test_a_copy_at_linking_is_made_though_the_issue_changes_meanwhile() -> None:
    """Somebody links issue 101 to work item 31, copying the issue over, and resolves it at that moment.

    The link was stored as if the issue had been resolved before and were unresolved now. The first read
    agreed, but could not be stored; by the second, the issue was resolved, as it seemed to have been all
    along. So nothing was copied, and the ends disagreed for good. Now the made-up past is one that
    no person can bring back.
    """
    schedule = Schedule(
        seed=10668,
        workers=1,
        second_kind=("Bug", "CMMI Works"),
        links=(),
        settings=(),
        actions=(Action("link", issue="101", item=31, value="sentry"), Action("resolve", issue="101")),
        troubles=((7, "fails"),),
    )
    assert complaints(schedule) == []


def test_a_worker_that_loses_the_race_to_move_a_link_leaves_it_well() -> None:
    """Issue 100, linked to two work items, is merged into 101 while two workers observe it.

    Worker 008 moves one link to issue 101, worker 007 the other. When 007 comes to the first, its row is
    gone; the failure, a row that storage did not find, was put on the moved link as a reason for attention
    that no retry would ever have taken away, since that link also waited for an unknown person.
    """
    schedule = Schedule(
        seed=7,
        workers=3,
        second_kind=("Störung", "Tailored"),
        links=(("100", 32), ("100", 31)),
        settings=("on_conflict=sentry",),
        actions=(
            Action("assign-item", item=32, value="ann@corp.example"),
            Action("assign-issue", issue="101", value="dave@corp.example"),
            Action("assign-issue", issue="100", value="dave@corp.example"),
            Action("merge", issue="100", item=32),
        ),
        troubles=((3, "throttled"),),
    )
    assert complaints(schedule) == []


def test_a_link_that_waits_for_somebody_says_so_whatever_troubled_it_before() -> None:
    """Work item 32 is Removed and assigned to Carol, whom Sentry does not know; then issue 100 is resolved.

    Azure DevOps refuses to close what was removed. When the issue is reopened that trouble is over, but
    the link still waited for Carol, and kept the refusal as its reason; had it been refused once more, that
    would have been the same trouble again, of which nothing is recorded.
    """
    schedule = Schedule(
        seed=0,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("100", 32),),
        settings=(),
        actions=(
            Action("set-state", item=32, value="Removed"),
            Action("assign-item", item=32, value="carol@corp.example"),
            CALM,
            Action("resolve", issue="100"),
            CALM,
            Action("unresolve", issue="100"),
        ),
    )
    before, _, _ = traced(schedule).partition("from here on nothing goes wrong")
    stored = [line for line in before.splitlines() if "stores link" in line]
    assert stored[-1].endswith("attention (assignee-not-found)")


def test_a_late_snapshot_is_not_believed_for_a_link_that_another_one_gave_way_to() -> None:
    """Issue 100 is merged into 101, and both are linked to work item 32.

    The hook of rev 2 comes late: by then the link with 101 has seen rev 3. For the link with 100 it was
    news, and so that link gave way to the other one with rev 2 in hand. What the other link had seen was
    not compared again: issue 101 was resolved for a state that no longer held, until the reconciler ran.
    """
    schedule = Schedule(
        seed=0,
        workers=3,
        second_kind=("Störung", "Tailored"),
        links=(("100", 32),),
        settings=(),
        actions=(
            Action("configure", value="sync_forward_assignment=on"),
            Action("link", issue="100", item=32, value="sentry"),
            Action("resolve", issue="101"),
            Action("assign-issue", issue="101", value="ann@home.example"),
            Action("merge", issue="100", item=32),
            Action("resolve", issue="100"),
            Action("assign-item", item=31, value="bob@corp.example"),
            Action("unresolve", issue="100"),
        ),
    )
    assert complaints(schedule) == []


def test_a_late_snapshot_is_not_believed_while_a_link_waits_for_somebody() -> None:
    """Issue 101 is assigned to Dave, whom Azure DevOps does not know, and work item 31 is moved to Active.

    When the links are due to try Dave again, no snapshot counts as an echo. The hook of rev 2 came that
    late: rev 5 had been seen, and yet the link went back to rev 2 and carried its values over.
    """
    schedule = Schedule(
        seed=300774,
        workers=1,
        second_kind=("Störung", "Tailored"),
        links=(("100", 32), ("101", 32), ("100", 31), ("101", 31)),
        settings=(),
        actions=(
            Action("assign-issue", issue="101", value="dave@corp.example"),
            Action("resolve", issue="101"),
            Action("set-state", item=31, value="Active"),
            Action("unresolve", issue="101"),
            Action("assign-item", item=31, value="bob@corp.example"),
        ),
        troubles=((44, "dies-before"),),
        strays=((2, "late"),),
    )
    assert complaints(schedule) == []


def test_an_unknown_person_is_on_record_though_a_status_is_refused_all_the_while() -> None:
    """Issue 101 is resolved, and its work item, still Proposed, may not become Resolved as the mapping wants.

    While that is so, the work item is assigned to Carol, whom Sentry does not know. Both were refused, but
    the link had the same reason for attention as before, and so no entry named Carol.
    """
    schedule = Schedule(
        seed=38837,
        workers=1,
        second_kind=("Bug", "CMMI Works"),
        links=(("101", 32),),
        settings=("mapping=on",),
        actions=(
            Action("resolve", issue="101"),
            CALM,
            Action("assign-item", item=32, value="carol@corp.example"),
            CALM,
            Action("assign-item", item=32, value="eve@corp.example"),
        ),
    )
    assert complaints(schedule) == []


def test_somebody_is_waited_for_though_the_next_try_fails_for_another_reason() -> None:
    """Issue 100 is assigned to Dave, whom Azure DevOps does not know; when he is due again, he has joined.

    But that second try fails, since our credentials are not accepted. With that the link had forgotten that
    it waited for Dave: both ends counted as seen, and he was never tried again.
    """
    schedule = Schedule(
        seed=100290,
        workers=2,
        second_kind=("Bug", "CMMI Works"),
        links=(("100", 31),),
        settings=(),
        actions=(
            Action("assign-issue", issue="101", value="ann@home.example"),
            Action("archive", issue="100"),
            Action("assign-issue", issue="100", value="dave@corp.example"),
            Action("wait", value="400"),
            Action("join"),
        ),
        troubles=((24, "refuses-us"), (0, "throttled")),
    )
    assert complaints(schedule) == []


def test_an_edit_that_arrives_after_the_loss_of_its_item_makes_nobody_well() -> None:
    """Work item 31 is edited and deleted; the hook of the edit is handled after that of the deletion.

    The link said that the item is gone, and was then settled by what came along. Nobody looked again until
    the daily look, since the feed had told of the deletion already.
    """
    schedule = Schedule(
        seed=524,
        workers=2,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("101", 31),),
        settings=(),
        actions=(
            Action("set-state", item=31, value="Resolved"),
            Action("wait", value="70"),
            Action("set-state", item=31, value="New"),
            Action("delete-item", issue="101", item=31),
            Action("reconcile"),
            Action("wait", value="70"),
        ),
    )
    assert complaints(schedule) == []


def test_an_edit_that_arrives_after_a_later_one_that_failed_makes_nobody_well() -> None:
    """Work item 31 is set to Active, and then to a brand-new state; the second hook is handled first.

    Settling failed at rev 3, for the unknown state. Then rev 2 settled the link, which forgot that there was
    a later one; the feed had told of it already.
    """
    schedule = Schedule(
        seed=27934,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("101", 31),),
        settings=(),
        actions=(
            Action("set-state", item=31, value="Active"),
            Action("new-state"),
            Action("set-state", item=31, value="Verified"),
            Action("reconcile"),
        ),
    )
    assert complaints(schedule) == []


def test_a_worker_whose_claim_ran_out_writes_no_more() -> None:
    """Work item 31 is closed and assigned to Bob; the worker stands still after its write of the status.

    Two minutes later, with its claim long over, it wrote the assignee as well: over the one whom a person had
    chosen meanwhile, and whom another worker had recorded.
    """
    schedule = Schedule(
        seed=2040887,
        workers=2,
        second_kind=("Bug", "CMMI Works"),
        links=(("101", 31),),
        settings=(),
        actions=(
            Action("assign-issue", issue="101", value="dave@corp.example"),
            Action("set-state", item=31, value="Closed"),
            Action("configure", value="issue_sync=off"),
            Action("assign-item", item=31, value="bob@corp.example"),
        ),
        after_writes=((0, "frozen-after"),),
    )
    assert complaints(schedule) == []


def test_what_is_left_alone_is_on_record_though_the_worker_had_just_written_the_issue() -> None:
    """Issue 101 is archived after a worker resolved it, and before that worker could record the link.

    The worker looks again and records that the archived issue stays as it is. The witness took that record
    to be about the issue as the answer to the earlier write had shown it, and so it was the witness that
    was wrong: an answer is older than a later look.
    """
    schedule = Schedule(
        seed=2032570,
        workers=3,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("100", 31), ("100", 32), ("101", 32), ("101", 31)),
        settings=(),
        actions=(
            Action("set-state", item=31, value="Closed"),
            Action("new-state"),
            Action("set-state", item=31, value="Verified"),
            Action("archive", issue="101"),
            Action("assign-item", item=31, value="carol@corp.example"),
        ),
    )
    assert complaints(schedule) == []


def test_a_write_that_a_merge_led_to_another_issue_was_decided_on_the_merged_one() -> None:
    """Issue 101 is merged into the archived issue 100 between a worker's look at 101 and its write to 101.

    Sentry carries the write out on issue 100. The worker had read issue 100 as well, for another link, and so
    the witness took it to have overwritten an archive that it knew of. What it had decided on was 101 as it
    was before the merge: nobody can keep Sentry from taking such a write.
    """
    schedule = Schedule(
        seed=2106797,
        workers=2,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("100", 32), ("101", 32), ("101", 31), ("100", 31)),
        settings=(),
        actions=(
            Action("archive", issue="100"),
            Action("set-state", item=31, value="Closed"),
            Action("set-state", item=32, value="Resolved"),
            Action("merge", issue="101", item=31),
        ),
    )
    assert complaints(schedule) == []


def test_a_write_that_a_merge_led_to_another_issue_is_one_of_those_that_are_counted() -> None:
    """The same between other links: issue 101 is merged into 100 while work item 32 is carried to 101."""
    schedule = Schedule(
        seed=15,
        workers=2,
        second_kind=("Störung", "Tailored"),
        links=(("100", 31), ("101", 32), ("100", 32), ("101", 31)),
        settings=(),
        actions=(
            Action("assign-item", item=31, value="Build Service"),
            Action("archive", issue="100"),
            Action("set-state", item=32, value="Closed"),
            Action("wait", value="10"),
            Action("rename", issue="100", item=32),
            Action("merge", issue="101", item=32),
        ),
    )
    assert complaints(schedule) == []


def test_an_edit_to_the_very_value_that_is_being_written_is_one_of_those_that_are_counted() -> None:
    """Olive resolves issue 100 after a worker announced that it resolves it, and before it does.

    The write then changes nothing, and Sentry answers as to any other. When Ann has reopened work item 31 in
    the meantime, the issue is reopened, as it is after a write of ours.
    """
    schedule = Schedule(
        seed=1795855585,
        workers=3,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("101", 32), ("101", 31), ("100", 31), ("100", 32)),
        settings=(),
        actions=(
            Action("set-state", item=31, value="Resolved"),
            Action("set-state", item=31, value="Active"),
            Action("set-state", item=31, value="Verified"),
            Action("set-state", item=32, value="Closed"),
            Action("wait", value="1"),
            Action("resolve", issue="100"),
        ),
    )
    assert complaints(schedule) == []


def test_the_news_of_a_link_that_moves_meanwhile_goes_with_it() -> None:
    """Issue 100 was merged into 101, and work item 31 was closed; no hook told of it.

    A run finds both. While one worker has the link of work item 31 in hand, another one moves it to issue
    101, which says nothing of the work item. The first found the row gone and dropped its message, which no
    later run repeated: the full look that had found the change was made once.
    """
    schedule = Schedule(
        seed=2011,
        workers=2,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("100", 31), ("100", 32)),
        settings=(),
        actions=(
            Action("merge", issue="100", item=31),
            Action("set-state", item=32, value="Active"),
            Action("set-state", item=31, value="Closed"),
            Action("pass", value="600"),
        ),
        strays=((0, "lost"), (1, "lost")),
        run_troubles=((8, "dies-before"),),
    )
    assert complaints(schedule) == []


def test_an_issue_that_was_asked_for_singly_is_not_taken_for_compared() -> None:
    """Sentry forbids its list of issues, so that a worker asks for issue 101, and finds nothing new.

    Then it is assigned, which no hook told. For an hour each run found that, and took the message that had
    been handled for one on its way, as it had left the link as it was.
    """
    schedule = Schedule(
        seed=6368,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("101", 32),),
        settings=(),
        actions=(
            Action("outage", value="lists forbidden 900"),
            Action("pass", value="300"),
            Action("assign-issue", issue="101", value="ann@home.example"),
        ),
        strays=((0, "lost"),),
    )
    assert complaints(schedule) == []


@pytest.mark.long
def test_the_hour_in_which_a_link_may_follow_its_comment_goes_by_while_sentry_answers() -> None:
    """Issue 100 is merged into 101, and Sentry refuses us for longer than an hour just after 101's comment.

    The comment had waited for its link all that time, though nobody could learn of the merge. At the first
    answer of Sentry its hour was over, and it was given up.
    """
    schedule = Schedule(
        seed=1795874251,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("100", 31),),
        settings=("sync_comments=on",),
        actions=(
            Action("merge", issue="100"),
            Action("comment", issue="101"),
            Action("set-state", item=31, value="Active"),
            Action("assign-issue", issue="101", value="ann@home.example"),
            Action("comment", issue="100"),
            Action("outage", value="sentry refuses-us 3700"),
        ),
    )
    assert complaints(schedule) == []


def test_an_archived_issue_that_is_resolved_while_it_is_linked_is_copied_as_resolved() -> None:
    """Somebody links archived issue 100 to work item 32, copying the issue over, and resolves it meanwhile.

    The link was stored as if the issue had been resolved before it was archived. When it was read again, it
    was resolved, so its status had not changed and was not copied, and the ends disagreed for good.
    """
    schedule = Schedule(
        seed=6,
        workers=1,
        second_kind=("Bug", "CMMI Works"),
        links=(),
        settings=(),
        actions=(
            Action("archive", issue="100"),
            Action("link", issue="100", item=32, value="sentry"),
            Action("assign-item", item=32, value="eve@corp.example"),
            Action("set-state", item=32, value="Active"),
            Action("resolve", issue="100"),
        ),
    )
    assert complaints(schedule) == []


def test_an_item_that_is_done_and_open_again_before_anybody_looks_was_not_reopened() -> None:
    """Issues 100 and 101 share a Duplicate, are archived for it, and a person takes 101 out of the archive.

    The item is opened for 101, which goes no further: 100 stays archived. Then somebody closes the item as
    a Duplicate and reopens it at once. Nobody has seen it done, so nothing has changed for 100.
    """
    schedule = Schedule(
        seed=0,
        workers=1,
        second_kind=("Störung", "Tailored"),
        links=(("100", 31), ("101", 31)),
        settings=("archive_reasons=Duplicate",),
        actions=(
            Action("set-state", item=31, value="Closed:Duplicate"),
            Action("rest"),
            Action("unresolve", issue="101"),
            Action("rest"),
            Action("set-state", item=31, value="Closed:Duplicate"),
            Action("set-state", item=31, value="New"),
            Action("pass", value="300"),
        ),
    )
    assert complaints(schedule) == []


def test_a_hyperlink_is_a_revision_that_other_links_may_learn_of_by_the_next_run() -> None:
    """Issues 100, 101 and 102 share an item. Two workers put the hyperlinks of 101 and 102 on it at once.

    Whoever was first notes its own revision on the others, while the second one is there already. No hook
    tells them of that one, which changes no field; the run of the reconciler after it does.
    """
    schedule = Schedule(
        seed=0,
        workers=2,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("100", 31), ("101", 31), ("102", 31)),
        settings=(),
        actions=(
            Action("assign-item", item=32, value="eve@corp.example"),
            Action("assign-item", item=31, value="Build Service"),
            Action("outage", value="sentry throttled 120"),
            Action("set-state", item=32, value="Verified"),
            Action("resolve", issue="100"),
            Action("assign-issue", issue="101", value="ann@home.example"),
            Action("pass", value="600"),
        ),
    )
    assert complaints(schedule) == []


def test_an_issue_that_a_list_lacks_is_asked_for_though_it_was_when_the_list_was_refused() -> None:
    """Sentry forbids its list of issues, so that a worker asks for issue 101; then 101 is merged into 100.

    Once the list is answered again, 101 is not in it. That was taken for what had been asked about already,
    for an hour.
    """
    schedule = Schedule(
        seed=1795880317,
        workers=1,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("101", 31),),
        settings=(),
        actions=(
            Action("outage", value="lists forbidden 900"),
            Action("pass", value="300"),
            Action("merge", issue="101", item=32),
        ),
    )
    assert complaints(schedule) == []


def test_a_deletion_that_no_hook_told_is_news_to_a_link_that_is_not_well() -> None:
    """Work item 32's assignee is unknown to Sentry, so its link waits for its next try; then 32 is deleted.

    The feed showed that, but a link that waits was left alone until it was due, for up to an hour.
    """
    schedule = Schedule(
        seed=1795903360,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("100", 31), ("100", 32), ("101", 31)),
        settings=(),
        actions=(
            Action("assign-item", item=32, value="carol@corp.example"),
            Action("outage", value="lists forbidden 300"),
            Action("pass", value="1800"),
            Action("delete-item", issue="100", item=32),
        ),
        strays=((4, "lost"),),
    )
    assert complaints(schedule) == []


def test_a_state_that_the_process_does_not_list_is_not_known_to_be_removed() -> None:
    """Work item 33 is set to Removed, and its process lists that state no more; its issue is assigned.

    Nobody can know what the state counts as. It holds up the status alone, so the assignee is carried over.
    """
    schedule = Schedule(
        seed=1795912810,
        workers=1,
        second_kind=("Störung", "Tailored"),
        links=(("100", 32), ("100", 33)),
        settings=(),
        actions=(
            Action("assign-issue", issue="100", value="ann@home.example"),
            Action("set-state", item=33, value="Removed"),
            Action("forget-state", value="Removed"),
        ),
    )
    assert complaints(schedule) == []


def test_a_worker_of_an_ended_connection_takes_nothing_away_that_the_next_one_shows() -> None:
    """A worker about to show the link of issue 101 and item 31 stands still for two minutes.

    Meanwhile the organization is disconnected, connected again, and the two are linked again and shown. The
    worker woke, found its link gone, and took away what the new one shows.
    """
    schedule = Schedule(
        seed=1795926997,
        workers=3,
        second_kind=("Störung", "Tailored"),
        links=(("100", 32), ("101", 31)),
        settings=(),
        actions=(
            Action("resolve", issue="101"),
            Action("disconnect"),
            Action("connect", value="here"),
            Action("link", issue="101", item=31),
        ),
        troubles=((3, "frozen-after"),),
    )
    assert complaints(schedule) == []


def test_what_a_rule_made_for_an_issue_that_was_merged_meanwhile_shows_it_once() -> None:
    """A rule's item is created for issue 100, which becomes 101 before the two are linked.

    The link was made under the new id and knew nothing of the old one. So the item, which shows issue 100 as
    what it was made for, was given a second hyperlink.
    """
    schedule = Schedule(
        seed=0,
        workers=1,
        second_kind=("Bug", "CMMI Works"),
        links=(),
        settings=(),
        actions=(
            Action("set-state", item=31, value="Active"),
            Action("fire", issue="100"),
            Action("fire", issue="101", value="By name"),
            Action("fire", issue="100", value="Many users"),
            Action("merge", issue="100"),
        ),
    )
    assert complaints(schedule) == []


def test_what_a_rule_made_is_linked_though_another_rule_was_quicker_after_the_merge() -> None:
    """A rule's item is created for issue 100, and Azure DevOps is away before it is linked. 100 becomes 101.

    A rule fires for 101 and makes an item of its own, since nothing tells of the merge. When the message for
    100 came back, it found its issue linked, and left the first item alone for good.
    """
    schedule = Schedule(
        seed=0,
        workers=3,
        second_kind=("Bug", "CMMI Works"),
        links=(),
        settings=(),
        actions=(
            Action("fire", issue="100"),
            Action("resolve", issue="101"),
            Action("fire", issue="101", value="By name"),
            Action("fire", issue="100", value="Many users"),
            Action("merge", issue="100"),
            Action("set-state", item=33, value="Closed"),
            Action("fire", issue="101"),
            Action("resolve", issue="101"),
            Action("outage", value="ado silent 900"),
        ),
    )
    runs = (World(replace(schedule, seed=order)).run() for order in range(10))
    assert [each for each in runs if each] == []


def test_what_a_rule_made_and_linked_before_the_merge_is_linked_once() -> None:
    """The worker that linked a rule's item fails to say so, and the issue is merged before another looks.

    That one linked the item under the new id as well. As the old link followed, it met the new one and ended,
    and took away what showed that the item was made for the issue.
    """
    schedule = Schedule(
        seed=1,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(),
        settings=(),
        actions=(Action("fire", issue="100", value="New errors"), CALM, Action("merge", issue="100")),
        troubles=((20, "fails"),),
    )
    runs = [World(replace(schedule, troubles=((call, "fails"),))).run() for call in range(10, 30)]
    assert [each for each in runs if each] == []


def test_an_item_that_is_closed_before_it_is_linked_resolves_its_issue() -> None:
    """Somebody closes what a rule has just created, before the two are linked.

    They were linked as they stood, like two that a person links, and differed from then on.
    """
    schedule = Schedule(
        seed=106,
        workers=2,
        second_kind=("Störung", "Tailored"),
        links=(),
        settings=(),
        actions=(
            Action("fire", issue="101", value="Many users"),
            Action("fire", issue="101", value="Many users"),
            Action("fire", issue="100", value="By name"),
            Action("assign-issue", issue="100", value="bob@corp.example"),
            Action("set-state", item=33, value="Closed"),
        ),
    )
    assert complaints(schedule) == []


def test_a_regression_is_told_though_its_issue_was_merged_meanwhile() -> None:
    """Issue 100 happens again, both its items are reopened, and it becomes 101 at that moment.

    The message that was to tell them looked for the links under the new id only, to which they had not
    moved yet, and took them for unlinked.
    """
    schedule = Schedule(
        seed=10,
        workers=1,
        second_kind=("Störung", "Tailored"),
        links=(("100", 31), ("100", 32)),
        settings=("sync_comments=on",),
        actions=(
            Action("resolve", issue="100"),
            Action("rest"),
            Action("regress", issue="100"),
            Action("comment", issue="101"),
            Action("comment", issue="101"),
            Action("merge", issue="100"),
        ),
    )
    assert complaints(schedule) == []


def test_a_worker_creates_nothing_for_a_connection_that_was_ended_meanwhile() -> None:
    """Somebody disconnects the organization while a rule's message is at work, for which an item was made.

    The records of that went first. So the worker found none, and created another item.
    """
    schedule = Schedule(
        seed=4,
        workers=2,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(),
        settings=(),
        actions=(
            Action("fire", issue="100", value="By name"),
            CALM,
            Action("fire", issue="100", value="By name"),
            Action("disconnect"),
        ),
    )
    runs = (World(replace(schedule, seed=order)).run() for order in range(30))
    assert [each for each in runs if each] == []


def test_ends_that_were_read_before_a_link_was_stored_are_no_younger_than_that() -> None:
    """A rule's item is linked to issue 100, which was resolved; another link copies its open item over.

    The copy opened the issue before the rule's link was settled with the ends as they had been read. They
    were taken for read just then, so the copy was forgotten as ours, and travelled on to the rule's item.
    """
    schedule = Schedule(
        seed=9,
        workers=2,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(),
        settings=(),
        actions=(
            Action("archive", issue="100"),
            *[Action("fire", issue="100", value="New errors")] * 4,
            Action("link", issue="100", item=32, value="ado"),
            Action("resolve", issue="100"),
        ),
    )
    assert complaints(schedule) == []


def test_whoever_unlinks_in_the_moment_of_linking_leaves_no_half() -> None:
    """A person unlinks issue 100 from what a rule is just about to link it to.

    The row by work item was not there yet when it was looked for, and the row by issue was: it alone was
    deleted. So the link lived on and was found by nobody who asked for the links of its issue.
    """
    schedule = Schedule(
        seed=13,
        workers=2,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(),
        settings=(),
        actions=(
            Action("fire", issue="100"),
            Action("fire", issue="101", value="New errors"),
            *[Action("fire", issue="100", value="Many users")] * 2,
            Action("unlink", issue="100", item=33),
            *[Action("fire", issue="100", value="Many users")] * 2,
            Action("unlink", issue="101", item=33),
        ),
        troubles=((8, "slow"),),
    )
    assert complaints(schedule) == []


def test_a_worker_that_links_in_a_connection_which_has_just_ended_is_not_in_the_next() -> None:
    """The document names another organization while a worker creates a rule's item in the one before.

    The witness was wrong: it took the link for one of the organization that was named when it was stored.
    """
    schedule = Schedule(
        seed=1,
        workers=2,
        second_kind=("Störung", "Tailored"),
        links=(),
        settings=(),
        actions=(
            Action("fire", issue="101", value="Many users"),
            Action("fire", issue="101", value="Many users"),
            Action("fire", issue="100", value="By name"),
            Action("assign-issue", issue="101", value="bob@corp.example"),
            Action("fire", issue="100"),
            Action("repoint", value="there drop"),
            Action("fire", issue="100", value="By name"),
        ),
    )
    assert complaints(schedule) == []


def test_an_issue_that_is_merged_while_its_item_is_linked_may_be_written_for() -> None:
    """Issue 100 was resolved before its rule's item was linked, and is merged into 101 at that moment.

    The witness was wrong: it compared what the link had seen with 101, which was open all along.
    """
    schedule = Schedule(
        seed=1,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(),
        settings=(),
        actions=(
            Action("fire", issue="100"),
            Action("fire", issue="100"),
            Action("resolve", issue="100"),
            Action("assign-item", item=32, value="Build Service"),
            Action("merge", issue="100"),
        ),
    )
    assert complaints(schedule) == []


def test_what_its_maker_has_read_is_news_to_a_link_though_it_has_passed_meanwhile() -> None:
    """Issue 101 is resolved, so is read by whoever makes its item, and is open again before they are linked.

    The witness was wrong: it compared what the link had seen with how the issue stood then.
    """
    schedule = Schedule(
        seed=3,
        workers=3,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("100", 31), ("100", 32)),
        settings=(),
        actions=(
            Action("fire", issue="101", value="Tailored"),
            Action("resolve", issue="101"),
            Action("unresolve", issue="100"),
            Action("fire", issue="100", value="New errors"),
            Action("merge", issue="100"),
            Action("fire", issue="100", value="New errors"),
            Action("unresolve", issue="100"),
        ),
    )
    assert complaints(schedule) == []


def test_a_state_that_was_added_a_moment_ago_is_not_known_to_everybody() -> None:
    """A state that counts as resolved is added, and set; then the issue is resolved by a person.

    The witness was wrong: a process is read again after half a minute, and until then a changed issue takes
    its item out of a state that nobody knows.
    """
    schedule = Schedule(
        seed=1796124272,
        workers=2,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("101", 31), ("100", 31)),
        settings=(),
        actions=(
            Action("set-state", item=31, value="Verified"),
            Action("unresolve", issue="101"),
            Action("merge", issue="100", item=32),
            Action("set-state", item=31, value="Active"),
            Action("assign-issue", issue="100", value="dave@corp.example"),
            Action("archive", issue="100"),
            Action("assign-item", item=31, value="bob@corp.example"),
            Action("reconcile"),
            Action("set-state", item=31, value="Active"),
            Action("new-state"),
            Action("set-state", item=31, value="Verified"),
            Action("resolve", issue="101"),
        ),
    )
    assert complaints(schedule) == []


def test_a_value_that_was_announced_and_whose_write_may_have_landed_cannot_be_told_from_ours() -> None:
    """Work item 33 is assigned to Bob by a person, while a worker is about to do the same for issue 102.

    Azure DevOps is away, so nobody learns whether that write landed. When it is back, Bob stands there.
    """
    schedule = Schedule(
        seed=1795899302,
        workers=1,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(
            ("102", 33), ("102", 35), ("103", 33), ("102", 34),
            ("101", 31), ("103", 32), ("104", 35), ("103", 35),
        ),
        settings=(),
        actions=(
            Action("set-state", item=33, value="Closed"),
            Action("assign-issue", issue="102", value="bob@corp.example"),
            Action("outage", value="ado fails 300"),
            Action("assign-item", item=33, value="bob@corp.example"),
            Action("assign-issue", issue="103", value="ann@home.example"),
        ),
    )  # fmt: skip
    assert complaints(schedule) == []


def test_a_worker_that_stood_still_brings_back_nothing_that_a_person_unlinked() -> None:
    """A worker creates a rule's item and stands still; another one links it, and a person unlinks it.

    The first had looked whether somebody had parted the two, and linked them again two minutes later.
    """
    schedule = Schedule(
        seed=1795899862,
        workers=3,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(),
        settings=(),
        actions=(
            Action("fire", issue="100"),
            Action("pass", value="70"),
            Action("unlink", issue="100", item=33),
        ),
        troubles=((19, "frozen-after"),),
    )
    assert complaints(schedule) == []


def test_a_worker_that_stood_still_links_nothing_under_an_id_that_the_issue_had() -> None:
    """A worker stands still before it links a rule's item; the issue is merged, and another links it.

    It linked the item under the old id. When that link followed the issue, the item no longer showed it.
    """
    schedule = Schedule(
        seed=1795874249,
        workers=3,
        second_kind=("Bug", "CMMI Works"),
        links=(),
        settings=(),
        actions=(
            Action("fire", issue="101"),
            Action("calm"),
            Action("merge", issue="101"),
        ),
        troubles=((33, "frozen"),),
    )
    assert complaints(schedule) == []


@pytest.mark.parametrize(
    "actions",
    [
        (Action("damage", "100", 31, "link"), Action("resolve", "101")),
        (
            Action("resolve", "101"),
            Action("calm"),
            Action("damage", "101", 31, "link"),
            Action("resolve", "100"),
        ),
    ],
)
def test_a_partner_whose_link_nobody_can_read_is_waited_for(actions: tuple[Action, ...]) -> None:
    """It counts as not done; the witness took whoever waited for it for one that waits for nobody."""
    schedule = Schedule(
        seed=1795884710,
        workers=1,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("101", 31), ("100", 31)) if len(actions) > 2 else (("101", 31),),
        settings=(),
        actions=actions,
    )
    assert complaints(schedule) == []


def test_a_late_snapshot_does_not_settle_what_a_later_one_told_during_an_outage() -> None:
    """A failure with the earlier revision took back that a later one was known, so nobody looked for it."""
    schedule = Schedule(
        seed=1796135650,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("100", 31),),
        settings=(),
        actions=(
            Action("assign-item", item=31, value="Build Service"),
            Action("outage", value="sentry throttled 900"),
        ),
    )
    assert complaints(schedule) == []


def test_a_link_that_is_not_asked_about_on_another_ones_account_has_its_turn_next() -> None:
    """It kept its old trouble and its steps, came last again, and was put off by an hour each time."""
    schedule = Schedule(
        seed=1796136773,
        workers=1,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("100", 32), ("103", 32)),
        settings=(),
        actions=(
            Action("forbid", issue="100"),
            Action("archive", issue="100"),
            Action("pass", value="1800"),
            Action("garble", issue="103"),
            Action("allow", issue="100"),
        ),
    )
    assert complaints(schedule) == []


def test_a_comment_that_is_deleted_long_after_an_outage_is_a_revision_of_its_own() -> None:
    """The witness took the runs since the end of the outage for runs that had not found it."""
    schedule = Schedule(
        seed=1795890583,
        workers=1,
        second_kind=("Störung", "Tailored"),
        links=(("100", 31),),
        settings=("sync_comments=on",),
        actions=(
            Action("outage", value="ado fails 3700"),
            Action("comment", issue="100"),
            Action("delete-comment", issue="100"),
        ),
    )
    assert complaints(schedule) == []


def test_a_lost_token_and_a_feed_that_is_late_delay_what_no_hook_told() -> None:
    """After an outage of the lists, an edit of which no hook tells, and a feed that shows it 400 seconds
    later and answers its lost token with 500.

    The witness took all the delay for the outage's.
    """
    schedule = Schedule(
        seed=1795952063,
        workers=1,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("101", 31), ("101", 32), ("102", 32)),
        settings=(),
        actions=(
            Action("outage", value="lists refused 300"),
            Action("lag", value="400"),
            Action("pass", value="300"),
            Action("lose-tokens", value="500"),
            Action("set-state", item=32, value="Closed"),
        ),
        strays=((3, "lost"), (4, "lost")),
    )
    assert complaints(schedule) == []


def test_what_a_deleted_work_item_showed_is_taken_away_once_it_is_restored() -> None:
    """The link of a merged issue ended while its work item was deleted, and its hyperlink stayed."""
    schedule = Schedule(
        seed=1796219605,
        workers=1,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("100", 32), ("101", 32)),
        settings=(),
        actions=(
            Action("pass", value="300"),
            Action("merge", issue="101", item=32),
            Action("delete-item", issue="101", item=32),
            Action("pass", value="1800"),
            Action("restore-item", issue="100", item=32),
        ),
    )
    assert complaints(schedule) == []


def test_a_link_is_passed_by_once_however_many_steps_its_own_trouble_took() -> None:
    """Issue 103 could not be read for half an hour; when it could, 102 could not.

    Sentry gave no usable answer about 102, which had been tried less, so nobody asked about 103, three hours
    long.
    """
    schedule = Schedule(
        seed=1795972009,
        workers=1,
        second_kind=("Störung", "Tailored"),
        links=(("102", 33), ("103", 33)),
        settings=(),
        actions=(
            Action("garble", issue="103"),
            Action("archive", issue="103"),
            Action("pass", value="1800"),
            Action("garble", issue="102"),
            Action("allow", issue="103"),
        ),
    )
    assert complaints(schedule) == []


def test_a_deletion_that_only_the_list_shows_is_news_to_a_link_that_is_not_well() -> None:
    """The feed is refused, the assignee of work item 31 unknown to Sentry, and no hook tells its deletion."""
    schedule = Schedule(
        seed=1796226210,
        workers=1,
        second_kind=("Störung", "Tailored"),
        links=(("100", 31),),
        settings=(),
        actions=(
            Action("outage", value="lists forbidden 300"),
            Action("assign-item", item=31, value="eve@corp.example"),
            Action("pass", value="1800"),
            Action("refuse-feed", value="404"),
            Action("delete-item", issue="101", item=31),
        ),
        strays=((2, "lost"),),
    )
    assert complaints(schedule) == []


def test_an_item_that_was_open_all_the_time_is_not_reopened_by_another_open_state() -> None:
    """Issue 100 is archived as item 31 is a duplicate; item 32, which was never closed, goes on.

    The witness took that for the reopening that takes an issue out of the archive.
    """
    schedule = Schedule(
        seed=1796010914,
        workers=1,
        second_kind=("Störung", "Tailored"),
        links=(("100", 31), ("100", 32)),
        settings=("done_when=any", "archive_reasons=Duplicate"),
        actions=(
            Action("set-state", item=31, value="Closed:Duplicate"),
            Action("pass", value="300"),
            Action("set-state", item=32, value="In Klärung"),
        ),
    )
    assert complaints(schedule) == []


def test_a_comment_on_an_issue_that_is_merged_on_goes_where_that_one_is_linked() -> None:
    """Issue 102 is merged into 100, which is merged into 101 before the link of 102 has come over.

    The comment on 100 went to the work item of 101; the witness asked for it on that of 102 as well.
    """
    schedule = Schedule(
        seed=1,
        workers=1,
        second_kind=("Störung", "Tailored"),
        links=(("102", 32), ("101", 33)),
        settings=("sync_comments=on",),
        actions=(
            Action("merge", issue="102"),
            Action("comment", issue="100"),
            Action("merge", issue="100"),
        ),
    )
    assert complaints(schedule) == []


def test_a_link_whose_issue_is_gone_still_shows_the_name_from_before_the_merge() -> None:
    """Issue 100 is merged into 101, which is deleted before the hyperlink of the moved link was renewed.

    The link says that its issue is gone; the witness took the hyperlink for one of no link.
    """
    schedule = Schedule(
        seed=5,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("102", 31), ("100", 31)),
        settings=(),
        actions=(
            Action("merge", issue="100", item=31),
            Action("pass", value="300"),
            Action("delete-issue", issue="101", item=31),
        ),
    )
    assert complaints(schedule) == []


def test_a_reason_that_a_person_changes_is_not_swallowed_by_our_hyperlink() -> None:
    """Work item 31 becomes a duplicate while its issues are resolved, just before it gets their hyperlinks.

    The revision of a hyperlink counted as seen, as state and assignee were the same, and the new reason too.
    """
    schedule = Schedule(
        seed=1796378157,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("100", 31), ("101", 31), ("102", 31), ("103", 31)),
        settings=("archive_reasons=Duplicate",),
        actions=(
            Action("set-state", item=31, value="Closed"),
            Action("unresolve", issue="100"),
            Action("set-state", item=31, value="Closed:Duplicate"),
            Action("pass", value="300"),
        ),
    )
    assert complaints(schedule) == []


def test_an_item_that_may_be_removed_is_assigned_to_nobody() -> None:
    """Work item 32 becomes Removed while its issue is assigned, and its process cannot be read.

    An assignee waits for no status, so the item was assigned, although it was Removed.
    """
    schedule = Schedule(
        seed=1796467737,
        workers=2,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("101", 32), ("101", 31)),
        settings=(),
        actions=(
            Action("resolve", issue="101"),
            Action("set-state", item=32, value="Removed"),
            Action("assign-issue", issue="101", value="ann@home.example"),
            Action("set-state", item=31, value="Removed"),
            Action("resolve", issue="101"),
            Action("set-state", item=31, value="Verified"),
            Action("resolve", issue="101"),
            Action("set-state", item=31, value="Removed"),
        ),
        troubles=((28, "throttled"),),
    )
    assert complaints(schedule) == []


def test_two_issues_that_cannot_be_read_keep_no_other_from_its_turn() -> None:
    """Of the four issues at work item 31, Sentry's answers about 102 and 103 cannot be read.

    Whichever of the two had been passed by came before what was well, failed, and the well ones were passed
    by; so these said in every other turn that they were pending.
    """
    schedule = Schedule(
        seed=1796546601,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("101", 31), ("102", 31), ("103", 31), ("105", 31)),
        settings=(),
        actions=(
            Action("garble", issue="103"),
            Action("garble", issue="102"),
            Action("assign-issue", issue="103", value="dave@corp.example"),
        ),
    )
    assert complaints(schedule) == []


def test_a_comment_outlives_an_hour_without_storage() -> None:
    """Issue 100 is merged into 101, and storage is away for more than an hour.

    The comment on 101 waited for an hour at most for the link to follow, and that nobody could see a merge
    meanwhile counted only where Sentry was away.
    """
    schedule = Schedule(
        seed=2,
        workers=3,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("100", 31),),
        settings=("sync_comments=on",),
        actions=(
            Action("comment", issue="101"),
            Action("merge", issue="100"),
            Action("comment", issue="100"),
            Action("comment", issue="101"),
            Action("outage", value="tables refuses-us 3700"),
        ),
    )
    assert complaints(schedule) == []


def test_a_copy_that_is_still_to_be_made_reads_the_work_item() -> None:
    """A rule makes work item 33 of issue 100, and a person assigns it before the two are linked.

    The worker stood still between linking and copying. Another one copied the issue, of which our own copy of
    another link had taken the assignee: it believed that it knew the work item, and unassigned it.
    """
    schedule = Schedule(
        seed=1797511294,
        workers=2,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(),
        settings=(),
        actions=(
            Action("fire", issue="100", value="By name"),
            Action("fire", issue="100", value="By name"),
            Action("fire", issue="100", value="By name"),
            Action("assign-issue", issue="100", value="bob@corp.example"),
            Action("link", issue="100", item=32, value="ado"),
            Action("fire", issue="101"),
            Action("assign-item", item=33, value="bob@corp.example"),
        ),
        troubles=((47, "frozen-after"),),
        strays=((5, "lost"), (8, "lost")),
    )
    assert complaints(schedule) == []


def test_a_merged_issue_whose_link_does_not_follow_shows_what_its_survivor_does() -> None:
    """Work item 32 is deleted, so the link of issue 101 is asked for daily, and follows no merge meanwhile.

    The witness took it for an issue of its own, which became done with a work item of another one.
    """
    schedule = Schedule(
        seed=1797601855,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("101", 32), ("102", 31)),
        settings=(),
        actions=(
            Action("delete-item", issue="100", item=32),
            Action("rest"),
            Action("merge", issue="101", item=31),
            Action("rest"),
            Action("set-state", item=31, value="Resolved"),
            Action("rest"),
        ),
    )
    assert complaints(schedule) == []


def test_a_worker_that_stood_still_writes_by_what_it_had_read() -> None:
    """Worker 004 reads work item 31 and stands still until its hyperlink is gone.

    The double gave it the revision of now with the relations of then, so that it asked for one too many.
    """
    schedule = Schedule(
        seed=1797139907,
        workers=2,
        second_kind=("Bug", "CMMI Works"),
        links=(("100", 31), ("100", 32)),
        settings=(),
        actions=(
            Action("unlink", issue="100", item=31),
            Action("assign-item", item=31, value="carol@corp.example"),
            Action("wait", value="1"),
        ),
        troubles=((32, "frozen-after"),),
    )
    assert complaints(schedule) == []


def test_a_mapping_of_a_project_that_is_elsewhere_is_refused() -> None:
    """A document that maps the states of a project leads to another organization, without that project."""
    schedule = Schedule(
        seed=5,
        workers=1,
        second_kind=("Bug", "CMMI Works"),
        links=(),
        settings=(),
        actions=(Action("configure", value="mapping=on"), Action("repoint", value="there drop")),
    )
    assert complaints(schedule) == []


def test_an_issue_is_resolved_again_once_what_reopened_it_is_left_out() -> None:
    """A person removes item 33, which reopens its issue; item 31 waits to see that done, and nobody is open.

    Item 31 had been closed for its other issue. The witness took this for a second hop.
    """
    schedule = Schedule(
        seed=4,
        workers=1,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("100", 31), ("101", 31), ("101", 32), ("101", 33)),
        settings=(),
        actions=(
            Action("resolve", issue="101"),
            Action("resolve", issue="100"),
            Action("rest"),
            Action("assign-issue", issue="101", value="ann@home.example"),
            Action("set-state", item=33, value="Removed"),
        ),
    )
    assert complaints(schedule) == []


def test_who_closes_and_opens_what_we_had_opened_has_changed_nothing() -> None:
    """We open item 31 for issue 103; a person closes and opens it again, and no hook tells of either.

    What we had archived for it stays so for the other issues. The witness took that for left behind.
    """
    schedule = Schedule(
        seed=1795920781568,
        workers=1,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("100", 31), ("101", 31), ("102", 31), ("103", 31)),
        settings=("archive_reasons=Duplicate",),
        actions=(
            Action("set-state", item=31, value="Closed:Duplicate"),
            Action("pass", value="300"),
            Action("unresolve", issue="103"),
            Action("pass", value="300"),
            Action("assign-issue", issue="101", value="team"),
            Action("resolve", issue="102"),
            Action("set-state", item=31, value="Closed:Duplicate"),
            Action("set-state", item=31, value="New"),
        ),
        strays=((12, "lost"), (9, "lost")),
    )
    assert complaints(schedule) == []


def test_a_write_that_a_merge_leads_to_an_issue_is_not_its_last_if_another_came_later() -> None:
    """Worker 018 assigns issue 100, which has just been merged into 101; worker 020 assigns 101 after that.

    What 018 recorded last made the value of 020 look like a person's.
    """
    schedule = Schedule(
        seed=0,
        workers=2,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("101", 32), ("100", 32), ("101", 31), ("100", 31)),
        settings=(),
        actions=(
            Action("resolve", issue="100"),
            Action("assign-item", item=31, value="bob@corp.example"),
            Action("unresolve", issue="100"),
            Action("unresolve", issue="101"),
            Action("configure", value="sync_forward_assignment=on"),
            Action("assign-item", item=32, value="ann@corp.example"),
            Action("assign-item", item=31, value="bob@corp.example"),
            Action("wait", value="4000"),
            Action("rename", issue="100", item=32),
            Action("merge", issue="100", item=31),
        ),
    )
    assert complaints(schedule) == []


def test_who_archives_anew_what_we_archived_after_our_look_is_overwritten_unseen() -> None:
    """Worker 012 sees what we archived for item 31, which is New again. Before it writes, a person opens the
    issue and archives it. Sentry has no versions: no worker could tell. The witness said one could have.
    """
    schedule = Schedule(
        seed=1795925637567,
        workers=2,
        second_kind=("Bug", "CMMI Works"),
        links=(("100", 31),),
        settings=("archive_reasons=Duplicate",),
        actions=(
            Action("set-state", item=31, value="Closed:Duplicate"),
            Action("set-state", item=31, value="Closed:Duplicate"),
            Action("set-state", item=31, value="Closed:Duplicate"),
            Action("set-state", item=31, value="New"),
            Action("unresolve", issue="100"),
            Action("archive", issue="100"),
        ),
    )
    assert complaints(schedule) == []


def test_a_link_that_lost_its_turn_to_a_broken_one_waits_no_whole_step_more() -> None:
    """Work item 32 could not be read for half an hour; issue 101, which shares it, can never be read.

    An hour later the message asked for 101 first, so nobody asked for 32, which had to wait for another hour.
    """
    schedule = Schedule(
        seed=15,
        workers=2,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("100", 32), ("101", 31), ("101", 32), ("101", 33)),
        settings=(),
        actions=(
            Action("garble", item=32),
            Action("garble", issue="101"),
            Action("pass", value="1800"),
            Action("assign-issue", issue="101", value="bob@corp.example"),
            Action("allow", item=32),
        ),
    )
    assert complaints(schedule) == []


def test_an_issue_that_was_done_before_it_was_archived_leaves_open_items_behind_too() -> None:
    """Item 33 is open while 31 resolves the issue and 32 archives it; then 33 is closed and opened in one go.

    Nobody sees it closed, so nothing brings the issue back. The witness knew that of open issues alone.
    """
    schedule = Schedule(
        seed=1,
        workers=1,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("100", 31), ("100", 32), ("100", 33)),
        settings=("done_when=any", "archive_reasons=Duplicate"),
        actions=(
            Action("set-state", item=31, value="Closed"),
            Action("rest"),
            Action("set-state", item=32, value="Closed:Duplicate"),
            Action("pass", value="300"),
            Action("set-state", item=33, value="Closed"),
            Action("set-state", item=33, value="New"),
        ),
    )
    assert complaints(schedule) == []


def test_of_two_forms_at_once_one_link_stays() -> None:
    """Two forms link issue 100, one of them to an item that was linked before.

    Each took its time before it stored, and parted what was earlier: the one looked before the other had
    stored, the other found a later one. Both links stayed.
    """
    schedule = Schedule(
        seed=3,
        workers=1,
        second_kind=("Störung", "Tailored"),
        links=(("100", 31), ("101", 31)),
        settings=(),
        actions=(
            Action("form-link", issue="101", item=32, value="sentry"),
            Action("calm"),
            Action("form-link", issue="100", item=31),
            Action("form-link", issue="100", item=32, value="ado"),
        ),
    )
    assert complaints(schedule) == []


def test_what_was_made_for_an_issue_shows_the_link_of_the_one_it_was_merged_into() -> None:
    """Both issues were linked to what the form had made for 101 by the time that the link of 101 moved.

    What was left of it took the mark from the hyperlink that showed the other link.
    """
    schedule = Schedule(
        seed=14,
        workers=1,
        second_kind=("Bug", "CMMI Works"),
        links=(("101", 32),),
        settings=(),
        actions=(
            Action("form-create", issue="101", value="Task"),
            Action("merge", issue="101"),
            Action("form-again"),
        ),
    )
    assert complaints(schedule) == []


def test_a_link_that_is_made_again_after_a_merge_shows_once() -> None:
    """The form made item 33 for issue 100, which was merged; its link was removed, and made once more.

    While one worker showed the new link, another one had shown it already and forgotten the old name. So the
    first one added a second hyperlink.
    """
    schedule = Schedule(
        seed=1020804,
        workers=3,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(),
        settings=(),
        actions=(
            Action("form-create", issue="100", value="Task"),
            Action("merge", issue="100"),
            Action("form-again"),
            Action("unlink", issue="101", item=33),
        ),
    )
    assert complaints(schedule) == []


def test_who_waited_for_another_link_goes_on_when_a_form_replaces_it() -> None:
    """Item 32 is opened for issue 100, and closed again for 101 once a form has linked 100 to another item.

    Issue 101 did not change meanwhile. The witness did not know that a link which waits may write when the
    other one ends.
    """
    schedule = Schedule(
        seed=5008,
        workers=1,
        second_kind=("Bug", "CMMI Works"),
        links=(),
        settings=(),
        actions=(
            Action("set-state", item=32, value="Closed"),
            Action("resolve", issue="101"),
            Action("form-link", issue="101", item=32),
            Action("form-link", issue="100", item=32, value="sentry"),
            Action("calm"),
            Action("form-create", issue="100", value="Task"),
        ),
    )
    assert complaints(schedule) == []


def test_a_link_is_not_made_of_what_was_read_before_a_write_whose_answer_was_lost() -> None:
    """The form creates an item for issue 100 and reads it; meanwhile we assign it to Ann, for item 31.

    Azure DevOps takes twelve seconds. Sentry's answer to our write is lost, and what shows is known as ours,
    but not since when: so the link was made of what was read before, and Ann was taken for a person's choice.
    """
    schedule = Schedule(
        seed=1795942403544,
        workers=3,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("100", 31),),
        settings=(),
        actions=(
            Action("form-create", issue="100", value="Task"),
            Action("form-link", issue="100", item=32),
            Action("remove-entry", issue="100"),
            Action("pass", value="300"),
            Action("form-create", issue="100", value="Bug"),
            Action("assign-item", item=31, value="ann@corp.example"),
            Action("assign-issue", issue="100", value="bob@corp.example"),
        ),
        troubles=((165, "slow"),),
        after_writes=((2, "answer-and-wait"),),
    )
    assert complaints(schedule) == []


def test_what_a_frozen_worker_made_is_found_beside_what_an_earlier_connection_had() -> None:
    """A rule makes item 33 for issue 101. The organization is removed, comes again, and a rule makes item 34.

    Its worker stands still. Clocks may differ by minutes, so the next one found both, and linked the older.
    """
    schedule = Schedule(
        seed=6,
        workers=3,
        second_kind=("Bug", "CMMI Works"),
        links=(),
        settings=(),
        actions=(
            Action("fire", issue="101", value="By name"),
            Action("calm"),
            Action("disconnect"),
            Action("fire", issue="101", value="Tailored"),
            Action("fire", issue="101", value="Many users"),
            Action("configure", value="sync_status_forward=on"),
            Action("fire", issue="101", value="By name"),
        ),
        after_writes=((1, "frozen-after"),),
    )
    assert complaints(schedule) == []


def test_who_waits_for_an_item_that_looks_as_it_was_seen_is_no_law() -> None:
    """Item 32 goes back to an earlier revision, and is Removed at the very one that was seen.

    Nobody can tell the two apart, so its partner goes on waiting. The witness knew that of ends alone.
    """
    schedule = Schedule(
        seed=1,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("100", 31), ("100", 32)),
        settings=(),
        actions=(
            Action("calm"),
            Action("restore-backup", item=32),
            Action("set-state", item=31, value="Resolved"),
            Action("set-state", item=32, value="Removed"),
        ),
    )
    assert complaints(schedule) == []


def test_a_state_at_a_revision_that_was_seen_otherwise_is_no_rewriting() -> None:
    """Item 31 goes back to revision 1, which our hyperlink had made 2, and a person resolves it there anew.

    Nobody can tell that revision 2 from the one that was seen, so the issue's own resolution closes it.
    """
    schedule = Schedule(
        seed=2,
        workers=1,
        second_kind=("Bug", "CMMI Works"),
        links=(("100", 31),),
        settings=(),
        actions=(
            Action("restore-backup", item=31),
            Action("resolve", issue="100"),
            Action("set-state", item=31, value="Resolved"),
        ),
    )
    assert complaints(schedule) == []


def test_an_item_is_found_gone_though_somebody_looked_at_it_within_the_hour() -> None:
    """A list of work items had no answer, so item 31 was asked for by itself. Later it is deleted.

    That look had changed nothing, so its message seemed to be on its way, and none was put for the deletion.
    """
    schedule = Schedule(
        seed=1795964342859,
        workers=1,
        second_kind=("Bug", "Fabrikam-Fiber"),
        links=(("100", 31), ("101", 31), ("102", 31), ("103", 31), ("104", 31), ("105", 31)),
        settings=(),
        actions=(Action("pass", value="1800"), Action("delete-item", issue="102", item=31)),
        strays=((6, "lost"),),
        run_troubles=((22, "answer-lost"),),
    )
    assert complaints(schedule) == []


def test_an_issue_is_archived_once_its_other_item_is_removed() -> None:
    """Item 31 is done for a reason that archives, and waits for item 32, which is Removed: nobody is left.

    The witness knew only of items that are done in the usual way.
    """
    schedule = Schedule(
        seed=1785966982707,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("102", 32), ("102", 31)),
        settings=("archive_reasons=Duplicate",),
        actions=(
            Action("set-state", item=31, value="Closed:Duplicate"),
            Action("rest"),
            Action("set-state", item=32, value="Removed"),
            Action("rest"),
        ),
    )
    assert complaints(schedule) == []


def test_nothing_is_said_to_agree_while_nobody_knows_what_a_state_counts_as() -> None:
    """Item 32 resolves the issue, and item 33 moves while the states of its project cannot be read.

    Had that state been done, it would have agreed, so that was said; and later nothing told why it is apart.
    """
    schedule = Schedule(
        seed=1795966648738,
        workers=1,
        second_kind=("Task", "Fabrikam-Fiber"),
        links=(("100", 31), ("100", 32), ("100", 33)),
        settings=("done_when=any",),
        actions=(
            Action("set-state", item=32, value="Closed"),
            Action("assign-issue", issue="100", value="dave@corp.example"),
            Action("outage", value="ado fails 300"),
            Action("resolve", issue="100"),
            Action("set-state", item=33, value="Active"),
        ),
    )
    assert complaints(schedule) == []


def test_a_form_may_be_sent_again_once_its_entry_was_removed_though_the_item_was_unlinked_before() -> None:
    """A form makes item 33, which is unlinked while another form links it, and is removed in Sentry then.

    The witness took the unlinking for the last word.
    """
    schedule = Schedule(
        seed=4,
        workers=1,
        second_kind=("Bug", "CMMI Works"),
        links=(),
        settings=(),
        actions=(
            Action("form-create", issue="101", value="Bug"),
            Action("pass", value="300"),
            Action("unlink", issue="101", item=33),
            Action("form-create", issue="101", value="Task"),
            Action("pass", value="300"),
            Action("remove-entry", issue="101"),
            Action("pass", value="300"),
            Action("form-create", issue="101", value="Bug"),
        ),
    )
    assert complaints(schedule) == []
