"""What the parts of a run share: the progress, the time, what became of them, and the messages."""

from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from shared.domain.errors import OrganizationGone, SyncError, Unauthorized
from shared.domain.problems import Problem
from shared.domain.rules.turns import LastRun
from shared.flows.going_on import Answer, ask_patiently
from shared.flows.reconciling.messages import Messages
from shared.services import Services
from shared.store.organizations import Organization, gone
from shared.store.progress import Look, Progress

# Keys of rows that cannot be read which a run names; all of them are counted.
_MOST_NAMED = 100


class Part(StrEnum):
    """A part of a run, by the word that the log and a problem have for it."""

    FEED = "feed"
    LINKS = "links"
    LOOK = "full-look"
    ISSUES = "issues"
    ACTIVITY = "activity"
    ADO = "ado"
    SENTRY = "sentry"
    EXAMINATION = "examination"
    EVENTS = "events"
    PROGRESS = "progress"


# What is done however many links there are.
_WITHOUT_LINKS = frozenset({Part.ACTIVITY, Part.ADO, Part.SENTRY, Part.EXAMINATION, Part.EVENTS})


class Failure(msgspec.Struct, frozen=True):
    """Why a part of a run could not be done, or was done in another way."""

    part: Part
    error: Exception

    @property
    def kind(self) -> str:
        return self.error.kind if isinstance(self.error, SyncError) else "bug"

    @property
    def detail(self) -> str:
        """Say it in our own words; what a bug says may quote anything."""
        return self.error.detail if isinstance(self.error, SyncError) else type(self.error).__name__


class Found(msgspec.Struct, frozen=True):
    """The counts of one run, and what became of its parts.

    ``looked_at`` links were passed, and ``compared`` ones beside their work items. There is a message for
    ``drifted`` work items and for so many ``issues``. ``unreadable`` are the keys of rows that were passed
    over, or the first of them. ``notes`` are what makes a part do its work in another way, if that is new.
    ``remaining`` says that the run did not reach all links.
    """

    looked_at: int = 0
    compared: int = 0
    drifted: int = 0
    issues: int = 0
    unreadable: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    notes: tuple[Failure, ...] = ()
    remaining: bool = False


class Run:
    """One run through one organization. Whatever becomes of a part, the others are done.

    ``everything`` says that somebody asked for all links; ``heard`` are the services that have answered.
    ``ill_since`` is when the last of the links fell ill for a reason that an examination may explain.
    """

    def __init__(
        self, services: Services, organization: Organization, progress: Progress, run_for: float
    ) -> None:
        self.services = services
        self.organization = organization
        self.progress = progress
        self.everything = progress.everything
        self.messages = Messages(services, organization, progress.marks, everything=self.everything)
        self._began = self.now
        self.stop_at = self._began + run_for
        self.looked_at = self.compared = 0
        self.remains = False
        self.heard: set[str] = set()
        self.ill_since = 0.0
        self._unreadable: tuple[str, ...] = ()
        self._failures: list[Failure] = []
        self._notes: list[Failure] = []
        self._troubles: dict[Part, Problem] = {}

    @property
    def now(self) -> float:
        return self.services.clock()

    @property
    def is_out_of_time(self) -> bool:
        return self.now > self.stop_at

    @property
    def found(self) -> Found:
        return Found(
            looked_at=self.looked_at,
            compared=self.compared,
            drifted=self.messages.about_items,
            issues=self.messages.about_issues,
            unreadable=self._unreadable,
            failures=tuple(self._failures),
            notes=tuple(self._notes),
            remaining=self.remains,
        )

    def look_again(self) -> None:
        """Go by what is known by now of who is at both addresses."""
        with suppress(SyncError):
            now = self.services.organizations.get(self.organization.slug)
            if now.epoch == self.organization.epoch:
                self.organization = now

    # Parts

    def attempt(self, part: Part, work: Callable[["Run"], None]) -> None:
        """Do a part, and store what it has come to. It is a problem as long as it fails."""
        try:
            work(self)
        except Exception as error:  # noqa: BLE001  # even a bug; the caller logs it
            self.fail(part, error)
        problems = {each: problem for each, problem in self.progress.problems.items() if each != part}
        was = self.progress.problems.get(part)
        if part in self._troubles:
            problems[part] = self._troubles[part]
        elif was is not None and was.kind == OrganizationGone.kind:
            # What was told while the organization was gone left no trace on the links, and the feed went on.
            self.want_look()
        self.progress = replace(self.progress, problems=problems)
        self.store()

    def want_look(self) -> None:
        """Have all work items looked at; behind a look that is half done there will be another one."""
        look = self.progress.look or Look()
        self.progress = replace(self.progress, look=replace(look, again=look.after is not None))

    def fail(self, part: Part, error: Exception) -> None:
        """Note that a part, or a piece of it, could not be done."""
        failure = Failure(part, error)
        self._failures.append(failure)
        self._troubles[part] = self._problem(failure)
        if isinstance(error, Unauthorized | OrganizationGone):
            noted = error.service if isinstance(error, Unauthorized) else gone(error.service)
            with suppress(SyncError):  # What health says for half an hour is not worth the rest of the run.
                self.services.organizations.note_refusal(self.organization.slug, noted)

    def note(self, part: Part, error: SyncError) -> None:
        """Note what makes a part do its work in another way; it is told when it is new."""
        note, known = Failure(part, error), self.progress.problems.get(part)
        if known is None or known.kind != note.kind:
            self._notes.append(note)
        if (failed := self._troubles.get(part)) is None or failed.is_note:
            self._troubles[part] = replace(self._problem(note), is_note=True)

    def _problem(self, failure: Failure) -> Problem:
        known = self.progress.problems.get(failure.part)
        since = known.since if known is not None and known.kind == failure.kind else self.now
        return Problem(failure.kind, failure.detail, since)

    def begin_anew(self) -> None:
        """Keep what concerns the activity, of which there may be some: there are no links any more."""
        old = self.progress
        self.messages.forget_all()
        self.progress = Progress(
            pruned_at=old.pruned_at,
            pruned_until=old.pruned_until,
            unreadable_entries=old.unreadable_entries,
            problems={each: problem for each, problem in old.problems.items() if each in _WITHOUT_LINKS},
            asked_at=old.asked_at,
            known=old.known,
        )

    def store(self) -> None:
        """Store the progress; losing it only repeats some reads."""
        last_run = LastRun(self._began, self.now - self._began)
        self.progress = replace(self.progress, marks=self.messages.marks, last_run=last_run)
        try:
            self.services.progress.put(self.organization.scope, self.progress)
        except Exception as error:  # noqa: BLE001  # the rest of the run is worth doing
            if all(each.part is not Part.PROGRESS for each in self._failures):
                self._failures.append(Failure(Part.PROGRESS, error))

    def pass_over(self, keys: tuple[str, ...]) -> None:
        """Name rows that cannot be read."""
        self._unreadable = (*self._unreadable, *keys)[:_MOST_NAMED]

    # Calls

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """Make a call to a service; if that asks for a short wait, wait and make it once more."""
        return ask_patiently(self.services, self.stop_at, call)

    def was_answered(self, service: str, *, allowed: bool) -> None:
        """Note that a service accepts our credentials; ``allowed`` says that it shows us single things."""
        slug = self.organization.slug
        self.heard.add(service)
        with suppress(SyncError):
            self.services.organizations.note_acceptance(slug, service)
            if allowed:
                self.services.forbidden.end(slug, service)
