"""The app's log as a person reads it: when, which way, whose, which link, which values, and why not."""

import json
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from queue import SimpleQueue

from simulator.hands import AppHands, HandsError, Json

_LINE = re.compile(r"\[(?P<logger>[\w.]+)\] (?P<level>[A-Z]+) (?P<text>outcome=.*)")
_FACT = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+) ?')
_ENDS = {"work_item": "work_item_id", "issue": "issue_id"}
# Who speaks, by the function that a line names, or else by the end of the logger's name. Where both are
# silent, the line names what it is about, and so the way.
_SPEAKERS = {
    "ado_webhook": "inbound",
    "inbound_sync": "inbound",
    "sentry_webhook": "outbound",
    "outbound_sync": "outbound",
    "reconcile": "timer",
}
_WAYS = {"work_item": "inbound", "issue": "outbound"}
# A message that waits is told once it has been worked on, and a write by its values.
_UNTOLD = {"queued", "applied"}
_TOLD = {"outcome", "organization", "issue", "work_item", "rev", "error", "kind", "why"}


@dataclass(frozen=True)
class Line:
    """One line of the app's log, read."""

    speaker: str
    facts: dict[str, str]
    rest: str

    @classmethod
    def parse(cls, text: str) -> "Line | None":
        """Read a line that tells an outcome; None for any other, such as a line of a traceback."""
        found = _LINE.match(text)
        if found is None:
            return None
        facts = {name: _unquoted(value) for name, value in _FACT.findall(found["text"])}
        if "function" in facts:
            speaker = _SPEAKERS.get(facts["function"], "app")
        else:
            way = next((way for end, way in _WAYS.items() if end in facts), "app")
            speaker = _SPEAKERS.get(found["logger"].rpartition(".")[2], way)
        return cls(speaker, facts, _FACT.sub("", found["text"]).strip())

    @property
    def subject(self) -> str:
        issue, item = self.facts.get("issue", ""), self.facts.get("work_item")
        return "↔".join(filter(None, (issue, f"#{item}" if item else "")))

    def __str__(self) -> str:
        reason = self.rest or self.facts.get("why") or self.facts.get("kind")
        outcome = self.facts["outcome"] if reason is None else f"{self.facts['outcome']}: {reason}"
        more = [f"{name}={value}" for name, value in self.facts.items() if name not in _TOLD]
        words = (self.facts.get("organization"), self.subject, outcome, *more)
        return f"{self.speaker:8} {' '.join(filter(None, words))}"


def _unquoted(value: str) -> str:
    return str(json.loads(value)) if value.startswith('"') else value


def told(entry: Json) -> str:
    """Say in words what one entry of the activity holds."""
    names = [entry[name] for name in ("from", "to")]
    if entry["field"] is None:
        change = ""
    elif entry["outcome"] in {"refused", "failed"}:
        change = f"{entry['field']} → {names[1] or 'nobody'}"
    else:
        change = f"{entry['field']} {names[0] or 'nobody'} → {names[1] or 'nobody'}"
    # What is applied is what one reads: the values alone say it.
    outcome = "" if entry["outcome"] == "applied" else entry["outcome"]
    kind, colon, words = (entry["reason"] or "").partition(": ")
    return ": ".join(filter(None, (" ".join(filter(None, (change, outcome))), words if colon else kind)))


@dataclass
class Narrator:
    """Takes the app's lines from its reader's thread, and tells them in a thread of its own.

    The log holds identifiers and no values. The values are in the activity, which is asked for what is new.
    """

    app: AppHands
    tell: Callable[[str], object] = print
    _since: str = ""
    _heard: SimpleQueue[str] = field(default_factory=SimpleQueue)
    _places: dict[tuple[str, str], str] = field(default_factory=dict)
    _newest: dict[tuple[str, str, int], str] = field(default_factory=dict)

    def begin(self, since: str) -> None:
        """Tell from now on, and of the activity what came after ``since``."""
        self._since = since
        threading.Thread(target=self._run, name="narrator", daemon=True).start()

    def hear(self, line: str) -> None:
        self._heard.put(line.rstrip("\n"))

    def _run(self) -> None:
        while True:
            text = self._heard.get()
            try:
                for line in self.lines_of(text):
                    self.tell(line)
            except HandsError as error:
                print(f"(its activity cannot be read: {error})", file=sys.stderr)
                self.tell(text)

    def lines_of(self, text: str) -> list[str]:
        """Return what is told of one line of the log."""
        line = Line.parse(text)
        if line is None:
            return [f"  {text}"]
        self._place(line)
        news = self._news(line)
        if not news and not _UNTOLD.isdisjoint(line.facts["outcome"].split(",")):
            return []
        clock = f"{datetime.now().astimezone():%H:%M:%S}"
        return [f"{clock} {each}" for each in news or [str(line)]]

    def _place(self, line: Line) -> None:
        """Remember whose a work item or an issue is, for a line that does not say."""
        for name in _ENDS.keys() & line.facts.keys():
            key = (name, line.facts[name])
            if "organization" in line.facts:
                self._places[key] = line.facts["organization"]
            elif key in self._places:
                line.facts["organization"] = self._places[key]

    def _news(self, line: Line) -> list[str]:
        """Return what the activity holds that was not told before."""
        organization = line.facts.get("organization")
        ends = {_ENDS[name]: line.facts[name] for name in _ENDS.keys() & line.facts.keys()}
        if organization is None or not ends or line.facts["outcome"] == "queued":
            return []
        news = []
        for link, entry in self.app.entries(organization, **ends):
            key = (organization, link["issue_id"], link["work_item_id"])
            if entry["at"] <= self._newest.get(key, self._since):
                continue
            subject = f"{link['issue_id']}↔#{link['work_item_id']}"
            news.append((key, entry, f"{entry['direction'] or '':8} {organization} {subject} {told(entry)}"))
        for key, entry, _ in news:
            self._newest[key] = max(entry["at"], self._newest.get(key, ""))
        return [words for _, _, words in news]
