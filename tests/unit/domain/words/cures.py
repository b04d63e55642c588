"""What cures what keeps links from being settled, and what certificates and versions need."""

from collections.abc import Iterator

from shared.domain import untrusted
from shared.domain.reasons import WHY
from shared.domain.rules.links import cure_of


def lines() -> Iterator[str]:
    yield from ("# links", "")
    yield from (f"{reason}: {cure_of(reason)}" for reason in (*WHY, "of-tomorrow"))
    yield from ("", "# services, in passing", "")
    yield from (f"{kind}:{untrusted.cure_in_passing(kind)}" for kind in (*untrusted.CURES, "of-tomorrow"))
