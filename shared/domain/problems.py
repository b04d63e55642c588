"""What keeps a part of the app's own work from being done for an organization, as it is stored and told."""

import msgspec

from shared.domain.moments import Moment


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a part of a run fails, and since when (epoch seconds), in our own words.

    A note is no failure: the part does its work in another way, at a higher price, or people do it.
    """

    kind: str
    detail: str
    since: Moment
    is_note: bool = False

    def after(self, known: "Problem | None") -> "Problem":
        """Return this problem with the moment since which it is known, if it is the same one."""
        if known is None or (known.kind, known.is_note) != (self.kind, self.is_note):
            return self
        return msgspec.structs.replace(self, since=known.since)
