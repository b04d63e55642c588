"""What a settling leaves on a link and in its activity, as a function of what was observed and written."""

from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.errors import Busy, NotAssignable, Refused, SyncError, Unavailable, Undecidable
from shared.domain.model import (
    ASSIGNEE,
    STATUS,
    ActivityEntry,
    Claim,
    Ends,
    Health,
    HealthWord,
    Intent,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    PassedOver,
    Person,
    Side,
    ToldBy,
)
from shared.domain.rules.deciding import Choice, Decision, Outcome
from shared.settling.observing import Observation
from shared.settling.recording import Record, record_failure, record_of
from shared.settling.writing import Written
from tests.unit.scene import Scene

NOW = 1_800_000_000.0
RESOLVED, UNRESOLVED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED
STATUSES = {"New": UNRESOLVED, "Active": UNRESOLVED, "Closed": RESOLVED}
CLOSE = Intent(Side.ADO, STATUS, state="Closed", status=RESOLVED)


def ends(issue: IssueStatus, state: str, rev: int) -> Ends:
    return Ends(IssueSide(issue), ItemSide(rev, state, STATUSES[state]))


def observation(
    seen: Ends, now: Ends, *, open_state: str | None = None, health: Health | None = None
) -> Observation:
    link = IssueLink(
        "fabrikam", "100", 31, "p-1", "Bug", seen, open_state=open_state, health=health or Health()
    )
    return Observation(link, seen, now, {})


def closing(after: Ends) -> Decision:
    return Decision(Choice(Outcome.APPLIED, Side.ADO), Choice(Outcome.SETTLED), (CLOSE,), after)


@pytest.mark.parametrize(
    ("known", "found", "left", "open_state"),
    [
        ("New", "New", "Closed", "New"),
        ("New", "Active", "Closed", "Active"),  # moved on before we closed it
        (None, "Active", "Closed", "Active"),
        ("New", "Closed", "Closed", "New"),  # somebody had closed it already
        (None, "Closed", "Closed", None),  # it was linked closed
        ("New", "Closed", "Active", "Active"),  # we opened it
    ],
)
def test_the_state_to_go_back_to_is_the_last_that_was_not_done(
    known: str | None, found: str, left: str, open_state: str | None
) -> None:
    now, after = ends(RESOLVED, found, 7), ends(RESOLVED, left, 8)
    seen = observation(ends(UNRESOLVED, "New", 6), now, open_state=known)
    record = record_of(seen, closing(after), Written(after, landed=[CLOSE]), None, NOW)
    assert record.link.open_state == open_state


def refused(words: str, before: Health) -> Record:
    now = ends(RESOLVED, "New", 7)
    written = Written(now, refused={STATUS: Refused("ado", words)})
    seen = observation(ends(UNRESOLVED, "New", 7), now, health=before)
    return record_of(seen, closing(ends(RESOLVED, "Closed", 8)), written, None, NOW)


def test_a_refusal_is_recorded_again_only_in_other_words() -> None:
    first = refused("a reason is required", Health())
    assert [entry.outcome for entry in first.entries] == ["refused"]
    again = refused("a reason is required", first.link.health)
    assert (again.entries, again.link.health) == ((), first.link.health)
    other = refused("no such transition", again.link.health)
    assert [entry.outcome for entry in other.entries] == ["refused"]
    assert other.link.health.word is HealthWord.ATTENTION


ANN = Person("ann@corp.example")


@pytest.mark.parametrize(
    ("was", "owed", "news"),
    [
        (None, None, True),  # Ann was assigned a moment ago
        (None, Side.SENTRY, True),  # somebody else was owed before
        (ANN, None, True),
        (ANN, Side.SENTRY, False),  # it was told already that nobody has her address
    ],
)
def test_an_unknown_assignee_is_told_of_once(was: Person | None, owed: Side | None, news: bool) -> None:
    now = Ends(IssueSide(UNRESOLVED), ItemSide(7, "New", UNRESOLVED, ANN))
    seen = observation(replace(now, item=replace(now.item, assignee=was)), now)
    seen = replace(seen, link=replace(seen.link, owed=owed))
    assign = Intent(Side.SENTRY, ASSIGNEE, assignee=ANN)
    decision = Decision(Choice(Outcome.SETTLED), Choice(Outcome.APPLIED, Side.SENTRY), (assign,), now)
    nobody = NotAssignable("sentry", "nobody has this address", kind="assignee-not-found")
    written = Written(now, refused={ASSIGNEE: nobody})
    record = record_of(seen, decision, written, None, NOW)
    assert [entry.outcome for entry in record.entries] == ["refused"] * news
    assert (record.link.owed, record.link.health) == (
        Side.SENTRY,
        Health(
            HealthWord.ATTENTION, "assignee-not-found", "nobody has this address", NOW, 1, NOW + 300.0, rev=7
        ),
    )


