"""Carrying out a decision on the doubles: what is called, and the exact account of what landed."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from shared.domain.errors import (
    Conflict,
    Forbidden,
    NotAssignable,
    NotFound,
    OrganizationGone,
    Refused,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.domain.model import (
    ASSIGNEE,
    STATUS,
    Assignee,
    Claim,
    Ends,
    Intent,
    IssueSide,
    IssueStatus,
    ItemSide,
    Person,
    ResolveIn,
    SentryIssue,
    Side,
)
from shared.domain.rules.deciding import Choice, Decision, Outcome
from shared.settling.writing import Written, write
from tests.unit.scene import ANN, ISSUE, ITEM, Scene

RESOLVED, UNRESOLVED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED
CLOSE = Intent(Side.ADO, STATUS, state="Closed", status=RESOLVED)
ASSIGN = Intent(Side.ADO, ASSIGNEE, assignee=Person(ANN))
RESOLVE = Intent(Side.SENTRY, STATUS, status=RESOLVED)
ASSIGN_ISSUE = Intent(Side.SENTRY, ASSIGNEE, assignee=Person(ANN))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def carried_out(
    scene: Scene, *intents: Intent, too_late_from: int = 9, left: tuple[Intent, ...] = ()
) -> Written:
    """Write the intents; from the call of that number on, the claim leaves no more time.

    ``left`` are those of an earlier claim, whose writes got no answer.
    """
    now, checks = scene.row.seen, list[int]()

    def verify_time() -> None:
        checks.append(1)
        if len(checks) >= too_late_from:
            raise Conflict("the claim ran out before the write was begun")

    applied = Choice(Outcome.APPLIED)
    decision = Decision(applied, applied, intents, now)
    link = replace(scene.row, claim=Claim("earlier", 0.0, now.item.rev, left, now) if left else None)
    return write(scene.watched_ado, scene.watched_sentry, link, now, decision, verify_time)


def item(now: Ends, **changes: object) -> Ends:
    return replace(now, item=replace(now.item, **changes))


SETTLED, UNDECIDED = Choice(Outcome.SETTLED), Choice(Outcome.UNDECIDED)
BEFORE = Ends(IssueSide(UNRESOLVED), ItemSide(7, "New", UNRESOLVED))
NOW = Ends(IssueSide(RESOLVED, Person(ANN)), ItemSide(8, "New", UNRESOLVED))
REFUSED_STATUS = {STATUS: Refused("ado", "no")}
REFUSED_ASSIGNEE = {ASSIGNEE: Refused("ado", "nobody")}


@pytest.mark.parametrize(
    ("status", "landed", "refused", "fields"),
    [
        (Choice(Outcome.APPLIED), [CLOSE, ASSIGN], {}, {STATUS, ASSIGNEE}),
        # What still has to be written stays as it was seen.
        (Choice(Outcome.APPLIED), [CLOSE], {}, {STATUS}),
        (Choice(Outcome.APPLIED), [ASSIGN], {}, {ASSIGNEE}),
        (Choice(Outcome.APPLIED), [], {}, set()),
        (Choice(Outcome.APPLIED), [], REFUSED_STATUS, set()),
        # Nobody can be assigned who is not known; what can be done about that is owed.
        (Choice(Outcome.APPLIED), [CLOSE], REFUSED_ASSIGNEE, {STATUS, ASSIGNEE}),
        (Choice(Outcome.APPLIED), [], REFUSED_ASSIGNEE, {ASSIGNEE}),
        (UNDECIDED, [CLOSE, ASSIGN], {}, {ASSIGNEE}),
    ],
)
def test_what_counts_as_seen_is_all_but_what_is_still_to_be_written(
    status: Choice, landed: list[Intent], refused: dict[str, Refused], fields: set[str]
) -> None:
    decision = Decision(status, SETTLED, (CLOSE, ASSIGN), NOW)
    seen = Written(NOW, landed=landed, refused=refused).seen(BEFORE, decision)
    issue = IssueSide(
        RESOLVED if STATUS in fields else UNRESOLVED, Person(ANN) if ASSIGNEE in fields else None
    )
    assert seen == Ends(issue, NOW.item)


@pytest.mark.parametrize(
    ("shown", "others"),
    [(None, ()), (Person(ANN), ()), (Person("ann@home.example"), (Person("ann@home.example"),))],
)
def test_an_assignment_is_begun_with_how_sentry_will_show_it(
    shown: Person | None, others: tuple[Person, ...]
) -> None:
    written = Written(NOW)
    written.begin_to_assign(ASSIGN_ISSUE, shown)
    assert written.under_way == (replace(ASSIGN_ISSUE, others=others),)


@pytest.mark.parametrize("told", [None, Person("ann@home.example")])
def test_whoever_shows_by_the_name_that_was_assigned_is_that_person(
    scene: Scene, told: Person | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several may hold the address, or she has made another one her first since it was looked up."""
    real = scene.sentry.set_assignee

    def set_assignee(issue_id: str, assignee: Assignee, begin: Callable[[Assignee], None]) -> SentryIssue:
        begin(told)
        return real(issue_id, assignee)

    monkeypatch.setattr(scene.watched_sentry, "set_assignee", set_assignee)
    assert carried_out(scene, ASSIGN_ISSUE).now.issue.assignee == Person(ANN)


