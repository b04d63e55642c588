"""Which of Sentry's users an address means."""

from collections.abc import Iterable, Set

import msgspec


class Account(msgspec.Struct, frozen=True):
    """A user: the primary address and the other ones that they have verified, all in lower case."""

    user_id: str
    primary: str
    verified: tuple[str, ...] = ()

    def has(self, email: str) -> bool:
        return email == self.primary or email in self.verified


def holders(accounts: Iterable[Account], email: str) -> list[Account]:
    """Return whose address it is; an address that somebody only claims is nobody's."""
    return [each for each in accounts if each.has(email)]


def meant(found: list[Account], email: str, assignable: Set[str]) -> list[Account]:
    """Return who is meant among several holders of an address; more than one are equal.

    Whoever may be assigned (the ids of ``assignable``) comes before others, and then whose primary address it
    is before who has verified it.
    """
    able = [each for each in found if each.user_id in assignable] or found
    return [each for each in able if each.primary == email] or able
