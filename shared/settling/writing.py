"""Carrying out a decision: at most one write to each side and field, and an exact account of what landed."""

from collections.abc import Callable, Iterator
from functools import partial

import msgspec
from msgspec.structs import replace

from shared.domain.errors import (
    Conflict,
    Forbidden,
    NotAssignable,
    NotFound,
    Refused,
    SyncError,
    Throttled,
    Unauthorized,
)
from shared.domain.failures import gravest
from shared.domain.model import (
    ASSIGNEE,
    ASSIGNEE_UNREADABLE,
    STATUS,
    Assignee,
    Ends,
    Intent,
    IssueLink,
    IssueSide,
    ItemSide,
    SentryIssue,
    Side,
    Stranger,
    WorkItem,
)
from shared.domain.ports import UNSET, Ado, Sentry
from shared.domain.rules.deciding import Decision, Outcome
from shared.domain.rules.landing import with_field, with_intent

# Errors after which no write has landed; after any other error a write may have landed.
_NOTHING_LANDED = (Conflict, Forbidden, NotFound, Unauthorized)


class Written(msgspec.Struct):
    """The result of a decision's writes. ``now`` is both ends after the writes that landed.

    ``uncertain`` holds the intents of the calls without an answer; ``errors`` are what kept writes from
    landing. ``steps`` are the states on the way that were reached; ``refused_state`` is the one that was
    refused. ``under_way`` are the intents of the call that is being made.
    ``resolved_now`` is why an issue was resolved at once, and not in a release. ``shown_as`` is how Sentry
    will show who is being assigned, if that is known.
    """

    now: Ends
    item: WorkItem | None = None
    issue: SentryIssue | None = None
    landed: list[Intent] = msgspec.field(default_factory=list)
    refused: dict[str, Refused] = msgspec.field(default_factory=dict)
    uncertain: tuple[Intent, ...] = ()
    errors: list[SyncError] = msgspec.field(default_factory=list)
    steps: list[Intent] = msgspec.field(default_factory=list)
    refused_state: str | None = None
    resolved_now: Refused | None = None
    under_way: tuple[Intent, ...] = ()
    shown_as: Assignee = None
    verify_time: Callable[[], None] = msgspec.field(default=lambda: None)

    def begin(self, *intents: Intent) -> None:
        """Note what the next call writes, or raise Conflict if it is too late for that call."""
        self.verify_time()
        self.under_way = intents

    def begin_to_assign(self, intent: Intent, shown: Assignee) -> None:
        """Begin an assignment in Sentry, which will show the person so (None: nobody knows how)."""
        self.shown_as = shown
        self.begin(intent if shown in {None, intent.assignee} else replace(intent, others=(shown,)))

    @property
    def error(self) -> SyncError | None:
        """What becomes of the link and of the message, whatever else went wrong."""
        return gravest(self.errors) if self.errors else None

    @property
    def stopped_halfway(self) -> bool:
        """Tell whether the work item was left in a state on the way to the one that was to be written."""
        return bool(self.steps) and not any(
            each.side is Side.ADO and each.field == STATUS for each in self.landed
        )

    def seen(self, before: Ends, decision: Decision) -> Ends:
        """Return what counts as seen now: everything except the fields that still have to be written.

        A refused assignee counts as seen: the other side stays as it is.
        """
        seen = self.now
        if decision.status.outcome is Outcome.UNDECIDED:
            seen = with_field(seen, STATUS, before)
        for intent in decision.intents:
            if intent not in self.landed and not (intent.field == ASSIGNEE and ASSIGNEE in self.refused):
                seen = with_field(seen, intent.field, before)
        if self.stopped_halfway:
            # The step is our own; the issue's change, which led to it, is still to be carried over.
            seen = with_intent(seen, self.steps[-1])
        return seen


def write(
    ado: Ado,
    sentry: Sentry,
    link: IssueLink,
    now: Ends,
    decision: Decision,
    verify_time: Callable[[], None],
) -> Written:
    """Write to Azure DevOps, then to Sentry; raise Conflict, with nothing written, if the work item changed.

    Azure DevOps comes first because its write depends on a revision, so a lost race costs nothing. The result
    contains any other failure, beside the writes that landed. A failure does not hold up the other field, but
    a service that gave no usable answer is not asked again. ``verify_time`` raises Conflict when it is too
    late to begin another call.
    """
    written = Written(now, verify_time=verify_time)
    silent: set[Side] = set()
    for side, carry_out in _writes(ado, sentry, link, decision, written):
        if side in silent:
            continue
        written.under_way = ()
        try:
            carry_out()
        except SyncError as error:
            if _may_have_landed(error):
                written.uncertain += written.under_way
            if isinstance(error, Conflict) and not (written.landed or written.steps or written.uncertain):
                raise
            written.errors.append(error)
            if not isinstance(error, Forbidden):
                silent |= set(Side) if isinstance(error, Conflict) else {side}
    return written


