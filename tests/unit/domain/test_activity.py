"""What a person reads about a link: what changed where, what was written, and why something was not."""

import pytest

from shared.domain.activity import (
    decision_entries,
    failure_entry,
    named,
    refusal_entry,
    resolved_now_entry,
    step_entry,
)
from shared.domain.configuration import Configuration
from shared.domain.errors import NotAssignable, NotFound, Refused, Unauthorized
from shared.domain.model import (
    ASSIGNEE,
    STATUS,
    ActivityEntry,
    Assignee,
    Category,
    Ends,
    Intent,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    Person,
    Side,
    State,
    Stranger,
    WorkItemTypes,
)
from shared.domain.rules.deciding import Decision, decide

RESOLVED, UNRESOLVED, IGNORED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED
ANN, BOB = Person("ann@corp.example"), Person("bob@corp.example")
TEAM = Stranger("team-assignee", "#backend")
TYPES = {
    "Bug": (
        State("New", Category.PROPOSED),
        State("Active", Category.IN_PROGRESS),
        State("Closed", Category.COMPLETED),
    )
}
ONE_WAY = Configuration(sync_status_reverse=False, sync_reverse_assignment=False)
AT = 1_000_000.0


def ends(
    status: IssueStatus, state: str, *, in_sentry: Assignee = None, in_ado: Assignee = None, rev: int = 7
) -> Ends:
    counts_as = RESOLVED if state == "Closed" else UNRESOLVED
    return Ends(IssueSide(status, in_sentry), ItemSide(rev, state, counts_as, in_ado))


OPEN = ends(UNRESOLVED, "Active")


def decided(seen: Ends, now: Ends, configuration: Configuration, types: WorkItemTypes = TYPES) -> Decision:
    link = IssueLink("fabrikam", "100", 31, "p1", "Bug", seen)
    return decide(link, seen=seen, now=now, owed=None, configuration=configuration, types=types)


def entry(
    outcome: str, direction: str, field: str, before: str | None, after: str | None, reason: str | None = None
) -> ActivityEntry:
    return ActivityEntry(AT, outcome, direction, field, before, after, 8, reason)


@pytest.mark.parametrize(
    ("seen", "now", "configuration", "entries"),
    [
        (OPEN, ends(UNRESOLVED, "New", rev=8), Configuration(), []),
        # A write: from what it replaced to what it put there.
        (
            OPEN,
            ends(RESOLVED, "Active", rev=8),
            Configuration(),
            [entry("applied", "outbound", STATUS, "Active", "Closed")],
        ),
        (
            OPEN,
            ends(UNRESOLVED, "Closed", rev=8),
            Configuration(),
            [entry("applied", "inbound", STATUS, "unresolved", "resolved")],
        ),
        (
            OPEN,
            ends(UNRESOLVED, "Active", in_ado=ANN, rev=8),
            Configuration(),
            [entry("applied", "inbound", ASSIGNEE, None, "ann@corp.example")],
        ),
        (
            ends(UNRESOLVED, "Active", in_ado=ANN, in_sentry=ANN),
            ends(UNRESOLVED, "Active", in_ado=ANN, rev=8),
            Configuration(),
            [entry("applied", "outbound", ASSIGNEE, "ann@corp.example", None)],
        ),
        # A conflict: the value that lost, and the one that won.
        (
            OPEN,
            ends(UNRESOLVED, "Active", in_ado=ANN, in_sentry=BOB, rev=8),
            Configuration(),
            [entry("conflict-resolved", "inbound", ASSIGNEE, "bob@corp.example", "ann@corp.example")],
        ),
        (
            ends(RESOLVED, "Active"),
            ends(UNRESOLVED, "Closed", rev=8),
            Configuration(sync_status_reverse=False),
            [entry("conflict-resolved", "outbound", STATUS, "Closed", "Active")],
        ),
        # No write: what changed, on the side where it did.
        (
            OPEN,
            ends(UNRESOLVED, "Closed", rev=8),
            ONE_WAY,
            [entry("skipped", "inbound", STATUS, "Active", "Closed", "inbound-off")],
        ),
        (
            OPEN,
            ends(IGNORED, "Active", rev=8),
            Configuration(),
            [entry("skipped", "outbound", STATUS, "unresolved", "ignored", "archived")],
        ),
        (
            ends(IGNORED, "Active"),
            ends(IGNORED, "Closed", rev=8),
            Configuration(),
            [entry("skipped", "inbound", STATUS, "Active", "Closed", "archived")],
        ),
        (
            OPEN,
            ends(UNRESOLVED, "Active", in_sentry=TEAM, rev=8),
            Configuration(),
            [entry("skipped", "outbound", ASSIGNEE, None, "#backend", "team-assignee")],
        ),
        (
            OPEN,
            ends(RESOLVED, "Closed", rev=8),
            Configuration(),
            [entry("agreed", "outbound", STATUS, "unresolved", "resolved")],
        ),
        # Both fields, the status first.
        (
            OPEN,
            ends(RESOLVED, "Active", in_ado=ANN, rev=8),
            ONE_WAY,
            [
                entry("applied", "outbound", STATUS, "Active", "Closed"),
                entry("skipped", "inbound", ASSIGNEE, None, "ann@corp.example", "inbound-off"),
            ],
        ),
    ],
)
def test_an_entry_says_what_changed_where(
    seen: Ends, now: Ends, configuration: Configuration, entries: list[ActivityEntry]
) -> None:
    assert decision_entries(seen, now, decided(seen, now, configuration), AT) == entries


