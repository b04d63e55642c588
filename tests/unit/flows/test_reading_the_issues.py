"""How the reconciler reads Sentry's issues: in batches, in turn, within its calls, past what is forbidden."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from shared.domain.errors import Throttled, Unauthorized, Unavailable
from shared.domain.model import Claim, FormEntry, FoundIssues, Health, HealthWord, IssueStatus, SentryIssue
from shared.flows.reconciling import Found, Part, reconcile
from shared.flows.reconciling.issues import BETWEEN_CALLS, CALLS_A_RUN, UNTOLD_A_RUN
from simulator.sentry.model import Modes
from tests.unit.rounds import DAY, EVERY, at_rest, deliver, link_many, reconciled, run, waiting_about_issues
from tests.unit.scene import ANN, ISSUE, ITEM, SLUG, STATE, Scene

RESOLVED = IssueStatus.RESOLVED
ATTENTION, PENDING = HealthWord.ATTENTION, HealthWord.PENDING
ABSENT = Unavailable("sentry", "HTTP 500")


@pytest.fixture
def scene() -> Scene:
    return at_rest(Scene())


def crowd(links: int) -> Scene:
    """Return a scene at rest with so many more links."""
    scene = Scene()
    link_many(scene, links)
    scene.now += DAY
    for _ in range(1 + links // 12_000):
        reconciled(scene)
    scene.calls.made.clear()
    return scene


def watch(scene: Scene) -> list[tuple[float, frozenset[str]]]:
    """Return a list to which each list of issues is added, with the moment at which it was asked for."""
    asked: list[tuple[float, frozenset[str]]] = []
    real = scene.sentry.find_issues

    def watching(issue_ids: list[str]):  # type: ignore[no-untyped-def]  # as in the double
        asked.append((scene.now, frozenset(issue_ids)))
        return real(issue_ids)

    scene.sentry.find_issues = watching  # type: ignore[method-assign, assignment]  # for this scene
    return asked


def asked_about(scene: Scene) -> list[str]:
    return [each.issue_id for each in waiting_about_issues(scene)]


# The entries on their pages.


@pytest.mark.parametrize("garbled", [False, True])
def test_an_entry_that_cannot_be_read_is_not_taken_for_removed(scene: Scene, garbled: bool) -> None:
    shown = FormEntry(scene.now, url="https://dev.azure.com/fabrikam/_workitems/edit/31", app="sync")
    scene.services.links.replace(scene.stored(), replace(scene.row, form=shown))
    scene.sentry.garbles_entries = garbled
    scene.sentry.resolve(ISSUE)
    run(scene)
    assert scene.issue_ids == ([ISSUE] if garbled else [])
    # The issue itself is compared all the same.
    assert asked_about(scene) == ([ISSUE] if garbled else [])


# In turn, and how often.


@pytest.mark.parametrize(("links", "calls"), [(1, 1), (100, 1), (101, 2), (250, 3)])
def test_a_steady_state_costs_a_call_for_a_hundred_issues_and_no_message(links: int, calls: int) -> None:
    scene = crowd(links - 1)
    found = reconcile(scene.services, scene.organization)
    assert scene.calls.made == ["get_revisions", *["find_issues"] * calls]
    assert found == Found(looked_at=links)
    assert len(scene.services.inbound) == len(scene.services.outbound) == 0


def test_issues_are_asked_for_at_most_twice_a_second() -> None:
    scene = crowd(999)
    asked = watch(scene)
    run(scene)
    assert len(asked) == 10
    assert all(later - earlier >= BETWEEN_CALLS for (earlier, _), (later, _) in pairwise(asked))


def test_what_takes_longer_than_that_by_itself_is_not_put_off() -> None:
    scene = crowd(299)
    asked = watch(scene)
    real = scene.sentry.find_issues

    def slow(issue_ids: list[str]):  # type: ignore[no-untyped-def]  # as in the double
        scene.now += 2.0
        return real(issue_ids)

    scene.sentry.find_issues = slow  # type: ignore[method-assign, assignment]  # for this scene
    began = scene.now
    run(scene)
    assert (len(asked), scene.now - began) == (3, 6.0)


def test_a_run_reads_twelve_thousand_issues_and_the_next_goes_on_behind_them() -> None:
    scene = Scene()
    link_many(scene, 12_299)
    scene.now += DAY
    asked = watch(scene)
    run(scene)
    assert len(asked) == CALLS_A_RUN
    run(scene)
    assert len(asked) == CALLS_A_RUN + 3
    assert len(frozenset().union(*(ids for _, ids in asked))) == 12_300
    run(scene)
    assert [ids for _, ids in asked[-CALLS_A_RUN:]] == [ids for _, ids in asked[:CALLS_A_RUN]]


def test_an_issue_with_many_links_is_asked_for_once_in_a_batch(scene: Scene) -> None:
    for number in range(1001, 1301):
        scene.link(ISSUE, number)
    at_rest(scene)
    run(scene)
    assert scene.calls.made.count("find_issues") == 1
    scene.sentry.assign(ISSUE, ANN)
    run(scene)
    assert asked_about(scene) == [ISSUE]


def test_links_that_are_not_well_are_left_until_they_are_due(scene: Scene) -> None:
    link_many(scene, 3)
    healths = [
        Health(ATTENTION, "refused", due=scene.now + DAY),
        Health(PENDING, "unavailable", due=scene.now + DAY),
        Health(ATTENTION, "assignee-not-found", due=scene.now + DAY),
    ]
    for number, health in zip(range(1001, 1004), healths, strict=True):
        stored = scene.stored(str(number), number)
        scene.services.links.replace(stored, replace(stored.link, health=health))
        scene.sentry.resolve(str(number))
    asked = watch(scene)
    run(scene)
    assert [ids for _, ids in asked] == [{ISSUE, "1003"}]
    assert asked_about(scene) == ["1003"]


def test_a_link_that_is_being_written_is_left_to_its_worker(scene: Scene) -> None:
    claim = Claim("worker", scene.now + DAY, 1, (), scene.row.seen)
    scene.services.links.replace(scene.stored(), replace(scene.row, claim=claim))
    scene.sentry.resolve(ISSUE)
    run(scene)
    assert ("find_issues" in scene.calls.made, asked_about(scene)) == (False, [])


# Within its time.


def slow_down(scene: Scene, *odd: int) -> None:
    """Let each list that names an odd issue fail as late as a gateway says so, and single ones take long."""
    read, get, names = scene.sentry.find_issues, scene.sentry.get_issue, {str(each) for each in odd}

    def find_issues(issue_ids: list[str]):  # type: ignore[no-untyped-def]  # as in the double
        if names & set(issue_ids):
            scene.now += 25.0
            raise Unavailable("sentry", "HTTP 504")
        return read(issue_ids)

    def get_issue(issue_id: str) -> SentryIssue:
        scene.now += 6.0
        return get(issue_id)

    scene.sentry.find_issues = find_issues  # type: ignore[method-assign, assignment]  # for this scene
    scene.sentry.get_issue = get_issue  # type: ignore[method-assign]  # for this scene


def asked_by_runs(scene: Scene, runs: int, run_for: float) -> list[str]:
    """Return what so many runs ask about, each of them over by the time or a few calls later."""
    asked: list[str] = []
    for _ in range(runs):
        began = scene.now
        assert reconcile(scene.services, scene.organization, run_for=run_for).failures == ()
        assert scene.now - began <= run_for + 100.0
        asked += asked_about(scene)
        scene.now += EVERY
    return asked


@pytest.mark.parametrize(
    ("odd", "runs", "run_for"),
    [
        ([1020], 2, 200.0),
        ([1010, 1030, 1050, 1070, 1090], 5, 200.0),
        # However short a run is, it reaches one issue.
        ([1003], 5, 10.0),
        ([1003], 5, 100.0),
    ],
)
def test_lists_that_fail_slowly_are_left_to_the_next_runs_when_the_time_is_up(
    odd: list[int], runs: int, run_for: float
) -> None:
    scene = crowd(99)
    slow_down(scene, *odd)
    for number in range(1001, 1100):
        scene.sentry.resolve(str(number))
    asked = asked_by_runs(scene, runs, run_for)
    assert set(asked) == {str(each) for each in range(1001, 1100)}


@pytest.mark.parametrize(("runs", "run_for"), [(4, 200.0), (30, 20.0)])
def test_one_by_one_a_slow_service_is_read_on_by_the_next_runs(runs: int, run_for: float) -> None:
    scene = crowd(119)
    one_by_one(scene)
    slow_down(scene)
    for number in range(1001, 1120):
        scene.sentry.resolve(str(number))
    asked = asked_by_runs(scene, runs, run_for)
    assert set(asked) == {str(each) for each in range(1001, 1120)}


def test_an_issue_whose_links_lie_apart_is_reached_though_the_time_was_up_between_them() -> None:
    scene = crowd(3)
    scene.link(ISSUE, 1002)
    scene.link("1003", ITEM)
    at_rest(scene)
    one_by_one(scene)
    slow_down(scene)
    for number in (100, 1001, 1002, 1003):
        scene.sentry.resolve(str(number))
    # The fourth run reads the first issue again, which has a link between the others' too.
    assert set(asked_by_runs(scene, 5, 1.0)) == {"100", "1001", "1002", "1003"}


# What is absent.


def test_a_merged_issue_is_followed(scene: Scene) -> None:
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.merge(ISSUE, into="200")
    reconciled(scene)
    assert scene.issue_ids == ["200"]
    scene.sentry.resolve("200")
    reconciled(scene)
    assert scene.state == "Closed"


def test_an_issue_that_is_gone_is_marked_and_asked_for_daily(scene: Scene) -> None:
    scene.sentry.delete(ISSUE)
    reconciled(scene)
    assert scene.health.reason == "issue-gone"
    scene.calls.made.clear()
    for _ in range(287):
        reconciled(scene)
    assert not {"find_issues", "get_issue"} & set(scene.calls.made)
    reconciled(scene)
    assert scene.calls.made.count("get_issue") == 1


@pytest.mark.parametrize("pending", ["pending_deletion", "pending_merge"])
def test_an_issue_that_is_about_to_go_is_not_called_gone(scene: Scene, pending: str) -> None:
    scene.sentry.begin(ISSUE, pending)
    run(scene)
    assert (asked_about(scene), scene.health) == ([], Health())


def test_absent_issues_are_asked_for_singly_so_many_in_a_run() -> None:
    scene = crowd(199)
    for number in range(1001, 1200):
        scene.sentry.delete(str(number))
    asked: list[str] = []
    for _ in range(4):
        run(scene)
        asked += (new := asked_about(scene))
        assert len(new) <= UNTOLD_A_RUN
        scene.now += EVERY
    assert (len(asked), len(set(asked))) == (199, 199)


# What is forbidden.


def forbid(scene: Scene, *numbers: int) -> None:
    scene.sentry.forbid_project("secret")
    for number in numbers:
        scene.sentry._issues[str(number)] = replace(scene.sentry._issues[str(number)], project_slug="secret")


def test_one_forbidden_issue_is_found_and_hides_no_other() -> None:
    scene = crowd(199)
    forbid(scene, 1050)
    for number in (1049, 1051, 1150):
        scene.sentry.resolve(str(number))
    found = reconcile(scene.services, scene.organization)
    assert found.failures == ()
    assert 3 <= scene.calls.made.count("find_issues") <= 20
    assert found.issues == 4
    deliver(scene)
    assert scene.stored("1050", 1050).link.health.reason == "forbidden"
    assert {scene.ado.item(each).state for each in (1049, 1051, 1150)} == {"Closed"}
    # Its link says so from now on, and the list is whole again.
    scene.calls.made.clear()
    run(scene)
    assert scene.calls.made.count("find_issues") == 2


def test_a_forbidden_project_with_many_issues_is_found_within_few_runs() -> None:
    scene = crowd(299)
    forbidden = range(1001, 1300, 3)
    forbid(scene, *forbidden)
    for _ in range(4):
        reconciled(scene)
    reasons = {each: scene.stored(str(each), each).link.health.reason for each in range(1001, 1300)}
    assert {each for each, reason in reasons.items() if reason} == set(forbidden)
    scene.sentry.resolve("1002")
    reconciled(scene)
    assert scene.ado.item(1002).state == "Closed"


def test_a_token_that_may_read_nothing_costs_a_bounded_number_of_calls() -> None:
    scene = crowd(1_999)
    scene.sentry.forbid_project("fe")
    found = reconcile(scene.services, scene.organization)
    assert scene.calls.made.count("find_issues") <= CALLS_A_RUN
    assert found.issues == UNTOLD_A_RUN


def test_the_halves_of_a_list_count_as_calls() -> None:
    scene = crowd(11_999)
    forbid(scene, *range(1001, 13_000, 100))
    asked = watch(scene)
    run(scene)
    assert len(asked) == CALLS_A_RUN


def test_silently_absent_is_as_good_as_forbidden(scene: Scene) -> None:
    scene.sentry.modes = Modes(forbidden_group="absent")
    scene.sentry.forbid_project("fe")
    reconciled(scene)
    assert scene.health.reason == "forbidden"


# Plans that list no issues of several projects.


def one_by_one(scene: Scene) -> None:
    scene.sentry.modes = Modes(multi_project=False)
    scene.sentry.add_project("second")


def test_where_issues_are_not_listed_they_are_asked_for_one_by_one(scene: Scene) -> None:
    one_by_one(scene)
    link_many(scene, 2)
    scene.sentry.resolve("1002")
    found = reconcile(scene.services, scene.organization)
    assert scene.calls.made[-4:] == ["find_issues", "get_issue", "get_issue", "get_issue"]
    assert [(note.part, note.kind) for note in found.notes] == [(Part.ISSUES, "refused")]
    assert (found.failures, asked_about(scene)) == ((), ["1002"])
    assert reconcile(scene.services, scene.organization).notes == ()
    problem = scene.services.progress.get(SLUG).problems["issues"]
    assert problem.is_note


def test_one_by_one_every_issue_has_its_turn() -> None:
    scene = crowd(299)
    one_by_one(scene)
    for number in (1001, 1150, 1299):
        scene.sentry.resolve(str(number))
    asked: set[str] = set()
    for _ in range(3):
        scene.calls.made.clear()
        run(scene)
        assert scene.calls.made.count("get_issue") < CALLS_A_RUN
        asked |= set(asked_about(scene))
        scene.now += EVERY
    assert asked == {"1001", "1150", "1299"}


def test_one_by_one_what_is_merged_or_gone_is_told_as_well(scene: Scene) -> None:
    one_by_one(scene)
    scene.link("200", 32)
    scene.link("300", 33)
    scene.sentry.merge(ISSUE, into="200")
    scene.sentry.delete("300")
    reconciled(scene)
    assert sorted(scene.issue_ids) == ["200", "200", "300"]
    assert scene.stored("300", 33).link.health.reason == "issue-gone"


# What fails.


def test_a_batch_that_fails_hides_no_other() -> None:
    scene = crowd(299)
    for number in (1050, 1150, 1250):
        scene.sentry.resolve(str(number))
    scene.calls.meet("find_issues", ValueError("a bug"))
    found = reconcile(scene.services, scene.organization)
    assert [(each.part, each.kind) for each in found.failures] == [(Part.ISSUES, "bug")]
    assert sorted(asked_about(scene)) == ["1150", "1250"]
    run(scene)
    assert asked_about(scene) == ["1050"]


def never_list(scene: Scene, *numbers: int) -> None:
    """Let each list that names one of these issues fail."""
    real, odd = scene.sentry.find_issues, {str(each) for each in numbers}

    def find_issues(issue_ids: list[str]):  # type: ignore[no-untyped-def]  # as in the double
        if odd & set(issue_ids):
            raise ABSENT
        return real(issue_ids)

    scene.sentry.find_issues = find_issues  # type: ignore[method-assign, assignment]  # for this scene


@pytest.mark.parametrize(
    ("links", "odd"),
    [
        # The first, the last, one of the midst, and several; of one batch alone, and of three.
        (99, [1001]),
        (99, [1099]),
        (99, [1050]),
        (99, [1020, 1070]),
        (299, [1050]),
        (299, [1001, 1002]),
        (299, [1150, 1151, 1299]),
    ],
)
def test_an_issue_for_which_a_list_is_never_answered_hides_no_other(links: int, odd: list[int]) -> None:
    scene = crowd(links)
    never_list(scene, *odd)
    numbers = range(1001, 1001 + links)
    for number in numbers:
        scene.sentry.resolve(str(number))
    found = reconcile(scene.services, scene.organization)
    assert found.failures == ()
    # What no list tells of is asked for singly, and its link tells.
    assert sorted(asked_about(scene)) == sorted(str(each) for each in numbers)


@pytest.mark.parametrize("odd", [[100, 1049], [100, 1025], [1010, 1035], [100, 1025, 1049], [1001, 1026]])
def test_issues_for_which_no_list_is_answered_hide_the_others_from_no_second_run(odd: list[int]) -> None:
    # Of 50: whichever two are tried by themselves, odd ones may be among them.
    scene = crowd(49)
    never_list(scene, *odd)
    others = sorted({100, *range(1001, 1050)} - {*odd})
    for number in others:
        scene.sentry.resolve(str(number))
    asked: set[str] = set()
    for _ in range(2):
        run(scene)
        asked |= set(asked_about(scene))
        scene.now += EVERY
    assert {str(each) for each in others} <= asked


@pytest.mark.parametrize("odd", ["1010", "100", *(str(each) for each in range(1035, 1045))])
@pytest.mark.parametrize("is_there", [True, False])
def test_after_a_time_out_the_rest_of_a_list_is_asked_for_once_sentry_says_who_it_is(
    is_there: bool, odd: str
) -> None:
    """A client leaves a service alone that has just let it wait for nothing, until that answers.

    The one for which no list is answered may be the one that is tried by itself.
    """
    scene = crowd(49)
    list_issues, say_who, silent = scene.sentry.find_issues, scene.sentry.organization_id, False

    def find_issues(issue_ids: list[str]) -> FoundIssues:
        nonlocal silent
        if silent:
            raise Throttled("sentry", "left alone", retry_after=30.0, silent=True)
        silent = odd in issue_ids
        if silent:
            raise ABSENT
        return list_issues(issue_ids)

    def organization_id() -> str:
        nonlocal silent
        if not is_there:
            raise ABSENT
        silent = False
        return say_who()

    scene.sentry.find_issues = find_issues  # type: ignore[method-assign, assignment]  # for this scene
    scene.sentry.organization_id = organization_id  # type: ignore[method-assign]  # for this scene
    for number in (100, *range(1001, 1050)):
        scene.sentry.resolve(str(number))
    run(scene)
    assert len(asked_about(scene)) == (50 if is_there else 0)


def test_one_by_one_an_issue_that_is_never_answered_hides_no_other() -> None:
    scene = crowd(9)
    one_by_one(scene)
    real = scene.sentry.get_issue

    def get_issue(issue_id: str) -> SentryIssue:
        if issue_id == "1001":
            raise ABSENT
        return real(issue_id)

    scene.sentry.get_issue = get_issue  # type: ignore[method-assign]  # for this scene
    for number in range(1002, 1010):
        scene.sentry._issues[str(number)] = replace(scene.sentry._issues[str(number)], status=RESOLVED)
    found = reconcile(scene.services, scene.organization)
    assert found.failures == ()
    assert sorted(asked_about(scene)) == [str(each) for each in range(1001, 1010)]


def test_lists_that_are_never_answered_are_halved_so_many_times_in_a_run() -> None:
    scene = crowd(299)
    never_list(scene, *range(1101, 1200))
    scene.sentry.resolve("1250")
    found = reconcile(scene.services, scene.organization)
    assert [(each.part, each.kind) for each in found.failures] == [(Part.ISSUES, "unavailable")]
    assert scene.calls.made.count("find_issues") <= 70
    assert "1250" in asked_about(scene)


@pytest.mark.parametrize(
    ("error", "calls"),
    [(ABSENT, 4), (Unauthorized("sentry", "HTTP 401"), 2), (ValueError("a bug"), 2)],
)
def test_a_service_that_is_away_is_asked_for_two_batches_and_the_next_run_goes_on_behind(
    error: Exception, calls: int
) -> None:
    scene = crowd(499)
    scene.calls.meet("find_issues", *[error] * 100)
    run(scene)
    assert scene.calls.made.count("find_issues") == calls
    scene.calls.recover()
    asked = watch(scene)
    run(scene)
    assert len(asked) == 3
    run(scene)
    assert len(asked) == 8


def test_a_service_that_stays_away_is_a_problem_in_every_run() -> None:
    scene = crowd(199)
    scene.calls.meet("find_issues", *[ABSENT] * 100)
    for _ in range(5):
        assert reconcile(scene.services, scene.organization).failures
        assert scene.services.progress.get(SLUG).problems["issues"].kind == "unavailable"


def test_a_wait_that_sentry_asks_for_ends_the_part_and_not_the_run(scene: Scene) -> None:
    scene.calls.meet("find_issues", Throttled("sentry", "slower", retry_after=600.0))
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    began = scene.now
    found = reconcile(scene.services, scene.organization)
    assert [(each.part, each.kind) for each in found.failures] == [(Part.ISSUES, "throttled")]
    assert (found.looked_at, found.drifted, scene.now) == (1, 1, began)


def test_a_list_that_is_read_ends_what_is_said_of_forbidden_things(scene: Scene) -> None:
    for thing in ("issue 1", "issue 2", "issue 3"):
        scene.services.forbidden.note(SLUG, "sentry", thing)
    scene.now += 900.0
    scene.services.forbidden.note(SLUG, "sentry", "issue 1")
    assert scene.services.forbidden.counts() == {"sentry": 1}
    run(scene)
    assert scene.services.forbidden.counts() == {}