@pytest.mark.parametrize("uncertain", [(), (CLOSE,)])
def test_of_a_claim_only_a_write_without_an_answer_is_kept(uncertain: tuple[Intent, ...]) -> None:
    now, after = ends(RESOLVED, "New", 7), ends(RESOLVED, "Closed", 8)
    assign = Intent(Side.ADO, ASSIGNEE, assignee=ANN)
    claim = Claim("t", NOW + 60.0, 7, (CLOSE, assign), after)
    written = Written(now, uncertain=uncertain, errors=[Unavailable("ado", "timed out")])
    record = record_of(observation(ends(UNRESOLVED, "New", 7), now), closing(after), written, claim, NOW)
    assert record.link.claim == (replace(claim, until=NOW, intents=uncertain) if uncertain else None)


def test_where_nothing_is_written_the_decision_says_what_counts_as_seen() -> None:
    """A new configuration lets the state count differently, which is no edit."""
    seen = ends(UNRESOLVED, "New", 6)
    now = replace(seen, item=replace(seen.item, rev=7, status=RESOLVED))
    after = replace(now, item=replace(now.item, status=UNRESOLVED))
    decision = Decision(Choice(Outcome.SETTLED), Choice(Outcome.SETTLED), (), after)
    assert record_of(observation(seen, now), decision, Written(now), None, NOW).link.seen == after


ASSIGN = Intent(Side.ADO, ASSIGNEE, assignee=ANN)
RESOLVE = Intent(Side.SENTRY, STATUS, status=RESOLVED)
STEP = Intent(Side.ADO, STATUS, state="Active", status=UNRESOLVED)
NOBODY = NotAssignable("ado", "nobody has this address", kind="assignee-not-found")
SETTLED = Choice(Outcome.SETTLED)
OPEN, FOUND = ends(UNRESOLVED, "New", 6), ends(RESOLVED, "New", 7)
NO_STATES = Unavailable("ado", "the states cannot be read")
UNKNOWN = Undecidable("no category is known for Odd", kind="unknown-state")


def settled(before: Health, decision: Decision, written: Written, **link: Any) -> Record:
    """Return what is left of a link that stood at ``before``, on the way from OPEN to FOUND."""
    seen = observation(OPEN, FOUND, health=before)
    return record_of(replace(seen, link=replace(seen.link, **link)), decision, written, None, NOW)


ALL_REFUSED = PassedOver(7, "Bug", ("Closed",), ("Closed",))


@pytest.mark.parametrize(
    ("kept", "landed", "refused_state", "passed_over"),
    [
        (ALL_REFUSED, [CLOSE], None, None),
        # Our own write is no edit after which a rule may say something else.
        (ALL_REFUSED, [ASSIGN], None, replace(ALL_REFUSED, rev=8)),
        (ALL_REFUSED, [RESOLVE], None, replace(ALL_REFUSED, rev=8)),
        # Somebody edited it: what is on record for an earlier revision says nothing any more.
        (replace(ALL_REFUSED, rev=5), [ASSIGN], None, replace(ALL_REFUSED, rev=5)),
        (
            ALL_REFUSED,
            [ASSIGN],
            "Resolved",
            PassedOver(8, "Bug", ("Closed", "Resolved"), ("Closed", "Resolved")),
        ),
        (None, [], "Closed", replace(ALL_REFUSED, rev=8)),
        (None, [ASSIGN], None, None),
    ],
)
def test_what_was_refused_is_passed_over_until_a_state_is_taken_or_somebody_edits_the_item(
    kept: PassedOver | None,
    landed: list[Intent],
    refused_state: str | None,
    passed_over: PassedOver | None,
) -> None:
    left = replace(FOUND, item=replace(FOUND.item, rev=8))
    refusals = {STATUS: Refused("ado", "no")} if refused_state else {}
    written = Written(left, landed=landed, refused=refusals, refused_state=refused_state)
    record = settled(Health(), closing(FOUND), written, passed_over=kept)
    assert record.link.passed_over == passed_over


NO_ANSWER = Unavailable("ado", "timed out")


