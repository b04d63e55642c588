"""What comes next, as a table: what a person can do is named as a button and as a command."""

from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.configuration import Configuration
from shared.domain.model import HealthWord, IssueLink, IssueStatus, Person, Side
from shared.domain.next_steps import next_of_linked, next_of_unlinked
from shared.domain.rules.problems import Trouble
from tests.unit.domain.test_apart import link_with

NOW = 1_800_000_000.0
SETTLED: dict[str, Any] = {"word": HealthWord.SETTLED, "reason": ""}
AGREE = link_with(**SETTLED)
APART = link_with(**SETTLED, issue=IssueStatus.IGNORED)
NAMESAKES = link_with(**SETTLED, issue_assignee=Person("ann@home"), item_assignee="ann@corp")
WAITS = link_with(reason="unavailable")
ON, OFF = Configuration(), Configuration(issue_sync=False)
REFUSED = Trouble("unauthorized", Side.SENTRY, "Sentry does not accept our credentials", "Renew it.")
GONE = Trouble("organization-not-found", Side.ADO, "Azure DevOps knows none", "Correct it.")
OTHER = Trouble("clock", Side.ADO, "the clock is off", "Set it.")


@pytest.mark.parametrize(
    ("links", "configuration", "problems", "words"),
    [
        ([AGREE], ON, [], ["carried over within seconds"]),
        ([AGREE], ON, [OTHER], ["within five minutes"]),
        ([AGREE], ON, [OTHER, REFUSED], ["is mended: Sentry does not accept", "minutes then"]),
        ([WAITS], ON, [GONE], ["until this is mended: Azure DevOps knows none"]),
        ([WAITS], ON, [OTHER], ["tried again within five minutes", "Sync now", "sentry-ado retry FE-1 31"]),
        ([AGREE, WAITS], OFF, [], ["tried again", "sentry-ado retry FE-1 31"]),
        ([AGREE], OFF, [], ["switched on again", "sentry-ado copy FE-1 31 --from ado"]),
        ([AGREE, APART], ON, [], ["until somebody changes", "Copy on the admin page", "copy FE-1 31"]),
        ([APART], ON, [OTHER], ["until somebody changes either side"]),
        ([NAMESAKES], ON, [], ["until somebody changes either side"]),
        ([NAMESAKES], Configuration(people={"ann@corp": "ann@home"}), [], ["carried over within seconds"]),
    ],
)  # fmt: skip
def test_what_comes_next(
    links: list[Any], configuration: Configuration, problems: list[Trouble], words: list[str]
) -> None:
    said = next_of_linked(links, configuration, problems, NOW)
    assert [each for each in words if each not in said] == []
    assert "POST" not in said


def due(short_id: str, at: float | None) -> IssueLink:
    waits = replace(WAITS, short_id=short_id)
    return replace(waits, health=replace(waits.health, due=at))


@pytest.mark.parametrize(
    ("links", "when"),
    [
        ([due("FE-2", NOW + 900.0), due("FE-1", NOW + 300.0)], "at 2027-01-15 08:05:00 UTC"),
        ([due("FE-2", NOW + 900.0), due("FE-1", None)], "within five minutes"),
        ([due("FE-2", NOW + 900.0), due("FE-1", NOW)], "within five minutes"),
        ([due("FE-1", NOW + 1.0)], "at 2027-01-15 08:00:01 UTC"),
    ],
)
def test_of_several_links_that_wait_the_next_is_told(links: list[IssueLink], when: str) -> None:
    assert next_of_linked(links, ON, [], NOW) == (
        f"The link is tried again {when}, or at once by Sync now on the admin page, or: "
        "sentry-ado retry FE-1 31"
    )


@pytest.mark.parametrize(
    ("links", "configuration", "problems", "said"),
    [
        (
            [WAITS],
            ON,
            [REFUSED, OTHER, GONE],
            (
                "Nothing, until this is mended: Sentry does not accept our credentials; Azure DevOps knows "
                "none. Every change is carried over within five minutes then."
            ),
        ),
        (
            [AGREE],
            OFF,
            [],
            (
                "Nothing, until the sync is switched on again (issue_sync in the organization's document). "
                "To make up for what changes until then: Copy on the admin page, from the side that is "
                "right, or: sentry-ado copy FE-1 31 --from ado (or sentry)"
            ),
        ),
        ([AGREE], ON, [], "The next change on either side is carried over within seconds."),
    ],
)
def test_it_is_said_in_these_words(
    links: list[Any], configuration: Configuration, problems: list[Trouble], said: str
) -> None:
    assert next_of_linked(links, configuration, problems, NOW) == said


@pytest.mark.parametrize(
    ("issue", "item", "command"),
    [("FE-4", None, "link FE-4 ITEM"), (None, 36, "link ISSUE 36"), ("FE-4", 36, "link FE-4 36")],
)
def test_what_is_not_linked_is_told_how(issue: str | None, item: int | None, command: str) -> None:
    said = next_of_unlinked(issue, item)
    assert said.startswith(
        "Nothing, until the two are linked: by the form in Sentry, by hand on the admin page,"
    )
    assert said.endswith(f" or: sentry-ado {command}")
