"""What counts as done: the status that a state counts as, and the state to write for a status."""

from collections.abc import Iterable, Iterator, Sequence, Set

from msgspec.structs import replace

from shared.domain.configuration import USUALLY_DONE, Configuration, ProjectMapping, StatusMapping
from shared.domain.errors import Undecidable
from shared.domain.model import (
    NO_SUCH_STATE,
    STATE_UNREACHABLE,
    STATUS,
    UNKNOWN_STATE,
    Category,
    Intent,
    IssueLink,
    IssueStatus,
    ItemSide,
    Side,
    State,
    WorkItemTypes,
)
from shared.domain.rules.workflow import LONGEST_WAY, find_way


def status_of_state(
    configuration: Configuration,
    project_id: str,
    work_item_type: str,
    state: str,
    types: WorkItemTypes,
    reasons: Iterable[str] = (),
) -> IssueStatus:
    """Return what a state counts as for a work item type; raise Undecidable if its category is unknown.

    ``reasons`` are why the item is in it: to be done for some of them is to be archived.
    """
    if means_archived(configuration, project_id, work_item_type, state):
        return IssueStatus.IGNORED
    if not _is_done(configuration, project_id, work_item_type, state, types):
        return IssueStatus.UNRESOLVED
    return IssueStatus.IGNORED if configuration.archives(reasons) else IssueStatus.RESOLVED


def means_archived(configuration: Configuration, project_id: str, work_item_type: str, state: str) -> bool:
    """Tell whether a mapping has a state for the work items of archived issues."""
    return any(state == each.on_archive for each in _mappings(configuration, project_id, work_item_type))


def _is_done(
    configuration: Configuration, project_id: str, work_item_type: str, state: str, types: WorkItemTypes
) -> bool:
    if any(state in each.done_states for each in _mappings(configuration, project_id, work_item_type)):
        return True
    category = _category_of(work_item_type, state, types)
    if category is None:
        raise Undecidable(f"no category is known for state {state!r} of {work_item_type}", kind=UNKNOWN_STATE)
    return category in configuration.done_categories


def _mappings(
    configuration: Configuration, project_id: str, work_item_type: str
) -> tuple[StatusMapping, ...]:
    mapping = configuration.project_mapping(project_id)
    return mapping.for_type(work_item_type) if mapping else ()


def counted(
    configuration: Configuration, project_id: str, work_item_type: str, side: ItemSide, types: WorkItemTypes
) -> ItemSide:
    """Return the item's side with what its state means; raise Undecidable rather than guess."""
    reasons = side.reasons or ()
    status = status_of_state(configuration, project_id, work_item_type, side.state, types, reasons)
    is_removed = _category_of(work_item_type, side.state, types) is Category.REMOVED
    is_archive = means_archived(configuration, project_id, work_item_type, side.state)
    return replace(side, status=status, removed=is_removed and not is_archive)


def _category_of(work_item_type: str, state: str, types: WorkItemTypes) -> Category | None:
    return next((each.category for each in types.get(work_item_type, ()) if each.name == state), None)


# The order in which categories are tried when no mapping names a state.
_DONE_ORDER = (Category.COMPLETED, Category.RESOLVED, Category.REMOVED)
_OPEN_ORDER = (Category.IN_PROGRESS, Category.PROPOSED, Category.RESOLVED)


def states_for_status(
    configuration: Configuration,
    project_id: str,
    work_item_type: str,
    status: IssueStatus,
    open_state: str | None,
    types: WorkItemTypes,
    came_from: str | None = None,
) -> tuple[str, ...]:
    """Return the states to write for a status, best first: mapped for the type, for the project, by category.

    ``came_from`` is where an item goes back to before all else, if it was written for an archived issue. For
    an archived issue there are mapped states only. A candidate that the type lacks, or that reads back as
    another status, is skipped. This prevents a loop even if a process changes after its mapping was checked.
    Raises Undecidable if no candidate is left.
    """
    states = types.get(work_item_type, ())
    names = {state.name for state in states}
    mapped = [mapped_state(each, status) for each in _mappings(configuration, project_id, work_item_type)]
    usual = (came_from, *mapped, *_by_default(states, status, open_state))
    wanted = (each for each in usual if each in names)
    candidates = tuple(
        dict.fromkeys(
            each
            for each in wanted
            if each is not None
            and _reads_as(configuration, project_id, work_item_type, each, types) is status
        )
    )
    if not candidates:
        raise Undecidable(f"{work_item_type} has no state that counts as {status.value}", kind=NO_SUCH_STATE)
    return candidates