@pytest.mark.parametrize(
    ("now", "field", "detail", "refusal"),
    [
        (
            ends(RESOLVED, "Active"),
            STATUS,
            "PATCH: HTTP 400: TF401320: Rule Error",
            ActivityEntry(
                AT,
                "refused",
                "outbound",
                STATUS,
                after="Closed",
                reason="refused: PATCH: HTTP 400: TF401320: Rule Error",
            ),
        ),
        (
            ends(UNRESOLVED, "Closed"),
            STATUS,
            "PUT: HTTP 400: no",
            ActivityEntry(
                AT, "refused", "inbound", STATUS, after="resolved", reason="refused: PUT: HTTP 400: no"
            ),
        ),
        (
            ends(UNRESOLVED, "Active", in_sentry=ANN),
            ASSIGNEE,
            "an unknown identity",
            ActivityEntry(
                AT,
                "refused",
                "outbound",
                ASSIGNEE,
                after="ann@corp.example",
                reason="assignee-not-found: an unknown identity",
            ),
        ),
        (
            ends(UNRESOLVED, "Active", in_ado=ANN),
            ASSIGNEE,
            "nobody has this address",
            ActivityEntry(
                AT,
                "refused",
                "inbound",
                ASSIGNEE,
                after="ann@corp.example",
                reason="assignee-not-found: nobody has this address",
            ),
        ),
    ],
)
def test_a_refusal_is_recorded_in_the_words_of_the_service_that_refused(
    now: Ends, field: str, detail: str, refusal: ActivityEntry
) -> None:
    decision = decided(OPEN, now, Configuration())
    nobody = NotAssignable("ado", detail, kind="assignee-not-found")
    refused = nobody if field == ASSIGNEE else Refused("ado", detail)
    assert refusal_entry(field, refused, decision, AT) == refusal


def test_a_refusal_on_the_way_names_the_state_that_was_refused_and_where_the_steps_had_led() -> None:
    decision = decided(OPEN, ends(RESOLVED, "Active"), Configuration())
    left_at = ItemSide(9, "Active", UNRESOLVED)
    entry = refusal_entry(STATUS, Refused("ado", "no"), decision, AT, state="Tested", left_at=left_at)
    assert entry == ActivityEntry(
        AT, "refused", "outbound", STATUS, "Active", "Tested", rev=9, reason="refused: no"
    )


def test_a_write_names_the_states_that_it_leads_through() -> None:
    steps = (
        State("New", Category.PROPOSED, ("Active",)),
        State("Active", Category.IN_PROGRESS, ("Tested",)),
        State("Tested", Category.IN_PROGRESS, ("Closed",)),
        State("Closed", Category.COMPLETED),
    )
    seen, now = ends(UNRESOLVED, "New"), ends(RESOLVED, "New", rev=8)
    decision = decided(seen, now, Configuration(), {"Bug": steps})
    assert decision_entries(seen, now, decision, AT) == [
        entry("applied", "outbound", STATUS, "New", "Closed", "via Active, Tested")
    ]


def test_a_step_on_the_way_names_where_it_leads() -> None:
    now = ends(RESOLVED, "New", in_sentry=ANN, rev=8)
    decision = decided(ends(UNRESOLVED, "New"), now, Configuration())
    step = Intent(Side.ADO, STATUS, state="Active", status=UNRESOLVED)
    assert step_entry(now, step, decision, AT) == ActivityEntry(
        AT, "applied", "outbound", STATUS, "New", "Active", 8, "on the way to Closed"
    )


def test_an_issue_that_was_resolved_in_no_release_says_so() -> None:
    assert resolved_now_entry(Refused("sentry", "HTTP 400", quoted="no release"), AT) == ActivityEntry(
        AT, "applied", "inbound", STATUS, reason="resolved-now: HTTP 400: no release"
    )


def test_a_failure_is_recorded_with_its_reason() -> None:
    assert failure_entry(Unauthorized("ado", "HTTP 401"), AT) == ActivityEntry(
        AT, "failed", reason="unauthorized: HTTP 401"
    )
    gone = NotFound("HTTP 404", kind="work-item-not-found")
    assert failure_entry(gone, AT).reason == "work-item-gone: HTTP 404"


@pytest.mark.parametrize(("assignee", "name"), [(None, None), (ANN, "ann@corp.example"), (TEAM, "#backend")])
def test_somebody_is_named_by_address_or_label(assignee: Assignee, name: str | None) -> None:
    assert named(assignee) == name
