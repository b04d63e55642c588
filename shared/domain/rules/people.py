"""Who is who: the assignee on one side that corresponds to an assignee on the other."""

from shared.domain.configuration import Configuration
from shared.domain.model import Assignee, Person, Stranger


def in_sentry(configuration: Configuration, assignee: Assignee) -> Assignee:
    """Return the Sentry assignee for an Azure DevOps assignee; nobody and strangers stay as they are."""
    if isinstance(assignee, Person):
        return Person(configuration.people.get(assignee.email, assignee.email))
    return assignee


def in_ado(configuration: Configuration, assignee: Assignee) -> Assignee:
    """Return the Azure DevOps assignee for a Sentry assignee; nobody and strangers stay as they are."""
    if isinstance(assignee, Person):
        return Person(configuration.ado_people.get(assignee.email, assignee.email))
    return assignee


def same_person(configuration: Configuration, in_ado_now: Assignee, in_sentry_now: Assignee) -> bool:
    if isinstance(in_ado_now, Stranger):  # Two strangers are never known to be one person.
        return False
    return in_sentry(configuration, in_ado_now) == in_sentry_now