def test_azure_devops_is_written_first_and_each_answer_is_kept(scene: Scene) -> None:
    before = scene.row.seen
    written = carried_out(scene, CLOSE, ASSIGN_ISSUE)
    assert scene.calls.made == ["update_work_item", "set_assignee"]
    assert written.item == scene.ado.item(ITEM)
    assert written.issue == scene.sentry.get_issue(ISSUE)
    assert (written.landed, written.refused) == ([CLOSE, ASSIGN_ISSUE], {})
    assert (written.uncertain, written.error) == ((), None)
    reasons = ("Moved to state Closed",)
    expected = item(before, state="Closed", status=RESOLVED, rev=before.item.rev + 1, reasons=reasons)
    assert written.now == replace(expected, issue=replace(before.issue, assignee=Person(ANN)))


@pytest.mark.parametrize(
    ("refusals", "calls", "landed", "refused"),
    [
        # The assignee cannot block the state.
        (1, 2, [CLOSE], {ASSIGNEE: 0}),
        # The state is refused too: the assignee is written alone.
        (2, 3, [ASSIGN], {STATUS: 1}),
        (3, 3, [], {STATUS: 1, ASSIGNEE: 2}),
    ],
)
def test_after_a_refusal_each_field_is_written_alone(
    scene: Scene, refusals: int, calls: int, landed: list[Intent], refused: dict[str, int]
) -> None:
    words = [Refused("ado", f"TF{number}") for number in range(refusals)]
    scene.calls.meet("update_work_item", *words)
    written = carried_out(scene, CLOSE, ASSIGN)
    assert scene.calls.made == ["update_work_item"] * calls
    assert (written.landed, written.uncertain, written.error) == (landed, (), None)
    assert written.refused == {field: words[number] for field, number in refused.items()}


@pytest.mark.parametrize(
    ("intent", "service", "name"), [(CLOSE, "ado", "Azure DevOps"), (RESOLVE, "sentry", "Sentry")]
)
def test_an_answer_that_shows_no_effect_is_a_refusal(
    scene: Scene, intent: Intent, service: str, name: str
) -> None:
    scene.watched_ado.deaf = scene.watched_sentry.deaf = True
    written = carried_out(scene, intent)
    refused = written.refused[STATUS]
    assert refused.service == service
    assert refused.told == f"{name} accepted the write, and its answer shows no effect of it"
    assert (written.landed, written.uncertain, written.refused_state) == ([], (), intent.state)


@pytest.mark.parametrize(
    ("error", "uncertain"),
    [
        (Unavailable("sentry", "timed out"), (ASSIGN_ISSUE,)),
        (Throttled("sentry", "429", retry_after=7.0), ()),
        (Throttled("sentry", "503", retry_after=7.0, may_have_landed=True), (ASSIGN_ISSUE,)),
        (Conflict("409"), ()),
    ],
)
def test_what_landed_before_a_failure_is_accounted_for_beside_it(
    scene: Scene, error: SyncError, uncertain: tuple[Intent, ...]
) -> None:
    scene.calls.meet("set_assignee", error)
    written = carried_out(scene, RESOLVE, ASSIGN_ISSUE)
    assert (written.landed, written.uncertain, written.error) == ([RESOLVE], uncertain, error)