def way_to_status(
    configuration: Configuration,
    link: IssueLink,
    now: ItemSide,
    status: IssueStatus,
    types: WorkItemTypes,
    *,
    but: Set[str] = frozenset(),
) -> tuple[Intent, ...]:
    """Return the writes that bring a work item to a status, one for each step, by way of no state in ``but``.

    People see each step. So none leads through a state that is Removed, which nothing is written to, or that
    is for archived issues; and through one that nobody knows, or that counts as the wanted status already,
    only if there is no other way. Raises Undecidable if the status is out of reach.
    """
    project_id, kind = link.project_id, link.work_item_type
    states = types.get(kind, ())
    is_archive = means_archived(configuration, project_id, kind, now.state)
    came_from = link.open_state if is_archive else None
    candidates = states_for_status(configuration, project_id, kind, status, link.open_state, types, came_from)
    removed = {each.name for each in states if each.category is Category.REMOVED}
    reads = {each.name: _reads_as(configuration, project_id, kind, each.name, types) for each in states}
    mapped = {mapped_state(each, status) for each in _mappings(configuration, project_id, kind)}
    goals = [each for each in candidates if each not in but]
    closed = removed | {name for name, read in reads.items() if read is IssueStatus.IGNORED}
    passable = [each for each in reads if each not in but and each not in goals and each not in closed]
    opposite = [each for each in passable if reads[each] not in {status, None}]
    detours = (opposite, passable)
    # Being removed is the last way to be done, unless a mapping says otherwise.
    kept = [each for each in goals if each not in removed or each in mapped]
    way = find_way(states, now.state, kept, detours) or find_way(states, now.state, goals, detours)
    if way is None:
        detail = (
            f"no state of {kind} that counts as {status.value} is within {LONGEST_WAY} steps of {now.state!r}"
        )
        raise Undecidable(detail, kind=STATE_UNREACHABLE)
    return tuple(Intent(Side.ADO, STATUS, state=each, status=reads[each]) for each in way)


def _by_default(states: Sequence[State], status: IssueStatus, open_state: str | None) -> Iterator[str | None]:
    """Yield the unmapped candidates: when reopening, the last open state; then the states by category."""
    if status is IssueStatus.IGNORED:
        return  # Without a mapping, an archived issue leaves its work items as they are.
    if status is not IssueStatus.RESOLVED:
        # A removed work item counts as open, but reopening an issue must not remove it again.
        removed = {state.name for state in states if state.category is Category.REMOVED}
        yield None if open_state in removed else open_state
    for category in _DONE_ORDER if status is IssueStatus.RESOLVED else _OPEN_ORDER:
        yield from (state.name for state in states if state.category is category)


def mapped_state(mapping: StatusMapping, status: IssueStatus) -> str | None:
    match status:
        case IssueStatus.RESOLVED:
            return mapping.on_resolve
        case IssueStatus.UNRESOLVED:
            return mapping.on_unresolve
        case _:
            return mapping.on_archive


def may_archive(
    configuration: Configuration, project_id: str, work_item_type: str, types: WorkItemTypes
) -> bool:
    """Tell whether a mapping has a state for the work items of archived issues, and the type has it.

    A type whose states are not known may have it.
    """
    mappings = _mappings(configuration, project_id, work_item_type)
    wanted = {each.on_archive for each in mappings if each.on_archive is not None}
    states = types.get(work_item_type)
    return bool(wanted) if states is None else any(each.name in wanted for each in states)


def mapping_errors(configuration: Configuration, project_id: str, types: WorkItemTypes) -> dict[str, str]:
    """Return the errors of one project's mapping: states that do not exist or do not read back, by path.

    A status that is written and read back must stay the same, or the two services would correct each
    other forever. A document that breaks this law is never stored.
    """
    mapping = configuration.project_mapping(project_id)
    if mapping is None:
        return {}
    path = f"status_mapping.{project_id}"
    everywhere = {state.name for states in types.values() for state in states}
    errors = _missing_states(path, mapping, everywhere, "the project")
    for name, special in mapping.types.items():
        if name not in types:
            errors[f"{path}.types.{name}"] = "is no work item type of the project"
        else:
            errors |= _missing_states(f"{path}.types.{name}", special, {s.name for s in types[name]}, name)
    for name, states in types.items():
        own = mapping.types.get(name)
        chosen, where = (own, f"{path}.types.{name}") if own and own.on_resolve else (mapping, path)
        misread = list(_misread_states(configuration, project_id, name, chosen, states, types))
        errors |= {f"{where}.{key}": problem for key, problem in misread}
        lacking = None if misread else _lacking(configuration, project_id, name, types)
        if lacking is not None:
            place = f"{path}.types.{name}" if own is not None and own.done_states else path
            problem = f"leaves {name} without a state to set that counts as {lacking}"
            errors.setdefault(f"{_culprit(configuration, project_id, name, types, place)}", problem)
    return errors | _twice_named(path, mapping)


def _culprit(
    configuration: Configuration, project_id: str, work_item_type: str, types: WorkItemTypes, place: str
) -> str:
    """Return the path of the key that leaves a type without a state: the archive's, if it is that one."""
    mapping = configuration.project_mapping(project_id)
    if mapping is None or not may_archive(configuration, project_id, work_item_type, types):
        return f"{place}.done_states"
    path = f"status_mapping.{project_id}"
    own = mapping.types.get(work_item_type)
    special = own is not None and own.on_archive is not None
    return f"{path}.types.{work_item_type}.on_archive" if special else f"{path}.on_archive"