def _may_have_landed(error: SyncError) -> bool:
    if isinstance(error, Throttled):
        return error.may_have_landed
    return not isinstance(error, _NOTHING_LANDED)


def _writes(
    ado: Ado, sentry: Sentry, link: IssueLink, decision: Decision, written: Written
) -> Iterator[tuple[Side, Callable[[], None]]]:
    """Yield one write for the work item, then one for each field of the issue.

    What got no answer the last time comes last, so that it does not keep the other field from its turn.
    """
    if intents := decision.for_side(Side.ADO):
        yield Side.ADO, partial(_write_item, ado, link.work_item_id, intents, written)
    unanswered = {(each.side, each.field) for each in link.claim.intents} if link.claim else set()
    intents = decision.for_side(Side.SENTRY)
    for intent in sorted(intents, key=lambda each: (each.side, each.field) in unanswered):
        yield Side.SENTRY, partial(_write_issue, sentry, link.issue_id, intent, written)


def _write_item(
    ado: Ado,
    work_item_id: int,
    intents: tuple[Intent, ...],
    written: Written,
) -> None:
    """Take the steps on the way, then write both fields in one call.

    After a refusal, write the state alone, so that the assignee cannot block it. If the state is refused too,
    write the assignee alone.
    """
    wanted = {intent.field: intent for intent in intents}
    status, assignee = wanted.get(STATUS), wanted.get(ASSIGNEE)
    if status is not None and not _walk(ado, work_item_id, status, written):
        status = None
    refused: Refused | None = None
    if assignee is not None:
        refused = _try_names(ado, work_item_id, status, assignee, written)
        if refused is not None and (status is None or isinstance(refused, NotAssignable)):
            written.refused[ASSIGNEE] = refused
    if status is None or (assignee is not None and refused is None):
        return
    if (no := _try(ado, work_item_id, (status,), None, written)) is not None:
        written.refused[STATUS], written.refused_state = no, status.state
    if assignee is None or ASSIGNEE in written.refused or refused is None:
        return
    # Which of the two was refused is known by now, unless both were.
    if STATUS in written.refused:
        refused = _try_names(ado, work_item_id, None, assignee, written)
    if refused is not None:
        written.refused[ASSIGNEE] = refused


def _walk(ado: Ado, work_item_id: int, status: Intent, written: Written) -> bool:
    """Take all steps but the last, each on the rev of the one before; tell whether all were allowed."""
    for step in status.via:
        # Whatever becomes of the step, it is part of the whole that was announced.
        written.begin(status)
        try:
            item = ado.update_work_item(work_item_id, written.now.item.rev, state=step.state or UNSET)
        except Refused as refused:
            written.refused[STATUS], written.refused_state = _about_nobody(refused), step.state
            return False
        written.item = item
        if item.state == written.now.item.state != step.state:
            written.refused[STATUS], written.refused_state = _no_effect("ado", "Azure DevOps"), step.state
            return False
        written.steps.append(step)
        written.now = _after_patch(written.now, (step,), item)
    return True


def _try_names(
    ado: Ado,
    work_item_id: int,
    status: Intent | None,
    assignee: Intent,
    written: Written,
) -> Refused | None:
    """Assign the person under each of their names, with the state if there is one, until one is known.

    Return the refusal of the first name, unless something else than the person was refused.
    """
    first: Refused | None = None
    intents = (assignee,) if status is None else (status, assignee)
    for name in (assignee.assignee, *assignee.others):
        refused = _try(ado, work_item_id, intents, name, written)
        if not isinstance(refused, NotAssignable):
            return refused
        first = first or refused
    return first


def _try(
    ado: Ado,
    work_item_id: int,
    intents: tuple[Intent, ...],
    name: Assignee,
    written: Written,
) -> Refused | None:
    """Make one call; return its refusal, or None if it was accepted."""
    written.begin(*intents)
    try:
        _patch(ado, work_item_id, intents, name, written)
    except Refused as refused:
        return _about_nobody(refused) if name is None else refused
    return None


def _about_nobody(refused: Refused) -> Refused:
    """Return the refusal of a write that assigns nobody: whoever it names is no person whom we looked for."""
    if not isinstance(refused, NotAssignable):
        return refused
    return Refused(refused.service, refused.detail, quoted=refused.quoted)