@pytest.mark.parametrize(
    ("assignee", "written", "owed"),
    [
        (SETTLED, Written(FOUND), (Side.SENTRY, "refused")),
        (Choice(Outcome.UNDECIDED), Written(FOUND), (Side.SENTRY, "refused")),
        (Choice(Outcome.AGREED), Written(FOUND), (None, "")),
        (Choice(Outcome.APPLIED, Side.ADO), Written(FOUND, errors=[NO_ANSWER]), (Side.SENTRY, "refused")),
        (Choice(Outcome.APPLIED, Side.ADO), Written(FOUND, landed=[ASSIGN]), (None, "")),
        (
            Choice(Outcome.APPLIED, Side.ADO),
            Written(FOUND, refused={ASSIGNEE: NOBODY}),
            (Side.ADO, "assignee-not-found"),
        ),
    ],
)
def test_an_assignee_is_owed_until_another_one_is_decided_on_and_written(
    assignee: Choice, written: Written, owed: tuple[Side | None, str]
) -> None:
    intents = (ASSIGN,) if assignee.target else ()
    decision = Decision(SETTLED, assignee, intents, FOUND)
    link = settled(Health(), decision, written, owed=Side.SENTRY, owed_reason="refused").link
    assert (link.owed, link.owed_reason) == owed


@pytest.mark.parametrize(
    ("field", "owed"), [(STATUS, (Side.SENTRY, "assignee-not-found")), (ASSIGNEE, (None, ""))]
)
def test_whoever_was_assigned_through_another_link_ends_what_is_owed(
    field: str, owed: tuple[Side | None, str]
) -> None:
    """The link is of an older version, which did not say why something is owed."""
    seen = observation(OPEN, FOUND)
    seen = replace(seen, link=replace(seen.link, owed=Side.SENTRY), siblings=frozenset({(Side.ADO, field)}))
    link = record_of(seen, Decision(SETTLED, SETTLED, (), FOUND), Written(FOUND), None, NOW).link
    assert (link.owed, link.owed_reason) == owed


# Its health.

AWAY = Health(HealthWord.PENDING, "unavailable", "timed out", NOW - 60.0, 1, NOW + 240.0, rev=3)
UNASSIGNED = Health(
    HealthWord.ATTENTION, "assignee-not-found", "HTTP 400: nobody", NOW - 60.0, 1, NOW + 240.0, rev=6
)


def attention(reason: str, detail: str) -> Health:
    return Health(HealthWord.ATTENTION, reason, detail, NOW, 1, NOW + 300.0, rev=7)


@pytest.mark.parametrize("before", [Health(), AWAY])
@pytest.mark.parametrize(
    ("refusals", "reason"), [((STATUS,), None), ((STATUS, ASSIGNEE), "assignee-not-found")]
)
def test_a_refused_state_is_no_trouble_while_another_one_is_tried(
    before: Health, refusals: tuple[str, ...], reason: str | None
) -> None:
    no = {STATUS: Refused("ado", "no"), ASSIGNEE: NOBODY}
    decision = Decision(
        Choice(Outcome.APPLIED, Side.ADO), Choice(Outcome.APPLIED, Side.ADO), (CLOSE, ASSIGN), FOUND
    )
    written = Written(FOUND, refused={each: no[each] for each in refusals}, refused_state="Closed")
    seen = observation(OPEN, FOUND, health=before)
    health = record_of(seen, decision, written, None, NOW, goes_on=True).link.health
    assert health.reason == (reason or before.reason)
    assert reason or health == before


@pytest.mark.parametrize(
    ("refusals", "reason"), [({}, "waits-for-others"), ({STATUS: Refused("ado", "no")}, "refused")]
)
def test_who_waits_for_others_is_told_of_unless_something_is_wrong(
    refusals: dict[str, Refused], reason: str
) -> None:
    decision = replace(closing(FOUND), waiting=Side.ADO)
    link = settled(Health(), decision, Written(FOUND, refused=refusals)).link
    assert (link.waiting, link.health.reason) == (Side.ADO, reason)


def odd(rev: int = 7) -> Ends:
    """Return both ends with a work item in a state that counts as nothing we know."""
    return replace(FOUND, item=ItemSide(rev, "Odd", None))