def test_a_write_of_both_fields_without_an_answer_leaves_both_uncertain(scene: Scene) -> None:
    error = Unavailable("ado", "timed out")
    scene.calls.meet("update_work_item", error)
    written = carried_out(scene, CLOSE, ASSIGN)
    assert scene.calls.made == ["update_work_item"]
    assert (written.landed, written.uncertain, written.error) == ([], (CLOSE, ASSIGN), error)


@pytest.mark.parametrize(
    ("error", "uncertain"),
    [
        (Forbidden("ado", "HTTP 403", about="work item 31"), ()),
        (Unavailable("ado", "HTTP 500"), (CLOSE,)),
        (Throttled("ado", "429", retry_after=7.0), ()),
        (Throttled("ado", "503", retry_after=7.0, may_have_landed=True), (CLOSE,)),
        (Unauthorized("ado", "401"), ()),
        (NotFound("gone", kind="work-item-not-found"), ()),
        (OrganizationGone("ado", "404"), (CLOSE,)),
    ],
)
def test_what_azure_devops_does_not_take_holds_up_nothing_in_sentry(
    scene: Scene, error: SyncError, uncertain: tuple[Intent, ...]
) -> None:
    scene.calls.meet("update_work_item", error)
    written = carried_out(scene, CLOSE, ASSIGN_ISSUE)
    assert scene.calls.made == ["update_work_item", "set_assignee"]
    assert (written.landed, written.uncertain, written.error) == ([ASSIGN_ISSUE], uncertain, error)


@pytest.mark.parametrize(("refused", "left"), [("set_status", ASSIGN_ISSUE), ("set_assignee", RESOLVE)])
def test_a_field_that_sentry_forbids_does_not_hold_up_the_other(
    scene: Scene, refused: str, left: Intent
) -> None:
    forbidden = Forbidden("sentry", "HTTP 403", about="issue 100")
    scene.calls.meet(refused, forbidden)
    written = carried_out(scene, RESOLVE, ASSIGN_ISSUE)
    assert scene.calls.made == ["set_status", "set_assignee"]
    assert (written.landed, written.uncertain, written.errors) == ([left], (), [forbidden])


@pytest.mark.parametrize(
    ("error", "uncertain"),
    [
        (Unavailable("sentry", "HTTP 500"), (RESOLVE,)),
        (Throttled("sentry", "429", retry_after=7.0), ()),
        (Unauthorized("sentry", "401"), ()),
        (NotFound("gone", kind="issue-not-found"), ()),
    ],
)
def test_a_service_that_gives_no_usable_answer_is_not_asked_again(
    scene: Scene, error: SyncError, uncertain: tuple[Intent, ...]
) -> None:
    scene.calls.meet("set_status", error)
    written = carried_out(scene, RESOLVE, ASSIGN_ISSUE)
    assert scene.calls.made == ["set_status"]
    assert (written.landed, written.uncertain, written.error) == ([], uncertain, error)


def test_a_look_up_that_gets_no_answer_leaves_no_write_to_look_into(scene: Scene) -> None:
    error = Unavailable("sentry", "the members cannot be read")

    def fail() -> None:
        raise error

    scene.watched_sentry.looks_up = fail
    written = carried_out(scene, RESOLVE, ASSIGN_ISSUE)
    assert (written.landed, written.uncertain, written.error) == ([RESOLVE], (), error)


@pytest.mark.parametrize(
    ("left", "calls"),
    [
        ((), ["set_status", "set_assignee"]),
        ((RESOLVE,), ["set_assignee", "set_status"]),
        # Whatever was to be written then, it is the field that gets no answer.
        ((replace(RESOLVE, status=UNRESOLVED),), ["set_assignee", "set_status"]),
        ((ASSIGN_ISSUE,), ["set_status", "set_assignee"]),
        ((RESOLVE, ASSIGN_ISSUE), ["set_status", "set_assignee"]),
        # The other side's write is another one.
        ((CLOSE,), ["set_status", "set_assignee"]),
    ],
)
def test_what_got_no_answer_the_last_time_is_written_last(
    scene: Scene, left: tuple[Intent, ...], calls: list[str]
) -> None:
    carried_out(scene, RESOLVE, ASSIGN_ISSUE, left=left)
    assert scene.calls.made == calls


