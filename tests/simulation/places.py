"""What is at the addresses that a document may name: organizations of Azure DevOps, some of them twice."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from simulator.ado.catalog import Catalog
from simulator.ado.processes import AGILE, CMMI, TAILORED, Process, State
from tests.doubles.ado import MemoryAdo
from tests.simulation.schedule import Schedule

HERE = "https://dev.azure.com/fabrikam/"
# The same organization by another of its addresses; and after a move by which it became another account.
SPELLED_OTHERWISE, MOVED = "https://fabrikam.visualstudio.com/", "https://dev.azure.com/fabrikam-moved/"
THERE = "https://dev.azure.com/contoso/"
# A state that was added to the process after the app had asked for its states.
NEW_STATE = State("Verified", "Resolved")


@dataclass(frozen=True)
class Place:
    """An organization as it is found at an address; ``identity`` is what it calls itself there."""

    ado: MemoryAdo
    identity: str

    @property
    def organization(self) -> str:
        return self.ado.catalog.organization


def places_for(schedule: Schedule, clock: Callable[[], float]) -> dict[str, Place]:
    """Return what is at each address; in every organization the same numbers stand for items of its own."""
    changes_types = any(each.what in {"disable-type", "restrict"} for each in schedule.actions)
    catalog = (_catalog.__wrapped__ if changes_types else _catalog)("fabrikam")
    fabrikam = Place(_furnished(schedule, MemoryAdo(catalog, clock)), catalog.account_id)
    places = {HERE: fabrikam}
    if any(each.what in {"repoint", "connect", "edit-there"} for each in schedule.actions):
        other = _catalog("contoso")
        places[SPELLED_OTHERWISE] = fabrikam
        places[MOVED] = Place(fabrikam.ado, "another-account")
        places[THERE] = Place(_furnished(schedule, MemoryAdo(other, clock)), other.account_id)
    return places


def _furnished(schedule: Schedule, ado: MemoryAdo) -> MemoryAdo:
    ado.unlisted = frozenset({NEW_STATE.name})
    ado.add_person("Build Service", "")
    for work_item_id in schedule.items:
        kind, project = schedule.kind_of(work_item_id)
        title = f"Item {work_item_id} of {ado.catalog.organization}"
        ado.add_item(title, work_item_id, kind=kind, project=project)
    return ado


@cache
def _catalog(organization: str) -> Catalog:
    """Return one organization's projects and people; hardly anything in a schedule changes them."""
    catalog = Catalog(organization)
    catalog.add_project("Fabrikam-Fiber", _with_new_state(AGILE))
    catalog.add_project("CMMI Works", CMMI)
    catalog.add_project("Tailored", TAILORED)
    for name in ("Ann", "Bob", "Carol", "Eve", "Sync"):
        catalog.add_person(name, f"{name.lower()}@corp.example")
    return catalog


def _with_new_state(process: Process) -> Process:
    kinds = tuple(
        replace(kind, states=(*kind.states, NEW_STATE)) if kind.name == "Bug" else kind
        for kind in process.types
    )
    return replace(process, types=kinds)