def _patch(
    ado: Ado, work_item_id: int, intents: tuple[Intent, ...], name: Assignee, written: Written
) -> None:
    wanted = {intent.field: intent for intent in intents}
    item = ado.update_work_item(
        work_item_id,
        written.now.item.rev,
        state=wanted[STATUS].state or UNSET if STATUS in wanted else UNSET,
        assignee=name if ASSIGNEE in wanted else UNSET,
    )
    before, answer = written.now.item, replace(written.now.item, state=item.state, assignee=item.assignee)
    missing = [each for each in intents if _shows_no_effect(each, before, answer)]
    for intent in missing:
        written.refused[intent.field] = _no_effect("ado", "Azure DevOps")
        if intent.field == STATUS:
            written.refused_state = intent.state
    landed = tuple(each for each in intents if each not in missing)
    written.landed.extend(landed)
    written.item = item
    written.now = _after_patch(written.now, landed, item)


def _shows_no_effect(intent: Intent, before: IssueSide | ItemSide, answer: IssueSide | ItemSide) -> bool:
    """Tell whether the answer to a write shows the value that it was to replace."""
    shown = answer.shown(intent.field)
    return shown == before.shown(intent.field) and shown not in (intent.value, *intent.others)


def _no_effect(service: str, name: str) -> Refused:
    return Refused(service, f"{name} accepted the write, and its answer shows no effect of it")


def _after_patch(now: Ends, intents: tuple[Intent, ...], item: WorkItem) -> Ends:
    """Return both ends after a write to the work item.

    The rules of a process may change more than we wrote. Such a change is not an echo, so the old revision
    stays on record, and the hook of the new revision counts as news.
    """
    for intent in intents:
        now = with_intent(now, intent)
    # Azure DevOps may find the person under another address; keep the address that it returns.
    if any(intent.field == ASSIGNEE for intent in intents):
        now = replace(now, item=replace(now.item, assignee=item.assignee))
    only_ours = (item.state, item.assignee) == (now.item.state, now.item.assignee)
    if not only_ours:
        return now
    return replace(now, item=replace(now.item, rev=item.rev, reasons=item.reasons))


def _set_status(sentry: Sentry, issue_id: str, intent: Intent, written: Written) -> SentryIssue:
    """Write a status, in a release if that is wanted and the project has any."""
    status = intent.status or written.now.issue.status
    written.begin(intent)
    if intent.resolve_in is None:
        return sentry.set_status(issue_id, status)
    try:
        return sentry.set_status(issue_id, status, intent.resolve_in)
    except Refused as refused:
        written.begin(intent)
        issue = sentry.set_status(issue_id, status)
        written.resolved_now = refused
        return issue


def _write_issue(sentry: Sentry, issue_id: str, intent: Intent, written: Written) -> None:
    try:
        if intent.field == STATUS and intent.status is not None:
            issue = _set_status(sentry, issue_id, intent, written)
        else:
            issue = sentry.set_assignee(issue_id, intent.assignee, partial(written.begin_to_assign, intent))
    except Refused as refused:
        written.refused[intent.field] = _about_nobody(refused) if intent.assignee is None else refused
    else:
        written.issue, [begun] = issue, written.under_way
        # The answer of an issue that ours was merged into a moment ago shows nothing of what was before.
        if issue.issue_id == issue_id and _shows_no_effect(begun, written.now.issue, issue.side):
            written.refused[intent.field] = _no_effect("sentry", "Sentry")
        else:
            written.landed.append(intent)
            written.now = _after_put(written.now, begun, issue, written.shown_as)


def _after_put(now: Ends, intent: Intent, issue: SentryIssue, shown_as: Assignee) -> Ends:
    """Return both ends after a write to the issue, with the person as Sentry spells them.

    Whoever else its answer shows was assigned by somebody since, and is found by the next look.
    """
    now = with_intent(now, intent)
    if intent.field != ASSIGNEE:
        return now
    shown = shown_as if _is_another(intent, issue.assignee, shown_as) else issue.assignee
    return replace(now, issue=IssueSide(now.issue.status, shown))


def _is_another(intent: Intent, shown: Assignee, expected: Assignee) -> bool:
    """Tell whether an issue shows another assignee than the one whom we assigned, as far as that is known.

    Sentry quirk: with enhanced privacy it shows no addresses (docs/vendor_quirks.md#sentry-hooks).
    """
    if shown in {intent.assignee, expected}:
        return False
    is_unreadable = isinstance(shown, Stranger) and shown.reason == ASSIGNEE_UNREADABLE
    return intent.assignee is None or (expected is not None and not is_unreadable)