def test_the_gravest_of_several_failures_decides_and_every_write_without_an_answer_is_kept(
    scene: Scene,
) -> None:
    errors = [Unavailable("ado", "timed out"), Unavailable("sentry", "timed out")]
    scene.calls.meet("update_work_item", errors[0])
    scene.calls.meet("set_assignee", errors[1])
    written = carried_out(scene, CLOSE, ASSIGN_ISSUE)
    assert (written.uncertain, written.errors) == ((CLOSE, ASSIGN_ISSUE), errors)
    assert written.error is errors[0]


def test_a_failure_that_comes_back_by_itself_is_graver_than_what_is_forbidden(scene: Scene) -> None:
    silent = Unavailable("sentry", "timed out")
    scene.calls.meet("set_status", Forbidden("sentry", "HTTP 403", about="issue 100"))
    scene.calls.meet("set_assignee", silent)
    written = carried_out(scene, RESOLVE, ASSIGN_ISSUE)
    assert (written.uncertain, written.error) == ((ASSIGN_ISSUE,), silent)


def test_a_lost_race_behind_a_write_that_may_have_landed_is_part_of_the_account(scene: Scene) -> None:
    errors = [Unavailable("ado", "timed out"), Conflict("409")]
    scene.calls.meet("update_work_item", errors[0])
    scene.calls.meet("set_status", errors[1])
    written = carried_out(scene, CLOSE, RESOLVE, ASSIGN_ISSUE)
    assert scene.calls.made == ["update_work_item", "set_status"]
    assert (written.uncertain, written.errors) == ((CLOSE,), errors)


def test_a_lost_race_behind_a_write_that_did_not_land_leaves_nothing_written(scene: Scene) -> None:
    scene.calls.meet("set_status", Forbidden("sentry", "HTTP 403", about="issue 100"))
    scene.calls.meet("set_assignee", Conflict("409"))
    with pytest.raises(Conflict):
        carried_out(scene, RESOLVE, ASSIGN_ISSUE)


def test_a_lost_race_leaves_nothing_written(scene: Scene) -> None:
    scene.calls.meet("update_work_item", Conflict("412"))
    with pytest.raises(Conflict):
        carried_out(scene, CLOSE, RESOLVE)
    assert scene.calls.made == ["update_work_item"]


@pytest.mark.parametrize(
    ("intents", "too_late_from", "calls"),
    [
        ((CLOSE,), 1, 0),
        ((RESOLVE,), 1, 0),
        ((CLOSE, RESOLVE, ASSIGN_ISSUE), 2, 1),
        ((CLOSE, RESOLVE, ASSIGN_ISSUE), 3, 2),
    ],
)
def test_every_call_is_begun_in_time_or_not_at_all(
    scene: Scene, intents: tuple[Intent, ...], too_late_from: int, calls: int
) -> None:
    if calls:
        written = carried_out(scene, *intents, too_late_from=too_late_from)
        assert isinstance(written.error, Conflict)
        assert (written.landed, written.uncertain) == (list(intents[:calls]), ())
    else:
        with pytest.raises(Conflict):
            carried_out(scene, *intents, too_late_from=too_late_from)
    assert len(scene.calls.made) == calls


@pytest.mark.parametrize(("side", "service"), [(Side.ADO, "ado"), (Side.SENTRY, "sentry")])
def test_a_refusal_to_assign_nobody_is_told_in_the_words_of_the_service(
    scene: Scene, side: Side, service: str
) -> None:
    about_somebody = NotAssignable(service, "HTTP 400", kind="assignee-not-found", quoted="not in the list")
    scene.calls.meet("update_work_item" if side is Side.ADO else "set_assignee", about_somebody)
    refused = carried_out(scene, Intent(side, ASSIGNEE)).refused[ASSIGNEE]
    assert not isinstance(refused, NotAssignable)
    assert (refused.service, refused.told) == (service, "HTTP 400: not in the list")


