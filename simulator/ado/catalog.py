"""Who and what an organization holds besides work items: its people, its projects and how they are found."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from simulator.ado.errors import no_project, no_type
from simulator.ado.processes import AGILE, BASIC, CMMI, SCRUM, TAILORED, Process, State, WorkItemType

DEFAULT_PROJECTS = (
    ("Fabrikam-Fiber", AGILE),
    ("Scrum Team", SCRUM),
    ("Basic Board", BASIC),
    ("CMMI Works", CMMI),
    ("Tailored", TAILORED),
)


def guid(*parts: object) -> str:
    """Make a GUID that is the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(str(part) for part in parts)))


@dataclass(frozen=True)
class Person:
    """An identity; ``unique_name`` is the e-mail address, and empty for a service principal."""

    id: str
    name: str
    unique_name: str
    descriptor: str

    @classmethod
    def named(cls, name: str, unique_name: str) -> "Person":
        identity = guid("person", unique_name.casefold() or name)
        # ADO quirk: a service principal's descriptor starts with "aadsp." and it has no uniqueName.
        kind = "aad" if unique_name else "aadsp"
        return cls(identity, name, unique_name, f"{kind}.{identity.replace('-', '')}")

    @property
    def text(self) -> str:
        """Spell the identity as resourceVersion 1.0 does."""
        return f"{self.name} <{self.unique_name}>" if self.unique_name else self.name


@dataclass(frozen=True)
class Project:
    id: str
    name: str
    process: Process

    def type(self, name: str) -> WorkItemType:
        """Find a work item type, or raise the refusal that the service answers with."""
        kind = self.process.find_type(name)
        if kind is None:
            raise no_type(name)
        return kind

    @property
    def areas(self) -> tuple[str, ...]:
        return (self.name, rf"{self.name}\Web", rf"{self.name}\Service")

    @property
    def iterations(self) -> tuple[str, ...]:
        return (self.name, rf"{self.name}\Sprint 1", rf"{self.name}\Sprint 2")


@dataclass
class Catalog:
    """One organization; ``account_id`` is what resourceAreas calls the host."""

    organization: str
    projects: dict[str, Project] = field(default_factory=dict)
    people: list[Person] = field(default_factory=list)
    transitions: Literal["served", "empty", "absent"] = "served"

    @property
    def account_id(self) -> str:
        return guid("account", self.organization)

    @property
    def collection_id(self) -> str:
        return guid("collection", self.organization)

    def add_project(self, name: str, process: Process) -> Project:
        project = Project(guid("project", self.organization, name), name, process)
        self.projects[project.id] = project
        return project

    def disable_type(self, project: str, kind: str) -> None:
        """Disable a type for new work items. Those that exist go on as before."""
        found = self.project(project)
        types = tuple(
            replace(each, disabled=each.disabled or each.name == kind) for each in found.process.types
        )
        self.projects[found.id] = replace(found, process=replace(found.process, types=types))

    def restrict(
        self,
        project: str,
        kind: str,
        moves: Mapping[str, tuple[str, ...]] | None,
        states: tuple[State, ...] = (),
    ) -> None:
        """Allow no other moves out of the states named; None allows all that the process does.

        ``states`` replace those of the type.
        """
        found = self.project(project)
        types = tuple(
            replace(each, moves=moves, states=states or each.states) if each.name == kind else each
            for each in found.process.types
        )
        self.projects[found.id] = replace(found, process=replace(found.process, types=types))

    def add_person(self, name: str, unique_name: str) -> Person:
        person = Person.named(name, unique_name)
        self.people.append(person)
        return person

    def project(self, name_or_id: str) -> Project:
        wanted = name_or_id.casefold()
        for project in self.projects.values():
            if wanted in (project.id, project.name.casefold()):
                return project
        raise no_project(name_or_id)

    def find_person(self, value: object) -> Person | None:
        """Find the person a value means: a mail address, a name, "Name <mail>", an id or an IdentityRef.

        Returns None for a display name that two people share: the service cannot tell which one is meant.
        """
        if isinstance(value, Mapping):
            candidates = (value.get("id"), value.get("uniqueName"), value.get("displayName"))
            found = (self.find_person(candidate) for candidate in candidates if candidate)
            return next((person for person in found if person is not None), None)
        wanted = str(value).strip().casefold()
        exact = [
            person
            for person in self.people
            if wanted in (person.unique_name.casefold(), person.text.casefold(), person.id)
        ]
        named = [person for person in self.people if person.name.casefold() == wanted]
        matches = exact or named
        return matches[0] if len(matches) == 1 and wanted else None


def default_catalog(organization: str, *, projects: int) -> Catalog:
    """Fill an organization with one project of each process and plain ones up to the number asked for."""
    catalog = Catalog(organization)
    for name, process in DEFAULT_PROJECTS:
        catalog.add_project(name, process)
    for number in range(len(catalog.projects) + 1, projects + 1):
        catalog.add_project(f"Project {number:05}", AGILE)
    for name in ("Ann", "Bob", "Carol"):
        catalog.add_person(name, f"{name.lower()}@corp.example")
    return catalog
