"""The way to a state: moves that a type's transitions allow, in as few steps as possible."""

from collections.abc import Collection, Mapping, Sequence

from shared.domain.model import State

LONGEST_WAY = 3  # steps


def find_way(
    states: Sequence[State], start: str, goals: Sequence[str], detours: Sequence[Collection[str]]
) -> tuple[str, ...] | None:
    """Return the states to set one after the other, the last one a goal, or None if there is no such way.

    A goal that is one step away comes first, in the order of ``goals``. ``detours`` are sets of states that a
    way may lead through, each tried only if there is no way through the one before.
    """
    known = {each.name: each for each in states}
    ways = (_shortest(known, start, goals, through) for through in detours)
    return next((way for way in ways if way is not None), None)


def _shortest(
    known: Mapping[str, State], start: str, goals: Sequence[str], through: Collection[str]
) -> tuple[str, ...] | None:
    """Return the shortest way. The first goal, and then the first state of the process, decide a tie."""
    reached: dict[str, tuple[str, ...]] = {start: ()}
    passed = {start}
    for _ in range(LONGEST_WAY):
        for goal in goals:
            for name, way in reached.items():
                if _may_move(known, name, goal):
                    return (*way, goal)
        further: dict[str, tuple[str, ...]] = {}
        for name, way in reached.items():
            for each in known:
                if each in through and each not in passed and _may_move(known, name, each):
                    further[each] = (*way, each)
                    passed.add(each)
        reached = further
    return None


def _may_move(known: Mapping[str, State], start: str, goal: str) -> bool:
    """Tell whether a move is allowed; out of a state that the type lists no more, every one is."""
    state = known.get(start)
    return state is None or state.may_become(goal)
