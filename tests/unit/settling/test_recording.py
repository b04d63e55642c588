"""What a settling leaves on a link and in its activity, as a function of what was observed and written."""

import pytest
from msgspec.structs import replace

from shared.domain.errors import Busy, NotAssignable, Refused, SyncError, Unavailable
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
