"""A world in which links are taken over and rebuilt, whose services fail at any list or batch."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from shared.domain.configuration import Configuration
from shared.domain.errors import Unavailable
from shared.domain.model import ExternalIssue, FoundWorkItems, IntegrationIssue, IssuePage, SentryIssue
from shared.domain.rules.back_links import Mark
from shared.flows.adopting import adopt
from shared.flows.pages_of_pairs import PageOfPairs
from shared.flows.rebuilding import rebuild
from shared.store.organizations import Organization
from tests.doubles.ado import BASE_URL, MemoryAdo
from tests.doubles.clock import Clock
from tests.doubles.sentry import MemorySentry
from tests.doubles.services import KNOWN, MemoryServices

SLUG = "acme"
Shape = TypeVar("Shape")


def nothing() -> None:
    pass


class Ado(MemoryAdo):
    """Azure DevOps, which gives no answer about some work items, nor about what is asked along with them."""

    unanswered: frozenset[int] = frozenset()
    before_batch: Callable[[], None] = staticmethod(nothing)
    batches: int = 0

    def find_work_items(self, work_item_ids: Sequence[int]) -> FoundWorkItems:
        self._verify(work_item_ids)
        return super().find_work_items(work_item_ids)

    def call(self, method: str, path: tuple[str, ...], kind: type[Shape], **sent: Any) -> Shape:
        if path[-1] == "workitemsbatch":
            self._verify(sent["json"]["ids"])
        return super().call(method, path, kind, **sent)

    def _verify(self, work_item_ids: Sequence[int]) -> None:
        self.batches += 1
        self.before_batch()
        if self.unanswered & set(work_item_ids):
            raise Unavailable("ado", "HTTP 500")


class Sentry(MemorySentry):
    """Sentry with pages of linked issues, one of which somebody asks for after something has happened."""

    pages: Sequence[IssuePage] = (IssuePage((), None),)
    before_list: Callable[[int], None] = staticmethod(lambda _number: None)

    def linked_issues(self, after: str | None) -> IssuePage:
        number = 0 if after is None else int(after.partition(":")[2])
        self.before_list(number)
        return self.pages[number]

    def show(self, *pages: Sequence[SentryIssue], unreadable: int = 0) -> None:
        """Have these pages shown, ``unreadable`` rows on each."""
        last = len(pages) - 1
        self.pages = [
            IssuePage(tuple(page), None if number == last else f"0:{number + 1}", unreadable)
            for number, page in enumerate(pages)
        ]


class World:
    """One organization in which nothing is linked yet."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.ado, self.sentry = Ado(clock=self.clock), Sentry()
        self.services = MemoryServices(self.ado, self.sentry, self.clock, pause=self.pause)
        self.services.organizations.add(
            SLUG, Configuration(ado_url=BASE_URL, sentry_organization="acme", back_links=False), KNOWN
        )

    def pause(self, seconds: float) -> None:
        self.clock.now += seconds

    @property
    def organization(self) -> Organization:
        return self.services.organizations.get(SLUG)

    def adopted(self, number: int) -> SentryIssue:
        """Return an issue that Sentry's own integration linked to the work item of that number."""
        issue = self._issue(number)
        return replace(issue, integration_issues=(IntegrationIssue(str(number), "#", "vsts", "fabrikam"),))

    def entered(self, number: int) -> SentryIssue:
        """Return an issue with an entry that leads to the work item of that number."""
        url = f"{BASE_URL}Fabrikam-Fiber/_workitems/edit/{number}"
        entry = ExternalIssue(f"e{number}", "our-app", f"Fabrikam-Fiber#{number}", url)
        return replace(self._issue(number), external_issues=(entry,))

    def hyperlink(self, number: int) -> None:
        """Have a work item show the link with an issue of the same number."""
        issue = self._issue(number)
        value = {
            "rel": "Hyperlink",
            "url": self.sentry.web_url(issue.issue_id),
            "attributes": {"comment": str(Mark.LINKED)},
        }
        patch = [{"op": "add", "path": "/relations/-", "value": value}]
        super(Ado, self.ado).call("PATCH", ("_apis", "wit", "workitems", str(number)), object, json=patch)

    def _issue(self, number: int) -> SentryIssue:
        self.ado.add_item("Fix login", number)
        self.sentry.add_issue(issue_id=str(number))
        return self.sentry.get_issue(str(number))

    def adopt(self, continuation: str | None = None, *, is_dry_run: bool = False) -> PageOfPairs:
        return adopt(self.services, self.organization, continuation, is_dry_run=is_dry_run)

    def dry_run(self, continuation: str | None = None) -> PageOfPairs:
        return self.adopt(continuation, is_dry_run=True)

    def rebuild(self, continuation: str | None = None) -> PageOfPairs:
        return rebuild(self.services, self.organization, continuation)

    @property
    def linked(self) -> list[int]:
        links = self.services.links.all(self.organization.scope)
        return sorted(each.link.work_item_id for each in links)


def outcomes(page: PageOfPairs) -> dict[int, str]:
    return {each.work_item_id: each.outcome for each in page.links}