def test_a_status_that_gets_no_answer_once_its_release_was_refused_stays_uncertain(scene: Scene) -> None:
    in_release = replace(RESOLVE, resolve_in=ResolveIn.NEXT_RELEASE)
    no_answer = Unavailable("sentry", "timed out")
    scene.calls.meet("set_status", Refused("sentry", "no release"), no_answer)
    written = carried_out(scene, in_release)
    assert (written.error, written.landed, written.uncertain) == (no_answer, [], (in_release,))


# States on the way.

STEP = Intent(Side.ADO, STATUS, state="Active", status=UNRESOLVED)
CLOSE_BY_STEP = replace(CLOSE, via=(STEP,))


def test_a_step_on_the_way_counts_as_seen_and_what_led_to_it_does_not() -> None:
    decision = Decision(Choice(Outcome.APPLIED), SETTLED, (CLOSE_BY_STEP,), NOW)
    seen = Written(NOW, steps=[STEP]).seen(BEFORE, decision)
    assert seen == Ends(replace(NOW.issue, status=UNRESOLVED), replace(NOW.item, state="Active"))


def test_a_step_that_is_refused_ends_the_way_and_lets_the_assignee_through(scene: Scene) -> None:
    no = Refused("ado", "TF401320: no")
    scene.calls.meet("update_work_item", no)
    written = carried_out(scene, CLOSE_BY_STEP, ASSIGN)
    assert scene.calls.made == ["update_work_item"] * 2
    assert (written.refused, written.refused_state) == ({STATUS: no}, "Active")
    assert (written.landed, written.steps, scene.state) == ([ASSIGN], [], "New")


def test_a_step_whose_answer_shows_no_effect_is_refused(scene: Scene) -> None:
    scene.watched_ado.deaf = True
    written = carried_out(scene, CLOSE_BY_STEP)
    assert scene.calls.made == ["update_work_item"]
    refused = written.refused[STATUS]
    assert (refused.service, written.refused_state) == ("ado", "Active")
    assert refused.told == "Azure DevOps accepted the write, and its answer shows no effect of it"
    assert (written.landed, written.steps, written.stopped_halfway) == ([], [], False)


def test_where_the_way_ends_halfway_the_last_answer_is_kept(scene: Scene) -> None:
    no = Refused("ado", "TF401320: no")
    scene.calls.after("update_work_item", lambda: scene.calls.meet("update_work_item", no))
    written = carried_out(scene, CLOSE_BY_STEP)
    assert (written.steps, written.refused_state, written.stopped_halfway) == ([STEP], "Closed", True)
    assert written.item == scene.ado.item(ITEM)
    assert (written.now.item.state, written.now.item.rev) == ("Active", scene.ado.item(ITEM).rev)


def test_a_step_without_an_answer_leaves_the_whole_that_was_announced_uncertain(scene: Scene) -> None:
    scene.calls.meet("update_work_item", Unavailable("ado", "timed out"))
    assert carried_out(scene, CLOSE_BY_STEP).uncertain == (CLOSE_BY_STEP,)


def test_a_race_that_is_lost_halfway_leaves_sentry_alone(scene: Scene) -> None:
    lost = Conflict("412")
    scene.calls.after("update_work_item", lambda: scene.calls.meet("update_work_item", lost))
    written = carried_out(scene, CLOSE_BY_STEP, ASSIGN_ISSUE)
    assert scene.calls.made == ["update_work_item"] * 2
    assert (written.steps, written.landed, written.errors) == ([STEP], [], [lost])


def test_a_person_who_is_not_known_is_not_asked_for_again_once_the_state_is_refused_as_well(
    scene: Scene,
) -> None:
    nobody = NotAssignable("ado", "nobody has this address", kind="assignee-not-found")
    no = Refused("ado", "TF401320: no")
    scene.calls.meet("update_work_item", nobody, no)
    written = carried_out(scene, CLOSE, ASSIGN)
    assert scene.calls.made == ["update_work_item"] * 2
    assert written.refused == {ASSIGNEE: nobody, STATUS: no}
