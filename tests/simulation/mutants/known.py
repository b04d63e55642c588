"""The mutants: each breaks one mechanism, and says by which schedules or tests it is to be caught."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One way to be wrong. Each text is found in its file exactly once, or the mutant is out of date.

    ``theme`` names the schedules that show it soonest; without one, any may. ``tests`` are named where the
    simulation is the wrong judge: what a client makes of an answer, say, which the doubles have no part in.
    """

    name: str
    changes: tuple[tuple[str, str, str], ...]
    theme: str | None = None
    tests: tuple[str, ...] = ()


def _mutant(
    name: str, path: str, old: str, new: str, *, theme: str | None = None, tests: tuple[str, ...] = ()
) -> Mutant:
    return Mutant(name, ((f"shared/{path}", old, new),), theme, tests)


MUTANTS = (
    _mutant(
        "write whatever the revision",
        "settling/writing.py",
        "        written.now.item.rev,\n",
        "        ado.get_work_item(work_item_id).rev,\n",
    ),
    _mutant(
        "forget what was seen",
        "settling/recording.py",
        "        seen=seen,\n",
        "        seen=observation.seen,\n",
    ),
    _mutant(
        "let the other side win a conflict",
        "domain/rules/deciding.py",
        "    target = directions.on_conflict.other\n",
        "    target = directions.on_conflict\n",
    ),
    _mutant(
        "overwrite a link that another worker changed",
        "store/links.py",
        "Replace(key, _text(link), stored.etag)",
        "Replace(key, _text(link), None)",
    ),
    _mutant(
        "record before the write",
        "settling/settler.py",
        "replace(link, seen=observation.told_from, claim=claim, waiting=waiting)",
        "replace(link, seen=decision.after, claim=replace(claim, intents=()), waiting=waiting)",
    ),
    _mutant(
        "write without announcing it",
        "settling/settler.py",
        "        stored = self._store(stored, row, ends, unit)\n",
        "",
    ),
    _mutant(
        "ignore another worker's claim",
        "settling/observing.py",
        'claim.token not in {"", unit.token} and claim.until > now:',
        'claim.token not in {"", unit.token} and claim.until > now + 1e9:',
    ),
    _mutant(
        "take the own writes of a dead worker for a person's",
        "domain/rules/landing.py",
        "        if has_landed(intent, claim, now):\n            seen =",
        "        if has_landed(intent, claim, now) and claim is None:\n            seen =",
        tests=("tests/unit/domain/test_rules.py", "tests/unit/settling/test_settler.py"),
    ),
    _mutant(
        "treat archived as any other status",
        "domain/rules/deciding.py",
        "    if stays_archived and not agree and (",
        "    if False and not agree and (",
    ),
    Mutant(
        "believe late snapshots",
        (
            (
                "shared/settling/settler.py",
                "known = item is not None and item.rev <= link.seen.item.rev",
                "known = item is not None and item.rev == link.seen.item.rev",
            ),
            (
                "shared/settling/observing.py",
                "        return None if is_late else item\n",
                "        return item or (None if is_late else item)\n",
            ),
        ),
    ),
    _mutant(
        "say nothing about a conflict",
        "settling/settler.py",
        "            if entry.outcome == Outcome.CONFLICT_RESOLVED\n        ]",
        "            if entry.outcome is None\n        ]",
    ),
    _mutant(
        "say nothing about what was left alone",
        "domain/activity.py",
        "{Outcome.SETTLED, Outcome.UNDECIDED}",
        "{Outcome.SETTLED, Outcome.UNDECIDED, Outcome.SKIPPED}",
    ),
    _mutant(
        "leave the claim behind",
        "settling/recording.py",
        "        claim=left,\n",
        "        claim=claim,\n",
    ),
    _mutant(
        "give up a person who is not known yet",
        "settling/recording.py",
        "        owed=owed,\n",
        "        owed=None,\n",
    ),
    _mutant(
        "unassign for a team or a bare name",
        "domain/rules/deciding.py",
        "    if isinstance(carried, Stranger):\n",
        "    if carried == 0:\n",
    ),
    _mutant(
        "guess that an unknown state is open",
        "domain/rules/done.py",
        "    if category is None:\n        raise Undecidable(",
        "    if category is None:\n        return IssueStatus.UNRESOLVED\n        raise Undecidable(",
    ),
    _mutant(
        "stay with an issue that was merged",
        "settling/settler.py",
        "        if issue.issue_id == stored.link.issue_id:\n            return stored\n",
        "        if issue.issue_id:\n            return stored\n",
    ),
    _mutant(
        "correct a hand-made state",
        "domain/rules/deciding.py",
        "    agree = now.issue.status is now.item.status or (\n",
        "    agree = False and (\n",
    ),
    _mutant(
        "let a person who is not known block a status",
        "settling/writing.py",
        "    if status is None or (assignee is not None and refused is None):\n",
        "    if status is None or assignee is not None:\n",
    ),
    _mutant(
        "never ask Sentry again",
        "flows/reconciling/issues.py",
        "    for batch in _next_batches(run):\n",
        "    for batch in list(_next_batches(run))[:0]:\n",
    ),
    _mutant(
        "never ask Azure DevOps again",
        "flows/reconciling/messages.py",
        "        if messages:\n            chosen",
        "        if messages and not messages:\n            chosen",
    ),
    _mutant(
        "forget a write whose answer was lost",
        "settling/recording.py",
        " if claim and written.uncertain else None",
        " if claim and written.uncertain and not written.error else None",
        theme="crashes",
    ),
    # What a link is bound to.
    _mutant(
        "ignore the epoch of what is stored",
        "domain/connection.py",
        '    return f"{slug}~{epoch}" if epoch else slug',
        "    return slug",
        theme="connections",
    ),
    _mutant(
        "take a message of an ended connection for one of this",
        "flows/syncing.py",
        "    return organization if organization.epoch == message.epoch else None",
        "    return organization",
        theme="connections",
    ),
    _mutant(
        "believe the deliveries of another organization",
        "ado/hook.py",
        "    if is_foreign(known, origin):",
        "    if is_foreign(known, NOBODY):",
        theme="connections",
    ),
    _mutant(
        "let the links follow the document to another organization",
        "domain/connection.py",
        '    if verdict is Verdict.SAME or choice == "keep":',
        '    if verdict or choice == "keep":',
        theme="connections",
    ),
    # What the services may answer, and what they may be told.
    _mutant(
        "pause everything for what is forbidden about one thing",
        "http/caller.py",
        "        if status == 403 and about:\n",
        '        if status == 403 and about == "":\n',
        tests=("tests/unit/http/test_caller.py",),
    ),
    _mutant(
        "shorten a wait that was asked for",
        "http/back_off.py",
        "            self._slowed_until = max(self._slowed_until, self.clock() + seconds)",
        "            self._slowed_until = self.clock() + seconds",
        tests=("tests/unit/http/test_back_off.py",),
    ),
    _mutant(
        "hold one thread after the other for a service that says nothing",
        "http/back_off.py",
        "            self._silent_until = self.clock() + SILENT_FOR\n\n    def answered",
        "            self._silent_until = None\n\n    def answered",
        tests=("tests/unit/http/test_back_off.py",),
    ),
    _mutant(
        "take an item that cannot be read for gone",
        "ado/client.py",
        "        return FoundWorkItems(found, frozenset(unreadable - found.keys()))",
        "        return FoundWorkItems(found)",
        tests=("tests/unit/ado/test_client.py",),
    ),
    _mutant(
        "let an identity's label depend on who spells it",
        "ado/identity.py",
        "    label = without_display_name(text) or text.strip()",
        "    label = text or text.strip()",
        tests=("tests/unit/ado/test_identity.py",),
    ),
    _mutant(
        "give our credentials to any host",
        "http/session.py",
        "            self._policy.verify_trusted(url)",
        "            str(url)",
        tests=("tests/unit/http/test_bounds.py",),
    ),
    # When something is tried again, and what that costs.
    _mutant(
        "count a step of the back-off for each failure",
        "domain/failures.py",
        "    if again and still_to_come is not None:\n",
        "    if again and still_to_come is None and before.attempts < 0:\n",
        theme="outages",
    ),
    _mutant(
        "let the reconciler's own messages end as poison",
        "domain/failures.py",
        "    if message is None or not message.again:\n        return consequence.disposition\n",
        "    if message is None or message.organization:\n        return consequence.disposition\n",
        theme="outages",
    ),
    _mutant(
        "ask for what is gone at every run",
        "domain/rules/news.py",
        "        return ask_about(link) if is_well else None\n",
        "        return ask_about(link)\n",
        tests=("tests/unit/domain/test_news.py",),
    ),
    _mutant(
        "take a revision at which settling failed for news at each run",
        "domain/rules/news.py",
        "    return rev > max(link.seen.item.rev, link.health.rev)\n",
        "    return rev > link.seen.item.rev\n",
        tests=("tests/unit/domain/test_news.py",),
    ),
    _mutant(
        "let a unit of work have no end",
        "flows/syncing.py",
        "        if place and now >= unit.deadline:\n",
        "        if place and now < 0:\n",
        theme="many",
    ),
    _mutant(
        "ask a service that says nothing for each link",
        "settling/observing.py",
        "            self.silent.setdefault(error.service, error)",
        "            str(error.service)",
        tests=("tests/unit/flows/test_units_of_work.py",),
    ),
    _mutant(
        "stop at a row that cannot be read",
        "store/links.py",
        "    if link is None or (partition, row.key) != _place(link):\n        return None\n",
        "    if link is None or (partition, row.key) != _place(link):\n        raise ValueError(row.key)\n",
        theme="damaged",
    ),
    _mutant(
        "look for a comment's links under its old issue only",
        "flows/commenting.py",
        "    if issue_id != message.issue_id:\n",
        "    if issue_id == message.issue_id == None:\n",
        theme="comments",
    ),
    _mutant(
        "copy by the directions of the document",
        "domain/rules/deciding.py",
        "    directions = status_directions(configuration) if copies is None else _both_ways(copies)\n",
        "    directions = status_directions(configuration)\n",
        tests=("tests/unit/flows/test_copying.py",),
    ),
    _mutant(
        "forget that it is a copy when a race is lost",
        "settling/settler.py",
        "                    unit.start_over(stored.link)\n",
        "                    unit.start_over(stored.link)\n                    unit.copy_from = None\n",
        tests=("tests/unit/flows/test_copying.py",),
    ),
    _mutant(
        "keep a reason for which both sides are apart no more",
        "domain/rules/apart.py",
        "            reasons.pop(field, None)\n",
        '            reasons.setdefault(field, choice.reason or "")\n',
        tests=("tests/unit/domain/test_apart.py",),
    ),
    _mutant(
        "give a comment up that waits for a link",
        "flows/commenting.py",
        "    if message.since and _has_waited(services, message):\n        return NOT_LINKED\n",
        "    if message.organization:\n        return NOT_LINKED\n",
        theme="comments",
    ),
    _mutant(
        "let a comment's hour go by while nobody answers",
        "flows/commenting.py",
        "        if message.since:\n            return [_wait_anew(services, message)]\n",
        "",
        tests=("tests/unit/flows/test_commenting.py", "tests/simulation/test_regressions.py"),
    ),
    _mutant(
        "take a comment for another one once its issue was merged",
        "ado/comments.py",
        "{_ISSUE.sub(_ISSUE.pattern, re.escape(url))}",
        "{re.escape(url)}",
        theme="comments",
    ),
    _mutant(
        "add a comment without a claim",
        "flows/carrying.py",
        "    if isinstance(claim, str):\n        known = Carried.from_result(claim)\n",
        "    claim = ClaimedRecord('', '')\n"
        "    if isinstance(claim, str):\n        known = Carried.from_result(claim)\n",
        theme="comments",
    ),
    _mutant(
        "add a comment without looking whether a dead worker had added it",
        "flows/carrying.py",
        "        if not is_there and (was_carried or self._claim.since is not None):\n",
        "        if not is_there and was_carried:\n",
        theme="comments",
    ),
    _mutant(
        "carry what is ours back to Azure DevOps",
        "flows/commenting.py",
        "    if _is_ours(services, organization, message):\n        return [ECHO]\n",
        "",
        theme="comments",
    ),
    _mutant(
        "carry a comment to Sentry without looking whether it is there",
        "flows/commenting_inbound.py",
        "sentry.find_comment(issue_id, url) if is_unsure else None",
        "None",
        theme="comments",
    ),
    _mutant(
        "forget that a comment was deleted",
        "flows/carrying.py",
        "            return GONE, Carried(is_gone=True)\n",
        '            raise NotFound("there is nothing to delete", kind="comment-not-found")\n',
        tests=("tests/unit/flows/test_carrying.py",),
    ),
    _mutant(
        "tell of a regression after the write",
        "settling/settler.py",
        "            self._tell_of_regression(observation.link, decision, unit)\n"
        "            claimed = self._announce(stored, observation, decision, unit)\n"
        "            written = self._write(claimed, observation, decision, unit)\n",
        "            claimed = self._announce(stored, observation, decision, unit)\n"
        "            written = self._write(claimed, observation, decision, unit)\n"
        "            self._tell_of_regression(observation.link, decision, unit)\n",
        tests=("tests/unit/flows/test_regressing.py",),
    ),
    _mutant(
        "begin again at a batch that cannot be read",
        "flows/reconciling/issues.py",
        "            run.fail(Part.ISSUES, error)\n",
        "            run.fail(Part.ISSUES, error)\n            return\n",
        tests=("tests/unit/flows/test_reading_the_issues.py",),
    ),
    _mutant(
        "store a token before the messages of its pages are put",
        "flows/reconciling/feed.py",
        "        _put_messages(run, changes, projects)\n        reached = changes.end\n",
        "        reached = changes.end\n"
        "        run.progress = replace(run.progress, feed=replace(feed, token=reached, end=reached))\n"
        "        run.store()\n        _put_messages(run, changes, projects)\n",
        tests=("tests/unit/flows/test_reconciling_much.py",),
    ),
    _mutant(
        "read what the feed told no second time",
        "flows/reconciling/feed.py",
        "            behind = feed.token if feed.end is None else feed.end\n",
        "            behind = reached\n",
        tests=("tests/unit/flows/test_reading_the_feed.py",),
    ),
    _mutant(
        "let an edit on its way hide a deletion",
        "flows/reconciling/messages.py",
        "        return mark is not None and (mark.says >= rev if rev else mark.says == 0)\n",
        "        return mark is not None and mark.says >= rev\n",
        tests=("tests/unit/flows/test_reading_the_feed.py",),
    ),
    _mutant(
        "believe an edit that comes after a later one that failed",
        "settling/observing.py",
        "    is_late = item.rev <= link.seen.item.rev or item.rev < link.health.rev\n",
        "    is_late = item.rev <= link.seen.item.rev\n",
        tests=("tests/unit/settling/test_observing.py",),
    ),
    _mutant(
        "believe an edit that comes after the loss of its item",
        "settling/observing.py",
        "    return not is_late and link.health.reason != WORK_ITEM_GONE\n",
        "    return not is_late\n",
        tests=("tests/unit/settling/test_observing.py",),
    ),
    _mutant(
        "give up a link that was made and never settled",
        "domain/rules/news.py",
        "    unseen = link.seen.item.rev == 0 and not unwell and claim is None\n",
        "    unseen = False\n",
        tests=("tests/unit/domain/test_news.py",),
    ),
    _mutant(
        "forget the states of a type that is disabled",
        "ado/client.py",
        " for each in self._types(project_id)}",
        " for each in self._types(project_id) if not each.is_disabled}",
        tests=("tests/unit/ado/test_client.py",),
    ),
    # Each field on its own, and several links at one end.
    _mutant(
        "write on after the claim ran out",
        "settling/settler.py",
        "        if self.clock() > until - _LONGEST_CALL:\n",
        "        if self.clock() < 0:\n",
    ),
    _mutant(
        "take the answer to a write for granted",
        "settling/writing.py",
        "    return shown == before.shown(intent.field) and ",
        "    return False and ",
        tests=("tests/unit/settling/test_settler.py",),
    ),
    _mutant(
        "write to a removed work item",
        "domain/rules/deciding.py",
        "    if choice.target is Side.ADO and not now.item.may_be_written:\n",
        "    if choice.target is None and not now.item.may_be_written:\n",
    ),
    _mutant(
        "let a status that is not known hold up the assignee",
        "settling/observing.py",
        "            return replace(observation, now=now, types=types, problem=error)",
        "            raise",
        theme="processes",
    ),
    _mutant(
        "take what was looked up for late",
        "settling/observing.py",
        "        return None if work_item_id in self.asked_for else self.items.get(work_item_id)",
        "        return self.items.get(work_item_id)",
        theme="backups",
    ),
    _mutant(
        "carry our own writes on to the next link",
        "domain/rules/partners.py",
        "    return next((each for each in record.ours if",
        "    return next((each for each in () if",
        theme="at-rest",
    ),
    _mutant(
        "take a person's edit for our last write",
        "domain/rules/partners.py",
        "    ours = tuple(each for each in record.ours if each.field not in edited)\n",
        "    ours = record.ours\n",
        theme="at-rest",
    ),
    _mutant(
        "be done as soon as one partner is",
        "domain/rules/partners.py",
        "    return all(standing(link, side.other) in allowed for link in others)",
        "    return any(True for link in (side, *others))",
        theme="at-rest",
    ),
    _mutant(
        "wait for an archived issue",
        "domain/rules/partners.py",
        "    if status is IssueStatus.IGNORED:\n",
        "    if status is None:\n",
        theme="at-rest",
    ),
    _mutant(
        "forget that an end waits for its other partners",
        "settling/recording.py",
        "    waiting = None if _has_landed(STATUS, written) else decision.waiting\n",
        "    waiting = None\n",
        theme="at-rest",
    ),
    _mutant(
        "wake nobody when a link is parted",
        "settling/partners.py",
        "        for side in Side:\n            self._settle_waiting(issue_id, work_item_id, side)\n",
        "        for side in ():\n            self._settle_waiting(issue_id, work_item_id, side)\n",
        theme="at-rest",
    ),
    _mutant(
        "wake nobody when a partner stops counting",
        "domain/rules/partners.py",
        "    return now is not Standing.OPEN and now is not standing(before, side.other)",
        "    return False",
        theme="at-rest",
    ),
    _mutant(
        "part a link whose entry was never seen",
        "domain/rules/entries.py",
        "    return form.was_seen and not stays and",
        "    return not stays and",
        tests=("tests/unit/domain/test_entries.py",),
    ),
    _mutant(
        "part a link for an entry that we wrote",
        "domain/rules/entries.py",
        " and not any(each.service_type == form.app for each in ours)",
        "",
        tests=("tests/unit/domain/test_entries.py",),
    ),
    _mutant(
        "remember of an organization that is gone that it is there",
        "http/presence.py",
        "            if is_there:\n",
        "            if is_there is not None:\n",
        tests=("tests/unit/http/test_presence.py",),
    ),
    _mutant(
        "decide anew on the issue as it was before it was merged",
        "settling/observing.py",
        "        for issue_id in (link.issue_id, self.current_issue_id(link.issue_id)):\n",
        "        for issue_id in (link.issue_id,):\n",
        tests=("tests/unit/settling/test_settler.py",),
    ),
    # What no hook told.
    _mutant(
        "lose the news of a link that moves meanwhile",
        "flows/syncing.py",
        "                names += waiting.others(names)\n",
        "                pass\n",
        theme="unheard",
    ),
    _mutant(
        "take an issue that was asked for for one that was compared",
        "flows/reconciling/messages.py",
        "        if mark is None or mark.says != says:\n",
        "        if mark is None:\n",
        tests=("tests/unit/flows/test_reconciling.py",),
    ),
    _mutant(
        "look at nothing when a token is lost",
        "flows/reconciling/feed.py",
        "    want_look(run)\n    feed = Feed(",
        "    feed = Feed(",
        theme="unheard",
    ),
    _mutant(
        "keep a token that is answered like an outage",
        "domain/rules/news.py",
        "    return failures >= _FAILURES_OF_A_TOKEN",
        "    return False",
        theme="unheard",
    ),
    _mutant(
        "store how far the feed was read before its messages are put",
        "flows/reconciling/feed.py",
        "        changes = _changes(run, ado, reached, feed.since)\n",
        "        changes = _changes(run, ado, reached, feed.since)\n"
        "        read_to = replace(feed, token=changes.end, end=changes.end)\n"
        "        run.progress = replace(run.progress, feed=read_to)\n"
        "        run.store()\n",
        theme="unheard",
    ),
    _mutant(
        "leave out the issues that nobody could list",
        "flows/reconciling/issues.py",
        "                waiting += self._halves(batch, names)\n",
        "                continue\n",
        tests=("tests/unit/flows/test_reading_the_issues.py",),
    ),
    _mutant(
        "end a run at the first part that fails",
        "flows/reconciling/run.py",
        "            self.fail(part, error)\n        problems",
        "            raise\n        problems",
        theme="unheard",
    ),
    _mutant(
        "announce the last step alone",
        "domain/model.py",
        "        return (*self.via, last, ",
        "        return (last, ",
        tests=("tests/unit/settling/test_workflows.py",),
    ),
    _mutant(
        "forget where a walk was stopped",
        "settling/writing.py",
        "            seen = with_intent(seen, self.steps[-1])\n",
        "            pass\n",
        tests=("tests/unit/settling/test_workflows.py",),
    ),
    _mutant(
        "walk through what is Removed",
        "domain/rules/done.py",
        " and each not in goals and each not in closed]",
        " and each not in goals]",
        tests=("tests/unit/settling/test_workflows.py",),
    ),
    _mutant(
        "ask for a refused state again",
        "domain/rules/deciding.py",
        "types, but=tried)",
        "types)",
        tests=("tests/unit/settling/test_workflows.py",),
    ),
    _mutant(
        "believe a revision however far ahead it is",
        "settling/observing.py",
        "    return rev - max(link.seen.item.rev, link.health.rev) <= _MOST_UNSEEN_EDITS",
        "    return True",
        tests=("tests/unit/flows/test_syncing.py",),
    ),
    _mutant(
        "link again what was unlinked, by a form that was sent before",
        "flows/resubmitting.py",
        "    if end is not None and end.reason != REMOVED_IN_SENTRY:",
        "    if end is None:",
        tests=("tests/unit/flows/test_resubmitting.py",),
    ),
    _mutant(
        "put a snapshot of any size on the queue",
        "domain/messages.py",
        "    if len(body) > LARGEST_MESSAGE and",
        "    if not body and",
        tests=("tests/unit/domain/test_messages.py",),
    ),
    _mutant(
        "connect before the addresses are verified",
        "http/session.py",
        "            self.policy.verify_address(name, each)\n        *earlier",
        "            pass\n        *earlier",
        tests=("tests/unit/http/test_caller.py",),
    ),
    _mutant(
        "verify the first address of a name alone",
        "http/session.py",
        "        for each in addresses:\n            self.policy",
        "        for each in addresses[:1]:\n            self.policy",
        tests=("tests/unit/http/test_caller.py",),
    ),
    _mutant(
        "give the form no pace",
        "http/pace.py",
        "            if left < 1.0:",
        "            if left < 0.0:",
        tests=("tests/unit/functions/test_strangers.py",),
    ),
    _mutant(
        "take a person's archiving for ours",
        "settling/observing.py",
        "(self.end(link.end(Side.SENTRY), unit).record, STATUS, now.issue.status) is not None",
        "(self.end(link.end(Side.SENTRY), unit).record, STATUS, now.issue.status) is not unit",
        theme="kinds",
    ),
    _mutant(
        "leave an archiving of ours when its item is reopened",
        "domain/rules/deciding.py",
        "    if archive.is_ours and not issue_changed",
        "    if archive.is_ours and issue_changed",
        theme="kinds",
    ),
    _mutant(
        "archive as soon as one of several items says so",
        "domain/rules/partners.py",
        "    allowed = {Standing.LEFT_OUT} if archives else {Standing.LEFT_OUT, Standing.DONE}\n",
        "    allowed = set(Standing) if archives else {Standing.LEFT_OUT, Standing.DONE}\n",
        tests=("tests/unit/settling/test_kinds_of_done.py",),
    ),
    _mutant(
        "believe a list that shows no reason",
        "settling/observing.py",
        "(item.reasons is not None or not self.configuration.archive_reasons)",
        "(item.reasons is not None or True)",
        tests=("tests/unit/settling/test_kinds_of_done.py",),
    ),
    _mutant(
        "show a link once more",
        "domain/rules/back_links.py",
        "    return HyperlinkChange(add=not shows, remove=old)\n",
        "    return HyperlinkChange(add=True, remove=old)\n",
        tests=("tests/unit/domain/test_back_links.py",),
    ),
    _mutant(
        "forget what an ended link left",
        "flows/linking.py",
        "services.links.discard(organization.scope, issue_id, work_item_id, remnant)",
        "services.links.discard(organization.scope, issue_id, work_item_id)",
    ),
    _mutant(
        "show a link that nobody asks to be shown again",
        "flows/reconciling/waiting.py",
        "        if owed is not None and owed.due is not None and (owed.due <= run.now or run.everything):\n",
        "        if owed is not None and owed.due is not None and run.everything:\n",
    ),
)