@pytest.mark.parametrize(
    ("problem", "before", "goes_on", "after"),
    [
        (UNKNOWN, Health(), False, attention("unknown-state", UNKNOWN.told)),
        (UNKNOWN, Health(), True, Health()),
        # Nothing has to be known of a state that nobody asked about.
        (None, Health(), False, Health()),
        (None, AWAY, False, AWAY),
        # That the states cannot be read hides no end that was seen,
        (NO_STATES, Health(), False, Health()),
        # and is news where it takes the place of another trouble.
        (
            NO_STATES,
            replace(AWAY, due=None),
            False,
            replace(AWAY, detail=NO_STATES.told, attempts=2, due=NOW + 900.0, rev=7),
        ),
        (NO_STATES, replace(AWAY, due=None), True, replace(AWAY, due=None)),
    ],
)
def test_a_state_that_counts_as_nothing_we_know_is_trouble_if_the_process_says_so(
    problem: SyncError | None, before: Health, goes_on: bool, after: Health
) -> None:
    seen = replace(observation(odd(6), odd(), health=before), problem=problem)
    decision = Decision(SETTLED, SETTLED, (), odd())
    assert record_of(seen, decision, Written(odd()), None, NOW, goes_on=goes_on).link.health == after


def test_whatever_could_not_be_known_of_a_state_is_over_once_it_is_written_over() -> None:
    after = ends(RESOLVED, "Closed", 8)
    seen = replace(observation(odd(6), odd(), health=AWAY), problem=UNKNOWN)
    link = record_of(seen, closing(after), Written(after, landed=[CLOSE]), None, NOW).link
    assert (link.health, link.undecided) == (Health(), False)


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        ("assignee-not-found", "nobody on the other side had this address"),
        ("assignee-ambiguous", "more than one account on the other side had this address"),
        ("refused", "the other side refused the assignment"),
        ("of-a-newer-version", "the other side does not have the assignee"),
    ],
)
def test_why_an_assignee_is_owed_is_told_as_soon_as_nothing_else_is_wrong(reason: str, detail: str) -> None:
    decision = Decision(SETTLED, SETTLED, (), FOUND)
    link = settled(AWAY, decision, Written(FOUND), owed=Side.SENTRY, owed_reason=reason).link
    assert (link.health.word, link.health.reason, link.health.detail) == (
        HealthWord.ATTENTION,
        reason,
        detail,
    )


def test_what_a_service_said_about_an_owed_assignee_stays_told() -> None:
    decision = Decision(SETTLED, SETTLED, (), FOUND)
    owed: dict[str, Any] = {"owed": Side.SENTRY, "owed_reason": "assignee-not-found"}
    assert settled(UNASSIGNED, decision, Written(FOUND), **owed).link.health == UNASSIGNED


# Its activity.


@pytest.mark.parametrize("where", ["written", "decided", "observed"])
@pytest.mark.parametrize("before", [Health(), attention("unknown-state", UNKNOWN.told)])
def test_a_failure_is_told_once_wherever_it_comes_from(where: str, before: Health) -> None:
    status = Choice(Outcome.UNDECIDED, problem=UNKNOWN) if where == "decided" else SETTLED
    seen = observation(odd(6), odd(), health=before)
    seen = replace(seen, problem=UNKNOWN if where == "observed" else None)
    written = Written(odd(), errors=[UNKNOWN] if where == "written" else [])
    record = record_of(seen, Decision(status, SETTLED, (), odd()), written, None, NOW)
    assert record.link.health == attention("unknown-state", UNKNOWN.told)
    told = ActivityEntry(NOW, "failed", reason=f"unknown-state: {UNKNOWN.told}")
    assert record.entries == (() if before.reason else (told,))


def test_a_recovery_names_the_trouble_that_is_over() -> None:
    record = settled(UNASSIGNED, Decision(SETTLED, SETTLED, (), FOUND), Written(FOUND))
    assert record.entries == (ActivityEntry(NOW, "recovered", reason="assignee-not-found"),)


def test_an_issue_that_no_release_could_be_named_for_is_told_beside_its_status() -> None:
    now, after = ends(UNRESOLVED, "Closed", 7), ends(RESOLVED, "Closed", 7)
    decision = Decision(Choice(Outcome.APPLIED, Side.SENTRY), SETTLED, (RESOLVE,), after)
    written = Written(after, landed=[RESOLVE], resolved_now=Refused("sentry", "no release"))
    record = record_of(observation(OPEN, now), decision, written, None, NOW)
    assert [(each.outcome, each.after, each.reason) for each in record.entries] == [
        ("applied", "resolved", None),
        ("applied", None, "resolved-now: no release"),
    ]


