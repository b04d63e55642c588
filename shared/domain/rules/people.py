"""Who is who: the assignee on one side that corresponds to an assignee on the other."""

from collections.abc import Mapping, Sequence

import msgspec

from shared.domain.configuration import Configuration
from shared.domain.model import ASSIGNEE_UNREADABLE, Assignee, Person, Stranger
from shared.domain.names import account_in


class Acquaintance(msgspec.Struct, frozen=True):
    """What is known of an issue's assignee beside the primary address.

    ``addresses`` are the other ones that they have verified; ``known_as`` is the name by which Azure DevOps
    accepted them last, or None.
    """

    addresses: tuple[str, ...] = ()
    known_as: Assignee = None


NO_MORE = Acquaintance()


def is_same_name(one: str, other: str) -> bool:
    """Tell whether two names are written alike, but for case and blanks; an address is no name."""
    first, second = (" ".join(each.casefold().split()) for each in (one, other))
    return first == second != "" and "@" not in first


def namesakes(assigned: Mapping[str, str], members: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return who of Azure DevOps may be who in Sentry: of each name there is one on either side.

    ``assigned`` are names by address or account, ``members`` addresses in Sentry by the name they go by.
    """
    alone = {
        key: name
        for key, name in assigned.items()
        if sum(is_same_name(name, other) for other in assigned.values()) == 1
    }
    return {
        key: members[name][0]
        for key, name in alone.items()
        if len(members.get(name, ())) == 1 and members[name][0] != key
    }


def in_sentry(configuration: Configuration, assignee: Assignee) -> Assignee:
    """Return the Sentry assignee for an Azure DevOps assignee.

    Nobody stays nobody, and a stranger a stranger unless ``people`` names them.
    """
    match assignee:
        case Person(email):
            return Person(configuration.people.get(email, email))
        case Stranger(reason, label) if reason == ASSIGNEE_UNREADABLE and _is_account(label):
            alias = configuration.people.get(label)
            return Person(alias) if alias else assignee
    return assignee


def names_in_ado(
    configuration: Configuration, assignee: Assignee, acquaintance: Acquaintance = NO_MORE
) -> tuple[Assignee, ...]:
    """Return what a Sentry assignee may be called in Azure DevOps, best first.

    That is what worked last, the alias, the primary address, the other verified ones. Nobody and strangers
    stay as they are.
    """
    if not isinstance(assignee, Person):
        return (assignee,)
    addresses = (assignee.email, *acquaintance.addresses)
    aliases = (configuration.ado_people[each] for each in addresses if each in configuration.ado_people)
    names = list(dict.fromkeys(_named(each) for each in (*aliases, *addresses)))
    if acquaintance.known_as in names:
        names.remove(acquaintance.known_as)
        names.insert(0, acquaintance.known_as)
    return tuple(names)


def _named(name: str) -> Assignee:
    """Return an assignee as Azure DevOps will show them."""
    return Stranger(ASSIGNEE_UNREADABLE, name) if _is_account(name) else Person(name)


def _is_account(name: str) -> bool:
    r"""Tell ``DOMAIN\user``, which is no address, from other names; a display name is never anybody's."""
    return account_in(name) is not None


def same_person(
    configuration: Configuration,
    in_ado_now: Assignee,
    in_sentry_now: Assignee,
    acquaintance: Acquaintance = NO_MORE,
) -> bool:
    meant = in_sentry(configuration, in_ado_now)
    if isinstance(meant, Stranger):  # Two strangers are never known to be one person.
        return False
    if isinstance(meant, Person) and isinstance(in_sentry_now, Person):
        return meant.email in {in_sentry_now.email, *acquaintance.addresses}
    return meant == in_sentry_now
