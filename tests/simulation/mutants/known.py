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
        "seen=written.seen(observation.seen, decision) if decision.intents else decision.after,",
        "seen=observation.seen,",
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
        "replace(observation.link, seen=observation.seen, claim=claim)",
        "replace(observation.link, seen=decision.after, claim=replace(claim, intents=()))",
    ),
    _mutant(
        "write without announcing it",
        "settling/settler.py",
        "            stored = self._announce(stored, observation, decision, unit)\n",
        "            stored = stored\n",
    ),
    _mutant(
        "ignore another worker's claim",
        "settling/settler.py",
        "if claim is not None and claim.token != unit.token and claim.until > self.clock():",
        "if claim is not None and claim.token != unit.token and claim.until > self.clock() + 1e9:",
    ),
    _mutant(
        "take the own writes of a dead worker for a person's",
        "domain/rules/landing.py",
        "        if has_landed(intent, claim, now):\n            seen =",
        "        if has_landed(intent, claim, now) and claim is None:\n            seen =",
    ),
    _mutant(
        "treat archived as any other status",
        "domain/rules/deciding.py",
        "    if now.issue.status is IssueStatus.IGNORED and (issue_changed or item_changed):\n",
        "    if now.issue.status is None and (issue_changed or item_changed):\n",
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
        "        if choice.outcome is not Outcome.SETTLED\n",
        "        if choice.outcome not in (Outcome.SETTLED, Outcome.SKIPPED)\n",
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
        "    if choice.target is not None and isinstance(carried, Stranger):\n",
        "    if choice.target is not None and carried == 0:\n",
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
        "        agree=now.issue.status is now.item.status,\n",
        "        agree=False,\n",
    ),
    _mutant(
        "let a person who is not known block a status",
        "settling/writing.py",
        "        if len(intents) == 1:\n",
        "        written.refused |= {each.field: refused for each in intents}\n        if intents:\n",
    ),
    _mutant(
        "never ask Sentry again",
        "flows/reconciling.py",
        "        for place, issue_id in enumerate(wanted):\n",
        "        for place, issue_id in enumerate(wanted[:0]):\n",
    ),
    _mutant(
        "never ask Azure DevOps again",
        "flows/reconciling.py",
        "        for message, marks in messages.values():\n",
        "        for message, marks in list(messages.values())[:0]:\n",
    ),
    _mutant(
        "forget a write whose answer was lost",
        "settling/recording.py",
        " if claim and written.uncertain else None",
        " if claim and written.uncertain and not written.error else None",
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
        "    label = _without_name(text) or text.strip()",
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
)
