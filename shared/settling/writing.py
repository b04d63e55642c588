"""Carrying out a decision: at most one write to each side and field, and an exact account of what landed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from shared.domain.errors import Conflict, Forbidden, NotFound, Refused, SyncError, Throttled, Unauthorized
from shared.domain.model import (
    ASSIGNEE,
    STATUS,
    Ends,
    Intent,
    IssueSide,
    ItemSide,
    SentryIssue,
    Side,
    WorkItem,
)
from shared.domain.ports import UNSET, Ado, Sentry
from shared.domain.rules.deciding import Decision, Outcome
from shared.domain.rules.landing import with_field, with_intent

# Errors after which no write has landed; after any other error a write may have landed.
_NOTHING_LANDED = (Conflict, Forbidden, NotFound, Throttled, Unauthorized)


@dataclass
class Written:
    """The result of a decision's writes. ``now`` is both ends after the writes that landed.

    ``uncertain`` holds the intents of the one write without an answer; ``error`` says what stopped the rest.
    """

    now: Ends
    item: WorkItem | None = None
    issue: SentryIssue | None = None
    landed: list[Intent] = field(default_factory=list)
    refused: dict[str, Refused] = field(default_factory=dict)
    uncertain: tuple[Intent, ...] = ()
    error: SyncError | None = None

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
        return seen


def write(
    ado: Ado,
    sentry: Sentry,
    work_item_id: int,
    issue_id: str,
    now: Ends,
    decision: Decision,
    verify_time: Callable[[], None],
) -> Written:
    """Write to Azure DevOps, then to Sentry; raise Conflict, with nothing written, if the work item changed.

    Azure DevOps comes first because its write depends on a revision, so a lost race costs nothing.
    The result contains any other failure, beside the writes that landed before it. ``verify_time`` raises
    Conflict when it is too late to begin another call.
    """
    written = Written(now)
    try:
        if intents := decision.for_side(Side.ADO):
            _write_item(ado, work_item_id, intents, written, verify_time)
        for intent in decision.for_side(Side.SENTRY):
            verify_time()
            _write_issue(sentry, issue_id, intent, written)
    except SyncError as error:
        if isinstance(error, Conflict) and not written.landed:
            raise
        written.error = error
        if isinstance(error, _NOTHING_LANDED):
            written.uncertain = ()
    return written


def _write_item(
    ado: Ado,
    work_item_id: int,
    intents: tuple[Intent, ...],
    written: Written,
    verify_time: Callable[[], None],
) -> None:
    """Write both fields in one call; after a refusal, write the state alone.

    The assignee therefore cannot block the state. If the state is refused too, write the assignee alone.
    """
    verify_time()
    try:
        _patch(ado, work_item_id, intents, written)
    except Refused as refused:
        written.uncertain = ()
        if len(intents) == 1:
            written.refused[intents[0].field] = refused
            return
        status, assignee = intents
        _write_item(ado, work_item_id, (status,), written, verify_time)
        if status in written.landed:
            written.refused[ASSIGNEE] = refused
        else:
            _write_item(ado, work_item_id, (assignee,), written, verify_time)


def _patch(ado: Ado, work_item_id: int, intents: tuple[Intent, ...], written: Written) -> None:
    wanted = {intent.field: intent for intent in intents}
    written.uncertain = intents
    item = ado.update_work_item(
        work_item_id,
        written.now.item.rev,
        state=wanted[STATUS].state or UNSET if STATUS in wanted else UNSET,
        assignee=wanted[ASSIGNEE].assignee if ASSIGNEE in wanted else UNSET,
    )
    written.uncertain = ()
    before, answer = written.now.item, replace(written.now.item, state=item.state, assignee=item.assignee)
    missing = [each for each in intents if _shows_no_effect(each, before, answer)]
    for intent in missing:
        written.refused[intent.field] = _no_effect("ado", "Azure DevOps")
    landed = tuple(each for each in intents if each not in missing)
    written.landed.extend(landed)
    written.item = item
    written.now = _after_patch(written.now, landed, item)


def _shows_no_effect(intent: Intent, before: IssueSide | ItemSide, answer: IssueSide | ItemSide) -> bool:
    """Tell whether the answer to a write shows the value that it was to replace."""
    return answer.shown(intent.field) == before.shown(intent.field) != intent.value


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
    return replace(now, item=replace(now.item, rev=item.rev)) if only_ours else now


def _write_issue(sentry: Sentry, issue_id: str, intent: Intent, written: Written) -> None:
    written.uncertain = (intent,)
    try:
        if intent.field == STATUS and intent.status is not None:
            issue = sentry.set_status(issue_id, intent.status)
        else:
            issue = sentry.set_assignee(issue_id, intent.assignee)
    except Refused as refused:
        written.refused[intent.field] = refused
    else:
        written.issue = issue
        # The answer of an issue that ours was merged into a moment ago shows nothing of what was before.
        if issue.issue_id == issue_id and _shows_no_effect(intent, written.now.issue, issue.side):
            written.refused[intent.field] = _no_effect("sentry", "Sentry")
        else:
            written.landed.append(intent)
            written.now = _after_put(written.now, intent, issue)
    written.uncertain = ()


def _after_put(now: Ends, intent: Intent, issue: SentryIssue) -> Ends:
    """Return both ends after a write to the issue, with the assignee as Sentry returns it."""
    now = with_intent(now, intent)
    if intent.field == ASSIGNEE:
        return replace(now, issue=IssueSide(now.issue.status, issue.assignee))
    return now
