"""Links that need no news to be taken up: they are due, or a worker left its claim on them."""

from collections.abc import Callable, Sequence
from itertools import groupby

from msgspec.structs import replace

from shared.domain.errors import Forbidden, Refused
from shared.domain.failures import was_set_before
from shared.domain.messages import InboundMessage
from shared.domain.model import ASSIGNEE_NOT_FOUND, NO_SUCH_STATE, UNKNOWN_STATE
from shared.domain.moments import is_due
from shared.domain.rules.apart import sides
from shared.domain.rules.news import ask_about, message_for_due
from shared.flows.reconciling.run import Run
from shared.flows.syncing import made_due
from shared.store.links import Passed, StoredLink
from shared.store.progress import LinkTally

_MESSAGES = 1_000
# Reasons that an examination may explain: by a scope, by a mapping, by a person whom nobody knows.
_EXAMINED = frozenset({Forbidden.kind, Refused.kind, ASSIGNEE_NOT_FOUND, NO_SUCH_STATE, UNKNOWN_STATE})
# Work items between two looks at the clock, and between two moments at which the progress is stored.
_AT_ONCE, _STORED_EVERY = 1_000, 5_000


def take_up_waiting(run: Run) -> None:
    """Pass all links, which asks storage alone, and put a message for each that is to be settled anyhow."""
    if run.progress.links_after is None:
        run.progress = replace(run.progress, links_since=run.now)
    before, is_lost = run.messages.about_items, run.messages.search_for_lost()
    rows = run.services.links.walk(run.organization.scope, run.progress.links_after)
    for count, (_, group) in enumerate(groupby(rows, key=lambda passed: passed.work_item), 1):
        passed = list(group)
        _take_up(run, passed, is_lost)
        _leave_behind(run, passed)
        is_out_of_time = count % _AT_ONCE == 0 and run.is_out_of_time
        if is_out_of_time or run.messages.about_items - before >= _MESSAGES:
            run.remains = True
            return
        if count % _STORED_EVERY == 0:
            run.store()
    _look_at_remnants(run)
    run.messages.forget_old(run.progress.links_since)
    tally = run.progress.unreadable_links.counted(0, ends=True)
    run.progress = replace(
        run.progress,
        links_after=None,
        everything=False,
        unreadable_links=tally,
        links=run.progress.links_so_far,
        links_so_far=LinkTally(),
    )


def _take_up(run: Run, passed: Sequence[Passed], is_lost: Callable[[StoredLink], bool] | None) -> None:
    """Put a message for a work item if one of its links needs it."""
    due = [_if_due(run, each.stored) for each in passed if each.stored is not None]
    run.messages.ask_about_item(due)
    for stored in (each.stored for each in passed if each.stored is not None):
        owed = stored.link.back_links
        if owed is not None and owed.due is not None and (is_due(owed.due, run.now) or run.everything):
            run.messages.ask_about_pair(stored.link.issue_id, stored.link.work_item_id, stored.etag)
    if is_lost is not None:
        lost = [each for each, message in due if message is None and is_lost(each)]
        run.messages.ask_about_item((each, ask_about(each.link)) for each in lost)
        # Once is enough: settling a link that is as it should be may leave no trace either.
        run.messages.forget(lost)


def _look_at_remnants(run: Run) -> None:
    """Have what ended links may have left on their ends be taken away, where that is owed."""
    for stored in run.services.links.remnants(run.organization.scope):
        remnant = stored.remnant
        if is_due(remnant.due, run.now) or run.everything:
            run.messages.ask_about_pair(remnant.issue_id, remnant.work_item_id, stored.etag)


def _if_due(run: Run, stored: StoredLink) -> tuple[StoredLink, InboundMessage | None]:
    may_be_cured = was_set_before(stored.link.health, run.organization.connection.changed_at)
    if run.everything or may_be_cured:
        stored = made_due(run.services, stored)
    return stored, message_for_due(stored.link, run.now, everything=run.everything)


def _leave_behind(run: Run, passed: Sequence[Passed]) -> None:
    unreadable = tuple(each.key for each in passed if each.stored is None)
    run.pass_over(unreadable)
    run.looked_at += len(passed) - len(unreadable)
    tally = run.progress.unreadable_links.counted(len(unreadable), ends=False)
    links, configuration = run.progress.links_so_far, run.organization.configuration
    for stored in (each.stored for each in passed if each.stored is not None):
        health = stored.link.health
        links = links.counted(health.word, sides(stored.link, configuration))
        if health.reason in _EXAMINED:
            run.ill_since = max(run.ill_since, health.since)
    run.progress = replace(
        run.progress, links_after=passed[-1].place, unreadable_links=tally, links_so_far=links
    )
