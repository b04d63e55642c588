"""What the form sent is remembered for an hour, beside the links; on the double and on Azurite."""

import pytest

from shared.store.links import LinkStore
from shared.store.submissions import REMEMBERED_FOR, Submission, SubmissionStore
from shared.store.tables import Replace, Table

ACME, NOW = "acme", 1_800_000_000.0
SENT = Submission(NOW, "100", 31)
SIGNATURE = "ab" * 32


@pytest.fixture
def submissions(table: Table) -> SubmissionStore:
    return SubmissionStore(table)


def test_nothing_was_sent_yet(submissions: SubmissionStore) -> None:
    assert submissions.find(ACME, SIGNATURE, NOW) is None
    assert submissions.prune(ACME, NOW) == 0


@pytest.mark.parametrize(
    ("later", "found"), [(0.0, True), (REMEMBERED_FOR, True), (REMEMBERED_FOR + 1, False), (-1.0, False)]
)
def test_it_is_remembered_for_an_hour(submissions: SubmissionStore, later: float, found: bool) -> None:
    submissions.add(ACME, SIGNATURE, SENT)
    assert submissions.find(ACME, SIGNATURE, NOW + later) == (SENT if found else None)


def test_another_submission_and_another_organization_are_others(submissions: SubmissionStore) -> None:
    submissions.add(ACME, SIGNATURE, SENT)
    assert submissions.find(ACME, "cd" * 32, NOW) is None
    assert submissions.find("other", SIGNATURE, NOW) is None


def test_sent_again_it_is_remembered_anew(submissions: SubmissionStore) -> None:
    submissions.add(ACME, SIGNATURE, SENT)
    again = Submission(NOW + 60.0, "100", 32)
    submissions.add(ACME, SIGNATURE, again)
    assert submissions.find(ACME, SIGNATURE, NOW + 60.0) == again


def test_what_is_over_is_removed_and_what_nobody_can_read(submissions: SubmissionStore, table: Table) -> None:
    submissions.add(ACME, SIGNATURE, SENT)
    submissions.add(ACME, "cd" * 32, Submission(NOW + 60.0, "100", 32))
    table.apply(ACME, Replace("seen!odd", "nonsense", None), Replace("deed!other", "{}", None))
    assert submissions.find(ACME, "odd", NOW) is None
    assert submissions.prune(ACME, NOW + REMEMBERED_FOR + 1) == 2
    assert submissions.prune(ACME, NOW + REMEMBERED_FOR + 1) == 0
    assert submissions.find(ACME, "cd" * 32, NOW + REMEMBERED_FOR + 1) is not None
    assert table.get(ACME, "deed!other").text == "{}"


def test_it_is_no_link(submissions: SubmissionStore, table: Table) -> None:
    submissions.add(ACME, SIGNATURE, SENT)
    links = LinkStore(table)
    assert list(links.all(ACME)) == []
    assert list(links.for_issue(ACME, "100")) == []
