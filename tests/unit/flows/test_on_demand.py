"""Reconciling on demand: what is owed is tried at once, however long it had to wait."""

from dataclasses import dataclass, field

import pytest

from shared.domain.configuration import Configuration
from shared.domain.messages import InboundMessage, decode_inbound
from shared.domain.model import HealthWord, Person
from shared.flows.linking import link
from shared.flows.reconciling import reconcile
from shared.flows.syncing import settle_now, sync_inbound
from tests.doubles.ado import MemoryAdo
from tests.doubles.sentry import MemorySentry
from tests.doubles.services import MemoryServices

CAROL = "carol@corp.example"


@dataclass
class Scene:
    """Carol has the work item; Sentry did not know her when that came through, and does now."""

    ado: MemoryAdo = field(default_factory=MemoryAdo)
    sentry: MemorySentry = field(default_factory=MemorySentry)
    now: float = 1_000_000.0

    def __post_init__(self) -> None:
        self.services = MemoryServices(self.ado, self.sentry, lambda: self.now)
        self.organization = self.services.organizations.add(
            "fabrikam", Configuration(ado_url="https://dev.azure.com/fabrikam/", back_links=False)
        )
        self.ado.add_item("Fix login", 31)
        self.sentry.add_issue(issue_id="100")
        link(self.services, self.organization, "100", 31, None)
        item = self.ado.edit(31, **{"System.AssignedTo": CAROL})
        message = InboundMessage("fabrikam", 31, item.rev, snapshot=item)
        assert sync_inbound(message, self.services) == ["refused"]
        self.sentry.add_member(CAROL)

    def deliver(self) -> None:
        queue = self.services.inbound
        while received := queue.receive():
            sync_inbound(decode_inbound(received.body), self.services)
            queue.delete(received)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_link_settled_on_demand_gets_what_is_owed_before_it_is_due(scene: Scene) -> None:
    stored = scene.services.links.get("fabrikam", "100", 31)
    assert stored.link.health.word is HealthWord.ATTENTION
    assert settle_now(scene.services, scene.organization, stored) == "applied"
    assert scene.sentry.get_issue("100").assignee == Person(CAROL)
    assert scene.services.links.get("fabrikam", "100", 31).link.health.word is HealthWord.SETTLED


def test_an_organization_reconciled_on_demand_gets_what_is_owed(scene: Scene) -> None:
    reconcile(scene.services, scene.organization, everything=True)
    scene.deliver()
    assert scene.sentry.get_issue("100").assignee == Person(CAROL)


def test_the_timer_waits_until_what_is_owed_is_due(scene: Scene) -> None:
    reconcile(scene.services, scene.organization)
    scene.deliver()
    assert scene.sentry.get_issue("100").assignee is None
    scene.now += 301
    reconcile(scene.services, scene.organization)
    scene.deliver()
    assert scene.sentry.get_issue("100").assignee == Person(CAROL)
