"""What is under way in the world: our workers, each in the middle of a call, and hooks on their way to us."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from greenlet import greenlet  # type: ignore[import-untyped]  # it comes without types

from shared.domain.model import SentryIssue
from tests.doubles import ado as ado_double
from tests.doubles import sentry as sentry_double
from tests.simulation.places import Place

if TYPE_CHECKING:
    from tests.simulation.world import WorldServices

Event = ado_double.Event | sentry_double.Event


@dataclass
class Task:
    """Something of ours at work; ``observed`` holds the issues as it last read them.

    ``answers`` holds those that its writes returned; it decides on them once it is done with a link.
    ``partition`` is that of the connection that its message was about, and ``about`` what it names; "" for
    whatever has no message.
    ``busy`` is how long its own calls have taken so far, ``carries_news`` whether it is about something that
    somebody changed, ``copies`` the side that a person has copied over, ``was_troubled`` whether one of its
    calls went wrong.
    """

    name: str
    run: greenlet
    services: "WorldServices"
    since: float = 0.0
    token: str = ""
    partition: str = ""
    about: str = ""
    asleep_until: float = 0.0
    began: float = 0.0
    busy: float = 0.0
    copies: str = ""
    carries_news: bool = False
    was_troubled: bool = False
    observed: dict[str, SentryIssue] = field(default_factory=dict)
    answers: dict[str, SentryIssue] = field(default_factory=dict)

    @property
    def is_form(self) -> bool:
        return self.name.startswith("form")

    @property
    def is_wish(self) -> bool:
        """Tell whether a person asked for it who waits for the answer, and is told of it."""
        return self.name.startswith(("form", "link", "copy"))

    @property
    def is_reconciler(self) -> bool:
        return self.name.startswith("reconciler")


@dataclass(frozen=True)
class Flight:
    """A hook on its way to us; ``place`` is the Azure DevOps organization that it is from, if it is."""

    due: float
    event: Event
    place: Place | None = None
    attempts: int = 0


def named(event: Event) -> str:
    if isinstance(event, sentry_double.Event):
        by = "" if event.rule is None else f" the rule {event.rule.name}"
        return f"issue {event.issue_id} {event.action}{by}"
    return f"work item {event.item.id} {event.kind} to rev {event.item.rev}"
