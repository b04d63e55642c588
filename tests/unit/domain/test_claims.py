"""Until when a claim holds, and that none holds longer than it can have been made for."""

import pytest

from shared.domain.claims import CLAIMED_FOR, believed_end, is_held
from shared.domain.moments import LAST_MOMENT

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("until", "held", "end"),
    [
        (0.0, False, 0.0),
        (NOW - 1.0, False, NOW - 1.0),
        (NOW, False, NOW),
        (NOW + 0.1, True, NOW + 0.1),
        (NOW + CLAIMED_FOR, True, NOW + CLAIMED_FOR),
        (NOW + 2 * CLAIMED_FOR, True, NOW + 2 * CLAIMED_FOR),  # by a clock that is ahead of ours
        (NOW + 2 * CLAIMED_FOR + 0.1, False, 0.0),
        (NOW + 86_400.0, False, 0.0),
        (LAST_MOMENT, False, 0.0),
    ],
)
def test_a_claim_holds_until_its_end_if_it_can_have_been_made(until: float, held: bool, end: float) -> None:
    assert (is_held(until, NOW), believed_end(until, NOW)) == (held, end)
