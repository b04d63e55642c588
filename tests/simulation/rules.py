"""The alert rules that there are in Sentry, each with our action."""

from simulator.sentry.model import AlertRule
from tests.doubles.ado import MemoryAdo

NEW_ERRORS, MANY_USERS, BY_NAME, TAILORED = "New errors", "Many users", "By name", "Tailored"
RULES = (NEW_ERRORS, MANY_USERS, BY_NAME, TAILORED)


def rules_of(ado: MemoryAdo) -> list[AlertRule]:
    """Return what each rule asks for, by the ids of the organization that is connected."""
    fiber, tailored = (ado.catalog.project(each) for each in ("Fabrikam-Fiber", "Tailored"))
    return [
        AlertRule(NEW_ERRORS, {"project": fiber.id, "work_item_type": "Bug"}),
        AlertRule(MANY_USERS, {"project": fiber.id, "work_item_type": "Task"}),
        AlertRule(BY_NAME, {"project": fiber.name, "work_item_type": "Bug", "tags": "sentry"}),
        AlertRule(TAILORED, {"project": tailored.id, "work_item_type": "Störung"}),
    ]