def _twice_named(path: str, mapping: ProjectMapping) -> dict[str, str]:
    """Return the errors of states that are to count as archived and as done."""
    places = {path: mapping, **{f"{path}.types.{name}": each for name, each in mapping.types.items()}}
    archives = {where: each.on_archive for where, each in places.items() if each.on_archive is not None}
    problem = "is among done_states, so it would count as done and as archived. Choose another state"
    return {
        f"{where}.on_archive": f"{state!r} {problem}"
        for where, state in archives.items()
        if any(
            state in each.done_states
            for place, each in places.items()
            if place == where or path in {place, where}
        )
    }


_OPEN = frozenset({Category.PROPOSED, Category.IN_PROGRESS})


def _lacking(
    configuration: Configuration, project_id: str, work_item_type: str, types: WorkItemTypes
) -> str | None:
    """Return what a type cannot be set to, although by its categories it could: done, or open.

    Such a work item could never be resolved, or never be reopened.
    """
    states = types[work_item_type]
    usual = {
        each.category in USUALLY_DONE for each in states if each.category not in {None, Category.REMOVED}
    }
    if usual != {True, False}:
        return None  # So it is by the type's own process.
    if not _can_become(configuration, project_id, work_item_type, IssueStatus.RESOLVED, types):
        return "done"
    if _can_become(configuration, project_id, work_item_type, IssueStatus.UNRESOLVED, types):
        return None
    return None if _is_meant_for_others(configuration, project_id, work_item_type, types) else "open"


def _can_become(
    configuration: Configuration,
    project_id: str,
    work_item_type: str,
    status: IssueStatus,
    types: WorkItemTypes,
) -> bool:
    """Tell whether a type has a state to write for a status, and one that can be left again."""
    try:
        candidates = states_for_status(configuration, project_id, work_item_type, status, None, types)
    except Undecidable:
        return False
    categories = {_category_of(work_item_type, each, types) for each in candidates}
    # A removed item that counts as open is not written to.
    return status is not IssueStatus.UNRESOLVED or categories != {Category.REMOVED}


def _is_meant_for_others(
    configuration: Configuration, project_id: str, work_item_type: str, types: WorkItemTypes
) -> bool:
    """Tell whether a project's mapping calls a type's one open state done for the sake of other types.

    *Active* may mean done for a bug, which keeps *New*, while *Issue* has no other open state.
    """
    mapping = configuration.project_mapping(project_id)
    if mapping is None or work_item_type in mapping.types:
        return False
    names = [each.name for each in types[work_item_type] if each.category in _OPEN]
    return len(names) == 1 and any(
        names[0] in {each.name for each in states}
        and _can_become(configuration, project_id, other, IssueStatus.UNRESOLVED, types)
        for other, states in types.items()
        if other != work_item_type
    )


def _missing_states(path: str, mapping: StatusMapping, known: set[str], owner: str) -> dict[str, str]:
    named: list[tuple[str, str | None]] = [
        ("on_resolve", mapping.on_resolve),
        ("on_unresolve", mapping.on_unresolve),
        ("on_archive", mapping.on_archive),
        *((f"done_states[{index}]", state) for index, state in enumerate(mapping.done_states)),
    ]
    return {
        f"{path}.{key}": f"{state!r} is no state of {owner}"
        for key, state in named
        if state is not None and state not in known
    }


def _misread_states(
    configuration: Configuration,
    project_id: str,
    work_item_type: str,
    mapping: StatusMapping,
    states: tuple[State, ...],
    types: WorkItemTypes,
) -> Iterable[tuple[str, str]]:
    for key, status in (("on_resolve", IssueStatus.RESOLVED), ("on_unresolve", IssueStatus.UNRESOLVED)):
        state = mapped_state(mapping, status)
        if state in {each.name for each in states}:
            read = _reads_as(configuration, project_id, work_item_type, state, types)
            if read is not status:
                yield key, _misreading(configuration, work_item_type, state, read)


def _reads_as(
    configuration: Configuration, project_id: str, work_item_type: str, state: str, types: WorkItemTypes
) -> IssueStatus | None:
    try:
        return status_of_state(configuration, project_id, work_item_type, state, types)
    except Undecidable:
        return None


def _misreading(
    configuration: Configuration, work_item_type: str, state: str, read: IssueStatus | None
) -> str:
    """Say how a state is read that was meant otherwise, and which to choose instead."""
    done = " or ".join(configuration.done_categories)
    if read is IssueStatus.IGNORED:
        advice = "Choose another state, or another one for on_archive"
        return f"{state!r} counts as archived for {work_item_type}, by on_archive. {advice}"
    if read is None:
        return f"{state!r} of {work_item_type} has no category that is known. Choose another state"
    if read is IssueStatus.RESOLVED:
        word, advice = "done", "one that does not"
    else:
        word, advice = "not done", f"a state of category {done}, or name this one under done_states"
    return f"{state!r} counts as {word} for {work_item_type}, so the sync would undo itself. Choose {advice}"