def test_a_step_on_the_way_is_told_before_what_stopped_there() -> None:
    left = replace(FOUND, item=ItemSide(8, "Active", UNRESOLVED))
    refusals = {STATUS: Refused("ado", "no"), ASSIGNEE: NOBODY}
    written = Written(left, steps=[STEP], refused=refusals, refused_state="Tested")
    applied = Choice(Outcome.APPLIED, Side.ADO)
    decision = Decision(applied, applied, (CLOSE, ASSIGN), ends(RESOLVED, "Closed", 9))
    assert settled(Health(), decision, written).entries == (
        ActivityEntry(NOW, "applied", "outbound", STATUS, "New", "Active", 7, "on the way to Closed"),
        ActivityEntry(NOW, "refused", "outbound", STATUS, "Active", "Tested", 8, "refused: no"),
        ActivityEntry(
            NOW,
            "refused",
            "outbound",
            ASSIGNEE,
            after=ANN.email,
            reason="assignee-not-found: nobody has this address",
        ),
    )


# A failure.


def claimed_by(scene: Scene, token: str) -> Claim:
    stored = scene.stored()
    claim = Claim(token, scene.now + 60.0, 1, (CLOSE,), stored.link.seen)
    scene.services.links.replace(stored, replace(stored.link, claim=claim))
    return claim


@pytest.mark.parametrize("token", ["own", "other"])
def test_a_failure_releases_our_own_claim_alone(token: str) -> None:
    scene = Scene()
    claim = claimed_by(scene, token)
    error = Unavailable("ado", "timed out")
    link = record_failure(
        scene.services.links, scene.services.activity, scene.stored(), error, now=NOW, token="own", rev=5
    )
    assert scene.row == link
    assert link.claim == (replace(claim, until=NOW) if token == "own" else claim)
    assert link.health == Health(HealthWord.PENDING, "unavailable", "timed out", NOW, 1, NOW + 300.0, rev=5)
    [told] = scene.entries()
    assert (told.at, told.outcome, told.reason) == (NOW, "failed", "unavailable: timed out")


@pytest.mark.parametrize("tell", [True, False])
def test_a_failure_that_says_nothing_about_the_link_writes_nothing(tell: bool) -> None:
    scene = Scene()
    before = scene.stored()
    busy = Busy("another worker is writing here", retry_after=2.0)
    services = scene.services
    link = record_failure(services.links, services.activity, before, busy, now=NOW, tell=tell)
    assert (link, scene.stored(), scene.entries()) == (before.link, before, [])


def test_a_failure_that_repeats_an_answer_is_recorded_and_not_told() -> None:
    scene = Scene()
    error: SyncError = Unavailable("ado", "timed out")
    services = scene.services
    link = record_failure(services.links, services.activity, scene.stored(), error, now=NOW, tell=False)
    assert (scene.row, link.health.reason, link.health.rev) == (link, "unavailable", 0)
    assert scene.entries() == []


def test_a_failure_on_a_row_that_was_changed_meanwhile_is_forgotten() -> None:
    scene = Scene()
    old = scene.stored()
    claimed_by(scene, "other")
    services, error = scene.services, Unavailable("ado", "timed out")
    before = scene.stored()
    assert record_failure(services.links, services.activity, old, error, now=NOW) == old.link
    assert scene.stored() == before


def test_a_refusal_of_the_state_decided_on_says_where_no_step_had_led() -> None:
    [entry] = refused("a reason is required", Health()).entries
    assert entry == ActivityEntry(
        NOW, "refused", "outbound", STATUS, after="Closed", reason="refused: a reason is required"
    )


@pytest.mark.parametrize(("state", "told"), [("Closed", False), ("Tested", True)])
def test_a_state_that_is_on_record_as_refused_is_told_of_no_more(state: str, told: bool) -> None:
    now = ends(RESOLVED, "New", 7)
    seen = observation(ends(UNRESOLVED, "New", 7), now)
    passed_over = PassedOver(7, "Bug", ("Closed",), ("Closed",))
    seen = replace(seen, link=replace(seen.link, passed_over=passed_over))
    written = Written(now, refused={STATUS: Refused("ado", "no")}, refused_state=state)
    record = record_of(seen, closing(ends(RESOLVED, "Closed", 8)), written, None, NOW)
    assert [each.after for each in record.entries if each.outcome == "refused"] == [state] * told


@pytest.mark.parametrize("told_by", ["hook", None])
def test_a_failure_says_who_noticed_it(told_by: ToldBy | None) -> None:
    scene = Scene()
    services, error = scene.services, Unavailable("ado", "timed out")
    record_failure(services.links, services.activity, scene.stored(), error, now=NOW, told_by=told_by)
    assert [each.told_by for each in scene.entries()] == [told_by]
